#!/bin/bash
# SPDX-License-Identifier: MIT
# shield: off: GETs fail from the loss to the way back, and not after; the rollback is the same.
. "$(dirname "$0")/lib.sh"
SVC[bake]=20s SVC[shield]=off
scn_site 2
load_start
load_cmd mark begin
deploy green r42 flipped
expect_exit 0
expect_status shield false
load_cmd more 60
expect_no_failures begin

step "quotes answers 500"
load_cmd mark lost
app green all lose quotes 500
wait_status 15 "active phase" "blue steady"
load_cmd mark back
load_cmd more 100
expect_no_failures back
[ "$(load_stats lost,back failed_gets)" -gt 0 ] || fail "without the shield some GET must have failed: does the load ask at all?"
expect_status "shield_caught deploy.outcome" "0 rolled-back"
scn_done
