/* SPDX-License-Identifier: MIT
 * local_doctor.c - the verb doctor: asked of the daemon, or of this host alone. */
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/local.h"
#include "switchd/proxy/host.h"

struct round { json_t *list; int bad, warn; };

static void found(void *arg, const char *check, enum finding f, const char *says, const char *fix)
{
	struct round *r = arg;
	char safe[1024];

	text_printable(safe, sizeof(safe), says, strlen(says));
	r->bad += f == FIND_BAD;
	r->warn += f == FIND_WARN;
	json_array_append_new(r->list, json_pack("{s:s,s:s,s:s,s:s}", "check", check, "state", finding_name(f), "says", safe, "fix", fix));
}

/* This host, as the user who asks sees it. */
static int doctor_here(struct cli *c, const char *why)
{
	static const char *const daemons[] = { "state", "redis", "schema", "event stream", "acl user" };
	struct round r = { .list = json_array() };
	struct config *cfg = local_config(c, local_config_path(c), true);
	int ex;

	if (cfg) {
		char says[300];

		TEXT_FORMAT(says, "%.200s is good, %zu service%s", cfg->file, cfg->n_services, cfg->n_services == 1 ? "" : "s");
		found(&r, "config", FIND_OK, says, "");
		host_check(cfg, found, &r);
	} else {
		found(&r, "config", FIND_BAD, "the configuration does not load: see above", "switchctl config check FILE");
	}
	for (size_t i = 0; i < ARRAY_LEN(daemons); i++)
		found(&r, daemons[i], FIND_UNCHECKED, why, "");
	config_free(&cfg);
	json_t *o = json_pack("{s:b,s:i,s:i,s:o}", "daemon", 0, "bad", r.bad, "warn", r.warn, "checks", r.list);

	ex = say_doctor(c, o);
	if (c->output == FMT_JSON) {
		json_object_set_new(o, "exit", json_integer(ex));
		say_json(c, o);
	}
	json_decref(o);
	return ex;
}

int verb_doctor(struct cli *c)
{
	struct answer a;
	int ex;

	if (c->config && c->config[0])
		return doctor_here(c, "no daemon was asked (--config)");
	client_ask(c, "GET", "/v1/doctor", NULL, c->timeout_ms, &a);
	bool there = a.reached;

	if (there && (a.status != 200 || !a.json)) {
		ex = say_error(c, "doctor", &a);
	} else if (there) {
		ex = say_doctor(c, a.json);
		if (c->output == FMT_JSON) {
			json_object_set_new(a.json, "exit", json_integer(ex));
			say_json(c, a.json);
		}
	} else {
		complain(c, "switchd does not answer (%s): this host alone is looked at", a.error);
		ex = doctor_here(c, "no daemon");
	}
	answer_free(&a);
	return ex;
}
