#!/bin/bash
# SPDX-License-Identifier: MIT
# A release says what it removes and what it brings: the one is not missed, the other must be there.
. "$(dirname "$0")/lib.sh"
SVC[bake]=3s
scn_site 1
without=home,expenses,invoices,customers,reports

step "r42 goes without quotes, and does not say so: refused"
FILL="--features $without" deploy green r42 baked
expect_exit 10
expect_eq "lost" "$(said lost.0)" quotes

step "it says so: it bakes, and quotes is not missed"
manifest "$SITE/m.json" r42 removes=quotes
FILL="--features $without" deploy green r42 baked --manifest "$SITE/m.json"
expect_exit 0
expect_status "active deploy.outcome slots.green.without.0 slots.green.whole armed" "green baked quotes true true"

step "nor is it by the next release, which says nothing of it"
manifest "$SITE/m.json" r43
FILL="--features $without" deploy blue r43 baked --manifest "$SITE/m.json"
expect_exit 0
expect_status "active slots.blue.without.0 rollback_target" "blue quotes green"

step "a claim is free although nothing has quotes any more"
run claim shop --release r44
expect_exit 0
run unclaim shop
expect_exit 0

step "r44 brings it back: it must be there"
manifest "$SITE/m.json" r44 adds=quotes
FILL="--features $without" deploy green r44 baked --manifest "$SITE/m.json"
expect_exit 10
case $(said reason) in *quotes*'never seen before'*) ;; *) fail "reason: $(said reason)" ;; esac
FILL='' deploy green r44 baked --manifest "$SITE/m.json"
expect_exit 0
expect_status "active slots.green.without.#" "green 0"

step "and what nobody probes cannot be brought"
manifest "$SITE/m.json" r45 adds=qoutes
run claim shop --release r45 --manifest "$SITE/m.json"
expect_exit 10
grep -q 'adds: qoutes is no feature of shop' "$SITE/ctl.err" || fail "not said"
scn_done
