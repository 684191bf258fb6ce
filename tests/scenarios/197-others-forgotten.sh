#!/bin/bash
# SPDX-License-Identifier: MIT
# Another controller was seen long ago.  Who is cut off from Redis forgets it at no time: it sees nobody, however long.
# Who leads without it for a while does, and then may act alone again.
# seconds: 200
. "$(dirname "$0")/lib.sh"
redis_start || fail "redis does not start"
scn_site 1
deploy green r42 baked
expect_exit 0
switchd_stop || fail "switchd ended with $?"

step "it was seen 25 hours ago, and Redis is away"
echo $((($(date +%s) - 25 * 3600) * 1000)) >"$STATE/others"
redis_kill
switchd_start
wait_until 20 eval '[ "$(status loaded store.state store.alone)" = "true away false" ]' || fail "alone, and cut off: $(status loaded store)"
run rollback shop -y -m INC-9
expect_exit 16
expect_eq "the map" "$(map_slot)" green

step "it leads, and nobody else is there"
redis_start || fail "redis does not start"
wait_status 20 "store.state store.alone" "leading false"
wait_status 90 "store.alone" true
[ ! -e "$STATE/others" ] || fail "it is remembered on disk"

step "away again: a person's word counts here"
redis_kill
wait_status 15 store.state away
run rollback shop -y -m INC-9
expect_exit 13
wait_until 10 eval '[ "$(map_slot)" = blue ]' || fail "traffic did not move: $(map_value)"
redis_start || fail "redis does not start"
wait_status 20 "store.up store.pending active" "true false blue"
expect_events rollback.decided 1
scn_done
