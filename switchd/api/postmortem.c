/* SPDX-License-Identifier: MIT
 * postmortem.c - the report of a deploy or of a span of time: as JSON, or as a page for people. */
#include <string.h>

#include "switchd/api/route.h"
#include "switchd/core/story/story.h"

static const struct { const char *name, *type; void (*print)(const json_t *, struct buf *); } formats[] = {
	{ "json", NULL, NULL }, { "md", "text/markdown; charset=utf-8", story_md }, { "html", "text/html; charset=utf-8", story_html },
	{ "csv", "text/csv; charset=utf-8", story_csv },
};

static size_t format_of(const struct call *c)
{
	const char *name = httpd_query(c->req, "format");
	size_t i = 0;

	while (i < ARRAY_LEN(formats) && name && strcmp(formats[i].name, name) != 0)
		i++;
	return i;
}

static void told(void *arg, json_t *borrowed)
{
	struct call *c = arg;
	const char *error = json_string_value(json_object_get(borrowed, "error"));
	size_t i;

	if (call_orphan(c))
		return;
	i = format_of(c);
	if (error && strcmp(error, "no deploy") == 0) {
		answer_not_found(c, "deploy");
	} else if (error) {
		answer_problem(c, 503, "not-told", "The report could not be made.", error, 13);
	} else if (!formats[i].print) {
		answer_json(c, 200, json_incref(borrowed));
	} else {
		struct buf out = BUF_INIT(STORY_MAX_TEXT);

		formats[i].print(borrowed, &out);
		answer_text(c, 200, formats[i].type, buf_str(&out));
		buf_free(&out);
	}
}

/* Milliseconds since 1970, or how long ago: "90s", "30m", "2h", "7d". */
static bool moment(const char *text, wall_ms *out)
{
	static const struct { const char *unit; int64_t ms; } units[] = { { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
	size_t n = strspn(text, "0123456789");
	char number[24];
	uint64_t v;

	if (!n || !text_copy_n(number, sizeof(number), text, n) || !text_u64(number, &v) || v > INT64_MAX / 2)
		return false;
	out->ms = (int64_t)v;
	for (size_t i = 0; text[n] && i < ARRAY_LEN(units); i++)
		if (strcmp(text + n, units[i].unit) == 0 && v < 1000000) {
			out->ms = wall_now().ms - (int64_t)v * units[i].ms;
			return out->ms > 0;
		}
	return !text[n];
}

void look_postmortem(struct call *c)
{
	const char *deploy = httpd_query(c->req, "deploy"), *since = httpd_query(c->req, "since"), *until = httpd_query(c->req, "until");
	wall_ms from = { 0 }, to = { 0 };
	uint64_t id = 0;

	if (!engine_has_service(call_engine(c), c->service)) {
		answer_not_found(c, "service");
		return;
	}
	if (!deploy == !since || (deploy && until)) {
		answer_bad(c, "bad-query", "deploy=N, or since= with or without until=");
		return;
	}
	if (deploy && (!text_u64(deploy, &id) || !id || id > INT64_MAX)) {
		answer_bad(c, "bad-query", "deploy is the number of one");
		return;
	}
	if ((since && !moment(since, &from)) || (until && !moment(until, &to))) {
		answer_bad(c, "bad-query", "since and until are milliseconds since 1970, or how long ago: 90s, 30m, 2h, 7d");
		return;
	}
	if (since && ((to.ms && to.ms <= from.ms) || from.ms >= wall_now().ms)) {
		answer_bad(c, "bad-query", "since is before until, and in the past");
		return;
	}
	if (format_of(c) == ARRAY_LEN(formats)) {
		answer_bad(c, "bad-query", "format is json, md, html or csv");
		return;
	}
	engine_postmortem(call_engine(c), c->service, id, from, to, told, c);
}
