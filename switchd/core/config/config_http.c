/* SPDX-License-Identifier: MIT
 * config_http.c - the settings of a feature that is one HTTP request: path or url, and what is sent. */
#include <string.h>

#include "switchd/core/config/config_kind.h"

static void check_url(const struct block *b, const struct feature *f)
{
	struct diag *d = b->ld->d;
	const struct yaml_node *severity = block_own(b, "severity");

	if (severity && strcmp(severity->text, "warn") != 0)
		diag_error(d, severity->mark, "severity: a url is asked of no slot and can only warn");
	if (f->n_expect == 0 && !block_bad(b, "expect"))
		diag_error(d, b->mark, "missing key \"expect\" in %s: a url is compared with nothing", b->what);
	if (f->control_path[0])
		diag_error(d, block_mark(b, "control_path"), "control_path: has no meaning for a url");
}

static void load_body(const struct block *b, struct feature *f)
{
	const struct yaml_node *file = block_own(b, "body_file");

	f->body = block_text(b, "body");
	f->body_file = file ? file->text : "";
	if (!file)
		return;
	if (block_own(b, "body"))
		diag_error(b->ld->d, file->mark, "body_file: there is a body already: one of the two");
	else
		f->body = file_text(b->ld, file->mark, "body_file", file->text, false);
}

/* RFC 4648, with padding. */
static const char *base64(struct arena *a, const char *s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = strlen(s), o = 0;
	char *out = arena_alloc(a, (n + 2) / 3 * 4 + 1);

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		unsigned v = (unsigned)(unsigned char)s[i] << 16;

		if (left > 1)
			v |= (unsigned)(unsigned char)s[i + 1] << 8;
		if (left > 2)
			v |= (unsigned char)s[i + 2];
		out[o++] = digits[v >> 18];
		out[o++] = digits[v >> 12 & 63];
		out[o++] = left > 1 ? digits[v >> 6 & 63] : '=';
		out[o++] = left > 2 ? digits[v & 63] : '=';
	}
	out[o] = '\0';
	return out;
}

/* The text itself or the file that holds it: exactly one of the two, of one line. */
static const char *secret_of(const struct block *b, const char *key, const char *file_key)
{
	const struct yaml_node *own = block_own(b, key), *file = block_own(b, file_key);
	const char *text = own ? own->text : file ? file_text(b->ld, file->mark, file_key, file->text, true) : "";

	if (own && file)
		diag_error(b->ld->d, file->mark, "%s: there is a %s already: one of the two", file_key, key);
	if (strpbrk(text, "\r\n"))
		diag_error(b->ld->d, (own ? own : file)->mark, "%s: want one line", own ? key : file_key);
	return text;
}

static void load_login(const struct block *b, struct feature *f)
{
	struct yaml_node *node = block_own(b, "auth");
	struct loading *ld = b->ld;
	struct block a;

	f->auth = (struct http_auth){ "", "", "", "", "" };
	f->authorization = "";
	if (!node)
		return;
	block_open(&a, ld, node, AT_LOGIN, NULL, node->mark, "auth");
	f->auth = (struct http_auth){ block_text(&a, "user"), block_text(&a, "password"), block_text(&a, "password_file"),
				      block_text(&a, "bearer"), block_text(&a, "bearer_file") };
	const char *password = secret_of(&a, "password", "password_file"), *bearer = secret_of(&a, "bearer", "bearer_file");
	bool basic = f->auth.user[0] || password[0] || f->auth.password_file[0], token = bearer[0] || f->auth.bearer_file[0];

	for (size_t i = 0; i < f->n_headers; i++)
		if (strcasecmp(f->headers[i].name, "Authorization") == 0)
			diag_error(ld->d, node->mark, "auth: there is a header Authorization already: one of the two");
	if (basic == token) {
		if (!node->bad && a.map)
			diag_error(ld->d, node->mark, basic ? "auth: want user and password, or bearer, and not both" :
							     "auth: want user with password or password_file, or bearer or bearer_file");
		return;
	}
	if (basic && (!f->auth.user[0] || !(f->auth.password[0] || f->auth.password_file[0])))
		diag_error(ld->d, node->mark, "auth: user and password (or password_file) go together");
	if (strchr(f->auth.user, ':'))
		diag_error(ld->d, block_mark(&a, "user"), "user: has a colon in it, which would end it");
	feature_secret(ld, f, basic ? password : bearer);
	f->authorization = basic ? arena_format(ld->arena, "Basic %s", base64(ld->arena, arena_format(ld->arena, "%s:%s", f->auth.user, password)))
				 : arena_format(ld->arena, "Bearer %s", bearer);
	feature_secret(ld, f, strchr(f->authorization, ' ') + 1);
}

