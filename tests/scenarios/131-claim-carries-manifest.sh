#!/bin/bash
# SPDX-License-Identifier: MIT
# What a claim said of the release need not be said again: the deploy takes the claim's manifest, also after a kill -9 of
# switchd between the two. Two manifests that contradict each other are refused with the field.
. "$(dirname "$0")/lib.sh"
SVC[bake]=1s
GATES_MORE='require: [toolchain]'
scn_site 2
load_start
load_cmd mark begin

step "claimed with a manifest; switchd dies and comes back; announced without one"
manifest "$SITE/m.json" r42 labels.team=web removes=/old/* || fail "manifest add"
run claim shop --release r42 --manifest "$SITE/m.json" --json
expect_exit 0
claim=$(said claim)
expect_status "claim.id claim.manifest" "$claim true"
switchd_kill
switchd_start || fail "switchd does not come back"
wait_until 20 switchd_ready || fail "switchd is not ready"
wait_status 20 "phase claim.id claim.manifest" "filling $claim true"
deploy green r42 baked --claim "$claim"
expect_exit 0
expect_eq "gates" "$(said gates.0.gate gates.0.result)" "toolchain pass"
expect_status "active slots.green.digest slots.green.manifest.commit" "green sha256:r42 9f31c2"
case $(ctl timeline shop --json) in *'with the manifest of its claim'*) ;; *) fail "not told in the audit" ;; esac
case $(ctl timeline shop --json) in *'"team": "web"'*) ;; *) fail "the manifest is not in the event" ;; esac
SAID=$("$FAKES/ask" -u "$SITE/switchd.sock" /v1/services/shop/ledger)
case $SAID in *'"team":"web"'*|*'"team": "web"'*) ;; *) fail "the ledger does not have the whole manifest: $SAID" ;; esac

step "the deploy brings another that says something else: the field is named"
manifest "$SITE/m.json" r43
run claim shop --release r43 --manifest "$SITE/m.json" --json
expect_exit 0
claim=$(said claim)
"$BIN/switchctl" manifest add "$SITE/m.json" builder.version=4.0.3 tests.builder_version=4.0.3
deploy blue r43 baked --claim "$claim" --manifest "$SITE/m.json"
expect_exit 10
case $(said reason) in
*"builder.version: the claim's manifest says 4.0.2, the deploy's says 4.0.3"*) ;;
*) fail "reason: $(said reason)" ;;
esac
expect_status "active slots.blue.state" "green refused"

step "a claim without one carries nothing"
GATES_MORE=
site_config
kill -HUP "$(pid_of switchd)"
required() { ! ctl config show shop | grep -q 'require: \[toolchain\]'; }
wait_until 10 required || fail "the reload did not come"
run claim shop --release r44 --json
expect_exit 0
claim=$(said claim)
expect_status "claim.id claim.manifest" "$claim false"
deploy blue r44 baked --claim "$claim"
expect_exit 0
expect_eq "toolchain" "$(said gates.0.gate gates.0.result gates.0.text)" "toolchain not_checked no manifest"
expect_no_failures begin
scn_done
