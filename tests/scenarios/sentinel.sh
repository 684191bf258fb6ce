# SPDX-License-Identifier: MIT
# sentinel.sh - two real redis-servers, one a replica of the other, and three real sentinels.  Sourced after lib.sh.
# shellcheck shell=bash

declare -A REDIS_PORT=() SENTINEL_PORT=()

# redis_node N [REPLICAOF-PORT]: on the port that it has; what it wrote before is there.
redis_node()
{
	local n=$1 more=()
	[ -z "${2:-}" ] || more=(--replicaof 127.0.0.1 "$2")
	mkdir -p "$SITE/redis$n"
	setsid "${SWITCHD_TEST_REDIS:-redis-server}" --bind 127.0.0.1 --port "${REDIS_PORT[$n]}" --dir "$SITE/redis$n" --appendonly yes --appendfsync always \
		--save '' --repl-diskless-sync-delay 0 --daemonize no "${more[@]}" </dev/null >>"$SITE/log/redis$n" 2>&1 &
	echo $! >"$SITE/pid/redis$n"
	disown
	wait_until 10 redis_there "${REDIS_PORT[$n]}"
}
redis_there() { case $(port_cmd "$1" PING) in *PONG*) true ;; *) false ;; esac; }
redis_role() { port_cmd "${REDIS_PORT[$1]}" ROLE; }
redis_gone() { end_pid KILL "$(pid_of "redis$1")"; }

# port_cmd PORT COMMAND: what a Redis or a sentinel answers.
port_cmd()
{
	{
		exec 9<>"/dev/tcp/127.0.0.1/$1" || return 1
		printf '%s\r\nQUIT\r\n' "$2" >&9
		timeout 3 cat <&9 | tr -d '\r'
		exec 9>&-
	} 2>/dev/null
}
sentinel_cmd() { port_cmd "${SENTINEL_PORT[$1]}" "$2"; }

sentinels_start()
{
	local i ports=() urls=
	mkdir -p "$SITE/log" "$SITE/pid"
	mapfile -t ports <<<"$("$FAKES/ports" 5 ${SCN_PORTS:-})"
	[ ${#ports[@]} = 5 ] || return 1
	REDIS_PORT=([1]=${ports[0]} [2]=${ports[1]})
	SENTINEL_PORT=([1]=${ports[2]} [2]=${ports[3]} [3]=${ports[4]})
	redis_node 1 && redis_node 2 "${REDIS_PORT[1]}" || return 1
	for i in 1 2 3; do
		mkdir -p "$SITE/sentinel$i"
		cat >"$SITE/sentinel$i/conf" <<-CONF
		port ${SENTINEL_PORT[$i]}
		bind 127.0.0.1
		dir $SITE/sentinel$i
		sentinel monitor mymaster 127.0.0.1 ${REDIS_PORT[1]} 2
		sentinel down-after-milliseconds mymaster 1000
		sentinel failover-timeout mymaster 5000
		CONF
		setsid redis-sentinel "$SITE/sentinel$i/conf" </dev/null >>"$SITE/log/sentinel$i" 2>&1 &
		echo $! >"$SITE/pid/sentinel$i"
		disown
		urls=$urls${urls:+,}127.0.0.1:${SENTINEL_PORT[$i]}
	done
	SENTINEL_URL=sentinel://$urls/mymaster
	# Each knows the master, its replica and the two others.
	wait_until 30 sentinels_agree
}
sentinels_agree()
{
	local i
	for i in 1 2 3; do
		case $(sentinel_cmd $i "SENTINEL ckquorum mymaster") in *"OK 3 usable"*) ;; *) return 1 ;; esac
		case $(sentinel_cmd $i "SENTINEL replicas mymaster") in *"${REDIS_PORT[2]}"*) ;; *) return 1 ;; esac
	done
}
