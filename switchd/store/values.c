/* SPDX-License-Identifier: MIT
 * values.c - small values beside the record, and events for timelines. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "switchd/store/room.h"

/* ---- small values ---- */

static void put_done(struct op *op, const redisReply *r)
{
	char detail[256];

	if (r && r->type == REDIS_REPLY_ERROR) {
		reply_error(op->st, r, detail);
		log_warn("store", "what=\"a value was not kept\" key=%s why=%s", LOG_Q(op->args.v[1]), LOG_Q(detail));
	}
	op_free(op);
}

void store_put(struct store *st, const char *service, const char *what, const char *value)
{
	struct op *op;
	char key[256];

	must(name_ok(service) && name_ok(what));
	if (!store_is_up(st)) /* it is who leads now that writes: ours may be the older one */
		return;
	if (strlen(value) > VALUE_MAX) {
		log_warn("store", "what=\"a value is too long to be kept\" service=%s name=%s bytes=%zu", service, what, strlen(value));
		return;
	}
	store_key(st, key, "b:%s:%s", service, what);
	op = op_new(st, -1, 0, put_done);
	args_add(&op->args, "SET");
	args_add(&op->args, key);
	args_add(&op->args, value);
	if (!op_send(op))
		op_free(op);
}

static void got(struct op *op, const redisReply *r)
{
	store_get_fn *get = op->fn.get;
	void *arg = op->arg;
	bool ok = r && r->type == REDIS_REPLY_STRING && r->len <= VALUE_MAX && strlen(r->str) == r->len;

	op_free(op);
	get(arg, ok, ok ? r->str : "");
}

static void get_key(struct store *st, const char *key, store_get_fn *fn, void *arg)
{
	struct op *op = op_new(st, -1, 0, got);

	args_add(&op->args, "GETRANGE"); /* what another hand made giant is not taken in; empty = not there */
	args_add(&op->args, key);
	args_add(&op->args, "0");
	args_addf(&op->args, "%d", VALUE_MAX);
	op->retry = RETRY_WHEN_CONNECTED;
	op->fn.get = fn;
	op->arg = arg;
	if (op_send(op))
		return;
	op_free(op);
	store_later(st, LATER_GET, arg)->fn.get = fn;
}

void store_get(struct store *st, const char *service, const char *what, store_get_fn *fn, void *arg)
{
	char key[256];

	must(name_ok(service) && name_ok(what));
	store_key(st, key, "b:%s:%s", service, what);
	get_key(st, key, fn, arg);
}

void store_recall(struct store *st, const char *rid, store_get_fn *fn, void *arg)
{
	char key[256];

	must(id_ok(rid));
	store_key(st, key, "q:%s", rid);
	get_key(st, key, fn, arg);
}

/* ---- how many events ---- */

void store_exported(struct store *st, const char *id)
{
	char head[24];
	const char *dash = strchr(id, '-');

	st->exported_known = !id[0] || (dash && text_copy_n(head, sizeof(head), id, (size_t)(dash - id)) && text_u64(head, &st->exported_gen) &&
					text_u64(dash + 1, &st->exported_seq));
	if (!id[0])
		st->exported_gen = st->exported_seq = 0;
}

void store_keep_events(struct store *st, uint64_t n) { st->events_kept = n; }
static uint64_t kept(const struct store *st) { return st->events_kept ? st->events_kept : EVENTS_KEPT; }
uint64_t store_backlog_most(const struct store *st) { return kept(st) * EVENTS_HARD; }

/* Of older generations nobody knows how many there were. */
uint64_t store_backlog(const struct store *st)
{
	if (!st->exported_known)
		return 0;
	return st->exported_gen != st->gen ? st->seq : st->seq > st->exported_seq ? st->seq - st->exported_seq : 0;
}

uint64_t events_most(const struct store *st, size_t n)
{
	uint64_t most = store_backlog(st) + n;

	if (!st->exported_known || st->exported_gen != st->gen || most > store_backlog_most(st))
		return store_backlog_most(st);
	return most < kept(st) ? kept(st) : most;
}

/* ---- events ---- */

