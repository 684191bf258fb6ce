#!/bin/bash
# SPDX-License-Identifier: MIT
# The disk of the map file is full during a rollback: traffic moves back all the same, the proxy is called
# not durable, and is made durable when there is room again (L8, B5.2).  A forward flip is refused instead.
. "$(dirname "$0")/disk.sh"
disk_maps
SVC[bake]=60s
scn_site 2
load_start
deploy green r42 flipped
expect_exit 0
expect_status "proxies.0.durable" true
load_cmd more 60

step "the disk is full, quotes is lost"
fill_disk || fail "the disk does not fill"
before=$(cat "$SITE/maps/shop.map")
load_cmd mark lost
app green all lose quotes 500
wait_status 20 "active" blue
wait_until 10 eval '[ "$(map_slot)" = blue ]' || fail "traffic did not move back: $(map_value)"
load_cmd mark back
expect_eq "the map file on the full disk" "$(cat "$SITE/maps/shop.map")" "$before"
expect_status "proxies.0.durable" false
load_cmd more 60
expect_no_failures back
expect_gets_kept lost
app green all restore all

step "room again: it is made durable"
rm -f "$SITE/maps/full" "$SITE/maps/more"
wait_status 30 "proxies.0.durable phase" "true steady"
case $(cat "$SITE/maps/shop.map") in *"shop blue:"*) ;; *) fail "the map file: $(cat "$SITE/maps/shop.map")" ;; esac

step "full again: a flip forward is refused or put back, and blue serves"
fill_disk || fail "the disk does not fill"
deploy green r43 flipped
[ $RC != 0 ] || fail "a flip was called done whose map file is not durable"
wait_status 30 "active phase" "blue steady"
rm -f "$SITE/maps/full" "$SITE/maps/more"
wait_status 30 "proxies.0.durable" true
scn_done
