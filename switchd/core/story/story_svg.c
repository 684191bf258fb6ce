/* SPDX-License-Identifier: MIT
 * story_svg.c - the picture of an incident: one row per feature and slot over time, the slot that served, the moves.
 *
 * Nothing is told by colour alone: absent is a filled block with a cross pattern and its word, partial is striped,
 * unknown is an empty outline, present a thin line.  Colours are CSS variables of the page (story_html.c), with
 * values of their own where the picture stands alone. */
#include <inttypes.h>
#include <string.h>

#include "switchd/core/story/story_parts.h"

enum { WIDTH = 1000, LEFT = 210, RIGHT = 20, TOP = 64, ROW = 22, BAND = 18, MAX_ROWS = 80, TICKS = 5, LABEL_APART = 74 };

struct page { struct buf *out; int64_t from, to; int height; };

void story_escape(struct buf *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '<')
			buf_adds(out, "&lt;");
		else if (c == '>')
			buf_adds(out, "&gt;");
		else if (c == '&')
			buf_adds(out, "&amp;");
		else if (c == '"')
			buf_adds(out, "&quot;");
		else if (c == '\'')
			buf_adds(out, "&#39;");
		else if (c < 0x20 && c != '\n' && c != '\t')
			buf_adds(out, "?"); /* XML has no such characters */
		else
			buf_add(out, s, 1);
	}
}

static double at_x(const struct page *p, int64_t at)
{
	double w = WIDTH - LEFT - RIGHT;

	if (at < p->from)
		at = p->from;
	if (at > p->to)
		at = p->to;
	return p->to > p->from ? LEFT + w * (double)(at - p->from) / (double)(p->to - p->from) : LEFT;
}

