/* SPDX-License-Identifier: MIT
 * engine.c - wiring: state directory, store, journal, services; the beat; reload; stop. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switchd/base/log.h"
#include "switchd/engine/service.h"

enum { BEAT_MS = 100, BEAT_REST_MS = 200, STOP_MS = 3000, LOAD_FROM_JOURNAL_MS = 1000, ORDER_WAITS_MS = 5000, TURN_MOST_US = 50000, CLOCK_JUMP_MS = 2000 };

/* ---- request ids ---- */

void engine_rid(struct engine *e, id_text out)
{
	unsigned char r[8];

	if (getrandom(r, sizeof(r), GRND_NONBLOCK) != (ssize_t)sizeof(r)) /* H9: unique without entropy too, by owner and count */
		memcpy(r, &(int64_t){ mono_now().us }, sizeof(r));
	text_format(out, sizeof(id_text), "r-%02x%02x%02x%02x%02x%02x%02x%02x-%llu", r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7],
		    (unsigned long long)++e->rid_seq);
}

void engine_remember(struct engine *e, const char *service, const char *rid, const struct order_result *r)
{
	if (e->n_answers == MAX_RIDS) {
		memmove(&e->answers[0], &e->answers[1], (MAX_RIDS - 1) * sizeof(e->answers[0]));
		e->n_answers--;
	}
	size_t i = e->n_answers++;

	TEXT_COPY(e->answers[i].rid, rid);
	TEXT_COPY(e->answers[i].service, service);
	e->answers[i].result = *r;
	e->answers[i].record = *r->record;
}

bool engine_recall(struct engine *e, const char *service, const char *rid, struct order_result *out)
{
	for (size_t i = 0; i < e->n_answers; i++)
		if (strcmp(e->answers[i].rid, rid) == 0 && strcmp(e->answers[i].service, service) == 0) {
			*out = e->answers[i].result;
			out->record = &e->answers[i].record;
			out->would = "";
			out->dup = true;
			return true;
		}
	return false;
}

/* ---- time for deadlines ---- */

wall_ms engine_wall(const struct engine *e) { return (wall_ms){ mono_now().us / 1000 + e->wall_ahead_ms }; }

/* Drift is followed; a jump (H1) is not: no phase ends early because somebody set the clock. */
static void wall_follow(struct engine *e)
{
	int64_t ahead = wall_now().ms - mono_now().us / 1000, off = ahead - e->wall_ahead_ms;

	if (!e->wall_known || (off < CLOCK_JUMP_MS && off > -CLOCK_JUMP_MS)) {
		e->wall_ahead_ms = ahead;
		e->wall_known = true;
		e->clock_jumped = false;
	} else if (!e->clock_jumped) {
		e->clock_jumped = true;
		log_warn("clock", "ms=%lld what=\"the wall clock jumped; deadlines go on as if it had not, until a restart\"", (long long)off);
	}
}

/* ---- lookups ---- */

struct service *engine_find(const struct engine *e, const char *name)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->services[i] && strcmp(e->services[i]->cfg->name, name) == 0)
			return e->services[i];
	return NULL;
}

size_t engine_services(const struct engine *e) { return e->n; }
const char *engine_service_name(const struct engine *e, size_t i) { return e->services[i]->cfg->name; }
bool engine_has_service(const struct engine *e, const char *name) { return engine_find(e, name) != NULL; }
const struct service_config *engine_service_config(const struct engine *e, const char *name)
{
	const struct service *s = engine_find(e, name);

	return s ? s->cfg : NULL;
}

const struct config *engine_current_config(const struct engine *e) { return e->cfg; }

void engine_watch(struct engine *e, engine_watch_fn *fn, void *arg)
{
	e->watch = fn;
	e->watch_arg = arg;
}

/* ---- orders ---- */

