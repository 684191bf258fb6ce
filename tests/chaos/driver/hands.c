/* SPDX-License-Identifier: MIT
 * hands.c - the lane of orders: one after the other, drawn from the seed, as fast as they are answered.
 *
 * What an order does, and to which answer it leads, is told; whether it may be given at all is seen
 * first, and an order that makes no sense now is vetoed, which is told too. */
#include "tests/chaos/driver/driver.h"

enum { LANE = 2, CALM_LANE = 3, MAX_KINDS = 64 };
static _Atomic bool wanted;
static int next_id, next_request;

bool hands_wanted(void) { return wanted; }
void hands_stop(void) { wanted = false; }

/* One line of JSON, cut where it is long: what the checker needs stands in front. */
static void tell_answer(const struct op *o, const char *verb, const char *rid, const struct said *s, int64_t begun)
{
	static const char *const keep[] = { "status", "outcome", "code", "because", "active", "etag", "dup", "deploy", "epoch", "phase", "claim", "slot" };
	const char *brace = strchr(s->out, '{');
	json_t *all = brace ? json_loads(brace, JSON_DISABLE_EOF_CHECK, NULL) : NULL, *few = json_object();

	for (size_t i = 0; i < FAKE_LEN(keep); i++) {
		json_t *v = json_object_get(all, keep[i]);

		if (v && !json_is_object(v))
			json_object_set(few, keep[i], v);
	}
	char *text = json_dumps(few, JSON_COMPACT);
	say("order\tid=%d\top=%s\tverb=%s\trid=%s\twhat=said\texit=%d\tlate=%d\tsent=%lld\tjson=%s", o->id, o->name, verb, rid, s->exit, s->late, (long long)begun, text);
	if (!all)
		say("order\tid=%d\twhat=text\ttext=%.300s", o->id, s->out);
	free(text);
	json_decref(few);
	json_decref(all);
}

int order(struct op *o, long timeout_ms, const char *verb, char *const more[], struct said *s)
{
	char url[600], rid[80], why[80], time_left[32];
	char *argv[48];
	size_t n = 0;
	int to = 1;

	for (int i = 1; i <= rig.n_controllers; i++)
		if (rig.n_controllers > 1 && eye_look(i).leads) {
			to = i;
			break;
		}
	snprintf(url, sizeof(url), "unix:%s", site("socket%d", to));
	snprintf(rid, sizeof(rid), "chaos-%d-%d", o->id, ++next_request);
	snprintf(why, sizeof(why), "%s %d", o->name, o->id);
	snprintf(time_left, sizeof(time_left), "%ldms", timeout_ms);
	char word[32];
	snprintf(word, sizeof(word), "%s", verb);
	char *second = strchr(word, ' ');
	if (second)
		*second++ = '\0';
	char *const base[] = { (char *)site("switchctl"), (char *)"--url", url, (char *)"--json", (char *)"--no-input", (char *)"--timeout", time_left,
			       word, second ? second : (char *)site("service"), (char *)"-m", why };
	for (size_t i = 0; i < FAKE_LEN(base); i++)
		argv[n++] = base[i];
	if (second)
		argv[n++] = (char *)site("service");
	bool told = false;
	for (size_t i = 0; more && more[i] && n < FAKE_LEN(argv) - 3; i++) {
		if (strcmp(more[i], "--request-id") == 0) {
			told = true;
			snprintf(rid, sizeof(rid), "%s", more[i + 1]);
		}
		argv[n++] = more[i];
	}
	if (!told) {
		argv[n++] = (char *)"--request-id";
		argv[n++] = rid;
	}
	argv[n] = NULL;
	int64_t begun = now_us();
	const char *release = "";
	for (size_t i = 0; more && more[i] && more[i + 1]; i++)
		if (strcmp(more[i], "--release") == 0)
			release = more[i + 1];
	say("order\tid=%d\top=%s\tverb=%s\trid=%s\twhat=sent\tto=%d\trelease=%s", o->id, o->name, verb, rid, to, release);
	task(s, timeout_ms + 10000, argv);
	tell_answer(o, verb, rid, s, begun);
	return s->exit;
}

bool hands_repair(const struct view *v)
{
	struct op o = { .id = ++next_id, .name = "repair" };
	static struct said s;

	if (!v->there || !v->bad)
		return false;
	(void)order(&o, 4000, "state repair", ((char *[]){ (char *)"-y", NULL }), &s);
	return true;
}

/* What an order before left standing ends before the next one: a pipeline that failed gives back what it took. */
static bool tidy(const struct view *v)
{
	struct op o = { .id = ++next_id, .name = "tidy" };
	static struct said s;

	if (!v->there)
		return false;
	if (hands_repair(v))
		return true;
	if (strcmp(v->phase, "filling") == 0)
		(void)order(&o, 4000, "unclaim", ((char *[]){ (char *)"--force", NULL }), &s);
	else if (strcmp(v->phase, "ready") == 0)
		(void)order(&o, 4000, "abort", NULL, &s);
	else if (strcmp(v->phase, "stuck") == 0)
		(void)order(&o, 4000, "flip", ((char *[]){ (char *)"-y", NULL }), &s);
	else if (v->held || v->pinned)
		(void)order(&o, 4000, "resume", NULL, &s);
	else if (v->sealed)
		(void)order(&o, 4000, "unseal", NULL, &s);
	else
		return false;
	return true;
}

/* A move that needs a way back, where there is none, gives way to a deploy: what makes one. */
static const struct op_kind *instead(const struct op_kind *k, const struct view *v)
{
	return k->needs_target && v->there && !v->target[0] ? &ops[0] : k;
}

static void lane(uint64_t round, uint64_t which, bool calm, int64_t until)
{
	static int weights[MAX_KINDS];
	size_t n = 0;

	for (; ops[n].name; n++)
		weights[n] = calm ? ops[n].calm : ops[n].weight;
	struct draw d = draw_begin(rig.seed, round, which);
	for (uint64_t i = 0; wanted && now_us() < until; i++) {
		const struct op_kind *k = &ops[draw_weighted(&d, weights, n)];
		/* An op's own draws are its own: how many it needs moves nothing after it. */
		struct op o = { .id = ++next_id, .dice = draw_begin(rig.seed ^ draw_next(&d), round, which + i), .name = k->name };
		struct view v = eye_leader();

		/* In the storm an order comes when it comes; in the calm it waits until traffic is at rest. */
		for (int tries = 0; calm && tries < 60 && v.there && (strcmp(v.phase, "baking") == 0 || strcmp(v.phase, "flipping") == 0 || strcmp(v.phase, "reverting") == 0); tries++) {
			usleep(50000);
			v = eye_leader();
		}
		if (tidy(&v))
			v = eye_leader();
		if (!v.there) {
			usleep(100000);
			if (i % 4)
				continue;
		}
		k = instead(k, &v);
		say("op\tid=%d\tname=%s\tran=%s\twhat=begin\tphase=%s\tactive=%s\tetag=%s", o.id, o.name, k->name, v.phase, v.active, v.etag);
		k->run(&o, &v);
		say("op\tid=%d\tname=%s\twhat=end", o.id, o.name);
		usleep((useconds_t)draw_between(&o.dice, 0, 100) * 1000);
	}
}

void *hands_round(void *arg)
{
	wanted = true;
	lane((uint64_t)(uintptr_t)arg, LANE, false, INT64_MAX);
	return NULL;
}

void hands_calm(long round, long ms)
{
	wanted = true;
	lane((uint64_t)round, CALM_LANE, true, now_us() + ms * 1000);
}
