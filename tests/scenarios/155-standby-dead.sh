#!/bin/bash
# SPDX-License-Identifier: MIT
# T27: only the slot that could be gone back to dies: no flip, no harm to users, and people see that the way back is gone.
. "$(dirname "$0")/lib.sh"
SVC[bake]=2s SVC[idle_interval]=500ms
scn_site 2
load_start
deploy green r42 baked
expect_exit 0
before=$(status active version.gen version.epoch)
load_cmd mark begin

step "kill -9 of the slot that is left"
for n in 1 2; do kill -KILL "$(pid_of blue$n)"; done
wait_status 20 "features.1.slots.blue.verdict" absent
load_cmd more 200
expect_status "active version.gen version.epoch" "$before"
expect_events rollback.decided 0
expect_no_failures begin
expect_status "slots.blue.whole slots.green.whole" "false true"
scn_done
