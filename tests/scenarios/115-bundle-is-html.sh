#!/bin/bash
# SPDX-License-Identifier: MIT
# A front end built by the wrong tool: every route says 200, and its bundle is the index page.  Status checks are content;
# the kind assets refuses it before a user sees it, and names the script.
. "$(dirname "$0")/lib.sh"
SVC[prove_timeout]=4s
FEATURES='ui: { assets: { page: /ui, marker: shop-ui, min: 2 } }'
FILL='--visit --catchall'
scn_site 2

step "a good release: every route answers, and a negative control that is answered with the index page shows that the probe can fail"
deploy green r42 baked
expect_exit 0
expect_eq "active" "$(status active)" green

step "the same with a bundle that is HTML"
FILL='--visit --catchall --bundle-html'
deploy blue r43 baked
expect_exit 10
expect_eq "outcome" "$(said outcome active)" "refused green"
case $(said reason) in *ui*) ;; *) fail "the reason does not name the feature: $(said reason)" ;; esac
for path in / /ui /ui/app-1f.js /anything; do
	expect_eq "status of $path" "$("$FAKES/ask" -t 3 -s "http://127.0.0.1:${TARGET_PORT[blue1]}$path")" 200
done
run why "$SERVICE" --json
case $SAID in *asset-type*) ;; *) fail "the evidence does not say asset-type: $SAID" ;; esac
case $SAID in *"script /ui/app-1f.js: a type of JavaScript"*) ;; *) fail "the evidence does not name the script: $SAID" ;; esac

step "--prove tells a status check from this one without any target"
{
	printf 'version: 1\nservices:\n  shop:\n    slots: { blue: [127.0.0.1:%s], green: [127.0.0.1:%s] }\n    features:\n' "${TARGET_PORT[blue1]}" "${TARGET_PORT[green1]}"
	printf '      home: { path: /ui, expect: [ status == 200 ] }\n      %s\n' 'ui: { assets: /ui }'
} >"$SITE/prove.yaml"
run config check "$SITE/prove.yaml" --prove
expect_exit 10
printf '%s\n' "$SAID" | grep -q '^home .*NOT PROVEN' || fail "a status check is taken for proven: $SAID"
printf '%s\n' "$SAID" | grep -Eq '^ui +yes .* proven' || fail "assets is not proven: $SAID"
scn_done
