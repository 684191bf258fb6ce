# SPDX-License-Identifier: MIT
# lib.sh - what every scenario starts with, and the ways it says what must be so.
#
#   . "$(dirname "$0")/lib.sh"
#   scn_site 2                      # targets a slot; SVC, TOP, FEATURES may be set before
#   load_start
#   deploy green r42 baked; expect_exit 0
#
# A scenario ends with `scn_done`; any expectation that fails ends it at once with what the site
# said.  Whatever happened, the end checks what holds in every scenario: the proxy's versions only
# grew (I2, I7) and named a known slot (I17), switchd left no sanitizer report and ended with 0 (I12),
# and record and data plane agree (I4).
# shellcheck shell=bash
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
BUILD_DIR=build/${BUILD:-debug}
export NO_COLOR=1 LC_ALL=C.UTF-8
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=1}" UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}"
SITE=$(mktemp -d "${TMPDIR:-/tmp}/scn.XXXXXX") || exit 2
. tests/scenarios/site.sh
SVC[bake]=2s
RC=0 DONE='' STEP=start CHECK_VERSIONS=1

# The time since the scenario's begin, for its own log.
SCN_BEGIN=$(mono_ms)
step()
{
	STEP=$*
	local t=$(($(mono_ms) - SCN_BEGIN))
	printf '%4d.%03d  %s\n' $((t / 1000)) $((t % 1000)) "$*"
}

fail()
{
	echo "FAILED at \"$STEP\": $*"
	exit 1
}

skip() { DONE=1; echo "$*"; exit 77; }

dump()
{
	local f
	echo "--- status"; timeout 10 "$BIN/switchctl" status "$SERVICE" --json 2>&1 | head -c 6000; echo
	echo "--- timeline"; timeout 10 "$BIN/switchctl" timeline "$SERVICE" 2>&1 | tail -n 40
	echo "--- map"; map_value 2>&1; cat "$MAP" 2>&1
	for f in ctl load.err haproxy-check proxy-init snippet redis haproxy switchd; do
		[ -s "$SITE/log/$f" ] || continue
		echo "--- log/$f"
		grep -avE '^[^ ]+ (info|debug) probe ' "$SITE/log/$f" | tail -n 80
	done
}

scn_exit()
{
	local rc=$?
	trap '' TERM HUP INT
	trap - EXIT
	watch_end
	if [ $rc = 0 ] && [ -z "$DONE" ]; then
		echo "FAILED: the scenario ended before scn_done"
		rc=1
	fi
	# In a shell of its own: a site that is not whole yet must not keep the rest from being ended.
	[ $rc = 0 ] || [ $rc = 77 ] || (set +u; dump)
	site_end
	sanitizer_reports >&2 || rc=1
	[ -z "${SCN_MOUNT:-}" ] || umount "$SCN_MOUNT" 2>/dev/null
	rm -rf "$SITE"
	exit $rc
}
trap scn_exit EXIT
trap 'exit 143' TERM HUP
trap 'exit 130' INT

# False, with the report, when a sanitizer spoke or something aborted.
sanitizer_reports()
{
	local f bad=0
	for f in "$SITE"/log/*; do
		[ -f "$f" ] || continue
		grep -aqE 'AddressSanitizer|LeakSanitizer|runtime error:|must failed|: must\(' "$f" || continue
		echo "--- a report in log/${f##*/}"
		grep -aE -A 40 'AddressSanitizer|LeakSanitizer|runtime error:|must failed|: must\(' "$f" | head -n 80
		bad=1
	done
	return $bad
}

# ---- the site ----

# A site at rest: blue r41 active and good, green r40 idle.  FILL: arguments for the application.
scn_site()
{
	step "a site with ${1:-2} targets a slot"
	site_begin "${1:-2}" || fail "no free ports"
	! declare -F scn_addresses >/dev/null || scn_addresses
	# shellcheck disable=SC2086
	slot_start blue r41 ${FILL:-} && slot_start green r40 ${FILL:-} || fail "targets do not start"
	site_config
	haproxy_config || fail "haproxy -c: $(cat "$SITE/log/haproxy-check" "$SITE/log/snippet" "$SITE/log/proxy-init" 2>/dev/null)"
	haproxy_start || fail "haproxy does not start"
	switchd_start
	wait_until 20 switchd_ready blue || fail "switchd is not ready"
	wait_status 20 "slots.blue.state slots.blue.whole" "good true"
	watch_begin
}

# ---- what must be so ----

expect_eq() { [ "$2" = "$3" ] || fail "$1: got '$2', want '$3'"; }

