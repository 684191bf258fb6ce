#!/bin/bash
# SPDX-License-Identifier: MIT
# What load balancers ask, and the metrics: 200, 503 and 404 as documented; promtool finds nothing.
. "$(dirname "$0")/lib.sh"
scn_site 2
s() { "$FAKES/ask" -s "http://$HTTP$1"; }
step "who is active"
expect_eq "/active/shop" "$("$FAKES/ask" "http://$HTTP/active/shop")" blue
expect_eq "/active" "$("$FAKES/ask" "http://$HTTP/active")" blue
expect_eq "/slot/shop/blue" "$(s /slot/shop/blue)" 200
expect_eq "/slot/shop/green" "$(s /slot/shop/green)" 503
expect_eq "/slot/shop/purple" "$(s /slot/shop/purple)" 404
expect_eq "/slot/sho/blue" "$(s /slot/sho/blue)" 404
expect_eq "/active/sho" "$(s /active/sho)" 404
expect_eq "/livez" "$(s /livez)" 200
expect_eq "/readyz" "$(s /readyz)" 200
# Nothing is moved there: no such route, and no bodies at all.
case $("$FAKES/ask" -s -X POST -d '{"to":"green"}' "http://$HTTP/v1/services/shop/flip") in 404|405|413) ;; *) fail "the health listener takes orders" ;; esac
run active shop --is blue; expect_exit 0
run active shop --is green; expect_exit 1

step "orders over TCP want a token"
expect_eq "POST flip without a token" "$("$FAKES/ask" -s -X POST -H 'Content-Type: application/json' -d '{"to":"green"}' "http://$OPERATORS/v1/services/shop/flip")" 401
expect_status active blue

step "metrics"
"$FAKES/ask" "http://$OPERATORS/metrics" >"$SITE/metrics" || fail "no metrics"
grep -q '^switchd_armed{service="shop"} ' "$SITE/metrics" || fail "no switchd_armed"
command -v promtool >/dev/null || { switchd_stop; skip "promtool (package prometheus) is not there: metrics were not checked"; }
promtool check metrics <"$SITE/metrics" >"$SITE/log/promtool" 2>&1 || fail "promtool: $(cat "$SITE/log/promtool")"
scn_done
