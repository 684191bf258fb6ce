#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 480
# kill -9 of switchd at each step of a flip and of a person's rollback, under load: no request fails, the restart
# carries on from what was committed, and each acknowledged move is in the audit exactly once (P1).
. "$(dirname "$0")/lib.sh"
. tests/scenarios/failpoints.sh
fp_lose_store() { lose_embedded; }
FP_ACTION='kill'
fp_site
load_start
load_cmd mark begin
fp_slots

killed_here()
{
	wait_until 5 dead || fail "$1: switchd lives"
	expect_killed "$1"
	let_go "$1"
	switchd_start
}
fp_each killed_here
expect_no_failures begin
scn_done
