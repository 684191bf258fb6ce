#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 480
# SIGSTOP of HAProxy at each step of a flip and of a rollback, for longer than a command may take, under load:
# it accepts and does not answer (L2); clients wait, and no request fails; record and proxy agree again.
. "$(dirname "$0")/lib.sh"
. tests/scenarios/failpoints.sh
fp_lose_store() { lose_embedded; }
fp_site
load_start --timeout 10s
load_cmd mark begin
fp_slots

stopped_here()
{
	local haproxy
	haproxy=$(pid_of haproxy)
	kill -STOP "$haproxy"
	wait_until 5 stopped "$haproxy" || fail "$1: haproxy does not stop"
	let_go "$1"
	# That long is a command's deadline in the adapter: some time out, unknown whether obeyed.
	sleep 1.2
	kill -CONT "$haproxy"
}
fp_each stopped_here
load_cmd more 20
expect_no_failures begin
scn_done
