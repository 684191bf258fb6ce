#!/bin/bash
# SPDX-License-Identifier: MIT
# A reload in the middle of a proving: the negative control begins anew instead of being waited for for ever.
. "$(dirname "$0")/lib.sh"
SVC[prove_timeout]=60s
scn_site 1

step "the new slot is still starting: quotes hangs, everything else is there"
FILL='--lose quotes=hang'
slot_start green r42 $FILL || fail "green does not start"
run deploy shop --slot green --release r42 --wait=none --json; expect_exit 0
wait_status 10 "phase features.0.slots.green.verdict" "proving present"

step "a reload with another setting, while it is proved"
SVC[bake]=3s
site_config
kill -HUP "$(pid_of switchd)"
wait_until 10 grep -q "reload" "$SITE/log/switchd" || fail "no reload"
expect_status "active phase" "blue proving"

step "quotes comes: proved, flipped, baked"
app green all restore all
wait_status 20 "active deploy.outcome" "green baked"
scn_done
