/* SPDX-License-Identifier: MIT
 * fleet.c - what agents say, and who has converged: on which version, and how long after the commit.
 *
 * An agent's word about a service is JSON of docs/fleet.md.  Where the configuration lists the agent as a proxy its
 * word is handed to that proxy's adapter, and counts like what a local proxy says.  Who is not listed is shown and counted,
 * and nothing waits for it.  Untrusted: a word that is none leaves the agent without one. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/core/fleet.h"
#include "switchd/engine/agent_word.h"
#include "switchd/engine/service.h"
#include "switchd/proxy/agent.h"

static bool is_controller(const char *name) { return text_starts(name, FLEET_CONTROLLER); }

/* ---- the fleet of a service ---- */

static size_t place_of(const struct fleet *f, const char *name, bool *there)
{
	return text_place(f->agents, f->n, sizeof(*f->agents), name, there);
}

static struct fleet_agent *place(struct service *s, const char *name)
{
	struct fleet *f = &s->fleet;
	bool there;
	size_t i = place_of(f, name, &there);

	if (there)
		return &f->agents[i];
	if (f->n == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 16;
		f->agents = xrealloc(f->agents, f->cap * sizeof(*f->agents));
	}
	memmove(&f->agents[i + 1], &f->agents[i], (f->n - i) * sizeof(*f->agents));
	memset(&f->agents[i], 0, sizeof(f->agents[i]));
	TEXT_COPY(f->agents[i].name, name);
	f->agents[i].value.slot = NO_SLOT;
	f->n++;
	return &f->agents[i];
}

static void drop(struct service *s, const char *name)
{
	struct fleet *f = &s->fleet;
	bool there;
	size_t i = place_of(f, name, &there);

	if (!there)
		return;
	memmove(&f->agents[i], &f->agents[i + 1], (f->n - i - 1) * sizeof(*f->agents));
	f->n--;
}

/* Who is not in the roster any more. */
static void drop_gone(struct service *s)
{
	for (size_t i = s->fleet.n; i-- > 0;)
		if (!store_agent_named(s->e->store, s->fleet.agents[i].name))
			drop(s, s->fleet.agents[i].name);
}

static struct px *listed(struct service *s, const char *name)
{
	for (size_t i = 0; i < s->cfg->n_proxies; i++)
		if (s->px[i].proxy && strcmp(s->cfg->proxies[i].type, "agent") == 0 && strcmp(s->cfg->proxies[i].name, name) == 0)
			return &s->px[i];
	return NULL;
}

static void converged_at(struct service *s, struct fleet_agent *a, int64_t us)
{
	if (!a->has_value || version_cmp(a->value.v, s->rec.v) < 0 || version_cmp(a->reached, a->value.v) == 0)
		return;
	a->reached = a->value.v;
	a->reached_us = us;
}

/* A version that would exhaust the counters once it were a floor is no word of an agent of ours (state.md 9). */
static bool is_bounded(const struct service *s, struct version v)
{
	uint64_t now = (uint64_t)(wall_now().ms / 1000), from = s->rec.v.gen > now ? s->rec.v.gen : now;

	return v.gen <= from + FLEET_AHEAD_S && v.epoch <= s->rec.v.epoch + FLEET_AHEAD_EPOCHS;
}

/* The agent leaves it alone, and nobody looks at its log: who leads says it. */
static void say_fight(struct service *s, const struct fleet_agent *a, const char *state)
{
	char text[PROXY_VALUE_TEXT];

	if (strcmp(state, "fight") == 0 && strcmp(a->state, state) != 0 && store_is_up(s->e->store))
		proxy_fight(s, a->name, PROXY_FIGHT, a->has_value ? proxy_value_text(&a->value, text) : a->why);
}

