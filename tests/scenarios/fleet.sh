# SPDX-License-Identifier: MIT
# fleet.sh - more than one controller at the site of lib.sh.  Sourced after it.
#
# Controller 1 is the site's switchd; controller N has a state directory, sockets and ports of its own and the same
# Redis (redis_start comes first), the same proxy and the same services.
# shellcheck shell=bash

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

controller_start()
{
	setsid "$BIN/switchd" -c "$SITE/switchd$1.yaml" </dev/null >>"$SITE/log/switchd$1" 2>&1 &
	echo $! >"$SITE/pid/switchd$1"
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
