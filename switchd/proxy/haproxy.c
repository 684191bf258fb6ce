/* SPDX-License-Identifier: MIT
 * haproxy.c - the adapter for HAProxy's runtime API: one map value moves the traffic (haproxy.md).
 *
 * An apply asks (map, pid, backends) while the worker thread writes the new map file beside the old
 * one; only when the answers allow the value is the file put in place, then the runtime is told, then
 * it is asked what it shows.  Success is what it shows, never what it says (L6). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/failpoint.h"
#include "switchd/proxy/haproxy_ops.h"

static void go_on(struct haproxy *);
static void apply_go_on(struct haproxy *);

/* --- questions -------------------------------------------------------------- */

static enum proxy_result result_of(enum hap_end end)
{
	switch (end) {
	case HAP_OK: return PX_OK;
	case HAP_ABSENT: return PX_ABSENT;
	case HAP_DENIED: return PX_DENIED;
	case HAP_TIMEOUT: return PX_TIMEOUT;
	case HAP_HALF: return PX_HALF;
	case HAP_TOO_LARGE: return PX_REFUSED;
	case HAP_BAD_ADDRESS: return PX_BAD_NAME;
	case HAP_FENCED: return PX_FENCED;
	case HAP_LOCAL: return PX_TIMEOUT; /* our own limit says nothing about the proxy: unknown, never "down" */
	}
	never("an end without a result");
}

static void went_bad(struct haproxy *h, enum ask ask, enum proxy_result r, const char *text)
{
	h->op.bad[ask] = r;
	(void)TEXT_COPY(h->op.bad_text[ask], text);
}

static void said_bad(struct haproxy *h, enum ask ask, const struct hap_reply *r)
{
	char text[160];

	hap_reply_sentence(r->text, text, sizeof(text));
	went_bad(h, ask, PX_REFUSED, text[0] ? text : "an empty answer");
}

static void take_map(struct haproxy *h, const struct hap_reply *r)
{
	char text[160];

	h->op.map_at = mono_now();
	switch (hap_map_find(r->text, h->svc->name, &h->op.shown)) {
	case HAP_MAP_OK:
		return;
	case HAP_MAP_UNKNOWN:
		hap_reply_sentence(r->text, text, sizeof(text));
		went_bad(h, ASK_MAP, PX_NO_MAP, text);
		return;
	case HAP_MAP_OTHER:
		said_bad(h, ASK_MAP, r);
		return;
	}
}

/* Another process than last time: what it was told at runtime is gone, and its backends are to be looked at anew. */
static void take_info(struct haproxy *h, const struct hap_reply *r)
{
	struct hap_info now;

	if (!hap_parse_info(r->text, &now)) {
		said_bad(h, ASK_INFO, r);
		return;
	}
	bool other = now.pid != h->info.pid || now.uptime_s < h->info.uptime_s || now.start_s != h->info.start_s;
	if (h->seen && other) {
		h->restarted = true;
		h->backends_of = 0;
	}
	h->met = h->seen && !other;
	h->seen = true;
	h->info = now;
	h->info_at = mono_now();
}

static void take_backends(struct haproxy *h, const struct hap_reply *r)
{
	bool list;

	h->has_shield = hap_backend_listed(r->text, h->cfg->shield_backend, &list);
	for (int i = 0; i < 2; i++)
		h->has_backend[i] = hap_backend_listed(r->text, h->cfg->backend[i], &list);
	if (!list)
		said_bad(h, ASK_BACKENDS, r);
}

static void answered(struct haproxy *h, enum ask ask, const struct hap_reply *r)
{
	struct op *op = &h->op;

	op->cmd[ask] = NULL;
	op->out--;
	if (r->end != HAP_OK)
		went_bad(h, ask, result_of(r->end), r->why);
	else if (ask == ASK_MAP)
		take_map(h, r);
	else if (ask == ASK_INFO)
		take_info(h, r);
	else if (ask == ASK_BACKENDS)
		take_backends(h, r);
	else if (ask == ASK_LIST)
		hap_other_list(h, r);
	else if (!hap_reply_empty(r->text))
		said_bad(h, ask, r);
	if (op->out == 0)
		go_on(h);
}

