/* SPDX-License-Identifier: MIT
 * agent_report.c - what whoever leads is told: what changed, at once; that we are here, every few seconds.
 *
 * One report at a time.  One that did not arrive is not repeated: what it said is dirty again and goes with the next. */
#include <stdlib.h>
#include <string.h>

#include "switchd/agent/room.h"

enum { REPORT_ROOM = REPORT_MAX - 1024 };       /* for services; the rest is the header's */

struct agent_report {
	struct agent *a;
	agent_send_fn *send; void *arg;
	ev_timer soon, pace;
	bool up, first, under_way, due;
	bool was_first; size_t gone_sent;       /* of the report that is under way */
	name_text *gone; size_t n_gone;
	mono_us arrived;
};

/* ---- one service ---- */

static json_t *cut_text(const char *s, size_t most)
{
	char text[512];

	text_printable(text, most < sizeof(text) ? most + 1 : sizeof(text), s, strlen(s));
	return json_string(text);
}

static json_t *proxy_json(const struct keep_view *v, int level)
{
	bool refused = v->state == KEEP_REFUSED;
	const char *detail = refused ? v->refusal_detail : v->detail[0] ? v->detail : "";
	char value[PROXY_VALUE_TEXT];

	return json_pack("{s:s,s:s,s:s,s:o,s:s,s:b,s:I}", "name", v->cfg->name, "state", keep_state_name(v->state), "result",
			 proxy_result_name(refused ? v->refusal : v->result), "detail", cut_text(detail, level == 0 ? 200 : level == 1 ? 60 : 0), "value",
			 v->has_value ? proxy_value_text(&v->value, value) : "", "durable", v->durable, "us", (json_int_t)v->us);
}

/* Of each slot why a proxy could not be flipped to it, "" = each could; null while one was not asked of both. */
static json_t *ready_json(const struct local_service *s, int level)
{
	char why[2][200] = { "", "" };

	for (size_t i = 0; i < s->cfg->n_proxies; i++)
		for (int k = BLUE; k <= GREEN; k++) {
			const struct keep_view *v = keep_look(s->px[i]);

			if (v->ready[k] == N_PROXY_RESULTS)
				return json_null();
			if (v->ready[k] != PX_OK && !why[k][0])
				TEXT_FORMAT(why[k], "%s: %s%s%.120s", v->cfg->name, proxy_result_name(v->ready[k]), v->ready_detail[k][0] ? ": " : "", v->ready_detail[k]);
		}
	return json_pack("{s:o,s:o}", "blue", cut_text(why[BLUE], level == 0 ? 199 : 60), "green", cut_text(why[GREEN], level == 0 ? 199 : 60));
}

/* Servers of each slot that are up, and all of them: the fewest that a proxy shows up; null while none knows of both. */
static json_t *up_json(const struct local_service *s)
{
	int up[2] = { -1, -1 }, all[2] = { -1, -1 };

	for (size_t i = 0; i < s->cfg->n_proxies; i++)
		for (int k = BLUE; k <= GREEN; k++) {
			const struct keep_view *v = keep_look(s->px[i]);

			if (v->up[k] < 0 || (up[k] >= 0 && v->up[k] >= up[k]))
				continue;
			up[k] = v->up[k];
			all[k] = v->all[k];
		}
	if (up[BLUE] < 0 || up[GREEN] < 0)
		return json_null();
	return json_pack("{s:[i,i],s:[i,i]}", "blue", up[BLUE], all[BLUE], "green", up[GREEN], all[GREEN]);
}

/* By the slot that was active: answers that the other one gave in its place (or could not give either); null while that is not
 * known of both.  They are the proxies' own sums, and begin anew with them. */
