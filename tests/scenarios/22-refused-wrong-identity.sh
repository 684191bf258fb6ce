#!/bin/bash
# SPDX-License-Identifier: MIT
# The slot runs another release than the one announced: refused, whatever its features say.
. "$(dirname "$0")/lib.sh"
scn_site 2
load_start
load_cmd mark begin
before=$(status active version.gen version.epoch)

step "r42 announced, r41 runs"
slot_start green r41
run deploy shop --slot green --release r42 --timeout 40s --json
expect_exit 10
expect_eq "outcome" "$(said outcome active)" "refused blue"
expect_status "active version.gen version.epoch" "$before"

step "one target of two runs the old one"
target_end green 1
target_start green 1 r42
run deploy shop --slot green --release r42 --timeout 40s --json
expect_exit 10
expect_status "active version.gen version.epoch" "$before"
load_cmd more 50
expect_no_failures begin
scn_done
