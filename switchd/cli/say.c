/* SPDX-License-Identifier: MIT
 * say.c - complaints, errors, the one JSON object, tables.  Tables by libsmartcols.
 *
 * Slots are named, never coloured; colour is for verdicts, beside a word and a glyph. */
#include <ctype.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"

const char *jstr(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

int64_t jint(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }
bool jbool(const json_t *o, const char *key) { return json_is_true(json_object_get(o, key)); }

const char *ink(const struct cli *c, enum ink i)
{
	static const char *const codes[] = { "\033[0m", "\033[1m", "\033[31m", "\033[32m", "\033[33m" };

	return c->color ? codes[i] : "";
}

const char *mark(const struct cli *c, const char *verdict)
{
	if (strcmp(verdict, "present") == 0)
		return c->utf8 ? "\xe2\x9c\x93" : "ok";
	if (strcmp(verdict, "unknown") == 0)
		return "?";
	return c->utf8 ? "\xe2\x9c\x97" : "x";
}

const char *us_text(int64_t us, char out[32])
{
	if (us >= 10000000)
		text_format(out, 32, "%lld.%llds", (long long)(us / 1000000), (long long)(us % 1000000 / 100000));
	else
		text_format(out, 32, "%lld.%lldms", (long long)(us / 1000), (long long)(us % 1000 / 100));
	return out;
}

/* ---- stdout for programs ---- */

void say_json(struct cli *c, const json_t *j)
{
	c->json_said = true;
	json_dumpf(j, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	putchar('\n');
}

const char *outcome_word(int ex)
{
	static const struct { int code; const char *word; } words[] = {
		{ EX_DONE, "done" }, { EX_INTERNAL, "failed" }, { EX_USAGE_ERROR, "usage" }, { EX_REFUSED, "refused" }, { EX_ROLLED_BACK, "rolled-back" },
		{ EX_HUMAN, "human-needed" }, { EX_UNKNOWN, "unknown" }, { EX_HELD, "held" }, { EX_EPOCH, "epoch-changed" },
		{ EX_UNREACHABLE, "unreachable" }, { EX_DETACHED, "detached" },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (words[i].code == ex)
			return words[i].word;
	return "failed";
}

void say_end(struct cli *c, int ex)
{
	char safe[600];
	json_t *o;

	if (c->output != FMT_JSON || c->json_said)
		return;
	text_printable(safe, sizeof(safe), c->trouble, strlen(c->trouble));
	o = json_pack("{s:s,s:s,s:i}", "outcome", outcome_word(ex), "detail", safe, "exit", ex);
	say_json(c, o);
	json_decref(o);
}

/* ---- stderr for people ---- */

void complain(struct cli *c, const char *fmt, ...)
{
	char text[1400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!c->trouble[0])
		TEXT_COPY(c->trouble, text);
	fprintf(stderr, "switchctl: %s\n", text);
}

void hint(struct cli *c, const char *label, const char *fmt, ...)
{
	va_list ap;

	(void)c;
	fprintf(stderr, "  %-7s ", label);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int say_unreachable(struct cli *c, const struct answer *a)
{
	const char *service = c->service[0] ? c->service : "SERVICE";

	if (a->sent) {
		complain(c, "%s%sno answer came: unknown whether it was done: %s", c->service, c->service[0] ? ": " : "", a->error);
		hint(c, "now", "unknown; it is done once, however often it is asked with this id");
		hint(c, "next", "the same command with --request-id %s", client_rid(c));
		return EX_UNKNOWN;
	}
	complain(c, "switchd cannot be reached: %s", a->error);
	hint(c, "now", "unknown from here; the proxies keep the slot they have while switchd is away");
	hint(c, "next", "systemctl status switchd   |   switchctl active %s   |   switchctl --direct proxy pin %s SLOT", service, service);
	return EX_UNREACHABLE;
}

static void say_lost(const json_t *problem)
{
	size_t i;
	json_t *l;

	json_array_foreach(json_object_get(problem, "lost"), i, l) {
		const char *slot = jstr(l, "slot"), *detail = jstr(l, "detail"), *verdict = jstr(l, "verdict");

		fprintf(stderr, "  %-7s %s on %s: %s%s%s is %s\n", jstr(l, "feature"), verdict, slot,
			detail[0] ? detail : strcmp(verdict, "unknown") == 0 ? "not seen often enough yet" : jstr(l, "path"), "; ",
			strcmp(slot, "blue") == 0 ? "green" : "blue", jstr(l, "other"));
	}
}

static int exit_of_status(long status)
{
	return status == 401 || status == 403 || status == 429 ? EX_REFUSED : status >= 500 ? EX_UNREACHABLE : status >= 400 && status < 500 ? EX_USAGE_ERROR
																	    : EX_INTERNAL;
}

int say_error(struct cli *c, const char *what, const struct answer *a)
{
	const json_t *p = a->json;
	char title[200];

	if (!json_is_object(p) || !jstr(p, "title")[0]) {
		complain(c, "%s: HTTP %ld, and not an answer of switchd", what, a->status);
		hint(c, "next", "is this switchd? --url %s", c->url);
		return EX_INTERNAL;
	}
	int ex = json_is_integer(json_object_get(p, "exit")) ? (int)jint(p, "exit") : exit_of_status(a->status);
	const char *detail = jstr(p, "detail");
	size_t n;

	TEXT_COPY(title, jstr(p, "title"));
	n = strlen(title);
	if (n && title[n - 1] == '.')
		title[n - 1] = '\0';
	if (n > 1 && title[1] >= 'a' && title[1] <= 'z')
		title[0] = (char)tolower((unsigned char)title[0]);
	else if (n > 1 && title[0] == 'A' && title[1] == ' ')
		title[0] = 'a';
	/* The features follow one a line: not all of them once more. */
	if (json_array_size(json_object_get(p, "lost")) > 1)
		detail = "";
	complain(c, "%s: %s%s%s", what, title, detail[0] ? ": " : "", detail);
	say_lost(p);
	say_gates(c, json_object_get(p, "gates"), stderr);
	const char *active = jstr(p, "active"), *moved = jbool(p, "moved") ? "traffic moved" : "nothing moved";

	if (strcmp(active, "none") == 0)
		hint(c, "now", "no slot is known to serve; %s", moved);
	else if (active[0])
		hint(c, "now", "%s%s%s serves, epoch %lld; %s", active, jstr(p, "release")[0] ? " " : "", jstr(p, "release"), (long long)jint(p, "epoch"), moved);
	if (jstr(p, "next")[0])
		hint(c, "next", "%s", jstr(p, "next"));
	if (c->output == FMT_JSON)
		say_json(c, p);
	return ex;
}

int say_failed(struct cli *c, const char *what, const struct answer *a) { return a->reached ? say_error(c, what, a) : say_unreachable(c, a); }

/* ---- tables ---- */

struct table table_new(const struct cli *c, const char *const *names, size_t n)
{
	struct table t = { scols_new_table(), n };

	must(t.t != NULL);
	scols_table_enable_colors(t.t, c->color);
	scols_table_enable_ascii(t.t, !c->utf8);
	for (size_t i = 0; i < n; i++)
		must(scols_table_new_column(t.t, names[i], 0, 0) != NULL);
	return t;
}

void table_row(struct table *t, const char *const *cells, const char *colour, size_t coloured)
{
	struct libscols_line *l = scols_table_new_line(t->t, NULL);

	must(l != NULL);
	for (size_t i = 0; i < t->cols; i++) {
		scols_line_set_data(l, i, cells[i]);
		if (colour && i == coloured)
			scols_cell_set_color(scols_line_get_cell(l, i), colour);
	}
}

void table_print(struct table *t)
{
	scols_print_table(t->t);
	scols_unref_table(t->t);
}
