/* SPDX-License-Identifier: MIT
 * story_html.c - a report as one page: no script, nothing from outside, light and dark, fit to be printed. */
#include <inttypes.h>
#include <string.h>

#include "switchd/core/story/story_parts.h"

static const char head[] =
	"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<style>\n"
	":root{--bg:#fff;--ink:#1c2024;--dim:#5b6470;--line:#d8dee4;--band:#d8dee4;--ok:#2f7d4f;--bad:#b3261e;--badbg:#f6d5d2;--warn:#8a6100;--warnbg:#f5e6c4;color-scheme:light dark}\n"
	"@media (prefers-color-scheme:dark){:root{--bg:#15181c;--ink:#e6e9ed;--dim:#9aa4b0;--line:#333a42;--band:#3a424c;--ok:#5fbf86;--bad:#ff8a80;--badbg:#4a2320;--warn:#e0b45c;--warnbg:#4a3c1a}}\n"
	"body{font:15px/1.5 system-ui,sans-serif;background:var(--bg);color:var(--ink);max-width:64rem;margin:0 auto;padding:1.5rem}\n"
	"h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid var(--line)}h3{font-size:1rem;margin-bottom:.3rem}\n"
	"table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}\n"
	"th{color:var(--dim);font-weight:600}td.t,td.n{white-space:nowrap}td.t{font-variant-numeric:tabular-nums}.dim{color:var(--dim)}\n"
	"dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.8rem;margin:1rem 0}dl div{border:1px solid var(--line);padding:.5rem .8rem}dt{color:var(--dim);font-size:.85rem}dd{margin:0;font-size:1.15rem}\n"
	".two{display:grid;grid-template-columns:1fr 1fr;gap:1rem}@media(max-width:40rem){.two{grid-template-columns:1fr}}pre{white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid var(--line);padding:.5rem;margin:.3rem 0;max-height:18rem;overflow:auto}\n"
	".missing{border-left:4px solid var(--warn);padding:.1rem 1rem}svg{width:100%;height:auto}@media print{body{max-width:none;padding:0}pre{max-height:none}}\n</style>\n<title>";

static void when(struct buf *out, int64_t at)
{
	char w[WALL_TEXT];

	buf_adds(out, at ? wall_text((wall_ms){ at }, w) : "-");
}

static void card(struct buf *out, const char *name, const json_t *ms, const char *none)
{
	char t[32];

	buf_addf(out, "<div><dt>%s</dt><dd>%s</dd></div>", name, json_is_integer(ms) ? story_span_text(json_integer_value(ms), t) : none);
}

static void top(const json_t *r, struct buf *out)
{
	const json_t *s = json_object_get(r, "summary"), *requests = json_object_get(s, "requests"), *missing = json_object_get(r, "missing"), *v;
	const char *name;
	size_t n = 0;

	buf_adds(out, head);
	story_escape(out, json_text(r, "service"));
	buf_adds(out, ": post-mortem</title></head><body>\n<h1>");
	story_escape(out, json_text(r, "service"));
	buf_adds(out, ": ");
	story_escape(out, json_text(s, "headline"));
	buf_adds(out, "</h1>\n<p class=\"dim\">");
	when(out, num(r, "from"));
	buf_adds(out, " to ");
	when(out, num(r, "to"));
	buf_adds(out, ". All times are UTC.</p>\n<dl>");
	card(out, "time to detect", json_object_get(s, "detect_ms"), "nothing detected");
	card(out, "time to recover", json_object_get(s, "recover_ms"), json_is_true(json_object_get(s, "open")) ? "not recovered" : "no move back");
	card(out, "users met it for", json_object_get(s, "users_ms"), "not at all");
	buf_adds(out, "<div><dt>requests, by the proxy</dt><dd>");
	if (!json_is_object(requests))
		buf_adds(out, "not known");
	json_object_foreach((json_t *)requests, name, v) {
		buf_adds(out, n++ ? ", " : "");
		story_escape(out, name);
		buf_addf(out, " %" PRId64, (int64_t)json_integer_value(v));
	}
	buf_adds(out, "</dd></div></dl>\n");
	if (json_array_size(missing))
		buf_adds(out, "<div class=\"missing\"><p><strong>What this report does not know</strong></p><ul>");
	json_array_foreach((json_t *)missing, n, v) {
		buf_adds(out, "<li>");
		story_escape(out, json_string_value(v) ? json_string_value(v) : "");
		buf_adds(out, "</li>");
	}
	if (json_array_size(missing))
		buf_adds(out, "</ul></div>\n");
}