static json_t *counts_json(const struct local_service *s, bool missed)
{
	json_int_t n[2] = { 0, 0 };
	bool known[2] = { false, false };

	for (size_t i = 0; i < s->cfg->n_proxies; i++)
		for (int k = BLUE; k <= GREEN; k++) {
			const struct keep_view *v = keep_look(s->px[i]);

			known[k] = known[k] || v->counted[k];
			if (v->counted[k])
				n[k] += (json_int_t)(missed ? v->missed[k] : v->caught[k]);
		}
	return known[BLUE] && known[GREEN] ? json_pack("{s:I,s:I}", "blue", n[BLUE], "green", n[GREEN]) : json_null();
}

json_t *agent_service_json(const struct local_service *s, int level)
{
	const struct proxy_value *shows = agent_service_shows(s);
	size_t most = level == 0 ? CONDEMNED_SAID : level == 1 ? 4 : 0;
	json_t *condemned = json_array(), *proxies = json_array();
	char why[400], version[VERSION_TEXT];
	int rank;
	const char *state = agent_service_state(s, why, sizeof(why), &rank);

	for (size_t i = 0; i < s->applied.n_seen && i < most; i++)
		json_array_append_new(condemned, json_string(s->applied.seen[s->applied.n_seen - 1 - i].release));
	for (size_t i = 0; i < s->cfg->n_proxies; i++)
		json_array_append_new(proxies, proxy_json(keep_look(s->px[i]), level));
	return json_pack("{s:s,s:o,s:s,s:s,s:b,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o}", "state", state, "why", cut_text(why, level == 0 ? 399 : 80),
			 "version", shows ? version_text(shows->v, version) : "0.0", "slot", shows ? slot_name(shows->slot) : "none", "shield",
			 shows && shows->shield, "cid", s->applied.cid, "release", s->applied.release, "condemned", condemned, "proxies", proxies, "up",
			 up_json(s), "ready", ready_json(s, level), "caught", counts_json(s, false), "missed", counts_json(s, true));
}

static char *service_text(const struct local_service *s)
{
	for (int level = 0; level < 3; level++) {
		json_t *j = agent_service_json(s, level);
		char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

		json_decref(j);
		if (text && strlen(text) <= REPORT_SERVICE_MAX)
			return text;
		free(text);
	}
	return xstrdup("{}");
}

/* ---- the header ---- */

static const char *worst(const struct agent *a, char *detail, size_t size)
{
	const char *status = "ok";
	int most = 0, rank;
	char why[400];

	detail[0] = '\0';
	for (size_t i = 0; i < a->n; i++) {
		const char *state = agent_service_state(a->services[i], why, sizeof(why), &rank);

		if (rank <= most)
			continue;
		most = rank;
		status = state;
		text_format(detail, size, "%s: %s", a->services[i]->cfg->name, why);
	}
	return status;
}

static void config_digest(const struct agent *a, char out[20])
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < a->n; i++)
		h = (h ^ a->services[i]->cfg->fingerprint) * UINT64_C(0x100000001b3);
	text_format(out, 20, "%016llx", (unsigned long long)h);
}

/* ---- sending ---- */

static void send_now(struct agent_report *r);

static void arrived(void *arg, bool ok, int64_t us)
{
	struct agent_report *r = arg;
	bool more = r->n_gone > r->gone_sent;

	(void)us;
	r->under_way = false;
	for (size_t i = 0; i < r->a->n; i++) {
		struct local_service *s = r->a->services[i];

		s->dirty = s->dirty || (s->sending && !ok);
		s->sending = false;
		more = more || s->dirty;
	}
	if (!ok) {
		r->first = r->first || r->was_first;
		return; /* with the next heartbeat */
	}
	if (r->gone) /* none were ever: there is no list */
		memmove(r->gone, r->gone + r->gone_sent, (r->n_gone - r->gone_sent) * sizeof(*r->gone));
	r->n_gone -= r->gone_sent;
	r->arrived = mono_now();
	if (more)
		send_now(r);
}