/* An order goes on, or is answered, from a fresh turn of the loop: never from inside the caller's call. */
static void order_turn(EV_P_ ev_timer *t, int revents)
{
	struct order *o = t->data;

	(void)revents;
	ev_timer_stop(EV_A_ t);
	LIST_REMOVE(o, in_soon);
	struct service *s = engine_find(o->e, o->service);

	if (!o->answered && s && !o->e->stopping) {
		service_order(s, o);
		return;
	}
	if (!s) /* a reload took it away meanwhile, or it never was */
		o->result.status = ORDER_NO_SERVICE;
	else if (!o->answered)
		o->result.status = ORDER_UNKNOWN;
	o->result.record = s ? &s->rec : NULL; /* as it stands at this turn */
	o->e->orders_open--;
	o->done(o->arg, &o->result);
	order_free(o);
}

static void order_soon(struct engine *e, struct order *o, bool answered)
{
	o->answered = answered;
	ev_timer_init(&o->soon, order_turn, 0., 0.);
	o->soon.data = o;
	LIST_INSERT_HEAD(&e->soon, o, in_soon);
	ev_timer_start(e->loop, &o->soon);
}

static void order_asked(void *arg, bool ok, const char *value);

void engine_order(struct engine *e, const char *service, const struct input *in, const char *rid, const struct version *if_match,
		  order_done_fn *done, void *arg)
{
	struct service *s = engine_find(e, service);
	struct order *o = xcalloc(1, sizeof(*o));

	must(done != NULL);
	e->orders_open++;
	o->input = *in;
	if (in->manifest) {
		o->manifest = xmalloc(sizeof(*o->manifest));
		*o->manifest = *in->manifest;
		o->input.manifest = o->manifest;
	}
	if (in->manifest_error)
		o->input.manifest_error = o->manifest_error = xstrdup(in->manifest_error);
	o->done = done;
	o->arg = arg;
	o->e = e;
	TEXT_COPY(o->service, service);
	TEXT_COPY(o->rid, rid);
	if (if_match) {
		o->has_match = true;
		o->match = *if_match;
	}
	o->result = (struct order_result){ .status = ORDER_NO_SERVICE, .because = "", .would = "" };
	if (!s || e->stopping) {
		if (s) {
			o->result.status = ORDER_UNKNOWN;
			TEXT_COPY(o->result.detail, "switchd is ending; ask again");
			o->result.record = &s->rec;
		}
		order_soon(e, o, true);
		return;
	}
	if (rid[0] && engine_recall(e, service, rid, &o->result)) {
		order_soon(e, o, true);
		return;
	}
	if (rid[0] && !in->dry_run && store_is_up(e->store)) {
		/* Perhaps done before a restart: the store remembers request ids for an hour. */
		store_recall(e->store, rid, order_asked, o);
		return;
	}
	order_asked(o, false, "");
}

static void order_asked(void *arg, bool ok, const char *value)
{
	struct order *o = arg;
	struct service *s = engine_find(o->e, o->service);

	if (ok && value[0] && s) {
		o->result = (struct order_result){ .status = ORDER_DONE, .dup = true, .because = "", .would = "", .record = &s->rec, .deploy = s->rec.deploy.id };
		TEXT_COPY(o->result.detail, "this request id was done before");
		order_soon(o->e, o, true);
		return;
	}
	order_soon(o->e, o, false);
}

/* ---- how long one turn keeps the loop (I10) ---- */

static void turn_begins(EV_P_ ev_check *w, int revents)
{
	struct engine *e = w->data;

	(void)loop;
	(void)revents;
	e->turn_cpu = cpu_now_us();
	e->turn_began = mono_now();
}

static void turn_ends(EV_P_ ev_prepare *w, int revents)
{
	struct engine *e = w->data;
	int64_t us = e->turn_cpu ? cpu_now_us() - e->turn_cpu : 0;

	(void)loop;
	(void)revents;
	if (e->turn_began.us)
		spread_add(&e->turn_wall, mono_since_us(mono_now(), e->turn_began));
	if (us > e->turn_most_us)
		e->turn_most_us = us;
	if (us > TURN_MOST_US) {
		e->turns_long++;
		log_warn("loop", "us=%lld what=\"one turn of the loop took too much CPU\"", (long long)us);
	}
}

