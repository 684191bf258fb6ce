#!/bin/bash
# SPDX-License-Identifier: MIT
# Redis answers and takes no writes, for want of memory or because a script hangs (R6, R8): the active slot loses a feature,
# and is flipped back all the same; a person's rollback goes as well.  Without memory they are recorded, since Redis
# writes what says that it may; with a script that hangs they are when Redis takes writes again (offline: rollback).
# seconds: 120
. "$(dirname "$0")/lib.sh"
SVC[bake]=120s
redis_start || fail "redis does not start"
scn_site 2
load_start
deploy green r42 flipped
expect_exit 0
load_cmd more 60

step "out of memory, then quotes"
redis_cmd CONFIG SET maxmemory 1 >/dev/null
load_cmd mark lost
app green all lose quotes 500
wait_until 15 eval '[ "$(map_slot)" = blue ]' || fail "not flipped back: $(map_value) $(status armed armed_why store)"
load_cmd mark back
load_cmd more 60
expect_gets_kept lost
expect_no_failures back
wait_status 10 "active phase store.pending store.state" "blue steady false leading"
case $(status condemned) in *'"r42"'*) ;; *) fail "r42 is not condemned: $(status condemned)" ;; esac
expect_events rollback.decided 1
app green all restore all

step "nothing goes forward meanwhile"
run flip shop --to green -y -m "no" --force
[ $RC = 16 ] || fail "a flip: exit $RC, $SAID"
expect_eq "the slot" "$(map_slot)" blue

run claim shop --slot green --release r50
[ $RC = 16 ] || fail "a claim: exit $RC, $SAID"
case $(cat "$SITE/ctl.err") in *OOM*) ;; *) fail "the reason is not said: $(cat "$SITE/ctl.err")" ;; esac

step "memory again"
redis_cmd CONFIG SET maxmemory 0 >/dev/null
expect_agreement

step "a person's rollback without memory"
deploy green r43 flipped
expect_exit 0
redis_cmd CONFIG SET maxmemory 1 >/dev/null
run rollback shop -y -m "by hand"
expect_exit 0
wait_until 5 eval '[ "$(map_slot)" = blue ]' || fail "not flipped back: $(map_value)"
wait_status 10 "active phase store.pending" "blue steady false"
redis_cmd CONFIG SET maxmemory 0 >/dev/null
expect_agreement

step "busy with a script that hangs, then quotes"
deploy green r44 flipped
expect_exit 0
redis_cmd CONFIG SET lua-time-limit 50 >/dev/null
"$FAKES/sockcmd" -t 60 "$SITE/redis.sock" 'EVAL "while true do end" 0'$'\r\nQUIT' >/dev/null 2>&1 &
busy=$!
wait_until 10 eval 'case $(redis_cmd PING) in *BUSY*) true ;; *) false ;; esac' || fail "Redis is not busy"
app green all lose quotes 500
wait_until 20 eval '[ "$(map_slot)" = blue ]' || fail "not flipped back: $(map_value) $(status armed armed_why store)"
redis_cmd SCRIPT KILL >/dev/null
wait "$busy"
wait_status 20 "store.up store.pending active phase" "true false blue steady"
expect_events rollback.decided 3
app green all restore all

step "and a person's rollback while it hangs"
deploy green r45 flipped
expect_exit 0
"$FAKES/sockcmd" -t 60 "$SITE/redis.sock" 'EVAL "while true do end" 0'$'\r\nQUIT' >/dev/null 2>&1 &
busy=$!
wait_until 10 eval 'case $(redis_cmd PING) in *BUSY*) true ;; *) false ;; esac' || fail "Redis is not busy"
run rollback shop -y -m "by hand"
[ $RC = 13 ] || fail "a rollback: exit $RC, $SAID $(cat "$SITE/ctl.err")"
wait_until 5 eval '[ "$(map_slot)" = blue ]' || fail "not flipped back: $(map_value)"
redis_cmd SCRIPT KILL >/dev/null
wait "$busy"
wait_status 20 "store.up store.pending active phase" "true false blue steady"
expect_events rollback.decided 4
load_cmd mark back
expect_agreement
load_cmd more 60
expect_no_failures back
scn_done
