/* SPDX-License-Identifier: MIT
 * roster.c - who reports, kept in memory: read page by page once a connection, heard after that.
 *
 * A page may be older than a report that was heard since the reading began: what was heard stands.  Stamps do not decide:
 * after a failover they are of another clock. */
#include "switchd/store/roster.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/store/heard.h"
#include "switchd/store/room.h"

enum { PAGE = 200, SERVICES_MAX = 16384, READ_AGAIN_MS = 60000 };

struct roster {
	struct agent_seen *agents; size_t n, cap;       /* by name */
	bool known, reading, again;
	int64_t redis_us; mono_us redis_at;     /* the clock of Redis, as it was then on ours */
	uint64_t cursor;
	size_t at;                              /* whose services are being read */
	store_agent_fn *fn; void *arg;
	ev_timer timer;
};

static void read_agents(struct store *st, uint64_t cursor);
static void read_services(struct store *st, uint64_t cursor);

/* ---- the list ---- */

static size_t place_of(const struct roster *r, const char *name, bool *there)
{
	return text_place(r->agents, r->n, sizeof(*r->agents), name, there);
}

static struct agent_seen *agent_of(struct roster *r, const char *name)
{
	bool there;
	size_t i = place_of(r, name, &there);

	if (there)
		return &r->agents[i];
	if (r->n >= ROSTER_AGENTS)
		return NULL;
	if (r->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 16;
		r->agents = xrealloc(r->agents, r->cap * sizeof(*r->agents));
	}
	memmove(&r->agents[i + 1], &r->agents[i], (r->n - i) * sizeof(*r->agents));
	memset(&r->agents[i], 0, sizeof(r->agents[i]));
	TEXT_COPY(r->agents[i].name, name);
	r->n++;
	return &r->agents[i];
}

/* Was this heard since the reading began?  Then what was read is the older word. */
static bool since_reading(const struct roster *r, mono_us heard) { return heard.us >= r->redis_at.us; }

static void services_clear(struct agent_seen *a)
{
	for (size_t i = 0; i < a->n_services; i++)
		free(a->services[i].json);
	free(a->services);
	a->services = NULL;
	a->n_services = 0;
}

static void agent_remove(struct roster *r, size_t i)
{
	services_clear(&r->agents[i]);
	memmove(&r->agents[i], &r->agents[i + 1], (r->n - i - 1) * sizeof(*r->agents));
	r->n--;
}

static void service_remove(struct agent_seen *a, size_t i)
{
	free(a->services[i].json);
	memmove(&a->services[i], &a->services[i + 1], (a->n_services - i - 1) * sizeof(*a->services));
	a->n_services--;
}

static size_t service_place(const struct agent_seen *a, const char *service, bool *there)
{
	return text_place(a->services, a->n_services, sizeof(*a->services), service, there);
}

static void service_set(struct agent_seen *a, const char *service, int64_t us, mono_us heard, const char *json, size_t len)
{
	bool there;
	size_t i = service_place(a, service, &there);

	if (!len) {
		if (there)
			service_remove(a, i);
		return;
	}
	if (len > REPORT_SERVICE_MAX || (!there && a->n_services >= SERVICES_MAX))
		return;
	if (!there) {
		a->services = xrealloc(a->services, (a->n_services + 1) * sizeof(*a->services));
		memmove(&a->services[i + 1], &a->services[i], (a->n_services - i) * sizeof(*a->services));
		a->services[i] = (struct agent_service){ .us = us };
		TEXT_COPY(a->services[i].service, service);
		a->n_services++;
	}
	free(a->services[i].json);
	a->services[i].json = xmalloc(len + 1);
	memcpy(a->services[i].json, json, len);
	a->services[i].json[len] = '\0';
	a->services[i].us = us;
	a->services[i].heard = heard;
	a->services[i].there = true;
}

static void head_take(struct agent_seen *a, const struct agent_seen *head, mono_us heard)
{
	a->v = head->v;
	a->seq = head->seq;
	a->us = head->us;
	a->heard = heard;
	TEXT_COPY(a->status, head->status);
	TEXT_COPY(a->digest, head->digest);
	TEXT_COPY(a->version, head->version);
	TEXT_COPY(a->detail, head->detail);
}

static void tell(const struct roster *r, const struct agent_seen *a)
{
	if (r->fn)
		r->fn(r->arg, a);
}

/* ---- hearing ---- */

