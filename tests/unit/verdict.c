/* SPDX-License-Identifier: MIT
 * verdict.c - tests of core/verdict that a table cannot say: times, reloads, and what must hold in
 * any weather.  The tables are verdict_tables.c's. */
#include "tests/unit/support/verdict_rig.h"

/* ---- B1.3, the fold: what must hold of any stream ---- */

static uint32_t dice(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

static enum outcome any_outcome(uint64_t *seed)
{
	/* Long quiet spells and rough ones, or the deep states are never reached. */
	return dice(seed) % 3 ? OUT_PRESENT : (enum outcome)(dice(seed) % N_OUTCOMES);
}

static void check_step(const struct cell *c, const struct probe_rule *rule, enum verdict was, int absents, int row, enum outcome o)
{
	enum outcome_class k = outcome_info(o)->class;

	if (c->verdict == V_ABSENT)
		assert_true(absents >= rule->fall);     /* absents since the last clear, counted here on our own */
	if (c->verdict == V_PRESENT) {
		assert_true(absents < rule->fall);
		assert_true(c->ever_present);
	}
	if (was != V_PRESENT && c->verdict == V_PRESENT) {
		assert_int_equal(k, OC_PRESENT);
		assert_true(row >= (was == V_ABSENT || rule->calm < rule->rise ? rule->calm : rule->rise));
	}
	if (was != V_ABSENT && c->verdict == V_ABSENT)
		assert_int_equal(k, OC_ABSENT);
	if (was == V_PRESENT && c->verdict == V_UNKNOWN)
		assert_int_equal(k, OC_UNKNOWN);
	if (was == V_ABSENT)
		assert_int_not_equal(c->verdict, V_UNKNOWN);
	if (k == OC_OUT)
		assert_int_equal(c->verdict, was);      /* I18 */
	assert_int_equal(c->first_absent.us != 0, absents > 0);
	assert_true(c->verdict != V_PARTIAL);
}

static void test_b1_3_any_stream(void **state)
{
	int met[3] = { 0 };

	(void)state;
	for (uint64_t s = 1; s <= 400; s++) {
		uint64_t seed = s;
		struct probe_rule rule = usual;
		struct cell c = { .last = OUT_NEVER_RAN };
		int absents = 0, row = 0;

		rule.rise = 1 + (int)(dice(&seed) % 4);
		rule.fall = 1 + (int)(dice(&seed) % 4);
		rule.calm = 1 + (int)(dice(&seed) % 6);
		for (int i = 1; i <= 500; i++) {
			enum outcome o = any_outcome(&seed);
			enum verdict was = c.verdict;

			row = outcome_info(o)->class == OC_PRESENT ? row + 1 : 0;
			absents += outcome_info(o)->class == OC_ABSENT;
			if (row >= rule.calm)
				absents = 0;
			health_fold(&c, &rule, o, (mono_us){ i * 10 }, (mono_us){ i * 10 + 5 });
			check_step(&c, &rule, was, absents, row, o);
			met[c.verdict]++;
		}
	}
	assert_true(met[V_UNKNOWN] > 1000 && met[V_PRESENT] > 1000 && met[V_ABSENT] > 1000);
}

static void test_b1_3_calm_clears(void **state)
{
	struct cell c = { .last = OUT_NEVER_RAN };
	mono_us t = { 1 };

	(void)state;
	for (int i = 0; i < 2; i++)
		health_fold(&c, &usual, OUT_BODY, (mono_us){ 10 }, (mono_us){ 20 + i });
	assert_int_equal(c.absents, 2);
	assert_int_equal(c.first_absent.us, 20);        /* the first one's end stays */
	for (int i = 0; i < 4; i++)
		assert_int_equal(health_fold(&c, &usual, OUT_PRESENT, t, t), V_ABSENT);
	assert_int_equal(health_fold(&c, &usual, OUT_PRESENT, t, t), V_PRESENT);
	assert_int_equal(c.absents, 0);
	assert_int_equal(c.first_absent.us, 0);
}

static void test_b1_1_every_outcome_by_its_class(void **state)
{
	(void)state;
	for (int o = 0; o < N_OUTCOMES; o++) {
		struct cell c = { .last = OUT_NEVER_RAN };
		mono_us t = { 7 };

		for (int i = 0; i < 2; i++)
			health_fold(&c, &usual, (enum outcome)o, t, t);
		static const enum verdict want[] = { [OC_PRESENT] = V_PRESENT, [OC_ABSENT] = V_ABSENT, [OC_UNKNOWN] = V_UNKNOWN,
						     [OC_OUT] = V_UNKNOWN };

		assert_int_equal(c.verdict, want[outcome_info((enum outcome)o)->class]);
		assert_int_equal(c.unknown_since.us != 0, outcome_info((enum outcome)o)->class == OC_UNKNOWN);
	}
}

/* ---- B1.3: a slot just filled ---- */

static void test_b1_3_filled_begins_unknown(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, 2, "a,b");
	assert_true(rig_view(&r)->slot[GREEN].whole && r.view.f[0].seen[GREEN]);
	rig_notes(&r, GREEN, 1, 0, OUT_REFUSED, 2);
	assert_false(health_target_in(r.h, GREEN, 1));
	health_slot_filled(r.h, GREEN);
	rig_view(&r);
	assert_true(health_target_in(r.h, GREEN, 1));
	for (size_t f = 0; f < 2; f++) {
		assert_int_equal(r.view.f[f].at[GREEN], V_UNKNOWN);
		assert_false(r.view.f[f].seen[GREEN]);
		assert_int_equal(r.view.f[f].evidence_since[GREEN].us, 0);
		assert_int_equal(r.view.f[f].at[BLUE], V_PRESENT);
	}
	assert_int_equal(health_cell(r.h, GREEN, 0, 0)->last, OUT_NEVER_RAN);
	assert_false(r.view.slot[GREEN].whole);
	rig_end(&r);
}

