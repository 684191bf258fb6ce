/* SPDX-License-Identifier: MIT
 * local_story.c - a post-mortem with daemon and store dead: from the files of the archive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "switchd/base/text.h"
#include "switchd/cli/local.h"
#include "switchd/core/story/story_gather.h"
#include "switchd/store/archive.h"

static json_t *scan(const struct cli *c, wall_ms from, wall_ms until, size_t max, bool *cut)
{
	struct archive_query q = { .service = c->service, .from = from, .until = until, .max = max };
	char *text = NULL;
	bool complete = false, ok = archive_scan(c->archive, &q, &text, &complete);
	json_t *lines = ok ? json_loads(text, 0, NULL) : NULL;

	free(text);
	*cut |= !complete || !lines;
	return lines ? lines : json_array();
}

/* The deploy meant: its number, or the newest. */
static bool span_of(struct cli *c, struct story_source *src, const json_t *lines)
{
	struct story_source all = *src;
	uint64_t id = (uint64_t)c->deploy;
	bool open, found;
	json_t *events, *e;
	size_t i;

	all.lines = lines;
	events = story_events(&all);
	json_array_foreach(events, i, e)
		if (c->last && strcmp(jstr(e, "kind"), "deploy.started") == 0)
			id = (uint64_t)jint(e, "deploy");
	found = id && story_deploy_span(events, id, src->now, &src->from, &src->to, &open);
	json_decref(events);
	if (!found)
		complain(c, "%s: %s is in no file of %s", c->service, c->last ? "a deploy" : "that deploy", c->archive);
	return found;
}

json_t *local_story(struct cli *c, wall_ms from, wall_ms to, int *ex)
{
	struct story_source src = { .service = c->service, .from = from, .to = to.ms ? to : wall_now(), .now = wall_now() };
	json_t *before, *lines, *events, *report;
	struct stat st;

	if (!c->service[0]) {
		*ex = usage_error(c, "without a daemon the service is named: switchctl timeline SERVICE --archive %s", c->archive);
		return NULL;
	}
	if (stat(c->archive, &st) != 0 || !S_ISDIR(st.st_mode)) {
		complain(c, "%s: no such directory", c->archive);
		*ex = EX_USAGE_ERROR;
		return NULL;
	}
	if (c->deploy || c->last) {
		lines = scan(c, (wall_ms){ 0 }, (wall_ms){ 0 }, ARCHIVE_QUERY, &src.cut);
		bool found = span_of(c, &src, lines);

		json_decref(lines);
		if (!found) {
			*ex = EX_REFUSED;
			return NULL;
		}
		src.cut = false;
	}
	lines = scan(c, src.from, (wall_ms){ src.to.ms + 1 }, ARCHIVE_QUERY, &src.cut);
	src.cut |= json_array_size(lines) == ARCHIVE_QUERY;
	before = scan(c, (wall_ms){ 0 }, src.from, STORY_BEFORE, &src.cut);
	src.lines = lines;
	src.before = before;
	events = story_events(&src);
	report = story_of(&src, events, NULL);
	json_object_set_new(report, "source", json_string(c->archive));
	json_decref(events);
	json_decref(lines);
	json_decref(before);
	return report;
}
