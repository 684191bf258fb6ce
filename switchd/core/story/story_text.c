/* SPDX-License-Identifier: MIT
 * story_text.c - a report as Markdown that a person would sign, and as CSV for a spreadsheet. */
#include <inttypes.h>
#include <string.h>

#include "switchd/core/story/story.h"
#include "switchd/core/story/story_parts.h"

/* 105 ms, 2.31 s, 4 min 05 s, 2 h 30 min: as one says it. */
const char *story_span_text(int64_t ms, char out[32])
{
	if (ms < 1000)
		text_format(out, 32, "%" PRId64 " ms", ms);
	else if (ms < 60000)
		text_format(out, 32, "%" PRId64 ".%02" PRId64 " s", ms / 1000, ms % 1000 / 10);
	else if (ms < 3600000)
		text_format(out, 32, "%" PRId64 " min %02" PRId64 " s", ms / 60000, ms / 1000 % 60);
	else
		text_format(out, 32, "%" PRId64 " h %02" PRId64 " min", ms / 3600000, ms / 60000 % 60);
	return out;
}

/* What came from outside stands in the text as text: no line of it, no bar and no mark may form the page. */
static void plain(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '\n' || *s == '\r')
			buf_adds(out, " ");
		else if (strchr("\\`*_[]<>|#", *s))
			buf_addf(out, "\\%c", *s);
		else
			buf_add(out, s, 1);
	}
}

static void when(struct buf *out, int64_t at)
{
	char w[WALL_TEXT];

	buf_adds(out, at ? wall_text((wall_ms){ at }, w) : "-");
}

static void span_row(struct buf *out, const char *name, const json_t *ms, const char *none)
{
	char t[32];

	buf_addf(out, "| %s | %s |\n", name, json_is_integer(ms) ? story_span_text(json_integer_value(ms), t) : none);
}

static void md_head(const json_t *r, struct buf *out)
{
	const json_t *s = json_object_get(r, "summary"), *requests = json_object_get(s, "requests"), *v;
	const char *name;

	buf_adds(out, "# ");
	plain(out, json_text(r, "service"));
	buf_adds(out, ": ");
	plain(out, json_text(s, "headline"));
	buf_adds(out, "\n\nAll times are UTC. From ");
	when(out, num(r, "from"));
	buf_adds(out, " to ");
	when(out, num(r, "to"));
	buf_adds(out, ".\n\n| | |\n|---|---|\n| first bad for users | ");
	when(out, num(s, "first_bad"));
	buf_adds(out, " |\n");
	span_row(out, "time to detect", json_object_get(s, "detect_ms"), "nothing was detected");
	span_row(out, "time to recover", json_object_get(s, "recover_ms"), json_is_true(json_object_get(s, "open")) ? "not recovered" : "no move back");
	span_row(out, "users met it for", json_object_get(s, "users_ms"), "not at all");
	if (json_is_object(requests)) {
		buf_adds(out, "| requests, by the proxy's counters |");
		size_t n = 0;
		json_object_foreach((json_t *)requests, name, v) {
			buf_addf(out, "%s %s %" PRId64, n++ ? "," : "", name, (int64_t)json_integer_value(v));
		}
		buf_adds(out, " |\n");
	} else {
		buf_adds(out, "| requests wrong | not known: no proxy was read in this span |\n");
	}
}

static void md_missing(const json_t *r, struct buf *out)
{
	const json_t *all = json_object_get(r, "missing"), *m;
	size_t i;

	if (json_array_size(all))
		buf_adds(out, "\n**What this report does not know**\n\n");
	json_array_foreach((json_t *)all, i, m) {
		buf_adds(out, "- ");
		plain(out, json_string_value(m) ? json_string_value(m) : "");
		buf_adds(out, "\n");
	}
}

