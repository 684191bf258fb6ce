#!/bin/bash
# SPDX-License-Identifier: MIT
# A page that the manifest declares removed is not missed; the one that it forgot is.
. "$(dirname "$0")/lib.sh"
FEATURES='home: /
quotes: { path: /api/quotes, expect: [ status == 200, '\''jsonpath "$.quotes" count >= 1'\'' ] }'
SVC[inventory]='[ { sitemap: /sitemap.xml }, { links: / } ]'
scn_site 2

# announce RELEASE REMOVES: with a manifest, as CI would; waits for the end.
announce()
{
	local id
	id=$("$FAKES/ask" -u "$SITE/switchd.sock" -X POST -H 'Content-Type: application/json' \
		-d "{\"release\":\"$1\",\"slot\":\"green\",\"manifest\":{\"removes\":$2}}" /v1/services/shop/deploys | "$FAKES/jget" deploy)
	[ -n "$id" ] || fail "no deploy of $1"
	OUTCOME=$("$FAKES/ask" -t 60 -u "$SITE/switchd.sock" "/v1/services/shop/deploys/$id?wait=40s&for=baked" | "$FAKES/jget" outcome)
}

step "one of the two pages that are gone is declared"
slot_start green r42 --features home,quotes,expenses,customers
announce r42 '["/api/reports"]'
expect_eq "outcome" "$OUTCOME" refused
run deploys shop
case $SAID in *"inventory: lost /api/invoices"*) ;; *) fail "the refusal does not name the page: $SAID" ;; esac
expect_status active blue

step "both are: it passes"
announce r42 '["/api/reports", "/api/inv*"]'
for _ in 1 2 3 4 5; do
	[ "$OUTCOME" = running ] || break
	OUTCOME=$(status deploy.outcome)
done
wait_status 30 "active slots.green.state" "green good"
expect_events inventory.compared 2
run timeline shop
case $SAID in *"2 removed as declared"*) ;; *) fail "the timeline does not tell what was removed: $SAID" ;; esac
scn_done
