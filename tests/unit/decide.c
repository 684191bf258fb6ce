/* SPDX-License-Identifier: MIT
 * tests/unit/decide.c - runs tests/tables/decide.tbl and walks the transition table.
 *
 * Every row must be hit by a line of the table, and every guard of every row must be, in some
 * line, the only one that keeps its row from firing. */
#include "tests/unit/support/decide_given.h"

static struct decision D;
static size_t n_cases;
static bool hit[MAX_ROWS], alone[MAX_ROWS][MAX_PROVIDED];

/* ---- what is expected ---- */

static void want_text(const char *what, const char *want, const char *got)
{
	if (strcmp(want, got) != 0)
		BAD("%s: want %s, got %s (because: %s; detail: %s)", what, want, got, D.because, D.detail);
}

static const char *went(void)
{
	if (!D.row)
		return "none";
	if (D.refusal != RF_NONE)
		return refusal_info(D.refusal)->code;
	if (D.alarm)
		return "alarm";
	if (!D.commit)
		return "nothing";
	return D.row->to == TO_STAY ? "stay" : phase_name(D.next.phase);
}

static void expect_act(char *names)
{
	unsigned want = 0;

	for (char *n = names, *rest; n; n = rest) {
		rest = strchr(n, '+');
		if (rest)
			*rest++ = '\0';
		static const struct { const char *n; unsigned bit; } bits[] = {
			{ "apply", ACT_APPLY }, { "preflight", ACT_PREFLIGHT }, { "filled", ACT_FILLED }, { "control", ACT_CONTROL }, { "learn", ACT_LEARN },
			{ "drain", ACT_DRAIN }, { "fresh", ACT_FRESH_OTHER }, { "human", ACT_CALL_HUMAN }, { "adopt", ACT_ADOPT_PIN }, { "unpin", ACT_UNPIN },
			{ "none", 0 },
		};
		size_t i;

		for (i = 0; i < ARRAY_LEN(bits); i++)
			if (strcmp(bits[i].n, n) == 0)
				break;
		if (i == ARRAY_LEN(bits))
			BAD("no action: %s", n);
		want |= bits[i].bit;
	}
	if (want != D.actions)
		BAD("actions: want %x, got %x", want, D.actions);
}

static void expect_release(const char *slot, const struct release *r, const char *v)
{
	char got[128];

	snprintf(got, sizeof(got), "%s%s%s%s", r->id, r->id[0] ? ":" : "", release_state_name(r->state),
		 r->was_good == (r->state == RS_GOOD) ? "" : r->was_good ? ":was" : ":never");
	want_text(slot, v, got);
}

/* gate=NAME:RESULT, or NAME:hidden: what the commit keeps, else what an order is told. */
static void expect_gate(char *v)
{
	struct gate_said list[MAX_GATES];
	size_t n = D.commit ? D.next.n_gates : decide_gates(&G.rec, &G.w, &G.in, list);
	char *p[2];

	parts(v, p, 2);
	for (size_t i = 0; i < n; i++) {
		const struct gate_said *g = D.commit ? &D.next.gates[i] : &list[i];

		if (strcmp(g->name, p[0]) != 0)
			continue;
		if (strcmp(gate_result_name(g->result), p[1]) != 0)
			BAD("gate %s: want %s, got %s: %s", p[0], p[1], gate_result_name(g->result), g->text);
		return;
	}
	want_text(p[0], p[1], "hidden");
}

