/* SPDX-License-Identifier: MIT
 * orders.c - handlers that ask the engine for a change, and the answer of what came of it. */
#include <stdlib.h>
#include <string.h>

#include "switchd/api/route.h"

static const char *text_of(const struct call *c, const char *key)
{
	const char *s = json_string_value(json_object_get(c->body, key));

	return s ? s : "";
}

/* ---- what came of it ---- */

static unsigned status_of(const struct call *c, const struct order_result *r)
{
	switch (r->status) {
	case ORDER_DONE: return c->created && !r->dry_run ? 201 : 200;
	case ORDER_OFFLINE:
	case ORDER_UNKNOWN: return 202;
	default: never("a refusal has no good status");
	}
}

static const char *status_word(const struct order_result *r)
{
	return r->dry_run ? "dry-run" : r->status == ORDER_OFFLINE ? "offline" : r->status == ORDER_UNKNOWN ? "unknown" : "done";
}

static json_t *result_json(const struct order_result *r)
{
	const struct record *rec = r->record;
	char v[VERSION_TEXT];

	return json_pack("{s:s,s:s,s:o,s:s,s:{s:I,s:I},s:s,s:s,s:I,s:b,s:o}", "status", status_word(r), "because", r->because ? r->because : "", "detail",
			 json_clean(r->detail), "active", slot_name(rec->active), "version", "gen", (json_int_t)rec->v.gen, "epoch",
			 (json_int_t)rec->v.epoch, "etag", version_text(rec->v, v), "phase", phase_name(rec->phase), "deploy", (json_int_t)r->deploy, "dup",
			 r->dup, "would", json_clean(r->would ? r->would : ""));
}

/* The claim, if it is the asker's own: a repeated request may be answered when another one stands. */
static void claim_part(const struct call *c, const struct order_result *r, json_t *j)
{
	const struct service_config *s = engine_service_config(call_engine(c), c->service);
	const struct claim *claim = &r->record->claim;
	bool own = claim->id[0] && strcmp(claim->by, c->actor) == 0 && strcmp(claim->release, text_of(c, "release")) == 0;
	json_t *targets = json_array();

	for (size_t i = 0; own && s && claim->slot <= GREEN && i < s->slot[claim->slot].n_targets; i++)
		json_array_append_new(targets, json_clean(s->slot[claim->slot].targets[i].text));
	if (own) {
		if (!r->dry_run)
			json_object_set_new(j, "claim", json_clean(claim->id));
		json_object_set_new(j, "slot", json_string(slot_name(claim->slot)));
		json_object_set_new(j, "until", json_integer(claim->until.ms));
		json_object_set_new(j, "left_ms", json_integer(claim->until.ms - wall_now().ms));
	}
	json_object_set_new(j, "targets", targets);
}

static json_t *lost_list(const struct call *c)
{
	json_t *status = engine_status(call_engine(c), c->service), *list = json_array(), *f;
	const char *idle = json_string_value(json_object_get(json_object_get(status, "safe_to_flip"), "slot"));
	size_t i;

	json_array_foreach(json_object_get(status, "features"), i, f) {
		const json_t *slots = json_object_get(f, "slots"), *side = json_object_get(slots, idle ? idle : "");
		const json_t *other = json_object_get(slots, idle && strcmp(idle, "blue") == 0 ? "green" : "blue");
		const char *verdict = json_string_value(json_object_get(side, "verdict"));

		if (side && verdict && strcmp(verdict, "present") != 0 && json_is_true(json_object_get(f, "votes")))
			json_array_append_new(list, json_pack("{s:O,s:O,s:s,s:s,s:O,s:O,s:O}", "feature", json_object_get(f, "name"), "path",
							      json_object_get(f, "path"), "slot", idle, "verdict", verdict, "got",
							      json_object_get(side, "status"), "detail", json_object_get(side, "detail"), "other",
							      json_object_get(other, "verdict")));
	}
	json_decref(status);
	return list;
}

static void refused(struct call *c, const struct order_result *r)
{
	const struct refusal_info *i = refusal_info(r->refusal);
	const char *because = r->because ? r->because : "";
	json_t *p = problem_new((unsigned)i->http, i->code, i->sentence, r->detail[0] ? r->detail : because, i->exit_code);

	json_object_set_new(p, "because", json_clean(because));
	if (r->n_gates)
		json_object_set_new(p, "gates", gates_json(r->gates, r->n_gates));
	if (r->refusal == RF_STORE || r->refusal == RF_ALONE)
		json_object_set_new(p, "acknowledged", json_false());
	if (r->refusal == RF_NOT_WHOLE)
		json_object_set_new(p, "lost", lost_list(c));
	problem_where(c, p, i->code);
	answer_json(c, (unsigned)i->http, p);
}

