#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 240
# A leader is frozen at a step of its flip.  The other controller takes over and moves the traffic the other way.  What
# wakes up drops what it had decided: the proxy is never given a lower version than it has held (P2, I7, I13).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fleet.sh"
. "$(dirname "$0")/failpoints.sh"
# The first three: decided, or committed, and no proxy told.  The others: in the middle of telling it.
POINTS="engine.plan store.before-commit store.after-commit proxy.before-file proxy.before-rename proxy.after-fsync proxy.before-set"
TOP[lease_ttl]=900ms
redis_start || fail "redis does not start"
fp_site
SVC[bake]=300ms
mkdir -p "$SITE/fp2"
controller_config 2
controller_start 2 SWITCHD_FP_DIR="$SITE/fp2"
wait_control 20 2 following
wait_control 5 1 leading
load_start
load_cmd mark begin
fp_slots
LEADS=1 STANDS_BY=2

use() { FP=$SITE/fp$([ "$1" = 1 ] || echo "$1"); }
pid_of_controller() { pid_of "switchd$([ "$1" = 1 ] || echo "$1")"; }

rest "before"
for POINT in $POINTS; do
	step "controller $LEADS is frozen at $POINT"
	from=$NOW to=$(other "$NOW")
	use $LEADS
	arm "$POINT" stop
	on $LEADS order forward "$to"
	frozen=$(pid_of_controller $LEADS)
	wait_until 10 stopped "$frozen" || fail "$POINT: a flip does not pass it"
	wait_control 15 $STANDS_BY leading
	wait_until 30 on $STANDS_BY at_rest || fail "$POINT: the new leader is not at rest: $(on $STANDS_BY status $REST)"
	step "$POINT: controller $STANDS_BY leads, $NOW serves, and it moves the traffic"
	# After this the frozen one's version is old wherever it got to.
	on $STANDS_BY run flip "$SERVICE" --to "$(other "$NOW")" -y --timeout 20s
	expect_exit 0
	wait_until 30 on $STANDS_BY at_rest || fail "$POINT: not at rest: $(on $STANDS_BY status $REST)"
	value=$(map_value)
	kill -CONT "$frozen"
	ordered
	wait_control 15 $LEADS following
	load_cmd more 40
	expect_eq "$POINT: the map after the old leader woke up" "$(map_value)" "$value"
	grep -q "^$SERVICE $value\$" "$MAP" || fail "$POINT: the map file is $(cat "$MAP"), not $value"
	on $STANDS_BY expect_agreement
	disarm "$POINT"
	read -r LEADS STANDS_BY <<<"$STANDS_BY $LEADS"
done
expect_no_failures begin
[ $LEADS = 1 ] || { controller_stop 2 || fail "controller 2 ended with $?"; }
wait_control 20 1 leading
[ $LEADS != 1 ] || controller_stop 2 || fail "controller 2 ended with $?"
rest "at the end"
scn_done
