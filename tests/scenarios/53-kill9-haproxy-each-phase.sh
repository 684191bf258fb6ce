#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 180
# kill -9 of HAProxy in each phase, started again a moment later: a dead proxy is no reason to move or to
# condemn; it is told the record's value before it counts again (P4, L12).
. "$(dirname "$0")/lib.sh"
SVC[bake]=10s
scn_site 2
load_start

kill_haproxy()
{
	local before after
	before=$(status active release)
	step "$1: kill -9 of haproxy"
	haproxy_kill
	# It is seen to be gone before it comes back.
	wait_until 15 status_is front_down true || fail "$1: front_down is not said"
	after=$(status active release)
	expect_eq "$1: active and release while the proxy is dead" "$after" "$before"
	haproxy_start || fail "haproxy does not come back"
	expect_agreement
	wait_until 15 status_is front_down false || fail "$1: the front is still called down"
	expect_eq "$1: active and release after" "$(status active release)" "$before"
	expect_nothing_condemned
	load_cmd mark up
	load_cmd more 60
	expect_no_failures up
}

kill_haproxy steady

run claim shop --release r42 --json
expect_exit 0
claim=$(said claim)
kill_haproxy filling
slot_start green r42
target_end green 2
run deploy shop --slot green --release r42 --claim "$claim" --wait=none --json
expect_exit 0
wait_status 10 phase proving
kill_haproxy proving
target_start green 2 r42
# A proxy that does not answer refuses a forward flip (B5.4); one that was back in time lets it pass.
settled() { case $(status phase) in steady|baking) true ;; *) false ;; esac; }
wait_until 40 settled || fail "proving without end: $(status phase)"
if [ "$(status phase)" = steady ]; then
	expect_status "active deploy.outcome" "blue refused"
	deploy green r42 flipped
	expect_exit 0
fi
expect_status "phase active" "baking green"
kill_haproxy baking
wait_status 60 "phase release" "steady r42"
expect_events rollback.decided 0

step "the runtime value is lost with the process: the file brought it back"
haproxy_kill
haproxy_start || fail "haproxy does not come back"
expect_eq "the map right after the start" "$(map_slot)" green

step "killed in the moment of a rollback: it is carried out all the same"
deploy blue r43 flipped
expect_exit 0
app blue all lose quotes 500
haproxy_kill
haproxy_start || fail "haproxy does not come back"
wait_status 40 "active phase" "green steady"
expect_agreement
scn_done