void roster_hear(struct store *st, const char *text, size_t len)
{
	struct roster *r = st->roster;
	struct agent_seen head, *a;
	struct heard_service one;
	bool first;

	if (!heard_report(text, len, &head, &first, &text, &len) || !(a = agent_of(r, head.name)))
		return;
	if (first) {
		services_clear(a);
		a->first++;
	}
	a->spoke = mono_now();
	head_take(a, &head, a->spoke);
	while (heard_service(&text, &len, &one))
		if (one.all)
			roster_read(st);
		else if (one.service[0])
			service_set(a, one.service, head.us, a->spoke, one.json, one.len);
	tell(r, a);
}

/* ---- reading ---- */

static void read_over(struct store *st, bool ok)
{
	struct roster *r = st->roster;

	r->reading = false;
	if (!link_is_up(st->link)) {
		roster_away(st);
		return;
	}
	ev_timer_stop(st->loop, &r->timer);
	ev_timer_set(&r->timer, ok ? READ_AGAIN_MS / 1000. : RETRY_MS / 1000., 0.);
	ev_timer_start(st->loop, &r->timer);
	if (!ok)
		return;
	r->known = true;
	if (r->again) {
		r->again = false;
		roster_read(st);
	}
	tell(r, NULL);
}

/* A page of HSCAN: {cursor, {field, value...}}.  False: none, and the reading is over. */
static bool page_of(struct store *st, const redisReply *r, uint64_t *cursor, const redisReply **list)
{
	char why[256];

	if (r && r->type == REDIS_REPLY_ARRAY && r->elements == 2 && reply_u64(r, 0, cursor) && r->element[1]->type == REDIS_REPLY_ARRAY &&
	    r->element[1]->elements % 2 == 0) {
		*list = r->element[1];
		return true;
	}
	if (r && r->type == REDIS_REPLY_ERROR) {
		reply_error(st, r, why);
		log_warn("roster", "what=\"could not be read\" why=%s", LOG_Q(why));
	}
	read_over(st, false);
	return false;
}

static void service_read(const struct roster *r, struct agent_seen *a, const char *service, const char *text)
{
	const char *json;
	int64_t us;
	bool there;

	if (!name_ok(service) || !heard_kept(text, &us, &json))
		return;
	size_t i = service_place(a, service, &there);

	if (there && since_reading(r, a->services[i].heard))
		return;
	service_set(a, service, us, (mono_us){ 0 }, json, strlen(json));
}

/* What was not read is not there any more. */
static void services_sweep(const struct roster *r, struct agent_seen *a)
{
	for (size_t i = a->n_services; i-- > 0;)
		if (!a->services[i].there && !since_reading(r, a->services[i].heard))
			service_remove(a, i);
}

static void services_page(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	struct roster *ro = st->roster;
	const redisReply *list;
	id_text name;
	uint64_t cursor;
	bool there;

	TEXT_COPY(name, op->rid);
	op_free(op);
	if (st->freeing || !page_of(st, r, &cursor, &list))
		return;
	size_t i = place_of(ro, name, &there);

	for (size_t k = 0; there && k < list->elements; k += 2)
		service_read(ro, &ro->agents[i], reply_text(list, k), reply_text(list, k + 1));
	if (!cursor && there)
		services_sweep(ro, &ro->agents[i]);
	if (!cursor)
		ro->at = there ? i + 1 : i;
	read_services(st, cursor);
}

static void hscan(struct store *st, const char *key, uint64_t cursor, const char *name, op_ended_fn *fn)
{
	struct op *op = op_new(st, -1, 0, fn);

	TEXT_COPY(op->rid, name);
	args_add(&op->args, "HSCAN");
	args_add(&op->args, key);
	args_addf(&op->args, "%" PRIu64, cursor);
	args_add(&op->args, "COUNT");
	args_addf(&op->args, "%d", PAGE);
	if (!op_send(op)) {
		op_free(op);
		read_over(st, false);
	}
}

static void read_services(struct store *st, uint64_t cursor)
{
	struct roster *r = st->roster;
	char key[256];

	if (r->at >= r->n) {
		read_over(st, true);
		return;
	}
	for (size_t i = 0; !cursor && i < r->agents[r->at].n_services; i++)
		r->agents[r->at].services[i].there = false;
	store_key(st, key, "ga:%s", r->agents[r->at].name);
	hscan(st, key, cursor, r->agents[r->at].name, services_page);
}

