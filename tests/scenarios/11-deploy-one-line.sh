#!/bin/bash
# SPDX-License-Identifier: MIT
# The one line of CI: claim, run, announce, wait; a command that fails gives the claim back.
. "$(dirname "$0")/lib.sh"
scn_site 2
load_start
load_cmd mark begin
ship_script "$SITE/ship"

step "deploy -- ./ship"
run deploy shop --release r42 --json -- "$SITE/ship" r42
expect_exit 0
expect_status "active release phase claim" "green r42 steady null"
expect_events claim.taken 1

step "a command that fails gives the claim back and moves nothing"
before=$(status active version.gen version.epoch)
cat >"$SITE/broken" <<'SH'
#!/bin/bash
[ "$SWITCHD_SLOT" = blue ] && [ -n "$SWITCHD_TARGETS" ] || exit 9
exit 3
SH
chmod +x "$SITE/broken"
run deploy shop --release r43 -- "$SITE/broken"
[ $RC != 0 ] || fail "a failed command gave exit 0"
expect_status "phase claim" "steady null"
expect_status "active version.gen version.epoch" "$before"
expect_events claim.given_back 1
expect_status "rollback_target" null

step "claim, then deploy by hand, in two steps"
run claim shop --release r44 --json
expect_exit 0
claim=$(said claim)
expect_eq "slot of the claim" "$(said slot)" blue
expect_status "phase claim.release" "filling r44"
run deploy shop --release r44 --slot blue --timeout 5s --json
[ $RC != 0 ] || fail "a deploy without the claim was accepted while the slot is claimed"
slot_start blue r44
run deploy shop --release r44 --slot blue --claim "$claim" --timeout 40s --json
expect_exit 0
expect_status "active release" "blue r44"
expect_no_failures begin
scn_done