static void take_word(struct service *s, struct fleet_agent *a, const struct agent_service *word)
{
	struct agent_said said;
	struct agent_word *w = &said.word;

	a->word_us = word->us;
	if (!agent_word_parse(word->json, strlen(word->json), &said)) {
		a->word = (struct agent_word){ .result = PX_BAD_VALUE };
		TEXT_COPY(a->state, "unreadable");
		a->has_value = false;
		return;
	}
	if (w->has_value && !w->value.pin && !is_bounded(s, w->value.v)) {
		w->has_value = false;
		w->result = PX_BAD_VALUE;
		TEXT_COPY(w->detail, "it shows a version beyond all bounds");
	}
	/* A pin that it saw before it heard of this version is an old one: that version may be what ends it. */
	if (w->has_value && w->value.pin && (!said.told_known || version_cmp(said.told, s->rec.v) < 0))
		w->has_value = false;
	a->word = *w;
	a->has_value = w->has_value;
	a->value = w->value;
	TEXT_COPY(a->why, w->detail);
	say_fight(s, a, said.state);
	TEXT_COPY(a->state, said.state);
	a->told = said.told_known ? said.told : (struct version){ 0 };
	TEXT_COPY(a->cid, said.cid);
	memcpy(a->condemned, said.condemned, sizeof(a->condemned));
	a->n_condemned = said.n_condemned;
	converged_at(s, a, word->us);
}

static void take(struct service *s, const struct agent_seen *seen)
{
	const struct agent_service *word = agent_service(seen, s->cfg->name);
	struct px *p = listed(s, seen->name);
	struct fleet_agent *a;

	if (!word && !p) {
		drop(s, seen->name);
		return;
	}
	a = place(s, seen->name);
	a->heard = seen->heard;
	if (word && (word->us != a->word_us || !a->word_us)) {
		take_word(s, a, word);
		publish_change(s);
	}
	a->word.heard = seen->heard;
	if (p) {
		proxy_agent_told(p->proxy, &a->word, s->e->roster_since);
		p->next_poll = mono_now();
		px_look(p);
	}
}

static void heard(void *arg, const struct agent_seen *seen)
{
	struct engine *e = arg;

	if (seen && is_controller(seen->name)) {
		standby_others(e, seen);
		return;
	}
	if (!e->roster_since.us && store_agents_known(e->store))
		e->roster_since = mono_now();
	for (size_t i = 0; i < e->n; i++) {
		if (seen) {
			take(e->services[i], seen);
			continue;
		}
		for (size_t k = 0; k < store_agents(e->store); k++)
			if (!is_controller(store_agent(e->store, k)->name))
				take(e->services[i], store_agent(e->store, k));
	}
	for (size_t i = 0; !seen && i < e->n; i++)
		drop_gone(e->services[i]);
	if (!seen)
		for (size_t k = 0; k < store_agents(e->store); k++)
			if (is_controller(store_agent(e->store, k)->name))
				standby_others(e, store_agent(e->store, k));
}

/* ---- all of them ---- */

json_t *engine_agents(const struct engine *e)
{
	json_t *list = json_array();
	mono_us now = mono_now();

	for (size_t i = 0; i < store_agents(e->store); i++) {
		const struct agent_seen *a = store_agent(e->store, i);
		bool controller = is_controller(a->name);

		json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:I,s:s,s:s,s:s,s:I,s:I,s:I}", "name",
						      controller ? a->name + strlen(FLEET_CONTROLLER) : a->name, "role", controller ? "controller" : "agent",
						      "status", a->status, "seen_ms", (json_int_t)mono_since_ms(now, a->heard), "digest", a->digest,
						      "version", a->version, "detail", a->detail, "gen", (json_int_t)a->v.gen, "seq", (json_int_t)a->seq,
						      "services", (json_int_t)a->n_services));
	}
	return json_pack("{s:b,s:o}", "known", store_agents_known(e->store), "agents", list);
}

enum refusal engine_leads(const struct engine *e, char *why, size_t why_size)
{
	if (store_is_up(e->store))
		return RF_NONE;
	if (e->standby)
		standby_text(e, why, why_size);
	else
		text_format(why, why_size, "the store is away: %s", store_why_down(e->store));
	return e->standby ? RF_STANDBY : RF_STORE;
}

struct forgetting { engine_forgot_fn *done; void *arg; bool known; };

static void forgot(void *arg)
{
	struct forgetting *f = arg;

	f->done(f->arg, f->known);
	free(f);
}

static void forget(struct engine *e, const char *name)
{
	for (size_t i = 0; i < e->n; i++)
		drop(e->services[i], name);
	log_info("fleet", "agent=%s what=\"expected no more\"", name);
}

void engine_forget_agent(struct engine *e, const char *name, engine_forgot_fn *done, void *arg)
{
	struct forgetting *f = xcalloc(1, sizeof(*f));

	*f = (struct forgetting){ done, arg, store_agent_named(e->store, name) != NULL };
	forget(e, name);
	store_forget_agent(e->store, name, forgot, f);
}

