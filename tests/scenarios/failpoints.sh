# SPDX-License-Identifier: MIT
# failpoints.sh - every failpoint of the source, and the flips and rollbacks that are cut at each.  Sourced after lib.sh.
#
#   fp_site; load_start; fp_slots    a site whose switchd takes its failpoints from files
#   fp_each FAULT                    at each point, in a flip forward and in a rollback: FAULT POINT, then what must be so
#   fp_lose_store                    the scenario's own: redis-server is lost and comes back, so that CONNECT_POINTS are passed
# shellcheck shell=bash

# In the order of a flip: plan > lease > commit > map file > rename > fsync > runtime command > readback > observe > audit > notify.
# scripts/lint compares the lists with the source.  Those of FLIP_POINTS are passed by each flip and each rollback.
FLIP_POINTS="engine.plan store.renew store.before-commit store.after-commit journal.before-write journal.after-fsync
proxy.before-file proxy.before-rename proxy.after-rename proxy.after-fsync proxy.before-set proxy.after-set proxy.after-readback
engine.observed archive.before-write archive.after-write engine.publish"
# Passed when the store is met (again).
CONNECT_POINTS="store.lease"
# An agent's own, beside those of journal and proxy.
AGENT_POINTS="agent.journalled"

# ---- files of SWITCHD_FP_DIR ----

fp_begin()
{
	FP=$SITE/fp
	mkdir -p "$FP"
	SWITCHD_ENV=("SWITCHD_FP_DIR=$FP")
}

# arm POINT kill|stop|exit|wait
arm()
{
	echo "$2" >"$FP/new"
	mv "$FP/new" "$FP/$1"
}
reached() { [ -e "$FP/$1.hit" ]; }
let_go() { rm -f "$FP/$1.hit"; }
disarm() { rm -f "$FP/$1" "$FP/$1.hit"; }

dead() { gone_or_zombie "$(pid_of switchd)"; }
# Stopped by a signal: state T.
stopped()
{
	local stat
	read -r stat <"/proc/$1/stat" || return 1
	case ${stat##*) } in T*) true ;; *) false ;; esac
} 2>/dev/null

# Killed by its own hand (SIGKILL), not by a crash: anything else is a finding.
expect_killed()
{
	local rc
	wait "$(pid_of switchd)" 2>/dev/null
	rc=$?
	[ $rc = 137 ] || fail "$1: switchd ended with $rc, not by its failpoint"
}

# The embedded redis-server is killed; switchd starts it again.
lose_embedded()
{
	local pid
	pid=$(child_named "$(pid_of switchd)" redis-server) || fail "$POINT: switchd has no redis-server"
	end_pid KILL "$pid"
}
lose_external() { redis_kill; redis_start || fail "$POINT: redis does not start again"; }

# ---- moves ----

fp_site()
{
	[ "$BUILD_DIR" != build/release ] || skip "failpoints are compiled out of release builds"
	need_proc
	# The idle slot is unknown after each start: it is asked often here, so that it is whole again soon.
	SVC[bake]=300ms SVC[idle_interval]=200ms
	fp_begin
	scn_site 2
}

# Both slots run a good release each, so that a person's flip and rollback is one commit.
fp_slots()
{
	deploy green r42 baked
	expect_exit 0
	wait_status 20 "active phase" "green steady"
	at_rest || fail "not at rest: $(status $REST)"
}

REST="active phase store.up store.pending slots.blue.whole slots.green.whole loaded"
at_rest()
{
	local got
	got=$(status $REST) || return 1
	case $got in 'blue steady true false true true true'|'green steady true false true true true') ;; *) return 1 ;; esac
	NOW=${got%% *}
}
rest() { wait_until 30 at_rest || fail "$1: not at rest again: $(status $REST)"; }
other() { case $1 in blue) echo green ;; *) echo blue ;; esac; }

# order forward|back TO: in the background; its pid in ORDER, its exit code in order.rc.
order()
{
	local words=(flip "$SERVICE" --to "$2" -y --timeout 8s)
	[ "$1" = forward ] || words=(rollback "$SERVICE" -y -m "for $POINT" --timeout 8s)
	rm -f "$SITE/order.rc"
	(
		ctl --no-input "${words[@]}" >"$SITE/order.out" 2>&1
		rc=$?
		{ echo "\$ switchctl ${words[*]}"; cat "$SITE/order.out"; echo "exit $rc"; } >>"$SITE/log/ctl"
		echo $rc >"$SITE/order.new" && mv "$SITE/order.new" "$SITE/order.rc"
	) &
	ORDER=$!
}
ordered()
{
	wait_until 20 test -s "$SITE/order.rc" || fail "$POINT: the order has no end"
	wait "$ORDER"
	RC=$(cat "$SITE/order.rc")
}

# Done, or done and not yet recorded; 13 alone may be "unknown".
acknowledged() { [ "$RC" = 0 ] || { [ "$RC" = 13 ] && grep -q 'not yet recorded' "$SITE/order.out"; }; }

# The decided flips and rollbacks in the audit, in MOVES.
count_moves()
{
	local json
	json=$(ctl timeline "$SERVICE" --json --max 1000 2>/dev/null) || fail "$POINT: no timeline"
	MOVES=$(grep -oE '"kind": ?"(flip|rollback)\.decided"' <<<"$json" | wc -l)
}

# An order that was cut: done, refused or unknown, and the record agrees with what was said.
settled_after_order()
{
	local direction=$1 from=$2 to=$3 before=$MOVES n
	rest "$POINT $direction"
	expect_agreement
	count_moves
	n=$((MOVES - before))
	step "$POINT, $direction from $from to $to: exit $RC, $NOW serves"
	if [ "$NOW" = "$to" ]; then
		[ $n = 1 ] || fail "$POINT: moved to $to, and $n moves are in the audit"
	else
		[ $n = 0 ] || fail "$POINT: $n moves are in the audit, and $NOW serves"
		! acknowledged || fail "$POINT: the order was acknowledged (exit $RC) and is lost"
		# Nothing of it is left: the same order goes through now.
		order "$direction" "$to"
		ordered
		expect_exit 0
		rest "$POINT $direction again"
		[ "$NOW" = "$to" ] || fail "$POINT: ordered again, and $NOW serves"
		count_moves
		n=$((MOVES - before))
		[ $n = 1 ] || fail "$POINT: $n moves are in the audit of one flip"
	fi
	expect_nothing_condemned
}

# fp_cut FAULT DIRECTION: one order, cut at POINT by FAULT; let_go is FAULT's.
fp_cut()
{
	local direction=$2 from to
	from=$NOW
	to=$(other "$from")
	arm "$POINT" "${FP_ACTION:-wait}"
	case " $CONNECT_POINTS " in *" $POINT "*) fp_lose_store ;; esac
	order "$direction" "$to"
	wait_until 10 reached "$POINT" || fail "$POINT: a $direction order does not pass it"
	"$1" "$POINT"
	ordered
	settled_after_order "$direction" "$from" "$to"
	disarm "$POINT"
}

fp_each()
{
	POINT=start
	rest "before"
	count_moves
	for POINT in $FLIP_POINTS $CONNECT_POINTS; do
		fp_cut "$1" forward
		fp_cut "$1" back
	done
}
