#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 180
# An agent is stopped at each step of showing a record, under load, and the record moves on meanwhile: what wakes up ends
# at the newer one, and the proxy is never given a lower version.  (184 kills it at each.)
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/failpoints.sh"
[ "$BUILD_DIR" != build/release ] || skip "failpoints are compiled out of release builds"
need_proc
POINTS="$AGENT_POINTS journal.before-write journal.after-fsync proxy.before-file proxy.before-rename proxy.after-rename proxy.after-fsync
proxy.before-set proxy.after-set proxy.after-readback"
agent_site 1
fp_begin
agent_start "${SWITCHD_ENV[@]}"
load_start
load_cmd mark begin
epoch=0 slot=blue
# next: the other slot at the next epoch; VALUE is what it looks like.
next()
{
	epoch=$((epoch + 1))
	slot=$(other $slot)
	commit $epoch $slot plain r$((40 + epoch)) c-$epoch forward
	VALUE=$slot:$GEN.$epoch:plain
}
next
wait_map 10 "$VALUE"
for POINT in $POINTS; do
	step "stopped at $POINT, and the record moves on"
	arm "$POINT" stop
	next
	wait_until 10 stopped "$(pid_of agent)" || fail "$POINT: an agent does not pass it"
	next
	kill -CONT "$(pid_of agent)"
	wait_map 20 "$VALUE"
	wait_report 20 "state version" "ok $GEN.$epoch"
	grep -q "^$SERVICE $VALUE\$" "$MAP" || fail "$POINT: the map file: $(cat "$MAP")"
	disarm "$POINT"
done
expect_no_failures begin
agent_done