static void expect(char *word)
{
	const struct record *n = &D.next;
	char *v, text[64];

	if (strchr(word, '=') && strncmp(word, "because", 7) != 0 && strncmp(word, "detail", 6) != 0 && strncmp(word, "event", 5) != 0 &&
	    strncmp(word, "to=", 3) != 0 && strncmp(word, "act=", 4) != 0 && strncmp(word, "gate=", 5) != 0 && !D.commit)
		BAD("no commit: %s (%s: %s; %s)", word, went(), D.because, D.detail);
	if (key_is(word, "to", &v)) want_text("to", v, went());
	else if (key_is(word, "active", &v)) want_text("active", v, slot_name(n->active));
	else if (key_is(word, "mode", &v)) want_text("mode", v, move_mode_name(D.mode));
	else if (key_is(word, "move", &v)) want_text("move", v, move_mode_name(n->move.mode));
	else if (key_is(word, "undone", &v)) want_text("undone", v, n->move.undone ? "yes" : "no");
	else if (key_is(word, "shield", &v)) want_text("shield", v, n->shield ? "up" : "down");
	else if (key_is(word, "event", &v)) want_text("event", v, D.event.kind);
	else if (key_is(word, "about", &v)) {
		TEXT_FORMAT(text, "%llu", (unsigned long long)D.event.deploy);
		want_text("about", v, text);
	}
	else if (key_is(word, "drill", &v)) want_text("drill", v, n->drill.on ? n->drill.turned ? "turned" : "on" : "off");
	else if (key_is(word, "how", &v)) want_text("how", v, n->drill.how[0] ? "cut-short" : "done");
	else if (key_is(word, "decided", &v)) want_text("decided", v, n->move.decided.ms == WALL ? "now" : n->move.decided.ms == WALL - 3600000 ? "before" : "lately");
	else if (key_is(word, "blue", &v)) expect_release("blue", &n->slot[BLUE], v);
	else if (key_is(word, "green", &v)) expect_release("green", &n->slot[GREEN], v);
	else if (key_is(word, "outcome", &v)) want_text("outcome", v, deploy_outcome_name(n->deploy.outcome));
	else if (key_is(word, "condemn", &v)) want_text("condemn", v, D.condemn_it ? D.condemn.release : "none");
	else if (key_is(word, "pardon", &v)) want_text("pardon", v, D.pardon_it ? D.pardon : "none");
	else if (key_is(word, "claim", &v)) want_text("claim", v, n->claim.id[0] ? n->claim.id : "none");
	else if (key_is(word, "hold", &v)) want_text("hold", v, n->hold.on ? "on" : "off");
	else if (key_is(word, "pin", &v)) want_text("pin", v, n->pin.on ? slot_name(n->pin.slot) : "off");
	else if (key_is(word, "sealed", &v)) want_text("sealed", v, n->sealed.on ? "on" : "off");
	else if (key_is(word, "stop", &v)) want_text("stop", v, n->deploy.stop == STOP_READY ? "ready" : "no");
	else if (key_is(word, "policy", &v)) want_text("policy", v, rollback_policy_name(n->deploy.rollback));
	else if (key_is(word, "v", &v)) want_text("v", v, version_text(n->v, text));
	else if (key_is(word, "offline", &v)) want_text("offline", v, D.offline_ok ? "yes" : "no");
	else if (key_is(word, "observed", &v)) want_text("observed", v, n->move.observed.ms ? "yes" : "no");
	else if (key_is(word, "acked", &v)) want_text("acked", v, n->move.acked.ms ? "yes" : "no");
	else if (key_is(word, "prolonged", &v)) want_text("prolonged", v, n->deploy.prolonged ? "yes" : "no");
	else if (key_is(word, "act", &v)) expect_act(v);
	else if (key_is(word, "gate", &v)) expect_gate(v);
	else if (key_is(word, "digest", &v)) want_text("digest", v, n->slot[n->deploy.slot].digest);
	else if (key_is(word, "without", &v)) want_text("without", v, n->slot[n->deploy.slot].without.text);
	else if (key_is(word, "skipped", &v)) want_text("skipped", v, n->deploy.skip);
	else if (key_is(word, "mutes", &v)) {
		snprintf(text, sizeof(text), "%zu", n->n_mutes);
		want_text("mutes", v, text);
	} else if (key_is(word, "recent", &v)) {
		snprintf(text, sizeof(text), "%zu", n->n_recent);
		want_text("recent", v, text);
	} else if (key_is(word, "until", &v)) {
		if ((n->phase_until.ms ? n->phase_until.ms - WALL : 0) != (strcmp(v, "never") == 0 ? 0 : span(v)))
			BAD("until: want %s, got %lld ms", v, (long long)(n->phase_until.ms - WALL));
	} else if (key_is(word, "because", &v)) {
		if (!strstr(D.because, v))
			BAD("because: want \"%s\", got \"%s\"", v, D.because);
	} else if (key_is(word, "detail", &v)) {
		if (!strstr(D.detail, v))
			BAD("detail: want \"%s\", got \"%s\"", v, D.detail);
	} else
		BAD("no such word on the right: %s", word);
}

