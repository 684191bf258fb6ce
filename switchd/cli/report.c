/* SPDX-License-Identifier: MIT
 * report.c - the verb report: a span in numbers, in the words of core/story/report_text.c. */
#include "switchd/base/text.h"
#include "switchd/cli/cli.h"
#include "switchd/core/story/report.h"

enum { TEXT_MAX = 256 * 1024 };

int verb_report(struct cli *c)
{
	struct buf out = BUF_INIT(TEXT_MAX);
	int64_t ms = 7 * 24 * 3600 * INT64_C(1000);
	struct answer a;
	char path[160];
	int ex = EX_DONE;

	if (c->since && (!cli_duration(c->since, &ms) || ms <= 0))
		return usage_error(c, "--since wants a time with a unit, such as 7d, got '%s'", c->since);
	if (!cli_service(c, &ex))
		return ex;
	TEXT_FORMAT(path, "/v1/services/%s/report?since=%lld", c->service, (long long)(wall_now().ms > ms ? wall_now().ms - ms : 0));
	client_ask(c, "GET", path, NULL, c->timeout_ms, &a);
	if (!a.reached || a.status != 200 || !a.json) {
		ex = say_failed(c, c->service, &a);
	} else if (c->output == FMT_JSON) {
		say_json(c, a.json);
	} else {
		report_print(a.json, c->output == FMT_MD, &out);
		fputs(buf_str(&out), stdout);
	}
	buf_free(&out);
	answer_free(&a);
	return ex;
}
