#!/bin/bash
# SPDX-License-Identifier: MIT
# What a controller saw while another led is about the releases that were there then: a slot that was filled meanwhile
# begins anew for whoever takes over, and nothing disappeared from a release that never had it.
# seconds: 150
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fleet.sh"
SVC[bake]=60s SVC[idle_interval]=300ms
TOP[lease_ttl]=2s
redis_start || fail "redis does not start"
scn_site 2
second_start
on 2 wait_status 30 "slots.blue.whole features.1.name features.1.slots.green.verdict" "true quotes present"

step "a release without quotes is refused, and by force it goes: nothing disappeared from it"
FILL="--features home,expenses,invoices,customers,reports" deploy green r42 flipped
expect_exit 10
run flip shop --to green --force -y -m "it comes without quotes"
expect_exit 0
expect_status "active slots.green.release" "green r42"
wait_until 5 eval '[ "$(on 2 status active slots.green.release)" = "green r42" ]' || fail "it does not follow: $(on 2 status active slots.green.release)"
load_start
load_cmd more 40
expect_status active green

step "the leader is killed: who takes over saw quotes there, of the release before"
switchd_kill
wait_control 15 2 leading
on 2 wait_status 20 "slots.blue.whole" "true"
load_cmd more 200
on 2 expect_status "active slots.green.release" "green r42"
on 2 expect_events rollback.decided 0
on 2 run rollback shop -y
expect_exit 0
on 2 expect_status active blue

step "the end"
switchd_start
wait_control 20 1 following
controller_stop 2 || fail "controller 2 ended with $?"
wait_control 10 1 leading
wait_status 20 active blue
scn_done
