#!/bin/bash
# SPDX-License-Identifier: MIT
# A pin by hand goes past daemon and store: with switchd dead traffic moves; switchd never overwrites it,
# the record follows at a higher epoch, and resume ends it (B5.6).
. "$(dirname "$0")/lib.sh"
scn_site 2
load_start
load_cmd mark begin
deploy green r42 baked
expect_exit 0
epoch=$(status version.epoch)

step "switchd alive, pinned to blue"
run --config "$CONFIG" --direct proxy pin shop blue
expect_exit 0
case $(map_value) in blue:pin.*:plain) ;; *) fail "the map: $(map_value)" ;; esac
wait_status 15 "pin.slot active" "blue blue"
[ "$(status version.epoch)" -gt "$epoch" ] || fail "the epoch did not grow"
load_cmd more 200
case $(map_value) in blue:pin.*:plain) ;; *) fail "the pin was overwritten: $(map_value)" ;; esac

step "pinned is held: a deploy is refused"
run claim shop --release r50
expect_exit 14

step "switchd dead, pinned to green, switchd back: it follows"
switchd_kill
run --config "$CONFIG" --direct proxy pin shop green
expect_exit 0
expect_eq "the map" "$(map_slot)" green
run --config "$CONFIG" active shop
case $SAID in blue*|green*) ;; *) fail "active without a daemon: $SAID" ;; esac
switchd_start
wait_status 20 "pin.slot active" "green green"

step "resume ends it"
run resume shop
expect_exit 0
wait_status 15 "pin active" "null green"
expect_agreement
load_cmd more 60
expect_no_failures begin
expect_nothing_condemned
scn_done
