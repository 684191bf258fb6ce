#!/bin/bash
# SPDX-License-Identifier: MIT
# Sealed: the old release is no way back any more, the shield is down, automation alarms. Muted: a feature
# neither moves nor blocks. Pardoned: a condemned release may be made active again.
. "$(dirname "$0")/lib.sh"
SVC[bake]=120s
scn_site 2
load_start
deploy green r42 flipped
expect_exit 0

step "sealed in the bake"
run seal shop -m "migration 118"
expect_exit 0
wait_status 10 "rollback_target armed shield" "null false false"
case $(status rollback_target_why) in *migration*|*sealed*) ;; *) fail "why: $(status rollback_target_why)" ;; esac
expect_agreement
app green all lose quotes 500
wait_until 15 eval '[ "$(status features.1.slots.green.verdict)" = absent ]' || fail "not seen"
load_cmd more 200
expect_status active green

step "unsealed: what was lost is flipped back now"
run unseal shop -m "migration undone"
expect_exit 0
wait_status 20 "active phase" "blue steady"
case $(status condemned) in *'"r42"'*) ;; *) fail "not condemned" ;; esac
app green all restore all

step "pardoned, r42 is like any other"
run deploy shop --slot green --release r42 --timeout 15s --wait=flipped --json
[ $RC != 0 ] || fail "a condemned release went live by itself"
run abort shop
wait_status 20 phase steady
run pardon shop --release r42 -m "the database was at fault"
expect_exit 0
expect_nothing_condemned
run deploy shop --slot green --release r42 --timeout 30s --wait=flipped --json
expect_exit 0

step "muted: quotes does not count"
run mute shop/quotes --for 10m -m "vendor down"
expect_exit 0
app green all lose quotes 500
load_cmd more 300
expect_status "active phase" "green baking"
step "unmuted: it does"
run unmute shop/quotes
expect_exit 0
wait_status 20 "active phase" "blue steady"
scn_done
