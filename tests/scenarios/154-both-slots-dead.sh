#!/bin/bash
# SPDX-License-Identifier: MIT
# T26: all targets of both slots die at once: nothing is better than the other, so nothing is flipped; and people are told.
. "$(dirname "$0")/lib.sh"
SVC[bake]=120s
scn_site 2
deploy green r42 flipped
expect_exit 0
before=$(status active version.gen version.epoch)

step "kill -9 of everything"
for slot in blue green; do
	for n in 1 2; do kill -KILL "$(pid_of $slot$n)"; done
done
out() { [ "$(status features.1.slots.blue.verdict features.1.slots.green.verdict features.1.slots.green.compared)" = "absent absent broken_both" ]; }
wait_until 40 out || fail "not seen: $(status features.1)"
told() { [ "$(count_events feature.lost)" -ge 1 ]; }
wait_until 20 told || fail "nobody is told: $(events)"
expect_status "active version.gen version.epoch" "$before"
expect_events rollback.decided 0
expect_nothing_condemned

step "both come back"
# The active one first: the other one alone would rightly be better for a moment.
slot_start green r42 && slot_start blue r41 || fail "targets do not start"
wait_status 40 features.1.slots.green.verdict present
expect_status "active version.gen version.epoch" "$before"
scn_done
