/* SPDX-License-Identifier: MIT
 * standby.c - of several controllers one leads; the others stand by: they probe at a tenth, follow the record, decide
 * nothing, write to no proxy, and are ready when the lease comes to them.
 *
 * Whether another controller was seen is kept in the state directory: one that knows of another never moves traffic by
 * itself without the store (state.md 5: with a part of the view, lone controllers would split traffic). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switchd/base/log.h"
#include "switchd/core/fleet.h"
#include "switchd/engine/service.h"

enum {
	REPORT_MS = 5000, BACK_MS = 3 * REPORT_MS,
	OTHERS_KEPT_MS = 86400 * 1000,
	LEADS_MS = 60000,       /* leading for so long, whoever else lives at this store has reported */
	SLOWER = 10
};

/* ---- others ---- */

static bool others_path(const struct engine *e, char out[512]) { return text_format(out, 512, "%s/others", e->cfg->state_dir); }

/* Whole with its end of line: the first digits of a time are a time too, of long ago. */
bool standby_others_parse(const char *line, wall_ms *at)
{
	char digits[24];
	const char *end = strchr(line, '\n');
	uint64_t ms;

	if (!end || end[1] || !text_copy_n(digits, sizeof(digits), line, (size_t)(end - line)) || !text_u64(digits, &ms) || ms >= INT64_MAX)
		return false;
	at->ms = (int64_t)ms;
	return true;
}

void standby_start(struct engine *e)
{
	char path[512], line[32] = "";
	FILE *f = others_path(e, path) ? fopen(path, "re") : NULL;

	if (!f)
		return;
	/* There is such a file, so there were others. */
	if (!fgets(line, sizeof(line), f) || !standby_others_parse(line, &e->others_at))
		e->others_at = engine_wall(e);
	fclose(f);
}

/* Small, seldom, and a copy of what the roster says: written in place; one that is torn reads as "just now". */
static void others_save(struct engine *e)
{
	char path[512];
	FILE *f = others_path(e, path) ? fopen(path, "we") : NULL;

	if (!f || fprintf(f, "%" PRId64 "\n", e->others_at.ms) < 0)
		log_warn("standby", "what=\"cannot be kept: that there are other controllers\" why=%s", LOG_Q(strerror(errno)));
	if (f)
		fclose(f);
}

static void others_seen(struct engine *e, wall_ms at)
{
	bool late = at.ms - e->others_at.ms > OTHERS_KEPT_MS / 24;

	if (at.ms <= e->others_at.ms)
		return;
	e->others_at = at;
	if (late)
		others_save(e);
}

void standby_others(struct engine *e, const struct agent_seen *seen)
{
	if (strcmp(seen->name + strlen(FLEET_CONTROLLER), e->owner) != 0 && seen->heard.us > e->other_heard.us) {
		/* One that was silent is back at this store: a split may be over. */
		if (mono_since_ms(seen->heard, e->other_heard) > BACK_MS)
			for (size_t i = 0; i < e->n; i++)
				traffic_peace(e->services[i]);
		e->other_heard = seen->heard;
	}
	if (strcmp(seen->name + strlen(FLEET_CONTROLLER), e->owner) != 0)
		others_seen(e, (wall_ms){ engine_wall(e).ms - mono_since_ms(mono_now(), seen->heard) });
}

/* Only who leads may forget them: who is cut off sees nobody, however long.  A clock that jumps does not make it long ago. */
static void others_forget(struct engine *e)
{
	char path[512];

	if (!e->others_at.ms || !e->leads_since.us || mono_since_ms(mono_now(), e->leads_since) < LEADS_MS ||
	    engine_wall(e).ms - e->others_at.ms <= OTHERS_KEPT_MS)
		return;
	log_info("standby", "what=\"no other switchd was seen for a day: this one may act alone again\"");
	e->others_at = (wall_ms){ 0 };
	if (others_path(e, path))
		(void)unlink(path);
}

/* Is it known that no other controller leads? */
bool standby_alone(const struct engine *e) { return e->cfg->redis.embedded || (!e->standby && !e->others_at.ms); }

/* ---- from one role to the other ---- */

static void pace_all(struct engine *e)
{
	for (size_t i = 0; i < e->n; i++)
		measure_pace(e->services[i]);
}

