#!/bin/bash
# SPDX-License-Identifier: MIT
# A good release: proved, flipped, observed, baked; no request fails, and none is answered by the old
# slot once the flip is said to be done (I1a, I2, I3, I4).
. "$(dirname "$0")/lib.sh"
scn_site 2
load_start
load_cmd mark begin
before=$(status version.epoch)

step "deploy r42 into green, until flipped"
deploy green r42 flipped
expect_exit 0
load_cmd mark flipped
expect_status "active release phase" "green r42 baking"
expect_status "shield rollback_target armed" "true blue true"
load_cmd more 200
expect_answered_by green flipped

step "it bakes"
wait_status 20 "phase active release shield" "steady green r42 false"
expect_status "deploy.outcome slots.green.state rollback_target" "baked good blue"
load_cmd more 100
expect_no_failures begin
[ "$(status version.epoch)" -gt "$before" ] || fail "the epoch did not grow"
expect_nothing_condemned
for kind in deploy.started flip.decided flip.observed bake.done; do expect_events $kind 1; done

step "and back into blue, waiting until baked"
load_cmd mark second
deploy blue r43 baked
expect_exit 0
expect_eq "what deploy --json says" "$(said outcome active release exit)" "baked blue r43 0"
expect_no_failures second
for kind in deploy.started flip.decided flip.observed bake.done; do expect_events $kind 2; done
scn_done