void order_answered(void *arg, const struct order_result *r)
{
	struct call *c = arg;

	if (call_orphan(c))
		return;
	switch (r->status) {
	case ORDER_NO_SERVICE:
		answer_not_found(c, "service");
		return;
	case ORDER_REFUSED:
		refused(c, r);
		return;
	case ORDER_STALE:
		answer_problem(c, 412, "epoch-changed", "The version moved.", r->detail, 15);
		return;
	default:
		break;
	}
	json_t *j = result_json(r);
	char location[160] = "";

	if (r->at_risk) {
		json_object_set_new(j, "at_risk", json_true());
		json_object_set_new(j, "replicas", r->replicas < 0 ? json_null() : json_integer(r->replicas));
	}
	if (c->route->run == order_claim || c->route->run == order_deploy)
		json_object_set_new(j, "gates", gates_json(r->gates, r->n_gates));
	if (c->route->run == order_claim)
		claim_part(c, r, j);
	if (c->route->run == order_deploy && r->deploy && !r->dry_run)
		TEXT_FORMAT(location, "/v1/services/%s/deploys/%llu", c->service, (unsigned long long)r->deploy);
	answer_json_with(c, status_of(c, r), j, location[0] ? "Location" : NULL, location);
}

/* ---- sending it ---- */

/* "GEN.EPOCH" or "EPOCH" (of the present generation), quoted or not; * = whatever it is. */
static bool if_match(struct call *c, struct version *v, bool *has)
{
	const char *h = httpd_header(c->req, "If-Match");
	char text[64];
	size_t n;
	struct active_answer a;

	*has = false;
	if (!h || strcmp(h, "*") == 0)
		return true;
	n = strlen(h);
	if (n >= 2 && h[0] == '"' && h[n - 1] == '"') {
		h++;
		n -= 2;
	}
	if (!text_copy_n(text, sizeof(text), h, n))
		return false;
	*has = true;
	if (strchr(text, '.'))
		return version_parse(text, v);
	engine_active(call_engine(c), c->service, &a);
	v->gen = a.v.gen;
	return text_u64(text, &v->epoch);
}

static void send_order(struct call *c, struct input *in)
{
	const char *rid = httpd_header(c->req, "Idempotency-Key");
	struct version match = { 0, 0 };
	bool has;

	if (!if_match(c, &match, &has)) {
		answer_bad(c, "bad-header", "If-Match is \"GEN.EPOCH\" or \"EPOCH\"");
		return;
	}
	if (rid && !id_ok(rid)) {
		answer_bad(c, "bad-header", "Idempotency-Key is 1 to 64 of A-Z a-z 0-9 . _ : @ / + -");
		return;
	}
	if (!TEXT_COPY(in->why, text_of(c, "message"))) {
		answer_bad(c, "bad-member", "message is at most 256 bytes");
		return;
	}
	TEXT_COPY(in->by, c->actor);
	in->force = json_is_true(json_object_get(c->body, "force"));
	in->dry_run = c->dry_run;
	in->found_slot = NO_SLOT;
	engine_order(call_engine(c), c->service, in, rid ? rid : "", has ? &match : NULL, order_answered, c);
}

static bool slot_member(struct call *c, const char *key, enum slot *out)
{
	const char *s = text_of(c, key);

	*out = NO_SLOT;
	if (!s[0] || slot_parse(s, out))
		return true;
	answer_bad(c, "bad-member", "a slot is blue or green");
	return false;
}

static bool id_member(struct call *c, const char *key, bool needed, char *out, size_t size)
{
	const char *s = text_of(c, key);
	char detail[96];

	out[0] = '\0';
	if ((!s[0] && !needed) || (id_ok(s) && text_copy(out, size, s)))
		return true;
	TEXT_FORMAT(detail, "%s is wanted: up to 64 of A-Z a-z 0-9 . _ : @ / + -", key);
	answer_bad(c, "bad-member", detail);
	return false;
}

