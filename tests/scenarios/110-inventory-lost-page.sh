#!/bin/bash
# SPDX-License-Identifier: MIT
# A page that nobody probes is in the old slot's sitemap and not in the new one's: the deploy is refused, naming it,
# and so is one whose page answers with another thing.
. "$(dirname "$0")/lib.sh"
FEATURES='home: /
quotes: { path: /api/quotes, expect: [ status == 200, '\''jsonpath "$.quotes" count >= 1'\'' ] }'
SVC[inventory]='[ { sitemap: /sitemap.xml } ]'
scn_site 2
load_start
load_cmd mark begin

step "r42 is whole by its features, and its sitemap lacks a page"
FILL="--features home,quotes,expenses,invoices,customers" deploy green r42 baked
expect_exit 10
expect_eq "outcome" "$(said outcome active)" "refused blue"
run deploys shop
case $SAID in *"inventory: lost /api/reports"*) ;; *) fail "the refusal does not name the page: $SAID" ;; esac
expect_status "active phase" "blue steady"
expect_events inventory.compared 1
expect_events flip.decided 0

step "switchctl inventory says the same, and what nobody probes"
run inventory shop --json
expect_exit 10
expect_eq "counts" "$(said counts.lost counts.present counts.gained known)" "1 5 0 true"
expect_eq "the first row" "$(said routes.0.path routes.0.fate routes.0.probed routes.0.active.status)" "/api/reports lost false 200"
expect_eq "coverage" "$(said probed active_routes coverage_percent)" "2 6 33"
run inventory shop
expect_exit 10
case $SAID in *"coverage: 2 of 6 routes have a probe (33 %)"*) ;; *) fail "no coverage: $SAID" ;; esac
case $SAID in *"no probe asks for:"*"/expenses"*) ;; *) fail "no list of routes without a probe: $SAID" ;; esac

step "with the page back, the same release passes"
slot_start green r42
run deploy shop --slot green --release r42 --timeout 40s --json
expect_exit 0
expect_status "active release" "green r42"

step "a page that is listed and answers with another thing is lost as well"
slot_start blue r43 --features home,quotes,expenses,invoices,customers
app blue all lose customers 500
run deploy shop --slot blue --release r43 --timeout 40s --json
expect_exit 10
run deploys shop
case $SAID in *"inventory: lost /api/customers"*) ;; *) fail "the refusal does not name the page: $SAID" ;; esac

load_cmd more 50
expect_no_failures begin
scn_done
