#!/bin/bash
# SPDX-License-Identifier: MIT
# A lone controller starts while Redis is away.  Once the store was asked and could not be reached the journal's record
# stands, and a person's word counts here: it is recorded when Redis is back.  The journal knows as well what no commit said:
# the stamp of a new generation, after the store was emptied.
. "$(dirname "$0")/lib.sh"
redis_start || fail "redis does not start"
SVC[bake]=120s
scn_site 2
deploy green r42 flipped
expect_exit 0

step "the store is emptied: a new generation; then Redis dies, and switchd starts"
gen=$(status version.gen)
redis_cmd FLUSHALL >/dev/null
wait_until 20 eval '[ "$(status version.gen)" -gt "$gen" ] && [ "$(status store.up)" = true ]' || fail "no new generation: $(status version store)"
expect_agreement
etag=$(status etag)
switchd_stop || fail "switchd ended with $?"
redis_kill
switchd_start
wait_until 20 eval '[ "$(status loaded store.state store.alone)" = "true away true" ]' || fail "$(status loaded store)"
expect_status etag "$etag"

step "a person's rollback"
wait_until 20 eval '[ "$(status slots.blue.whole)" = true ]' || fail "blue not seen"
run rollback shop -y -m INC-9
expect_exit 13
wait_until 10 eval '[ "$(map_slot)" = blue ]' || fail "the map: $(map_value)"
redis_start || fail "redis does not start"
wait_status 20 "store.up store.pending active" "true false blue"
scn_done
