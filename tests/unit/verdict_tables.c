/* SPDX-License-Identifier: MIT
 * verdict_tables.c - the two tables of core/verdict.
 *
 * tables/verdict.tbl drives health_fold(); tables/view.tbl drives health_note() and
 * health_view() through a small language told in its head. */
#include "tests/unit/support/verdict_rig.h"

static char *next_word(char **p, const char *sep)
{
	char *w;

	do
		w = strsep(p, sep);
	while (w && !*w);
	return w;
}

static enum outcome outcome_of(const char *w)
{
	static const struct { const char *word; enum outcome o; } words[] = {
		{ "ok", OUT_PRESENT }, { "no", OUT_STATUS }, { "?", OUT_TIMEOUT }, { "out", OUT_REFUSED }, { "kills", OUT_KILLS_WORKER },
		{ "wrong", OUT_IDENTITY },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i].word, w) == 0)
			return words[i].o;
	fail_msg("no such outcome: %s", w);
	return N_OUTCOMES;
}

static FILE *table_open(const char *name)
{
	char path[256];
	const char *root = getenv("SWITCHD_ROOT");

	TEXT_FORMAT(path, "%s/tests/tables/%s", root ? root : ".", name);
	FILE *f = fopen(path, "r");

	if (!f)
		fail_msg("%s: run me in the repository's root, or set SWITCHD_ROOT", path);
	return f;
}

static int fold_row(char *text, int line)
{
	char *p = text, *head = strsep(&p, "|"), *outs = strsep(&p, "|"), *want = strsep(&p, "|\n");
	struct probe_rule rule = usual;
	struct cell c = { .last = OUT_NEVER_RAN };
	mono_us t = { 1000 };
	char *w, *v, start[16];

	assert_non_null(want);
	assert_int_equal(sscanf(head, "%d %d %d %15s", &rule.rise, &rule.fall, &rule.calm, start), 4);
	for (int i = 0; strcmp(start, "present") == 0 && i < (rule.calm > rule.rise ? rule.calm : rule.rise); i++)
		health_fold(&c, &rule, OUT_PRESENT, t, t);
	for (int i = 0; strcmp(start, "absent") == 0 && i < rule.fall; i++)
		health_fold(&c, &rule, OUT_STATUS, t, t);
	for (int i = 0; (w = next_word(&outs, " \t")) != NULL; i++) {
		enum verdict got = health_fold(&c, &rule, outcome_of(w), t, t);

		v = next_word(&want, " \t");
		if (!v || "UPA"[got] != *v)
			fail_msg("verdict.tbl:%d: outcome %d (%s): got %c, want %s", line, i + 1, w, "UPA"[got], v ? v : "nothing");
	}
	if (next_word(&want, " \t"))
		fail_msg("verdict.tbl:%d: more verdicts than outcomes", line);
	return 1;
}

static void test_table_fold(void **state)
{
	FILE *f = table_open("verdict.tbl");
	char text[512];
	int rows = 0;

	(void)state;
	for (int line = 1; fgets(text, sizeof(text), f); line++)
		if (text[0] != '#' && text[0] != '\n')
			rows += fold_row(text, line);
	fclose(f);
	print_message("verdict.tbl: %d rows\n", rows);
	assert_true(rows >= 40);
}

/* A row that cannot be read ends the test; one that does not hold is told, with all the others. */
#define row_fail(r, ...) do { print_error("view.tbl: %s: ", (r)->row); fail_msg(__VA_ARGS__); } while (0)

static int64_t number_of(struct rig *r, const char *w)
{
	uint64_t n = 0;

	if (!text_u64(w, &n))
		row_fail(r, "not a number: %s", w);
	return (int64_t)n;
}

static int slot_of(struct rig *r, const char *w)
{
	int s = w[0] == 'b' ? BLUE : w[0] == 'g' ? GREEN : -1;

	if (s < 0)
		row_fail(r, "no such slot: %s", w);
	return s;
}

static size_t feature_of(struct rig *r, const char *name)
{
	for (size_t i = 0; i < r->cfg.n_features; i++)
		if (strcmp(r->feature[i].name, name) == 0)
			return i;
	if (strcmp(name, "identity") != 0 || !r->cfg.identity.on)
		row_fail(r, "no such feature: %s", name);
	return r->cfg.n_features;
}

