#!/bin/bash
# SPDX-License-Identifier: MIT
# kill -9 of an agent at every step between the record and the proxy: traffic stays somewhere, no request fails, and it
# converges after a restart.
# seconds: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/agent.sh"
agent_site 1
load_start
agent_start
commit 1 blue plain r41 c-1 forward
wait_map 10 blue:$GEN.1:plain
wait_report 10 state ok
agent_stop || fail "the agent ended with $?"
load_cmd mark kills

epoch=1
died() { gone_or_zombie "$(pid_of agent)"; }
for at in journal.before-write journal.after-fsync agent.journalled proxy.before-file proxy.before-rename proxy.after-rename proxy.after-fsync \
	proxy.before-set proxy.after-set proxy.after-readback; do
	for mode in forward auto; do
		step "killed at $at, mode $mode"
		was=$(map_value)
		slot=$([ "${was%%:*}" = blue ] && echo green || echo blue)
		epoch=$((epoch + 1))
		agent_start SWITCHD_FP="$at:kill"
		wait_code 10 /livez 200
		commit $epoch "$slot" plain r$epoch c-$epoch $mode
		wait_until 20 died || fail "it was not killed at $at"
		now=$(map_value)
		case $now in "$was"|"$slot:$GEN.$epoch:plain") ;; *) fail "map after the kill: $now" ;; esac
		agent_start
		wait_map 20 "$slot:$GEN.$epoch:plain"
		wait_report 20 "state version" "ok $GEN.$epoch"
		grep -q "$SERVICE $slot:$GEN.$epoch:plain" "$MAP" || fail "the map file: $(cat "$MAP")"
		agent_stop || fail "the agent ended with $?"
	done
done
step "clients saw nothing"
load_cmd more 20
expect_no_failures kills
agent_start
wait_code 10 /readyz 200
agent_done
