#!/bin/bash
# SPDX-License-Identifier: MIT
# A hold refuses what is forward or automatic, says who and why, survives kill -9, and never stands in the
# way of a human's rollback (B3, I14).
. "$(dirname "$0")/lib.sh"
SVC[bake]=120s
scn_site 2
load_start
load_cmd mark begin
deploy green r42 flipped
expect_exit 0

step "held in a bake"
run hold shop --for 2h -m "INC-7"
expect_exit 0
expect_status "hold.why phase armed" "INC-7 baking false"

step "a lost feature alarms, and nothing moves"
load_cmd mark lost
app green all lose quotes 500
wait_until 15 eval '[ "$(status features.1.slots.green.verdict)" = absent ]' || fail "not seen: $(status features.1)"
load_cmd more 200
expect_status "active phase" "green baking"
expect_eq "the map" "$(map_slot)" green
expect_gets_kept lost
case $(ctl why shop 2>&1) in *quotes*) ;; *) fail "why says nothing of quotes" ;; esac

step "it survives kill -9 of switchd"
switchd_kill
switchd_start
wait_until 20 switchd_ready green || fail "switchd does not come back"
expect_status "hold.why active" "INC-7 green"

step "a human's rollback passes"
run rollback shop -y -m "INC-7"
expect_exit 0
wait_status 15 "active" blue
load_cmd mark back
app green all restore all

step "claim, deploy and flip do not: exit 14"
wait_status 15 phase steady
run claim shop --release r50; expect_exit 14
run deploy shop --slot green --release r50; expect_exit 14
run flip shop --to green -y; expect_exit 14
expect_status active blue

step "resumed: all as before"
run resume shop
expect_exit 0
expect_status hold null
deploy green r51 flipped
expect_exit 0
load_cmd more 60
expect_no_failures back
expect_events hold.set 1
expect_events hold.cleared 1
scn_done
