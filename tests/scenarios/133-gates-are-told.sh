#!/bin/bash
# SPDX-License-Identifier: MIT
# A refusal is told whole: every gate's result with the evidence of the features, in the event and in the deploy, also when
# other deploys came after it and switchd was started again.
. "$(dirname "$0")/lib.sh"
SVC[bake]=1s
scn_site 2

step "r42 lacks quotes: the event has all gates, and the evidence of both slots"
manifest "$SITE/m.json" r42
FILL="--features home,expenses,invoices,customers,reports" deploy green r42 baked --manifest "$SITE/m.json"
expect_exit 10
SAID=$(ctl timeline shop --json)
n=$(said events.#) at=
for ((i = 0; i < n; i++)); do [ "$(said "events.$i.kind")" = gate.refused ] && at=$i; done
[ -n "$at" ] || fail "no gate.refused: $(events)"
E=events.$at.evidence
expect_eq "gates" "$(said $E.gates.0.gate $E.gates.0.result $E.gates.1.gate $E.gates.2.gate $E.gates.3.gate $E.gates.3.result)" \
	"toolchain pass condemned identity features refuse"
case $(said $E.gates.3.text) in *"quotes LOST"*) ;; *) fail "the gate's text: $(said $E.gates.3.text)" ;; esac
expect_eq "features" "$(said $E.features.0.feature $E.features.0.slot $E.features.0.here.status $E.features.0.there.status)" "quotes green 404 200"
run why shop
case $SAID in *"quotes: green on the evidence of"*) ;; *) fail "why: $SAID" ;; esac

step "the deploy after it, and a restart, leave what its gates said"
deploy green r43 baked
expect_exit 0
first()
{
	SAID=$("$FAKES/ask" -u "$SITE/switchd.sock" /v1/services/shop/deploys/1)
	case $(said gates.3.gate gates.3.result gates.3.text) in "features refuse "*"quotes LOST"*) true ;; *) false ;; esac
}
first || fail "deploy 1: $SAID"
switchd_stop || fail "switchd ended with $?"
switchd_start
wait_until 20 switchd_ready green || fail "switchd does not come back"
wait_until 10 first || fail "deploy 1 after a restart: $SAID"
expect_eq "toolchain" "$(said gates.0.gate gates.0.result)" "toolchain pass"
scn_done