static void test_b1_3_answers_of_the_old_bits_are_dropped(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, 1, "a");
	mono_us before = r.rules.now;

	rig_pass(&r, 1000);
	health_slot_filled_at(r.h, GREEN, r.rules.now);
	rig_pass(&r, 1000);
	for (int i = 0; i < 9; i++) {
		r.advice = health_note(r.h, GREEN, 0, 0, OUT_PRESENT, true, before, r.rules.now, r.rules.wall, 1);
		assert_false(r.advice.changed);
	}
	assert_int_equal(health_cell(r.h, GREEN, 0, 0)->last, OUT_NEVER_RAN);
	rig_notes(&r, GREEN, 0, 0, OUT_PRESENT, 2);
	assert_int_equal(rig_view(&r)->f[0].at[GREEN], V_PRESENT);
	rig_end(&r);
}

/* ---- times that B4 asks for ---- */

static void test_b4_first_absent_and_evidence(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, 2, "a,b");
	rig_note(&r, BLUE, 0, 0, OUT_STATUS);
	mono_us first = r.rules.now;

	rig_note(&r, BLUE, 0, 0, OUT_STATUS);
	rig_view(&r);
	assert_int_equal(r.view.f[0].at[BLUE], V_ABSENT);
	assert_int_equal(r.view.f[0].first_absent[BLUE].us, first.us);
	assert_true(r.view.f[0].evidence_since[GREEN].us < first.us);
	mono_us asked = r.rules.now;

	rig_note(&r, GREEN, 0, 0, OUT_PRESENT);
	assert_true(rig_view(&r)->f[0].evidence_since[GREEN].us < first.us);    /* on all targets */
	assert_true(r.advice.changed);
	rig_note(&r, GREEN, 1, 0, OUT_PRESENT);
	assert_int_equal(rig_view(&r)->f[0].evidence_since[GREEN].us, asked.us);
	assert_true(r.view.f[1].evidence_since[GREEN].us < first.us);
	rig_end(&r);
}

