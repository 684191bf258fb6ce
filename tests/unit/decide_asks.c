/* SPDX-License-Identifier: MIT
 * decide_asks.c - what status asks of a record: armed or not and why, the next time that matters, what is lost, the value of a proxy. */
#include "tests/unit/support/decide_given.h"

/* ---- what status asks ---- */

static void armed_says(const char *left, const char *want)
{
	char copy[512], why[160];

	if (setjmp(next_line))
		fail_msg("%s", left);
	ordinary();
	TEXT_COPY(copy, left);
	TEXT_COPY(line_text, left);
	give(copy);
	bool armed = decide_armed(&G.rec, &G.w, why);

	if (armed != (want[0] == '\0') || !strstr(why, want)) {
		print_error("%s: armed %d, \"%s\"; want \"%s\"\n", left, armed, why, want);
		fail();
	}
}

static void armed(void **state)
{
	(void)state;
	armed_says("", "");
	armed_says("phase=baking", "");
	armed_says("quotes=A/P", "");
	armed_says("mode=observe", "observe");
	armed_says("mode=gate", "gate");
	armed_says("hold", "held");
	armed_says("pin=blue", "pinned");
	armed_says("suspect", "suspect");
	armed_says("cold", "suspect");
	armed_says("sealed", "sealed by ci, migration 118");
	armed_says("move=auto", "no forward");
	armed_says("move=back", "no forward");
	armed_says("undone", "no forward");
	armed_says("age=25h", "rollback_window");
	armed_says("age=25h forever", "");
	armed_says("restarted", "");
	armed_says("policy=ask", "by a person");
	armed_says("store_down", "");
	armed_says("store_down static", "cannot be written");
	armed_says("store_down agents", "cannot be written");
	armed_says("quotes=P/A", "quotes is absent on green");
	armed_says("expenses=P/U", "expenses is unknown on green");
	armed_says("mail=P/A", "");
	armed_says("few=green", "too few");
	armed_says("identity=P/A", "another release");
	armed_says("identity=P/U", "identity is unknown");
	armed_says("green=r43:refused", "none (green: r43, refused)");
	armed_says("green=r43:proved", "none (green: r43, proved)");
	armed_says("green=r43:refused:was", "none (green: r43, refused)");
	armed_says("green=r43:left", "none (green: r43, never baked)");
	armed_says("green=r43:left:was", "");
	armed_says("green=empty", "release unknown");
	armed_says("condemned=r40", "condemned");
	armed_says("phase=filling claim=c1:green:r42 green=empty", "claimed by ci");
	armed_says("active=none", "no slot is active");
	armed_says("phase=reverting", "put back");
}

static void next_time(void **state)
{
	(void)state;
	ordinary();
	assert_int_equal(decide_next_time(&G.rec, &G.w).ms, 0);
	G.rec.phase = PH_BAKING;
	G.rec.phase_since.ms = WALL - 1000;
	G.rec.phase_until.ms = WALL + 5000;
	assert_int_equal(decide_next_time(&G.rec, &G.w).ms, WALL + 5000);
	G.w.bake_stood_ms = 700;
	assert_int_equal(decide_next_time(&G.rec, &G.w).ms, WALL + 5700);
	G.rec.hold = (struct hold){ .on = true, .until.ms = WALL + 40 };
	assert_int_equal(decide_next_time(&G.rec, &G.w).ms, WALL + 40);
	G.rec.mutes[G.rec.n_mutes++].until.ms = WALL + 30;
	assert_int_equal(decide_next_time(&G.rec, &G.w).ms, WALL + 30);
	/* What is past already waits for something else than time. */
	G.rec.hold.until.ms = WALL - 1;
	G.rec.n_mutes = 0;
	assert_int_equal(decide_next_time(&G.rec, &G.w).ms, WALL + 5700);
}

static void lost_and_value(void **state)
{
	size_t lost[MAX_FEATURES];
	struct proxy_value v;
	char copy[] = "quotes=A/P expenses=a/P mail=A/P identity=A/P shield";

	(void)state;
	ordinary();
	give(copy);
	/* expenses was never seen here, mail is a warning, identity is no feature of the config */
	assert_int_equal(decide_lost(&G.rec, &G.w, &G.cfg, lost), 1);
	assert_int_equal(lost[0], 0);
	v = decide_value(&G.rec);
	assert_true(v.slot == BLUE && v.v.gen == 7 && v.v.epoch == 42 && v.shield && !v.pin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(armed),
		cmocka_unit_test(next_time),
		cmocka_unit_test(lost_and_value),
	};

	return cmocka_run_group_tests_name("decide_asks", tests, NULL, NULL);
}