static void outages(const json_t *r, struct buf *out)
{
	const json_t *all = json_object_get(r, "outages"), *o;
	char t[32];
	size_t i;

	buf_adds(out, "<h2>Outages, per feature and slot</h2>\n");
	if (!json_array_size(all)) {
		buf_adds(out, "<p>None on record.</p>\n");
		return;
	}
	buf_adds(out, "<table><thead><tr><th>feature<th>slot<th>release<th><th>from<th>to<th>lasted<th>while it served users</tr></thead><tbody>\n");
	json_array_foreach((json_t *)all, i, o) {
		buf_adds(out, "<tr><td>");
		story_escape(out, json_text(o, "feature"));
		buf_addf(out, "</td><td>%s</td><td>", json_text(o, "slot"));
		story_escape(out, json_text(o, "release"));
		buf_addf(out, "</td><td>%s</td><td class=\"t\">", json_text(o, "verdict"));
		when(out, num(o, "from"));
		buf_adds(out, "</td><td class=\"t\">");
		if (json_is_true(json_object_get(o, "open")))
			buf_adds(out, "still");
		else
			when(out, num(o, "to"));
		buf_addf(out, "</td><td class=\"t\">%s</td>", story_span_text(num(o, "ms"), t));
		buf_addf(out, "<td class=\"t\">%s</td></tr>\n", num(o, "users_ms") ? story_span_text(num(o, "users_ms"), t) : "never");
	}
	buf_adds(out, "</tbody></table>\n");
}

static void cause(const json_t *r, struct buf *out)
{
	const json_t *causes = json_object_get(r, "cause"), *c, *line;
	const char *feature;
	size_t i;

	if (json_object_size(causes))
		buf_adds(out, "<h2>Where it came from</h2>\n");
	json_object_foreach((json_t *)causes, feature, c) {
		buf_adds(out, "<p><strong>");
		story_escape(out, feature);
		buf_adds(out, "</strong>: ");
		story_escape(out, json_text(c, "text"));
		buf_adds(out, "</p>\n<ul>");
		json_array_foreach(json_object_get(c, "changed"), i, line) {
			buf_adds(out, "<li>");
			story_escape(out, json_text(line, "field"));
			buf_adds(out, ": ");
			story_escape(out, json_text(line, "from"));
			buf_adds(out, " &rarr; ");
			story_escape(out, json_text(line, "to"));
			buf_adds(out, "</li>");
		}
		buf_adds(out, "</ul>\n");
	}
}

static void facts(const json_t *r, struct buf *out)
{
	const json_t *all = json_object_get(r, "facts"), *f;
	size_t i;

	buf_adds(out, "<h2>Timeline</h2>\n<table><thead><tr><th>UTC<th>delta<th>who<th>what<th><th>known</tr></thead><tbody>\n");
	json_array_foreach((json_t *)all, i, f) {
		int64_t d = num(f, "delta_ms");

		buf_adds(out, "<tr><td class=\"t\">");
		when(out, num(f, "at"));
		buf_addf(out, "</td><td class=\"t\">+%" PRId64 ".%03" PRId64 "s</td><td class=\"n\">", d / 1000, d % 1000);
		story_escape(out, json_text(f, "by"));
		buf_adds(out, "</td><td class=\"n\">");
		story_escape(out, json_text(f, "kind"));
		buf_adds(out, "</td><td>");
		story_escape(out, json_text(f, "text"));
		buf_addf(out, "</td><td class=\"%s\">%s", json_text(f, "rule")[0] ? "" : "n", json_text(f, "how"));
		if (json_text(f, "rule")[0]) {
			buf_adds(out, ": <span class=\"dim\">");
			story_escape(out, json_text(f, "rule"));
			buf_adds(out, "</span>");
		}
		buf_adds(out, "</td></tr>\n");
	}
	buf_adds(out, "</tbody></table>\n");
}

