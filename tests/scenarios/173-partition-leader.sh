#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 240
# The leader is cut off from Redis and still reaches everything else.  The other controller takes over; the old leader
# acts no more, whatever it sees; healed, it follows.  Then its successor's link goes down, and it leads again; and
# one direction alone is lost in the middle of an order (R15, I13).
. "$(dirname "$0")/net.sh"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fleet.sh"
SVC[bake]=120s SVC[idle_interval]=500ms SVC[flip_budget]='{ max: 100, per: 24h }'
TOP[lease_ttl]=2s
net_hosts 6
at_host AT_SWITCHD2 6
scn_site 2
controller_config 2
controller_start 2
wait_control 20 2 following
wait_control 5 1 leading
load_start
load_cmd mark begin
deploy green r42 flipped
expect_exit 0
load_cmd more 20
expect_no_failures begin

step "the leader is cut off from Redis"
partition 1 2
wait_control 20 2 leading
wait_control 10 1 away
on 2 wait_status 20 "armed active" "true green"
expect_status armed false

step "both see a feature go: one of them acts"
load_cmd mark lost
app green all lose quotes 500
on 2 wait_status 20 "active phase" "blue steady"
load_cmd mark back
load_cmd more 400
expect_eq "the map" "$(map_slot)" blue
on 2 expect_agreement
on 2 expect_events rollback.decided 1
expect_gets_kept lost
expect_no_failures back
app green all restore all

step "healed: the old leader follows, and its record is the new one"
heal 1 2
wait_control 20 1 following
wait_until 10 eval '[ "$(status active store.pending)" = "blue false" ]' || fail "it does not follow: $(status active store.pending)"
on 2 expect_events rollback.decided 1

step "the link of the one that leads now goes down"
link_down 6
wait_control 20 1 leading
wait_status 30 "slots.blue.whole slots.green.whole" "true true"
load_cmd more 40
expect_no_failures back
expect_agreement

step "an order whose answer from Redis is lost: once, or not at all"
link_up 6
wait_control 20 2 following
on 2 wait_until 20 status_is "loaded" true
before=$(count_events flip.decided)
partition_from 2 1
run flip shop --to green --force -y -m "the answer will be lost" --timeout 3s
[ $RC != 0 ] || fail "acknowledged, though Redis cannot have answered"
wait_control 20 2 leading
heal 1 2
wait_control 20 1 following
on 2 wait_until 30 status_is phase steady || on 2 wait_status 10 phase baking
flips=$(($(on 2 count_events flip.decided) - before))
case "$(on 2 status active) $flips" in 'green 1'|'blue 0') ;; *) fail "$(on 2 status active) serves, and $flips flips are in the audit" ;; esac
on 2 expect_agreement
load_cmd more 40
expect_no_failures back

step "and back"
controller_stop 2 || fail "controller 2 ended with $?"
wait_control 20 1 leading
wait_status 20 loaded true
scn_done