static void agents_page(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	struct roster *ro = st->roster;
	const redisReply *list;
	uint64_t cursor;

	op_free(op);
	if (st->freeing || !page_of(st, r, &cursor, &list))
		return;
	for (size_t k = 0; k < list->elements; k += 2) {
		const char *name = reply_text(list, k), *text = reply_text(list, k + 1);
		struct agent_seen head, *a;
		int64_t ago;

		if (!id_ok(name) || !heard_head(text, strlen(text), &head))
			continue;
		ago = ro->redis_us > head.us ? ro->redis_us - head.us : 0;
		a = agent_of(ro, name);
		if (a)
			a->there = true;
		if (a && !since_reading(ro, a->spoke))
			head_take(a, &head, (mono_us){ ro->redis_at.us > ago ? ro->redis_at.us - ago : 1 });
	}
	if (cursor) {
		read_agents(st, cursor);
		return;
	}
	for (size_t i = ro->n; i-- > 0;) /* forgotten by another controller, or lost by the store: it comes back when it speaks */
		if (!ro->agents[i].there && !since_reading(ro, ro->agents[i].spoke))
			agent_remove(ro, i);
	ro->at = 0;
	read_services(st, 0);
}

static void read_agents(struct store *st, uint64_t cursor)
{
	char key[256];

	store_key(st, key, "g");
	hscan(st, key, cursor, "", agents_page);
}

static void time_said(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	uint64_t s, us;

	op_free(op);
	if (st->freeing)
		return;
	if (!r || r->type != REDIS_REPLY_ARRAY || r->elements != 2 || !reply_u64(r, 0, &s) || !reply_u64(r, 1, &us)) {
		read_over(st, false);
		return;
	}
	st->roster->redis_us = (int64_t)(s * 1000000 + us);
	st->roster->redis_at = mono_now();
	for (size_t i = 0; i < st->roster->n; i++)
		st->roster->agents[i].there = false;
	read_agents(st, 0);
}

void roster_read(struct store *st)
{
	struct roster *r = st->roster;
	struct op *op;

	if (!link_is_up(st->link) || !st->ears_up)
		return;
	if (r->reading) {
		r->again = true;
		return;
	}
	r->reading = true;
	op = op_new(st, -1, 0, time_said);
	args_add(&op->args, "TIME");
	if (!op_send(op)) {
		op_free(op);
		read_over(st, false);
	}
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	roster_read(w->data);
}

/* ---- the face ---- */

size_t store_agents(const struct store *st) { return st && st->roster ? st->roster->n : 0; }
const struct agent_seen *store_agent(const struct store *st, size_t i) { return &st->roster->agents[i]; }
bool store_agents_known(const struct store *st) { return st && st->roster && st->roster->known; }

const struct agent_seen *store_agent_named(const struct store *st, const char *name)
{
	bool there;
	size_t i;

	if (!st || !st->roster)
		return NULL;
	i = place_of(st->roster, name, &there);
	return there ? &st->roster->agents[i] : NULL;
}

const struct agent_service *agent_service(const struct agent_seen *a, const char *service)
{
	bool there;
	size_t i = service_place(a, service, &there);

	return there ? &a->services[i] : NULL;
}

void store_watch_agents(struct store *st, store_agent_fn *fn, void *arg)
{
	st->roster->fn = fn;
	st->roster->arg = arg;
}

static void forgotten(struct op *op, const redisReply *r)
{
	struct later *l = store_later(op->st, LATER_PLAIN, op->arg);

	(void)r; /* lost: it is asked for again by whoever still sees it */
	l->fn.plain = op->fn.plain;
	op_free(op);
}

void store_forget_agent(struct store *st, const char *name, void (*done)(void *), void *arg)
{
	struct op *op = op_new(st, -1, 0, forgotten), *other;
	char key[256];
	bool there;
	size_t i = place_of(st->roster, name, &there);

	must(id_ok(name));
	if (there)
		agent_remove(st->roster, i);
	store_key(st, key, "g");
	args_add(&op->args, "HDEL");
	args_add(&op->args, key);
	args_add(&op->args, name);
	op->fn.plain = done;
	op->arg = arg;
	if (!op_send(op)) {
		op_free(op);
		store_later(st, LATER_PLAIN, arg)->fn.plain = done;
		return;
	}
	other = op_new(st, -1, 0, op_drop);
	store_key(st, key, "ga:%s", name);
	args_add(&other->args, "DEL");
	args_add(&other->args, key);
	if (!op_send(other))
		op_free(other);
}

void roster_away(struct store *st)
{
	st->roster->known = st->roster->again = false;
	ev_timer_stop(st->loop, &st->roster->timer);
}

void roster_start(struct store *st)
{
	st->roster = xcalloc(1, sizeof(*st->roster));
	ev_timer_init(&st->roster->timer, on_timer, 0., 0.);
	st->roster->timer.data = st;
}

void roster_free(struct store *st)
{
	struct roster *r = st->roster;

	if (!r)
		return;
	ev_timer_stop(st->loop, &r->timer);
	while (r->n)
		agent_remove(r, r->n - 1);
	free(r->agents);
	free(r);
	st->roster = NULL;
}
