#!/bin/bash
# SPDX-License-Identifier: MIT
# Redis is out of memory, and nobody may act alone: two agents, two controllers.  What leads, what takes traffic back and what
# tells that it is back is written all the same; forward nothing goes.
# seconds: 120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fleet.sh"
CHECK_VERSIONS=
redis_start || fail "redis does not start"
SVC[bake]=120s SVC[idle_interval]=500ms
TOP[lease_ttl]=2s
fleet_begin
fleet_lead
second_start
load_start
load2_start
deploy green r42 flipped --converged=all
expect_exit 0

step "out of memory, the leader dies, and quotes is lost"
redis_cmd CONFIG SET maxmemory 1 >/dev/null
switchd_kill
wait_control 15 2 leading
on 2 wait_status 20 armed true
loads mark lost
app green all lose quotes 500
on 2 wait_status 20 "active phase fleet.converged" "blue steady 2"
loads mark back
loads more 60
expect_eq "lb1" "$(lb_slot 1)" blue
expect_eq "lb2" "$(lb_slot 2)" blue
expect_no_failures_at_both back
case $(on 2 status condemned) in *'"r42"'*) ;; *) fail "r42 is not condemned: $(on 2 status condemned)" ;; esac
app green all restore all

step "nothing goes forward"
on 2 run flip shop --to green --force -y -m "no"
[ $RC = 16 ] || fail "a flip: exit $RC, $SAID"
on 2 expect_status active blue

step "memory again"
redis_cmd CONFIG SET maxmemory 0 >/dev/null
switchd_start
wait_control 20 1 following
controller_stop 2 || fail "controller 2 ended with $?"
wait_control 15 1 leading
wait_status 20 "active phase fleet.converged" "blue steady 2"
expect_events rollback.decided 1
run pardon shop --release r42 -m "it was the test"
expect_exit 0
wait_status 20 "slots.green.whole" true
run flip shop --to green -y --converged=all
expect_exit 0
expect_eq "lb1" "$(lb_slot 1)" green
expect_eq "lb2" "$(lb_slot 2)" green
loads more 40
expect_no_failures_at_both back
for n in 1 2; do lb_agent_stop $n || fail "agent $n ended with $?"; done
switchd_stop || fail "switchd ended with $?"
end_pid TERM "$(pid_of redis)"
DONE=1
