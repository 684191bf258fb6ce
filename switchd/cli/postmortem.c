/* SPDX-License-Identifier: MIT
 * postmortem.c - timeline of a deploy or a span, as a report: asked of the daemon, or read from an archive. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/local.h"
#include "switchd/core/story/story.h"

/* The bare timeline keeps its table, its md and its json; a page or a CSV is always a report. */
bool wants_report(const struct cli *c)
{
	bool span = c->since || c->until || c->deploy || c->last;

	return c->archive || c->until || c->output == FMT_HTML || c->output == FMT_CSV || (span && (c->output == FMT_MD || c->output == FMT_JSON));
}

static int print(struct cli *c, const json_t *report)
{
	struct buf out = BUF_INIT(STORY_MAX_TEXT);
	int ex = EX_DONE;

	if (c->output == FMT_JSON)
		say_json(c, report);
	else if (c->output == FMT_HTML)
		story_html(report, &out);
	else if (c->output == FMT_CSV)
		story_csv(report, &out);
	else
		story_md(report, &out);
	if (out.full) {
		complain(c, "the report is longer than %d MiB: ask for a shorter span", STORY_MAX_TEXT / 1024 / 1024);
		ex = EX_REFUSED;
	}
	fputs(buf_str(&out), stdout);
	buf_free(&out);
	return ex;
}

/* The newest deploy; 0: it has said why there is none. */
static int64_t last_deploy(struct cli *c, int *ex)
{
	char path[128];
	struct answer a;
	int64_t id;

	TEXT_FORMAT(path, "/v1/services/%s", c->service);
	client_ask(c, "GET", path, NULL, c->timeout_ms, &a);
	id = jint(json_object_get(a.json, "deploy"), "id");
	if (!a.reached || a.status != 200 || !a.json) {
		*ex = say_failed(c, c->service, &a);
	} else if (!id) {
		complain(c, "%s: there was no deploy yet", c->service);
		*ex = EX_REFUSED;
	}
	answer_free(&a);
	return id;
}

static int from_daemon(struct cli *c, wall_ms from, wall_ms to)
{
	int64_t deploy = c->deploy;
	char path[256];
	struct answer a;
	int ex = EX_DONE;

	if (!cli_service(c, &ex))
		return ex;
	if (c->last && !deploy && !(deploy = last_deploy(c, &ex)))
		return ex;
	if (deploy)
		TEXT_FORMAT(path, "/v1/services/%s/postmortem?deploy=%" PRId64, c->service, deploy);
	else if (to.ms)
		TEXT_FORMAT(path, "/v1/services/%s/postmortem?since=%" PRId64 "&until=%" PRId64, c->service, from.ms, to.ms);
	else
		TEXT_FORMAT(path, "/v1/services/%s/postmortem?since=%" PRId64, c->service, from.ms);
	client_ask(c, "GET", path, NULL, c->timeout_ms, &a);
	ex = !a.reached || a.status != 200 || !a.json ? say_failed(c, c->service, &a) : print(c, a.json);
	answer_free(&a);
	return ex;
}

int timeline_report(struct cli *c)
{
	wall_ms from = { 0 }, to = { 0 };
	json_t *report;
	int ex = EX_DONE;

	if (c->since && !cli_when(c->since, &from))
		return usage_error(c, "--since wants a time with a unit, such as 2h, or UTC such as 2026-11-22T03:00:00Z, got '%s'", c->since);
	if (c->until && !cli_when(c->until, &to))
		return usage_error(c, "--until wants a time with a unit, such as 1h, or UTC such as 2026-11-22T04:00:00Z, got '%s'", c->until);
	if (!!c->since + !!c->deploy + c->last != 1 || (c->until && !c->since))
		return usage_error(c, "a post-mortem is of one deploy (--deploy N, --last) or of a span (--since TIME, --until TIME)");
	if (to.ms && to.ms <= from.ms)
		return usage_error(c, "--until is before --since");
	if (!c->archive)
		return from_daemon(c, from, to);
	report = local_story(c, from, to, &ex);
	if (report)
		ex = print(c, report);
	json_decref(report);
	return ex;
}