/* What holds of every decision, derived here and not by decide's own must(). */
static void expect_always(void)
{
	const struct record *r = &G.rec, *n = &D.next;

	if (!D.row)
		return;
	assert_true(D.because[0]);
	if (G.rec.n_gates == 0 && D.commit && D.row->event == EV_DEPLOY_STARTED && D.next.n_gates == 0)
		BAD("a deploy without a word of its gates");
	if (D.refusal != RF_NONE && (D.commit || D.actions))
		BAD("refused, and yet something is done");
	if (!D.commit)
		return;
	bool value = n->active != r->active || n->shield != r->shield;

	if (G.in.kind != IN_START && (n->v.gen != r->v.gen || n->v.epoch != r->v.epoch + (value || (G.in.kind == IN_RESUME && r->pin.on))))
		BAD("epoch %llu -> %llu, value changed: %d", (unsigned long long)r->v.epoch, (unsigned long long)n->v.epoch, value);
	if (value && G.cfg.mode != MODE_OBSERVE && n->active != NO_SLOT && !(D.actions & ACT_APPLY))
		BAD("a new value, and no proxy is told");
	if (G.cfg.mode == MODE_OBSERVE && (D.actions & (ACT_APPLY | ACT_DRAIN)))
		BAD("observe mode touches a proxy");
	if (D.mode == MOVE_NOTE && n->active != r->active && G.in.kind != IN_START)
		BAD("a note moves traffic");
	if (!D.event.kind[0])
		BAD("a commit without an event");
	if (n->rev != r->rev || strcmp(n->cid, r->cid) != 0)
		BAD("rev and cid are the store's");
}

/* ---- coverage ---- */

static void cover(void)
{
	static struct look l;

	for (size_t i = 0; i < decide_rows(); i++) {
		const struct row *r = &transitions[i];
		int failing = -1, n_failing = 0;

		if (r->on != G.in.kind || !((r->at >> G.rec.phase) & 1))
			continue;
		look_init(&l, &G.rec, &G.w, &G.in);
		for (int k = 0; k < MAX_PROVIDED && r->provided[k]; k++) {
			int g = r->provided[k];

			if (guards[g < 0 ? -g : g].holds(&l) != (g > 0)) {
				failing = k;
				n_failing++;
			}
		}
		if (n_failing == 1)
			alone[i][failing] = true;
	}
	if (D.row)
		hit[decide_row_index(D.row)] = true;
}

/* What no line can show: evidence is fresh, and the other slot better, only where something is lost. */
static bool implied(const struct row *r, int g)
{
	for (int k = 0; g == G_LOST && k < MAX_PROVIDED; k++)
		if (r->provided[k] == G_FRESH || r->provided[k] == G_BETTER)
			return true;
	return false;
}

/* ---- the table ---- */

