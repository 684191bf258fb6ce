#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 180
# The network between controller and Redis is silent: nothing moves forward, traffic stays, and a person's rollback
# works all the same; an automatic one too where the configuration lets one host act alone.  When it heals, all is
# recorded and agrees (R15).
. "$(dirname "$0")/net.sh"
. "$(dirname "$0")/lib.sh"
SVC[bake]=60s
net_site 2
load_start
load_cmd mark begin
deploy green r42 flipped
expect_exit 0
expect_agreement

for how in blackhole unreachable; do
	step "controller and Redis apart: $how"
	partition 1 2 $how
	wait_status 20 "store.up" false
	load_cmd more 200
	expect_status active green
	expect_eq "the map" "$(map_slot)" green
	expect_agreement
	run flip shop --to blue -y --timeout 3s
	[ $RC = 16 ] || [ $RC = 10 ] || fail "a flip forward while Redis is cut off: exit $RC"
	expect_eq "the map" "$(map_slot)" green
	step "healed"
	heal 1 2
	wait_status 30 "store.up store.pending active" "true false green"
	expect_agreement
done

step "one direction only: what Redis answers does not arrive"
partition_from 2 1
wait_status 20 "store.up" false
step "a person rolls back meanwhile"
run rollback shop -y -m "cut off"
expect_exit 13
wait_until 10 eval '[ "$(map_slot)" = blue ]' || fail "traffic did not move: $(map_value)"
expect_status "active store.pending" "blue true"
heal 1 2
wait_status 30 "store.up store.pending active phase" "true false blue steady"
expect_events rollback.decided 1
expect_agreement

step "Redis is reached again, and HAProxy is not"
deploy green r43 flipped
expect_exit 0
partition 1 3
wait_until 20 status_is proxies.0.state down || fail "it is not seen: $(status proxies.0.state)"
load_cmd more 200
expect_status active green
expect_eq "the map" "$(map_slot)" green
heal 1 3
wait_until 20 status_is proxies.0.state in-sync || fail "not in sync again: $(status proxies.0.state)"
expect_no_failures begin
expect_nothing_condemned
scn_done
