#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 480
# kill -9 of HAProxy at each step of a flip and of a rollback, under load, and a new one a moment later: it
# shows the record's value before it counts again; nothing fails but while there is no HAProxy (P4, L12).
. "$(dirname "$0")/lib.sh"
. tests/scenarios/failpoints.sh
fp_lose_store() { lose_embedded; }
fp_site
load_start
fp_slots

killed_here()
{
	haproxy_kill
	let_go "$1"
	haproxy_start || fail "$1: haproxy does not start again"
	load_cmd mark up
	load_cmd more 20
	expect_no_failures up
}
fp_each killed_here
scn_done
