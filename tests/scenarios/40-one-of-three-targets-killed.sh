#!/bin/bash
# SPDX-License-Identifier: MIT
# One of three targets killed -9 is the load balancer's business: no flip, nothing condemned, whether
# the service is steady or baking (B1.1).
. "$(dirname "$0")/lib.sh"
SVC[bake]=6s
scn_site 3
load_start

step "steady: a target of the active slot dies"
before=$(status active version.gen version.epoch)
target_end blue 2
wait_status 20 "slots.blue.out slots.blue.in" "1 2"
load_cmd mark dead
load_cmd more 200
expect_status "active version.gen version.epoch phase" "$before steady"
expect_eq "the front" "$(map_slot)" blue
target_start blue 2 r41
wait_status 20 "slots.blue.in" 3
expect_no_failures dead

step "baking: a target of the new slot dies, and the bake goes on to its end"
deploy green r42 flipped
expect_exit 0
target_end green 3
wait_status 20 "slots.green.out" 1
load_cmd mark dead2
expect_status "active phase" "green baking"
wait_status 40 "phase active release" "steady green r42"
expect_nothing_condemned
expect_events rollback.decided 0
expect_no_failures dead2

step "of the idle slot: nothing moves, and it stays a rollback target"
before=$(status active version.gen version.epoch)
target_end blue 1
wait_status 40 "slots.blue.out" 1
expect_status "active version.gen version.epoch" "$before"
target_start green 3 r42
wait_status 20 "slots.green.in" 3
scn_done