static void nothing(void *arg) { (void)arg; }

/* Who leads lets go of those that did not report for a day, one a beat. */
void fleet_beat(struct engine *e)
{
	mono_us now = mono_now();

	for (size_t i = 0; store_is_up(e->store) && i < store_agents(e->store); i++) {
		const struct agent_seen *a = store_agent(e->store, i);
		id_text name;

		if (mono_since_ms(now, a->heard) < ROSTER_KEEPS_MS)
			continue;
		TEXT_COPY(name, a->name);
		forget(e, name);
		store_forget_agent(e->store, name, nothing, NULL);
		return;
	}
}

void fleet_start(struct engine *e) { store_watch_agents(e->store, heard, e); }

/* Another connection: who was silent until now may only not have been heard. */
void fleet_away(struct engine *e)
{
	e->roster_since = (mono_us){ 0 };
	for (size_t i = 0; i < e->n; i++)
		for (size_t k = 0; k < e->services[i]->fleet.n; k++) {
			struct px *p = listed(e->services[i], e->services[i]->fleet.agents[k].name);

			if (p)
				proxy_agent_told(p->proxy, &e->services[i]->fleet.agents[k].word, e->roster_since);
		}
}

/* New adapters know nothing of what was said before. */
void fleet_again(struct service *s)
{
	for (size_t i = 0; i < s->fleet.n; i++) {
		struct px *p = listed(s, s->fleet.agents[i].name);

		if (p)
			proxy_agent_told(p->proxy, &s->fleet.agents[i].word, s->e->roster_since);
	}
}

void fleet_free(struct service *s)
{
	free(s->fleet.agents);
	s->fleet = (struct fleet){ 0 };
}

/* The highest version that an agent shows, listed or not, if it is above what is known: what a store that lost commits is held
 * against.  The slot counts too by the word of one that is listed, or of two (state.md 9); where they disagree, by nobody's. */
void fleet_found(struct service *s, struct store_truth *t)
{
	unsigned votes[2] = { 0, 0 };
	bool found = false;

	for (size_t i = 0; i < s->fleet.n; i++) {
		const struct fleet_agent *a = &s->fleet.agents[i];
		int c = version_cmp(a->value.v, t->floor);

		if (!a->has_value || a->value.pin || a->value.slot > GREEN || c < 0 || (c == 0 && !found))
			continue;
		if (c > 0)
			votes[BLUE] = votes[GREEN] = 0;
		found = true;
		t->floor = a->value.v;
		votes[a->value.slot] += listed(s, a->name) ? 2 : 1;
	}
	if (found)
		t->floor_slot = votes[BLUE] && votes[GREEN] ? NO_SLOT : votes[BLUE] >= 2 ? BLUE : votes[GREEN] >= 2 ? GREEN : NO_SLOT;
	/* By which request it came to that: who is listed was told with the version. */
	for (size_t i = 0; i < s->fleet.n; i++) {
		const struct fleet_agent *a = &s->fleet.agents[i];

		if (listed(s, a->name) && a->has_value && !a->value.pin && a->value.slot == t->floor_slot && version_cmp(a->value.v, t->floor) == 0 &&
		    version_cmp(a->told, t->floor) == 0)
			TEXT_COPY(t->floor_cid, a->cid);
	}
}

/* ---- who has converged ---- */

static void wait_for(struct fleet_count *c, const char *name, const char *why, int64_t seen_ms)
{
	struct fleet_lag *l;

	if (c->n_waiting == ARRAY_LEN(c->waiting))
		return;
	l = &c->waiting[c->n_waiting++];
	TEXT_COPY(l->name, name);
	text_printable(l->why, sizeof(l->why), why, strlen(why)); /* it may be cut within a character, and no JSON is made of that */
	l->seen_ms = seen_ms;
}

static void took(struct fleet_count *c, int64_t us)
{
	if (us < 0 || c->n_took == ARRAY_LEN(c->took))
		return;
	c->took[c->n_took++] = us;
}

static void count_local(const struct service *s, const struct px *p, struct fleet_count *c)
{
	bool there = p->has_value && !p->socket_down && version_cmp(p->value.v, s->rec.v) >= 0;

	c->all++;
	c->converged += there;
	if (!there)
		wait_for(c, p->cfg->name, p->refused ? p->refused_why : p->socket_down ? "down" : "behind", -1);
	else if (s->decided_at.us && p->rc.acked && p->rc.acked_at.us >= s->decided_at.us)
		took(c, p->rc.acked_at.us - s->decided_at.us);
}

