#!/bin/bash
# SPDX-License-Identifier: MIT
# An agent shows a record as soon as it is pushed, tells how far it is, and answers load balancers; it needs no controller.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/agent.sh"
agent_site 1
load_start

step "it starts, and there is no record"
agent_start
wait_report 10 "state version slot" "behind 0.0 blue"
map_is blue:0.0:plain || fail "map: $(map_value)"
expect_eq /active "$(agent_get /active/shop)" blue
expect_eq /readyz "$(agent_code /readyz)" 503
expect_eq /livez "$(agent_code /livez)" 200

step "a flip"
load_cmd mark flip
commit 1 green shield r40 c-1 forward
wait_map 10 green:$GEN.1:shield
wait_report 10 "state version slot shield cid release" "ok $GEN.1 green true c-1 r40"
wait_report 10 "proxies.0.name proxies.0.state proxies.0.value proxies.0.durable" "haproxy ok green:$GEN.1:shield true"
grep -q "$SERVICE green:$GEN.1:shield" "$MAP" || fail "the map file: $(cat "$MAP")"
wait_code 10 /readyz 200
expect_eq /active "$(agent_get /active/shop)" green
expect_eq /active "$(agent_get /active)" green
expect_eq "/slot green" "$(agent_code /slot/shop/green) $(agent_code /slot/green)" "200 200"
expect_eq "/slot blue" "$(agent_code /slot/shop/blue) $(agent_code '/slot/shop/blue?drain=1')" "503 200"
expect_eq "/slot purple" "$(agent_code /slot/shop/purple) $(agent_code /slot/nobody/blue) $(agent_code /v1/services)" "404 404 404"
grep -aq " agent service=shop slot=green version=$GEN.1 .*us=[0-9]" "$SITE/log/agent" || fail "no line of it in the log"
expect_eq metrics "$(metric up) $(metric 'epoch{service="shop"}') $(metric 'in_sync{service="shop",proxy="haproxy"}') $(metric 'applied_total{service="shop"}')" "1 1 1 1"
case $(report_head) in "$GEN 1 "*" ok "*) ;; *) fail "head of the report: $(report_head)" ;; esac
wait_report 10 "up.green.0 up.green.1 up.blue.0" "1 1 1"

step "a second one in its directory, and one without Redis"
said=$("$BIN/switchd" --role agent -c "$SITE/agent.yaml" 2>&1)
expect_eq "exit of a second agent" $? 1
case $said in *"another switchd uses the state directory"*) ;; *) fail "a second agent: $said" ;; esac
sed '/^state:/d' "$SITE/agent.yaml" >"$SITE/bad.yaml"
said=$("$BIN/switchd" -t "$SITE/bad.yaml" --role agent 2>&1)
expect_eq "exit of a check" $? 2
case $said in *"an agent needs the Redis of its controllers"*) ;; *) fail "without Redis: $said" ;; esac

step "a rollback, and all that in a row"
commit 2 blue plain r41 c-2 auto r40
wait_map 10 blue:$GEN.2:plain
wait_report 10 "version condemned.0" "$GEN.2 r40"
for i in 3 4 5 6 7 8 9; do commit $i "$([ $((i % 2)) = 1 ] && echo green || echo blue)" plain r$((50 + i)) c-$i forward; done
wait_map 10 green:$GEN.9:plain
wait_report 10 "state version" "ok $GEN.9"
load_cmd more 20
expect_no_failures flip

step "a reload takes a service up, and leaves what it knows as it is"
cp "$SITE/agent.yaml" "$SITE/agent.good"
printf 'nonsense: true\n' >>"$SITE/agent.yaml"
kill -HUP "$(pid_of agent)"
wait_until 10 grep -aq 'reload ok=0' "$SITE/log/agent" || fail "the bad file was not refused"
expect_eq "reload success" "$(metric config_reload_success)" 0
sed 's/drain: .*//; s/^    front:/    drain: 7s\n    front:/' "$SITE/agent.good" >"$SITE/agent.yaml"
printf "  blog:\n    slots: { blue: [ '127.0.0.1:1' ], green: [ '127.0.0.1:2' ] }\n    proxies: [ { type: haproxy, socket: $SITE/nowhere.sock, map: $SITE/blog.map, paths: $SITE/blog.paths } ]\n" >>"$SITE/agent.yaml"
kill -HUP "$(pid_of agent)"
wait_until 10 grep -aq 'reload ok=1' "$SITE/log/agent" || fail "the good file was not taken: $(tail -n 5 "$SITE/log/agent")"
SERVICE=blog wait_report 10 "state version" "down 0.0"
wait_report 10 "state version" "ok $GEN.9"
commit 10 blue plain r41 c-10 forward
wait_map 10 blue:$GEN.10:plain
cp "$SITE/agent.good" "$SITE/agent.yaml"
kill -HUP "$(pid_of agent)"
no_blog() { [ -z "$(SERVICE=blog report state)" ]; }
wait_until 10 no_blog || fail "a service that is gone is still reported"
map_stays blue:$GEN.10:plain
agent_done
