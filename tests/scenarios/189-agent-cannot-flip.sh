#!/bin/bash
# SPDX-License-Identifier: MIT
# One of two proxies with agents could not make the flip: its configuration has no backend of that slot.  Its agent says so,
# a flip and a deploy to that slot are refused before anything moves, and work when the proxy is put right (B5.4).
# seconds: 150
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fleet.sh"
CHECK_VERSIONS=
redis_start || fail "redis does not start"
SVC[bake]=1s SVC[idle_interval]=500ms SVC[prove_timeout]=6s
fleet_begin
cp "$SITE/lb2/haproxy.cfg" "$SITE/lb2/whole.cfg"
switchd_start
wait_until 20 switchd_ready blue || fail "switchd is not ready: $(status loaded store.up active)"
wait_status 20 "fleet.converged fleet.all slots.blue.whole" "2 2 true"
load_start
load_cmd mark begin
deploy green r42 baked
expect_exit 0

step "the second one is started with a configuration that lacks a backend"
load_cmd mark broken
end_pid TERM "$(pid_of haproxy2)"
sed 's/shop-blue/shop-grey/g' "$SITE/lb2/whole.cfg" >"$SITE/lb2/haproxy.cfg"
lb_start 2 || fail "haproxy 2 does not start again"
wait_until 20 eval 'ctl status shop --json | grep -q "shop-blue is not in the running"' || fail "nobody says it: $(status proxies)"

step "a person's flip is refused, and says which proxy and why"
run flip shop --to blue -y
expect_exit 10
deploy blue r43 flipped
expect_exit 10
case $SAID in *lb2*"shop-blue is not in the running"*) ;; *) fail "it is not said why: $SAID $(cat "$SITE/ctl.err")" ;; esac
expect_eq "lb1" "$(lb_slot 1)" green
expect_eq "lb2" "$(lb_slot 2)" green
expect_status "active phase" "green steady"

step "its configuration is put right"
end_pid TERM "$(pid_of haproxy2)"
cp "$SITE/lb2/whole.cfg" "$SITE/lb2/haproxy.cfg"
lb_start 2 || fail "haproxy 2 does not start again"
wait_status 20 "fleet.converged fleet.all" "2 2"
load_cmd mark whole
# Another process: what it could do is asked anew, and the deploy waits for that.
deploy blue r44 baked
expect_exit 0
expect_eq "lb1" "$(lb_slot 1)" blue
expect_eq "lb2" "$(lb_slot 2)" blue
wait_status 10 "active phase fleet.converged" "blue steady 2"
load_cmd more 40
expect_no_failures begin,broken
expect_no_failures whole
step "the end"
load_stop
for n in 1 2; do lb_agent_stop $n || fail "agent $n ended with $?"; done
switchd_stop || fail "switchd ended with $?"
end_pid TERM "$(pid_of redis)"
DONE=1