static void md_outages(const json_t *r, struct buf *out)
{
	const json_t *all = json_object_get(r, "outages"), *o;
	char t[32], u[32];
	size_t i;

	buf_adds(out, "\n## Outages, per feature and slot\n\n");
	if (!json_array_size(all)) {
		buf_adds(out, "None on record.\n");
		return;
	}
	buf_adds(out, "| feature | slot | release | | from | to | lasted | while users were served by it |\n|---|---|---|---|---|---|---|---|\n");
	json_array_foreach((json_t *)all, i, o) {
		buf_addf(out, "| %s | %s | ", json_text(o, "feature"), json_text(o, "slot"));
		plain(out, json_text(o, "release"));
		buf_addf(out, " | %s | ", json_text(o, "verdict"));
		when(out, num(o, "from"));
		buf_adds(out, " | ");
		if (json_is_true(json_object_get(o, "open")))
			buf_adds(out, "still");
		else
			when(out, num(o, "to"));
		buf_addf(out, " | %s | %s |\n", story_span_text(num(o, "ms"), t), num(o, "users_ms") ? story_span_text(num(o, "users_ms"), u) : "never");
	}
}

static void md_facts(const json_t *r, struct buf *out)
{
	const json_t *all = json_object_get(r, "facts"), *f;
	bool inferred = false;
	size_t i;

	buf_adds(out, "\n## Timeline\n\n| UTC | delta | who | what | | known |\n|---|---|---|---|---|---|\n");
	json_array_foreach((json_t *)all, i, f) {
		int64_t d = num(f, "delta_ms");

		buf_adds(out, "| ");
		when(out, num(f, "at"));
		buf_addf(out, " | +%" PRId64 ".%03" PRId64 "s | ", d / 1000, d % 1000);
		plain(out, json_text(f, "by"));
		buf_addf(out, " | %s | ", json_text(f, "kind"));
		plain(out, json_text(f, "text"));
		buf_addf(out, " | %s%s |\n", json_text(f, "how"), json_text(f, "rule")[0] ? " \\*" : "");
		inferred |= json_text(f, "rule")[0] != '\0';
	}
	if (!inferred)
		return;
	buf_adds(out, "\n\\* inferred:\n");
	const char *said = "";
	json_array_foreach((json_t *)all, i, f) {
		if (!json_text(f, "rule")[0] || strcmp(said, json_text(f, "rule")) == 0)
			continue;
		said = json_text(f, "rule");
		buf_adds(out, "- ");
		plain(out, said);
		buf_adds(out, "\n");
	}
}

static void md_cause(const json_t *r, struct buf *out)
{
	const json_t *causes = json_object_get(r, "cause"), *c, *line;
	const char *feature;
	size_t i;

	if (!json_object_size(causes))
		return;
	buf_adds(out, "\n## Where it came from\n");
	json_object_foreach((json_t *)causes, feature, c) {
		buf_addf(out, "\n**%s**: ", feature);
		plain(out, json_text(c, "text"));
		buf_adds(out, "\n");
		json_array_foreach(json_object_get(c, "changed"), i, line) {
			buf_adds(out, "- ");
			plain(out, json_text(line, "field"));
			buf_adds(out, ": ");
			plain(out, json_text(line, "from"));
			buf_adds(out, " -> ");
			plain(out, json_text(line, "to"));
			buf_adds(out, "\n");
		}
	}
}

static void md_side(struct buf *out, const char *slot, const char *what, const json_t *side)
{
	char t[32];

	if (!json_is_object(side)) {
		buf_addf(out, "- %s: no answer of this kind was kept\n", slot);
		return;
	}
	buf_addf(out, "- %s, %s ", slot, what);
	when(out, num(side, "at"));
	buf_addf(out, ": %" PRId64 " in %s, ", num(side, "status"), story_span_text(num(side, "latency_us") / 1000, t));
	plain(out, json_text(side, "url"));
	if (json_text(side, "want")[0]) {
		buf_adds(out, "; wanted ");
		plain(out, json_text(side, "want"));
		buf_adds(out, ", got ");
		plain(out, json_text(side, "got"));
	}
	buf_adds(out, "\n");
	if (json_text(side, "body")[0]) {
		buf_adds(out, "  - body: ");
		plain(out, json_text(side, "body"));
		buf_adds(out, "\n");
	}
}

