#!/bin/bash
# SPDX-License-Identifier: MIT
# Somebody else writes the proxy's value: put right and reported; written again within a minute it is a fight, reported and
# left alone until the next record (B5.6), soon after a flip too, where one older value could be a reload's.
. "$(dirname "$0")/lib.sh"
archived() { [ "$(grep -c "\"kind\":\"$1\"" "$SITE"/state/archive/*.jsonl)" = "$2" ]; }
CHECK_VERSIONS=''       # an old value is written on purpose
scn_site 2
load_start
deploy green r42 baked
expect_exit 0

step "an older value, moments after the flip: put right, and the second time reported"
haproxy_cmd "set map $MAP shop blue:1.1:plain" >/dev/null
wait_until 5 eval '[ "$(map_slot)" = green ]' || fail "not put right: $(map_value)"
haproxy_cmd "set map $MAP shop blue:1.1:plain" >/dev/null
wait_until 5 eval '[ "$(map_slot)" = green ]' || fail "not put right: $(map_value)"
expect_agreement
wait_until 5 archived proxy.out_of_sync 1 || fail "not reported once: $(cat "$SITE"/state/archive/*.jsonl)"
expect_status "proxies.0.state" in-sync

step "and a third time: a fight, and the value stays"
haproxy_cmd "set map $MAP shop blue:1.1:plain" >/dev/null
wait_status 5 "proxies.0.state" fight
wait_until 5 archived proxy.fight 1 || fail "not reported once: $(cat "$SITE"/state/archive/*.jsonl)"
load_cmd more 100
expect_eq "the map" "$(map_value)" blue:1.1:plain
run status "$SERVICE"
case $SAID in *"fight  blue:1.1:plain  somebody else writes it"*) ;; *) fail "status does not say it: $SAID" ;; esac

step "the next record ends it"
run rollback "$SERVICE" --yes -m "over"
expect_exit 0
wait_until 5 eval '[ "$(map_value)" = "blue:$(status etag):plain" ]' || fail "map: $(map_value), record $(status etag)"
wait_status 5 "proxies.0.state" in-sync
expect_agreement

step "what is no value of ours is put right as well"
haproxy_cmd "set map $MAP shop nonsense" >/dev/null
wait_until 5 eval '[ "$(map_value)" = "blue:$(status etag):plain" ]' || fail "map: $(map_value), record $(status etag)"
expect_agreement
scn_done
