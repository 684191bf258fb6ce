/* SPDX-License-Identifier: MIT
 * jget.c - prints members of the JSON on stdin, by dotted path.
 *
 *   ... | jget services.0.active deploy.outcome features.#
 *
 * A number is an index, "#" the length of an array or object, "." the whole.  Strings come out
 * raw, everything else as written; one line each.  Exit 0; 1: some path is not there (prints an
 * empty line for it); 2: stdin is not JSON.  Own parser, so that switchd's JSON is checked by
 * something that did not write it. */
#include "tests/fakes/fake.h"

enum { MAX_JSON = 64 * 1024 * 1024, MAX_DEPTH = 200 };

static const char *at, *end;

static void space(void)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
}

static void bad(const char *why) { die("jget: not JSON: %s", why); }

static void string_over(const char **from, const char **to)
{
	if (at >= end || *at != '"')
		bad("string expected");
	*from = ++at;
	while (at < end && *at != '"') {
		if ((unsigned char)*at < 0x20)
			bad("control byte in a string");
		at += *at == '\\' ? 2 : 1;
	}
	if (at >= end)
		bad("string without end");
	*to = at++;
}

/* Walks over one value.  With a path, finds the part it names: returns true and its bounds. */
static bool walk(const char *path, int depth, const char **from, const char **to);

static bool word(const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(end - at) < n || memcmp(at, w, n) != 0)
		return false;
	at += n;
	return true;
}

static void scalar(void)
{
	const char *a, *b;

	if (*at == '"') {
		string_over(&a, &b);
		return;
	}
	if (word("true") || word("false") || word("null"))
		return;
	a = at;
	while (at < end && strchr("+-0123456789.eE", *at))
		at++;
	if (at == a)
		bad("value expected");
}

static bool container(const char *path, int depth, const char **from, const char **to)
{
	static char count[24];
	char close = *at == '{' ? '}' : ']';
	const char *dot = path ? strchr(path, '.') : NULL;
	size_t part = path ? (dot ? (size_t)(dot - path) : strlen(path)) : 0;
	bool found = false;
	long i = 0;

	at++;
	for (space(); at < end && *at != close; i++) {
		const char *ka, *kb;
		char index[24];

		if (i && *at++ != ',')
			bad("comma expected");
		space();
		if (close == '}') {
			string_over(&ka, &kb);
			space();
			if (at >= end || *at++ != ':')
				bad("colon expected");
		} else {
			ka = index;
			kb = index + snprintf(index, sizeof(index), "%ld", i);
		}
		bool here = path && !found && (size_t)(kb - ka) == part && memcmp(ka, path, part) == 0;
		if (walk(here ? (dot ? dot + 1 : "") : NULL, depth + 1, from, to))
			found = true;
		space();
	}
	if (at >= end)
		bad("no closing bracket");
	at++;
	if (!found && path && strcmp(path, "#") == 0) {
		*from = count;
		*to = count + snprintf(count, sizeof(count), "%ld", i);
		found = true;
	}
	return found;
}

static bool walk(const char *path, int depth, const char **from, const char **to)
{
	bool found = false;

	if (depth > MAX_DEPTH)
		bad("too deep");
	space();
	if (at >= end)
		bad("value expected");
	const char *start = at;
	if (path && *path && (*at == '{' || *at == '['))
		return container(path, depth, from, to);
	if (*at == '{' || *at == '[') {
		const char *a, *b;

		container(NULL, depth, &a, &b);
	} else
		scalar();
	if (path && !*path) {
		*from = start;
		*to = at;
		found = true;
	}
	return found;
}

static unsigned hex4(const char *s)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		char c = s[i];

		v = v * 16 + (unsigned)(c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
					c >= 'A' && c <= 'F' ? c - 'A' + 10 : 0);
	}
	return v;
}

static void put_utf8(unsigned u)
{
	if (u < 0x80)
		putchar((int)u);
	else if (u < 0x800)
		printf("%c%c", (int)(0xc0 | u >> 6), (int)(0x80 | (u & 0x3f)));
	else if (u < 0x10000)
		printf("%c%c%c", (int)(0xe0 | u >> 12), (int)(0x80 | (u >> 6 & 0x3f)), (int)(0x80 | (u & 0x3f)));
	else
		printf("%c%c%c%c", (int)(0xf0 | u >> 18), (int)(0x80 | (u >> 12 & 0x3f)), (int)(0x80 | (u >> 6 & 0x3f)),
		       (int)(0x80 | (u & 0x3f)));
}

static void print_string(const char *a, const char *b)
{
	static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";

	for (; a < b; a++) {
		if (*a != '\\') {
			putchar(*a);
			continue;
		}
		if (++a >= b)
			return;
		const char *e = strchr(from, *a);
		if (e && *a)
			putchar(to[e - from]);
		else if (*a == 'u' && b - a > 4) {
			unsigned u = hex4(a + 1);

			a += 4;
			if (u >= 0xd800 && u < 0xdc00 && b - a > 6 && a[1] == '\\' && a[2] == 'u') {
				u = 0x10000 + ((u - 0xd800) << 10) + (hex4(a + 3) - 0xdc00);
				a += 6;
			}
			put_utf8(u);
		} else
			putchar(*a);
	}
}

int main(int argc, char **argv)
{
	char *text = need(malloc(MAX_JSON));
	size_t n = fread(text, 1, MAX_JSON, stdin);
	int rc = 0;

	if (n == MAX_JSON)
		die("jget: more than 64 MiB");
	for (int i = 1; i < argc; i++) {
		const char *a, *b;

		at = text;
		end = text + n;
		bool found = walk(strcmp(argv[i], ".") == 0 ? "" : argv[i], 0, &a, &b);
		const char *fa = a, *fb = b;
		space();
		if (at != end)
			bad("something after the value");
		if (!found)
			rc = 1;
		else if (*fa == '"')
			print_string(fa + 1, fb - 1);
		else
			fwrite(fa, 1, (size_t)(fb - fa), stdout);
		putchar('\n');
	}
	free(text);
	return rc;
}