/* What was refused, or absent for the first time, is not fresh evidence of presence. */
static void test_b4_only_presents_are_evidence(void **state)
{
	static const enum outcome none[] = { OUT_REFUSED, OUT_STATUS };
	struct rig r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		rig_start(&r, 1, "a,b");
		mono_us lost = r.rules.now;

		rig_notes(&r, BLUE, 0, 0, OUT_STATUS, 2);
		rig_note(&r, GREEN, 0, 0, none[i]);
		rig_view(&r);
		assert_int_equal(r.view.f[0].at[GREEN], V_PRESENT);
		assert_true(r.view.f[0].evidence_since[GREEN].us < lost.us);
		rig_note(&r, GREEN, 0, 0, OUT_PRESENT);
		assert_true(rig_view(&r)->f[0].evidence_since[GREEN].us > lost.us);
		rig_end(&r);
	}
}

static void test_b1_2_absent_as_a_whole_since_the_last_went_out(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, 2, "a,b");
	rig_notes(&r, BLUE, 0, 0, OUT_REFUSED, 2);
	rig_notes(&r, BLUE, 1, 1, OUT_CLOSED, 2);
	rig_view(&r);
	assert_int_equal(r.view.slot[BLUE].down_since.us, r.rules.now.us);
	for (size_t f = 0; f < 2; f++)
		assert_int_equal(r.view.f[f].first_absent[BLUE].us, r.rules.now.us);
	rig_end(&r);
}

static void test_b1_1_proving_down_since(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, 3, "a");
	r.rules.live[GREEN] = false;
	rig_notes(&r, GREEN, 2, 0, OUT_REFUSED, 2);
	mono_us first = r.rules.now;

	rig_notes(&r, GREEN, 0, 0, OUT_REFUSED, 2);
	rig_view(&r);
	assert_true(r.view.slot[GREEN].too_few);
	assert_int_equal(r.view.slot[GREEN].down_since.us, first.us);
	r.cfg.slot[GREEN].min_targets = 2;
	assert_int_equal(rig_view(&r)->slot[GREEN].down_since.us, r.rules.now.us);
	rig_end(&r);
}

/* ---- reload ---- */

static void test_reload_keeps_what_is_the_same(void **state)
{
	struct rig r, n;

	(void)state;
	rig_start(&r, 3, "a,b,c");
	rig_notes(&r, BLUE, 2, 1, OUT_STATUS, 2);
	rig_notes(&r, GREEN, 0, 0, OUT_REFUSED, 2);
	health_set_vacuous(r.h, 2, true);
	rig_init(&n, 2, "c,d,b");                       /* a gone, d new, the others elsewhere */
	n.target[BLUE][0].text = "h:02";                /* blue: target 2 is now the first, and one is new */
	n.target[BLUE][1].text = "h:09";
	n.rules.now = r.rules.now;
	n.h = health_reload(r.h, &n.cfg);
	rig_view(&n);
	assert_false(n.view.suspect);
	assert_int_equal(health_cell(n.h, BLUE, 0, 2)->verdict, V_ABSENT);
	assert_int_equal(health_cell(n.h, BLUE, 0, 0)->verdict, V_PRESENT);
	assert_int_equal(health_cell(n.h, BLUE, 0, 1)->last, OUT_NEVER_RAN);
	assert_int_equal(health_cell(n.h, BLUE, 1, 0)->last, OUT_NEVER_RAN);
	assert_true(n.view.f[0].vacuous && !n.view.f[2].vacuous);
	assert_true(n.view.f[2].seen[BLUE] && !n.view.f[1].seen[BLUE]);
	assert_int_equal(n.view.slot[GREEN].in, 1);
	assert_false(n.view.slot[GREEN].too_few);
	assert_int_equal(n.view.f[2].at[GREEN], V_PRESENT);
	rig_note(&n, GREEN, 1, 0, OUT_PRESENT);         /* blue is in trouble still: green's evidence matters */
	assert_true(n.advice.changed);
	rig_end(&n);
}

static void test_b2_a_changed_probe_begins_anew(void **state)
{
	struct rig r, n;

	(void)state;
	rig_start(&r, 1, "a,b");
	rig_init(&n, 1, "a,b");
	n.rules.now = r.rules.now;
	n.feature[0].fingerprint++;
	n.h = health_reload(r.h, &n.cfg);
	rig_view(&n);
	assert_int_equal(n.view.f[0].at[BLUE], V_UNKNOWN);
	assert_false(n.view.f[0].seen[BLUE]);
	assert_int_equal(n.view.f[1].at[BLUE], V_PRESENT);
	rig_notes(&n, BLUE, 0, 0, OUT_STATUS, 2);
	rig_notes(&n, GREEN, 0, 0, OUT_PRESENT, 2);
	assert_int_equal(rig_view(&n)->f[0].cmp[BLUE], CMP_NEW);
	rig_end(&n);
}

