#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 180
# The controller's own link is down while clients reach everything: it is suspect of itself, and moves nothing (H13).
. "$(dirname "$0")/net.sh"
. "$(dirname "$0")/lib.sh"
SVC[bake]=120s
net_site 2
load_start
load_cmd mark begin
deploy green r42 flipped
expect_exit 0
wait_status 20 armed true

# nothing_moved: since the flip.
nothing_moved()
{
	expect_eq "$1: the map" "$(map_slot)" green
	expect_status active green
	expect_events rollback.decided 0
	expect_nothing_condemned
}

step "the link of the prober is down"
link_down 1
wait_status 20 "suspect armed" "true false"
# Longer than unknown_limit and than the lease.
load_cmd more 1600
expect_eq "the map while it is down" "$(map_slot)" green
expect_status "active suspect" "green true"
link_up 1
wait_status 30 "store.up suspect" "true false"
wait_status 20 "slots.green.whole slots.blue.whole armed" "true true true"
nothing_moved "link down"
expect_agreement

step "a real loss is still acted on"
load_cmd mark lost
expect_no_failures begin
app green all lose quotes 500
wait_status 20 "active phase" "blue steady"
expect_events rollback.decided 1
expect_gets_kept lost
scn_done
