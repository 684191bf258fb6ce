#!/bin/bash
# SPDX-License-Identifier: MIT
# Tested == built == running: with {{digest}} in the identity gate every target is asked which bits it runs, before the flip
# and at every probe after it.
. "$(dirname "$0")/lib.sh"
SVC[bake]=1s
IDENTITY_MORE=", 'jsonpath \"\$.digest\" == \"{{digest}}\"'"
scn_site 2
load_start
load_cmd mark begin

step "no digest was told: the line waits, and toolchain does not speak of what runs"
deploy green r42 baked
expect_exit 0
expect_eq "gates" "$(said gates.0.gate gates.0.result)" "toolchain not_checked"

step "every target runs the bits of the manifest"
manifest "$SITE/m.json" r43
FILL="--digest sha256:r43" deploy blue r43 baked --manifest "$SITE/m.json"
expect_exit 0
expect_eq "gates" "$(said gates.0.gate gates.0.result gates.0.text)" \
	"toolchain pass npm 4.0.2 tested and built sha256:r43; running: every target of blue says these"
expect_status "gates.0.gate gates.0.text" "toolchain npm 4.0.2 tested and built sha256:r43; running: every target of blue says these"

step "the right name, other bits, on one target of two: refused"
manifest "$SITE/m.json" r44
slot_start green r44 --digest sha256:r44
app green 2 digest sha256:stale
run deploy shop --slot green --release r44 --manifest "$SITE/m.json" --timeout 40s --json
expect_exit 10
case $(said reason) in *identity*|*'does not answer as r44'*) ;; *) fail "reason: $(said reason)" ;; esac
expect_status "active slots.green.state" "blue refused"

step "the bits change under a release that serves: an incident"
app blue 1 digest sha256:other
changed() { case " $(events) " in *' identity.changed '*) true ;; *) false ;; esac; }
wait_until 20 changed || fail "events: $(events)"
expect_no_failures begin
scn_done