static void test_reload_keeps_suspicion_and_a_dead_slot(void **state)
{
	struct rig r, n;

	(void)state;
	rig_start(&r, 2, "a");
	rig_notes(&r, BLUE, 0, 0, OUT_REFUSED, 2);
	rig_notes(&r, BLUE, 1, 0, OUT_REFUSED, 2);
	mono_us down = rig_view(&r)->slot[BLUE].down_since;

	health_blind(r.h, r.rules.now);
	rig_init(&n, 2, "a");
	n.rules.now = r.rules.now;
	n.h = health_reload(r.h, &n.cfg);
	rig_view(&n);
	assert_true(n.view.suspect);
	assert_true(n.view.slot[BLUE].too_few);
	assert_int_equal(n.view.slot[BLUE].down_since.us, down.us);
	rig_notes(&n, BLUE, 0, 0, OUT_PRESENT, 2);
	assert_false(rig_view(&n)->slot[BLUE].too_few);
	rig_end(&n);
}

static void test_reload_identity(void **state)
{
	static const char *const first[] = { "body contains {{release}}" }, *const second[] = { "jsonpath \"$.v\" == {{release}}" };
	struct rig r, n;

	(void)state;
	for (int changed = 0; changed < 2; changed++) {
		rig_init(&r, 1, "a");
		r.cfg.identity = (struct identity_config){ .on = true, .path = "/version", .expect = first, .n_expect = 1 };
		r.h = health_new(&r.cfg);
		rig_warm(&r, false);
		rig_init(&n, 1, "a");
		n.cfg.identity = r.cfg.identity;
		n.cfg.identity.expect = changed ? second : first;
		n.rules.now = r.rules.now;
		n.h = health_reload(r.h, &n.cfg);
		assert_int_equal(rig_view(&n)->f[1].at[BLUE], changed ? V_UNKNOWN : V_PRESENT);
		rig_end(&n);
	}
}

/* ---- the front cells ---- */

static void test_b1_2_front_cells_follow_the_stamp(void **state)
{
	struct rig r;
	mono_us t = { 5000000 };

	(void)state;
	rig_init(&r, 1, "a");
	r.cfg.front = "http://shop";
	r.cfg.n_proxies = 1;
	r.h = health_new(&r.cfg);
	for (int i = 0; i < 2; i++)
		health_note_front(r.h, 0, 0, BLUE, true, OUT_STATUS, t, t);
	assert_int_equal(health_front_cell(r.h, 0, 0)->verdict, V_ABSENT);
	health_note_front(r.h, 0, 0, GREEN, true, OUT_PRESENT, t, t);           /* flipped: another slot's answers */
	assert_int_equal(health_front_cell(r.h, 0, 0)->verdict, V_UNKNOWN);
	health_note_front(r.h, 0, 0, GREEN, true, OUT_PRESENT, t, t);
	assert_int_equal(health_front_cell(r.h, 0, 0)->verdict, V_PRESENT);
	health_note_front(r.h, 0, 0, BLUE, false, OUT_STATUS, t, t);            /* another version: says nothing */
	assert_int_equal(health_front_cell(r.h, 0, 0)->verdict, V_UNKNOWN);
	assert_int_equal(health_front_cell(r.h, 0, 0)->absents, 0);
	assert_int_equal(health_front_cell(r.h, 0, 0)->last, OUT_STALE_STAMP);
	rig_end(&r);
}

/* ---- the whole, thrown about ---- */

struct shadow { int presents_in_row[2][MAX_T][MAX_F]; bool absent_ever[2][MAX_F]; bool present_ever[2][MAX_F]; };