static void turns_start(struct engine *e)
{
	ev_check_init(&e->check, turn_begins);
	ev_prepare_init(&e->turn, turn_ends);
	ev_set_priority(&e->check, EV_MAXPRI); /* before every other callback of the turn */
	ev_set_priority(&e->turn, EV_MAXPRI);
	e->check.data = e->turn.data = e;
	ev_check_start(e->loop, &e->check);
	ev_prepare_start(e->loop, &e->turn);
}

/* ---- the beat ---- */

static void beat(EV_P_ ev_timer *t, int revents)
{
	struct engine *e = t->data;
	mono_us now = mono_now();
	bool busy = false;

	(void)revents;
	if (e->last_beat.us && mono_since_ms(now, e->last_beat) > GAP_MS) {
		e->gaps++;
		log_warn("gap", "ms=%lld what=\"this process stood still: it measures, and does not act until it has seen the slots again\"",
			 (long long)mono_since_ms(now, e->last_beat));
		for (size_t i = 0; i < e->n; i++)
			health_blind(e->services[i]->health, now);
	}
	e->last_beat = now;
	wall_follow(e);
	for (size_t i = 0; i < e->n && !e->stopping; i++) {
		struct service *s = e->services[i];

		if (e->standby) {
			standby_service_beat(s);
			continue;
		}
		if (!s->loaded && !s->loading && !s->bad.on && store_is_up(e->store))
			service_store(s, true);
		if (s->loaded)
			s->loaded_at = now;
		else if (s->first && mono_since_ms(now, s->loaded_at) > ORDER_WAITS_MS)
			service_refuse_all(s, "the record of this service cannot be read from the store: see its log, and switchctl status");
		if (!s->loaded && !store_is_up(e->store) && s->rec.rev && wall_now().ms - e->born.ms > LOAD_FROM_JOURNAL_MS) {
			log_warn("start", "service=%s what=\"the store is away: the journal's record stands\"", s->cfg->name);
			s->loaded = true;
		}
		if (s->loaded && s->pending && !s->loading && !s->bad.on && !s->replaying && !s->committing && store_is_up(e->store)) {
			s->loaded = false;
			service_store(s, true);
			s->loaded = true;
		}
		measure_beat(s);
		gates_beat(s);
		traffic_beat(s);
		inventory_beat(s);
		targets_beat(s);
		service_tick(s);
		ledger_beat(s);
		changes_beat(s);
		watch_beat(s);
		recheck_beat(s);
		busy = busy || s->round != ROUND_NONE || s->replaying_features;
		busy = busy || !s->loaded || s->pending || s->rec.phase != PH_STEADY;
	}
	trust_beat(e);
	export_beat(e);
	standby_beat(e);
	fleet_beat(e);
	t->repeat = (busy ? BEAT_MS : BEAT_REST_MS) / 1000.;
	ev_timer_again(EV_A_ t);
}

static void store_changed(void *arg, bool up, const char *why)
{
	struct engine *e = arg;

	log_info("store", "up=%d why=%s", up, LOG_Q(why));
	e->truth_asked = (mono_us){ 0 };
	standby_changed(e);
	if (store_state(e->store) == STORE_AWAY)
		fleet_away(e);
	e->down_since = store_state(e->store) != STORE_AWAY ? (mono_us){ 0 } : e->down_since.us ? e->down_since : mono_now();
	for (size_t i = 0; i < e->n; i++)
		service_store(e->services[i], up);
}

static bool truth(void *arg, const char *service, store_truth *out)
{
	struct engine *e = arg;
	struct service *s = engine_find(e, service);

	return s && service_truth(s, out);
}

/* ---- state directory ---- */

