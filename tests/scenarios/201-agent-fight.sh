#!/bin/bash
# SPDX-License-Identifier: MIT
# Somebody else writes the value of a proxy that an agent drives: put right, then a fight, told in its report and in the
# controller's status, an event and a call for a human there, and over with the next record (B5.6).
# seconds: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/agent.sh"
agent_site 1
CHECK_VERSIONS=''
agent_driven

step "twice an older value: put right"
for _ in 1 2; do
	haproxy_cmd set map "$MAP" shop blue:1.1:plain >/dev/null
	wait_until 5 eval '[ "$(map_value)" = "green:$(status etag):plain" ]' || fail "map: $(map_value), record $(status etag)"
done

step "a third time: a fight"
haproxy_cmd set map "$MAP" shop blue:1.1:plain >/dev/null
wait_report 10 "state proxies.0.value" "fight blue:1.1:plain"
map_stays blue:1.1:plain
wait_until 5 eval 'run status "$SERVICE"; case $SAID in *lb1*fight*) true ;; *) false ;; esac' || fail "status does not say it: $SAID"
told() { cat "$STATE"/archive/*.jsonl | grep '"kind":"proxy.fight"'; }
wait_until 5 eval '[ "$(told | wc -l)" = 1 ]' || fail "not told once: $(told)"
case $(told) in *'lb1: blue:1.1:plain'*) ;; *) fail "it says: $(told)" ;; esac
grep -q 'human-needed service=shop because="somebody else writes' "$SITE/log/switchd" || fail "nobody is called"

step "the next record ends it"
run rollback "$SERVICE" --yes -m "over"
expect_exit 0
wait_until 10 eval '[ "$(map_value)" = "blue:$(status etag):plain" ]' || fail "map: $(map_value), record $(status etag)"
wait_report 10 state ok
expect_agreement
agent_done
