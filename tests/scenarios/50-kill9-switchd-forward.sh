#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 420
# kill -9 of switchd at each step of a flip forward, under load: no request fails, the restart carries
# on from what was committed, and each acknowledged flip is in the audit exactly once (P1).
. "$(dirname "$0")/lib.sh"
. tests/scenarios/failpoints.sh
# The idle slot is unknown after each start: it is asked often here, so that it is whole again soon.
SVC[bake]=500ms SVC[idle_interval]=200ms
[ "$BUILD_DIR" != build/release ] || skip "failpoints are compiled out of release builds"
scn_site 2
load_start
load_cmd mark begin

# Both slots run the same good release each, proved once, so that a person's flip is one commit.
deploy green r42 baked
expect_exit 0
flips=$(count_events flip.decided)
for point in $FLIP_POINTS; do
	from=$(status active)
	case $from in blue) to=green ;; green) to=blue ;; *) fail "no active slot" ;; esac
	wait_status 20 "slots.$to.whole slots.$from.whole phase" "true true steady"
	reached=''
	for nth in 1 2 3 4; do
		step "$from -> $to, killed at $point, passage $nth"
		switchd_stop || fail "switchd ended with $?"
		if ! started_with "$point" $nth "$from"; then
			expect_killed "$point"
			continue
		fi
		whole_or_dead() { dead || status_is "slots.$to.whole" true; }
		wait_until 20 whole_or_dead || fail "$point: $to is not whole after a restart"
		if dead; then
			expect_killed "$point"
			continue
		fi
		load_cmd mark "flip"
		run flip shop --to $to -y --timeout 3s
		if wait_until 4 dead; then
			expect_killed "$point"
			reached=1
			break
		fi
		# Passed it less often than that: an ordinary flip.
		break
	done
	[ -n "$reached" ] || fail "$point: no flip passes it"
	acknowledged=$RC
	back_again "$point"
	# What was in flight is carried to its end.
	wait_status 30 phase steady
	expect_agreement
	now=$(count_events flip.decided)
	active=$(status active)
	if [ "$active" = $to ]; then
		[ "$now" = $((flips + 1)) ] || fail "$point: flipped to $to, and $((now - flips)) flips are in the audit"
	else
		[ "$now" = "$flips" ] || fail "$point: a flip to $to is in the audit, and $active serves"
		[ "$acknowledged" != 0 ] || fail "$point: the flip was acknowledged and is lost"
		# Nothing of it is left: the same flip goes through now.
		wait_status 20 "slots.$to.whole" true
		run flip shop --to $to -y --timeout 20s
		expect_exit 0
		wait_status 20 "active phase" "$to steady"
		now=$((now + 1))
		expect_eq "flips in the audit" "$(count_events flip.decided)" $now
	fi
	flips=$now
	expect_no_failures begin
	expect_nothing_condemned
done
scn_done
