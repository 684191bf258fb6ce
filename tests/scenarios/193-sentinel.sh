#!/bin/bash
# SPDX-License-Identifier: MIT
# A master, a replica and three sentinels.  Commits wait for the replica and say when it has them not; the master dies
# with commits that the replica never got: the record is based anew on a higher generation, never taken back silently.
# seconds: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sentinel.sh"
SVC[bake]=120s SVC[idle_interval]=500ms
sentinels_start || fail "redis and its sentinels do not start"
TOP[state]="{ redis: '$SENTINEL_URL', replicas: 1 }"
scn_site 2
load_start
load_cmd mark begin

step "a commit that the replica has"
deploy green r42 flipped
expect_exit 0
expect_status "store.at_risk" false
before=$(status etag)

step "the replica stands still: committed, at risk"
kill -STOP "$(pid_of redis2)"
# What was sent waits in its socket, and it would read that later: nothing more is to be sent.
port_cmd "${REDIS_PORT[1]}" "CLIENT KILL TYPE replica" >/dev/null
run rollback shop -m INC-1
expect_exit 0
case $(cat "$SITE/ctl.err") in *"committed, at risk: 0 replicas"*) ;; *) fail "it is not said: $(cat "$SITE/ctl.err")" ;; esac
wait_status 10 "active store.at_risk" "blue true"
wait_until 10 eval '[ "$(map_slot)" = blue ]' || fail "traffic waited for a replica: $(map_value)"
lost=$(status etag)

step "the master dies with it, and the replica, which never had it, becomes the master"
redis_gone 1
kill -CONT "$(pid_of redis2)"
wait_until 60 eval '[ "$(status store.up)" = true ]' || fail "no failover: $(status store)"
wait_status 20 "active phase" "blue steady"
now=$(status etag)
[ "${now%%.*}" -gt "${lost%%.*}" ] || fail "no new generation: $before, lost $lost, now $now"
expect_eq "the map" "$(map_slot)" blue
case " $(events) " in *" store.regressed "*) ;; *) fail "it is not said aloud: $(events)" ;; esac
expect_agreement

step "the old master comes back as a replica"
redis_node 1 || fail "redis 1 does not start"
wait_until 60 eval 'redis_role 1 | grep -q slave' || fail "the old master is no replica: $(redis_role 1)"
wait_status 20 "slots.blue.whole slots.green.whole" "true true"
wait_until 20 eval 'run hold shop -m ok; [ $RC = 0 ] && [ "$(status store.at_risk)" = false ]' || fail "still at risk: $(status store.at_risk)"
run resume shop
expect_exit 0

step "an ordered failover"
was=$(status etag)
sentinel_cmd 1 "SENTINEL FAILOVER mymaster" >/dev/null
wait_until 60 eval 'redis_role 2 | grep -q slave' || fail "no failover by order"
wait_until 60 eval '[ "$(status store.up)" = true ] && [ "$(status etag)" != "$was" ]' || fail "it did not follow: $(status store etag)"
wait_status 20 "active" blue
expect_agreement
load_cmd more 60
expect_no_failures begin
scn_done
