# SPDX-License-Identifier: MIT
# site.sh - a whole small site on this machine: targets, HAProxy, Redis, switchd, clients.
#
# Sourced by scripts/demo and by lib.sh (scenarios).  The one who sources sets
#   SITE       a directory of its own, short enough for unix sockets
#   BUILD_DIR  build/release, build/asan...
# and may change SVC, TOP, FEATURES and the rest below before site_config.  Nothing here sleeps and
# hopes: wait_until polls a condition under a deadline.
# shellcheck shell=bash

PATH=$PATH:/usr/sbin:/sbin
BIN=${BIN:-$PWD/${BUILD_DIR:?}/bin}
FAKES=${FAKES:-$PWD/${BUILD_DIR:?}/tests/fakes}

declare -A SVC=() TOP=()
# Another server with the same protocol, such as valkey-server: the embedded one and that of redis_start.
REDIS_SERVER=${SWITCHD_TEST_REDIS:-redis-server}
[ "$REDIS_SERVER" = redis-server ] || TOP[state]="{ redis_server: $REDIS_SERVER }"
SVC[bake]=5s
# Settings of the service as "key: value" lines beside SVC, indented by six.
SVC_MORE=''
FEATURES='home: /
quotes: { path: /api/quotes, expect: [ status == 200, '\''jsonpath "$.quotes" count >= 1'\'' ] }
expenses: { path: /expenses, expect: [ status == 200, '\''body contains "Total"'\'' ] }
invoices: /api/invoices
customers: /api/customers
reports: /api/reports'
SERVICE=shop
SWITCHD_ENV=()          # NAME=VALUE for each start of switchd
# Where things run (net.sh: other hosts): the address of a slot's targets, and what stands before each command.
declare -A SLOT_ADDR=([blue]=127.0.0.1 [green]=127.0.0.1)
AT_SWITCHD=() AT_HAPROXY=() AT_REDIS=() AT_blue=() AT_green=()
IDENTITY_MORE=''         # more lines of the identity gate, with a comma in front
GATES_MORE=''            # more of gates: beside identity, as "key: value" lines
PROXY_MORE=''           # more members of the proxy's mapping, with a comma in front

