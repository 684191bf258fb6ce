#!/bin/bash
# SPDX-License-Identifier: MIT
# Redis is away and the active slot loses a feature while it bakes: on one host (offline: rollback) it is
# flipped back from the journal, once; recorded and condemned when Redis is back.
. "$(dirname "$0")/lib.sh"
SVC[bake]=120s
redis_start || fail "redis does not start"
scn_site 2
load_start
deploy green r42 flipped
expect_exit 0
load_cmd more 60

step "Redis dies, then quotes"
redis_kill
wait_status 15 "store.up" false
wait_status 10 "armed" true
load_cmd mark lost
app green all lose quotes 500
wait_until 15 eval '[ "$(map_slot)" = blue ]' || fail "not flipped back: $(map_value) $(status armed armed_why)"
load_cmd mark back
load_cmd more 60
expect_gets_kept lost
expect_no_failures back
expect_status "active store.pending" "blue true"

step "the fault heals, and the other slot fails: still nothing more moves by itself"
app green all restore all
app blue all lose quotes 500
load_cmd more 300
expect_status active blue
app blue all restore all

step "Redis is back"
redis_start || fail "redis does not start"
wait_status 20 "store.up store.pending" "true false"
wait_status 20 "active phase" "blue steady"
case $(status condemned) in *'"r42"'*) ;; *) fail "r42 is not condemned: $(status condemned)" ;; esac
expect_events rollback.decided 1
scn_done