static void run_case(const char *line)
{
	char copy[MAX_LINE], *w[MAX_WORDS], *left = copy, *mid, *right;

	TEXT_COPY(line_text, line);
	TEXT_COPY(copy, line);
	mid = strchr(copy, '|');
	right = mid ? strchr(mid + 1, '|') : NULL;
	if (!right)
		BAD("a line is: given | input | expected");
	*mid++ = *right++ = '\0';
	ordinary();
	give(left);
	size_t n = words(mid, w);

	for (size_t i = 0; i < n; i++)
		if (!give_input(w[i]))
			BAD("no such word of an input: %s", w[i]);
	/* As the engine does. */
	if (claim_carries(&G.rec.claim, &G.in, &G.kept)) {
		const struct manifest **to = G.in.manifest || G.in.manifest_error ? &G.in.claimed : &G.in.manifest;

		G.in.carried = to == &G.in.manifest;
		*to = &G.kept;
	}
	/* A stale decision is reused by the engine: nothing of the last one may shine through. */
	decide(&G.rec, &G.w, &G.in, &D);
	cover();
	n = words(right, w);
	if (!n || strncmp(w[0], "to=", 3) != 0)
		BAD("the right side begins with to=");
	for (size_t i = 0; i < n; i++)
		expect(w[i]);
	expect_always();
	n_cases++;
}

/* {a,b} stands for two lines. */
static void expand(const char *line)
{
	const char *open = strchr(line, '{'), *close = open ? strchr(open, '}') : NULL;

	if (!close) {
		if (setjmp(next_line) == 0)
			run_case(line);
		return;
	}
	for (const char *s = open + 1; s < close;) {
		const char *end = s;
		char one[MAX_LINE];

		while (*end != ',' && end < close)
			end++;
		if (!text_format(one, sizeof(one), "%.*s%.*s%s", (int)(open - line), line, (int)(end - s), s, close + 1))
			BAD("line too long");
		expand(one);
		s = end + 1;
	}
}

static void table(void **state)
{
	char line[MAX_LINE];
	FILE *f = fopen(TABLE, "r");

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		line_no++;
		line[strcspn(line, "#\n")] = '\0';
		TEXT_COPY(line_text, line);
		if (!line[strspn(line, " \t")])
			continue;
		if (text_starts(line, "def ")) {
			assert_true(n_defs < MAX_DEFS);
			size_t at = 4 + strcspn(line + 4, " ");

			assert_true(text_copy_n(defs[n_defs].name, sizeof(defs[0].name), line + 4, at - 4));
			assert_true(TEXT_COPY(defs[n_defs].text, line + at + 1));
			n_defs++;
			continue;
		}
		expand(line);
	}
	fclose(f);
	print_message("%zu cases of %s\n", n_cases, TABLE);
	assert_int_equal(n_bad, 0);
	assert_true(n_cases >= 120);
}

static void every_row_is_hit(void **state)
{
	size_t bad = 0;
	struct row_info r;

	(void)state;
	for (size_t i = 0; i < decide_rows(); i++) {
		const struct row *row = &transitions[i];

		decide_row(i, &r);
		if (!hit[i] && ++bad)
			print_error("row %zu is hit by no line: %s | %s | %s\n", i, r.at, r.on, r.because);
		for (int k = 0; k < MAX_PROVIDED && row->provided[k]; k++) {
			int g = row->provided[k];

			if (!alone[i][k] && !implied(row, g) && ++bad)
				print_error("row %zu: no line in which only this fails: %s | %s | %s | %s\n", i, g < 0 ? guards[-g].no : guards[g].yes, r.at, r.on, r.because);
		}
	}
	assert_int_equal(bad, 0);
}

/* Orders always find a row: the last one of each (phase, input) asks nothing. */
static void every_pair_has_a_row(void **state)
{
	(void)state;
	for (int on = IN_TICK + 1; on < N_INPUTS; on++)
		for (int at = 0; at < N_PHASES; at++) {
			bool found = false;

			for (size_t i = 0; i < decide_rows(); i++) {
				const struct row *r = &transitions[i];

				if ((int)r->on != on || !((r->at >> at) & 1))
					continue;
				if (found)
					fail_msg("%s on %s: a row after the one that always fires", phase_name((enum phase)at), input_name((enum input_kind)on));
				found = r->provided[0] == G_END;
			}
			if (!found)
				fail_msg("%s on %s: no row", phase_name((enum phase)at), input_name((enum input_kind)on));
		}
	for (int at = 0; at < N_PHASES; at++) {
		bool leaves = false;

		for (size_t i = 0; i < decide_rows(); i++)
			leaves |= transitions[i].on == IN_TICK && ((transitions[i].at >> at) & 1) && transitions[i].to >= 0;
		assert_true(leaves);
	}
}

