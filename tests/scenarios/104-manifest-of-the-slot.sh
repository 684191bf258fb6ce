#!/bin/bash
# SPDX-License-Identifier: MIT
# The slot tells its own manifest: taken when none was given, compared with the one that was.  And features set aside
# are still missed in the bake.
. "$(dirname "$0")/lib.sh"
SVC[bake]=4s
SVC[manifest_path]=/-/manifest.json
GATES_MORE='require: [toolchain]'
scn_site 2
load_start
load_cmd mark begin

step "none was given: the slot's own is read"
manifest "$SITE/own.json" r42 labels.team=web
FILL="--manifest $SITE/own.json" deploy green r42 baked
expect_exit 0
expect_eq "gates" "$(said gates.0.gate gates.0.result)" "toolchain pass"
expect_status "active slots.green.digest slots.green.manifest.commit" "green sha256:r42 9f31c2"
expect_events manifest.read 1
case $(ctl timeline shop --json) in *'"team": "web"'*) ;; *) fail "the manifest is not in the event" ;; esac
case $("$FAKES/ask" -u "$SITE/switchd.sock" /v1/services/shop/ledger) in *'"team":"web"'*) ;; *) fail "its labels are not in the ledger" ;; esac

step "the slot runs other bits than the manifest that was given: refused"
manifest "$SITE/given.json" r43
manifest "$SITE/own.json" r43 digest=sha256:other
FILL="--manifest $SITE/own.json" deploy blue r43 baked --manifest "$SITE/given.json"
expect_exit 10
case $(said reason) in *'digest: the manifest says sha256:r43, blue says it runs sha256:other'*) ;; *) fail "reason: $(said reason)" ;; esac

step "the slot's own cannot be read: refused, with the place"
printf 'digest: d\ntests: [1]\n' >"$SITE/own.json"
FILL="--manifest $SITE/own.json" deploy blue r43 baked
expect_exit 10
case $(said reason) in *'/-/manifest.json of '*':2:'*'tests: want a mapping'*) ;; *) fail "reason: $(said reason)" ;; esac

step "it has none: not checked, and required"
FILL='' deploy blue r43 baked
expect_exit 10
case $(said reason) in *'required, and not checked: no manifest: '*' answers 404'*) ;; *) fail "reason: $(said reason)" ;; esac
expect_status "active" green

step "forced past the feature probes: flipped, and flipped back within the bake"
manifest "$SITE/own.json" r44
FILL="--manifest $SITE/own.json --features home,expenses,invoices,customers,reports" deploy blue r44 baked
expect_exit 10
expect_eq "lost" "$(said lost.0)" quotes
FILL="--manifest $SITE/own.json --features home,expenses,invoices,customers,reports" \
	deploy blue r44 baked --skip-gate features -m "they want it live"
expect_exit 11
expect_status "active condemned.0.release deploy.outcome" "green r44 rolled-back"
expect_events rollback.decided 1
scn_done
