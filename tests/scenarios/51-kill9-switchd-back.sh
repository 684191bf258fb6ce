#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 480
# kill -9 of switchd at each step of an automatic rollback, under load: with the restart the traffic goes
# back all the same, exactly once, and only what can fail while the feature is gone has failed (P1).
. "$(dirname "$0")/lib.sh"
. tests/scenarios/failpoints.sh
fp_site
SVC[bake]=120s
SVC[flip_budget]='{ max: 1000, per: 24h }'
site_config
switchd_stop || fail "switchd ended with $?"
switchd_start
wait_until 20 switchd_ready blue || fail "switchd is not ready"
load_start
n=0
back=$(count_events rollback.decided)
for POINT in $FLIP_POINTS; do
	n=$((n + 1))
	step "rollback of r$((100 + n)), killed at $POINT"
	deploy green r$((100 + n)) flipped
	expect_exit 0
	wait_until 20 status_is "armed phase" "true baking" || fail "$POINT: not armed: $(status armed armed_why phase)"
	load_cmd mark lost
	arm "$POINT" kill
	app green all lose quotes 500
	wait_until 10 dead || fail "$POINT: no rollback passes it"
	expect_killed "$POINT"
	let_go "$POINT"
	switchd_start
	wait_until 20 status_is "loaded store.up" "true true" || fail "$POINT: switchd does not come back"
	wait_status 30 "active phase" "blue steady"
	expect_agreement
	load_cmd mark back
	back=$((back + 1))
	expect_events rollback.decided $back
	case $(status condemned) in *"\"r$((100 + n))\""*) ;; *) fail "$POINT: r$((100 + n)) is not condemned" ;; esac
	load_cmd more 40
	expect_no_failures back
	# The shield stands in the proxy, not in switchd: it kept the GETs while switchd was dead.
	expect_gets_kept lost
	app green all restore all
done
scn_done