static void on_map(void *h, const struct hap_reply *r) { answered(h, ASK_MAP, r); }
static void on_info(void *h, const struct hap_reply *r) { answered(h, ASK_INFO, r); }
static void on_backends(void *h, const struct hap_reply *r) { answered(h, ASK_BACKENDS, r); }
static void on_list(void *h, const struct hap_reply *r) { answered(h, ASK_LIST, r); }
static void on_write(void *h, const struct hap_reply *r) { answered(h, ASK_WRITE, r); }

static bool may_write(void *arg)
{
	const struct haproxy *h = arg;

	return proxy_may_write(h->px);
}

void hap_ask(struct haproxy *h, enum ask ask, int64_t timeout_ms, const char *fmt, ...)
{
	static hap_done_fn *const handlers[N_ASKS] = { on_map, on_info, on_backends, on_list, on_write };
	char command[HAP_COMMAND_MAX];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	must(n > 0 && (size_t)n < sizeof(command)); /* hap_names_ok bounds every part */
	must(!h->op.cmd[ask]);
	/* The shield's paths are configuration, the same whoever leads. */
	bool gated = ask == ASK_WRITE && h->op.call->verb != PV_PATHS;
	h->op.bad[ask] = PX_OK;
	h->op.out++;
	h->op.cmd[ask] = hap_send(h->loop, h->cfg->socket, command, timeout_ms, gated ? may_write : NULL, handlers[ask], h);
}

enum proxy_result hap_first_bad(const struct op *op, const char **text)
{
	for (int i = 0; i < N_ASKS; i++)
		if (op->bad[i] != PX_OK) {
			*text = op->bad_text[i];
			return op->bad[i];
		}
	*text = "";
	return PX_OK;
}

enum proxy_result hap_missing_backend(const struct haproxy *h, bool shield, char *text, size_t size)
{
	const char *missing = !h->has_backend[BLUE] ? h->cfg->backend[BLUE] : !h->has_backend[GREEN] ? h->cfg->backend[GREEN] :
			      shield && !h->has_shield ? h->cfg->shield_backend : NULL;

	if (!missing)
		return PX_OK;
	(void)text_format(text, size, "backend %s is not in the running configuration", missing);
	return PX_UNKNOWN_BACKEND;
}

bool hap_take_shown(struct haproxy *h)
{
	struct proxy_answer *a = &h->op.end.answer;

	a->has_value = h->op.shown.found && !h->op.shown.cut && proxy_value_parse(h->op.shown.value, &a->value);
	return a->has_value;
}

/* --- the end of a call -------------------------------------------------------- */

static void keep_writing(struct haproxy *, const struct op *);

void hap_wait_ms(struct haproxy *h, int64_t ms)
{
	ev_timer_stop(h->loop, &h->wait);
	ev_timer_set(&h->wait, (double)ms / 1e3, 0.);
	ev_timer_start(h->loop, &h->wait);
}

static void let_go(struct haproxy *h)
{
	for (int i = 0; i < N_ASKS; i++)
		hap_cancel(&h->op.cmd[i]);
	ev_timer_stop(h->loop, &h->wait);
	hap_steps_free(&h->op);
}

void hap_end_op(struct haproxy *h, enum proxy_result result, const char *text)
{
	struct op *op = &h->op;
	struct proxy_answer *a = &op->end.answer;

	a->result = result;
	if (text)
		(void)TEXT_COPY(a->detail, text);
	a->us = mono_since_us(mono_now(), op->began);
	a->restarted = h->restarted;
	if (op->call->verb == PV_READ_BACK && (result == PX_OK || result == PX_BAD_VALUE || result == PX_NO_MAP))
		h->restarted = false;
	let_go(h);
	if (op->call->verb == PV_APPLY)
		keep_writing(h, op);
	struct proxy_end end = op->end;
	*op = (struct op){ .call = NULL };
	proxy_call_ended(h->px, &end);
}

