/* SPDX-License-Identifier: MIT
 * haproxy_files.c - names at the edge, the shield's paths, and the two map files before HAProxy starts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "switchd/proxy/haproxy.h"
#include "switchd/proxy/mapfile.h"

enum { PATH_FILE_MAX = 1000, BACKEND_MAX = 120, URL_PATH_MAX = 1024, PATHS_MAX = 256 * 1024 };

static bool word_char(char c, const char *more)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(more, c));
}

bool hap_word_ok(const char *s, const char *more, size_t max)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (n >= max || !word_char(s[n], more))
			return false;
	return n > 0;
}

static bool file_ok(const char *s)
{
	return s[0] == '/' && s[strlen(s) - 1] != '/' && hap_word_ok(s, "_./+-", PATH_FILE_MAX);
}

static bool socket_ok(const char *s)
{
	return s[0] == '/' ? file_ok(s) : hap_word_ok(s, "_.:[]-", 128);
}

static bool backend_ok(const char *s)
{
	return s[0] != '-' && hap_word_ok(s, "_.:-", BACKEND_MAX);
}

static bool bad(char *why, size_t size, const char *what, const char *value)
{
	char shown[96];

	text_printable(shown, sizeof(shown), value, strlen(value));
	(void)text_format(why, size, "%s \"%s\" holds what a HAProxy command must not", what, shown);
	return false;
}

bool hap_names_ok(const struct service_config *svc, const struct proxy_config *cfg, char *why, size_t size)
{
	if (!name_ok(svc->name))
		return bad(why, size, "service", svc->name);
	if (!socket_ok(cfg->socket))
		return bad(why, size, "socket", cfg->socket);
	if (!file_ok(cfg->map))
		return bad(why, size, "map", cfg->map);
	if (!file_ok(cfg->paths))
		return bad(why, size, "paths", cfg->paths);
	for (int i = 0; i < 2; i++)
		if (!backend_ok(cfg->backend[i]))
			return bad(why, size, "backend", cfg->backend[i]);
	if (!backend_ok(cfg->shield_backend))
		return bad(why, size, "shield backend", cfg->shield_backend);
	return true;
}

/* --- the shield's paths ------------------------------------------------------ */

bool hap_path_ok(const char *text, size_t len)
{
	if (len == 0 || len > URL_PATH_MAX || text[0] != '/')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!word_char(text[i], "-._~!$&()*+,=:@%/"))
			return false;
	return true;
}

bool hap_path_known(const struct hap_paths *p, const char *text, size_t len)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->list[i].len == len && memcmp(p->list[i].text, text, len) == 0)
			return true;
	return false;
}

void hap_paths_of(const struct service_config *svc, struct hap_paths *out)
{
	out->n = out->n_left_out = 0;
	for (size_t i = 0; i < svc->n_features && i < MAX_FEATURES; i++) {
		const struct feature *f = &svc->features[i];
		size_t len = strcspn(f->path, "?#");

		if (f->severity != SEV_CRITICAL || f->url[0] || !f->path[0] || (strcmp(f->method, "GET") != 0 && strcmp(f->method, "HEAD") != 0))
			continue;
		if (!hap_path_ok(f->path, len))
			out->left_out[out->n_left_out++] = f->name;
		else if (!hap_path_known(out, f->path, len))
			out->list[out->n++] = (struct hap_path){ f->path, len };
	}
}

static void paths_text(const struct hap_paths *p, struct buf *out)
{
	for (size_t i = 0; i < p->n; i++)
		buf_addf(out, "%.*s 1\n", (int)p->list[i].len, p->list[i].text);
}

bool hap_write_paths(const struct service_config *svc, const struct proxy_config *cfg, struct buf *said)
{
	struct hap_paths p;
	struct buf want = BUF_INIT(PATHS_MAX), has = BUF_INIT(PATHS_MAX);
	char why[200];
	bool ok = hap_names_ok(svc, cfg, why, sizeof(why));

	if (ok) {
		hap_paths_of(svc, &p);
		for (size_t i = 0; i < p.n_left_out; i++)
			buf_addf(said, "feature %s is not shielded: its path holds a byte that HAProxy's commands cannot carry\n", p.left_out[i]);
		paths_text(&p, &want);
		bool there = mapfile_read(cfg->paths, &has);
		if (!there || has.len != want.len || memcmp(buf_str(&has), buf_str(&want), want.len) != 0) {
			ok = mapfile_replace(cfg->paths, buf_str(&want), want.len, why, sizeof(why));
			if (ok)
				buf_addf(said, "%s: %zu path%s\n", cfg->paths, p.n, p.n == 1 ? "" : "s");
		}
	}
	if (!ok)
		buf_addf(said, "%s: %s\n", cfg->paths, why);
	buf_free(&want);
	buf_free(&has);
	return ok;
}

/* --- before the first start --------------------------------------------------- */

/* The parents that are missing, 0755: HAProxy may run as another user and must get in. */
static bool make_parents(const char *path, char *why, size_t size)
{
	char dir[PATH_FILE_MAX + 1];

	(void)TEXT_COPY(dir, path);
	for (char *p = dir + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(dir, 0755) == 0) {
			(void)chmod(dir, 0755);
		} else if (errno != EEXIST) {
			(void)text_format(why, size, "mkdir %s: %s", dir, strerror(errno));
			return false;
		}
		*p = '/';
	}
	return true;
}

bool hap_init_files(const struct service_config *svc, const struct proxy_config *cfg, struct buf *said)
{
	struct proxy_value first = { .slot = svc->initial == NO_SLOT ? BLUE : svc->initial };
	char why[4096], text[PROXY_VALUE_TEXT], line[NAME_MAX_LEN + PROXY_VALUE_TEXT + 4];
	struct stat st;
	bool ok = hap_names_ok(svc, cfg, why, sizeof(why)) && make_parents(cfg->map, why, sizeof(why)) &&
		  make_parents(cfg->paths, why, sizeof(why));

	if (ok && lstat(cfg->map, &st) == 0) {
		buf_addf(said, "%s: exists, left as it is\n", cfg->map);
	} else if (ok) {
		(void)TEXT_FORMAT(line, "%s %s\n", svc->name, proxy_value_text(&first, text));
		ok = mapfile_replace(cfg->map, line, strlen(line), why, sizeof(why));
		if (ok)
			buf_addf(said, "%s: created, %s", cfg->map, line);
	}
	if (!ok) {
		buf_addf(said, "%s: %s\n", cfg->map, why);
		return false;
	}
	if (lstat(cfg->paths, &st) == 0) {
		buf_addf(said, "%s: exists, left as it is\n", cfg->paths);
		return true;
	}
	return hap_write_paths(svc, cfg, said);
}

void hap_raw_command(const struct service_config *svc, const struct proxy_config *cfg, const struct proxy_value *v, struct buf *out)
{
	char why[200], text[PROXY_VALUE_TEXT];

	/* What is printed will be pasted into a shell: nothing is printed that could mean more than it says. */
	if (!hap_names_ok(svc, cfg, why, sizeof(why))) {
		buf_addf(out, "# %s", why);
		return;
	}
	buf_addf(out, "echo \"set map %s %s %s\" | socat stdio %s%s", cfg->map, svc->name, proxy_value_text(v, text),
		 cfg->socket[0] == '/' ? "" : "tcp:", cfg->socket);
}