struct reading {
	json_t *found;          /* oldest first, whichever way the stream is read */
	size_t max;
	bool backwards;
	mono_us until;
	char edge[44];          /* the last id looked at: the next page begins behind it */
};

static bool id_is_ok(const char *id)
{
	size_t digits = strspn(id, "0123456789"), rest = 0;

	if (id[digits] == '-')
		rest = 1 + strspn(id + digits + 1, "0123456789");
	return digits && digits <= 20 && rest != 1 && rest <= 21 && id[digits + rest] == '\0';
}

static bool page_send(struct op *op)
{
	struct reading *rd = op->extra;
	size_t wanted = rd->max - json_array_size(rd->found);
	char key[256];

	args_free(&op->args);
	store_key(op->st, key, "ev");
	args_add(&op->args, key);
	args_add(&op->args, op->service);
	args_add(&op->args, rd->edge);
	args_add(&op->args, rd->backwards ? "back" : "forth");
	args_addf(&op->args, "%d", EVENTS_SCAN);
	args_addf(&op->args, "%zu", wanted < EVENTS_PAGE ? wanted : EVENTS_PAGE);
	return op_send(op);
}

static void take_event(struct reading *rd, const char *id, const redisReply *text)
{
	json_t *event = text->type == REDIS_REPLY_STRING ? json_loadb(text->str, text->len, JSON_REJECT_DUPLICATES, NULL) : NULL;

	if (json_is_object(event) && json_object_set_new(event, "id", json_string(id)) == 0) {
		if (rd->backwards)
			json_array_insert(rd->found, 0, event);
		else
			json_array_append(rd->found, event);
	}
	json_decref(event);
}

static void events_end(struct op *op, bool ok)
{
	struct reading *rd = op->extra;
	store_events_fn *events = op->fn.events;
	void *arg = op->arg;
	char *text = json_dumps(rd->found, JSON_COMPACT);

	json_decref(rd->found);
	op_free(op);
	events(arg, ok && text, text ? text : "[]");
	free(text);
}

static void got_page(struct op *op, const redisReply *r)
{
	struct reading *rd = op->extra;
	const redisReply *list = r && reply_is_answer(r, 3) ? r->element[2] : NULL;
	const char *edge = list ? reply_text(r, 1) : "";

	if (!list || list->type != REDIS_REPLY_ARRAY || list->elements % 2 || (edge[0] && !id_is_ok(edge)) ||
	    (edge[0] && strcmp(edge, rd->edge) == 0)) {
		events_end(op, false);
		return;
	}
	for (size_t i = 0; i < list->elements && json_array_size(rd->found) < rd->max; i += 2)
		if (id_is_ok(reply_text(list, i)))
			take_event(rd, reply_text(list, i), list->element[i + 1]);
	if (!edge[0] || json_array_size(rd->found) >= rd->max) {
		events_end(op, true);
		return;
	}
	if (mono_now().us >= rd->until.us) { /* a long stream of others' events: what was found, said to be incomplete */
		events_end(op, false);
		return;
	}
	TEXT_COPY(rd->edge, edge);
	if (!page_send(op))
		op_unknown(op);
}

void store_events(struct store *st, const char *service, const char *after_id, size_t max, store_events_fn *fn, void *arg)
{
	struct op *op = op_new(st, SC_EVENTS, 1, got_page);
	struct reading *rd = xcalloc(1, sizeof(*rd));

	must((name_ok(service) || !service[0]) && TEXT_COPY(op->service, service));
	op->extra = rd;
	op->retry = RETRY_WHEN_CONNECTED;
	op->fn.events = fn;
	op->arg = arg;
	rd->found = json_array();
	rd->max = max;
	rd->backwards = !after_id || !after_id[0];
	rd->until = mono_plus_ms(mono_now(), EVENTS_MS);
	if ((rd->backwards || (id_is_ok(after_id) && TEXT_COPY(rd->edge, after_id))) && max && page_send(op))
		return;
	json_decref(rd->found);
	op_free(op);
	store_later(st, LATER_EVENTS, arg)->fn.events = fn;
}