static bool read_owner(const char *dir, id_text out, char *error, size_t size)
{
	char path[512], line[ID_MAX_LEN + 2] = "";
	FILE *f;

	if (!TEXT_FORMAT(path, "%s/owner", dir)) {
		text_format(error, size, "%s: path too long", dir);
		return false;
	}
	f = fopen(path, "re");
	if (f) {
		if (fgets(line, sizeof(line), f))
			line[strcspn(line, "\n")] = '\0';
		fclose(f);
		if (id_ok(line))
			return text_copy(out, sizeof(id_text), line);
	}
	unsigned char r[12];

	if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r)) {
		text_format(error, size, "no random bytes for an owner id");
		return false;
	}
	text_format(out, sizeof(id_text), "o-");
	for (size_t i = 0; i < sizeof(r); i++)
		text_format(out + strlen(out), sizeof(id_text) - strlen(out), "%02x", r[i]);
	f = fopen(path, "we");
	if (!f || fprintf(f, "%s\n", out) < 0 || fclose(f) != 0) {
		text_format(error, size, "%s: %s", path, strerror(errno));
		return false;
	}
	return true;
}

static bool state_dir(const struct config *cfg, id_text owner, char *error, size_t size)
{
	if (mkdir(cfg->state_dir, 0755) != 0 && errno != EEXIST) {
		text_format(error, size, "state_dir %s: %s", cfg->state_dir, strerror(errno));
		return false;
	}
	return read_owner(cfg->state_dir, owner, error, size);
}

/* ---- birth ---- */

struct engine *engine_new(struct ev_loop *loop, struct config *cfg, char *error, size_t error_size)
{
	struct engine *e = xcalloc(1, sizeof(*e));
	struct buf errors = BUF_INIT(64 * 1024);

	e->loop = loop;
	e->cfg = cfg;
	TAILQ_INIT(&e->provings);
	TAILQ_INIT(&e->tellings);
	TAILQ_INIT(&e->timelines);
	e->reload_ok = true;
	e->born = wall_now();
	wall_follow(e);
	e->down_since = mono_now();
	e->answers = xcalloc(MAX_RIDS, sizeof(*e->answers));
	ev_timer_init(&e->heartbeat, beat, BEAT_MS / 1000., BEAT_MS / 1000.);
	e->heartbeat.data = e;
	if (!state_dir(cfg, e->owner, error, error_size))
		goto fail;
	e->journal = journal_open(loop, cfg->state_dir, error, error_size);
	if (!e->journal)
		goto fail;
	standby_start(e);
	e->archive = archive_open(loop, cfg->archive, cfg->archive_keep_ms, cfg->archive_bytes);
	if (cfg->redis.embedded) {
		e->embedded = embedded_start(loop, cfg->state_dir, cfg->redis.redis_server, error, error_size);
		if (!e->embedded)
			goto fail;
	}
	e->store = store_new(loop, cfg, e->owner, store_changed, e);
	store_set_truth(e->store, truth, e);
	store_watch(e->store, standby_committed, e);
	fleet_start(e);
	risk_start(e);
	e->services = xcalloc(cfg->n_services, sizeof(struct service *));
	for (size_t i = 0; i < cfg->n_services; i++) {
		struct service *s = service_new(e, &cfg->services[i], &errors);

		if (!s) {
			text_copy(error, error_size, buf_str(&errors));
			goto fail;
		}
		e->services[e->n++] = s;
	}
	buf_free(&errors);
	ev_timer_start(loop, &e->heartbeat);
	turns_start(e);
	return e;
fail:
	buf_free(&errors);
	engine_free(&e);
	return NULL;
}

/* ---- reload ---- */

static const struct service_config *by_name(const struct config *c, const char *name) { return config_service(c, name); }

static bool same_targets(const struct slot_config *a, const struct slot_config *b)
{
	if (a->n_targets != b->n_targets)
		return false;
	for (size_t i = 0; i < a->n_targets; i++)
		if (strcmp(a->targets[i].text, b->targets[i].text) != 0)
			return false;
	return true;
}

