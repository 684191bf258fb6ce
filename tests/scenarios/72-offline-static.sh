#!/bin/bash
# SPDX-License-Identifier: MIT
# offline: static: with Redis away nothing moves by itself, not even back; a human's rollback does.
. "$(dirname "$0")/lib.sh"
SVC[bake]=120s SVC[offline]=static
redis_start || fail "redis does not start"
scn_site 2
load_start
deploy green r42 flipped
expect_exit 0
step "Redis dies, then quotes"
redis_kill
wait_status 15 "store.up" false
wait_status 10 "armed" false
app green all lose quotes 500
load_cmd more 600
expect_status active green
expect_eq "the map" "$(map_slot)" green
run rollback shop -y -m "by hand"
expect_exit 13
wait_until 10 eval '[ "$(map_slot)" = blue ]' || fail "a human's rollback did not move traffic"
step "a second word of the same person, and a third: recorded in one, each with a version of its own"
app green all restore all
for slot in green blue; do
	run rollback shop --force -y -m "once more"
	expect_exit 13
	wait_until 10 eval '[ "$(map_slot)" = $slot ]' || fail "to $slot: $(map_value)"
done
redis_start || fail "redis does not start"
wait_status 20 "store.up store.pending active" "true false blue"
expect_events rollback.decided 3
wait_status 20 phase steady
expect_agreement
expect_chain
scn_done