static void go_on(struct haproxy *h)
{
	if (h->op.call->verb == PV_APPLY)
		apply_go_on(h);
	else
		hap_other_go_on(h);
}

static void on_wait(struct ev_loop *loop, ev_timer *w, int events)
{
	struct haproxy *h = w->data;

	(void)loop;
	(void)events;
	h->op.waited = true;
	if (h->op.out == 0)
		go_on(h);
}

/* --- the disk ------------------------------------------------------------------- */

static void note_durable(struct haproxy *h, const struct proxy_value *v, bool durable)
{
	proxy_value_text(v, h->checked);
	h->durable = durable;
	h->checked_at = mono_now();
}

static void write_later(struct haproxy *h)
{
	h->retry_ms = h->retry_ms ? (h->retry_ms * 2 > RETRY_MOST_MS ? RETRY_MOST_MS : h->retry_ms * 2) : RETRY_FIRST_MS;
	ev_timer_stop(h->loop, &h->retry);
	ev_timer_set(&h->retry, (double)h->retry_ms / 1e3, 0.);
	ev_timer_start(h->loop, &h->retry);
}

static void on_file(void *arg, const struct mapfile_done *d)
{
	struct haproxy *h = arg;

	h->job = NULL;
	if (d->result == MF_DURABLE || d->result == MF_FAILED)
		note_durable(h, &h->job_value, d->result == MF_DURABLE);
	if (h->job_of_op) {
		h->job_of_op = false;
		h->op.file_over = true;
		h->op.file = *d;
		h->op.end.answer.file_us = d->us;
		if (h->op.stage == ST_FILE || h->op.stage == ST_ABSENT_FILE)
			go_on(h);
		return;
	}
	/* A pin or a higher version in the file is somebody's later word: ours is not wanted any more. */
	if (d->result == MF_FAILED || d->result == MF_FENCED)
		write_later(h);
}

static void start_file(struct haproxy *h, const struct proxy_value *v, bool of_op, bool over_pin)
{
	h->job_value = *v;
	h->job_of_op = of_op;
	h->job_over_pin = over_pin;
	h->job = mapfile_write(h->file, v, of_op, over_pin, on_file, h);
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int events)
{
	struct haproxy *h = w->data;

	(void)loop;
	(void)events;
	if (!proxy_may_write(h->px)) /* the disk is not troubled for what would be dropped */
		write_later(h);
	else
		start_file(h, &h->job_value, false, h->job_over_pin);
}

static void stop_writing(struct haproxy *h)
{
	ev_timer_stop(h->loop, &h->retry);
	mapfile_cancel(&h->job);
	h->job_of_op = false;
	h->retry_ms = 0;
}

/* The call is over: a file that the proxy's next start must find goes on being written until it is there. */
static void keep_writing(struct haproxy *h, const struct op *op)
{
	const struct proxy_answer *a = &op->end.answer;
	/* TIMEOUT and HALF of the write itself: it may have been obeyed. */
	bool wanted = a->result == PX_OK || op->stage == ST_ABSENT_FILE ||
		      (op->stage >= ST_SET && op->stage <= ST_READBACK && (a->result == PX_TIMEOUT || a->result == PX_HALF));

	if (!wanted) {
		stop_writing(h);
	} else if (h->job) {
		h->job_of_op = false;
	} else if (op->file_over && (op->file.result == MF_FAILED || op->file.result == MF_FENCED)) {
		write_later(h);
	}
}

static void on_check(void *arg, const struct mapfile_done *d)
{
	struct haproxy *h = arg;

	h->check = NULL;
	h->durable = d->result == MF_DURABLE;
	h->checked_at = mono_now();
	if (h->op.call && h->op.call->verb == PV_READ_BACK && h->op.stage == ST_FILE)
		go_on(h);
}

