#!/bin/bash
# SPDX-License-Identifier: MIT
# Every target of the new slot is killed -9 while it bakes: traffic goes back, and with the shield no
# GET fails whose answer had not begun.
. "$(dirname "$0")/lib.sh"
SVC[bake]=30s
scn_site 2
load_start
deploy green r42 flipped
expect_exit 0
load_cmd more 60

step "kill -9 of all of green"
load_cmd mark killed
for n in 1 2; do kill -KILL "$(pid_of green$n)"; done
wait_status 20 "active phase" "blue steady"
load_cmd mark back
load_cmd more 100
expect_gets_kept killed
expect_no_failures back
expect_status "deploy.outcome condemned.0.release" "rolled-back r42"
expect_events rollback.decided 1
scn_done
