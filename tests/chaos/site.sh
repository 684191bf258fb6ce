# SPDX-License-Identifier: MIT
# site.sh - the site of a chaos run: addresses, configurations, and the list of processes for the driver.
#
# Sourced by run, which sets SITE, BUILD_DIR, TOPOLOGY and the directories.  It writes
#   SITE/site    "name value" lines: what the driver needs to know
#   SITE/procs   name, log, command, parted by tabs: what the driver starts
# and starts nothing itself.
# shellcheck shell=bash

SERVICE=shop
TARGETS=2
FRONTS=2
# What may appear nowhere but in these files (I15).
CANARY_REDIS=canary-redis-7d1e4b0c9a
CANARY_PROBE=canary-probe-5f2a8e61d3
CANARY_HEADER=canary-header-c04b97ee12

PATH=$PATH:/usr/sbin:/sbin
BIN=$PWD/$BUILD_DIR/bin
FAKES=$PWD/$BUILD_DIR/tests/fakes
CHAOS=$PWD/$BUILD_DIR/chaos

declare -A PORT=()

give() { printf '%s %s\n' "$1" "$2" >>"$SITE/site"; }

# proc NAME COMMAND...: its log is log/NAME.
proc()
{
	local name=$1 out
	shift
	out="$name	$SITE/log/$name"
	for a in "$@"; do out="$out	$a"; done
	printf '%s\n' "$out" >>"$SITE/procs"
}

# relay NAME LISTEN TO: faults between two sockets; NAME_control is its control socket.
relay()
{
	proc "relay-$1" "$FAKES/relay" --listen "$2" --to "$3" --control "$SITE/run/relay-$1"
	give "$1_control" "$SITE/run/relay-$1"
}

# Ports by name, all free now, all of one range.
ports_for()
{
	local range=() ports name i=0
	[ -z "${SCN_PORTS:-}" ] || read -r -a range <<<"$SCN_PORTS"
	mapfile -t ports <<<"$("$FAKES/ports" $# "${range[@]}")"
	[ ${#ports[@]} = $# ] || return 1
	for name in "$@"; do
		PORT[$name]=${ports[$i]}
		i=$((i + 1))
	done
}

site_sizes()
{
	case $TOPOLOGY in
	single) CONTROLLERS=1 REDIS=1 SENTINELS=0 AGENTS=0 ;;
	sentinel) CONTROLLERS=1 REDIS=2 SENTINELS=3 AGENTS=0 ;;
	fleet) CONTROLLERS=2 REDIS=2 SENTINELS=3 AGENTS=2 ;;
	*) echo "no topology $TOPOLOGY: single, sentinel or fleet" >&2; return 1 ;;
	esac
}

site_ports()
{
	local names=() i n slot
	for ((i = 1; i <= FRONTS; i++)); do names+=("front$i"); done
	for ((i = 1; i <= CONTROLLERS; i++)); do names+=("http$i" "operators$i"); done
	for ((i = 1; i <= REDIS; i++)); do names+=("redis$i" "redis${i}_relay"); done
	for ((i = 1; i <= SENTINELS; i++)); do names+=("sentinel$i"); done
	for ((i = 1; i <= AGENTS; i++)); do names+=("agent$i"); done
	for slot in blue green; do
		for ((n = 1; n <= TARGETS; n++)); do names+=("$slot$n"); done
	done
	ports_for "${names[@]}"
}

# Small file systems for the maps, so that a disk can be full; needs a mount namespace of our own.
site_disks()
{
	local i ok=1
	for ((i = 1; i <= FRONTS; i++)); do
		mkdir -p "$SITE/maps$i"
		[ -n "${CHAOS_NAMESPACE:-}" ] && mount -t tmpfs -o size=64k,mode=700 tmpfs "$SITE/maps$i" 2>/dev/null || ok=
		give "maps$i" "$SITE/maps$i"
		give "map$i" "$SITE/maps$i/$SERVICE.map"
	done
	[ -z "$ok" ] || give tmpfs 1
}

targets_list()
{
	local n list=
	for ((n = 1; n <= TARGETS; n++)); do list="$list${list:+, }127.0.0.1:${PORT[$1$n]}"; done
	echo "$list"
}

# The service's part that all have in common: what it is, not who drives it.
service_config()
{
	cat <<-YAML
	    slots:
	      blue:  [ $(targets_list blue) ]
	      green: [ $(targets_list green) ]
	    initial: blue
	    bake: 600ms
	    interval: 200ms
	    idle_interval: 600ms
	    fast_interval: 100ms
	    timeout: 1s
	    max_rate: 1000
	    flip_timeout: 3s
	    prove_timeout: 5s
	    ready_timeout: 30s
	    claim_ttl: 30s
	    recheck: []
	    flip_budget: { max: 100000, per: 1m }
	    gates:
	      identity: { path: /-/version, expect: [ 'jsonpath "\$.release" == "{{release}}"' ] }
	    features:
	      home: /
	      quotes: { path: /api/quotes, expect: [ status == 200, 'jsonpath "\$.quotes" count >= 1' ] }
	      expenses: { path: /expenses, expect: [ status == 200, 'body contains "Total"' ] }
	      invoices: { path: /api/invoices, auth: { user: probe, password_file: $SITE/secret/probe } }
	      customers: { path: /api/customers, headers: { X-Api-Key: "\${file:$SITE/secret/header}" } }
	      reports: /api/reports
	YAML
}

