#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 180
# A firewall, silent or refusing, between the controller and the active slot alone, in its bake: clients are served, and
# the front shows the slot, so that nothing moves and nothing is condemned (B1.1).  What is lost behind it is acted on.
. "$(dirname "$0")/net.sh"
. "$(dirname "$0")/lib.sh"
SVC[bake]=600s
net_site 2
load_start
load_cmd mark begin
deploy green r42 flipped
expect_exit 0
wait_status 20 armed true

for how in blackhole unreachable; do
	step "walled off from the active slot: $how"
	partition 1 5 $how
	not_whole() { status_is slots.green.whole false; }
	wait_until 20 not_whole || fail "it is not seen"
	# Many times unknown_limit.
	load_cmd more 2400
	expect_eq "$how: the map" "$(map_slot)" green
	expect_status "active phase" "green baking"
	expect_events rollback.decided 0
	expect_nothing_condemned
	heal 1 5
	wait_status 30 "slots.green.whole armed" "true true"
done
expect_no_failures begin

step "walled off, and then the slot hangs: that is no wall"
partition 1 5
wait_until 20 not_whole || fail "it is not seen"
load_cmd more 400
app green all lose all hang
wait_status 30 "active phase" "blue steady"
app green all restore all
heal 1 5
expect_events rollback.decided 1
load_cmd more 20
scn_done
