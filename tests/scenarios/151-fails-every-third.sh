#!/bin/bash
# SPDX-License-Identifier: MIT
# T22: every third answer fails, never two in a row: failures add up all the same, and traffic goes back once.
. "$(dirname "$0")/hostile.sh"
unsteady every:3
wait_status 60 "active phase" "blue steady"
at_most_one_flip 30
expect_events rollback.decided 1
expect_status "condemned.0.release" "r42"
scn_done
