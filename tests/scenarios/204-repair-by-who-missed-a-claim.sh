#!/bin/bash
# SPDX-License-Identifier: MIT
# A claim is acknowledged while the controller that follows stands still; then the leader dies, and another hand spoils the record.
# The one that leads now does not know of the claim, and says so to whoever has it repair the record, before and after.
# seconds: 90
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fleet.sh"
SVC[idle_interval]=500ms
TOP[lease_ttl]=2s
redis_start || fail "redis does not start"
scn_site 2
second_start

step "a claim that one of two hears of; what says so is spoilt"
kill -STOP "$(pid_of switchd2)"
run claim shop --slot green --release r42
expect_exit 0
switchd_kill
redis_cmd 'HSET switchd:{0}:s:shop active purple' >/dev/null
kill -CONT "$(pid_of switchd2)"
wait_control 15 2 leading
wait_until 10 eval '[ "$(on 2 status store.bad)" != null ]' || fail "not refused: $(on 2 status store)"

step "who repairs it is told"
on 2 run state repair shop --dry-run
expect_exit 0
case $SAID in *"it counts 1 commit more than the last good record here"*) ;; *) fail "it does not say: $SAID" ;; esac
on 2 run state repair shop -y -m INC-7
expect_exit 0
case $SAID in *"it counts 1 commit more"*) ;; *) fail "it does not say: $SAID $(cat "$SITE/ctl.err")" ;; esac
on 2 wait_status 10 "active claim" "blue null"
repaired() { cat "$SITE/state2/archive"/*.jsonl | grep '"kind":"store.repaired"'; }
wait_until 10 eval '[ -n "$(repaired)" ]' || fail "the archive has no such event"
case $(repaired) in *'INC-7; refused was: '*'; it counts 1 commit more than the last good record here: what they said (a claim, a hold) is lost"'*) ;; *) fail "it says: $(repaired)" ;; esac

step "the end"
switchd_start
wait_control 20 1 following
controller_stop 2 || fail "controller 2 ended with $?"
wait_control 15 1 leading
wait_status 20 "active claim" "blue null"
scn_done
