/* SPDX-License-Identifier: MIT
 * auth.c - who asks: peer credentials on the unix socket, bearer tokens elsewhere.
 *
 * Tokens file: one "NAME ROLE sha256:HEX" a line, # begins a comment; only the hash is stored.
 * On the unix socket root and switchd's own user may operate; whoever else the socket's group
 * lets in may deploy.  Five failures a minute from one address and it is told to wait. */
#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switchd/api/route.h"
#include "switchd/base/log.h"

enum { MAX_TOKENS = 256, HASH = 32, MAX_FAILERS = 64, FAILS_A_MINUTE = 5, MINUTE_MS = 60000 };

struct token { id_text name; enum role role; unsigned char hash[HASH]; };
struct failer { char ip[HTTPD_IP_TEXT]; mono_us since; int count; };

struct auth {
	struct token tokens[MAX_TOKENS];
	size_t n;
	struct failer failers[MAX_FAILERS];
};

static bool parse_hash(const char *hex, unsigned char out[HASH])
{
	if (strlen(hex) != 2 * HASH)
		return false;
	for (size_t i = 0; i < HASH; i++) {
		char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
			return false;
		out[i] = (unsigned char)strtoul(pair, NULL, 16);
	}
	return true;
}

static bool parse_role(const char *s, enum role *out)
{
	for (int r = ROLE_READ; r <= ROLE_OPERATE; r++)
		if (strcmp(role_name((enum role)r), s) == 0) {
			*out = (enum role)r;
			return true;
		}
	return false;
}

static bool read_tokens(struct auth *a, const char *path, char *error, size_t size)
{
	char line[512], name[80], role[16], hash[160], more[2];
	FILE *f = fopen(path, "re");
	struct stat st;
	int n = 0;

	if (!f)
		return text_format(error, size, "tokens_file %s: %s", path, strerror(errno)), false;
	if (fstat(fileno(f), &st) == 0 && (st.st_mode & S_IWOTH)) {
		text_format(error, size, "tokens_file %s: everybody may write to it: chmod o-w", path);
		fclose(f);
		return false;
	}
	while (fgets(line, sizeof(line), f)) {
		n++;
		line[strcspn(line, "#\r\n")] = '\0';
		if (line[strspn(line, " \t")] == '\0')
			continue;
		if (a->n == MAX_TOKENS) {
			text_format(error, size, "%s:%d: more than %d tokens", path, n, MAX_TOKENS);
			fclose(f);
			return false;
		}
		struct token *t = &a->tokens[a->n];

		if (sscanf(line, "%79s %15s %159s %1s", name, role, hash, more) != 3 || !id_ok(name) || !parse_role(role, &t->role) ||
		    !text_starts(hash, "sha256:") || !parse_hash(hash + 7, t->hash)) {
			text_format(error, size, "%s:%d: want NAME read|deploy|operate sha256:HEX", path, n);
			fclose(f);
			return false;
		}
		TEXT_COPY(t->name, name);
		a->n++;
	}
	fclose(f);
	return true;
}

struct auth *auth_new(const char *tokens_file, char *error, size_t size)
{
	struct auth *a = xcalloc(1, sizeof(*a));

	if (tokens_file[0] && !read_tokens(a, tokens_file, error, size))
		auth_free(&a);
	return a;
}

void auth_free(struct auth **a)
{
	if (*a)
		explicit_bzero(*a, sizeof(**a));
	free(*a);
	*a = NULL;
}

/* The counter of an address, or NULL when it has none that counts still. */
static struct failer *failer(struct auth *a, const char *ip, mono_us now)
{
	for (size_t i = 0; i < MAX_FAILERS; i++) {
		struct failer *f = &a->failers[i];

		if (f->count && strcmp(f->ip, ip) == 0) {
			if (mono_since_ms(now, f->since) <= MINUTE_MS)
				return f;
			f->count = 0;
		}
	}
	return NULL;
}

static void failed(struct auth *a, const char *ip, mono_us now)
{
	struct failer *f = failer(a, ip, now);

	if (!f) { /* the place of one that is over, or of the oldest */
		f = &a->failers[0];
		for (size_t i = 0; i < MAX_FAILERS && f->count; i++)
			if (!a->failers[i].count || a->failers[i].since.us < f->since.us)
				f = &a->failers[i];
		*f = (struct failer){ .since = now };
		TEXT_COPY(f->ip, ip);
	}
	f->count++;
}

static const struct token *find(const struct auth *a, const char *text)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	const struct token *found = NULL;

	if (!EVP_Digest(text, strlen(text), hash, &n, EVP_sha256(), NULL) || n != HASH)
		return NULL;
	for (size_t i = 0; i < a->n; i++) /* all of them, in constant time each */
		if (CRYPTO_memcmp(a->tokens[i].hash, hash, HASH) == 0)
			found = &a->tokens[i];
	return found;
}

bool auth_check(struct auth *a, const struct httpd_request *q, mono_us now, enum role *role, id_text actor)
{
	const char *h = httpd_header(q, "Authorization");
	const struct token *t = NULL;
	const struct failer *f;

	*role = ROLE_NONE;
	text_copy(actor, sizeof(id_text), "nobody");
	if (q->peer.local) {
		*role = q->peer.uid == 0 || q->peer.uid == geteuid() ? ROLE_OPERATE : ROLE_DEPLOY;
		text_format(actor, sizeof(id_text), "uid:%u", (unsigned)q->peer.uid);
	}
	if (!h)
		return true;
	f = failer(a, q->peer.ip, now);
	if (!q->peer.local && f && f->count >= FAILS_A_MINUTE)
		return false;
	if (strncasecmp(h, "Bearer ", 7) == 0)
		t = find(a, h + 7 + strspn(h + 7, " "));
	if (!t) {
		if (!q->peer.local)
			failed(a, q->peer.ip, now);
		log_warn("auth", "from=%s what=\"a token that is not known\"", q->peer.local ? actor : q->peer.ip);
	} else if (t->role > *role || !q->peer.local) {
		*role = t->role;
		text_copy(actor, sizeof(id_text), t->name);
	}
	return true;
}
