/* SPDX-License-Identifier: MIT
 * haproxy_ask.c - what the adapter only asks (read back, preflight, shield), and its lists of small
 * commands (sessions to cut, the shield's paths): one command a connection, never two in one write. */
#include <stdlib.h>
#include <string.h>

#include "switchd/proxy/haproxy_ops.h"

void hap_steps_free(struct op *op)
{
	for (size_t i = 0; i < op->n_steps; i++)
		free(op->steps[i]);
	free(op->steps);
	op->steps = NULL;
	op->n_steps = op->at = 0;
}

static bool add_step(struct op *op, const char *what, const char *file, const char *key, size_t key_len, const char *rest)
{
	char text[HAP_COMMAND_MAX];

	if (op->n_steps == MAX_STEPS || !TEXT_FORMAT(text, "%s %s%.*s%s", what, file, (int)key_len, key, rest))
		return false;
	op->steps = xrealloc(op->steps, (op->n_steps + 1) * sizeof(*op->steps));
	op->steps[op->n_steps++] = xstrdup(text);
	return true;
}

/* --- show stat ------------------------------------------------------------------ */

static void count_server(void *arg, const struct hap_stat_row *row)
{
	struct haproxy *h = arg;
	struct proxy_end *e = &h->op.end;

	if (strcmp(row->backend, h->cfg->backend[h->op.call->slot]) != 0)
		return;
	e->servers_all++;
	if (text_starts(row->status, "UP") || text_starts(row->status, "no check"))
		e->servers_up++;
}

static void count_shield(void *arg, const struct hap_stat_row *row)
{
	struct haproxy *h = arg;
	struct proxy_end *e = &h->op.end;
	enum slot other = other_slot(h->op.call->slot);

	if (strcmp(row->backend, h->cfg->shield_backend) != 0 || strcmp(row->server, slot_name(other)) != 0)
		return;
	e->known = true;
	e->caught = row->r2xx + row->r3xx;
	e->missed = row->r4xx + row->r5xx;
}

/* The line of the backend as a whole: with the answers that HAProxy gave itself when no server could be asked. */
static void count_backend(void *arg, const struct hap_stat_row *row)
{
	struct haproxy *h = arg;
	struct proxy_end *e = &h->op.end;

	if (strcmp(row->backend, h->cfg->backend[h->op.call->slot]) != 0 || strcmp(row->server, "BACKEND") != 0)
		return;
	e->known = true;
	e->counts = (struct proxy_counts){ .answers = row->r2xx + row->r3xx + row->r4xx + row->r5xx, .r4xx = row->r4xx, .r5xx = row->r5xx,
					   .no_connection = row->econ, .broken = row->eresp };
}

static void cut_server(void *arg, const struct hap_stat_row *row)
{
	struct haproxy *h = arg;
	struct op *op = &h->op;
	char server[160];

	if (strcmp(row->backend, h->cfg->backend[op->call->slot]) != 0 || row->scur == 0)
		return;
	(void)TEXT_FORMAT(server, "/%s", row->server);
	/* The name is the user's configuration coming back: it is checked like any other before it is sent. */
	if (!hap_word_ok(row->server, "_.:-", 127) ||
	    !add_step(op, "shutdown sessions server", "", row->backend, strlen(row->backend), server))
		op->unsendable++;
	else
		op->end.sessions += row->scur;
}

/* --- the shield's paths ----------------------------------------------------------- */

struct path_diff { struct haproxy *h; const struct hap_paths *want; bool there[MAX_FEATURES]; };

static bool look_at_path(void *arg, const struct hap_map_entry *e)
{
	struct path_diff *d = arg;
	struct op *op = &d->h->op;
	char file[1100];

	for (size_t i = 0; i < d->want->n; i++)
		if (d->want->list[i].len == e->key_len && memcmp(d->want->list[i].text, e->key, e->key_len) == 0) {
			d->there[i] = true;
			return true;
		}
	(void)TEXT_FORMAT(file, "%s ", d->h->cfg->paths);
	/* A key that is there twice gives two commands: the second is answered "not found", which next_step takes. */
	if (!hap_path_ok(e->key, e->key_len) || !add_step(op, "del map", file, e->key, e->key_len, ""))
		op->unsendable++;
	return true;
}

static enum proxy_result plan_paths(struct haproxy *h, const char *text)
{
	struct hap_paths want;
	struct path_diff d = { .h = h, .want = &want };
	char file[1100];

	hap_paths_of(h->svc, &want);
	enum hap_map_answer said = hap_each_map_entry(text, look_at_path, &d);
	if (said != HAP_MAP_OK)
		return said == HAP_MAP_UNKNOWN ? PX_NO_MAP : PX_REFUSED;
	(void)TEXT_FORMAT(file, "%s ", h->cfg->paths);
	for (size_t i = 0; i < want.n; i++)
		if (!d.there[i] && !add_step(&h->op, "add map", file, want.list[i].text, want.list[i].len, " 1"))
			h->op.unsendable++;
	return PX_OK;
}

/* --- the verbs ----------------------------------------------------------------------- */