/* As many of what is dirty as there is room for. */
static size_t gather(struct agent_report *r, struct report_service *list, size_t most, char **texts)
{
	size_t n = 0, bytes = 0;

	for (r->gone_sent = 0; r->gone_sent < r->n_gone && n < most; n++)
		list[n] = (struct report_service){ r->gone[r->gone_sent++], "" };
	for (size_t i = 0; i < r->a->n && n < most; i++) {
		struct local_service *s = r->a->services[i];

		if (!s->dirty)
			continue;
		char *text = service_text(s);

		bytes += strlen(text) + strlen(s->cfg->name) + 16;
		if (bytes > REPORT_ROOM) {
			free(text);
			break;
		}
		s->dirty = false;
		s->sending = true;
		texts[n] = text;
		list[n++] = (struct report_service){ s->cfg->name, text };
	}
	return n;
}

static void send_now(struct agent_report *r)
{
	enum { MOST = 256 };
	struct report_service list[MOST];
	char *texts[MOST] = { 0 }, digest[20], detail[512];
	struct report p = { .v = r->a->v, .seq = r->a->seq, .first = r->first, .services = list };

	if (!r->up || r->under_way)
		return;
	p.n_services = gather(r, list, MOST, texts);
	if (!p.n_services && !r->due)
		return;
	p.status = worst(r->a, detail, sizeof(detail));
	p.detail = detail;
	config_digest(r->a, digest);
	p.digest = digest;
	r->due = false;
	r->was_first = r->first;
	r->first = false;
	r->under_way = true;
	r->send(r->arg, &p, arrived, r);
	for (size_t i = 0; i < MOST; i++)
		free(texts[i]);
}

static void on_soon(EV_P_ ev_timer *t, int revents)
{
	(void)revents;
	ev_timer_stop(EV_A_ t);
	send_now(t->data);
}

static void on_pace(EV_P_ ev_timer *t, int revents)
{
	struct agent_report *r = t->data;

	(void)loop;
	(void)revents;
	r->due = true;
	send_now(r);
}

/* ---- the face ---- */

void agent_report_soon(struct agent_report *r)
{
	if (!r || !r->up || ev_is_active(&r->soon))
		return;
	ev_timer_set(&r->soon, 0., 0.);
	ev_timer_start(r->a->loop, &r->soon);
}

void agent_report_up(struct agent_report *r, bool up)
{
	r->up = up;
	if (!up)
		return;
	r->first = r->due = true;
	for (size_t i = 0; i < r->a->n; i++)
		r->a->services[i]->dirty = true;
	agent_report_soon(r);
}

void agent_report_gone(struct agent_report *r, const char *service)
{
	r->gone = xrealloc(r->gone, (r->n_gone + 1) * sizeof(*r->gone));
	must(TEXT_COPY(r->gone[r->n_gone], service));
	r->n_gone++;
	agent_report_soon(r);
}

int64_t agent_report_age_ms(const struct agent_report *r) { return r->arrived.us ? mono_since_ms(mono_now(), r->arrived) : -1; }

void agent_report_pace(struct agent_report *r, int64_t ms)
{
	r->pace.repeat = (double)ms / 1000.;
	ev_timer_again(r->a->loop, &r->pace);
}

struct agent_report *agent_report_new(struct agent *a, agent_send_fn *send, void *arg)
{
	struct agent_report *r = xcalloc(1, sizeof(*r));

	r->a = a;
	r->send = send;
	r->arg = arg;
	ev_init(&r->soon, on_soon);
	ev_init(&r->pace, on_pace);
	r->soon.data = r->pace.data = r;
	agent_report_pace(r, a->now->cfg->agent_report_ms);
	return r;
}

void agent_report_free(struct agent_report **rp)
{
	struct agent_report *r = *rp;

	if (!r)
		return;
	*rp = NULL;
	ev_timer_stop(r->a->loop, &r->soon);
	ev_timer_stop(r->a->loop, &r->pace);
	free(r->gone);
	free(r);
}