bool hap_durable_known(struct haproxy *h)
{
	struct op *op = &h->op;
	bool same = strcmp(h->checked, op->shown.value) == 0;

	if (op->end.answer.value.pin && !h->job_value.pin) /* a new pin: the file is not to lose it to what waits for room */
		stop_writing(h);
	if (op->waited || h->job || ev_is_active(&h->retry)) /* the writing says it when it ends */
		return true;
	if (h->check)
		return false;
	if (same && (h->durable || op->stage == ST_FILE || mono_since_ms(mono_now(), h->checked_at) < RECHECK_MS))
		return true;
	note_durable(h, &op->end.answer.value, false);
	h->check = mapfile_check(h->file, &op->end.answer.value, on_check, h);
	return false;
}

/* --- apply ------------------------------------------------------------------------ */

static void apply_start(struct haproxy *h)
{
	struct op *op = &h->op;
	const struct proxy_call *c = op->call;
	char missing[200];
	bool fresh = h->seen && h->backends_of == h->info.pid && mono_since_ms(mono_now(), h->info_at) < FRESH_MS &&
		     hap_missing_backend(h, c->value.shield, missing, sizeof(missing)) == PX_OK;

	proxy_value_text(&c->value, op->want);
	stop_writing(h);
	start_file(h, &c->value, true, c->over_pin || c->over_file);
	hap_wait_ms(h, c->order == ORDER_BACK ? BACK_FILE_MS : FORWARD_FILE_MS);
	hap_ask(h, ASK_MAP, COMMAND_MS, "show map %s", h->cfg->map);
	if (!fresh) {
		hap_ask(h, ASK_INFO, COMMAND_MS, "show info");
		hap_ask(h, ASK_BACKENDS, COMMAND_MS, "show backend");
	}
}

/* PX_OK when what the map shows may be overwritten with what is asked for. */
static enum proxy_result may_overwrite(struct haproxy *h)
{
	const struct proxy_call *c = h->op.call;
	const struct proxy_value *has = &h->op.end.answer.value;

	if (!hap_take_shown(h) || c->value.pin) /* a person's pin stands above versions */
		return PX_OK;
	if (has->pin)
		return c->over_pin ? PX_OK : PX_PINNED;
	return version_cmp(has->v, c->value.v) > 0 ? PX_NEWER : PX_OK;
}

static void apply_set(struct haproxy *h)
{
	struct op *op = &h->op;

	FAILPOINT("proxy.before-set");
	/* The disk took its time, or this process stood still: a pin may have been written meanwhile. */
	if (mono_since_ms(mono_now(), op->map_at) > STALE_MAP_MS) {
		op->stage = ST_REREAD;
		hap_ask(h, ASK_MAP, COMMAND_MS, "show map %s", h->cfg->map);
		return;
	}
	op->stage = ST_SET;
	op->write_at = mono_now();
	/* add over a key that is there would add a second one, and the old one would win. */
	op->adding = !op->shown.found;
	hap_ask(h, ASK_WRITE, COMMAND_MS, "%s map %s %s %s", op->adding ? "add" : "set", h->cfg->map, h->svc->name, op->want);
}

static void apply_read(struct haproxy *h)
{
	struct op *op = &h->op;
	const char *text;
	char missing[200];
	enum proxy_result r = hap_first_bad(op, &text);

	if (r == PX_ABSENT || r == PX_TIMEOUT || r == PX_HALF) {
		op->stage = ST_ABSENT_FILE;
		if (h->job)
			mapfile_go(h->job);
		apply_go_on(h);
		return;
	}
	if (r == PX_OK) {
		/* In a reload the questions may have reached two processes: a pid's backends are believed for later
		 * calls only when it had been met before. */
		if (h->met)
			h->backends_of = h->info.pid;
		text = missing;
		r = hap_missing_backend(h, op->call->value.shield, missing, sizeof(missing));
	}
	if (r == PX_OK) {
		text = op->shown.value;
		r = may_overwrite(h);
	}
	if (r != PX_OK) {
		hap_end_op(h, r, text);
		return;
	}
	op->already = op->shown.found && !op->shown.differ && strcmp(op->shown.value, op->want) == 0;
	op->stage = ST_FILE;
	if (h->job)
		mapfile_go(h->job);
	apply_go_on(h);
}

