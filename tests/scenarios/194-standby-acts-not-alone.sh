#!/bin/bash
# SPDX-License-Identifier: MIT
# Two controllers beside one proxy, and Redis dies while the active slot loses a feature: neither moves traffic by itself,
# since each knows of the other (state.md 5).  Also not after a restart without Redis, and not for a human's rollback either: the
# other one may lead.  What a human has is the pin, at the proxy itself.
# seconds: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fleet.sh"
SVC[bake]=120s
TOP[lease_ttl]=2s
redis_start || fail "redis does not start"
scn_site 2
second_start
wait_until 10 eval 'ctl agents --json 2>/dev/null | grep -q standby' || fail "the first does not know of the second"
load_start
deploy green r42 flipped
expect_exit 0
wait_until 5 eval '[ "$(on 2 status active)" = green ]' || fail "the second does not follow"

step "Redis dies, then quotes"
redis_kill
wait_status 15 store.state away
wait_until 15 eval '[ "$(on 2 status store.state)" = away ]' || fail "the second: $(on 2 status store.state)"
expect_status armed false
app green all lose quotes 500
load_cmd more 400
expect_eq "the map" "$(map_slot)" green

step "a restart without Redis forgets nothing of that"
switchd_kill
switchd_start
wait_until 20 eval '[ "$(status loaded active)" = "true green" ]' || fail "the journal: $(status loaded active)"
wait_until 20 eval '[ "$(status slots.blue.whole)" = true ]' || fail "blue was not seen: $(status slots.blue.whole)"
load_cmd more 400
expect_eq "the map" "$(map_slot)" green

step "orders are refused by who stood by and by who led, each says why; the pin moves traffic"
on 2 run rollback shop -m INC-9
expect_exit 16
run rollback shop -m INC-9
expect_exit 16
case $(cat "$SITE/ctl.err") in *"another switchd may lead"*"--direct proxy pin shop SLOT"*) ;; *) fail "rollback: $(cat "$SITE/ctl.err")" ;; esac
run hold shop -m INC-9
expect_exit 16
expect_eq "the map" "$(map_slot)" green
run --config "$CONFIG" --direct proxy pin shop blue
expect_exit 0
wait_until 10 eval '[ "$(map_slot)" = blue ]' || fail "traffic did not move: $(map_value)"
app green all restore all

step "Redis is back: one leads, and the record follows the pin"
redis_start || fail "redis does not start"
wait_until 30 eval 'on 1 status_is store.up true || on 2 status_is store.up true' || fail "nobody leads"
leader=$(on 1 status_is store.up true && echo 1 || echo 2)
on $leader wait_status 20 "active" blue
wait_until 15 eval '[ "$(map_slot)" = blue ]' || fail "the map: $(map_value)"
if [ $leader = 2 ]; then
	controller_stop 2 || fail "controller 2 ended with $?"
	wait_control 15 1 leading
else
	controller_stop 2 || fail "controller 2 ended with $?"
fi
wait_status 20 "store.pending active pin.slot" "false blue blue"
expect_events rollback.decided 0
expect_events pin.adopted 1
run resume shop
expect_exit 0
wait_status 15 "pin active" "null blue"
expect_agreement
scn_done
