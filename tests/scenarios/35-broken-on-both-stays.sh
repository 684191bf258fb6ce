#!/bin/bash
# SPDX-License-Identifier: MIT
# What both slots have lost no flip cures: traffic stays, nothing is condemned (B4).
. "$(dirname "$0")/lib.sh"
SVC[bake]=3s
scn_site 2
deploy green r42 flipped
expect_exit 0
before=$(status active version.gen version.epoch)

step "reports dies on both slots at once (a shared dependency)"
app blue all lose reports 500
app green all lose reports 500
both_broken() { local f; f=$(status features.5.name features.5.slots.blue.verdict features.5.slots.green.verdict); [ "$f" = "reports absent absent" ]; }
wait_until 20 both_broken || fail "not seen: $(status features.5)"
# Long past a confirmed loss, and past the end of the bake, had it counted.
probes() { "$FAKES/sockcmd" "$SITE/green1.sock" stats | "$FAKES/jget" features.reports.probes; }
from=$(probes)
enough_probes() { [ "$(probes)" -gt $((from + 15)) ]; }
wait_until 30 enough_probes || fail "no probes"
expect_status "active version.gen version.epoch phase" "$before baking"
expect_nothing_condemned

# green first: one that is well again while the other is not would be strictly better, and be gone to.
step "repaired: the bake ends"
app green all restore all
wait_status 20 features.5.slots.green.verdict present
app blue all restore all
wait_status 30 "phase active" "steady green"
scn_done
