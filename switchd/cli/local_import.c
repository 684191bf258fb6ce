/* SPDX-License-Identifier: MIT
 * local_import.c - switchctl import: a first configuration from what a site has; what comes out is tried before it is printed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probes/inventory/inventory.h"
#include "probes/probe.h"
#include "switchd/cli/import.h"
#include "switchd/cli/local.h"
#include "switchd/core/json_text.h"

enum { OUT_MAX = 4 * 1024 * 1024, ERRORS_MAX = 256 * 1024 };

static bool read_file(struct cli *c, const char *path, struct buf *text)
{
	bool in = strcmp(path, "-") == 0;
	FILE *f = in ? stdin : fopen(path, "re");
	char chunk[8192];
	size_t n;

	if (!f) {
		complain(c, "%s: %s", path, strerror(errno));
		return false;
	}
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0 && buf_add(text, chunk, n))
		;
	bool ok = !ferror(f) && !text->full;

	if (!in)
		fclose(f);
	if (!ok)
		complain(c, "%s: cannot be read, or is larger than 1 MiB", path);
	return ok;
}

/* The file by its last name: comments of a configuration are read on other machines. */
static const char *base_name(const char *path) { return strrchr(path, '/') ? strrchr(path, '/') + 1 : path; }

static bool loads(struct cli *c, struct buf *yaml)
{
	struct buf errors = BUF_INIT(ERRORS_MAX);
	int bad = 0;
	struct config *cfg = yaml->full ? NULL : config_load("import", buf_str(yaml), yaml->len, import_environment, NULL, &errors, &bad);
	bool ok = cfg && probe_check_config(cfg, &errors, &bad);

	if (!ok)
		complain(c, "what was read makes no configuration that loads: please report it\n%s", buf_str(&errors));
	config_free(&cfg);
	buf_free(&errors);
	return ok;
}

static int say(struct cli *c, const char *from, struct buf *yaml, json_t *lines, size_t todos)
{
	int ex = loads(c, yaml) ? EX_DONE : EX_INTERNAL;

	if (ex != EX_DONE) {
		json_decref(lines);
		return ex;
	}
	if (c->output == FMT_JSON) {
		json_t *o = json_pack("{s:s,s:s,s:o,s:I,s:i}", "from", from, "yaml", buf_str(yaml), "lines", lines, "todo", (json_int_t)todos, "exit", ex);

		say_json(c, o);
		json_decref(o);
	} else {
		json_decref(lines);
		fputs(buf_str(yaml), stdout);
	}
	if (todos)
		complain(c, "%zu TODO: grep them in what was printed", todos);
	hint(c, "next", "switchd -t FILE   |   switchctl probe --config FILE   |   switchctl proxy diff --config FILE");
	return ex;
}

/* ---- haproxy.cfg ---- */

static int from_haproxy(struct cli *c, const char *path, const struct buf *text)
{
	struct arena *arena = arena_new();
	struct buf out = BUF_INIT(OUT_MAX);
	struct hap h;
	size_t counts[N_LINES];
	char why[300];
	int ex = EX_USAGE_ERROR;

	if (!hap_read(&h, arena, base_name(path), text->data ? text->data : "", text->len, why, sizeof(why))) {
		complain(c, "%s", why);
	} else {
		hap_write(&h, &out, counts);
		ex = say(c, path, &out,
			 json_pack("{s:I,s:I,s:I,s:I,s:I}", "all", (json_int_t)h.n_lines, "carried", (json_int_t)counts[LINE_CARRIED], "todo",
				   (json_int_t)counts[LINE_TODO], "stay", (json_int_t)counts[LINE_STAYS], "blank", (json_int_t)counts[LINE_BLANK]), h.n_todos);
	}
	buf_free(&out);
	arena_free(&arena);
	return ex;
}

/* ---- OpenAPI ---- */

/* The least 2xx that the operation tells of, and its media type. */
static const json_t *good_response(const json_t *root, const json_t *op, const char **status, const char **type)
{
	const json_t *all = json_object_get(op, "responses"), *best = NULL;
	const char *code, *media;
	json_t *r, *m;

	*status = *type = "";
	json_object_foreach((json_t *)all, code, r)
		if (code[0] == '2' && strlen(code) == 3 && strspn(code, "0123456789") == 3 && (!best || strcmp(code, *status) < 0)) {
			best = inventory_follow(root, r);
			*status = code;
		}
	json_object_foreach(json_object_get(best, "content"), media, m) {
		*type = media;
		return inventory_follow(root, json_object_get(m, "schema"));
	}
	return NULL;
}

