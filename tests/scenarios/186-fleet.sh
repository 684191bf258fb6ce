#!/bin/bash
# SPDX-License-Identifier: MIT
# A controller and two proxies that agents drive: a good release, a rollback with one agent dead, and everything of ours and
# of Redis dead for a while. Clients see nothing of it.
# seconds: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/agent.sh"
SVC[flip_timeout]=20s
agent_site 2
CHECK_VERSIONS=''

step "a second HAProxy, with an agent of its own"
mapfile -t more <<<"$("$FAKES/ports" 2 ${SCN_PORTS:-})"
FRONT2=127.0.0.1:${more[0]} SOCKET2=$SITE/haproxy2.sock MAP2=$SITE/lb2/shop.map
mkdir -p "$SITE/lb2"
cp "$MAP" "$MAP2"; cp "${MAP%.map}.paths" "${MAP2%.map}.paths"
sed -e "s|$FRONT|$FRONT2|; s|$STATS_SOCKET|$SOCKET2|; s|$MAP|$MAP2|g; s|${MAP%.map}.paths|${MAP2%.map}.paths|g; s|abns@shop|abns@lb2-shop|g" "$SITE/haproxy.cfg" >"$SITE/haproxy2.cfg"
setsid haproxy -db -f "$SITE/haproxy2.cfg" </dev/null >>"$SITE/log/haproxy2" 2>&1 &
echo $! >"$SITE/pid/haproxy2"
disown
sed -e "s|http: $HTTP|http: 127.0.0.1:${more[1]}|; s|name: $AGENT|name: lb2|; s|$SITE/agent\$|$SITE/agent2|; s|$STATS_SOCKET|$SOCKET2|; s|$MAP|$MAP2|; s|${MAP%.map}.paths|${MAP2%.map}.paths|" \
	"$SITE/agent.yaml" >"$SITE/agent2.yaml"
agent2_start()
{
	setsid "$BIN/switchd" --role agent -c "$SITE/agent2.yaml" </dev/null >>"$SITE/log/agent2" 2>&1 &
	echo $! >"$SITE/pid/agent2"
}
map2() { STATS_SOCKET=$SOCKET2 MAP=$MAP2 map_value; }
both_show() { [ "$(map_slot)" = "$1" ] && [ "$(map2)" = "$(map_value)" ]; }
agent_start
agent2_start

step "the controller"
sed -i "s|^      - { type: haproxy, .*|      - { type: agent, name: lb1, front: http://$FRONT }\n      - { type: agent, name: lb2, front: http://$FRONT2 }|; s|http: $HTTP|http: off|" "$CONFIG"
switchd_start
wait_until 20 switchd_ready blue || fail "switchd is not ready: $(status)"
wait_status 20 "slots.blue.state slots.blue.whole" "good true"
wait_status 20 "fleet.converged fleet.all" "2 2"
both_show blue || fail "maps: $(map_value) $(map2)"
load_start
load_cmd mark all

step "a good release"
deploy green r42 baked
expect_exit 0
both_show green || fail "maps: $(map_value) $(map2)"
wait_status 20 "fleet.converged fleet.all" "2 2"
wait_report 10 "state slot" "ok green"

step "a bad one, and the agent of lb2 dies before it is seen"
deploy blue r43 flipped
expect_exit 0
both_show blue || fail "maps: $(map_value) $(map2)"
end_pid KILL "$(pid_of agent2)"
app blue all lose quotes 404
wait_until 20 eval '[ "$(map_slot)" = green ]' || fail "no rollback: $(map_value); $(status phase active)"
case $(map2) in blue:*) ;; *) fail "lb2 moved without an agent: $(map2)" ;; esac
expect_status active green
agent2_start
wait_until 20 both_show green || fail "maps: $(map_value) $(map2)"
wait_status 20 "phase fleet.converged fleet.all" "steady 2 2"
app blue all restore all

step "everything of ours and Redis dead"
load_cmd mark dead
redis_kill
switchd_kill
agent_kill
end_pid KILL "$(pid_of agent2)"
before="$(map_value) $(map2)"
load_cmd more 400
expect_eq maps "$(map_value) $(map2)" "$before"
agent_start
agent2_start
load_cmd more 200
expect_eq maps "$(map_value) $(map2)" "$before"
expect_no_failures dead

step "back"
redis_start || fail "redis-server does not start"
switchd_start
wait_until 30 switchd_ready green || fail "switchd is not ready"
wait_status 30 "fleet.converged fleet.all" "2 2"
run rollback "$SERVICE" --yes --force -m "the other one"
expect_exit 0
wait_until 20 both_show blue || fail "maps: $(map_value) $(map2)"
wait_status 20 "phase fleet.converged fleet.all" "steady 2 2"
load_cmd more 20
expect_no_failures dead
agent_stop || fail "agent 1 ended with $?"
end_pid TERM "$(pid_of agent2)"
scn_done