static void count_agent(const struct service *s, const struct fleet_agent *a, struct fleet_count *c)
{
	int64_t seen = a->heard.us ? mono_since_ms(mono_now(), a->heard) : -1;
	bool there = a->has_value && version_cmp(a->value.v, s->rec.v) >= 0 && seen >= 0 && seen < AGENT_SILENT_MS;
	char why[sizeof(c->waiting[0].why)];

	c->all++;
	c->converged += there;
	if (there) {
		if (s->commit_us && version_cmp(s->commit_v, s->rec.v) == 0 && version_cmp(a->reached, s->rec.v) == 0)
			took(c, a->reached_us - s->commit_us);
		return;
	}
	if (seen < 0)
		TEXT_COPY(why, "has never reported");
	else if (seen >= AGENT_SILENT_MS)
		TEXT_FORMAT(why, "silent");
	else if (strcmp(a->state, "ok") == 0 || !a->state[0])
		TEXT_COPY(why, "behind");
	else
		TEXT_FORMAT(why, "%s%s%.180s", a->state, a->why[0] ? ": " : "", a->why);
	wait_for(c, a->name, why, seen);
}

static int up(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int64_t at_percent(const struct fleet_count *c, size_t percent)
{
	size_t i = (c->n_took * percent + 99) / 100;

	return c->n_took ? c->took[i ? i - 1 : 0] : -1;
}

void fleet_counted(const struct service *s, struct fleet_count *c)
{
	c->converged = c->all = 0; /* the lists are long: what is not in use is left as it is */
	c->n_waiting = c->n_took = 0;
	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		bool known;

		if (strcmp(s->cfg->proxies[i].type, "agent") != 0) {
			count_local(s, &s->px[i], c);
			continue;
		}
		place_of(&s->fleet, s->cfg->proxies[i].name, &known);
		if (!known) {
			struct fleet_agent nobody = { .value.slot = NO_SLOT };

			TEXT_COPY(nobody.name, s->cfg->proxies[i].name);
			count_agent(s, &nobody, c);
		}
	}
	for (size_t k = 0; k < s->fleet.n; k++)
		count_agent(s, &s->fleet.agents[k], c);
	qsort(c->took, c->n_took, sizeof(c->took[0]), up);
	c->p50_us = at_percent(c, 50);
	c->p99_us = at_percent(c, 99);
	c->most_us = at_percent(c, 100);
}

json_t *fleet_json(const struct service *s)
{
	static struct fleet_count c;
	json_t *waiting = json_array(), *agents = json_array();
	char v[PROXY_VALUE_TEXT];

	fleet_counted(s, &c);
	for (size_t i = 0; i < c.n_waiting; i++)
		json_array_append_new(waiting, json_pack("{s:s,s:s,s:o}", "name", c.waiting[i].name, "why", c.waiting[i].why, "seen_ms",
							 c.waiting[i].seen_ms < 0 ? json_null() : json_integer(c.waiting[i].seen_ms)));
	for (size_t i = 0; i < s->fleet.n; i++) {
		const struct fleet_agent *a = &s->fleet.agents[i];
		const struct agent_seen *seen = store_agent_named(s->e->store, a->name);

		json_array_append_new(agents, json_pack("{s:s,s:s,s:s,s:o,s:b,s:s,s:s,s:o}", "name", a->name, "state", a->state, "why", a->why, "value",
							a->has_value ? json_string(proxy_value_text(&a->value, v)) : json_null(), "listed",
							listed((struct service *)s, a->name) != NULL, "digest", seen ? seen->digest : "", "version",
							seen ? seen->version : "", "seen_ms",
							a->heard.us ? json_integer(mono_since_ms(mono_now(), a->heard)) : json_null()));
	}
	return json_pack("{s:i,s:i,s:o,s:o,s:o,s:o,s:o}", "converged", c.converged, "all", c.all, "p50_us",
			 c.p50_us < 0 ? json_null() : json_integer(c.p50_us), "p99_us", c.p99_us < 0 ? json_null() : json_integer(c.p99_us), "most_us",
			 c.most_us < 0 ? json_null() : json_integer(c.most_us), "waiting", waiting, "agents", agents);
}