static bool plain_word(const char *s) { return s[0] && s[0] > '9' && strlen(s) < 64 && !s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")]; }

static void put_feature(struct buf *out, const char *name, const char *path, const json_t *root, const json_t *op)
{
	const char *status, *type;
	const json_t *schema = good_response(root, op, &status, &type), *required = json_object_get(schema, "required");

	buf_addf(out, "      %s:", name);
	if (json_text(op, "summary")[0]) {
		buf_adds(out, "   # ");
		yaml_comment(out, json_text(op, "summary"));
	}
	buf_adds(out, "\n        path: ");
	yaml_text(out, path);
	buf_addf(out, "\n        expect:\n          - status %s%s\n", status[0] ? "== " : "2xx", status);
	if (type[0] && !type[strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789/.+-")])
		buf_addf(out, "          - 'header \"Content-Type\" contains \"%s\"'\n", type);
	for (size_t i = 0; i < json_array_size(required) && i < 6 && strstr(type, "json"); i++) {
		const char *key = json_string_value(json_array_get(required, i));

		if (key && plain_word(key))
			buf_addf(out, "          - 'jsonpath \"$.%s\" exists'\n", key);
	}
}

struct api { struct buf *out, *todo; const json_t *root; const char *file; size_t features, todos; };

static void api_todo(struct api *a, const char *path, const char *method, const char *why)
{
	a->todos++;
	buf_adds(a->todo, "# TODO ");
	yaml_comment(a->todo, a->file);
	buf_adds(a->todo, ": ");
	yaml_comment(a->todo, method);
	buf_adds(a->todo, " ");
	yaml_comment(a->todo, path);
	buf_addf(a->todo, ": %s\n", why);
}

static void put_path(struct api *a, const char *prefix, const char *path, const json_t *item)
{
	const char *method, *id;
	struct buf url = BUF_INIT(INVENTORY_MAX_PATH);
	char name[NAME_MAX_LEN + 1];
	json_t *op;

	json_object_foreach((json_t *)item, method, op) {
		if (strcmp(method, "parameters") == 0 || strcmp(method, "summary") == 0 || strcmp(method, "description") == 0 || strcmp(method, "servers") == 0 ||
		    strncmp(method, "x-", 2) == 0)
			continue;
		if (strcmp(method, "get") != 0 || !json_is_object(op)) {
			api_todo(a, path, method, "not a GET: a probe that writes needs writes: true and a person's word");
			continue;
		}
		buf_clear(&url);
		struct inventory *one = inventory_new();
		bool whole = inventory_operation(a->root, prefix, path, item, &url);
		bool ok = whole && !url.full && inventory_add(one, buf_str(&url), url.len, 0, true, false) && !one->routes[0].pattern;

		inventory_free(&one);
		if (!ok) {
			api_todo(a, path, method, "a parameter is required and the document gives no example of it");
			continue;
		}
		if (a->features == MAX_FEATURES) {
			api_todo(a, path, method, "more features than a service may have");
			continue;
		}
		id = json_text(op, "operationId");
		TEXT_FORMAT(name, "%.40s-%zu", name_ok(id) && strlen(id) <= 40 ? id : "get", a->features + 1);
		put_feature(a->out, name, buf_str(&url), a->root, op);
		a->features++;
	}
	buf_free(&url);
}

static int from_openapi(struct cli *c, const char *path, const struct buf *text)
{
	struct buf out = BUF_INIT(OUT_MAX), todo = BUF_INIT(OUT_MAX);
	char err[200] = "", prefix[INVENTORY_MAX_PATH + 1], origin[400];
	json_t *root = inventory_document(text->data ? text->data : "", text->len, err, sizeof(err)), *item;
	struct api a = { .out = &out, .todo = &todo, .root = root, .file = base_name(path) };
	const char *server = json_text(json_array_get(json_object_get(root, "servers"), 0), "url"), *key;
	struct address at;
	int ex = EX_USAGE_ERROR;

	if (!root || !json_is_object(json_object_get(root, "paths")) || !text_starts(json_text(root, "openapi"), "3")) {
		complain(c, "%s: %s", path, root ? "not an OpenAPI 3 document" : err);
		goto out;
	}
	inventory_prefix(root, prefix);
	buf_adds(&out, "# Made by `switchctl import openapi ");
	yaml_comment(&out, a.file);
	buf_adds(&out, "`.  Each TODO needs a person.\nversion: 1\nmode: observe\nservices:\n  api:\n");
	bool known = address_parse(server, &at, err, sizeof(err)) && (strcmp(at.scheme, "http") == 0 || strcmp(at.scheme, "https") == 0) && !strchr(server, '{');

	if (known && TEXT_FORMAT(origin, "%.*s", (int)(at.rest - server), server)) {
		buf_adds(&out, "    front: ");
		yaml_text(&out, origin);
		buf_adds(&out, "\n");
	} else {
		buf_adds(&out, "    # TODO front: the public address; the document names none\n");
	}
	buf_adds(&out, "    slots:   # TODO where the two copies listen\n      blue: [192.0.2.1:80]\n      green: [192.0.2.2:80]\n    features:\n");
	json_object_foreach(json_object_get(root, "paths"), key, item)
		put_path(&a, prefix, key, item);
	if (!a.features)
		buf_adds(&out, "      home: /   # TODO no path of the document can be asked without an example\n");
	buf_adds(&out, buf_str(&todo));
	ex = say(c, path, &out, json_pack("{s:I,s:I}", "carried", (json_int_t)a.features, "todo", (json_int_t)a.todos), a.todos);
out:
	json_decref(root);
	buf_free(&out);
	buf_free(&todo);
	return ex;
}

int verb_import(struct cli *c)
{
	struct buf text = BUF_INIT(IMPORT_MAX_TEXT);
	const char *what = c->n_words ? c->words[0] : "";
	bool haproxy = strcmp(what, "haproxy") == 0;
	int ex = EX_USAGE_ERROR;

	if (c->n_words != 2 || (!haproxy && strcmp(what, "openapi") != 0))
		return usage_error(c, "import wants haproxy FILE or openapi FILE");
	if (read_file(c, c->words[1], &text))
		ex = haproxy ? from_haproxy(c, c->words[1], &text) : from_openapi(c, c->words[1], &text);
	buf_free(&text);
	return ex;
}
