/* SPDX-License-Identifier: MIT
 * ops.c - what people and pipelines do: one function each, from the order to the moment it is over. */
#include "tests/chaos/driver/driver.h"

#define WORDS(...) ((char *[]){ __VA_ARGS__, NULL })
#define W(s) ((char *)(s))
enum { SHORT = 4000, LONG = 8000 };

static struct said answer;              /* of the lane of orders: one thread */
static struct { const char *feature, *how; } const losses[] = {
	{ "quotes", "404" }, { "quotes", "500" }, { "expenses", "503" }, { "invoices", "404" }, { "customers", "500" }, { "reports", "404" },
	{ "quotes", "reset" }, { "expenses", "kill-worker" }, { "reports", "cut" }, { "quotes", "empty" },
};

static void vetoed(const struct op *o, const struct view *v)
{
	say("op\tid=%d\twhat=veto\twhy=%s%s%s%s%s", o->id, v->there ? v->phase : "nobody leads", v->held ? ", held" : "", v->pinned ? ", pinned" : "",
	    v->claimed ? ", claimed" : "", v->sealed ? ", sealed" : "");
}

static bool at_rest(const struct op *o, const struct view *v)
{
	if (v->there && strcmp(v->phase, "steady") == 0 && !v->held && !v->pinned && !v->claimed)
		return true;
	vetoed(o, v);
	return false;
}

