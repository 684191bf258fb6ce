#!/bin/bash
# SPDX-License-Identifier: MIT
# A feature that hangs says nothing (unknown), and unknown for unknown_limit_bake on the active slot,
# with the other one whole, counts as absent (B1.1).
. "$(dirname "$0")/lib.sh"
SVC[bake]=40s SVC[unknown_limit_bake]=1s
SVC_MORE='timeout: 500ms'
scn_site 2
deploy green r42 flipped
expect_exit 0

step "quotes hangs"
app green all lose quotes hang
wait_status 25 "active phase deploy.outcome" "blue steady rolled-back"
scn_done