/* The file holds a pin that the proxy does not show: its end was not written there (a full disk, a kill), and whoever knew of it
 * may be gone.  Not while it is fresh: a hand that pins writes the file first. */
static bool only_the_file_is_pinned(const struct op *op)
{
	return op->file_over && op->file.result == MF_PINNED && op->file.settled && op->end.answer.has_value && !op->end.answer.value.pin;
}

static void apply_file(struct haproxy *h)
{
	struct op *op = &h->op;
	bool back = op->call->order == ORDER_BACK;

	if (only_the_file_is_pinned(op)) {
		op->file_over = false;
		start_file(h, &op->call->value, true, true);
		mapfile_go(h->job);
	}
	if (!op->file_over && !op->waited)
		return;
	op->end.answer.durable = op->file_over && op->file.result == MF_DURABLE;
	if (op->file_over && op->file.result == MF_PINNED) {
		hap_end_op(h, PX_PINNED, op->file.why);
	} else if (op->already) {
		hap_end_op(h, PX_OK, op->end.answer.durable ? NULL : op->file.why);
	} else if (op->file_over && op->file.result == MF_NEWER) {
		hap_end_op(h, PX_NEWER, op->file.why);
	} else if (op->file_over && op->file.result == MF_FENCED) {
		hap_end_op(h, PX_FENCED, NULL);
	} else if (!back && !op->end.answer.durable) {
		hap_end_op(h, PX_FILE, op->file_over ? op->file.why : "not on the disk within 2 s");
	} else {
		apply_set(h);
	}
}

static void apply_absent(struct haproxy *h)
{
	struct op *op = &h->op;
	const char *text;

	if (!op->file_over && !op->waited)
		return;
	op->end.answer.durable = op->file_over && op->file.result == MF_DURABLE;
	enum proxy_result r = hap_first_bad(op, &text);
	hap_end_op(h, r, text);
}

static void apply_reread(struct haproxy *h)
{
	const char *text;
	enum proxy_result r = hap_first_bad(&h->op, &text);

	if (r == PX_OK) {
		text = h->op.shown.value;
		r = may_overwrite(h);
	}
	if (r != PX_OK)
		hap_end_op(h, r, text);
	else
		apply_set(h);
}

static void apply_written(struct haproxy *h)
{
	struct op *op = &h->op;
	const char *text;

	FAILPOINT("proxy.after-set");
	enum proxy_result r = hap_first_bad(op, &text);
	if (r != PX_OK && r != PX_REFUSED) {
		op->end.answer.has_value = r == PX_FENCED && op->end.answer.has_value;
		hap_end_op(h, r, text);
		return;
	}
	if (r == PX_REFUSED && !op->adding && strstr(text, "not found")) {
		/* The key went away between the question and the write. */
		op->shown.found = false;
		apply_set(h);
		return;
	}
	if (r == PX_REFUSED) {
		/* Not believed either: what it shows decides. */
		op->refused = true;
		(void)TEXT_COPY(op->refusal, text);
		op->bad[ASK_WRITE] = PX_OK;
	}
	op->stage = ST_READBACK;
	op->readback_at = mono_now();
	op->end.answer.write_us = mono_since_us(op->readback_at, op->write_at);
	hap_ask(h, ASK_MAP, COMMAND_MS, "show map %s", h->cfg->map);
}