/* A member of the last answer. */
static bool said_text(const char *name, char *out, size_t size)
{
	const char *brace = strchr(answer.out, '{');
	json_t *o = brace ? json_loads(brace, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
	const char *s = json_string_value(json_object_get(o, name));

	snprintf(out, size, "%s", s ? s : "");
	json_decref(o);
	return out[0] != '\0';
}

/* Waits until the phase is one of those; false: not in time. */
static bool until_phase(const char *phases, const char *active, long ms)
{
	for (int64_t deadline = now_us() + ms * 1000; now_us() < deadline; usleep(30000)) {
		struct view v = eye_leader();

		if (v.there && strstr(phases, v.phase) && (!active || strcmp(v.active, active) == 0))
			return true;
	}
	return false;
}

static bool claim(struct op *o, const char *release, char *slot, size_t slot_size, char *id, size_t id_size)
{
	return order(o, SHORT, "claim", WORDS(W("--release"), W(release)), &answer) == 0 && said_text("slot", slot, slot_size) && said_text("claim", id, id_size);
}

/* Claims, fills, and announces; the slot is only touched once the claim is acknowledged. */
static int deploy(struct op *o, const char *wait, const char *feature, const char *how, char *slot, size_t slot_size, char *release, size_t release_size)
{
	char id[96];

	snprintf(release, release_size, "r%d", o->id);
	if (!claim(o, release, slot, slot_size, id, sizeof(id)))
		return -1;
	if (!app_fill(slot, release))
		return -1;
	if (feature)
		(void)app_tell(slot, 0, "lose %s %s", feature, how);
	return order(o, LONG, "deploy", WORDS(W("--slot"), slot, W("--release"), release, W("--claim"), id, W("--wait"), W(wait)), &answer);
}

static void op_deploy(struct op *o, const struct view *v)
{
	static const char *const waits[] = { "flipped", "baked", "baked", "none" };
	char slot[16] = "", release[32];

	if (at_rest(o, v))
		(void)deploy(o, waits[draw_between(&o->dice, 0, 3)], NULL, NULL, slot, sizeof(slot), release, sizeof(release));
}

/* It lacks something from the beginning: refused, traffic never moves. */
static void op_deploy_lacking(struct op *o, const struct view *v)
{
	size_t i = (size_t)draw_between(&o->dice, 0, FAKE_LEN(losses) - 1);
	char slot[16] = "", release[32];

	if (!at_rest(o, v))
		return;
	(void)deploy(o, "flipped", losses[i].feature, losses[i].how, slot, sizeof(slot), release, sizeof(release));
	if (slot[0])
		(void)app_tell(slot, 0, "restore all");
}

/* The active slot loses a feature: traffic goes back where it may, and the feature is restored in the end. */
static void lose(struct op *o, const char *slot, long ms)
{
	size_t i = (size_t)draw_between(&o->dice, 0, FAKE_LEN(losses) - 1);
	int64_t begin = now_us();

	(void)app_tell(slot, 0, "lose %s %s", losses[i].feature, losses[i].how);
	bool back = until_phase("steady stuck", other_slot(slot), ms);
	say("lost\tid=%d\tslot=%s\tfeature=%s\thow=%s\tback=%d\tms=%lld", o->id, slot, losses[i].feature, losses[i].how, back, (long long)(now_us() - begin) / 1000);
	(void)app_tell(slot, 0, "restore all");
}

static void op_lose_in_bake(struct op *o, const struct view *v)
{
	char slot[16] = "", release[32];

	if (!at_rest(o, v) || deploy(o, "flipped", NULL, NULL, slot, sizeof(slot), release, sizeof(release)) != 0)
		return;
	usleep((useconds_t)draw_between(&o->dice, 0, 300) * 1000);
	lose(o, slot, 4000);
}

static void op_lose_later(struct op *o, const struct view *v)
{
	if (at_rest(o, v) && v->active[0])
		lose(o, v->active, 3000);
}

static void op_flip(struct op *o, const struct view *v)
{
	if (at_rest(o, v))
		(void)order(o, SHORT, "flip", WORDS(W("-y")), &answer);
}

/* Passes from any phase with an active slot, held or not. */
static void op_rollback(struct op *o, const struct view *v)
{
	if (v->pinned)
		vetoed(o, v);
	else
		(void)order(o, SHORT, "rollback", WORDS(W("-y")), &answer);
}

static void op_flip_and_back(struct op *o, const struct view *v)
{
	if (!at_rest(o, v) || order(o, SHORT, "flip", WORDS(W("-y")), &answer) != 0)
		return;
	usleep((useconds_t)draw_between(&o->dice, 0, 200) * 1000);
	(void)order(o, SHORT, "rollback", WORDS(W("-y")), &answer);
}

static void op_drill(struct op *o, const struct view *v)
{
	if (at_rest(o, v))
		(void)order(o, LONG, "drill", WORDS(W("-y")), &answer);
}

/* Held: nothing goes forward, a rollback passes (I14 is seen by the checker between the two answers). */
static void op_hold(struct op *o, const struct view *v)
{
	if (!v->there || v->held || v->pinned) {
		vetoed(o, v);
		return;
	}
	int set = order(o, SHORT, "hold", NULL, &answer);
	if (draw_between(&o->dice, 0, 1))
		(void)order(o, SHORT, "flip", WORDS(W("-y")), &answer);
	else
		(void)order(o, SHORT, "claim", WORDS(W("--release"), W("rheld")), &answer);
	if (draw_between(&o->dice, 0, 1))
		(void)order(o, SHORT, "rollback", WORDS(W("-y")), &answer);
	/* Now and then it stands while other things die (I14). */
	usleep((useconds_t)draw_between(&o->dice, 0, draw_between(&o->dice, 0, 4) ? 800 : 5000) * 1000);
	if (set == 0 || set == 13)
		(void)order(o, SHORT, "resume", NULL, &answer);
}

static void op_claim_and_back(struct op *o, const struct view *v)
{
	char slot[16] = "", id[96];

	if (!at_rest(o, v) || !claim(o, "rnever", slot, sizeof(slot), id, sizeof(id)))
		return;
	usleep((useconds_t)draw_between(&o->dice, 0, 300) * 1000);
	(void)order(o, SHORT, "unclaim", WORDS(W("--claim"), id), &answer);
}

/* Ready, then a person promotes or aborts it. */
static void op_ready(struct op *o, const struct view *v)
{
	char slot[16] = "", release[32];

	if (!at_rest(o, v) || deploy(o, "ready", NULL, NULL, slot, sizeof(slot), release, sizeof(release)) != 0)
		return;
	if (draw_between(&o->dice, 0, 2))
		(void)order(o, SHORT, "flip", WORDS(W("-y")), &answer);
	else
		(void)order(o, SHORT, "abort", NULL, &answer);
}

/* A10: three at once on one version; the checker sees that at most one was done. */
struct rival { struct op op; char epoch[32]; pthread_t thread; int exit; };
static void *rival(void *arg)
{
	struct rival *r = arg;
	struct said *s = need(malloc(sizeof(*s)));

	r->exit = order(&r->op, SHORT, "flip", WORDS(W("-y"), W("--if-epoch"), r->epoch), s);
	free(s);
	return NULL;
}

static void op_contend(struct op *o, const struct view *v)
{
	struct rival r[3];
	int done = 0;

	const char *dot = strchr(v->etag, '.');
	if (!at_rest(o, v) || !dot)
		return;
	for (size_t i = 0; i < FAKE_LEN(r); i++) {
		r[i] = (struct rival){ .op = *o };
		snprintf(r[i].epoch, sizeof(r[i].epoch), "%s", dot + 1);
		pthread_create(&r[i].thread, NULL, rival, &r[i]);
	}
	for (size_t i = 0; i < FAKE_LEN(r); i++) {
		pthread_join(r[i].thread, NULL);
		done += r[i].exit == 0;
	}
	say("contend\tid=%d\tetag=%s\tdone=%d", o->id, v->etag, done);
}

/* A11: the same request twice is done once. */
static void op_repeat(struct op *o, const struct view *v)
{
	char rid[64];

	if (!at_rest(o, v))
		return;
	snprintf(rid, sizeof(rid), "chaos-twice-%d", o->id);
	int first = order(o, SHORT, "flip", WORDS(W("-y"), W("--request-id"), rid), &answer);
	if (first == 0 || first == 13)
		(void)order(o, SHORT, "flip", WORDS(W("-y"), W("--request-id"), rid), &answer);
}

static void op_seal(struct op *o, const struct view *v)
{
	if (!at_rest(o, v) || v->sealed)
		return;
	if (order(o, SHORT, "seal", NULL, &answer) != 0)
		return;
	usleep((useconds_t)draw_between(&o->dice, 0, 300) * 1000);
	(void)order(o, SHORT, "unseal", NULL, &answer);
}

static void op_note(struct op *o, const struct view *v)
{
	(void)v;
	(void)order(o, SHORT, "note", NULL, &answer);
}

/* Past daemon and store: what stands then is the pin, until a person ends it. */
static void op_pin(struct op *o, const struct view *v)
{
	if (!at_rest(o, v) || !v->whole[0] || !v->whole[1])
		return;
	say("pin\tid=%d\tslot=%s\twhat=sent", o->id, other_slot(v->active));
	for (int i = 1; i <= rig.n_fronts; i++) {
		char name[24];

		snprintf(name, sizeof(name), "pin_config%d", i);
		if (!site_has(name))
			continue;
		task(&answer, SHORT, WORDS(W(site("switchctl")), W("--config"), W(site("pin_config%d", i)), W("--direct"), W("proxy"), W("pin"), W(site("service")), W(other_slot(v->active))));
		say("pin\tid=%d\tslot=%s\twhat=said\texit=%d\ttext=%.200s", o->id, other_slot(v->active), answer.exit, answer.out);
	}
	usleep((useconds_t)draw_between(&o->dice, 200, 1200) * 1000);
	(void)order(o, SHORT, "resume", NULL, &answer);
}

static void op_reload(struct op *o, const struct view *v)
{
	(void)v;
	proc_signal(proc_named("switchd-%d", (int)draw_between(&o->dice, 1, rig.n_controllers)), SIGHUP);
}

void hands_mend(void)
{
	struct op o = { .id = 0, .name = "mend" };

	for (int i = 0; i < 12; i++) {
		struct view v = eye_leader();

		if (!v.there) {
			usleep(200000);
			continue;
		}
		if (v.held || v.pinned)
			(void)order(&o, SHORT, "resume", NULL, &answer);
		else if (strcmp(v.phase, "filling") == 0)
			(void)order(&o, SHORT, "unclaim", WORDS(W("--force")), &answer);
		else if (strcmp(v.phase, "ready") == 0 || strcmp(v.phase, "proving") == 0)
			(void)order(&o, SHORT, "abort", NULL, &answer);
		else if (v.sealed)
			(void)order(&o, SHORT, "unseal", NULL, &answer);
		else if (strcmp(v.phase, "steady") != 0)
			(void)until_phase("steady", NULL, 2000);
		else
			return;
	}
}

/* The first one stands in for those that need a way back when there is none. */
const struct op_kind ops[] = {
	{ "deploy", 24, 8, false, op_deploy },
	{ "deploy-lacking", 3, 1, false, op_deploy_lacking },
	{ "lose-in-bake", 9, 5, false, op_lose_in_bake },
	{ "lose-later", 4, 1, false, op_lose_later },
	{ "flip", 14, 14, true, op_flip },
	{ "rollback", 8, 6, true, op_rollback },
	{ "flip-and-back", 8, 14, true, op_flip_and_back },
	{ "drill", 6, 10, true, op_drill },
	{ "hold", 5, 2, false, op_hold },
	{ "claim-and-back", 2, 0, false, op_claim_and_back },
	{ "ready", 3, 2, false, op_ready },
	{ "contend", 5, 4, true, op_contend },
	{ "repeat", 4, 4, true, op_repeat },
	{ "seal", 2, 0, false, op_seal },
	{ "note", 2, 0, false, op_note },
	{ "pin", 2, 1, false, op_pin },
	{ "reload", 3, 1, false, op_reload },
	{ 0 }
};
