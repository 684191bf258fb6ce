/* SPDX-License-Identifier: MIT
 * agent_rig.h - one service of an agent on a real HAProxy, with a journal on a disk that can be stopped or filled, and
 * with whoever is reported to played here.  Nothing of Redis is in it.  Included once by each test program. */
#ifndef TESTS_UNIT_AGENT_RIG_H
#define TESTS_UNIT_AGENT_RIG_H

#include "tests/unit/support/haproxy_real.h"

#include "switchd/agent/room.h"

/* --- the disk under the journal: the map files' is in haproxy_rig.h ---------------- */

enum journal_disk { DISK_GOOD, DISK_FULL, DISK_HANGS };
static _Atomic(enum journal_disk) journal_disk;

int fdatasync(int fd)
{
	while (atomic_load(&journal_disk) == DISK_HANGS)
		usleep(500);
	if (atomic_load(&journal_disk) == DISK_FULL) {
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

/* --- who is reported to --------------------------------------------------------------- */

struct heard {                  /* of the reports that arrived */
	int n, headers;         /* all; those without a service */
	int firsts;
	char status[32], digest[32], detail[512];
	struct version v; uint64_t seq;
	json_t *services;       /* name -> what was said last; null: it is gone */
};

struct bench {
	struct rig r;
	struct agent a;
	struct agent_config from;
	struct config cfg;
	struct proxy_config proxies[2];
	struct local_service *s, *list[64];
	struct heard heard;
	bool lose;              /* reports do not arrive */
	size_t largest;         /* bytes of the services of one report */
	ev_timer beat, answer;
	store_reported_fn *done; void *done_arg; bool ok;
};

static UNUSED void bench_answer(EV_P_ ev_timer *t, int revents)
{
	struct bench *b = t->data;

	(void)loop;
	(void)revents;
	b->done(b->done_arg, b->ok, 1);
}

static UNUSED void bench_send(void *arg, const struct report *p, store_reported_fn *done, void *done_arg)
{
	struct bench *b = arg;
	struct heard *h = &b->heard;
	size_t bytes = 0;

	b->done = done;
	b->done_arg = done_arg;
	b->ok = !b->lose;
	assert_false(ev_is_active(&b->answer));
	ev_timer_set(&b->answer, 0.002, 0.);
	ev_timer_start(b->r.loop, &b->answer);
	if (b->lose)
		return;
	h->n++;
	h->headers += p->n_services == 0;
	h->firsts += p->first;
	if (p->first)
		json_object_clear(h->services);
	(void)TEXT_COPY(h->status, p->status);
	(void)TEXT_COPY(h->digest, p->digest);
	(void)TEXT_COPY(h->detail, p->detail);
	h->v = p->v;
	h->seq = p->seq;
	for (size_t i = 0; i < p->n_services; i++) {
		const char *text = p->services[i].json;

		bytes += strlen(text);
		assert_true(strlen(text) <= REPORT_SERVICE_MAX);
		json_t *j = text[0] ? json_loads(text, 0, NULL) : json_null();
		assert_non_null(j);
		json_object_set_new(h->services, p->services[i].name, j);
	}
	assert_true(bytes <= REPORT_MAX);
	if (bytes > b->largest)
		b->largest = bytes;
}

/* --- the service ------------------------------------------------------------------------ */

static UNUSED void bench_beat(EV_P_ ev_timer *t, int revents)
{
	struct bench *b = t->data;

	(void)loop;
	(void)revents;
	for (size_t i = 0; i < b->a.n; i++)
		agent_service_beat(b->a.services[i], mono_now(), 1);
}

/* As after a start of the process: all that is known is on the disk. */
static UNUSED void bench_begin(struct bench *b)
{
	char error[256] = "";

	b->a = (struct agent){ .loop = b->r.loop, .now = &b->from, .services = b->list, .down_since = mono_now() };
	b->from = (struct agent_config){ .cfg = &b->cfg };
	b->a.journal = journal_open(b->r.loop, b->r.dir, error, sizeof(error));
	if (!b->a.journal)
		fail_msg("journal: %s", error);
	b->a.report = agent_report_new(&b->a, bench_send, b);
	b->s = b->list[0] = agent_service_new(&b->a, &b->r.svc, &b->from);
	b->a.n = 1;
	b->heard = (struct heard){ .services = json_object() };
	ev_timer_init(&b->beat, bench_beat, 0., 0.02);
	ev_init(&b->answer, bench_answer);
	b->beat.data = b->answer.data = b;
	ev_timer_start(b->r.loop, &b->beat);
}

static UNUSED void bench_end(struct bench *b)
{
	ev_timer_stop(b->r.loop, &b->beat);
	ev_timer_stop(b->r.loop, &b->answer);
	agent_report_free(&b->a.report);
	while (b->a.n)
		agent_service_free(&b->list[--b->a.n]);
	journal_close(&b->a.journal);
	assert_int_equal(b->from.users, 0);
	json_decref(b->heard.services);
	b->heard.services = NULL;
}

static UNUSED void bench_again(struct bench *b)
{
	bench_end(b);
	bench_begin(b);
}

static UNUSED void bench_start(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	atomic_store(&journal_disk, DISK_GOOD);
	rig_start(&b->r, "shop");
	proxy_free(&b->r.px); /* the agent has one of its own */
	b->r.svc.mode = MODE_ENFORCE;
	b->r.svc.drain_ms = 300;
	b->r.svc.for_agent = true;
	b->cfg = (struct config){ .for_agent = true, .agent_name = "lb1", .agent_report_ms = 300, .services = &b->r.svc, .n_services = 1 };
	bench_begin(b);
}

static UNUSED void bench_stop(struct bench *b)
{
	atomic_store(&journal_disk, DISK_GOOD);
	bench_end(b);
	rig_stop(&b->r);
}

static UNUSED void store_up(struct bench *b, bool up)
{
	b->a.down_since = up ? (mono_us){ 0 } : mono_now();
	agent_report_up(b->a.report, up);
}

/* "green:5.3:plain", "r2", "c3", mode, what it condemns. */
static UNUSED struct shown record(const char *value_text, const char *release, const char *cid, enum move_mode mode, const char *condemned)
{
	struct shown t = { .schema = 2, .mode = mode, .seq = 7 };

	assert_true(proxy_value_parse(value_text, &t.value));
	(void)TEXT_COPY(t.service, "shop");
	(void)TEXT_COPY(t.release, release);
	(void)TEXT_COPY(t.cid, cid);
	(void)TEXT_COPY(t.condemned, condemned);
	return t;
}

static UNUSED void tell(struct bench *b, const char *value_text, const char *release, const char *cid, enum move_mode mode)
{
	struct shown t = record(value_text, release, cid, mode, "");

	agent_service_told(b->s, &t);
}

static UNUSED bool shows(struct bench *b, const char *want)
{
	char v[256];

	shown(&b->r, b->r.map, v, sizeof(v), NULL);
	return strcmp(v, want) == 0;
}

static UNUSED const char *state(struct bench *b)
{
	static char why[400];
	int rank;

	return agent_service_state(b->s, why, sizeof(why), &rank);
}

static UNUSED const char *why(struct bench *b)
{
	static char text[400];
	int rank;

	agent_service_state(b->s, text, sizeof(text), &rank);
	return text;
}

static UNUSED bool is(const char *a, const char *b) { return strcmp(a, b) == 0; }

/* So many polls of the proxy pass. */
static UNUSED void polls(struct bench *b, int n)
{
	double until = now_s() + n * 0.25;

	while (now_s() < until) {
		ev_run(b->r.loop, EVRUN_NOWAIT);
		usleep(1000);
	}
}

#define SHOWS(b, want) LOOP_UNTIL(&(b)->r, shows((b), (want)))
#define STATE(b, want) LOOP_UNTIL(&(b)->r, is(state(b), (want)))
#define STAYS(b, want) do { polls((b), 4); assert_true(shows((b), (want))); } while (0)

#endif