static bool for_member(struct call *c, wall_ms *until)
{
	static const struct { const char *unit; int64_t ms; } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
	const char *s = text_of(c, "for");
	size_t n = strspn(s, "0123456789");
	char number[24];
	uint64_t v;

	until->ms = 0;
	if (!s[0])
		return true;
	if (n && text_copy_n(number, sizeof(number), s, n) && text_u64(number, &v) && v > 0 && v < 1000000)
		for (size_t i = 0; i < ARRAY_LEN(units); i++)
			if (strcmp(s + n, units[i].unit) == 0) {
				*until = wall_plus_ms(wall_now(), (int64_t)v * units[i].ms);
				return true;
			}
	answer_bad(c, "bad-member", "for is a time with a unit, such as 30m or 2h");
	return false;
}

/* Gates that are set aside: names of gates, by somebody who may.  It has answered when it says false. */
static bool skip_member(struct call *c, struct input *in)
{
	const json_t *list = json_object_get(c->body, "skip");
	char detail[200];
	size_t i;
	json_t *v;

	json_array_foreach((json_t *)list, i, v) {
		const char *name = json_string_value(v);
		size_t n = strlen(in->skip);

		if (!name || !gate_known(name)) {
			TEXT_FORMAT(detail, "skip is a list of gates:");
			for (size_t k = 0; k < gates_count(); k++)
				text_format(detail + strlen(detail), sizeof(detail) - strlen(detail), "%s %s", k ? "," : "", gate_name(k));
			answer_bad(c, "bad-member", detail);
			return false;
		}
		if (!gate_listed(in->skip, name))
			must(text_format(in->skip + n, sizeof(in->skip) - n, "%s%s", n ? "," : "", name));
	}
	if (in->skip[0] && c->role < ROLE_OPERATE) {
		TEXT_FORMAT(detail, "to set a gate aside needs the role %s; %s has %s", role_name(ROLE_OPERATE), c->actor, role_name(c->role));
		answer_problem(c, 403, "forbidden", "Not allowed.", detail, 10);
		return false;
	}
	return true;
}

/* What is in the manifest is the gates' business: also that it cannot be read. */
struct given { struct manifest manifest; char error[300]; };

static void manifest_member(struct call *c, struct input *in, struct given *g)
{
	const json_t *j = json_object_get(c->body, "manifest");
	char *text = json_is_object(j) ? json_dumps(j, JSON_PRESERVE_ORDER) : NULL;
	const char *s = text ? text : json_string_value(j);

	if (s && manifest_parse("manifest", s, text ? strlen(text) : json_string_length(j), &g->manifest, g->error, sizeof(g->error), NULL))
		in->manifest = &g->manifest;
	else if (j)
		in->manifest_error = g->error;
	free(text);
}

static bool digest_member(struct call *c, struct input *in)
{
	if (TEXT_COPY(in->digest, text_of(c, "digest")))
		return true;
	answer_bad(c, "bad-member", "digest is at most 96 bytes");
	return false;
}

void order_claim(struct call *c)
{
	struct input in = { .kind = IN_CLAIM };
	struct given *given;

	c->created = true;
	if (!id_member(c, "release", true, in.release, sizeof(in.release)) || !slot_member(c, "slot", &in.slot) || !digest_member(c, &in) ||
	    !skip_member(c, &in))
		return;
	given = xcalloc(1, sizeof(*given));
	manifest_member(c, &in, given);
	send_order(c, &in);
	free(given);
}

static void with_claim(struct call *c, enum input_kind kind, bool needed)
{
	struct input in = { .kind = kind, .slot = NO_SLOT };

	if (id_member(c, "claim", needed, in.claim_id, sizeof(in.claim_id)))
		send_order(c, &in);
}

void order_renew(struct call *c) { with_claim(c, IN_RENEW, true); }

/* Who took it may leave the id out: it is found by his name. */
void order_unclaim(struct call *c)
{
	json_t *status = engine_status(call_engine(c), c->service);
	const json_t *claim = json_object_get(status, "claim");
	const char *by = json_string_value(json_object_get(claim, "by")), *id = json_string_value(json_object_get(claim, "id"));

	if (!text_of(c, "claim")[0] && by && id && strcmp(by, c->actor) == 0)
		json_object_set_new(c->body, "claim", json_clean(id));
	json_decref(status);
	with_claim(c, IN_UNCLAIM, false);
}

