/* SPDX-License-Identifier: MIT
 * config_env.c - ${NAME} and ${file:/path} in values, and $$ for a dollar sign. */
#include <errno.h>
#include <string.h>

#include "switchd/core/config/config_kind.h"

enum { VALUE_MAX = 65536, ENV_NAME_MAX = 128, FILE_NAME_MAX = 1024 };

static bool env_name_ok(const char *s)
{
	for (const char *p = s; *p; p++)
		if (!(*p == '_' || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (p > s && *p >= '0' && *p <= '9')))
			return false;
	return *s != '\0';
}

/* The caret stands under the ${ itself where that can be told: plain text on one line. */
static struct mark place(const struct yaml_node *n, const char *at)
{
	struct mark m = n->mark;

	if (n->plain && !strpbrk(n->text, "\n") && m.width >= at - n->text) {
		unsigned code;
		int cols = 0;

		for (const char *p = n->text; p < at; cols++)
			p += diag_utf8(p, (size_t)(at - p), &code);
		m.width = m.width > cols ? m.width - cols : 1;
		m.col += cols;
	}
	return m;
}

static bool is_utf8(const char *s)
{
	for (size_t i = 0, len = strlen(s), step; i < len; i += step) {
		unsigned code;

		step = diag_utf8(s + i, len - i, &code);
		if (!step)
			return false;
	}
	return true;
}

const char *file_text(struct loading *ld, struct mark mark, const char *key, const char *path, bool line)
{
	const char *text = ld->env ? ld->env(path, ld->env_arg) : NULL;
	size_t n = text ? strlen(text) : 0;

	if (!text || !is_utf8(text)) {
		diag_error(ld->d, mark, "%s: %s: %s", key, path, text || errno == EILSEQ ? "is not text in UTF-8" : errno == EFBIG ?
			   "larger than 64 KiB" : errno == EINVAL ? "is not a plain file" : strerror(errno));
		return "";
	}
	if (line && n && text[n - 1] == '\n')
		n--;
	if (line && n && text[n - 1] == '\r')
		n--;
	if (!n) {
		diag_error(ld->d, mark, "%s: %s: is empty", key, path);
		return "";
	}
	struct secret_text *s = arena_alloc(ld->arena, sizeof(*s));

	*s = (struct secret_text){ ld->secrets, arena_strn(ld->arena, text, n) };
	ld->secrets = s;
	return s->value;
}

/* "${file:/run/secrets/token}" */
static const char *put_file(struct loading *ld, const struct yaml_node *n, const char *at, struct buf *out)
{
	const char *name = at + 7, *end = strchr(name, '}');
	char path[FILE_NAME_MAX];

	if (!end || name[0] != '/' || !text_copy_n(path, sizeof(path), name, (size_t)(end - name))) {
		diag_error(ld->d, place(n, at), "want ${file:/path} with an absolute path");
		return NULL;
	}
	int before = ld->d->errors;
	buf_adds(out, file_text(ld, place(n, at), "${file:}", path, true));
	return ld->d->errors == before ? end + 1 : NULL;
}

/* `at` is the "${"; returns what follows the "}", or NULL after saying why. */
static const char *put_one(struct loading *ld, const struct yaml_node *n, const char *at, struct buf *out)
{
	char name[ENV_NAME_MAX];
	const char *end = strchr(at, '}');

	if (text_starts(at, "${file:"))
		return put_file(ld, n, at, out);
	if (!end || !text_copy_n(name, sizeof(name), at + 2, (size_t)(end - at - 2)) || !env_name_ok(name)) {
		diag_error(ld->d, place(n, at), "want ${NAME} with the name of an environment variable (write $${ for the text ${)");
		return NULL;
	}
	const char *value = ld->env ? ld->env(name, ld->env_arg) : NULL;
	if (!value) {
		diag_error(ld->d, place(n, at), "the environment variable %s is not set", name);
		return NULL;
	}
	if (!is_utf8(value)) {
		diag_error(ld->d, place(n, at), "the environment variable %s is not UTF-8", name);
		return NULL;
	}
	buf_adds(out, value);
	return end + 1;
}

static void substitute_text(struct loading *ld, struct yaml_node *n)
{
	struct buf out = BUF_INIT(VALUE_MAX);
	bool put = false;

	if (!strchr(n->text, '$'))
		return;
	for (const char *p = n->text; *p && !n->bad;) {
		if (p[0] == '$' && p[1] == '$') {
			buf_add(&out, p, 1);
			p += 2;
		} else if (p[0] == '$' && p[1] == '{') {
			p = put_one(ld, n, p, &out);
			put = true;
			if (!p) {
				n->bad = true;
				break;
			}
		} else {
			buf_add(&out, p++, 1);
		}
	}
	if (out.full && !n->bad) {
		diag_error(ld->d, n->mark, "longer than %d bytes", VALUE_MAX);
		n->bad = true;
	}
	if (!n->bad) {
		const char *raw = n->text;

		n->text = arena_str(ld->arena, buf_str(&out));
		if (put) {
			struct raw_text *r = arena_alloc(ld->arena, sizeof(*r));

			n->raw = raw;
			*r = (struct raw_text){ ld->l->raws, n->text, raw };
			ld->l->raws = r;
		}
	}
	buf_free(&out);
}

void env_substitute(struct loading *ld, struct yaml_node *n)
{
	if (n->kind == YAML_TEXT && !n->bad)
		substitute_text(ld, n);
	for (size_t i = 0; n->kind == YAML_LIST && i < n->n; i++)
		env_substitute(ld, n->items[i]);
	for (size_t i = 0; n->kind == YAML_MAP && i < n->n; i++)
		env_substitute(ld, n->pairs[i].value);
}