site_ports()
{
	local range=()
	[ -z "${SCN_PORTS:-}" ] || read -r -a range <<<"$SCN_PORTS"
	# No process substitution in what the demo sources: a bare chroot has no /dev/fd.
	mapfile -t PORTS <<<"$("$FAKES/ports" "$1" "${range[@]}")"
	[ ${#PORTS[@]} = "$1" ]
}

# site_begin [TARGETS]: addresses and paths of everything; starts nothing.
site_begin()
{
	local slot n i=3
	TARGETS=${1:-2}
	declare -gA TARGET_PORT=()
	site_ports $((3 + 2 * TARGETS)) || return 1
	FRONT=127.0.0.1:${PORTS[0]} HTTP=127.0.0.1:${PORTS[1]} OPERATORS=127.0.0.1:${PORTS[2]}
	for slot in blue green; do
		for ((n = 1; n <= TARGETS; n++)); do
			TARGET_PORT[$slot$n]=${PORTS[$i]}
			i=$((i + 1))
		done
	done
	CONFIG=$SITE/switchd.yaml STATE=$SITE/state
	MAP=${MAP_FILE:-$STATE/$SERVICE.map}
	STATS_SOCKET=$SITE/haproxy.sock
	export SWITCHD_URL=unix:$SITE/switchd.sock
	mkdir -p "$STATE" "$SITE/pid" "$SITE/log"
}

# wait_until SECONDS COMMAND...: polls every 20 ms; false at the deadline.
wait_until()
{
	local until=$(($(mono_ms) + $1 * 1000))
	shift
	while ! "$@" 2>/dev/null; do
		[ "$(mono_ms)" -lt $until ] || return 1
		nap
	done
}

# Milliseconds of a clock that nobody sets.
mono_ms()
{
	local t
	if read -r t _ </proc/uptime; then
		t=${t/./}
		echo $((10#$t * 10))
	else
		t=$(date +%s%N)
		echo $((t / 1000000))
	fi
} 2>/dev/null

nap() { sleep 0.02; }

gone() { ! kill -0 "$1" 2>/dev/null; }

# end_pid SIGNAL PID [SECONDS]: signals it and waits until it is gone.
end_pid()
{
	[ -n "$2" ] || return 0
	kill -"$1" "$2" 2>/dev/null || return 0
	wait_until "${3:-10}" gone_or_zombie "$2"
}

gone_or_zombie()
{
	local stat
	kill -0 "$1" 2>/dev/null || return 0
	# A child of this shell that ended is there until it is waited for.
	if read -r stat <"/proc/$1/stat"; then
		case ${stat##*) } in Z*) return 0 ;; esac
		return 1
	fi
	# Without /proc (a bare chroot) the signal alone tells.
	! kill -0 "$1"
} 2>/dev/null

pid_of() { cat "$SITE/pid/$1" 2>/dev/null; }

# ---- targets ----

# target_start SLOT N RELEASE [invoices arguments...]
target_start()
{
	local slot=$1 n=$2 release=$3
	shift 3
	local -n at=AT_$slot
	rm -f "$SITE/pid/$slot$n"
	"${at[@]}" setsid "$FAKES/invoices" --listen "${SLOT_ADDR[$slot]}:${TARGET_PORT[$slot$n]}" --slot "$slot" --target "$n" --release "$release" --show-slot \
		--control "$SITE/$slot$n.sock" --pid-file "$SITE/pid/$slot$n" "$@" </dev/null >>"$SITE/log/$slot$n" 2>&1 &
	disown
	wait_until 10 test -s "$SITE/pid/$slot$n"
}

# slot_start SLOT RELEASE [arguments...]: all its targets, instead of those that run.
slot_start()
{
	local slot=$1 n
	shift
	for ((n = 1; n <= TARGETS; n++)); do
		target_end "$slot" $n TERM
		target_start "$slot" $n "$@" || return 1
	done
}

# ship_script FILE: what a CI pipeline would have, `ship RELEASE [FEATURES]`: restarts the targets of
# $SWITCHD_SLOT with another release.
ship_script()
{
	cat >"$1" <<-SHIP
	#!/bin/bash
	cd "$PWD" || exit 1
	SITE=$SITE TARGETS=$TARGETS BIN=$BIN FAKES=$FAKES
	. tests/scenarios/site.sh
	$(declare -p TARGET_PORT)
	slot_start "\$SWITCHD_SLOT" "\$1" \${2:+--features "\$2"}
	SHIP
	chmod +x "$1"
}

target_end() { end_pid "${3:-KILL}" "$(pid_of "$1$2")"; }

# app SLOT N|all COMMAND...: in force when it returns.
app()
{
	local slot=$1 n=$2
	shift 2
	if [ "$n" = all ]; then
		for ((n = 1; n <= TARGETS; n++)); do
			"$FAKES/sockcmd" "$SITE/$slot$n.sock" "$@" >/dev/null || return 1
		done
	else
		"$FAKES/sockcmd" "$SITE/$slot$n.sock" "$@"
	fi
}

# manifest FILE RELEASE [FIELD=VALUE...]: a good one, and what is to be changed in it.
manifest()
{
	local file=$1 release=$2
	shift 2
	rm -f "$file"
	"$BIN/switchctl" manifest add "$file" release="$release" digest="sha256:$release" commit=9f31c2 builder.name=npm builder.version=4.0.2 \
		lockfile=l1 tests.run=812 tests.digest="sha256:$release" tests.builder=npm tests.builder_version=4.0.2 tests.lockfile=l1 \
		tests.result=passed tests.at="$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$@"
}

# ---- configuration ----

targets_list()
{
	local n list=
	for ((n = 1; n <= TARGETS; n++)); do
		list="$list${list:+, }${SLOT_ADDR[$1]}:${TARGET_PORT[$1$n]}"
	done
	echo "$list"
}

site_config()
{
	local key line
	{
		echo "version: 1"
		echo "listen: { http: $HTTP, operators: $OPERATORS, unix: $SITE/switchd.sock }"
		echo "state_dir: $STATE"
		for key in "${!TOP[@]}"; do echo "$key: ${TOP[$key]}"; done
		echo "services:"
		echo "  $SERVICE:"
		echo "    front: http://$FRONT"
		echo "    initial: blue"
		echo "    slots:"
		echo "      blue:  [ $(targets_list blue) ]"
		echo "      green: [ $(targets_list green) ]"
		echo "    proxies:"
		echo "      - { type: haproxy, socket: $STATS_SOCKET$PROXY_MORE }"
		for key in "${!SVC[@]}"; do echo "    $key: ${SVC[$key]}"; done
		[ -z "$SVC_MORE" ] || printf '%s\n' "$SVC_MORE" | sed 's/^/    /'
		echo "    gates:"
		echo "      identity: { path: /-/version, expect: [ 'jsonpath \"\$.release\" == \"{{release}}\"'$IDENTITY_MORE ] }"
		[ -z "$GATES_MORE" ] || printf '%s\n' "$GATES_MORE" | sed 's/^/      /'
		echo "    features:"
		printf '%s\n' "$FEATURES" | sed 's/^/      /'
	} >"$CONFIG.new"
	mv "$CONFIG.new" "$CONFIG"
}

# ---- HAProxy ----

# The configuration that switchd prints, as it is.  Only for reloads: the new process is given the
# listening sockets of the old one, so that no connection is lost between the two.
haproxy_config()
{
	local cfg=$SITE/haproxy.cfg
	"$BIN/switchctl" --config "$CONFIG" proxy init >"$SITE/log/proxy-init" 2>&1 || return 1
	"$BIN/switchctl" --config "$CONFIG" proxy snippet haproxy "$SERVICE" --bind "$FRONT" >"$SITE/snippet" 2>"$SITE/log/snippet" || return 1
	sed 's/^\( *stats socket .*level admin\).*/\1 expose-fd listeners/; s/^global$/global\n  hard-stop-after 10s/' "$SITE/snippet" >"$cfg"
	haproxy -c -f "$cfg" >"$SITE/log/haproxy-check" 2>&1 || return 1
	# A snippet that HAProxy warns about ignores some of its rules.
	! grep -i warning "$SITE/log/haproxy-check" >&2
}

# A single process, so that its pid is the proxy.  With an argument: takes over from that pid (a reload).
haproxy_start()
{
	local old=${1:-} args=()
	[ -z "$old" ] || args=(-x "$STATS_SOCKET" -sf "$old")
	"${AT_HAPROXY[@]}" setsid haproxy -db -f "$SITE/haproxy.cfg" "${args[@]}" </dev/null >>"$SITE/log/haproxy" 2>&1 &
	echo $! >"$SITE/pid/haproxy"
	disown
	wait_until 10 haproxy_is "$!"
}

# The process that answers on the stats socket is this one.
haproxy_is()
{
	local line
	line=$("$FAKES/sockcmd" -t 2 "$STATS_SOCKET" show info 2>/dev/null | grep '^Pid:')
	[ "${line#Pid: }" = "$1" ]
}

haproxy_reload() { haproxy_start "$(pid_of haproxy)"; }
haproxy_kill() { end_pid KILL "$(pid_of haproxy)"; }
haproxy_cmd() { "$FAKES/sockcmd" -t 5 "$STATS_SOCKET" "$@"; }

# What the running proxy has for the service: "green:1795333451.42:shield".
map_value()
{
	local id key value
	while read -r id key value; do
		[ "$key" = "$SERVICE" ] && { echo "$value"; return; }
	done <<<"$(haproxy_cmd show map "$MAP")"
	[ -z "${id:-}" ]
}

map_slot() { local v; v=$(map_value); echo "${v%%:*}"; }

# What HAProxy itself counted: 2xx and 3xx answers of that slot's server in the shield's backend.
shield_count()
{
	haproxy_cmd show stat | awk -F, -v backend="$SERVICE-shield" -v server="$1" '
		NR == 1 { for (i = 1; i <= NF; i++) { if ($i == "hrsp_2xx") two = i; if ($i == "hrsp_3xx") three = i } }
		$1 == backend && $2 == server { print $two + $three }'
}

# Who answers a probe through the front: "green/green:1795333451.42:plain".
front_stamp()
{
	"$FAKES/ask" -t 3 -i -H "X-Switchd-Probe: $SERVICE/site" "http://$FRONT/healthz" | tr -d '\r' | sed -n 's/^[Xx]-[Ss]witchd: *//p'
}

front_answers() { [ "$("$FAKES/ask" -t 3 -s "http://$FRONT/healthz")" = 200 ]; }

# ---- switchd ----

# switchd_start [NAME=VALUE...]: variables for its environment.  Does not wait until it is ready.
switchd_start()
{
	"${AT_SWITCHD[@]}" env "${SWITCHD_ENV[@]}" "$@" setsid "$BIN/switchd" -c "$CONFIG" </dev/null >>"$SITE/log/switchd" 2>&1 &
	echo $! >"$SITE/pid/switchd"
}

switchd_ready()
{
	gone_or_zombie "$(pid_of switchd)" && return 1
	[ "$(status loaded store.up active)" = "true true ${1:-blue}" ]
}

switchd_kill() { end_pid KILL "$(pid_of switchd)"; }
# Its exit code is what is returned (0 when it was gone before).
switchd_stop()
{
	local pid
	pid=$(pid_of switchd)
	[ -n "$pid" ] && ! gone_or_zombie "$pid" || return 0
	end_pid TERM "$pid" 15 || return 1
	wait "$pid"
}

ctl() { "$BIN/switchctl" "$@"; }

# status PATH...: members of the service's status, on one line; nothing when there is no answer.
status()
{
	local json
	json=$(ctl status "$SERVICE" --json --timeout 5s 2>/dev/null) || return 1
	printf '%s' "$json" | "$FAKES/jget" "$@" 2>/dev/null | paste -sd' ' -
}

# ---- clients ----

# load_start [load arguments...]: a steady mix of all features, with POSTs.
LOAD_MIX=(--get '/api/quotes*6' --get '/expenses*3' --get /api/invoices --get /api/customers --get /api/reports --get /
	--head /api/quotes --post '/api/quotes*2' --post /expenses)
load_start()
{
	setsid "$FAKES/load" --to "$FRONT" --host shop.test --tag X-App-Slot --connections 8 --rate 200 "${LOAD_MIX[@]}" \
		--control "$SITE/load.sock" --pid-file "$SITE/pid/load" "$@" </dev/null >"$SITE/log/load" 2>"$SITE/log/load.err" &
	disown
	wait_until 10 load_cmd more 20
}

load_cmd() { "$FAKES/sockcmd" -t 30 "$SITE/load.sock" "$@" >/dev/null; }

# load_stats MARK[,MARK] PATH...
load_stats()
{
	local marks=${1/,/ }
	shift
	# shellcheck disable=SC2086
	"$FAKES/sockcmd" -t 30 "$SITE/load.sock" stats $marks | "$FAKES/jget" "$@" | paste -sd' ' -
}

# Everything down, in an order in which nobody is asked after its end.
site_end()
{
	local p
	for p in load switchd haproxy; do end_pid TERM "$(pid_of $p)" 15; done
	for p in "$SITE"/pid/*; do
		[ -f "$p" ] && end_pid KILL "$(cat "$p")"
	done
}