static void md_evidence(const json_t *r, struct buf *out)
{
	const json_t *all = json_object_get(r, "evidence"), *e;
	size_t i;

	if (json_array_size(all))
		buf_adds(out, "\n## Evidence, both slots side by side\n");
	json_array_foreach((json_t *)all, i, e) {
		enum slot s = BLUE;

		buf_adds(out, "\n### ");
		plain(out, json_text(e, "feature"));
		buf_adds(out, " at ");
		when(out, num(e, "at"));
		buf_adds(out, "\n");
		if (slot_parse(json_text(e, "slot"), &s)) {
			md_side(out, slot_name(s), "absent", json_object_get(e, "here"));
			md_side(out, slot_name(other_slot(s)), "present", json_object_get(e, "there"));
		}
	}
}

static void md_people(const json_t *r, struct buf *out)
{
	const json_t *green = json_object_get(r, "green"), *people = json_object_get(r, "people"), *notes = json_object_get(r, "notes");
	const json_t *would = json_object_get(r, "counterfactual"), *x, *d;
	size_t i, n;

	if (json_array_size(green)) {
		buf_adds(out, "\n## Probes that stayed green\n\n");
		json_array_foreach((json_t *)green, i, x)
			buf_addf(out, "%s%s", i ? ", " : "", json_string_value(x) ? json_string_value(x) : "");
		buf_adds(out, ". What these watch did not show the fault.\n");
	}
	if (json_array_size(people))
		buf_adds(out, "\n## Who did what\n\n");
	json_array_foreach((json_t *)people, i, x) {
		buf_adds(out, "- ");
		plain(out, json_text(x, "by"));
		buf_adds(out, ":");
		json_array_foreach(json_object_get(x, "did"), n, d) {
			buf_addf(out, "%s %s", n ? ";" : "", json_text(d, "kind"));
			if (json_text(d, "detail")[0]) {
				buf_adds(out, " (");
				plain(out, json_text(d, "detail"));
				buf_adds(out, ")");
			}
		}
		buf_adds(out, "\n");
	}
	if (json_array_size(would))
		buf_adds(out, "\n## Had it been enforced\n\n");
	json_array_foreach((json_t *)would, i, x) {
		buf_adds(out, "- enforced, it would have flipped back at ");
		when(out, num(x, "at"));
		buf_adds(out, ": ");
		plain(out, json_text(x, "text"));
		buf_adds(out, "\n");
	}
	if (json_array_size(notes))
		buf_adds(out, "\n## Notes\n\n");
	json_array_foreach((json_t *)notes, i, x) {
		buf_adds(out, "- ");
		when(out, num(x, "at"));
		buf_adds(out, " ");
		plain(out, json_text(x, "by"));
		buf_adds(out, ": ");
		plain(out, json_text(x, "text"));
		buf_adds(out, "\n");
	}
}

void story_md(const json_t *r, struct buf *out)
{
	md_head(r, out);
	md_missing(r, out);
	md_outages(r, out);
	md_cause(r, out);
	md_facts(r, out);
	md_evidence(r, out);
	md_people(r, out);
}

/* A cell that begins as a formula would be run by a spreadsheet: it gets an apostrophe. */
static void cell(struct buf *out, const char *s, bool last)
{
	buf_adds(out, "\"");
	if (*s && strchr("=+-@\t", *s))
		buf_adds(out, "'");
	for (; *s; s++)
		buf_addf(out, *s == '"' ? "\"\"" : "%c", *s);
	buf_adds(out, last ? "\"\r\n" : "\",");
}

void story_csv(const json_t *r, struct buf *out)
{
	const json_t *all = json_object_get(r, "facts"), *f;
	size_t i;

	buf_adds(out, "at,delta_ms,by,kind,text,known,rule,epoch,release\r\n");
	json_array_foreach((json_t *)all, i, f) {
		when(out, num(f, "at"));
		buf_addf(out, ",%" PRId64 ",", num(f, "delta_ms"));
		cell(out, json_text(f, "by"), false);
		cell(out, json_text(f, "kind"), false);
		cell(out, json_text(f, "text"), false);
		cell(out, json_text(f, "how"), false);
		cell(out, json_text(f, "rule"), false);
		buf_addf(out, "%" PRId64 ",", num(f, "epoch"));
		cell(out, json_text(f, "release"), true);
	}
}
