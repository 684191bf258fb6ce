#!/bin/bash
# SPDX-License-Identifier: MIT
# Of two controllers one leads.  The other follows the record, refuses orders and says who leads; it takes over from one
# that is killed, that stops cleanly, and that is frozen; the frozen one wakes up and does nothing of what it had decided.
# seconds: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fleet.sh"
SVC[bake]=60s SVC[idle_interval]=500ms
TOP[lease_ttl]=2s
redis_start || fail "redis does not start"
scn_site 2
second_start

took() { echo "  took $(($(mono_ms) - begin)) ms (lease_ttl 2000 ms)"; }

step "the second follows, and says who leads"
on 2 run flip shop --to green -y
expect_exit 16
case $(cat "$SITE/ctl.err") in *"leads"*) ;; *) fail "it does not say who leads: $(cat "$SITE/ctl.err")" ;; esac
expect_status active blue
load_start
load_cmd mark begin
deploy green r42 flipped
expect_exit 0
wait_until 5 eval '[ "$(on 2 status active slots.green.release)" = "green r42" ]' || fail "it does not follow: $(on 2 status active slots.green.release)"

step "the leader is killed in the middle of a bake"
begin=$(mono_ms)
switchd_kill
wait_control 15 2 leading
took
wait_until 10 eval '[ "$(on 2 status phase active)" = "baking green" ]' || fail "the bake is forgotten: $(on 2 status phase active)"
on 2 wait_status 20 armed true

step "a feature is lost: the new leader takes traffic back"
load_cmd mark lost
app green all lose quotes 500
on 2 wait_status 20 "active phase" "blue steady"
load_cmd mark back
load_cmd more 60
expect_no_failures back
app green all restore all
on 2 expect_events rollback.decided 1

step "the first comes back and follows"
switchd_start
wait_control 20 1 following
wait_until 5 eval '[ "$(status active loaded)" = "blue true" ]' || fail "it knows no record: $(status active loaded)"

step "a clean stop hands over at once"
begin=$(mono_ms)
controller_stop 2 || fail "controller 2 ended with $?"
wait_control 10 1 leading
took
wait_status 20 "slots.blue.whole slots.green.whole" "true true"

step "a frozen leader is succeeded, and wakes up"
controller_start 2
wait_control 20 2 following
kill -STOP "$(pid_of switchd)"
begin=$(mono_ms)
wait_control 15 2 leading
took
on 2 wait_status 20 "slots.blue.whole slots.green.whole" "true true"
on 2 run flip shop --to green --force -y -m "the first is frozen"
expect_exit 0
on 2 wait_status 20 "active" "green"
kill -CONT "$(pid_of switchd)"
wait_control 15 1 following
wait_until 5 eval '[ "$(status active)" = green ]' || fail "what woke up does not follow: $(status active)"
load_cmd more 60
expect_no_failures back

step "the archives of both say the same, word for word, whoever committed it"
events() { cat "$SITE/$1/archive"/*.jsonl | grep '"id":"[0-9]*-[0-9]*"'; }
both_have() { [ "$(events state)" = "$(events state2)" ]; }
wait_until 10 both_have || fail "$(diff <(events state) <(events state2) | head -n 6)"

step "and back"
controller_stop 2 || fail "controller 2 ended with $?"
wait_control 10 1 leading
wait_status 20 active green
scn_done
