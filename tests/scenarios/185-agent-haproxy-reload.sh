#!/bin/bash
# SPDX-License-Identifier: MIT
# HAProxy is reloaded and restarted with an old file behind an agent's back while Redis is away: what the agent had applied
# is put right at once, and nothing goes back to the old slot for good.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/agent.sh"
agent_site 1
# The old file is what a fault leaves: the map then really goes back for a moment.
CHECK_VERSIONS=''
agent_start
commit 1 blue plain r41 c-1 forward
wait_map 10 blue:$GEN.1:plain
commit 2 green plain r40 c-2 forward
wait_map 10 green:$GEN.2:plain
wait_report 10 state ok
redis_kill
wait_code 10 /readyz 503

old_file() { printf 'shop blue:%s.1:plain\n' $GEN >"$MAP.old" && mv "$MAP.old" "$MAP"; }
file_is() { [ "$(cat "$MAP")" = "shop $1" ]; }

step "a reload"
haproxy_reload || fail "haproxy does not take over"
map_stays green:$GEN.2:plain

step "a reload that reads an old file"
old_file
haproxy_reload || fail "haproxy does not take over"
wait_map 10 green:$GEN.2:plain
wait_until 10 file_is "green:$GEN.2:plain" || fail "the map file: $(cat "$MAP")"

step "kill -9, and a start with an old file"
haproxy_kill
old_file
haproxy_start || fail "haproxy does not start"
wait_map 10 green:$GEN.2:plain
map_stays green:$GEN.2:plain

step "the agent is restarted too, and sees what it had"
agent_stop || fail "the agent ended with $?"
agent_start
wait_code 10 /active/shop 200
map_stays green:$GEN.2:plain
old_file
haproxy_reload || fail "haproxy does not take over"
wait_map 10 green:$GEN.2:plain

step "Redis is back"
redis_start || fail "redis-server does not start"
wait_report 20 "state version" "ok $GEN.2"
commit 3 blue plain r41 c-3 forward
wait_map 10 blue:$GEN.3:plain
agent_done
