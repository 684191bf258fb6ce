#!/bin/bash
# SPDX-License-Identifier: MIT
# quotes dies after the flip: flipped back by itself, condemned, exit 11; and the fault's way to users
# is closed once the way back is observed.
. "$(dirname "$0")/lib.sh"
SVC[bake]=20s
scn_site 2
load_start
load_cmd mark begin

for how in 500 404; do
	release=r42-$how
	step "$release is live, then quotes answers $how"
	deploy green $release flipped
	expect_exit 0
	load_cmd more 100
	load_cmd mark lost$how
	app green all lose quotes $how
	wait_status 15 "active phase" "blue steady"
	load_cmd mark back$how
	load_cmd more 150
	expect_status "deploy.outcome slots.green.state move.to" "rolled-back left blue"
	case $(status condemned) in *"\"$release\""*) ;; *) fail "$release is not condemned: $(status condemned)" ;; esac
	expect_gets_kept lost$how
	expect_no_failures back$how
	expect_answered_by blue back$how
	app green all restore all
done
expect_eq "failed before the first loss" "$(load_stats begin,lost500 failed)" 0
expect_eq "releases condemned" "$(status 'condemned.#')" 2
expect_events rollback.decided 2
expect_events rollback.done 2
expect_events flip.decided 2

step "deploy --wait=baked tells it by its exit code"
slot_start green r44
run_deploy() { ctl deploy shop --slot green --release r44 --wait=baked --json >"$SITE/r44.json" 2>"$SITE/r44.err"; echo $? >"$SITE/r44.rc"; }
run_deploy &
waiter=$!
wait_status 20 "active phase" "green baking"
app green all lose quotes 500
wait $waiter
expect_eq "exit code" "$(cat "$SITE/r44.rc")" 11
expect_eq "outcome" "$("$FAKES/jget" outcome active lost.0 <"$SITE/r44.json" | paste -sd' ' -)" "rolled-back blue quotes"
app green all restore all

step "what is condemned goes nowhere by itself"
run deploy shop --slot green --release r44 --wait=ready --timeout 30s --json
[ $RC != 0 ] || expect_status "phase" ready
expect_status "active" blue
scn_done
