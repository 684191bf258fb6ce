#!/bin/bash
# SPDX-License-Identifier: MIT
# A feature whose requests kill their worker (the connection ends without an answer, while other features answer) is
# absent, traffic goes back, and the event shows what came back here and what the other slot answered.
. "$(dirname "$0")/lib.sh"
SVC[bake]=60s
scn_site 2
load_start
for how in kill-worker reset; do
	deploy green "r-$how" flipped
	expect_exit 0
	step "quotes kills its worker: $how"
	load_cmd mark lost
	app green all lose quotes $how
	wait_status 20 "active phase" "blue steady"
	expect_gets_kept lost
	json=$(ctl timeline "$SERVICE" --json --max 1000)
	for ((i = $(printf '%s' "$json" | "$FAKES/jget" 'events.#') - 1; i >= 0; i--)); do
		[ "$(printf '%s' "$json" | "$FAKES/jget" "events.$i.kind")" = rollback.decided ] && break
	done
	got=$(printf '%s' "$json" | "$FAKES/jget" "events.$i.evidence.0.feature" "events.$i.evidence.0.here.outcome" "events.$i.evidence.0.there.outcome" | paste -sd' ' -)
	expect_eq "its evidence" "$got" "quotes kills-worker present"
done
scn_done