void standby_text(const struct engine *e, char *out, size_t size)
{
	text_format(out, size, "%s leads", store_leader(e->store)[0] ? store_leader(e->store) : "another switchd, as far as is known,");
}

int standby_slower(const struct engine *e) { return e->standby ? SLOWER : 1; }

static void stand_by(struct engine *e)
{
	e->standby = true;
	others_seen(e, engine_wall(e));
	log_info("standby", "leader=%s what=\"another switchd leads; this one follows\"", LOG_Q(store_leader(e->store)));
	for (size_t i = 0; i < e->n; i++) {
		struct service *s = e->services[i];

		service_stand_by(s);
		service_reload_record(s);
	}
	pace_all(e);
}

/* What was measured until now was sparse: everything is asked densely first, and nothing is decided before it was seen. */
static void lead(struct engine *e)
{
	mono_us now = mono_now();

	e->standby = false;
	e->n_answers = 0; /* who led until now may not have had what we did; what stands is in the store, or in the record */
	log_info("standby", "what=\"leading now\"");
	for (size_t i = 0; i < e->n; i++) {
		struct service *s = e->services[i];

		s->loaded = false;
		service_forget(s); /* who led until now wrote what comes after what we remember */
		s->born = now;
		health_blind(s->health, now);
		watch_forget(s);
	}
	pace_all(e);
}

void standby_changed(struct engine *e)
{
	enum store_state state = store_state(e->store);

	if (state != STORE_LEADING)
		e->leads_since = (mono_us){ 0 };
	else if (!e->leads_since.us)
		e->leads_since = mono_now();
	if (state == STORE_FOLLOWING && !e->standby)
		stand_by(e);
	else if (state == STORE_LEADING && e->standby)
		lead(e);
	if (state != STORE_AWAY)
		e->next_controller_report = (mono_us){ 0 };
}

/* The record of a service that we follow was committed upon. */
void standby_committed(void *arg, const char *service)
{
	struct engine *e = arg;

	for (size_t i = 0; i < e->n; i++)
		if (!service[0] || strcmp(e->services[i]->cfg->name, service) == 0)
			service_reload_record(e->services[i]);
}

/* What goes on while we stand by: measuring, and looking at the proxies. */
void standby_service_beat(struct service *s)
{
	if (!s->loaded && !s->loading && !s->bad.on && store_state(s->e->store) != STORE_AWAY)
		service_reload_record(s);
	if (s->loaded)
		s->loaded_at = mono_now();
	measure_beat(s);
	traffic_beat(s);
	service_tick(s);
}

/* ---- who is there ---- */

static void reported(void *arg, bool ok, int64_t us)
{
	(void)arg;
	(void)ok;
	(void)us;
}

void standby_beat(struct engine *e)
{
	char host[65] = "", detail[300];
	struct report r = { .status = e->standby ? "standby" : "leads", .digest = "", .detail = detail };
	mono_us now = mono_now();

	if (store_state(e->store) == STORE_AWAY || e->next_controller_report.us > now.us || e->cfg->redis.embedded)
		return;
	e->next_controller_report = mono_plus_ms(now, REPORT_MS);
	others_forget(e);
	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	TEXT_FORMAT(detail, "%s %s", host, e->cfg->listen.advertise);
	store_report(e->store, &r, reported, e);
}

json_t *standby_json(const struct engine *e)
{
	json_t *list = json_array();

	for (size_t i = 0; i < store_agents(e->store); i++) {
		const struct agent_seen *a = store_agent(e->store, i);

		if (!text_starts(a->name, FLEET_CONTROLLER))
			continue;
		json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s,s:b,s:I}", "id", a->name + strlen(FLEET_CONTROLLER), "role", a->status, "where",
						      a->detail, "version", a->version, "self", strcmp(a->name + strlen(FLEET_CONTROLLER), e->owner) == 0,
						      "seen_ms", (json_int_t)mono_since_ms(mono_now(), a->heard)));
	}
	return json_pack("{s:s,s:s,s:s,s:o}", "role", e->standby ? "standby" : store_state(e->store) == STORE_LEADING ? "leader" : "away", "id", e->owner,
			 "leader", store_leader(e->store), "controllers", list);
}
