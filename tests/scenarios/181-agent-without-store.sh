#!/bin/bash
# SPDX-License-Identifier: MIT
# An agent that starts while the store cannot be reached changes nothing, whatever its proxy shows and its journal says.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/agent.sh"
agent_site 1
# What the map shows is set by hand here, backwards too.
CHECK_VERSIONS=''

step "a first start, no Redis, no journal"
redis_kill
agent_start
wait_code 10 /active/shop 200
expect_eq /active "$(agent_get /active/shop)" blue
"$FAKES/ask" -t 3 -i "http://$HTTP/active/shop" | grep -qi '^Switchd-Stale: [1-9]' || fail "it does not say that its answer is old"
wait_code 10 /readyz 503
case $(agent_get /readyz) in "store: "*) ;; *) fail "/readyz: $(agent_get /readyz)" ;; esac
haproxy_cmd set map "$MAP" shop green:5.5:plain >/dev/null
map_stays green:5.5:plain
wait_until 5 eval '[ "$(agent_get /active/shop)" = green ]' || fail "/active: $(agent_get /active/shop)"

step "Redis is there, and empty: nothing"
redis_start || fail "redis-server does not start"
wait_report 20 "state why" "behind the store has told no record"
map_stays green:5.5:plain

step "a record; then a start with a journal, and no Redis"
commit 3 blue plain r41 c-3 forward
wait_map 10 blue:$GEN.3:plain
wait_report 10 state ok
redis_kill
agent_stop || fail "the agent ended with $?"
haproxy_cmd set map "$MAP" shop green:$GEN.2:plain >/dev/null
agent_start
wait_code 10 /active/shop 200
expect_eq /active "$(agent_get /active/shop)" blue
map_stays green:$GEN.2:plain

step "Redis is back with the record that is held: now it is put right"
redis_start || fail "redis-server does not start"
wait_map 20 blue:$GEN.3:plain
wait_report 10 "state version" "ok $GEN.3"

step "Redis away under a running agent: nothing; back, with what was committed meanwhile"
redis_kill
wait_code 10 /readyz 503
map_stays blue:$GEN.3:plain
kill -STOP "$(pid_of agent)"
redis_start || fail "redis-server does not start"
record 4 green plain r40 c-4 forward
record_set
kill -CONT "$(pid_of agent)"
wait_map 20 green:$GEN.4:plain
wait_report 10 "state version" "ok $GEN.4"
agent_done