/* "a=1; b=2"; the names and values were checked with the block. */
static void load_cookies(const struct block *b, struct feature *f)
{
	const struct yaml_node *map = block_own(b, "cookies");
	struct loading *ld = b->ld;

	f->cookie = "";
	f->n_cookies = map ? map->n : 0;
	struct header *all = arena_alloc(ld->arena, (f->n_cookies + 1) * sizeof(*all));
	for (size_t i = 0; i < f->n_cookies; i++) {
		all[i] = (struct header){ map->pairs[i].key->text, map->pairs[i].value->text };
		f->cookie = arena_format(ld->arena, "%s%s%s=%s", f->cookie, i ? "; " : "", all[i].name, all[i].value);
		feature_secret(ld, f, all[i].value);
	}
	f->cookies = all;
	for (size_t i = 0; map && i < f->n_headers; i++)
		if (strcasecmp(f->headers[i].name, "Cookie") == 0)
			diag_error(ld->d, map->mark, "cookies: there is a header Cookie already: one of the two");
}

static void http_load(const struct block *b, struct feature *f)
{
	f->path = block_text(b, "path");
	f->url = block_text(b, "url");
	f->method = block_text(b, "method");
	f->control_path = block_text(b, "control_path");
	f->follow = block_int(b, "follow");
	load_body(b, f);
	load_login(b, f);
	load_cookies(b, f);
	if (block_own(b, "url"))
		check_url(b, f);
}

static void secret_line(const struct show *w, const char *in, const char *key, const char *value)
{
	if (!value[0])
		return;
	buf_addf(w->out, "%s%s: ", in, key);
	if (show_is_raw(w, value))
		show_value(w, value);
	else
		buf_adds(w->out, "\"***\"");
	buf_adds(w->out, "\n");
}

static void show_auth(const struct show *w, const char *in, const struct feature *f)
{
	const struct http_auth *a = &f->auth;
	char deep[32];

	if (!f->authorization || !f->authorization[0])
		return;
	text_format(deep, sizeof(deep), "%s  ", in);
	buf_addf(w->out, "%sauth:\n", in);
	show_text(w, deep, "user", a->user);
	secret_line(w, deep, "password", a->password);
	show_line(w, deep, "password_file", a->password_file);
	secret_line(w, deep, "bearer", a->bearer);
	show_line(w, deep, "bearer_file", a->bearer_file);
	if (w->secrets)
		show_line(w, deep, "authorization", f->authorization);
}

static void show_cookies(const struct show *w, const char *in, const struct feature *f)
{
	char deep[32];

	if (!f->n_cookies)
		return;
	text_format(deep, sizeof(deep), "%s  ", in);
	buf_addf(w->out, "%scookies:\n", in);
	for (size_t i = 0; i < f->n_cookies; i++)
		secret_line(w, deep, f->cookies[i].name, f->cookies[i].value[0] ? f->cookies[i].value : "-");
	if (w->secrets)
		show_line(w, deep, "cookie", f->cookie);
}

static void http_show(const struct show *w, const char *in, const struct feature *f)
{
	if (f->url[0])
		show_text(w, in, "url", f->url);
	else
		show_text(w, in, "path", f->path);
	show_line(w, in, "method", f->method);
	if (f->body_file && f->body_file[0])
		show_line(w, in, "body_file", f->body_file);
	if (w->secrets || !f->body_file || !f->body_file[0])
		show_text(w, in, "body", f->body);
	show_text(w, in, "control_path", f->control_path);
	show_auth(w, in, f);
	show_cookies(w, in, f);
	if (f->follow)
		show_int(w, in, "follow", f->follow);
	/* Its pace lets it be inherited, but another version of HTTP is another probe. */
	if (w->secrets)
		show_bool(w, in, "http2", f->http2);
}

const struct feature_kind kind_path = { "path", "http", true, http_load, http_show };
const struct feature_kind kind_url = { "url", "http", true, http_load, http_show };
