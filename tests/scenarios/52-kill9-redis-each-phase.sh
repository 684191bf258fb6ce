#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 180
# kill -9 of the embedded redis-server in each phase: it is started again, nothing moves, nothing is
# condemned, no request fails, and what was under way goes on (R1).
. "$(dirname "$0")/lib.sh"
need_proc
SVC[bake]=8s
scn_site 2
load_start
load_cmd mark begin

kill_redis()
{
	local before pid
	before=$(status active version.gen)
	pid=$(child_named "$(pid_of switchd)" "$REDIS_SERVER") || fail "$1: switchd has no redis-server"
	step "$1: kill -9 of redis-server $pid"
	kill -KILL "$pid"
	wait_until 10 gone_or_zombie "$pid"
	new_redis() { local p; p=$(child_named "$(pid_of switchd)" "$REDIS_SERVER") && [ "$p" != "$pid" ]; }
	wait_until 15 new_redis || fail "$1: redis-server is not started again"
	wait_status 15 "store.up loaded" "true true"
	expect_status active "${before% *}"
	expect_nothing_condemned
}

kill_redis steady
expect_status phase steady

run claim shop --release r42 --json
expect_exit 0
claim=$(said claim)
kill_redis filling
expect_status "phase claim.id" "filling $claim"
slot_start green r42

step "proving: green's second target is not there yet, so that it lasts"
target_end green 2
run deploy shop --slot green --release r42 --claim "$claim" --wait=none --json
expect_exit 0
wait_status 10 phase proving
kill_redis proving
target_start green 2 r42
wait_status 30 phase baking
expect_status active green
kill_redis baking
wait_status 40 "phase release" "steady r42"
expect_no_failures begin

deploy blue r43 ready
expect_exit 0
expect_status phase ready
kill_redis ready
expect_status "phase active" "ready green"
run abort shop
expect_exit 0
wait_status 10 phase steady

step "reverting: killed in the moment of the rollback"
deploy blue r44 flipped
expect_exit 0
pid=$(child_named "$(pid_of switchd)" "$REDIS_SERVER")
load_cmd mark lost
app blue all lose quotes 500
kill -KILL "$pid"
wait_status 30 "active phase" "green steady"
wait_status 15 "store.up store.pending" "true false"
expect_events rollback.decided 1
expect_gets_kept lost
scn_done
