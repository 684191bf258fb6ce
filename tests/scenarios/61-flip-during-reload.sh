#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 180
# Flips that fall into a reload of HAProxy reach only the process that leaves: switchd notices, asserts
# the value again in the new one, and record and data plane agree at once (P6).
. "$(dirname "$0")/lib.sh"
SVC[bake]=300ms
scn_site 2
load_start
load_cmd mark begin
deploy green r42 baked
expect_exit 0
active=green
for round in 1 2 3 4 5 6; do
	case $active in blue) to=green ;; *) to=blue ;; esac
	wait_status 20 "phase slots.$to.whole" "steady true"
	step "round $round: a reload, and in it a flip to $to"
	old=$(pid_of haproxy)
	setsid haproxy -db -f "$SITE/haproxy.cfg" -x "$STATS_SOCKET" -sf "$old" </dev/null >>"$SITE/log/haproxy" 2>&1 &
	echo $! >"$SITE/pid/haproxy"
	disown
	run flip shop --to $to -y --timeout 20s
	flip=$RC
	wait_until 10 haproxy_is "$(pid_of haproxy)" || fail "haproxy does not reload"
	wait_until 20 gone_or_zombie "$old" || fail "the old haproxy does not leave"
	wait_status 30 phase steady
	expect_agreement
	active=$(status active)
	[ $flip != 0 ] || expect_eq "after a flip that was done" "$active" $to
done
# A connection that ends while the old process leaves may cross a request on its way: nothing but that.
for kinds in $(load_stats begin get_kinds post_kinds); do
	case $kinds in '{}'|'{"stale":'[0-9]*'}') ;; *) fail "requests failed: $(load_stats begin get_kinds post_kinds)" ;; esac
done
expect_nothing_condemned
CHECK_VERSIONS=''       # the new process starts from the file: what it shows first is older by design
scn_done
