# SPDX-License-Identifier: MIT
# net.sh - several hosts on one machine: network namespaces joined by a router.  Sourced BEFORE lib.sh.
#
#   . "$(dirname "$0")/net.sh"      # goes on inside a namespace of its own: the router, where the clients are too
#   . "$(dirname "$0")/lib.sh"
#   net_site                        # hosts 1 controller, 2 redis, 3 haproxy, 4 blue, 5 green; then scn_site's work
#
# Host N is 10.77.0.N, the router 10.77.255.254.  Nothing of it is seen outside, and nothing has a name: a host is
# a namespace held by a process of $SITE/pid, and is gone with the last process in it, however that ended.
# Unix sockets are reached from everywhere (they are files); only what speaks IP is on a host.
#
#   partition A B [blackhole|unreachable]   silence (or an ICMP error) in both directions; heal A B
#   partition_from A B                      only what A sends to B
#   link_down N, link_up N                  the host's own interface
# shellcheck shell=bash

# Where it cannot be had: exit 77, and the last line is the reason.
net_none() { echo "network namespaces cannot be had here: $*"; exit 77; }

if [ -z "${NET_INSIDE:-}" ]; then
	for net_tool in ip unshare nsenter setpriv; do
		command -v $net_tool >/dev/null || PATH=$PATH:/usr/sbin:/sbin
		command -v $net_tool >/dev/null || net_none "no $net_tool (packages iproute2, util-linux)"
	done
	if net_why=$(unshare -n true 2>&1); then
		NET_INSIDE=1 exec unshare -n -- "$0" "$@"
	elif net_why="$net_why; $(unshare -Urn true 2>&1)"; then
		NET_INSIDE=1 exec unshare -Urn -- "$0" "$@"
	fi
	net_none "$net_why"
fi

NET_ROUTER=10.77.255.254
host_addr() { echo "10.77.0.$1"; }

# The router's own part.  Each step that fails is the reason.
net_begin()
{
	local why probe
	why=$(ip link set lo up 2>&1) || net_none "ip link set lo up: $why"
	why=$({ echo 1 >/proc/sys/net/ipv4/ip_forward; } 2>&1) || net_none "a router: $why"
	why=$(ip addr add $NET_ROUTER/32 dev lo 2>&1) || net_none "ip addr add: $why"
	# A rule that drops between two hosts: the kernel may have one routing table only.
	why=$(ip rule add from 10.77.0.201 to 10.77.0.202 blackhole 2>&1) || net_none "ip rule add blackhole: $why"
	ip rule del from 10.77.0.201 to 10.77.0.202 blackhole
	# netem would be another way to delay; whether or not it is there, relay does it.
	probe=$(tc qdisc add dev lo root netem delay 1ms 2>&1) && NETEM=yes || NETEM="not in this kernel, or no tc: ${probe:-it does not run}"
	tc qdisc del dev lo root 2>/dev/null
	step "router $NET_ROUTER; netem here: $NETEM"
}

in_other_net() { [ "$(readlink /proc/self/ns/net)" != "$(readlink "/proc/$1/ns/net")" ]; }

# host_up N...
host_up()
{
	local n pid why
	for n; do
		# It ends with us, kill -9 included.
		setpriv --pdeathsig KILL unshare -n -- sleep 1000000 </dev/null >/dev/null 2>&1 &
		pid=$!
		disown
		echo "$pid" >"$SITE/pid/host$n"
		wait_until 10 in_other_net "$pid" || net_none "a namespace for host $n: unshare -n does not come up"
		why=$({ ip link add "h$n" type veth peer name eth0 netns "$pid" && ip link set "h$n" up &&
			ip route add "$(host_addr "$n")/32" dev "h$n" src $NET_ROUTER &&
			net "$n" ip link set lo up && net "$n" ip addr add "$(host_addr "$n")/32" dev eth0; } 2>&1) || net_none "host $n: $why"
		link_up "$n"
	done
}

# net N COMMAND...: on host N.
net()
{
	local n=$1
	shift
	nsenter -t "$(pid_of "host$n")" -n -- "$@"
}
# at_host ARRAY N: what stands before the command of something that runs there (site.sh).
at_host()
{
	local -n array=$1
	array=(nsenter -t "$(pid_of "host$2")" -n --)
}

# The routes go with the link, and come back with it.
link_up() { net "$1" ip link set eth0 up && net "$1" ip route add $NET_ROUTER/32 dev eth0 && net "$1" ip route add default via $NET_ROUTER; }
link_down() { net "$1" ip link set eth0 down; }

partition_from() { ip rule add from "$(host_addr "$1")" to "$(host_addr "$2")" "${3:-blackhole}" || fail "ip rule add"; }
heal_from() { while ip rule del from "$(host_addr "$1")" to "$(host_addr "$2")" 2>/dev/null; do :; done; }
partition() { partition_from "$1" "$2" "${3:-}" && partition_from "$2" "$1" "${3:-}"; }
heal() { heal_from "$1" "$2"; heal_from "$2" "$1"; }

# ---- a site on these hosts ----

net_redis_start()
{
	mkdir -p "$SITE/redis" "$SITE/log" "$SITE/pid"
	"${AT_REDIS[@]}" setsid "$REDIS_SERVER" --bind "$(host_addr 2)" --port 6379 --protected-mode no --unixsocket "$SITE/redis.sock" --dir "$SITE/redis" \
		--appendonly yes --appendfsync always --save '' --daemonize no </dev/null >>"$SITE/log/redis" 2>&1 &
	echo $! >"$SITE/pid/redis"
	disown
	wait_until 10 redis_answers
}

# net_hosts [N...]: hosts 1 to 5, and these.  REDIS_AT: where the controller looks for Redis, if not there.
# shellcheck disable=SC2120
net_hosts()
{
	mkdir -p "$SITE/pid"
	net_begin
	host_up 1 2 3 4 5 "$@"
	at_host AT_SWITCHD 1
	at_host AT_REDIS 2
	at_host AT_HAPROXY 3
	at_host AT_blue 4
	at_host AT_green 5
	SLOT_ADDR=([blue]=$(host_addr 4) [green]=$(host_addr 5))
	net_redis_start || fail "redis does not start"
	! declare -F net_relay >/dev/null || net_relay
	TOP[state]="{ redis: 'redis://${REDIS_AT:-$(host_addr 2):6379}' }"
}

# net_site [TARGETS]: scn_site on five hosts, clients at the router.
net_site()
{
	net_hosts
	scn_site "${1:-2}"
}

# After the ports were chosen (they are free on each host, which has none of its own).
scn_addresses()
{
	FRONT=$(host_addr 3):8080
	STATS_SOCKET=$(host_addr 3):9999
}