/* At least two units wide, so that 100 ms of seven hours is still seen. */
static void block(const struct page *p, int64_t from, int64_t to, int y, int h, const char *class, const char *label, const char *title)
{
	double x = at_x(p, from), w = at_x(p, to) - x;

	if (w < 2)
		w = 2;
	if (x + w > WIDTH - RIGHT)
		x = WIDTH - RIGHT - w;
	buf_addf(p->out, "<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"><title>", class, x, y, w, h);
	story_escape(p->out, title);
	buf_adds(p->out, "</title></rect>");
	if (label[0] && w > 7.0 * (double)strlen(label) + 6) {
		buf_addf(p->out, "<text class=\"in %s-t\" x=\"%.1f\" y=\"%d\">", class, x + 4, y + h - 4);
		story_escape(p->out, label);
		buf_adds(p->out, "</text>");
	}
	buf_adds(p->out, "\n");
}

static const char style[] =
	"<style>.svgbox text{font:12px system-ui,sans-serif;fill:var(--ink,#1c2024)}.svgbox .dim{fill:var(--dim,#5b6470)}.svgbox .in{font-size:11px}"
	".svgbox .present{fill:var(--ok,#2f7d4f)}.svgbox .absent{fill:url(#cross);stroke:var(--bad,#b3261e)}.svgbox .partial{fill:url(#stripe);stroke:var(--warn,#8a6100)}"
	".svgbox .unknown{fill:none;stroke:var(--dim,#5b6470);stroke-dasharray:3 2}.svgbox .absent-t{font-weight:700;paint-order:stroke;stroke:var(--bg,#fff);stroke-width:3px}"
	".svgbox .blue{fill:none;stroke:var(--ink,#1c2024)}.svgbox .green{fill:var(--band,#d8dee4);stroke:var(--ink,#1c2024)}"
	".svgbox .none{fill:none;stroke:var(--dim,#5b6470);stroke-dasharray:2 2}.svgbox .move{stroke:var(--ink,#1c2024);stroke-dasharray:4 3}"
	".svgbox .grid{stroke:var(--line,#d8dee4)}</style>"
	"<defs><pattern id=\"cross\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect width=\"6\" height=\"6\" fill=\"var(--badbg,#f6d5d2)\"/>"
	"<path d=\"M0 0L6 6M6 0L0 6\" stroke=\"var(--bad,#b3261e)\" stroke-width=\"1\"/></pattern>"
	"<pattern id=\"stripe\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect width=\"6\" height=\"6\" fill=\"var(--warnbg,#f5e6c4)\"/>"
	"<path d=\"M0 6L6 0\" stroke=\"var(--warn,#8a6100)\" stroke-width=\"1.5\"/></pattern></defs>\n";

static void axis(const struct page *p)
{
	int64_t span = p->to - p->from;

	for (int i = 0; i <= TICKS; i++) {
		int64_t at = p->from + span * i / TICKS;
		char w[WALL_TEXT], t[16];
		double x = at_x(p, at);

		wall_text((wall_ms){ at }, w); /* 2026-11-22T03:12:07.304Z */
		text_copy_n(t, sizeof(t), w + 11, span < 60000 ? 12 : 8);
		buf_addf(p->out, "<path class=\"grid\" d=\"M%.1f %dV%d\"/><text class=\"dim\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>\n", x, TOP - 6,
			 p->height - 22, x, p->height - 6, i == 0 ? "start" : i == TICKS ? "end" : "middle", t);
	}
}

/* Labels that would stand on one another go to the next of three lines; what has no room keeps its title. */
static void marks(const struct page *p, const json_t *all)
{
	double last[3] = { -1e9, -1e9, -1e9 };
	json_t *m;
	size_t i;

	json_array_foreach((json_t *)all, i, m) {
		double x = at_x(p, num(m, "at"));
		bool move = strcmp(json_text(m, "kind"), "flip.decided") == 0 || strcmp(json_text(m, "kind"), "rollback.decided") == 0 ||
			    strcmp(json_text(m, "kind"), "pin.adopted") == 0;
		int line = 0;
		char label[64], w[WALL_TEXT];

		text_format(label, sizeof(label), "%s%s%s", move ? "> " : json_text(m, "kind"), move ? json_text(m, "text") : "", "");
		if (strcmp(json_text(m, "kind"), "rollback.decided") == 0)
			text_format(label, sizeof(label), "< back to %s", json_text(m, "text"));
		while (line < 3 && x - last[line] < LABEL_APART + 3.0 * (double)strlen(label))
			line++;
		buf_addf(p->out, "<path class=\"move\" d=\"M%.1f %dV%d\"><title>%s ", x, TOP - 8, p->height - 22, wall_text((wall_ms){ num(m, "at") }, w));
		story_escape(p->out, json_text(m, "kind"));
		buf_adds(p->out, " ");
		story_escape(p->out, json_text(m, "text"));
		buf_adds(p->out, "</title></path>");
		if (line < 3) {
			bool late = x > WIDTH - RIGHT - 7.0 * (double)strlen(label);

			last[line] = x;
			buf_addf(p->out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">", x, 14 + 14 * line, late ? "end" : "start");
			story_escape(p->out, label);
			buf_adds(p->out, "</text>");
		}
		buf_adds(p->out, "\n");
	}
}

static void title_of(const json_t *s, const char *what, const char *word, char *out, size_t size)
{
	char a[WALL_TEXT], b[WALL_TEXT], t[32];

	text_format(out, size, "%s %s %s to %s (%s)%s%s", what, word, wall_text((wall_ms){ num(s, "from") }, a), wall_text((wall_ms){ num(s, "to") }, b),
		    story_span_text(num(s, "to") - num(s, "from"), t), json_text(s, "release")[0] ? " release " : "", json_text(s, "release"));
}

static void rows(const struct page *p, const json_t *all, size_t n)
{
	char what[160], title[400];
	json_t *s;
	size_t k;

	for (size_t i = 0; i < n; i++) {
		const json_t *r = json_array_get(all, i);
		int y = TOP + BAND + 10 + (int)i * ROW;

		text_format(what, sizeof(what), "%.22s%s %s", json_text(r, "feature"), strlen(json_text(r, "feature")) > 22 ? "~" : "", json_text(r, "slot"));
		buf_addf(p->out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", LEFT - 8, y + ROW - 8);
		story_escape(p->out, what);
		buf_adds(p->out, "</text>");
		json_array_foreach(json_object_get(r, "spans"), k, s) {
			bool present = strcmp(json_text(s, "verdict"), "present") == 0;

			text_format(what, sizeof(what), "%s on %s:", json_text(r, "feature"), json_text(r, "slot"));
			title_of(s, what, json_text(s, "verdict"), title, sizeof(title));
			if (present)
				block(p, num(s, "from"), num(s, "to"), y + 8, 4, "present", "", title);
			else
				block(p, num(s, "from"), num(s, "to"), y + 2, ROW - 6, json_text(s, "verdict"), json_text(s, "verdict"), title);
		}
	}
}

void story_svg(const json_t *report, struct buf *out)
{
	const json_t *pic = json_object_get(report, "picture"), *all = json_object_get(pic, "rows");
	size_t n = json_array_size(all) < MAX_ROWS ? json_array_size(all) : MAX_ROWS, i;
	struct page p = { .out = out, .from = num(report, "from"), .to = num(report, "to"), .height = TOP + BAND + 10 + (int)n * ROW + 34 };
	char title[400];
	json_t *s;

	buf_addf(out, "<svg class=\"svgbox\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, p.height);
	story_escape(out, json_text(json_object_get(report, "summary"), "headline"));
	buf_adds(out, "\">\n");
	buf_adds(out, style);
	axis(&p);
	buf_addf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">served users</text>", LEFT - 8, TOP + BAND - 5);
	json_array_foreach(json_object_get(pic, "served"), i, s) {
		title_of(s, json_text(s, "slot"), "served", title, sizeof(title));
		block(&p, num(s, "from"), num(s, "to"), TOP, BAND, json_text(s, "slot"), json_text(s, "slot"), title);
	}
	rows(&p, all, n);
	marks(&p, json_object_get(pic, "marks"));
	if (json_array_size(all) > n)
		buf_addf(out, "<text class=\"dim\" x=\"%d\" y=\"%d\">%zu more rows are in the table</text>\n", LEFT, p.height - 22, json_array_size(all) - n);
	buf_adds(out, "</svg>\n");
}