/* in_force: of the services of `next`, in its order. */
static bool reload_allowed(const struct engine *e, const struct config *next, struct in_force **in_force, char *why, size_t size)
{
	if (strcmp(e->cfg->state_dir, next->state_dir) != 0 || !config_same_state(e->cfg, next)) {
		text_format(why, size, "state, state_dir and lease_ttl cannot change while switchd runs: restart it");
		return false;
	}
	for (size_t i = 0; i < e->n; i++) {
		const struct service *s = e->services[i];
		const struct service_config *n = by_name(next, s->cfg->name);
		const struct in_force *f = n ? in_force[n - next->services] : NULL;
		enum slot a = s->rec.active;

		if (!n && (s->rec.phase != PH_STEADY || s->committing)) {
			text_format(why, size, "%s is in %s: it cannot be removed now", s->cfg->name, phase_name(s->rec.phase));
			return false;
		}
		if (!n && (s->loading || s->committing)) {
			text_format(why, size, "%s waits for an answer of the store: reload again", s->cfg->name);
			return false;
		}
		if (!n && a != NO_SLOT) {
			text_format(why, size, "%s has an active slot (%s): it cannot be removed", s->cfg->name, slot_name(a));
			return false;
		}
		if (!n)
			continue;
		n = &f->cfg;
		if (f->shared[0]) {
			text_format(why, size, "%s: %s", s->cfg->name, f->shared);
			return false;
		}
		if (a != NO_SLOT && s->cfg->slot[a].n_targets) {
			size_t kept = 0;

			for (size_t t = 0; t < s->cfg->slot[a].n_targets; t++)
				for (size_t u = 0; u < n->slot[a].n_targets; u++)
					kept += strcmp(s->cfg->slot[a].targets[t].text, n->slot[a].targets[u].text) == 0;
			if (!kept) {
				text_format(why, size, "%s: every target of the active slot %s would be removed", s->cfg->name, slot_name(a));
				return false;
			}
		}
		if (s->rec.phase != PH_STEADY && (!same_targets(&s->cfg->slot[0], &n->slot[0]) || !same_targets(&s->cfg->slot[1], &n->slot[1]))) {
			text_format(why, size, "%s is in %s: its slots cannot change now", s->cfg->name, phase_name(s->rec.phase));
			return false;
		}
		if (s->committing) {
			text_format(why, size, "%s has a commit in flight: reload again", s->cfg->name);
			return false;
		}
	}
	return true;
}

bool engine_reload(struct engine *e, struct config *next, char *why, size_t why_size)
{
	struct buf errors = BUF_INIT(64 * 1024);
	struct probe_runner **runners = xcalloc(next->n_services, sizeof(*runners));
	struct service **services = xcalloc(next->n_services, sizeof(struct service *));
	struct in_force **in_force = xcalloc(next->n_services, sizeof(struct in_force *));
	bool ok;

	for (size_t i = 0; i < next->n_services; i++) {
		struct service *s = engine_find(e, next->services[i].name);

		in_force[i] = in_force_next(s ? s->in_force : NULL, &next->services[i]);
	}
	ok = reload_allowed(e, next, in_force, why, why_size);
	for (size_t i = 0; ok && i < next->n_services; i++) {
		runners[i] = probe_runner_new(e->loop, next, &in_force[i]->cfg, &errors);
		if (!runners[i]) {
			text_copy(why, why_size, buf_str(&errors));
			ok = false;
		}
	}
	if (!ok) {
		for (size_t i = 0; i < next->n_services; i++)
			probe_runner_free(&runners[i]);
		engine_reload_failed(e, why);
		goto out;
	}
	struct config *old = e->cfg;

	if (strcmp(old->listen.http, next->listen.http) != 0 || strcmp(old->listen.operators, next->listen.operators) != 0 ||
	    strcmp(old->listen.unix_path, next->listen.unix_path) != 0)
		log_warn("reload", "what=\"listen: changes with a restart only; the old addresses stay\"");
	e->cfg = next;
	for (size_t i = 0; i < next->n_services; i++) {
		struct service *s = engine_find(e, next->services[i].name);

		if (s) {
			service_baselines(s, &in_force[i]->cfg, runners[i]);
			service_apply_config(s, &next->services[i], in_force[i], runners[i]);
			in_force[i] = NULL;
		} else {
			probe_runner_free(&runners[i]);
			s = service_new(e, &next->services[i], &errors);
			must(s != NULL); /* its assertions compiled a moment ago */
		}
		services[i] = s;
	}
	for (size_t i = 0; i < e->n; i++) {
		bool kept = false;

		for (size_t k = 0; k < next->n_services; k++)
			kept = kept || services[k] == e->services[i];
		if (!kept)
			service_free(&e->services[i]);
	}
	free(e->services);
	e->services = services;
	e->n = next->n_services;
	services = NULL;
	config_free(&old);
	e->reload_ok = true;
	e->reload_error[0] = '\0';
	for (size_t i = 0; i < e->n; i++)
		if (store_state(e->store) != STORE_AWAY && !e->services[i]->loaded)
			service_store(e->services[i], true);
out:
	for (size_t i = 0; i < next->n_services; i++)
		in_force_free(&in_force[i]);
	free(in_force);
	free(services);
	free(runners);
	buf_free(&errors);
	return ok;
}

