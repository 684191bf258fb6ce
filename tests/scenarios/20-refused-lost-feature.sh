#!/bin/bash
# SPDX-License-Identifier: MIT
# A release that lost `quotes` is refused before any user sees it: nothing moves, exit 10.
. "$(dirname "$0")/lib.sh"
scn_site 2
load_start
load_cmd mark begin
before=$(status active version.gen version.epoch)
value=$(map_value)

step "deploy r43 without quotes"
FILL="--features home,expenses,invoices,customers,reports" deploy green r43 baked
expect_exit 10
expect_eq "what deploy --json says" "$(said outcome active lost.0)" "refused blue quotes"
expect_status "active version.gen version.epoch" "$before"
expect_eq "the map" "$(map_value)" "$value"
expect_status "phase slots.green.state rollback_target" "steady refused null"
expect_events gate.refused 1
expect_events flip.decided 0
load_cmd more 100
expect_no_failures begin
expect_nothing_condemned

step "a human's flip to it is refused as well"
run flip shop --to green -y
expect_exit 10
expect_status "active version.gen version.epoch" "$before"

step "one target of the new release without quotes is enough to refuse"
slot_start green r44
app green 2 lose quotes 404
run deploy shop --slot green --release r44 --timeout 40s --json
expect_exit 10
expect_status "active" blue

step "repaired, the same release passes"
app green all restore all
run deploy shop --slot green --release r44 --timeout 40s --json
expect_exit 0
expect_status "active release" "green r44"
expect_no_failures begin
scn_done
