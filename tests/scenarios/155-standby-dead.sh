#!/bin/bash
# SPDX-License-Identifier: MIT
# T27: only the slot that nobody uses dies: no flip, no harm to users, and people are told that there is no way back.
. "$(dirname "$0")/lib.sh"
scn_site 2
load_start
before=$(status active version.gen version.epoch)
load_cmd mark begin

step "kill -9 of the idle slot"
for n in 1 2; do kill -KILL "$(pid_of green$n)" 2>/dev/null; done
load_cmd more 200
expect_status "active version.gen version.epoch" "$before"
expect_no_failures begin
scn_done
