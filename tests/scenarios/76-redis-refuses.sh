#!/bin/bash
# SPDX-License-Identifier: MIT
# Redis is there and refuses: out of memory, busy with a script, a replica now, loading its files (R6, R8, R9).  No
# command is acknowledged, each answer has the reason and exit code 16, traffic stays; and it goes on when Redis does.
. "$(dirname "$0")/lib.sh"
SVC[bake]=2s
SVC[offline]=static
redis_start || fail "redis does not start"
scn_site 2
load_start
load_cmd mark begin
deploy green r42 baked; expect_exit 0
# refused WORDS ORDER...: exit 16, one of the words is in the reason, and nothing moved.
refused()
{
	local words=$1
	shift
	run "$@" --json
	[ $RC = 16 ] || return 1
	case $SAID in *'"acknowledged": false'*) ;; *) fail "it does not say that nothing was acknowledged: $SAID" ;; esac
	grep -aqE "$words" <<<"$SAID" || { why=$SAID; return 1; }
}
value=$(map_value)
events_before=$(events)

step "out of memory"
redis_cmd CONFIG SET maxmemory 1 >/dev/null
refused OOM claim shop --release r50 || fail "a claim: exit $RC, $SAID"
refused OOM hold shop -m x || fail "a hold: exit $RC, $SAID"
refused OOM flip shop --to blue -y || fail "a flip: exit $RC, $SAID"
expect_eq "the map" "$(map_value)" "$value"
expect_status "hold claim active" "null null green"
redis_cmd CONFIG SET maxmemory 0 >/dev/null
wait_until 10 eval 'run hold shop -m x; [ $RC = 0 ]' || fail "it does not go on: $RC $SAID"
run resume shop; expect_exit 0

step "busy with somebody's script"
redis_cmd CONFIG SET lua-time-limit 50 >/dev/null
T=30 redis_cmd 'EVAL "while true do end" 0' >/dev/null &
busy=$!
wait_until 10 eval 'case $(redis_cmd PING) in *BUSY*) true ;; *) false ;; esac' || fail "Redis is not busy"
refused 'BUSY|lease|away|not connected|deadline|answer' claim shop --release r50 || fail "a claim: exit $RC, $SAID"
expect_eq "the map" "$(map_value)" "$value"
redis_cmd SCRIPT KILL >/dev/null
wait "$busy"
wait_status 20 "store.up active" "true green"
wait_until 10 eval 'run hold shop -m x; [ $RC = 0 ]' || fail "it does not go on: $RC $SAID"
run resume shop; expect_exit 0

step "a replica now"
redis_cmd REPLICAOF 127.0.0.1 1 >/dev/null
wait_until 15 refused 'READONLY|replica' claim shop --release r50 || fail "a claim: exit $RC, $SAID"
wait_status 15 "store.up" false
case $(status store.why) in *replica*|*READONLY*) ;; *) fail "the reason is not said: $(status store.why)" ;; esac
expect_eq "the map" "$(map_value)" "$value"
redis_cmd REPLICAOF NO ONE >/dev/null
wait_status 20 "store.up active" "true green"
wait_until 10 eval 'run hold shop -m x; [ $RC = 0 ]' || fail "it does not go on: $RC $SAID"
run resume shop; expect_exit 0
expect_agreement

step "loading its files"
for ((i = 0; i < 40; i++)); do redis_cmd "SET aside:$i $(printf '%01000d' 1)" >/dev/null; done
# As an RDB: only that is read in small pieces, between which Redis answers.
redis_cmd CONFIG SET rdbcompression no >/dev/null
redis_cmd BGREWRITEAOF >/dev/null
wait_until 10 eval 'ls "$SITE"/redis/appendonlydir/*.2.base.rdb >/dev/null && case $(redis_cmd INFO persistence) in *aof_rewrite_in_progress:0*) true ;; *) false ;; esac' ||
	fail "the append-only file is not rewritten: $(ls "$SITE/redis/appendonlydir")"
redis_kill
setsid redis-server --port 0 --unixsocket "$SITE/redis.sock" --dir "$SITE/redis" --appendonly yes --appendfsync always --save '' --daemonize no \
	--key-load-delay 100000 --loading-process-events-interval-bytes 1024 </dev/null >>"$SITE/log/redis" 2>&1 &
echo $! >"$SITE/pid/redis"
disown
if wait_until 3 eval 'case $(T=1 redis_cmd PING) in *LOADING*) true ;; *) false ;; esac'; then
	wait_until 10 refused 'LOADING|not connected|away|lease' claim shop --release r50 || fail "a claim: exit $RC, $SAID"
	wait_until 5 eval 'case $(status store.why) in *LOADING*|*oading*) true ;; *) false ;; esac' || fail "the reason is not said: $(status store.why)"
	expect_eq "the slot" "$(map_slot)" green
	end_pid KILL "$(pid_of redis)"
	redis_start || fail "redis does not start"
else
	fail "this Redis does not load slowly: $(redis_cmd PING)"
fi
wait_status 30 "store.up active" "true green"
wait_until 10 eval 'run hold shop -m x; [ $RC = 0 ]' || fail "it does not go on: $RC $SAID"
run resume shop; expect_exit 0
load_cmd more 60
expect_no_failures begin
scn_done