static void check_view(const struct rig *r, const struct shadow *sh)
{
	const struct health_view *v = &r->view;

	for (int s = 0; s < 2; s++) {
		const struct slot_view *sv = &v->slot[s];
		bool all = true;

		assert_int_equal(sv->in + sv->out, sv->targets);
		for (size_t f = 0; f < v->n; f++) {
			const struct feature_view *fv = &v->f[f];

			assert_int_equal(fv->present[s] + fv->absent[s] + fv->unknown[s], sv->in);
			assert_true(!fv->seen[s] || sh->present_ever[s][f]);
			if (fv->at[s] == V_ABSENT || fv->at[s] == V_PARTIAL)    /* I18 */
				assert_true(sh->absent_ever[s][f] || sv->too_few);
			if (fv->at[s] == V_ABSENT || fv->at[s] == V_PARTIAL)
				assert_true(fv->first_absent[s].us > 0 && fv->first_absent[s].us <= r->rules.now.us);
			if (fv->at[s] == V_PRESENT)
				assert_true(2 * fv->present[s] > sv->in && fv->seen[s]);
			if (fv->cmp[s] == CMP_LOST)
				assert_true(fv->seen[s] && fv->at[!s] == V_PRESENT && fv->at[s] != V_PRESENT);
			if (fv->cmp[s] == CMP_NEW)
				assert_false(fv->seen[s]);
			all = all && fv->at[s] == V_PRESENT;
		}
		assert_int_equal(sv->whole, all && !sv->too_few);
		if (v->suspect)
			for (size_t f = 0; f < v->n; f++)
				assert_true(v->f[f].at[s] != V_ABSENT || sh->absent_ever[s][f]);
	}
}

static void test_any_weather(void **state)
{
	int suspects = 0, too_few = 0, lost = 0, whole = 0;

	(void)state;
	for (uint64_t sd = 1; sd <= 60; sd++) {
		struct rig r;
		struct shadow sh = { 0 };
		uint64_t seed = sd;

		rig_init(&r, 1 + dice(&seed) % 4, "a,b,c");
		r.cfg.unknown_limit_ms = r.cfg.unknown_limit_bake_ms = INT32_MAX;       /* the shadow has no clock */
		if (dice(&seed) % 2) {
			r.cfg.n_proxies = 2;
			r.cfg.front = "http://shop";
		}
		r.h = health_new(&r.cfg);
		for (int i = 0; i < 1500; i++) {
			int s = (int)(dice(&seed) % 2);
			size_t t = dice(&seed) % r.cfg.slot[s].n_targets, f = dice(&seed) % 3;
			/* A target has its spells, as targets have. */
			uint32_t spell = (uint32_t)(i / 60 + s * 7 + (int)t * 3) % 9;
			enum outcome o = spell == 0 ? OUT_REFUSED : spell == 1 ? OUT_TIMEOUT : spell == 2 ? any_outcome(&seed) :
					 spell == 3 && f == 0 ? OUT_STATUS : OUT_PRESENT;

			if (dice(&seed) % 40 == 0 && r.cfg.n_proxies) {
				mono_us began = r.rules.now;

				rig_pass(&r, 500);
				health_note_front(r.h, dice(&seed) % 2, f, dice(&seed) % 3, dice(&seed) % 2, any_outcome(&seed), began, r.rules.now);
			}
			if (dice(&seed) % 400 == 0)
				health_blind(r.h, r.rules.now);
			if (dice(&seed) % 300 == 0) {
				health_slot_filled(r.h, (enum slot)s);
				for (size_t k = 0; k < 3; k++)
					sh.absent_ever[s][k] = sh.present_ever[s][k] = false;
			}
			rig_note(&r, s, t, f, o);
			/* An out may have become a worker killed: the cell says so. */
			sh.absent_ever[s][f] |= outcome_info(health_cell(r.h, (enum slot)s, t, f)->last)->class == OC_ABSENT;
			sh.present_ever[s][f] |= o == OUT_PRESENT;
			rig_pass(&r, dice(&seed) % 200000);
			rig_view(&r);
			check_view(&r, &sh);
			suspects += r.view.suspect;
			too_few += r.view.slot[s].too_few;
			lost += r.view.f[0].cmp[s] == CMP_LOST;
			whole += r.view.slot[s].whole;
		}
		rig_end(&r);
	}
	assert_true(suspects > 100 && too_few > 100 && lost > 100 && whole > 100);
}

