#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 480
# SIGSTOP of redis-server at each step of a flip and of a rollback, until the lease is over, under load: it
# hangs and resets nothing, so that only our own clocks tell; no request fails, nothing acknowledged is lost (R2).
#
# An external redis-server: the embedded one is watched by switchd, which is another scenario's subject.
. "$(dirname "$0")/lib.sh"
. tests/scenarios/failpoints.sh
fp_lose_store() { lose_external; }
TOP[lease_ttl]=500ms
redis_start || fail "redis does not start"
fp_site
load_start
load_cmd mark begin
fp_slots

away() { status_is store.up false; }
stopped_here()
{
	local redis
	redis=$(pid_of redis)
	kill -STOP "$redis"
	wait_until 5 stopped "$redis" || fail "$1: redis-server does not stop"
	let_go "$1"
	wait_until 5 away || fail "$1: it is not seen that redis hangs"
	kill -CONT "$redis"
}
fp_each stopped_here
expect_no_failures begin
scn_done