static void rows_are_well_formed(void **state)
{
	(void)state;
	assert_true(decide_rows() <= MAX_ROWS);
	for (size_t i = 0; i < decide_rows(); i++) {
		const struct row *r = &transitions[i];

		assert_true(r->at && !(r->at >> N_PHASES) && (unsigned)r->on < N_INPUTS);
		assert_true(r->because && r->because[0] && !strchr(r->because, '|'));
		assert_int_equal(r->provided[MAX_PROVIDED - 1], G_END);
		assert_true((r->to == TO_REFUSED) == (r->refusal != RF_NONE));
		/* A refusal may be told in the audit too. */
		assert_true((r->to >= TO_STAY || r->to == TO_ALARM) == (r->event != EV_NONE) || (r->to == TO_REFUSED && r->event == EV_GATE_REFUSED));
		assert_true(r->to != TO_REFUSED || !r->act);
		assert_true(!(r->act >> N_ACTIONS));
		if (r->to >= TO_STAY && r->on == IN_TICK) {
			/* Nothing is committed by the clock alone without a store, but the rollback of the offline rule. */
			bool asks = false;

			for (int k = 0; k < MAX_PROVIDED && r->provided[k]; k++)
				asks |= r->provided[k] == G_STORE_UP || r->provided[k] == G_MAY_RECORD_BACK;
			assert_true(asks);
		}
	}
	for (int g = 1; g < N_GUARDS; g++)
		assert_true(guards[g].holds && guards[g].yes[0] && guards[g].no[0]);
}

static void names(void **state)
{
	size_t n;
	const char *const *kinds = decide_event_kinds(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_non_null(kinds[i]);
		assert_true(kinds[i][0] && strlen(kinds[i]) <= EVENT_KIND_LEN);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(kinds[i], kinds[k]);
	}
	for (int i = 0; i < N_ACTIONS; i++)
		assert_string_not_equal(action_name(1u << i), "?");
	assert_string_equal(action_name(1u << N_ACTIONS), "?");
	for (int i = 0; i < N_INPUTS; i++)
		assert_non_null(input_name((enum input_kind)i));
	for (int i = 0; i < N_REFUSALS; i++) {
		const struct refusal_info *r = refusal_info((enum refusal)i);

		assert_non_null(r->code);
		assert_true(r->http >= 200 && r->http < 600 && r->sentence[0]);
	}
	/* What the issue demands of bad input. */
	assert_int_equal(refusal_info(RF_HELD)->http, 423);
	assert_int_equal(refusal_info(RF_PHASE)->http, 409);
	assert_int_equal(refusal_info(RF_NOT_WHOLE)->http, 422);
	assert_int_equal(refusal_info(RF_STORE)->http, 503);
	assert_int_equal(refusal_info(RF_OBSERVE)->http, 409);
}

static void prints(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	size_t lines = 0;

	(void)state;
	decide_print_table(&b);
	assert_false(b.full);
	for (const char *s = buf_str(&b); *s; s++)
		lines += *s == '\n';
	assert_int_equal(lines, decide_rows() + 2);
	assert_non_null(strstr(b.data, "the new release lost a feature the old one has"));
	buf_clear(&b);
	decide_print_mermaid(&b);
	assert_true(text_starts(buf_str(&b), "stateDiagram-v2\n"));
	for (int p = 0; p < N_PHASES; p++)
		assert_non_null(strstr(b.data, phase_name((enum phase)p)));
	assert_non_null(strstr(b.data, "baking --> reverting : rollback.decided"));
	assert_non_null(strstr(b.data, "[*] --> steady"));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_well_formed),
		cmocka_unit_test(every_pair_has_a_row),
		cmocka_unit_test(table),
		cmocka_unit_test(every_row_is_hit),
		cmocka_unit_test(names),
		cmocka_unit_test(prints),
	};

	return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
