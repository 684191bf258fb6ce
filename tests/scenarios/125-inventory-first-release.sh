#!/bin/bash
# SPDX-License-Identifier: MIT
# The first release that brings a manifest of its routes is not stopped by the one that serves and has none: that is said.
# A release that has lost the manifest is.
. "$(dirname "$0")/lib.sh"
FEATURES='quotes: { path: /api/quotes, expect: [ status == 200, '\''jsonpath "$.quotes" count >= 1'\'' ] }'
SVC[inventory]='[ { routes: /-/manifest.json, jsonpath: "$.routes[*]" } ]'
scn_site 1
echo '{ "routes": [ "/api/quotes", "/expenses" ] }' >"$SITE/routes.json"

step "blue has no list, green brings one"
FILL="--manifest $SITE/routes.json" deploy green r42 baked
expect_exit 0
expect_eq "outcome" "$(said outcome active)" "baked green"
run inventory shop --last
expect_exit 0
case $SAID in *"no inventory on blue yet: routes /-/manifest.json: answered 404"*) ;; *) fail "it is not said: $SAID" ;; esac
expect_events inventory.compared 1

step "the next release has no list any more: nobody can tell what it lacks"
FILL='' deploy blue r43 baked
expect_exit 10
expect_eq "outcome" "$(said outcome active)" "refused green"
run deploys shop
case $SAID in *"unknown: idle slot: routes /-/manifest.json: answered 404"*) ;; *) fail "the refusal does not say what is missing: $SAID" ;; esac

step "with the list it passes"
FILL="--manifest $SITE/routes.json" deploy blue r44 baked
expect_exit 0
expect_status active blue
scn_done
