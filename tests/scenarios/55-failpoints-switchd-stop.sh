#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 480
# SIGSTOP of switchd at each step of a flip and of a rollback, for longer than its lease, and SIGCONT: whoever
# stood still looks again before it acts, and all converges; no request fails (P2, I7).
. "$(dirname "$0")/lib.sh"
. tests/scenarios/failpoints.sh
fp_lose_store() { lose_external; }
TOP[lease_ttl]=500ms
redis_start || fail "redis does not start"
FP_ACTION=stop
fp_site
load_start
load_cmd mark begin
fp_slots

lease_over() { case $(redis_cmd EXISTS "switchd:{0}:lease") in :0*) true ;; *) false ;; esac; }
stopped_here()
{
	local switchd
	switchd=$(pid_of switchd)
	wait_until 5 stopped "$switchd" || fail "$1: switchd does not stop"
	wait_until 5 lease_over || fail "$1: the lease does not end"
	kill -CONT "$switchd"
}
fp_each stopped_here
expect_no_failures begin
scn_done
