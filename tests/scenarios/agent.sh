# SPDX-License-Identifier: MIT
# agent.sh - a site whose HAProxy is driven by a switchd --role agent, and a hand in Redis in the controller's place.
# Sourced after lib.sh.
#
# The record is written as the controller's scripts write it (store/prelude.lua, show()); no controller runs unless the
# scenario starts one.  The agent is given the site's own configuration, which is a controller's.
# shellcheck shell=bash

GEN=1700000000 SEQ=0 AGENT=lb1
KEY='switchd:{0}'

# agent_site [TARGETS]: everything but an agent.
agent_site()
{
	step "a site with ${1:-1} targets a slot, HAProxy and Redis"
	site_begin "${1:-1}" || fail "no free ports"
	redis_start || fail "redis-server does not start"
	slot_start blue r41 && slot_start green r40 || fail "targets do not start"
	site_config
	haproxy_config || fail "haproxy -c: $(cat "$SITE/log/haproxy-check" "$SITE/log/snippet" "$SITE/log/proxy-init" 2>/dev/null)"
	haproxy_start || fail "haproxy does not start"
	agent_config
	watch_begin
}

# agent_config: its file, from the site's.
agent_config()
{
	mkdir -p "$SITE/agent"
	sed -e "s|^listen: .*|listen: { http: $HTTP, operators: off, unix: $SITE/none.sock }|" -e "s|^state_dir: .*|state_dir: $SITE/agent\nagent: { name: $AGENT, report: 500ms }|" \
		-e "s|socket: $STATS_SOCKET|socket: $STATS_SOCKET, map: $MAP, paths: ${MAP%.map}.paths|" "$CONFIG" >"$SITE/agent.new" &&
		mv "$SITE/agent.new" "$SITE/agent.yaml"
}

# agent_start [NAME=VALUE...]: variables for its environment.  Does not wait.
agent_start()
{
	env "$@" setsid "$BIN/switchd" --role agent -c "$SITE/agent.yaml" </dev/null >>"$SITE/log/agent" 2>&1 &
	echo $! >"$SITE/pid/agent"
}
agent_kill() { end_pid KILL "$(pid_of agent)"; }
agent_stop()
{
	local pid
	pid=$(pid_of agent)
	end_pid TERM "$pid" 15 || return 1
	wait "$pid"
}

# agent_driven [NAME=VALUE...]: the agent, and a controller that has no other proxy than the agent's; blue is active and whole, then green.
agent_driven()
{
	agent_start "$@"
	sed -i "s|^      - { type: haproxy, .*|      - { type: agent, name: $AGENT, front: http://$FRONT }|; s|http: $HTTP|http: off|" "$CONFIG"
	switchd_start
	wait_until 20 switchd_ready blue || fail "switchd is not ready: $(status)"
	wait_status 20 "slots.blue.state slots.blue.whole" "good true"
	deploy green r42 baked
	expect_exit 0
}

# ---- Redis by hand ----

# record EPOCH SLOT shield|plain RELEASE CID MODE [CONDEMNED]: the line.
record() { SEQ=$((SEQ + 1)); LINE="sw2 $GEN $1 $2 $3 $4 $5 $SEQ $(date +%s)000000 $6 ${7:--} -"; }
# What is read, what heartbeats tell, what is pushed.
record_set() { redis_cmd "SET $KEY:a:$SERVICE \"$LINE\"" >/dev/null && redis_cmd "HSET $KEY:meta v 2 gen $GEN seq $SEQ top $SEQ" >/dev/null; }
record_publish() { redis_cmd "PUBLISH $KEY:ev \"push $SERVICE $LINE\"" >/dev/null; }
heartbeat() { redis_cmd "PUBLISH $KEY:ev \"hb $GEN $SEQ $(date +%s)000000\"" >/dev/null; }
# commit EPOCH SLOT ...: as a controller's.
commit() { record "$@" && record_set && record_publish; }

# ---- what the agent says ----

# report PATH...: of the JSON that it told of the service last.
report()
{
	redis_cmd "HGET $KEY:ga:$AGENT $SERVICE" | sed -n 's/^[0-9]* {/{/p' | "$FAKES/jget" "$@" 2>/dev/null | paste -sd' ' -
}
report_is()
{
	# shellcheck disable=SC2086
	[ "$(report $1)" = "$2" ]
}
# wait_report SECONDS "PATHS" "VALUES"
wait_report()
{
	# shellcheck disable=SC2086
	wait_until "$1" report_is "$2" "$3" || fail "report $2 in $1 s: got '$(report $2)', want '$3'"
}
# The head of its reports: GEN SEQ US STATUS DIGEST VERSION DETAIL
report_head() { redis_cmd "HGET $KEY:g $AGENT" | sed -n 2p; }

agent_get() { "$FAKES/ask" -t 3 "http://$HTTP$1"; }
agent_code() { "$FAKES/ask" -t 3 -s "http://$HTTP$1"; }
code_is() { [ "$(agent_code "$1")" = "$2" ]; }
wait_code() { wait_until "$1" code_is "$2" "$3" || fail "$2 in $1 s: $(agent_code "$2"): $(agent_get "$2"), want $3"; }
metric() { agent_get /metrics | sed -n "s/^switchd_agent_$1 //p"; }

map_is() { [ "$(map_value)" = "$1" ]; }
# wait_map SECONDS VALUE
wait_map() { wait_until "$1" map_is "$2" || fail "map in $1 s: $(map_value), want $2"; }
# A promise that nothing happens needs a time in which it could have: several polls of the proxy and reports.
map_stays()
{
	local i
	for ((i = 0; i < 40; i++)); do
		map_is "$1" || fail "map: $(map_value), want it to stay $1"
		nap
	done
}

agent_dump() { echo "--- log/agent"; tail -n 80 "$SITE/log/agent"; echo "--- report"; report_head; redis_cmd "HGET $KEY:ga:$AGENT $SERVICE"; }
eval "site_$(declare -f dump)"
dump() { agent_dump 2>&1; [ -z "$(pid_of switchd)" ] || site_dump; }

# The end of a scenario without a controller.
agent_done()
{
	step "the end"
	watch_end
	[ -z "$CHECK_VERSIONS" ] || expect_versions_grew
	local before
	before=$(map_value)
	agent_stop || fail "the agent ended with $?"
	expect_eq "what its end changed at the proxy" "$(map_value)" "$before"
	end_pid TERM "$(pid_of redis)"
	DONE=1
	exit 0
}
