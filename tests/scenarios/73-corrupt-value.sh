#!/bin/bash
# SPDX-License-Identifier: MIT
# Another hand writes into the store: a value that is none, and a record like any other.  Both are refused within a
# second, said in status, metric and event; orders are refused; traffic is served; nothing is written over until a
# person says `state repair`, or the value is as it was again.
. "$(dirname "$0")/lib.sh"
SVC[bake]=2s
redis_start || fail "redis does not start"
scn_site 2
load_start
load_cmd mark begin
deploy green r42 baked; expect_exit 0
field() { redis_cmd "HGET switchd:{0}:s:shop $1" | sed -n 2p; }
metric() { "$FAKES/ask" "http://$HTTP/metrics" | sed -n 's/^switchd_store_corrupt{service="shop"} //p'; }
refused() { [ -n "$(status store.bad)" ] && [ "$(status store.bad)" != '""' ]; }
good() { [ -z "$(status store.bad)" ]; }
value=$(map_value)
expect_eq "the metric" "$(metric)" 0

step "a slot that is none: refused, served, said"
expect_eq "HSET" "$(redis_cmd 'HSET switchd:{0}:s:shop active purple')" :0
wait_until 2 refused || fail "not noticed: $(status store)"
expect_status "active loaded armed" "green true false"
expect_eq "the metric" "$(metric)" 1
expect_eq "readyz" "$("$FAKES/ask" -s "http://$HTTP/readyz")" 503
expect_eq "who is active, for load balancers" "$("$FAKES/ask" "http://$HTTP/active/shop")" green
run status shop; expect_exit 0
case $SAID in *"REFUSED"*"switchctl state repair shop"*) ;; *) fail "status does not say it: $SAID" ;; esac
run status -o nagios; expect_exit 2
for order in "flip shop --to blue -y" "rollback shop -y" "hold shop -m x" "claim shop --release r50"; do
	# shellcheck disable=SC2086
	run $order; expect_exit 16
	grep -q "state repair" "$SITE/ctl.err" || fail "$order: the reason is not said: $(cat "$SITE/ctl.err")"
done
expect_eq "what stands" "$(field active)" purple
wait_until 5 eval 'grep -q "\"kind\":\"store.corrupt\"" "$STATE"/archive/*.jsonl' || fail "no event in the archive"
expect_eq "the map" "$(map_value)" "$value"

load_cmd more 60
load_cmd mark before

step "HAProxy restarts meanwhile: it gets the last good value"
haproxy_kill; haproxy_start || fail "haproxy does not start"
wait_until 10 eval '[ "$(map_value)" = "$value" ]' || fail "the map: $(map_value)"
wait_until 10 front_answers || fail "the front does not answer"
load_cmd more 60
load_cmd mark after

step "switchd restarts: its journal knows"
switchd_stop || fail "switchd ended with $?"
switchd_start
wait_until 15 refused || fail "not noticed at the start: $(status store loaded)"
expect_status "active loaded" "green true"
expect_eq "the map" "$(map_value)" "$value"
expect_eq "what stands" "$(field active)" purple

step "repair: looked at, then done"
run state repair shop --dry-run; expect_exit 0
case $SAID in *"would be written"*) ;; *) fail "$SAID" ;; esac
expect_eq "what stands" "$(field active)" purple
run state repair shop -y; expect_exit 2
run state repair shop -y -m "INC-7"; expect_exit 0
wait_until 5 good || fail "still refused: $(status store)"
expect_eq "what stands" "$(field active)" green
expect_eq "the metric" "$(metric)" 0
expect_agreement
run state repair shop -y -m "INC-7"; expect_exit 10
expect_events store.repaired 1
run timeline shop --json
case $SAID in *'INC-7; refused was:'*) ;; *) fail "the event has no reason: $SAID" ;; esac
run hold shop -m "and it is written again"; expect_exit 0
run resume shop; expect_exit 0

step "a record of another hand, whole and higher: refused as well"
doc=$(field doc)
rev=$(field rev)
forged=$(printf '%s' "$doc" | sed "s/\"rev\":$rev,/\"rev\":$((rev + 1)),/; s/\"cid\":\"[^\"]*\"/\"cid\":\"forged-1\"/")
[ "$forged" != "$doc" ] || fail "the document is not as this test knows it: $doc"
redis_cmd "HSET switchd:{0}:s:shop rev $((rev + 1)) cid forged-1 doc '${forged//\'/}'" >/dev/null
wait_until 2 refused || fail "not noticed: $(status store)"
expect_eq "what stands" "$(field cid)" forged-1
run hold shop -m x; expect_exit 16
wait_until 5 eval 'grep -q "\"kind\":\"store.foreign\"" "$STATE"/archive/*.jsonl' || fail "no event in the archive"

step "it is as it was again: healed by itself"
redis_cmd "HSET switchd:{0}:s:shop rev $rev cid $(printf '%s' "$doc" | sed 's/.*"cid":"\([^"]*\)".*/\1/') doc '${doc//\'/}'" >/dev/null
wait_until 3 good || fail "still refused: $(status store)"
run hold shop -m x; expect_exit 0
run resume shop; expect_exit 0

step "a key of another type"
redis_cmd 'SADD switchd:{0}:other x' >/dev/null
redis_cmd 'RENAME switchd:{0}:other switchd:{0}:a:shop' >/dev/null # in one step: what is gone is restored
wait_until 2 refused || fail "not noticed: $(status store)"
run state repair shop -y -m "INC-8"; expect_exit 0
wait_until 5 good || fail "still refused: $(status store)"

step "a record that is gone is restored"
redis_cmd 'DEL switchd:{0}:s:shop' >/dev/null
wait_until 10 eval '[ "$(field active)" = green ]' || fail "not restored: $(status store loaded)"
wait_status 10 "store.up active loaded" "true green true"
step "the public record alone is gone: restored as well, nothing refused"
redis_cmd 'DEL switchd:{0}:a:shop' >/dev/null
wait_until 5 eval '[ "$(redis_cmd "EXISTS switchd:{0}:a:shop")" = :1 ]' || fail "not restored: $(status store)"
wait_status 10 "store.up active loaded" "true green true"
good || fail "refused: $(status store)"
wait_status 20 slots.blue.whole true
run flip shop --to blue -y; expect_exit 0
expect_agreement
load_cmd more 60
expect_no_failures begin,before
expect_no_failures after
scn_done