static void setup_word(struct rig *r, char *w, bool *warm)
{
	if (text_starts(w, "t="))
		rig_targets(r, (size_t)(w[2] - '0'));
	else if (text_starts(w, "min="))
		r->cfg.slot[BLUE].min_targets = r->cfg.slot[GREEN].min_targets = w[4] - '0';
	else if (text_starts(w, "f="))
		rig_features(r, w + 2);
	else if (text_starts(w, "fall="))
		r->fall = w[5] - '0';
	else if (text_starts(w, "front=")) {
		r->cfg.n_proxies = (size_t)(w[6] - '0');
		r->cfg.front = "http://shop";
	} else if (strcmp(w, "identity") == 0)
		r->cfg.identity.on = true;
	else if (strcmp(w, "ref") == 0)
		r->cfg.has_reference = true;
	else if (strcmp(w, "green=proving") == 0)
		r->rules.live[GREEN] = false;
	else if (strcmp(w, "green=active") == 0)
		r->rules.active = GREEN;
	else if (strcmp(w, "none=active") == 0)
		r->rules.active = NO_SLOT;
	else if (strcmp(w, "bake") == 0)
		r->rules.baking = true;
	else if (strcmp(w, "warm") == 0)
		*warm = true;
	else
		row_fail(r, "setup: %s", w);
}

/* b0.a:ok,no   g*.*:out */
static void step_notes(struct rig *r, char *w)
{
	char *outs = strchr(w, ':'), *name = strchr(w, '.'), *o;
	int s = slot_of(r, w);

	if (!outs || !name)
		row_fail(r, "step: %s", w);
	*outs++ = '\0';
	*name++ = '\0';
	while ((o = next_word(&outs, ",")) != NULL)
		for (size_t t = 0; t < r->cfg.slot[s].n_targets; t++)
			for (size_t f = 0; f < r->cfg.n_features + r->cfg.identity.on; f++) {
				if (w[1] != '*' && (size_t)(w[1] - '0') != t)
					continue;
				if (strcmp(name, "*") == 0 ? f == r->cfg.n_features || !r->feature[f].rule.via_slot : f != feature_of(r, name))
					continue;
				rig_note(r, s, t, f, outcome_of(o));
			}
}

/* front0.a:ok@blue */
static void step_front(struct rig *r, char *w)
{
	char *outs = strchr(w, ':'), *name = strchr(w, '.'), *o;

	if (!outs || !name)
		row_fail(r, "step: %s", w);
	*outs++ = '\0';
	*name++ = '\0';
	while ((o = next_word(&outs, ",")) != NULL) {
		char *by = strchr(o, '@');
		mono_us began = r->rules.now;

		if (!by)
			row_fail(r, "front: no stamp in %s", o);
		*by++ = '\0';
		enum slot stamped = strcmp(by, "-") == 0 ? NO_SLOT : strcmp(by, "green") == 0 ? GREEN : BLUE;

		rig_pass(r, 1000);
		r->advice = health_note_front(r->h, (size_t)(w[5] - '0'), feature_of(r, name), stamped,
					      stamped != NO_SLOT && strcmp(by, "old") != 0, outcome_of(o), began, r->rules.now);
	}
}

static void step(struct rig *r, char *w)
{
	if (text_starts(w, "front"))
		step_front(r, w);
	else if (text_starts(w, "wait:"))
		rig_pass(r, number_of(r, w + 5) * 1000);
	else if (text_starts(w, "fill:"))
		health_slot_filled(r->h, (enum slot)slot_of(r, w + 5));
	else if (strcmp(w, "blind") == 0)
		health_blind(r->h, r->rules.now);
	else if (text_starts(w, "ref:"))
		health_note_reference(r->h, strcmp(w + 4, "ok") == 0, r->rules.now);
	else if (text_starts(w, "mute:")) {
		TEXT_COPY(r->mute.feature, w + 5);
		r->mute.until = wall_plus_ms(r->rules.wall, 3600000);
		r->rules.n_mutes = 1;
	} else if (text_starts(w, "vacuous:"))
		health_set_vacuous(r->h, feature_of(r, w + 8), true);
	else if (strcmp(w, "bake") == 0)
		r->rules.baking = true;
	else if (text_starts(w, "live:"))
		r->rules.live[slot_of(r, w + 5)] = true;
	else if (text_starts(w, "active:"))
		r->rules.active = (enum slot)slot_of(r, w + 7);
	else
		step_notes(r, w);
}

static bool feature_flag(struct rig *r, const struct feature_view *v, const char *w)
{
	if (strcmp(w, "votes") == 0)
		return v->votes;
	if (strcmp(w, "muted") == 0)
		return v->muted;
	if (strcmp(w, "vacuous") == 0)
		return v->vacuous;
	row_fail(r, "no such flag of a feature: %s", w);
	return false;
}

