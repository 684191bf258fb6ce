#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 240
# Two proxy hosts with an agent each.  One agent is cut off from Redis: a move is 1/2 converged and the proxy there goes
# on as it was; healed, it catches up.  The same with the host's link down, and with an agent that Redis hears no more.
. "$(dirname "$0")/net.sh"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fleet.sh"
CHECK_VERSIONS=
SVC[bake]=300ms SVC[idle_interval]=500ms SVC[flip_timeout]=60s
TOP[lease_ttl]=2s
net_hosts 6
AT_LB1=("${AT_HAPROXY[@]}") LB_ADDR[1]=$(host_addr 3)
at_host AT_LB2 6
LB_ADDR[2]=$(host_addr 6)
fleet_begin
switchd_start
wait_until 20 switchd_ready blue || fail "switchd is not ready: $(status loaded store.up active)"
wait_status 20 "fleet.converged fleet.all slots.blue.whole" "2 2 true"
load_start
load2_start
loads mark begin
deploy green r42 baked
expect_exit 0
wait_status 20 "fleet.converged phase" "2 steady"

# apart_and_healed HOW APART HEAL MARK EXIT: a flip while lb2 is apart, which ends so.
caught_up() { [ "$(lb_slot 2)" = "$1" ] && [ "$(lb_value 2)" = "$(lb_value 1)" ]; }
apart_and_healed()
{
	local from to before
	from=$(status active)
	case $from in blue) to=green ;; *) to=blue ;; esac
	wait_status 30 "phase slots.blue.whole slots.green.whole" "steady true true"
	step "$1"
	before=$(lb_value 2)
	$2
	wait_status 20 "fleet.converged fleet.waiting.0.name" "1 lb2"
	# Its front answers and shows the old slot: the flip is committed, and not done before that one shows it too.
	run flip shop --to $to --force -y -m "$1" --timeout 3s
	expect_exit "$5"
	expect_eq "lb1" "$(lb_slot 1)" $to
	expect_status "active fleet.converged fleet.all" "$to 1 2"
	loads more 40
	# Through the stats socket, which is a file: nobody has told it anything.
	expect_eq "lb2 while it is apart" "$(lb_value 2)" "$before"
	step "$1: healed"
	$3
	wait_until 20 caught_up $to || fail "lb2 shows $(lb_value 2), lb1 $(lb_value 1)"
	wait_status 20 "fleet.converged phase" "2 steady"
	loads more 40
	expect_no_failures_at_both "$4"
}
cut_both() { partition 6 2; }
cut_out() { partition_from 6 2; }
cut_in() { partition_from 2 6; }
join() { heal 6 2; }
apart_and_healed "agent and Redis apart" cut_both join begin 13
apart_and_healed "Redis does not hear the agent" cut_out join begin 13
apart_and_healed "the agent does not hear Redis" cut_in join begin 13

step "the link of a proxy host is down: its clients lose it, the others nothing"
load2_end
gone() { link_down 6; }
back() { link_up 6; }
apart_and_healed "the link is down" gone back begin 0
expect_nothing_condemned
step "the end"
for n in 1 2; do lb_agent_stop $n || fail "agent $n ended with $?"; done
switchd_stop || fail "switchd ended with $?"
end_pid TERM "$(pid_of redis)"
DONE=1
