#!/bin/bash
# SPDX-License-Identifier: MIT
# A push that did not arrive is found: by the next heartbeat of whoever leads, and without any by reading again.
# seconds: 150
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/agent.sh"
agent_site 1
agent_start
commit 1 green plain r40 c-1 forward
wait_map 10 green:$GEN.1:plain
wait_report 10 state ok

step "a heartbeat shows the gap"
record 2 blue plain r41 c-2 forward
record_set
map_stays green:$GEN.1:plain
heartbeat
wait_map 10 blue:$GEN.2:plain

step "a heartbeat that shows none"
heartbeat
map_stays blue:$GEN.2:plain

step "no heartbeat: within 30 s"
record 3 green plain r40 c-3 forward
record_set
wait_map 45 green:$GEN.3:plain

step "a push while it was not connected: subscribed first, read after that"
kill -STOP "$(pid_of agent)"
redis_cmd "CLIENT KILL TYPE pubsub" >/dev/null
redis_cmd "CLIENT KILL TYPE normal" >/dev/null
commit 4 blue plain r41 c-4 forward
kill -CONT "$(pid_of agent)"
wait_map 20 blue:$GEN.4:plain
commit 5 green plain r40 c-5 forward
wait_map 20 green:$GEN.5:plain
wait_report 20 "state version" "ok $GEN.5"
agent_done
