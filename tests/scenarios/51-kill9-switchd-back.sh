#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 480
# kill -9 of switchd at each step of an automatic rollback, under load: with the restart the traffic goes
# back all the same, exactly once, and only what can fail while the feature is gone has failed (P1).
. "$(dirname "$0")/lib.sh"
. tests/scenarios/failpoints.sh
SVC[bake]=120s
SVC[flip_budget]='{ max: 1000, per: 24h }'
[ "$BUILD_DIR" != build/release ] || skip "failpoints are compiled out of release builds"
scn_site 2
load_start
n=0
back=$(count_events rollback.decided)
for point in $FLIP_POINTS; do
	n=$((n + 1))
	deploy green r$((100 + n)) flipped
	expect_exit 0
	reached=''
	for nth in 1 2 3 4; do
		step "rollback of r$((100 + n)), killed at $point, passage $nth"
		switchd_stop || fail "switchd ended with $?"
		if ! started_with "$point" $nth green; then
			expect_killed "$point"
			continue
		fi
		wait_until 20 status_is "armed phase" "true baking" || fail "$point: not armed after a restart in its bake: $(status armed armed_why phase)"
		load_cmd mark lost
		app green all lose quotes 500
		if wait_until 8 dead; then
			expect_killed "$point"
			reached=1
		fi
		break
	done
	[ -n "$reached" ] || fail "$point: no rollback passes it"
	back_again "$point"
	wait_status 30 "active phase" "blue steady"
	expect_agreement
	load_cmd mark back
	back=$((back + 1))
	expect_events rollback.decided $back
	case $(status condemned) in *"\"r$((100 + n))\""*) ;; *) fail "$point: r$((100 + n)) is not condemned" ;; esac
	load_cmd more 40
	expect_no_failures back
	# The shield stands in the proxy, not in switchd: it kept the GETs while switchd was dead.
	expect_gets_kept lost
	app green all restore all
done
scn_done
