/* SPDX-License-Identifier: MIT
 * compare.c - facts of an answer, and what of them is missing in another.
 *
 * The paths of a JSON body are a tree of jansson objects, one node per path: ".key" and "[" lead to the nodes
 * below, "n" is how many items the list there has, over all the places where the path is found. */
#include "probes/prove/compare.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "probes/assert/xpath.h"
#include "switchd/base/text.h"

enum { TYPE_MAX = 128, PLACE_MAX = 512, KEY_MAX = 256 };

struct facts {
	long status;
	char type[TYPE_MAX];            /* lower case, without parameters */
	char location[PLACE_MAX];       /* path of a redirect; "" = none */
	bool is_json;
	json_int_t nodes;               /* that the xpath finds; -1 = not counted */
	json_t *root;                   /* NULL: not JSON */
	size_t paths;
	bool cut;                       /* more paths, or deeper ones, than are kept */
};

/* ---- facts ---- */

static void media_type(const char *s, char out[TYPE_MAX])
{
	size_t n;

	s += strspn(s, " \t");
	n = strcspn(s, ";, \t");
	text_printable(out, TYPE_MAX, s, n);
	for (char *c = out; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
}

/* Host and query may differ between slots. */
static void path_of(const char *location, char out[PLACE_MAX])
{
	const char *authority = strstr(location, "://");

	if (authority && strcspn(location, "/?#") > (size_t)(authority - location))
		location = authority + 3 + strcspn(authority + 3, "/?#");
	text_printable(out, PLACE_MAX, location, strcspn(location, "?#"));
}

static json_t *below(struct facts *f, json_t *node, const char *step)
{
	json_t *next = json_object_get(node, step);

	if (next || f->cut)
		return next;
	if (f->paths == COMPARE_MAX_PATHS) {
		f->cut = true;
		return NULL;
	}
	f->paths++;
	next = json_object();
	must(json_object_set_new(node, step, next) == 0);
	return next;
}

static void walk(struct facts *f, json_t *node, const json_t *value, int depth)
{
	char step[KEY_MAX + 2];
	const char *key;
	json_t *item, *next;
	size_t i;

	if (depth == COMPARE_MAX_DEPTH) {
		f->cut = f->cut || json_object_size(value) || json_array_size(value);
		return;
	}
	if (json_is_array(value)) {
		json_int_t n = json_integer_value(json_object_get(node, "n"));

		must(json_object_set_new(node, "n", json_integer(n + (json_int_t)json_array_size(value))) == 0);
		next = json_array_size(value) ? below(f, node, "[") : NULL;
		for (i = 0; next && i < json_array_size(value); i++)
			walk(f, next, json_array_get(value, i), depth + 1);
		return;
	}
	json_object_foreach((json_t *)value, key, item) {
		if (!text_format(step, sizeof(step), ".%s", key)) {
			f->cut = true;
			continue;
		}
		next = below(f, node, step);
		if (next)
			walk(f, next, item, depth + 1);
	}
}

/* A page that reaches a limit says nothing about its nodes. */
static json_int_t count_nodes(struct answer *a, const char *type, const struct xpath *x)
{
	struct xpath_result r = { 0 };
	struct xdoc *doc = x && (strstr(type, "html") || strstr(type, "xml")) ? answer_document(a) : NULL;
	json_int_t n = -1;
	char why[128];

	if (!doc)
		return -1;
	if (xpath_eval(x, doc, &r, why, sizeof(why)) == XPATH_OK)
		n = r.kind == XP_NODES ? (json_int_t)r.n : r.kind == XP_BOOLEAN ? r.boolean : r.kind == XP_NUMBER && r.number >= 0 && r.number < 1e9 ? (json_int_t)r.number : -1;
	xpath_clear(&r);
	return n;
}

struct facts *facts_of(struct answer *a, const char *location, const struct xpath *xpath)
{
	struct facts *f = xcalloc(1, sizeof(*f));
	json_t *body;

	f->status = a->status;
	media_type(a->content_type ? a->content_type : "", f->type);
	if (a->status / 100 == 3)
		path_of(location ? location : "", f->location);
	f->nodes = count_nodes(a, f->type, xpath);
	if (!strstr(f->type, "json"))
		return f;
	f->is_json = true;
	body = answer_parsed(a);
	if (!body)
		return f;
	f->root = json_object();
	walk(f, f->root, body, 0);
	return f;
}

void facts_free(struct facts **fp)
{
	if (!*fp)
		return;
	json_decref((*fp)->root);
	free(*fp);
	*fp = NULL;
}

bool facts_whole(const struct facts *f) { return !f->cut; }

/* ---- ignore ---- */

/* "$.a.*" names "$.a.b" and all below it. */
static bool names(const char *pattern, const char *path)
{
	while (*pattern) {
		if (pattern[0] == '*' && (pattern[1] == '\0' || pattern[1] == '.' || pattern[1] == '[')) {
			path += strcspn(path, ".[");
			pattern++;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return *path == '\0' || *path == '.' || *path == '[';
}

bool compare_ignored(const struct compare_config *c, const char *path)
{
	for (size_t i = 0; i < c->n_ignore; i++)
		if (names(c->ignore[i], path))
			return true;
	return false;
}

/* ---- differences ---- */

/* Told of each difference; false: no more are wanted. */
typedef bool differs_fn(void *arg, const char *path, const char *want, const char *got);
struct looking { const struct compare_config *config; differs_fn *tell; void *arg; const struct facts *now; };

static const char *rows(char *out, json_int_t n)
{
	text_format(out, 64, "%lld row%s", (long long)n, n == 1 ? "" : "s");
	return out;
}

/* Some against none; with a tolerance, also numbers that are too far from one another. */
static bool counts_differ(const struct compare_config *c, json_int_t was, json_int_t now)
{
	if (was == 0)
		return false;
	if (now == 0)
		return true;
	json_int_t far = was > now ? was - now : now - was;

	return c->tolerance && far * 100 > was * c->tolerance;
}

static bool look_list(struct looking *l, const char *path, const json_t *was, const json_t *now, bool *empty)
{
	const json_t *n = json_object_get(was, "n"), *m = json_object_get(now, "n");
	char want[64], got[64], place[PLACE_MAX];

	*empty = n && json_integer_value(n) > 0 && json_integer_value(m) == 0;
	if (!n || compare_ignored(l->config, path))
		return true;
	if (!text_format(place, sizeof(place), "%s[]", path))
		return true;
	if (compare_ignored(l->config, place))
		return true;
	if (!m)
		return json_integer_value(n) == 0 || l->tell(l->arg, place, rows(want, json_integer_value(n)), "no list");
	if (counts_differ(l->config, json_integer_value(n), json_integer_value(m)))
		return l->tell(l->arg, place, rows(want, json_integer_value(n)), rows(got, json_integer_value(m)));
	return true;
}

/* False: stop. */
static bool look(struct looking *l, const char *path, const json_t *was, const json_t *now)
{
	const char *step;
	json_t *next;
	bool empty;

	if (!look_list(l, path, was, now, &empty))
		return false;
	json_object_foreach((json_t *)was, step, next) {
		char place[PLACE_MAX];
		const json_t *there = json_object_get(now, step);

		if (strcmp(step, "n") == 0 || (*step == '[' && empty)) /* that the list is empty says it all */
			continue;
		if (!text_format(place, sizeof(place), *step == '[' ? "%s[]%s" : "%s%s", path, *step == '[' ? "" : step) ||
		    compare_ignored(l->config, place))
			continue;
		if (!there) {
			/* Not found where not all was kept: nothing is known of it. */
			if (!l->now->cut && *step == '.' && !l->tell(l->arg, place, "there", "missing"))
				return false;
			continue;
		}
		if (!look(l, place, next, there))
			return false;
	}
	return true;
}

static void differences(const struct facts *was, const struct facts *now, const struct compare_config *c, differs_fn *tell, void *arg)
{
	struct looking l = { c, tell, arg, now };
	char want[PLACE_MAX], got[PLACE_MAX];

	text_format(want, sizeof(want), "%ld", was->status);
	text_format(got, sizeof(got), "%ld", now->status);
	if (was->status != now->status && !tell(arg, "status", want, got))
		return;
	if (strcmp(was->type, now->type) != 0 &&
	    !tell(arg, "content type", was->type[0] ? was->type : "none", now->type[0] ? now->type : "none"))
		return;
	if (strcmp(was->location, now->location) != 0 && !tell(arg, "redirect", was->location, now->location))
		return;
	if (c->xpath && was->nodes >= 0 && now->nodes >= 0 && counts_differ(c, was->nodes, now->nodes) &&
	    !tell(arg, c->xpath, rows(want, was->nodes), rows(got, now->nodes)))
		return;
	if (was->root && !now->root && now->is_json)
		tell(arg, "body", "JSON", "not JSON");
	else if (was->root && now->root)
		look(&l, "$", was->root, now->root);
}

/* ---- noise ---- */

static bool add_noise(void *arg, const char *path, const char *want, const char *got)
{
	struct noise *n = arg;
	char clean[PLACE_MAX];

	(void)want, (void)got;
	text_printable(clean, sizeof(clean), path, strlen(path));
	if (!n->paths)
		n->paths = json_object();
	must(json_object_set_new(n->paths, clean, json_true()) == 0);
	return json_object_size(n->paths) < COMPARE_MAX_NOISE;
}

void noise_learn(struct noise *n, const struct facts *a, const struct facts *b, const struct compare_config *c)
{
	differences(a, b, c, add_noise, n);
	differences(b, a, c, add_noise, n);
}

void noise_clear(struct noise *n)
{
	json_decref(n->paths);
	n->paths = NULL;
}

/* ---- the first that counts ---- */

struct first { const struct noise *noise; bool found; char *want, *got; };

static bool take_first(void *arg, const char *path, const char *want, const char *got)
{
	struct first *f = arg;
	char clean[PLACE_MAX];

	text_printable(clean, sizeof(clean), path, strlen(path));
	if (f->noise && json_object_get(f->noise->paths, clean))
		return true;
	f->found = true;
	text_format(f->want, ASSERT_TEXT, strcmp(want, "there") == 0 ? "as the old slot: %.110s" : "as the old slot: %.80s %.50s", clean, want);
	text_format(f->got, ASSERT_TEXT, strcmp(want, "there") == 0 ? "%.120s %.30s" : "%.0s%.120s", clean, got);
	return false;
}

bool facts_differ(const struct facts *was, const struct facts *now, const struct noise *noise, const struct compare_config *c,
		  char want[ASSERT_TEXT], char got[ASSERT_TEXT])
{
	struct first f = { noise, false, want, got };

	want[0] = got[0] = '\0';
	differences(was, now, c, take_first, &f);
	return f.found;
}
