#!/bin/bash
# SPDX-License-Identifier: MIT
# A controller that knew of no other is cut off from Redis, and a person rolls back there: done, not yet recorded.  Another
# one takes the lease and moves traffic itself.  When the first is back, the record of the other stands; what was done
# alone is told once, as what moved nothing: each event begins where the one before it ended, and a version is one slot (I2, I16).
# seconds: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fleet.sh"
SVC[bake]=1s SVC[flip_budget]='{ max: 100, per: 24h }'
TOP[lease_ttl]=2s
redis_start || fail "redis does not start"
setsid "$FAKES/relay" --listen "$SITE/way.sock" --to "$SITE/redis.sock" --control "$SITE/relay.sock" --pid-file "$SITE/pid/relay" </dev/null >"$SITE/log/relay" 2>&1 &
wait_until 10 test -s "$SITE/pid/relay" || fail "the relay does not start"
TOP[state]="{ redis: 'unix:$SITE/way.sock' }"
relay() { "$FAKES/sockcmd" "$SITE/relay.sock" "$1" >/dev/null; }
scn_site 2
load_start
load_cmd mark begin
deploy green r42 baked
expect_exit 0

step "cut off, and a person rolls back"
relay blackhole
wait_status 15 store.state away
run rollback shop -y -m INC-9
expect_exit 13
wait_until 10 eval '[ "$(map_slot)" = blue ]' || fail "traffic did not move: $(map_value)"

step "another one leads, and moves traffic"
controller_config 2
sed -i "s|$SITE/way.sock|$SITE/redis.sock|" "$SITE/switchd2.yaml"
controller_start 2
wait_control 20 2 leading
on 2 wait_status 30 "loaded slots.blue.whole slots.green.whole" "true true true"
for slot in blue green; do
	on 2 wait_status 30 phase steady
	[ "$(on 2 status active)" = $slot ] && continue
	on 2 run flip shop --to $slot --force -y -m "the other one's"
	on 2 wait_status 20 active $slot
done
on 2 wait_status 30 "phase active" "steady green"
wait_until 10 eval '[ "$(map_slot)" = green ]' || fail "the map: $(map_value)"

step "the first is back: it follows; then it leads, and tells"
relay ok
wait_control 20 1 following
wait_status 10 "active" green
controller_stop 2 || fail "controller 2 ended with $?"
wait_control 20 1 leading
wait_status 20 "store.pending active" "false green"
expect_eq "the map" "$(map_slot)" green
expect_events offline.overruled 1
load_cmd more 100
expect_no_failures begin
expect_agreement
expect_chain
scn_done
