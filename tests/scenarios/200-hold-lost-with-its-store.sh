#!/bin/bash
# SPDX-License-Identifier: MIT
# A hold that no replica has is acknowledged, at risk, and gone with the master.  Another controller leads by then and never
# heard of it; the one that acknowledged it stands by, and says what was lost: nobody else can.  Leading again, and asked for it with the
# same request id, it does not say that it was done: it is done anew.
# seconds: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sentinel.sh"
. "$(dirname "$0")/fleet.sh"
CHECK_VERSIONS=''
SVC[idle_interval]=500ms
sentinels_start || fail "redis and its sentinels do not start"
TOP[state]="{ redis: '$SENTINEL_URL', replicas: 1 }" TOP[lease_ttl]=2s
scn_site 2
controller_config 2
load_start
load_cmd mark begin

step "a note that the replica has, and a hold that it has not"
run note shop -m "everybody has this"
expect_exit 0
expect_status store.at_risk false
kill -STOP "$(pid_of redis2)"
port_cmd "${REDIS_PORT[1]}" "CLIENT KILL TYPE replica" >/dev/null
run hold shop -m INC-7 --request-id hold-1
expect_exit 0
case $(cat "$SITE/ctl.err") in *"committed, at risk: 0 replicas"*) ;; *) fail "it is not said: $(cat "$SITE/ctl.err")" ;; esac
expect_status hold.why INC-7
gone() { cat "$STATE"/archive/*.jsonl | grep '"kind":"store.lost"'; }
[ -z "$(gone)" ] || fail "it is called lost while it is there: $(gone)"

step "the master dies with it while the leader is frozen; another leads"
kill -STOP "$(pid_of switchd)"
redis_gone 1
kill -CONT "$(pid_of redis2)"
wait_until 60 eval 'redis_role 2 | grep -q master' || fail "no failover: $(redis_role 2)"
controller_start 2
wait_control 30 2 leading
on 2 wait_status 20 "active hold" "blue null"

step "the one that acknowledged it says so"
kill -CONT "$(pid_of switchd)"
wait_control 30 1 following
wait_until 10 eval '[ -n "$(gone)" ]' || fail "nothing is said: $(cat "$STATE"/archive/*.jsonl | tail -n 5)"
case $(gone) in *'gone with a store'*'may not know of it'*'hold.set by uid:'*) ;; *) fail "it says: $(gone)" ;; esac
case $(gone) in *note*) fail "the note is there, and is called lost: $(gone)" ;; esac
grep -q 'human-needed service=shop because="acknowledged here' "$SITE/log/switchd" || fail "nobody is called"
expect_eq "how often" "$(gone | wc -l)" 1
"$FAKES/ask" "http://$HTTP/metrics" | grep -qx 'switchd_store_lost_total 1' || fail "the metric: $("$FAKES/ask" "http://$HTTP/metrics" | grep store_lost)"
load_cmd more 60
expect_no_failures begin

step "the end"
controller_stop 2 || fail "controller 2 ended with $?"
wait_control 15 1 leading
wait_status 20 active blue
expect_eq "how often in the end" "$(gone | wc -l)" 1
run hold shop -m INC-7 --request-id hold-1
expect_exit 0
expect_status hold.why INC-7
scn_done