# expect_status "PATH PATH" "VALUE VALUE": now.
expect_status()
{
	local got
	# shellcheck disable=SC2086
	got=$(status $1)
	[ "$got" = "$2" ] || fail "status $1: got '$got', want '$2'"
}

status_is()
{
	# shellcheck disable=SC2086
	[ "$(status $1)" = "$2" ]
}

# wait_status SECONDS "PATHS" "VALUES"
wait_status()
{
	# shellcheck disable=SC2086
	wait_until "$1" status_is "$2" "$3" || fail "status $2 in $1 s: got '$(status $2)', want '$3'"
}

# run WHAT...: switchctl; its exit code is in RC, what it said in log/ctl and $SAID.
run()
{
	SAID=$(ctl --no-input "$@" 2>"$SITE/ctl.err")
	RC=$?
	{ echo "\$ switchctl $*"; echo "$SAID"; cat "$SITE/ctl.err"; echo "exit $RC"; } >>"$SITE/log/ctl"
}

expect_exit() { [ $RC = "$1" ] || fail "exit code $RC, want $1: $(tail -n 12 "$SITE/log/ctl")"; }

# said PATH...: members of the JSON that the last run printed.
said() { printf '%s' "$SAID" | "$FAKES/jget" "$@" 2>/dev/null | paste -sd' ' -; }

# deploy SLOT RELEASE WAIT [switchctl arguments...]: fills the slot and announces it.  FILL: arguments for the application.
deploy()
{
	local slot=$1 release=$2 wait=$3
	shift 3
	# shellcheck disable=SC2086
	slot_start "$slot" "$release" ${FILL:-} || fail "targets of $slot do not start"
	run deploy "$SERVICE" --slot "$slot" --release "$release" --wait="$wait" --timeout 40s --json "$@"
}

# events: the kinds, oldest first, on one line.
events()
{
	local json n paths=() i
	json=$(ctl timeline "$SERVICE" --json --max 1000 2>/dev/null) || return 1
	n=$(printf '%s' "$json" | "$FAKES/jget" 'events.#')
	[ "${n:-0}" -gt 0 ] || return 0
	for ((i = 0; i < n; i++)); do paths+=("events.$i.kind"); done
	printf '%s' "$json" | "$FAKES/jget" "${paths[@]}" | paste -sd' ' -
}

# count_events KIND
count_events() { events | tr ' ' '\n' | grep -cx "$1"; }

# I3: what was acknowledged is in the audit exactly once.
expect_events()
{
	local n
	n=$(count_events "$1")
	[ "$n" = "$2" ] || fail "events '$1': $n, want $2; all: $(events)"
}

# I2, I16: each event begins where the one before it ended, and what moved has a higher version.
expect_chain()
{
	local json n i from from_g from_v to to_g to_v at='' at_v='' kind paths=()
	json=$(ctl timeline "$SERVICE" --json --max 1000 2>/dev/null) || fail "no timeline"
	n=$(printf '%s' "$json" | "$FAKES/jget" 'events.#')
	[ "${n:-0}" -gt 0 ] || fail "no events"
	for ((i = 0; i < n; i++)); do
		paths+=("events.$i.from.slot" "events.$i.from.version.gen" "events.$i.from.version.epoch" "events.$i.to.slot" "events.$i.to.version.gen" "events.$i.to.version.epoch" "events.$i.kind")
	done
	while read -r from; read -r from_g; read -r from_v; read -r to; read -r to_g; read -r to_v; read -r kind; do
		[ -z "$at" ] || [ "$from $from_g.$from_v" = "$at $at_v" ] || fail "$kind begins at $from $from_g.$from_v, the one before it ended at $at $at_v"
		[ "$from" = "$to" ] || [ "$to_g" -gt "$from_g" ] || { [ "$to_g" = "$from_g" ] && [ "$to_v" -gt "$from_v" ]; } || fail "$kind moves from $from to $to, from $from_v to $to_v"
		at=$to at_v=$to_g.$to_v
		[ "$kind" != service.started ] || at= # told before the store has a generation
	done < <(printf '%s' "$json" | "$FAKES/jget" "${paths[@]}")
}

# I1a: no client request failed between two marks (or since one).
expect_no_failures()
{
	local got
	got=$(load_stats "$1" failed)
	[ "$got" = 0 ] || fail "$got requests failed: $(load_stats "$1" failed_gets failed_posts get_kinds post_kinds failed_paths first_bad_after_us last_bad_after_us)"
}

# expect_answered_by SLOT MARK: every request that began and ended since.
expect_answered_by()
{
	local by
	by=$(load_stats "$2" by_begun)
	case $by in
	*,*|'{}') fail "answers begun since $2, by slot: $by, want $1 alone" ;;
	"{\"$1\":"*) ;;
	*) fail "answers begun since $2, by slot: $by, want $1 alone" ;;
	esac
}

