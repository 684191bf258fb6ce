# SPDX-License-Identifier: MIT
# fleet.sh - more than one controller at the site of lib.sh.  Sourced after it.
#
# Controller 1 is the site's switchd; controller N has a state directory, sockets and ports of its own and the same
# Redis (redis_start comes first), the same proxy and the same services.
# On hosts of net.sh: what stands before a command is in AT_SWITCHDn, or AT_LBn for HAProxy and agent n, whose front is at LB_ADDR[n].
# shellcheck shell=bash

where()
{
	local -n there=AT_$1
	WHERE=("${there[@]}")
}

# controller_config N: its file, from the site's.
controller_config()
{
	local n=$1 ports=()
	mapfile -t ports <<<"$("$FAKES/ports" 2 ${SCN_PORTS:-})"
	mkdir -p "$SITE/state$n"
	sed -e "s|^listen: .*|listen: { http: 127.0.0.1:${ports[0]}, operators: 127.0.0.1:${ports[1]}, unix: $SITE/switchd$n.sock }|" \
		-e "s|^state_dir: .*|state_dir: $SITE/state$n|" \
		-e "s|socket: $STATS_SOCKET|socket: $STATS_SOCKET, map: $MAP, paths: ${MAP%.map}.paths|" "$CONFIG" >"$SITE/switchd$n.yaml"
}

# controller_start N [NAME=VALUE...]
controller_start()
{
	where "SWITCHD$1"
	"${WHERE[@]}" env "${@:2}" setsid "$BIN/switchd" -c "$SITE/switchd$1.yaml" </dev/null >>"$SITE/log/switchd$1" 2>&1 &
	echo $! >"$SITE/pid/switchd$1"
}

# second_start: controller 2 beside the first, which leads; both know the record.
second_start()
{
	controller_config 2
	controller_start 2
	wait_control 20 2 following
	wait_control 5 1 leading
	wait_until 5 eval '[ "$(on 2 status active loaded)" = "$(on 1 status active) true" ]' || fail "controller 2 knows no record: $(on 2 status active loaded)"
}

# controller_stop N: its exit code is what is returned.
controller_stop()
{
	local pid
	pid=$(pid_of "switchd$1")
	end_pid TERM "$pid" 15 || return 1
	wait "$pid"
}

# on N FUNCTION...: a function of lib.sh or site.sh that asks switchd, asked of controller N.
on()
{
	local n=$1
	shift
	SWITCHD_URL=unix:$SITE/switchd$([ "$n" = 1 ] || echo "$n").sock "$@"
}

# control N: leading, following or away.
control() { on "$1" status store.state; }
control_is() { [ "$(control "$1")" = "$2" ]; }

# wait_control SECONDS N STATE
wait_control() { wait_until "$1" control_is "$2" "$3" || fail "controller $2 in $1 s: '$(control "$2")', want $3"; }

# ---- proxies with agents ----

# lb_config N: a HAProxy of its own with an agent, lbN, and its address in LB_FRONT[N].  After site_config.
declare -A LB_FRONT=() LB_ADDR=()
lb_config()
{
	local n=$1 ports=() dir=$SITE/lb$1
	mapfile -t ports <<<"$("$FAKES/ports" 2 ${SCN_PORTS:-})"
	LB_FRONT[$n]=${LB_ADDR[$n]:-127.0.0.1}:${ports[0]}
	mkdir -p "$dir"
	sed -e "s|^listen: .*|listen: { http: 127.0.0.1:${ports[1]}, operators: off, unix: $dir/none.sock }|" \
		-e "s|^state_dir: .*|state_dir: $dir\nagent: { name: lb$n, report: 300ms }|" \
		-e "s|^      - { type: .*|      - { type: haproxy, socket: $dir/haproxy.sock, front: 'http://${LB_FRONT[$n]}' }|" "$CONFIG" |
		sed '/^      - { type: agent/d' >"$dir/agent.yaml"
	"$BIN/switchctl" --config "$dir/agent.yaml" proxy init >>"$SITE/log/proxy-init" 2>&1 || return 1
	"$BIN/switchctl" --config "$dir/agent.yaml" proxy snippet haproxy "$SERVICE" --bind "${LB_FRONT[$n]}" >"$dir/haproxy.cfg" 2>>"$SITE/log/snippet"
}

