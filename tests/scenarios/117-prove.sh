#!/bin/bash
# SPDX-License-Identifier: MIT
# A front end whose routes all answer 200 with index.html cannot pass with a status check: `--prove` shows it
# before anything is deployed, with the daemon and without, and the deploy is refused; the same feature with an
# assertion about its own content is proven, and passes on an application that has it.
. "$(dirname "$0")/lib.sh"
FEATURES='front: { path: /home, expect: [ status == 200 ] }
quotes: { path: /api/quotes, expect: [ status == 200, '\''jsonpath "$.quotes" count >= 1'\'' ] }
customers: /api/customers'
FILL=--catchall
scn_site 1
proof() { said "features.0.$1" "features.1.$1" "features.2.$1"; }

step "the daemon: front is fooled by three stubs, quotes by none"
wait_until 10 eval 'case $(status features.2.baseline) in *no*baseline*|"") false ;; esac' || fail "no baseline: $(status features)"
run probe shop --prove --json; expect_exit 10
expect_eq "ok failed" "$(said ok failed)" "false $(said failed)"
expect_eq "proof of front and quotes" "$(said features.0.proof features.1.proof)" "vacuous proven"
expect_eq "front and the index page" "$(said features.0.stubs.index.mark features.0.stubs.404.mark)" "fooled noticed"
run probe shop --prove; expect_exit 10
case $SAID in *"front"*"NOT PROVEN"*"index page for every path"*) ;; *) fail "the table: $SAID" ;; esac
case $SAID in *"-ERR"*|*"gRPC"*) fail "stubs of kinds that this service does not have: $SAID" ;; esac
grep -q "would not be missed" "$SITE/log/ctl" || fail "no word about it: $(tail -n 30 "$SITE/log/ctl")"
expect_status "active phase" "blue steady"

step "without a daemon, from the file alone"
run config check "$CONFIG" --prove --json; expect_exit 10
expect_eq "proof" "$(said prove.0.features.0.proof prove.0.features.1.proof)" "vacuous proven"
run --config "$CONFIG" probe shop --prove; expect_exit 10
run probe shop --prove --slot blue; expect_exit 2
run config show --prove; expect_exit 2

step "the deploy is refused, naming it; status says what is known of it"
deploy green r42 baked; expect_exit 10
expect_eq "outcome" "$(said outcome active)" "refused blue"
case $(said reason) in *front*|*customers*) ;; *) fail "the reason does not name the feature: $(said reason)" ;; esac
expect_status "features.0.proof" vacuous

step "an assertion about its content: proven, and an application that has it passes"
FEATURES='front: { path: /expenses, expect: [ status == 200, '\''body contains "Total"'\'' ] }
quotes: { path: /api/quotes, expect: [ status == 200, '\''jsonpath "$.quotes" count >= 1'\'' ] }'
site_config
kill -HUP "$(pid_of switchd)"
wait_until 10 eval '[ "$(status "features.#")" = 2 ]' || fail "the reload: $(status features)"
run config check "$CONFIG" --prove; expect_exit 0
run probe shop --prove --json; expect_exit 0
expect_eq "proof" "$(said ok features.0.proof features.1.proof)" "true proven proven"
FILL=
deploy green r43 baked; expect_exit 0
expect_status "active features.0.proof features.1.proof" "green proven proven"
expect_eq "named as unproven" "$(said 'unproven.#')" 0
scn_done
