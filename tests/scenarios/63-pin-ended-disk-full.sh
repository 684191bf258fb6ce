#!/bin/bash
# SPDX-License-Identifier: MIT
# A pin by hand is ended while the disk of the map file is full: the file still holds it.  That is no reason to refuse what
# comes next, nor for a switchd that starts afresh and finds it there; a new pin is one (L8, B5.6).
. "$(dirname "$0")/disk.sh"
disk_maps
SVC[bake]=1s
scn_site 2
load_start
deploy green r42 baked
expect_exit 0

step "a pin, a full disk, and a person's resume"
run --config "$CONFIG" --direct proxy pin shop blue
expect_exit 0
wait_status 15 "pin.slot active" "blue blue"
fill_disk || fail "the disk does not fill"
run resume shop
expect_exit 0
wait_until 10 eval '[ "$(map_value)" = "blue:$(status etag):plain" ]' || fail "the map: $(map_value), record $(status etag)"
case $(cat "$SITE/maps/shop.map") in *"shop blue:pin."*) ;; *) fail "the file does not hold the pin: $(cat "$SITE/maps/shop.map")" ;; esac

step "a rollback while the file still holds it"
run rollback shop --force -y -m INC-9
expect_exit 0
wait_until 10 eval '[ "$(map_slot)" = green ]' || fail "traffic did not move: $(map_value)"
wait_status 20 "active phase" "green steady"
expect_status "proxies.0.durable pin" "false null"

step "killed and started again: the file is as it was, and nobody remembers"
switchd_kill
switchd_start
wait_until 20 switchd_ready green || fail "switchd is not ready: $(status)"
case $(cat "$SITE/maps/shop.map") in *"shop blue:pin."*) ;; *) fail "the file does not hold the pin: $(cat "$SITE/maps/shop.map")" ;; esac
run rollback shop --force -y -m INC-10
expect_exit 0
wait_until 15 eval '[ "$(map_slot)" = blue ]' || fail "traffic did not move: $(map_value), $(status proxies.0)"
wait_status 20 "active phase pin" "blue steady null"
run rollback shop --force -y -m INC-11
expect_exit 0
wait_until 10 eval '[ "$(map_slot)" = green ]' || fail "traffic did not move: $(map_value)"
wait_status 20 "active phase" "green steady"

step "room again"
rm -f "$SITE/maps/full" "$SITE/maps/more"
wait_status 30 "proxies.0.durable proxies.0.state" "true in-sync"
case $(cat "$SITE/maps/shop.map") in *"shop green:"*) ;; *) fail "the map file: $(cat "$SITE/maps/shop.map")" ;; esac

step "a new pin stands all the same"
run --config "$CONFIG" --direct proxy pin shop blue
expect_exit 0
wait_status 15 "pin.slot active" "blue blue"
case $(map_value) in blue:pin.*) ;; *) fail "it was overwritten: $(map_value)" ;; esac
run resume shop
expect_exit 0
wait_status 15 "pin proxies.0.durable" "null true"
scn_done