# The shield's promise: no GET failed whose answer had not begun.
expect_gets_kept()
{
	local kinds
	kinds=$(load_stats "$1" get_kinds)
	case $kinds in
	'{}') ;;
	'{"cut":'*'}') case $kinds in *,*) fail "GETs failed: $kinds" ;; esac ;;
	*) fail "GETs failed: $kinds $(load_stats "$1" failed_paths first_bad_after_us last_bad_after_us)" ;;
	esac
}

# I4: what the front does is what the record says, within 5 s.
agree()
{
	local active v stamp
	read -r active v <<<"$(status active etag)"
	stamp=$(front_stamp) || return 1
	[ -n "$active" ] && [ "$(map_slot)" = "$active" ] && case $stamp in "$active/$active:$v:"*) true ;; *) false ;; esac
}

expect_agreement()
{
	wait_until 5 agree || fail "record and data plane differ: record $(status active etag), map $(map_value), front $(front_stamp)"
}

expect_nothing_condemned() { expect_status 'condemned.#' 0; }

# ---- the watch over the proxy ----

watch_begin()
{
	: >"$SITE/map.log"
	(
		last=
		while :; do
			v=$(map_value 2>/dev/null)
			[ -n "$v" ] && [ "$v" != "$last" ] && { echo "$v" >>"$SITE/map.log"; last=$v; }
			sleep 0.03
		done
	) 2>/dev/null &
	echo $! >"$SITE/pid/watch"
	disown
}

watch_end() { end_pid TERM "$(pid_of watch)"; rm -f "$SITE/pid/watch"; }

# I2, I7, I17 over all values that the proxy was seen with.
expect_versions_grew()
{
	local said
	said=$(awk -F: '
	function higher(a, b,   x, y) { split(a, x, "."); split(b, y, "."); return x[1] + 0 != y[1] + 0 ? x[1] + 0 > y[1] + 0 : x[2] + 0 > y[2] + 0 }
	$1 != "blue" && $1 != "green" { print "unknown slot: " $0 }
	$2 ~ /^pin\./ { next }
	last != "" && !higher($2, last) && $0 != line { print "went back: " line " -> " $0 }
	{ last = $2; line = $0 }' "$SITE/map.log")
	[ -z "$said" ] || fail "what the proxy was seen with: $said; all: $(paste -sd' ' "$SITE/map.log")"
}

need_proc() { [ -r /proc/self/stat ] || { skip "there is no /proc here: children of a process cannot be found"; }; }

# child_named PID NAME: the pid of a child process by its name.
child_named()
{
	local f stat rest
	for f in /proc/[0-9]*/stat; do
		read -r stat <"$f" || continue
		read -r -a rest <<<"${stat##*) }"
		case $stat in *"($2)"*) ;; *) continue ;; esac
		[ "${rest[1]}" = "$1" ] || continue
		f=${f%/stat}
		echo "${f##*/}"
		return 0
	done 2>/dev/null
	return 1
}

# An external Redis of the scenario's own, on a unix socket, durable; TOP[state] points to it.
redis_start()
{
	mkdir -p "$SITE/redis" "$SITE/log" "$SITE/pid"
	TOP[state]="{ redis: 'unix:$SITE/redis.sock' }"
	setsid "$REDIS_SERVER" --port 0 --unixsocket "$SITE/redis.sock" --dir "$SITE/redis" --appendonly yes --appendfsync always --save '' \
		--daemonize no </dev/null >>"$SITE/log/redis" 2>&1 &
	echo $! >"$SITE/pid/redis"
	disown
	wait_until 10 redis_answers
}
redis_answers() { case $("$FAKES/sockcmd" -t 2 "$SITE/redis.sock" QUIT 2>/dev/null) in +OK*) true ;; *) false ;; esac; }
# redis_cmd COMMAND...: as one would type it; what the Redis of redis_start answers, as it sends it (":0", "+OK", "$5"...), within T seconds.
redis_cmd() { "$FAKES/sockcmd" -t "${T:-5}" "$SITE/redis.sock" "$*"$'\r\nQUIT' 2>/dev/null | tr -d '\r' | sed '$d'; }
redis_kill() { end_pid KILL "$(pid_of redis)"; }

scn_done()
{
	step "the end"
	expect_agreement
	watch_end
	[ -z "$CHECK_VERSIONS" ] || expect_versions_grew
	switchd_stop
	local rc=$?
	[ $rc = 0 ] || fail "switchd ended with $rc"
	end_pid TERM "$(pid_of redis)"
	DONE=1
	exit 0
}