lb_start()
{
	where "LB$1"
	"${WHERE[@]}" setsid haproxy -db -f "$SITE/lb$1/haproxy.cfg" </dev/null >>"$SITE/log/haproxy$1" 2>&1 &
	echo $! >"$SITE/pid/haproxy$1"
	disown
	wait_until 10 eval "\"$FAKES/sockcmd\" -t 2 \"$SITE/lb$1/haproxy.sock\" show info >/dev/null"
}

lb_agent_start()
{
	where "LB$1"
	"${WHERE[@]}" setsid "$BIN/switchd" --role agent -c "$SITE/lb$1/agent.yaml" </dev/null >>"$SITE/log/agent$1" 2>&1 &
	echo $! >"$SITE/pid/agent$1"
}

lb_value() { "$FAKES/sockcmd" -t 5 "$SITE/lb$1/haproxy.sock" show map "$SITE/lb$1/$SERVICE.map" | awk -v s="$SERVICE" '$2 == s { print $3 }'; }
lb_slot() { local v; v=$(lb_value "$1"); echo "${v%%:*}"; }

# agent_stop N: its exit code is what is returned.
lb_agent_stop()
{
	local pid
	pid=$(pid_of "agent$1")
	end_pid TERM "$pid" 15 || return 1
	wait "$pid"
}

# ---- a site of two such proxies, and a client at each ----

# fleet_begin: everything but the controller and the clients.  Redis (redis_start, or net_hosts) comes first.
fleet_begin()
{
	local n
	site_begin 2 || fail "no free ports"
	slot_start blue r41 && slot_start green r40 || fail "targets do not start"
	site_config
	lb_config 1 && lb_config 2 || fail "haproxy config: $(cat "$SITE/log/snippet" "$SITE/log/proxy-init")"
	sed -i "s|^      - { type: .*|      - { type: agent, name: lb1, front: 'http://${LB_FRONT[1]}' }\n      - { type: agent, name: lb2, front: 'http://${LB_FRONT[2]}' }|" "$CONFIG"
	for n in 1 2; do lb_start $n || fail "haproxy $n does not start"; lb_agent_start $n; done
	FRONT=${LB_FRONT[1]}
}

# fleet_lead: the controller of it, and both proxies show its record.
fleet_lead()
{
	switchd_start
	wait_until 20 switchd_ready blue || fail "switchd is not ready: $(status loaded store.up active)"
	wait_status 20 "fleet.converged fleet.all proxies.0.state proxies.1.state" "2 2 in-sync in-sync"
	wait_status 20 "slots.blue.state slots.blue.whole" "good true"
}

# load2_start: a second client, of lb2.
load2_start()
{
	LOAD2=$SITE/load2.sock
	setsid "$FAKES/load" --to "${LB_FRONT[2]}" --host shop.test --tag X-App-Slot --connections 4 --rate 100 "${LOAD_MIX[@]}" \
		--control "$LOAD2" --pid-file "$SITE/pid/load2" </dev/null >"$SITE/log/load2" 2>&1 &
	disown
	wait_until 10 load2_cmd more 10 || fail "the second client does not start"
}
load2_cmd() { "$FAKES/sockcmd" -t 30 "$LOAD2" "$@" >/dev/null; }
load2_end() { load2_cmd pause; LOAD2=; }

# loads COMMAND...: to both clients, the second one while there is one.
loads() { load_cmd "$@" && { [ -z "${LOAD2:-}" ] || load2_cmd "$@"; }; }

# expect_no_failures_at_both MARK
expect_no_failures_at_both()
{
	local got
	expect_no_failures "$1"
	[ -n "${LOAD2:-}" ] || return 0
	got=$("$FAKES/sockcmd" -t 30 "$LOAD2" stats "$1" | "$FAKES/jget" failed)
	[ "$got" = 0 ] || fail "$got requests failed through lb2"
}
