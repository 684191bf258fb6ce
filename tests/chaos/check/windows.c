/* SPDX-License-Identifier: MIT
 * windows.c - spans in which something was broken on purpose, made of what the driver told.
 *
 * A span excuses a failed request only when it could have caused it: the slot that was asked, the path
 * that was lost, the front that was down.  What a claim's holder does to the slot it was given is no
 * excuse for anything: nobody may be sent there. */
#include "tests/chaos/check/check.h"

struct spans broken, proxy_out, proxy_reload, nobody;

static const struct { const char *feature, *path; } paths[] = {
	{ "home", "/" }, { "quotes", "/api/quotes" }, { "expenses", "/expenses" }, { "invoices", "/api/invoices" }, { "customers", "/api/customers" },
	{ "reports", "/api/reports" },
};

static struct span *open_span(struct spans *list, int64_t from, const char *name)
{
	GROW(list->s, list->n, list->cap);
	struct span *s = &list->s[list->n++];

	memset(s, 0, sizeof(*s));
	s->from = from;
	s->to = INT64_MAX;
	snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

/* "blue-2": slot and number. */
static bool target_name(const char *name, int *slot, int *n)
{
	*slot = slot_of(name);
	const char *dash = strchr(name, '-');
	if (!*slot || !dash)
		return false;
	*n = (int)strtol(dash + 1, NULL, 10);
	return true;
}

enum { END_SEEN_US = 100000 };  /* an ended process is noticed so late at most */

/* Those that began until `begun`. */
static void close_losses(int slot, int target, const char *path, int64_t begun, int64_t at)
{
	for (size_t i = 0; i < broken.n; i++) {
		struct span *s = &broken.s[i];

		if (s->to != INT64_MAX || s->from > begun || s->slot != slot || strcmp(s->name, "lost") != 0)
			continue;
		if ((target && s->target && s->target != target) || (target && !s->target) || (*path && strcmp(s->path, path) != 0))
			continue;
		s->to = at;
	}
}

static const char *path_of(const char *feature)
{
	for (size_t i = 0; i < FAKE_LEN(paths); i++)
		if (strcmp(paths[i].feature, feature) == 0)
			return paths[i].path;
	return "";
}

static void app_line(const struct line *l)
{
	char verb[16], feature[32] = "", how[32] = "";
	int slot = slot_of(field(l, "slot")), target = (int)field_number(l, "target");

	if (sscanf(field(l, "what"), "%15s %31s %31s", verb, feature, how) < 2)
		return;
	if (strcmp(verb, "lose") == 0) {
		struct span *s = open_span(&broken, l->at, "lost");

		s->slot = slot;
		s->target = target;
		snprintf(s->path, sizeof(s->path), "%s", path_of(feature));
		snprintf(s->what, sizeof(s->what), "%.15s", how);
	} else if (field_is(l, "ok", "1"))
		close_losses(slot, target, path_of(feature), l->at, l->at);
}

/* Targets die and freeze by storm alone; while its slot is filled they are the holder's. */
static void target_line(const struct line *l, const bool filling[3])
{
	int slot, n;

	if (!target_name(field(l, "name"), &slot, &n))
		return;
	const char *what = field(l, "what");
	if ((strcmp(what, "kill") == 0 || strcmp(what, "stop") == 0) && !filling[slot]) {
		struct span *s = open_span(&broken, l->at, "dead");

		s->slot = slot;
		s->target = n;
	} else if (strcmp(what, "started") == 0 || strcmp(what, "cont") == 0)
		for (size_t i = 0; i < broken.n; i++) {
			struct span *s = &broken.s[i];

			/* A moment for HAProxy to see that it is there again, and for what waited in its socket. */
			if (s->to == INT64_MAX && s->slot == slot && s->target == n && strcmp(s->name, "dead") == 0)
				s->to = l->at + 2000000;
		}
}

/* The proxy is itself again: it answers, and shows no less than it did before. */
static int64_t recovered(const struct front *f, int64_t from, int64_t back)
{
	struct version most = { 0 };
	int64_t answered = INT64_MAX, shown = INT64_MAX;
	size_t i = 0;

	for (; i < f->n_shown && f->shown[i].t1 <= from; i++)
		if (f->shown[i].there && f->shown[i].v.kind == V_OURS && version_cmp(f->shown[i].v.v, most) > 0)
			most = f->shown[i].v.v;
	for (; i < f->n_shown; i++)
		if (f->shown[i].t0 >= back && f->shown[i].there && (f->shown[i].v.kind == V_PIN || (f->shown[i].v.kind == V_OURS && version_cmp(f->shown[i].v.v, most) >= 0))) {
			shown = f->shown[i].t1;
			break;
		}
	for (size_t k = 0; k < f->n_poll; k++)
		if (f->poll[k].t0 >= back && f->poll[k].status == 200) {
			answered = f->poll[k].t1;
			break;
		}
	if (answered == INT64_MAX || shown == INT64_MAX)
		return INT64_MAX;
	return (answered > shown ? answered : shown) + 500000;
}

static void proxy_line(const struct run *r, const struct line *l)
{
	int front = (int)strtol(field(l, "name") + strlen("haproxy-"), NULL, 10);
	const char *what = field(l, "what");

	if (front < 1 || front > r->n_fronts)
		return;
	if (strcmp(what, "kill") == 0 || strcmp(what, "term") == 0 || strcmp(what, "stop") == 0) {
		struct span *s = open_span(&proxy_out, l->at, what);

		s->front = front;
	} else if (strcmp(what, "started") == 0 || strcmp(what, "cont") == 0)
		for (size_t i = 0; i < proxy_out.n; i++)
			if (proxy_out.s[i].front == front && proxy_out.s[i].to == INT64_MAX && proxy_out.s[i].from < l->at)
				proxy_out.s[i].to = recovered(&r->front[front], proxy_out.s[i].from, l->at);
}

static void foreign_line(const struct run *r, const struct line *l)
{
	int front = (int)field_number(l, "front");
	const struct front *f = &r->front[front];
	struct span *s = open_span(&proxy_out, l->at, "foreign");

	s->front = front;
	s->slot = value_parse(field(l, "value")).slot;
	/* Until it was seen and put right; never seen: it was put right between two looks. */
	s->to = l->at + 200000;
	for (size_t i = 0; i < f->n_shown; i++)
		if (f->shown[i].t0 >= l->at && f->shown[i].there && strcmp(f->shown[i].v.text, field(l, "value")) == 0)
			s->to = f->shown[i].t1 + 200000;
}

/* The old process answers until it ends; hard-stop-after 10s ends it. */
static void reload_line(const struct run *r, size_t at)
{
	const struct line *l = &r->lines[at];
	int front = (int)strtol(field(l, "name") + strlen("haproxy-"), NULL, 10);

	if (front < 1 || front > r->n_fronts || !field_is(l, "what", "begin"))
		return;
	struct span *s = open_span(&proxy_reload, l->at, "reload");
	s->front = front;
	s->to = l->at + 11000000;
	for (size_t i = at; i < r->n_lines && r->lines[i].at < s->to; i++)
		if (strcmp(r->lines[i].word, "proc") == 0 && field_is(&r->lines[i], "what", "ended") && strcmp(field(&r->lines[i], "pid"), field(l, "old")) == 0)
			s->to = r->lines[i].at + END_SEEN_US;
}

/* ---- when nobody decides ---- */

enum { MAX_DECIDERS = 16 };
static struct { char name[32]; bool down; } deciders[MAX_DECIDERS];
static size_t n_deciders;

static void decider_line(const struct line *l, int expected)
{
	const char *name = field(l, "name"), *what = field(l, "what");
	size_t i = 0, down = 0;

	if (strncmp(name, "switchd-", 8) != 0 && strncmp(name, "agent-", 6) != 0)
		return;
	for (; i < n_deciders && strcmp(deciders[i].name, name) != 0; i++)
		;
	if (i == n_deciders) {
		if (n_deciders == MAX_DECIDERS)
			return;
		snprintf(deciders[n_deciders++].name, sizeof(deciders[0].name), "%.31s", name);
	}
	if (strcmp(what, "ended") == 0 || strcmp(what, "stop") == 0)
		deciders[i].down = true;
	/* A stopped one that is killed, or continued to be ended, is still not deciding; started or continued it is. */
	if (strcmp(what, "started") == 0 || strcmp(what, "cont") == 0)
		deciders[i].down = false;
	for (size_t k = 0; k < n_deciders; k++)
		down += deciders[k].down;
	bool none = (int)n_deciders == expected && down == n_deciders;
	bool open = nobody.n && nobody.s[nobody.n - 1].to == INT64_MAX;
	if (none && !open)
		(void)open_span(&nobody, l->at, "nobody");
	else if (!none && open)
		nobody.s[nobody.n - 1].to = l->at;
}

void windows_make(const struct run *r)
{
	bool filling[3] = { false };
	int64_t since[3] = { 0 };
	int expected = site_count(r, "controllers") + site_count(r, "agents");

	for (size_t i = 0; i < r->n_lines; i++) {
		const struct line *l = &r->lines[i];

		if (strcmp(l->word, "app") == 0)
			app_line(l);
		else if (strcmp(l->word, "fill") == 0) {
			int slot = slot_of(field(l, "slot"));

			filling[slot] = field_is(l, "what", "begin");
			/* Target by target gives way to a new one: what was lost before is lost until the last of them did. */
			if (filling[slot])
				since[slot] = l->at;
			else
				close_losses(slot, 0, "", since[slot], l->at);
		} else if (strcmp(l->word, "foreign") == 0)
			foreign_line(r, l);
		else if (strcmp(l->word, "reload") == 0)
			reload_line(r, i);
		else if (strcmp(l->word, "proc") == 0) {
			target_line(l, filling);
			if (strncmp(field(l, "name"), "haproxy-", 8) == 0)
				proxy_line(r, l);
			decider_line(l, expected);
		}
	}
}

/* ---- who may answer ---- */

static const struct span *meets(const struct spans *list, int front, int64_t t0, int64_t t1, const struct span *after)
{
	for (const struct span *s = after ? after + 1 : list->s; s && s < list->s + list->n; s++)
		if (s->front == front && s->from <= t1 && s->to >= t0)
			return s;
	return NULL;
}

static size_t first_after(const struct front *f, int64_t t)
{
	size_t low = 0, high = f->n_shown;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (f->shown[mid].t0 < t)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Versions that a front may have had between two looks: those that the events know of. */
static void between(const struct run *r, struct version low, struct version high, unsigned *bits, bool *shield)
{
	static const struct event **moves;
	static size_t n, cap;

	if (!moves)
		for (size_t i = 0; i < r->n_events; i++)
			if (r->events[i].to && version_cmp(r->events[i].to_v, r->events[i].from_v) != 0) {
				GROW(moves, n, cap);
				moves[n++] = &r->events[i];
			}
	for (size_t i = 0; i < n; i++)
		if (version_cmp(moves[i]->to_v, low) > 0 && version_cmp(moves[i]->to_v, high) < 0) {
			*bits |= 1u << moves[i]->to;
			*shield = true;
		}
}

/* The highest version that anybody may have been told by then, and one more. */
static struct version decided_by(const struct run *r, int64_t t)
{
	struct version top = { 0 };

	for (size_t i = 0; i < r->n_events; i++)
		if (r->events[i].to && r->events[i].at <= t && version_cmp(r->events[i].to_v, top) > 0)
			top = r->events[i].to_v;
	top.epoch++;
	return top;
}

unsigned slots_allowed(const struct run *r, int front, int64_t t0, int64_t t1, bool *shield)
{
	const struct front *f = &r->front[front];
	struct version low = { UINT64_MAX, 0 }, high = { 0 };
	unsigned bits = 0;

	*shield = false;
	/* While a process gives way to another, either may answer: what either showed counts. */
	for (const struct span *s = meets(&proxy_out, front, t0, t1, NULL); s; s = meets(&proxy_out, front, t0, t1, s)) {
		t0 = s->from < t0 ? s->from : t0;
		t1 = s->to > t1 ? s->to : t1;
		if (strcmp(s->name, "foreign") == 0 && s->slot) { /* it may have stood between two looks */
			bits |= 1u << s->slot;
			*shield = true;
		}
	}
	int64_t told = t1, answered = t1;
	bool leaves = false;
	for (const struct span *s = meets(&proxy_reload, front, t0, t1, NULL); s; s = meets(&proxy_reload, front, t0, t1, s)) {
		t0 = s->from < t0 ? s->from : t0;
		/* The one that leaves was told what the new one, which is asked now, learns a little later. */
		told = s->to > told && told != INT64_MAX ? s->to : told;
		leaves = true;
	}
	t1 = told;
	size_t from = first_after(f, t0), to = t1 == INT64_MAX ? f->n_shown : first_after(f, t1);
	while (from > 0 && !(f->shown[from - 1].there && f->shown[from - 1].t1 <= t0))
		from--;
	from -= from > 0;
	while (to < f->n_shown && !f->shown[to].there)
		to++;
	for (size_t i = from; i <= to && i < f->n_shown; i++) {
		const struct shown *s = &f->shown[i];

		if (!s->there || !s->v.slot)
			continue;
		bits |= 1u << s->v.slot;
		*shield = *shield || s->v.shield;
		if (s->v.kind != V_OURS) {
			*shield = true;         /* what stood beside the pin is not known */
			continue;
		}
		if (version_cmp(s->v.v, low) < 0)
			low = s->v.v;
		if (version_cmp(s->v.v, high) > 0)
			high = s->v.v;
	}
	/* A little later may be after the reload: its map file was read before that version was in it. */
	struct version top = leaves ? decided_by(r, answered) : (struct version){ 0 };
	if (version_cmp(top, high) > 0)
		high = top;
	if (version_cmp(low, high) < 0)
		between(r, low, high, &bits, shield);
	return bits;
}