static void apply_readback(struct haproxy *h)
{
	struct op *op = &h->op;
	const char *text;
	char detail[256];

	FAILPOINT("proxy.after-readback");
	op->end.answer.readback_us = mono_since_us(mono_now(), op->readback_at);
	op->end.answer.durable = op->file_over && op->file.result == MF_DURABLE;
	enum proxy_result r = hap_first_bad(op, &text);
	if (r != PX_OK) {
		op->end.answer.has_value = false;
		hap_end_op(h, r, text);
		return;
	}
	(void)hap_take_shown(h);
	if (op->shown.found && !op->shown.differ && strcmp(op->shown.value, op->want) == 0) {
		if (!op->end.answer.durable)
			(void)TEXT_FORMAT(detail, "not on the disk yet: %.200s", op->file_over ? op->file.why : "it did not answer within 50 ms");
		hap_end_op(h, PX_OK, op->end.answer.durable ? NULL : detail);
		return;
	}
	(void)TEXT_FORMAT(detail, "%.120s%sit shows %.100s", op->refusal, op->refused ? "; " : "",
			  !op->shown.found ? "no value" : op->shown.differ ? "two values for one key" : op->shown.value);
	hap_end_op(h, op->refused ? PX_REFUSED : PX_NOT_APPLIED, detail);
}

static void apply_go_on(struct haproxy *h)
{
	switch (h->op.stage) {
	case ST_READ: apply_read(h); return;
	case ST_FILE: apply_file(h); return;
	case ST_ABSENT_FILE: apply_absent(h); return;
	case ST_REREAD: apply_reread(h); return;
	case ST_SET: apply_written(h); return;
	case ST_READBACK: apply_readback(h); return;
	case ST_STEPS: break;
	}
	never("a stage that apply has not");
}

/* --- the kind ---------------------------------------------------------------------- */

static void hap_start(void *impl, const struct proxy_call *c)
{
	struct haproxy *h = impl;

	must(!h->op.call);
	h->op.call = c;
	h->op.began = mono_now();
	h->op.end.servers_up = h->op.end.servers_all = -1;
	if (h->bad_names[0])
		hap_end_op(h, PX_BAD_NAME, h->bad_names);
	else if (c->verb == PV_APPLY)
		apply_start(h);
	else
		hap_other_start(h);
}

static void hap_give_way(void *impl)
{
	struct haproxy *h = impl;
	struct op *op = &h->op;

	if (!op->call || op->call->verb != PV_APPLY || op->call->order != ORDER_FORWARD)
		return;
	if (op->stage == ST_FILE) {
		hap_end_op(h, PX_FILE, "given up while waiting for the disk: a rollback came");
	} else if (op->stage == ST_ABSENT_FILE) {
		op->waited = true;
		apply_absent(h);
	}
}

static void *hap_open(struct ev_loop *loop, const struct service_config *svc, const struct proxy_config *cfg, struct proxy *px)
{
	struct haproxy *h = xcalloc(1, sizeof(*h));

	h->loop = loop;
	h->svc = svc;
	h->cfg = cfg;
	h->px = px;
	ev_init(&h->wait, on_wait);
	ev_init(&h->retry, on_retry);
	h->wait.data = h->retry.data = h;
	if (hap_names_ok(svc, cfg, h->bad_names, sizeof(h->bad_names)))
		h->bad_names[0] = '\0';
	else
		must(h->bad_names[0]);
	h->file = mapfile_new(loop, cfg->map, svc->name);
	mapfile_set_gate(h->file, may_write, h);
	return h;
}

static void hap_close(void *impl)
{
	struct haproxy *h = impl;

	let_go(h);
	stop_writing(h);
	mapfile_cancel(&h->check);
	mapfile_free(&h->file);
	free(h);
}

const struct proxy_kind haproxy_kind = {
	.type = "haproxy",
	.can_stamp = true,
	.open = hap_open,
	.close = hap_close,
	.start = hap_start,
	.give_way = hap_give_way,
	.snippet = hap_snippet,
	.init_files = hap_init_files,
	.write_paths = hap_write_paths,
	.raw_command = hap_raw_command,
};