static void side(struct buf *out, const char *slot, const char *what, const json_t *s)
{
	char t[32];

	buf_addf(out, "<div><strong>%s</strong> ", slot);
	if (!json_is_object(s)) {
		buf_adds(out, "no answer of this kind was kept</div>");
		return;
	}
	buf_addf(out, "%s <span class=\"dim\">", what);
	when(out, num(s, "at"));
	buf_addf(out, "</span><br>%" PRId64 " in %s<br>", num(s, "status"), story_span_text(num(s, "latency_us") / 1000, t));
	story_escape(out, json_text(s, "url"));
	if (json_text(s, "want")[0]) {
		buf_adds(out, "<br>wanted ");
		story_escape(out, json_text(s, "want"));
		buf_adds(out, "<br>got ");
		story_escape(out, json_text(s, "got"));
	}
	if (json_text(s, "body")[0]) {
		buf_adds(out, "<pre>");
		story_escape(out, json_text(s, "body"));
		buf_adds(out, "</pre>");
	}
	buf_adds(out, "</div>");
}

static void evidence(const json_t *r, struct buf *out)
{
	const json_t *all = json_object_get(r, "evidence"), *e;
	size_t i;

	if (json_array_size(all))
		buf_adds(out, "<h2>Evidence, both slots side by side</h2>\n");
	json_array_foreach((json_t *)all, i, e) {
		enum slot s;

		if (!slot_parse(json_text(e, "slot"), &s))
			continue;
		buf_adds(out, "<h3>");
		story_escape(out, json_text(e, "feature"));
		buf_adds(out, " <span class=\"dim\">");
		when(out, num(e, "at"));
		buf_adds(out, "</span></h3>\n<div class=\"two\">");
		side(out, slot_name(s), "absent", json_object_get(e, "here"));
		side(out, slot_name(other_slot(s)), "present", json_object_get(e, "there"));
		buf_adds(out, "</div>\n");
	}
}

static void list(const json_t *all, const char *title, const char *lead, struct buf *out)
{
	json_t *x;
	size_t i;

	if (!json_array_size(all))
		return;
	buf_addf(out, "<h2>%s</h2>\n<ul>", title);
	json_array_foreach((json_t *)all, i, x) {
		buf_addf(out, "<li>%s", lead);
		when(out, num(x, "at"));
		buf_adds(out, " ");
		story_escape(out, json_text(x, "by"));
		buf_adds(out, ": ");
		story_escape(out, json_text(x, "text"));
		buf_adds(out, "</li>");
	}
	buf_adds(out, "</ul>\n");
}

static void people(const json_t *r, struct buf *out)
{
	const json_t *green = json_object_get(r, "green"), *all = json_object_get(r, "people"), *x, *d;
	size_t i, n;

	if (json_array_size(green))
		buf_adds(out, "<h2>Probes that stayed green</h2>\n<p>");
	json_array_foreach((json_t *)green, i, x) {
		buf_adds(out, i ? ", " : "");
		story_escape(out, json_string_value(x) ? json_string_value(x) : "");
	}
	if (json_array_size(green))
		buf_adds(out, ". What these watch did not show the fault.</p>\n");
	if (json_array_size(all))
		buf_adds(out, "<h2>Who did what</h2>\n<ul>");
	json_array_foreach((json_t *)all, i, x) {
		buf_adds(out, "<li><strong>");
		story_escape(out, json_text(x, "by"));
		buf_adds(out, "</strong>");
		json_array_foreach(json_object_get(x, "did"), n, d) {
			buf_adds(out, "<br><span class=\"dim\">");
			when(out, num(d, "at"));
			buf_adds(out, "</span> ");
			story_escape(out, json_text(d, "kind"));
			buf_adds(out, " ");
			story_escape(out, json_text(d, "detail"));
		}
		buf_adds(out, "</li>");
	}
	if (json_array_size(all))
		buf_adds(out, "</ul>\n");
}

void story_html(const json_t *r, struct buf *out)
{
	top(r, out);
	story_svg(r, out);
	outages(r, out);
	cause(r, out);
	facts(r, out);
	evidence(r, out);
	people(r, out);
	list(json_object_get(r, "counterfactual"), "Had it been enforced", "it would have flipped back at ", out);
	list(json_object_get(r, "notes"), "Notes", "", out);
	buf_adds(out, "</body></html>\n");
}