void hap_other_start(struct haproxy *h)
{
	const struct proxy_call *c = h->op.call;

	switch (c->verb) {
	case PV_READ_BACK:
		hap_ask(h, ASK_INFO, POLL_MS, "show info");
		hap_ask(h, ASK_MAP, POLL_MS, "show map %s", h->cfg->map);
		return;
	case PV_PREFLIGHT:
		hap_ask(h, ASK_INFO, COMMAND_MS, "show info");
		hap_ask(h, ASK_BACKENDS, COMMAND_MS, "show backend");
		hap_ask(h, ASK_MAP, COMMAND_MS, "show map %s", h->cfg->map);
		hap_ask(h, ASK_LIST, COMMAND_MS, "show stat %s 4 -1", h->cfg->backend[c->slot]);
		return;
	case PV_SHIELD:
		if (c->slot == NO_SLOT)
			hap_end_op(h, PX_OK, NULL);
		else
			hap_ask(h, ASK_LIST, POLL_MS, "show stat %s 4 -1", h->cfg->shield_backend);
		return;
	case PV_COUNT:
		hap_ask(h, ASK_LIST, POLL_MS, "show stat %s 2 -1", h->cfg->backend[c->slot]);
		return;
	case PV_CUT:
		hap_ask(h, ASK_LIST, COMMAND_MS, "show stat %s 4 -1", h->cfg->backend[c->slot]);
		return;
	case PV_PATHS:
		hap_ask(h, ASK_LIST, COMMAND_MS, "show map %s", h->cfg->paths);
		return;
	case PV_APPLY:
		break;
	}
	never("a verb that is not asked here");
}

void hap_other_list(struct haproxy *h, const struct hap_reply *r)
{
	struct op *op = &h->op;
	enum proxy_result bad = PX_OK;

	switch (op->call->verb) {
	case PV_PREFLIGHT:
		op->end.servers_up = op->end.servers_all = 0;
		/* An unknown backend is the backend question's to name. */
		if (!hap_each_stat(r->text, count_server, h))
			op->end.servers_up = op->end.servers_all = -1;
		return;
	case PV_SHIELD:
		if (!hap_each_stat(r->text, count_shield, h))
			bad = PX_REFUSED;
		break;
	case PV_COUNT:
		if (!hap_each_stat(r->text, count_backend, h))
			bad = PX_REFUSED;
		break;
	case PV_CUT:
		op->end.known = true;
		if (!hap_each_stat(r->text, cut_server, h))
			bad = PX_REFUSED;
		break;
	case PV_PATHS:
		bad = plan_paths(h, r->text);
		break;
	case PV_APPLY:
	case PV_READ_BACK:
		never("a list that nobody asked for");
	}
	op->bad[ASK_LIST] = bad;
	if (bad != PX_OK)
		hap_reply_sentence(r->text, op->bad_text[ASK_LIST], sizeof(op->bad_text[ASK_LIST]));
}

static void read_back_end(struct haproxy *h)
{
	struct op *op = &h->op;
	const char *text;
	char detail[200], shown[128];
	enum proxy_result r = hap_first_bad(op, &text);

	if (r != PX_OK) {
		hap_end_op(h, r, text);
	} else if (!op->shown.found) {
		(void)TEXT_FORMAT(detail, "the map has no key %s", h->svc->name);
		hap_end_op(h, PX_BAD_VALUE, detail);
	} else if (!hap_take_shown(h)) {
		text_printable(shown, sizeof(shown), op->shown.value, strlen(op->shown.value));
		(void)TEXT_FORMAT(detail, "it shows \"%s\"", shown);
		hap_end_op(h, PX_BAD_VALUE, detail);
	} else if (!hap_durable_known(h)) {
		if (op->stage != ST_FILE)
			hap_wait_ms(h, BACK_FILE_MS);
		op->stage = ST_FILE;
	} else {
		op->end.answer.durable = h->durable && strcmp(h->checked, op->shown.value) == 0;
		hap_end_op(h, PX_OK, NULL);
	}
}

static void preflight_end(struct haproxy *h)
{
	struct op *op = &h->op;
	const char *text;
	char detail[200];
	enum proxy_result r = hap_first_bad(op, &text);

	if (r == PX_OK) {
		text = detail;
		r = hap_missing_backend(h, h->svc->shield, detail, sizeof(detail));
	}
	if (r == PX_OK) {
		text = NULL;
		if (h->met)
			h->backends_of = h->info.pid;
		if (!hap_take_shown(h)) {
			/* Not a reason to refuse: the write puts it right. */
			(void)TEXT_FORMAT(detail, op->shown.found ? "the map's value of key %s is none of ours" : "the map has no key %s yet", h->svc->name);
			text = detail;
		}
	}
	hap_end_op(h, r, text);
}

static void next_step(struct haproxy *h)
{
	struct op *op = &h->op;
	const char *text;
	char detail[200];
	enum proxy_result r = hap_first_bad(op, &text);

	/* Gone meanwhile is what we wanted. */
	if (r == PX_REFUSED && op->stage == ST_STEPS && text_starts(op->steps[op->at - 1], "del map") && strstr(text, "not found"))
		r = PX_OK;
	if (r == PX_OK && op->at < op->n_steps) {
		op->stage = ST_STEPS;
		hap_ask(h, ASK_WRITE, COMMAND_MS, "%s", op->steps[op->at++]);
		return;
	}
	if (r == PX_OK && op->unsendable) {
		(void)TEXT_FORMAT(detail, "%zu name%s of the running proxy cannot be sent back to it and stay%s", op->unsendable,
				  op->unsendable == 1 ? "" : "s", op->unsendable == 1 ? "s" : "");
		text = detail;
	}
	op->end.known = op->end.known && r == PX_OK && !op->unsendable;
	hap_end_op(h, r, text);
}

void hap_other_go_on(struct haproxy *h)
{
	const char *text;
	enum proxy_result r;

	switch (h->op.call->verb) {
	case PV_READ_BACK: read_back_end(h); return;
	case PV_PREFLIGHT: preflight_end(h); return;
	case PV_COUNT:
	case PV_SHIELD:
		r = hap_first_bad(&h->op, &text);
		h->op.end.known = h->op.end.known && r == PX_OK;
		hap_end_op(h, r, text);
		return;
	case PV_CUT:
	case PV_PATHS: next_step(h); return;
	case PV_APPLY: break;
	}
	never("a verb that is not answered here");
}