state_config()
{
	local i list=
	for ((i = 1; i <= SENTINELS; i++)); do list="$list${list:+,}127.0.0.1:${PORT[sentinel$i]}"; done
	if [ -n "$list" ]; then
		echo "state: { redis: 'sentinel://$list/mymaster/0', password_file: $SITE/secret/redis }"
	else
		echo "state: { redis: 'redis://127.0.0.1:${PORT[redis1_relay]}/0', password_file: $SITE/secret/redis }"
	fi
}

haproxy_entry() { echo "      - { type: haproxy, name: lb$1, socket: $SITE/run/stats$1.relay, front: 'http://127.0.0.1:${PORT[front$1]}', map: $SITE/maps$1/$SERVICE.map, paths: $SITE/maps$1/$SERVICE.paths }"; }

# What drives the proxies: a controller by itself, through relays, or the agent of each.
proxies_config()
{
	local i
	for ((i = 1; i <= FRONTS; i++)); do
		if [ "$AGENTS" = 0 ]; then haproxy_entry "$i"
		else echo "      - { type: agent, name: lb$i, front: 'http://127.0.0.1:${PORT[front$i]}' }"; fi
	done
}

controller_config()
{
	local i=$1
	mkdir -p "$SITE/state$i"
	{
		echo "version: 1"
		echo "listen: { http: 127.0.0.1:${PORT[http$i]}, operators: 127.0.0.1:${PORT[operators$i]}, unix: $SITE/run/switchd$i.sock }"
		echo "state_dir: $SITE/state$i"
		echo "lease_ttl: 2s"
		state_config
		echo "services:"
		echo "  $SERVICE:"
		echo "    front: http://127.0.0.1:${PORT[front1]}"
		echo "    proxies:"
		proxies_config
		service_config
	} >"$SITE/switchd$i.yaml"
	give "config$i" "$SITE/switchd$i.yaml"
	give "socket$i" "$SITE/run/switchd$i.sock"
	proc "switchd-$i" "$BIN/switchd" -c "$SITE/switchd$i.yaml"
}

agent_config()
{
	local i=$1
	mkdir -p "$SITE/agent$i"
	{
		echo "version: 1"
		echo "listen: { http: 127.0.0.1:${PORT[agent$i]} }"
		echo "state_dir: $SITE/agent$i"
		echo "agent: { name: lb$i, report: 500ms }"
		state_config
		echo "services:"
		echo "  $SERVICE:"
		echo "    front: http://127.0.0.1:${PORT[front$i]}"
		echo "    proxies:"
		haproxy_entry "$i"
		service_config
	} >"$SITE/agent$i.yaml"
	give "pin_config$i" "$SITE/agent$i.yaml"
	proc "agent-$i" "$BIN/switchd" --role agent -c "$SITE/agent$i.yaml"
}

# The configuration that switchd prints, for the HAProxy of front $1.  expose-fd only for reloads.
haproxy_config()
{
	local i=$1 one=$SITE/snippet$1.yaml
	{
		echo "version: 1"
		echo "state_dir: $SITE/snippet$i"
		echo "services:"
		echo "  $SERVICE:"
		echo "    front: http://127.0.0.1:${PORT[front$i]}"
		echo "    proxies:"
		echo "      - { type: haproxy, socket: $SITE/run/stats$i.sock, map: $SITE/maps$i/$SERVICE.map, paths: $SITE/maps$i/$SERVICE.paths }"
		service_config
	} >"$one"
	mkdir -p "$SITE/snippet$i"
	"$BIN/switchctl" --config "$one" proxy init >"$SITE/log/proxy-init$i" 2>&1 || return 1
	"$BIN/switchctl" --config "$one" proxy snippet haproxy "$SERVICE" --bind "127.0.0.1:${PORT[front$i]}" 2>>"$SITE/log/proxy-init$i" |
		sed 's/^\( *stats socket .*level admin\).*/\1 expose-fd listeners/; s/^global$/global\n  hard-stop-after 10s/' >"$SITE/haproxy$i.cfg"
	haproxy -c -f "$SITE/haproxy$i.cfg" >>"$SITE/log/proxy-init$i" 2>&1 || return 1
	give "front$i" "127.0.0.1:${PORT[front$i]}"
	give "stats$i" "$SITE/run/stats$i.sock"
	relay "stats$i" "$SITE/run/stats$i.relay" "$SITE/run/stats$i.sock"
	proc "haproxy-$i" haproxy -db -f "$SITE/haproxy$i.cfg"
}