/* What stands after "blue." */
static bool slot_seen(struct rig *r, int s, char *w)
{
	const struct slot_view *v = &r->view.slot[s];
	const struct { const char *name; bool is; } flags[] = {
		{ "too_few", v->too_few }, { "excused", v->excused }, { "awaiting", v->awaiting }, { "whole", v->whole },
		{ "identity_wrong", v->identity_wrong },
	};
	char *op = strpbrk(w, "=~.");

	if (text_starts(w, "in="))
		return v->in == number_of(r, w + 3) && v->out == v->targets - v->in;
	if (text_starts(w, "starting="))
		return v->starting == number_of(r, w + 9);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (strcmp(flags[i].name, w) == 0)
			return flags[i].is;
	if (!op)
		row_fail(r, "cannot be seen: %s", w);
	char how = *op;

	*op++ = '\0';
	const struct feature_view *f = &r->view.f[feature_of(r, w)];

	if (how == '=')
		return strcmp(verdict_name(f->at[s]), op) == 0;
	if (how == '~')
		return strcmp(compared_name(f->cmp[s]), op) == 0;
	if (strcmp(op, "doubted") == 0)
		return f->doubted[s];
	if (strcmp(op, "seen") != 0)
		row_fail(r, "cannot be seen: %s", op);
	return f->seen[s];
}

static bool is_seen(struct rig *r, char *w)
{
	const struct { const char *name; bool is; } flags[] = {
		{ "suspect", r->view.suspect }, { "front_down", r->view.front_down }, { "confirm", r->advice.confirm },
		{ "now", r->advice.confirm_now }, { "other", r->advice.ask_other_slot }, { "front", r->advice.ask_front },
		{ "changed", r->advice.changed },
	};

	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (strcmp(flags[i].name, w) == 0)
			return flags[i].is;
	if (text_starts(w, "next=")) {
		mono_us t = health_next_change(r->h, &r->rules);

		return number_of(r, w + 5) == (t.us ? (t.us - r->rules.now.us) / 1000 : 0);
	}
	if (text_starts(w, "blue."))
		return slot_seen(r, BLUE, w + 5);
	if (text_starts(w, "green."))
		return slot_seen(r, GREEN, w + 6);
	char *dot = strchr(w, '.');

	if (!dot)
		row_fail(r, "cannot be seen: %s", w);
	*dot++ = '\0';
	return feature_flag(r, &r->view.f[feature_of(r, w)], dot);
}

static int view_row(char *text)
{
	static struct rig r;
	char *p = text, *name = strsep(&p, "|"), *setup = strsep(&p, "|"), *steps = strsep(&p, "|\n"), *w;
	bool warm = false;
	char said[64];
	int seen = 0, wrong = 0;

	if (!steps)
		fail_msg("view.tbl: not a row: %s", name);
	rig_init(&r, 1, "a");
	r.row = name;
	while ((w = next_word(&setup, " \t")) != NULL)
		setup_word(&r, w, &warm);
	for (size_t f = 0; r.fall && f < r.cfg.n_features; f++)
		r.feature[f].rule.fall = r.fall;
	r.h = health_new(&r.cfg);
	if (warm)
		rig_warm(&r, !r.rules.live[GREEN]);
	while ((w = next_word(&steps, " \t\n")) != NULL) {
		TEXT_COPY(said, w);
		if (*w != '?') {
			step(&r, w);
			continue;
		}
		rig_view(&r);
		seen++;
		if (is_seen(&r, w[1] == '!' ? w + 2 : w + 1) == (w[1] == '!')) {
			print_error("view.tbl: %s: not so: %s (look %d)\n", r.row, said, seen);
			wrong++;
		}
	}
	if (!seen)
		row_fail(&r, "a row that looks at nothing");
	rig_end(&r);
	return wrong;
}

static void test_table_view(void **state)
{
	FILE *f = table_open("view.tbl");
	char text[1024];
	int rows = 0, wrong = 0;

	(void)state;
	while (fgets(text, sizeof(text), f))
		if (text[0] != '#' && text[0] != '\n') {
			wrong += view_row(text);
			rows++;
		}
	fclose(f);
	print_message("view.tbl: %d rows\n", rows);
	assert_int_equal(wrong, 0);
	assert_true(rows >= 80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_fold),
		cmocka_unit_test(test_table_view),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
