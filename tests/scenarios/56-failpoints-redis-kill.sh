#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 480
# kill -9 of redis-server at each step of a flip and of a rollback, under load: no request fails, nothing
# acknowledged is lost, nothing happens twice (R1).
#
# An external redis-server, not the embedded one: this one is away as long as the scenario says, and nobody
# starts it again at once (52 is about that).
. "$(dirname "$0")/lib.sh"
. tests/scenarios/failpoints.sh
fp_lose_store() { lose_external; }
redis_start || fail "redis does not start"
fp_site
load_start
load_cmd mark begin
fp_slots

away() { status_is store.up false; }
killed_here()
{
	redis_kill
	let_go "$1"
	wait_until 5 away || fail "$1: it is not seen that redis is away"
	redis_start || fail "$1: redis does not start again"
}
fp_each killed_here
expect_no_failures begin
scn_done
