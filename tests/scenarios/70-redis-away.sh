#!/bin/bash
# SPDX-License-Identifier: MIT
# Redis is away: nothing moves forward, and that is said; a human's hold and rollback work all the same,
# are answered "done here, not yet recorded", and are recorded at a higher version when it is back.
. "$(dirname "$0")/lib.sh"
SVC[bake]=60s
redis_start || fail "redis does not start"
scn_site 2
load_start
load_cmd mark begin
deploy green r42 flipped
expect_exit 0

step "Redis dies"
redis_kill
wait_status 15 "store.up" false
expect_eq "who is active, for load balancers" "$("$FAKES/ask" "http://$HTTP/active/shop")" green
case $("$FAKES/ask" -i "http://$HTTP/active/shop") in *[Ss]witchd-[Ss]tale*) ;; *) fail "no Switchd-Stale" ;; esac
expect_eq "readyz" "$("$FAKES/ask" -s "http://$HTTP/readyz")" 503
expect_eq "livez" "$("$FAKES/ask" -s "http://$HTTP/livez")" 200

step "forward: 503, exit 16, nothing acknowledged"
run claim shop --release r50
expect_exit 16
run flip shop --to blue -y
[ $RC = 16 ] || [ $RC = 10 ] || fail "a flip while Redis is away: exit $RC"
expect_eq "the front" "$(map_slot)" green

step "hold: done here, not yet recorded"
run hold shop -m "INC-1"
expect_exit 13
expect_status "hold.why" "INC-1"

step "rollback by a human: traffic moves"
run rollback shop -y -m "INC-1"
expect_exit 13
wait_until 10 eval '[ "$(map_slot)" = blue ]' || fail "traffic did not move: $(map_value)"
load_cmd mark moved
expect_status "active store.pending" "blue true"
value=$(map_value)

step "switchd restarts meanwhile: the journal knows"
switchd_stop || fail "switchd ended with $?"
switchd_start
wait_until 20 eval '[ "$(status active)" = blue ]' || fail "the journal's slot is forgotten: $(status active loaded)"
expect_eq "the map" "$(map_slot)" blue

step "Redis is back: recorded"
redis_start || fail "redis does not start"
wait_status 20 "store.up store.pending active" "true false blue"
expect_status "hold.why" "INC-1"
expect_agreement
expect_events hold.set 1
expect_events rollback.decided 1
gen_epoch() { local v=${1#*:}; v=${v%%:*}; echo "$v"; }
was=$(gen_epoch "$value") now=$(gen_epoch "$(map_value)")
[ "$was" != "" ] && [ "$now" != "" ] || fail "no version: $value, $(map_value)"
run resume shop
expect_exit 0
load_cmd more 60

step "told to end while an order waits for a Redis that is gone in the middle of its answer: an end without a trace"
kill -STOP "$(pid_of redis)"
ctl hold shop -m INC-2 --timeout 20s >"$SITE/hold.out" 2>&1 &
hold=$!
load_cmd more 60
redis_kill
switchd_stop || fail "switchd ended with $?"
wait $hold
hold=$?
[ $hold = 13 ] || [ $hold = 16 ] || fail "the hold, exit $hold: $(cat "$SITE/hold.out")"
expect_no_failures begin
redis_start || fail "redis does not start"
switchd_start
wait_until 20 switchd_ready blue || fail "switchd is not ready: $(status)"
scn_done