redis_config()
{
	local i=$1
	mkdir -p "$SITE/redis$i"
	cat >"$SITE/redis$i.conf" <<-CONF
	port ${PORT[redis$i]}
	bind 127.0.0.1
	dir $SITE/redis$i
	appendonly yes
	appendfsync always
	save ""
	maxmemory-policy noeviction
	requirepass $CANARY_REDIS
	masterauth $CANARY_REDIS
	replica-announce-ip 127.0.0.1
	replica-announce-port ${PORT[redis${i}_relay]}
	CONF
	[ "$i" = 1 ] || echo "replicaof 127.0.0.1 ${PORT[redis1_relay]}" >>"$SITE/redis$i.conf"
	give "redis${i}_real" "127.0.0.1:${PORT[redis$i]}"
	relay "redis$i" "127.0.0.1:${PORT[redis${i}_relay]}" "127.0.0.1:${PORT[redis$i]}"
	proc "redis-$i" redis-server "$SITE/redis$i.conf"
	proc "tap-$i" "$CHAOS/tap" --to "127.0.0.1:${PORT[redis$i]}" --password-file "$SITE/secret/redis" --log "$SITE/log/tap$i"
}

# Sentinels keep what they learn in their own files.
sentinel_config()
{
	local i=$1
	mkdir -p "$SITE/sentinel$i"
	cat >"$SITE/sentinel$i.conf" <<-CONF
	port ${PORT[sentinel$i]}
	bind 127.0.0.1
	dir $SITE/sentinel$i
	sentinel monitor mymaster 127.0.0.1 ${PORT[redis1_relay]} 2
	sentinel auth-pass mymaster $CANARY_REDIS
	sentinel down-after-milliseconds mymaster 1000
	sentinel failover-timeout mymaster 3000
	sentinel parallel-syncs mymaster 1
	CONF
	give "sentinel${i}_real" "127.0.0.1:${PORT[sentinel$i]}"
	proc "sentinel-$i" redis-server "$SITE/sentinel$i.conf" --sentinel
}

witnesses()
{
	local i=$1
	proc "maps-$i" "$CHAOS/maps" --socket "$SITE/run/stats$i.sock" --map "$SITE/maps$i/$SERVICE.map" --service "$SERVICE" --log "$SITE/log/maps$i"
	proc "poll-$i" "$CHAOS/poll" --to "127.0.0.1:${PORT[front$i]}" --service "$SERVICE" --log "$SITE/log/poll$i"
	proc "load-$i" "$FAKES/load" --to "127.0.0.1:${PORT[front$i]}" --host "$SERVICE.test" --tag X-App-Slot --connections 8 --rate 60 \
		--get '/api/quotes*4' --get '/expenses*2' --get /api/invoices --get /api/customers --get /api/reports --get / --head /api/quotes \
		--post '/api/quotes*2' --post /expenses --log "$SITE/log/client$i"
}

site_build()
{
	local i n slot
	site_sizes && site_ports || return 1
	mkdir -p "$SITE/log" "$SITE/run" "$SITE/secret"
	chmod 700 "$SITE/secret"
	printf '%s\n' "$CANARY_REDIS" >"$SITE/secret/redis"
	printf '%s\n' "$CANARY_PROBE" >"$SITE/secret/probe"
	printf '%s\n' "$CANARY_HEADER" >"$SITE/secret/header"
	: >"$SITE/site"
	: >"$SITE/procs"
	give topology "$TOPOLOGY"
	give service "$SERVICE"
	give targets "$TARGETS"
	give fronts "$FRONTS"
	give controllers "$CONTROLLERS"
	give redis "$REDIS"
	give sentinels "$SENTINELS"
	give agents "$AGENTS"
	give switchctl "$BIN/switchctl"
	give redis_password "$CANARY_REDIS"
	give canaries "$CANARY_REDIS $CANARY_PROBE $CANARY_HEADER"
	site_disks
	for ((i = 1; i <= REDIS; i++)); do redis_config "$i"; done
	for ((i = 1; i <= SENTINELS; i++)); do sentinel_config "$i"; done
	for slot in blue green; do
		for ((n = 1; n <= TARGETS; n++)); do
			give "$slot${n}_control" "$SITE/run/$slot$n"
			give "$slot${n}_port" "${PORT[$slot$n]}"
			proc "$slot-$n" "$FAKES/invoices" --port "${PORT[$slot$n]}" --slot "$slot" --target "$n" --release "{release}" --show-slot --control "$SITE/run/$slot$n"
		done
	done
	for ((i = 1; i <= FRONTS; i++)); do haproxy_config "$i" || { cat "$SITE/log/proxy-init$i" >&2; return 1; }; done
	for ((i = 1; i <= AGENTS; i++)); do agent_config "$i"; done
	for ((i = 1; i <= CONTROLLERS; i++)); do controller_config "$i"; done
	[ "$AGENTS" != 0 ] || give pin_config1 "$SITE/switchd1.yaml"
	for ((i = 1; i <= FRONTS; i++)); do witnesses "$i"; done
}