/* Nothing moves the view between outcomes but what health_next_change foretold. */
static void test_next_change_foretells(void **state)
{
	int moved = 0;

	(void)state;
	for (uint64_t sd = 1; sd <= 40; sd++) {
		struct rig r;
		uint64_t seed = sd * 77;

		rig_init(&r, 1 + dice(&seed) % 3, "a,b");
		r.rules.baking = true;
		r.cfg.n_proxies = 1;
		r.cfg.front = "http://shop";
		r.h = health_new(&r.cfg);
		rig_warm(&r, false);
		for (int i = 0; i < 60; i++) {
			size_t t = dice(&seed) % r.cfg.slot[BLUE].n_targets, f = dice(&seed) % 2;

			rig_note(&r, BLUE, t, f, dice(&seed) % 2 ? OUT_TIMEOUT : dice(&seed) % 3 ? OUT_REFUSED : OUT_PRESENT);
			struct health_view before = *rig_view(&r);
			mono_us next = health_next_change(r.h, &r.rules), now = r.rules.now;

			r.rules.now = (mono_us){ next.us ? next.us - 1 : now.us + 3600000000 };
			rig_view(&r);
			for (size_t k = 0; k < 2; k++)
				assert_int_equal(r.view.f[k].at[BLUE], before.f[k].at[BLUE]);
			assert_int_equal(r.view.slot[BLUE].awaiting, before.slot[BLUE].awaiting);
			if (next.us) {
				r.rules.now = next;
				rig_view(&r);
				for (size_t k = 0; k < 2; k++)
					moved += r.view.f[k].at[BLUE] != before.f[k].at[BLUE];
			}
			r.rules.now = now;
			rig_pass(&r, dice(&seed) % 900000);
		}
		rig_end(&r);
	}
	assert_true(moved > 20);
}

static void test_b1_8_a_note_that_ends_suspicion_says_so(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1, "a");
	r.h = health_new(&r.cfg);
	assert_string_equal(rig_view(&r)->suspect_why, "just started");
	rig_note(&r, BLUE, 0, 0, OUT_PRESENT);
	rig_note(&r, BLUE, 0, 0, OUT_PRESENT);
	assert_true(r.advice.changed);
	assert_false(rig_view(&r)->suspect);
	assert_string_equal(r.view.suspect_why, "");
	/* A probe begun before the gap does not end it. */
	mono_us before = r.rules.now;

	rig_pass(&r, 3000000);
	health_blind(r.h, r.rules.now);
	for (int i = 0; i < 5; i++)
		health_note(r.h, BLUE, 0, 0, OUT_PRESENT, true, before, r.rules.now, r.rules.wall, 1);
	assert_true(rig_view(&r)->suspect);
	rig_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_b1_1_every_outcome_by_its_class),
		cmocka_unit_test(test_b1_1_proving_down_since),
		cmocka_unit_test(test_b1_2_absent_as_a_whole_since_the_last_went_out),
		cmocka_unit_test(test_b1_2_front_cells_follow_the_stamp),
		cmocka_unit_test(test_b1_3_any_stream),
		cmocka_unit_test(test_b1_3_calm_clears),
		cmocka_unit_test(test_b1_3_filled_begins_unknown),
		cmocka_unit_test(test_b1_3_answers_of_the_old_bits_are_dropped),
		cmocka_unit_test(test_b1_8_a_note_that_ends_suspicion_says_so),
		cmocka_unit_test(test_b2_a_changed_probe_begins_anew),
		cmocka_unit_test(test_b4_first_absent_and_evidence),
		cmocka_unit_test(test_b4_only_presents_are_evidence),
		cmocka_unit_test(test_reload_keeps_what_is_the_same),
		cmocka_unit_test(test_reload_keeps_suspicion_and_a_dead_slot),
		cmocka_unit_test(test_reload_identity),
		cmocka_unit_test(test_any_weather),
		cmocka_unit_test(test_next_change_foretells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
