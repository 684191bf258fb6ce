#!/bin/bash
# SPDX-License-Identifier: MIT
# The disk of Redis is full (R5): with everysec it says MISCONF, no command is acknowledged (exit 16, with the reason),
# traffic stays, but for a rollback, which goes as if Redis were away; with room again it goes on, and what was acknowledged
# before is there.
. "$(dirname "$0")/disk.sh"
disk_small redis 1m
SVC[bake]=2s
redis_start || fail "redis does not start"
redis_cmd CONFIG SET appendfsync everysec >/dev/null
scn_site 2
load_start
load_cmd mark begin
deploy green r42 baked; expect_exit 0
run hold shop -m "before"; expect_exit 0
value=$(map_value)

step "the disk is full"
cat /dev/zero >"$SITE/redis/full" 2>/dev/null
wait_until 15 eval 'run claim shop --release r50 --json; case $SAID in *held*) redis_cmd "SET aside $(printf "%04000d" 1)" >/dev/null ;; esac; case $(redis_cmd SET aside 1) in *MISCONF*) true ;; *) false ;; esac' ||
	fail "Redis does not mind: $(redis_cmd SET aside 1)"
run resume shop --json
[ $RC = 16 ] || fail "a resume on a full disk: exit $RC, $SAID"
case $SAID in *MISCONF*) ;; *) fail "the reason is not said: $SAID" ;; esac
case $SAID in *'"acknowledged": false'*) ;; *) fail "it does not say that nothing was acknowledged: $SAID" ;; esac
expect_status "hold.why active" "before green"
expect_eq "the map" "$(map_value)" "$value"
run doctor --json; expect_exit 10
case $SAID in *aof_last_write_status*) ;; *) fail "the doctor does not say it: $SAID" ;; esac

step "the lease runs out: it counts as away, and a person's rollback goes"
wait_until 20 eval 'case $(status store.state store.why) in away*MISCONF*) true ;; *) false ;; esac' || fail "the reason is not said: $(status store)"
run rollback shop -y -m "by hand" --json
[ $RC = 13 ] || fail "a rollback on a full disk: exit $RC, $SAID"
wait_until 5 eval '[ "$(map_slot)" = blue ]' || fail "not flipped back: $(map_value)"

step "room again"
rm -f "$SITE/redis/full"
wait_until 20 eval 'run resume shop; [ $RC = 0 ]' || fail "it does not go on: $RC $(status store)"
wait_status 20 "store.up store.pending hold active" "true false null blue"
expect_events rollback.decided 1
expect_events hold.set 1
expect_events hold.cleared 1
expect_agreement

step "Redis restarts: what was acknowledged is there"
redis_kill
redis_start || fail "redis does not start"
wait_status 20 "store.up active hold" "true blue null"
load_cmd more 60
expect_no_failures begin
scn_done
