#!/bin/bash
# SPDX-License-Identifier: MIT
# gate does everything but the automatic rollback, which alarms; observe writes no proxy at all (B4).
. "$(dirname "$0")/lib.sh"
SVC[bake]=60s SVC[mode]=gate
scn_site 2
load_start
step "gate: a release without quotes is refused, a good one goes live with its shield"
FILL="--features home,expenses,invoices,customers,reports" deploy green r43 baked
expect_exit 10
deploy green r42 flipped
expect_exit 0
expect_status "armed shield" "false true"

step "gate: a lost feature alarms, traffic stays, a human's rollback works"
load_cmd mark lost
app green all lose quotes 500
wait_until 15 eval '[ "$(status features.1.slots.green.verdict)" = absent ]' || fail "not seen"
load_cmd more 200
expect_status active green
expect_gets_kept lost
run rollback shop -y -m "seen the alarm"
expect_exit 0
wait_status 15 "active phase" "blue steady"
app green all restore all

step "observe: nothing is ever written to the proxy"
sed -i 's/^    mode: .*/    mode: observe/' "$CONFIG"
kill -HUP "$(pid_of switchd)"
wait_status 10 mode observe
value=$(map_value)
slot_start green r44
run deploy shop --slot green --release r44 --timeout 40s --json
expect_exit 0
expect_eq "outcome" "$(said outcome)" would-have-flipped
FILL="--features home,expenses,invoices,customers,reports" deploy green r45 baked
expect_exit 0
expect_eq "outcome" "$(said outcome)" would-have-refused
run rollback shop -y -m "not here"
[ $RC != 0 ] || fail "a rollback was accepted in observe mode"
expect_eq "the map" "$(map_value)" "$value"
scn_done
