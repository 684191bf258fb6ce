/* SPDX-License-Identifier: MIT
 * report_text.c - a report for people: a dozen lines, the answer last. */
#include <string.h>

#include "switchd/core/story/report.h"
#include "switchd/core/json_text.h"

static long long num(const json_t *o, const char *key) { return (long long)json_integer_value(json_object_get(o, key)); }

/* One labelled line, in either form. */
struct printer { struct buf *out; bool md; };

static void PRINTF(3, 4) line(struct printer *p, const char *label, const char *fmt, ...)
{
	char text[900], safe[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_printable(safe, sizeof(safe), text, strlen(text));
	if (!p->md) {
		buf_addf(p->out, "  %-12s %s\n", label, safe);
		return;
	}
	buf_addf(p->out, "| %s | ", label);
	for (const char *c = safe; *c; c++) {
		if (strchr("\\|`*_<[", *c))
			buf_adds(p->out, "\\");
		buf_add(p->out, c, 1);
	}
	buf_adds(p->out, " |\n");
}

static const char *many(long long n, const char *one, const char *more) { return n == 1 ? one : more; }

static void counts(struct printer *p, const json_t *r)
{
	const json_t *n = json_object_get(r, "counts");
	bool observe = strcmp(json_text(r, "mode"), "observe") == 0;

	line(p, "deploys", "%lld: %lld baked, %lld refused, %lld rolled back, %lld aborted or expired; %lld claims or orders refused by a gate",
	     num(n, "deploys"), num(n, "baked"), num(n, "refused"), num(n, "rolled_back"), num(n, "aborted") + num(n, "expired"), num(n, "orders_refused"));
	if (observe || num(n, "would_flip") || num(n, "would_refuse") || num(n, "would_roll_back"))
		line(p, "would have", "flipped %lld, refused %lld, rolled back %lld", num(n, "would_flip"), num(n, "would_refuse"), num(n, "would_roll_back"));
	line(p, "moves", "%lld %s; %lld %s by switchd, %lld by people; %lld %s undone because a proxy did not follow", num(n, "flips"),
	     many(num(n, "flips"), "flip", "flips"), num(n, "rolled_back"), many(num(n, "rolled_back"), "rollback", "rollbacks"),
	     num(n, "rolled_back_by_people"), num(n, "flips_undone"), many(num(n, "flips_undone"), "flip", "flips"));
	if (num(n, "late_broken") || num(n, "offered") || num(n, "human_needed"))
		line(p, "alarms", "%lld broke late, %lld offered a flip, %lld needed a human", num(n, "late_broken"), num(n, "offered"), num(n, "human_needed"));
}

static void wrong(struct printer *p, const json_t *r)
{
	const json_t *w = json_object_get(r, "wrong");
	char at[WALL_TEXT], after[AGE_TEXT];
	size_t i;
	json_t *x;

	line(p, "wrong", "%lld", num(w, "count"));
	json_array_foreach(json_object_get(w, "list"), i, x)
		line(p, "", "%s %s of %s (%s): %s%s%s after %s%s%s", wall_text((wall_ms){ num(x, "at") }, at), json_text(x, "kind"), json_text(x, "release"), json_text(x, "what"),
		     json_text(x, "how"), json_text(x, "by")[0] ? ", by " : "", json_text(x, "by"), age_text(num(x, "after_ms"), after), json_text(x, "text")[0] ? ": " : "", json_text(x, "text"));
}

static void watched(struct printer *p, const json_t *r)
{
	const json_t *w = json_object_get(r, "watched");
	char ms[AGE_TEXT], of[AGE_TEXT], from[WALL_TEXT];
	size_t i;
	json_t *g;

	line(p, "watched", "%s of %s%s", age_text(num(w, "ms"), ms), age_text(num(w, "of_ms"), of), json_array_size(json_object_get(w, "gaps")) ? "; not watched:" : "");
	json_array_foreach(json_object_get(w, "gaps"), i, g)
		line(p, "", "from %s for %s: %s", wall_text((wall_ms){ num(g, "from") }, from), age_text(num(g, "to") - num(g, "from"), ms), json_text(g, "why"));
}

static void rest(struct printer *p, const json_t *r)
{
	const json_t *f = json_object_get(r, "flappiest"), *drill = json_object_get(r, "last_drill");
	char at[WALL_TEXT];

	if (json_is_object(f))
		line(p, "flappiest", "%s on %s: %lld of %lld answers absent since %s, never lost (all < fall)", json_text(f, "feature"), json_text(f, "slot"),
		     num(f, "absents"), num(f, "probes"), wall_text((wall_ms){ num(r, "counted_since") }, at));
	else
		line(p, "flappiest", "none: no feature was absent for a moment only, since %s", wall_text((wall_ms){ num(r, "counted_since") }, at));
	if (json_is_object(drill))
		line(p, "last drill", "%s by %s: %s", wall_text((wall_ms){ num(drill, "at") }, at), json_text(drill, "by"), json_text(drill, "detail"));
	else if (strcmp(json_text(r, "mode"), "observe") != 0)
		line(p, "last drill", "none in this time; switchctl drill %s flips there and back and measures", json_text(r, "service"));
}

static void ready(struct printer *p, const json_t *r)
{
	const json_t *y = json_object_get(r, "ready"), *why = json_object_get(y, "why");
	bool enforced = strcmp(json_text(r, "mode"), "enforce") == 0;
	size_t i;
	json_t *x;

	if (json_is_true(json_object_get(y, "yes"))) {
		line(p, enforced ? "enforced" : "ready", "%s", enforced ? "yes, and nothing here speaks against it" : "yes: set mode: enforce");
		return;
	}
	line(p, enforced ? "enforced" : "ready", "%s", enforced ? "yes; what speaks against it:" : "NO, not yet to be enforced:");
	json_array_foreach(why, i, x)
		line(p, "", "%s", json_string_value(x));
}

void report_print(const json_t *r, bool md, struct buf *out)
{
	struct printer p = { out, md };
	char from[WALL_TEXT], to[WALL_TEXT];

	buf_addf(out, md ? "# %s: %s to %s, mode %s\n\n| | |\n|---|---|\n" : "%s  %s to %s, mode %s\n", json_text(r, "service"),
		 wall_text((wall_ms){ num(r, "from") }, from), wall_text((wall_ms){ num(r, "to") }, to), json_text(r, "mode"));
	if (json_is_false(json_object_get(r, "complete")))
		line(&p, "incomplete", "the archive holds more than fits in one report, or could not be read: the oldest events are left out");
	watched(&p, r);
	counts(&p, r);
	wrong(&p, r);
	rest(&p, r);
	ready(&p, r);
}
