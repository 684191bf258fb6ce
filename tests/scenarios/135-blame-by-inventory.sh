#!/bin/bash
# SPDX-License-Identifier: MIT
# A feature that is added to the config later is answered for from the inventories that were taken when releases were
# deployed: also when no slot holds those releases any more, and after a restart.
. "$(dirname "$0")/lib.sh"
SVC[inventory]='[ { sitemap: /sitemap.xml } ]'
SVC[bake]=1s
FEATURES='home: /
quotes: { path: /api/quotes, expect: [ status == 200, '\''jsonpath "$.quotes" count >= 1'\'' ] }'
scn_site 1
BROKEN="--features home,quotes,invoices,customers,reports"
inventoried() # RELEASE
{
	SAID=$("$FAKES/ask" -u "$SITE/switchd.sock" /v1/services/shop/ledger)
	local n i
	n=$(said 'releases.#')
	for ((i = 0; i < n; i++)); do
		[ "$(said "releases.$i.release")" = "$1" ] && [ "$(said "releases.$i.inventory.routes.#")" -ge 4 ] && return 0
	done
	return 1
}

step "r42 has the page; r43 is let live without it, and r44 lacks it too: nobody probes it"
deploy green r42 baked
expect_exit 0
inventoried r42 || fail "no inventory of r42 in the ledger: $SAID"
FILL=$BROKEN deploy blue r43 baked --skip-gate inventory -m "the sitemap is known to be wrong"
expect_exit 0
inventoried r43 || fail "no inventory of r43 in the ledger: $SAID"
FILL=$BROKEN deploy green r44 baked
expect_exit 0
inventoried r44 || fail "no inventory of r44 in the ledger: $SAID"

step "the probe is added: absent on both, and blame names r43 by the inventories"
FEATURES="$FEATURES
expenses: { path: /expenses, expect: [ status == 200, 'body contains \"Total\"' ] }"
site_config
kill -HUP "$(pid_of switchd)"
wait_until 20 eval '[ "$(status features.2.slots.blue.verdict features.2.slots.green.verdict)" = "absent absent" ]' ||
	fail "expenses: $(status features.2.slots.blue.verdict features.2.slots.green.verdict)"
blamed()
{
	SAID=$(ctl blame shop/expenses --json 2>/dev/null) || true
	[ "$(said answer good.release good.source good.inventory.path good.inventory.status bad.release)" = "found r42 inventory /expenses 200 r43" ]
}
wait_until 10 blamed || fail "blame: $SAID"
[ "$(said good.held)" = false ] || fail "r42 is in no slot: $SAID"
expect_eq "no good copy" "$(said copies.#)" 0
[ "$(said no_record_before)" -gt "$(said bad.arrived)" ] || fail "no record before: $SAID"

step "in words, and after a restart"
switchd_stop || fail "switchd ended with $?"
switchd_start
wait_until 20 switchd_ready green || fail "switchd does not come back"
wait_until 10 blamed || fail "blame after a restart: $SAID"
run blame shop/expenses
case $SAID in *"r42 had it, r43 had not"*"had /expenses 200"*"no record of it before"*) ;; *) fail "in words: $SAID" ;; esac
scn_done
