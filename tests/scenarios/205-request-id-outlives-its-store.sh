#!/bin/bash
# SPDX-License-Identifier: MIT
# A flip is acknowledged, and gone with the master that had it.  The record is put back, from a journal or from what the agents
# say, and the request id with it: asked again with that id, of another controller too, it is not done once more (I3).
# seconds: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sentinel.sh"
. "$(dirname "$0")/fleet.sh"
CHECK_VERSIONS=
SVC[bake]=1s SVC[idle_interval]=500ms
sentinels_start || fail "redis and its sentinels do not start"
TOP[state]="{ redis: '$SENTINEL_URL', replicas: 1 }" TOP[lease_ttl]=2s
fleet_begin
fleet_lead
controller_config 2
deploy green r42 flipped --converged=all
expect_exit 0
wait_status 20 "phase slots.blue.whole slots.green.whole" "steady true true"

# flip_alone N ID: by controller N, and no replica hears of it.  The replica is number $REPLICA.
flip_alone()
{
	kill -STOP "$(pid_of "redis$REPLICA")"
	# What was sent waits in its socket, and it would read that later: nothing more is to be sent.
	port_cmd "${REDIS_PORT[$((3 - REPLICA))]}" "CLIENT KILL TYPE replica" >/dev/null
	on "$1" run flip shop -y --request-id "$2"
	expect_exit 0
	case $(cat "$SITE/ctl.err") in *"committed, at risk: 0 replicas"*) ;; *) fail "it is not at risk: $(cat "$SITE/ctl.err")" ;; esac
}
# again N ID SLOT: it was done, and traffic stays.
again()
{
	local before
	before=$(on "$1" status etag)
	on "$1" run flip shop -y --request-id "$2"
	expect_exit 0
	expect_eq "the version after the same id, asked of controller $1" "$(on "$1" status etag)" "$before"
	on "$1" expect_status active "$3"
}

step "a flip that the replica never gets, and the master dies: the leader's journal puts it back"
REPLICA=2 flip_alone 1 twice-1
wait_until 10 eval '[ "$(lb_slot 1) $(lb_slot 2)" = "blue blue" ]' || fail "agents do not follow: $(lb_value 1) $(lb_value 2)"
redis_gone 1
kill -CONT "$(pid_of redis2)"
wait_until 60 eval '[ "$(status store.up)" = true ]' || fail "no failover: $(status store)"
wait_status 20 active blue
case " $(events) " in *" store.regressed "*) ;; *) fail "nothing was lost: $(events)" ;; esac

step "another one, which was not there, leads: the same id is not done again"
controller_start 2
wait_control 20 2 following
switchd_stop || fail "controller 1 ended with $?"
wait_control 15 2 leading
again 2 twice-1 blue
case $SAID in *"already flipped to blue "*) ;; *) fail "it says: $SAID" ;; esac
redis_node 1 || fail "redis 1 does not start"
wait_until 60 eval 'redis_role 1 | grep -q slave' || fail "the old master is no replica: $(redis_role 1)"
on 2 wait_status 60 "slots.blue.whole slots.green.whole fleet.converged" "true true 2"
wait_until 20 eval 'on 2 run note shop -m ok; [ $RC = 0 ] && [ "$(on 2 status store.at_risk)" = false ]' || fail "still at risk: $(on 2 status store.at_risk)"

step "once more, and who did it is gone with its journal: the agents know the move, and whose it was"
on 2 wait_status 30 "safe_to_flip.ok" true
REPLICA=1 flip_alone 2 twice-2
wait_until 10 eval '[ "$(lb_slot 1) $(lb_slot 2)" = "green green" ]' || fail "agents do not follow: $(lb_value 1) $(lb_value 2)"
end_pid KILL "$(pid_of switchd2)"
redis_gone 2
kill -CONT "$(pid_of redis1)"
switchd_start
wait_until 60 eval '[ "$(status store.up)" = true ]' || fail "no failover: $(status store)"
wait_status 20 active green
followed() { cat "$STATE"/archive/*.jsonl | grep '"kind":"store.regressed"' | grep -q "the proxies knew it"; }
wait_until 10 followed || fail "the record does not follow the traffic: $(events)"
again 1 twice-2 green
again 1 twice-1 green

step "what was never asked is done"
wait_status 60 "slots.blue.whole slots.green.whole fleet.converged" "true true 2"
run flip shop -y --request-id once-3
expect_exit 0
expect_status active blue

step "the end"
for n in 1 2; do lb_agent_stop $n || fail "agent $n ended with $?"; done
switchd_stop || fail "switchd ended with $?"
expect_eq "lb1" "$(lb_slot 1)" blue
expect_eq "lb2" "$(lb_slot 2)" blue
DONE=1