void engine_reload_failed(struct engine *e, const char *why)
{
	e->reload_ok = false;
	TEXT_COPY(e->reload_error, why);
	log_error("reload", "ok=0 what=\"the old configuration stands\" why=%s", LOG_Q(why));
}

/* ---- stop ---- */

static void stop_ended(struct engine *e)
{
	void (*done)(void *) = e->stopped;

	e->stopped = NULL;
	ev_timer_stop(e->loop, &e->stop_deadline);
	if (done)
		done(e->stopped_arg);
}

static void lease_given(void *arg) { stop_ended(arg); }

static void stop_late(EV_P_ ev_timer *t, int revents)
{
	(void)revents;
	(void)loop;
	log_warn("stop", "what=\"the store did not answer in time\"");
	stop_ended(t->data);
}

static void stop_look(EV_P_ ev_timer *t, int revents)
{
	struct engine *e = t->data;
	bool busy = e->orders_open > 0;

	(void)revents;
	for (size_t i = 0; i < e->n; i++)
		busy = busy || service_busy(e->services[i]);
	if (busy)
		return;
	ev_timer_stop(EV_A_ t);
	store_release_lease(e->store, lease_given, e);
}

void engine_stop(struct engine *e, void (*done)(void *), void *arg)
{
	if (e->stopping)
		return;
	e->stopping = true;
	e->stopped = done;
	e->stopped_arg = arg;
	for (size_t i = 0; i < e->n; i++) {
		service_abandon(e->services[i]);
		adopt_journal_now(e->services[i]);
		ledger_look(e->services[i]);
		ledger_save(e->services[i]);
		changes_write(e->services[i]);
		watch_end(e->services[i]);
	}
	ev_timer_stop(e->loop, &e->heartbeat);
	ev_timer_init(&e->stop_deadline, stop_late, STOP_MS / 1000., 0.);
	e->stop_deadline.data = e;
	ev_timer_start(e->loop, &e->stop_deadline);
	ev_timer_init(&e->heartbeat, stop_look, 0., 0.01);
	e->heartbeat.data = e;
	ev_timer_start(e->loop, &e->heartbeat);
}

void engine_free(struct engine **ep)
{
	struct engine *e = *ep;

	if (!e)
		return;
	e->stopping = true;
	ev_timer_stop(e->loop, &e->heartbeat);
	if (ev_is_active(&e->check)) {
		ev_check_stop(e->loop, &e->check);
		ev_prepare_stop(e->loop, &e->turn);
	}
	if (e->archive)
		archive_close(&e->archive);
	/* First: what it still owes an answer to are the services. */
	if (e->store)
		store_free(&e->store);
	while (!LIST_EMPTY(&e->soon)) /* no turn comes any more */
		order_turn(e->loop, &LIST_FIRST(&e->soon)->soon, 0);
	for (size_t i = 0; i < e->n; i++)
		service_free(&e->services[i]);
	free(e->services);
	e->services = NULL;
	e->n = 0;
	if (e->commands)
		child_room_free(&e->commands);
	story_cancel_all(e);
	timeline_cancel_all(e);
	if (e->journal)
		journal_close(&e->journal);
	if (e->embedded)
		embedded_stop(&e->embedded);
	for (size_t i = 0; i < e->n_events; i++)
		free(e->events[i].json);
	free(e->answers);
	config_free(&e->cfg);
	free(e);
	*ep = NULL;
}
