#!/bin/bash
# SPDX-License-Identifier: MIT
# Old against new: a list that is full on the old slot and empty on the new one is 200, JSON, and has every key:
# `compare: true` refuses it at deploy, and takes it back while it bakes. What is broken on both is no reason to
# keep a repair out.
. "$(dirname "$0")/lib.sh"
FEATURES='quotes: { path: /api/quotes, expect: [ status == 200, '\''header "Content-Type" contains "json"'\'' ], compare: true, idle_interval: 300ms }
customers: { path: /api/customers, expect: [ status == 200 ] }'
SVC[bake]=10m
scn_site 2

step "the list is empty on the new slot: refused, with what differs"
FILL='--lose quotes=empty'
deploy green r42 baked; expect_exit 10
expect_eq "outcome" "$(said outcome active lost.0)" "refused blue quotes"
run evidence shop/quotes --json
expect_eq "want and got" "$(said green.absent.outcome green.absent.want green.absent.got)" 'shape as the old slot: $.quotes[] 2 rows 0 rows'
expect_status "active phase features.1.compare" "blue steady null"

step "a whole release passes, and is compared while it bakes"
FILL=''
deploy green r43 flipped; expect_exit 0
expect_status "active features.0.compare.state features.0.compare.slot" "green same green"

step "it loses its rows while it bakes: back to the old slot"
app green all lose quotes empty
wait_status 20 "active phase" "blue steady"
expect_events rollback.decided 1
run why shop --json
case $SAID in *'$.quotes[] 2 rows'*) ;; *) fail "why does not say what differed: $SAID" ;; esac
wait_status 10 "features.0.compare.state" resting

step "empty on both: nothing is lost, and the release may pass"
app blue all lose quotes empty
FILL='--lose quotes=empty'
deploy green r44 flipped; expect_exit 0
expect_status "active" green
app green all restore all
run rollback shop -y -m enough; expect_exit 0
wait_status 15 "active phase" "blue steady"

step "the old slot does not have the feature: the repair is not kept out"
app blue all lose quotes 500
FILL=''
deploy green r45 flipped; expect_exit 0
expect_status "active features.0.compare.state" "green not-compared"
scn_done