void order_deploy(struct call *c)
{
	struct input in = { .kind = IN_DEPLOY };
	struct given *given;
	const char *stop = text_of(c, "stop"), *policy = text_of(c, "rollback");

	c->created = true;
	if (!id_member(c, "release", true, in.release, sizeof(in.release)) || !slot_member(c, "slot", &in.slot) ||
	    !id_member(c, "claim", false, in.claim_id, sizeof(in.claim_id)))
		return;
	if (!digest_member(c, &in) || !skip_member(c, &in))
		return;
	if (stop[0] && strcmp(stop, "ready") != 0) {
		answer_bad(c, "bad-member", "stop is \"ready\" or left out");
		return;
	}
	in.stop = stop[0] ? STOP_READY : STOP_NONE;
	in.has_rollback = policy[0] != '\0';
	for (int p = RB_AUTO; policy[0] && p <= RB_NEVER; p++) {
		if (strcmp(rollback_policy_name((enum rollback_policy)p), policy) == 0) {
			in.rollback = (enum rollback_policy)p;
			policy = "";
		}
	}
	if (policy[0]) {
		answer_bad(c, "bad-member", "rollback is auto, ask or never");
		return;
	}
	given = xcalloc(1, sizeof(*given));
	manifest_member(c, &in, given);
	send_order(c, &in);
	free(given);
}

static void plain(struct call *c, enum input_kind kind)
{
	struct input in = { .kind = kind, .slot = NO_SLOT };

	send_order(c, &in);
}

/* The number names which one is meant: the one that is under way now, never one that came after it. */
void order_abort(struct call *c)
{
	json_t *status = engine_status(call_engine(c), c->service), *deploy = NULL;
	char detail[160];
	uint64_t id;
	bool number = text_u64(c->last, &id), same;

	same = number && (json_int_t)id == json_integer_value(json_object_get(json_object_get(status, "deploy"), "id"));
	json_decref(status);
	if (!status || same) {
		plain(c, IN_ABORT);
		return;
	}
	deploy = number ? engine_deploy(call_engine(c), c->service, id) : NULL;
	if (!deploy) {
		answer_not_found(c, "deploy");
		return;
	}
	TEXT_FORMAT(detail, "deploy %llu ended long ago: %s", (unsigned long long)id, json_string_value(json_object_get(deploy, "outcome")));
	json_decref(deploy);
	answer_problem(c, 409, "nothing-to-do", "There is nothing to do.", detail, 10);
}

void order_flip(struct call *c)
{
	struct input in = { .kind = IN_FLIP };

	if (slot_member(c, "to", &in.slot))
		send_order(c, &in);
}

void order_drill(struct call *c) { plain(c, IN_DRILL); }
void order_rollback(struct call *c) { plain(c, IN_ROLLBACK); }

void order_hold(struct call *c)
{
	struct input in = { .kind = IN_HOLD, .slot = NO_SLOT };

	if (for_member(c, &in.until))
		send_order(c, &in);
}

void order_resume(struct call *c) { plain(c, IN_RESUME); }
void order_seal(struct call *c) { plain(c, IN_SEAL); }
void order_unseal(struct call *c) { plain(c, IN_UNSEAL); }

void order_pardon(struct call *c)
{
	struct input in = { .kind = IN_PARDON, .slot = NO_SLOT };

	if (id_member(c, "release", true, in.release, sizeof(in.release)))
		send_order(c, &in);
}

static void on_feature(struct call *c, enum input_kind kind)
{
	struct input in = { .kind = kind, .slot = NO_SLOT };
	const struct service_config *s = engine_service_config(call_engine(c), c->service);

	if (s && !config_feature(s, c->feature)) {
		answer_not_found(c, "feature");
		return;
	}
	TEXT_COPY(in.feature, c->feature);
	if (for_member(c, &in.until))
		send_order(c, &in);
}

void order_mute(struct call *c) { on_feature(c, IN_MUTE); }
void order_unmute(struct call *c) { on_feature(c, IN_UNMUTE); }

void order_note(struct call *c)
{
	struct input in = { .kind = IN_NOTE, .slot = NO_SLOT };
	const json_t *deploy = json_object_get(c->body, "deploy");
	json_t *known;

	if (deploy && (!json_is_integer(deploy) || json_integer_value(deploy) < 1)) {
		answer_bad(c, "bad-member", "deploy is the number of one");
		return;
	}
	in.about = (uint64_t)json_integer_value(deploy);
	known = in.about ? engine_deploy(call_engine(c), c->service, in.about) : NULL;
	if (in.about && !known && engine_has_service(call_engine(c), c->service)) {
		answer_not_found(c, "deploy");
		return;
	}
	json_decref(known);
	send_order(c, &in);
}
