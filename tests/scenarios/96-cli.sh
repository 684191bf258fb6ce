#!/bin/bash
# SPDX-License-Identifier: MIT
# Every verb of switchctl once, with its exit code; what --json prints is one object; the timeline tells the three
# stories with times, reasons and evidence.
. "$(dirname "$0")/lib.sh"
scn_site 2

# json: what the last run printed is one JSON object and nothing else.
json() { printf '%s' "$SAID" | "$FAKES/jget" . >/dev/null 2>&1 || fail "not one JSON object: $SAID"; }
has() { case $SAID in *"$1"*) ;; *) fail "no \"$1\" in: $SAID" ;; esac; }

step "who looks"
run; expect_exit 0; has "shop  SERVING blue r41"
run status shop; expect_exit 0; has "armed:"; has "rollback target:"
run status --json; expect_exit 0; json
run status nope; expect_exit 2
run status -o nagios; expect_exit 1; has "SWITCHD WARNING - shop: blue"
run version; expect_exit 0; has "switchctl "
run metrics; expect_exit 0; has "switchd_armed"
run config show shop; expect_exit 0; has "quotes"
run config check "$CONFIG"; expect_exit 0; has "good"
run help deploy; expect_exit 0; has "--wait"
run probe shop --slot blue; expect_exit 0; has "quotes"
run active shop --is blue; expect_exit 0
run active shop --is green; expect_exit 1
run proxy diff shop --config "$CONFIG"; expect_exit 0; has "the same"
run bogus; expect_exit 2

step "claim, renew, give back"
run claim shop --release r42; expect_exit 0; expect_eq "stdout" "$SAID" green
claim=$(status claim.id)
run claim shop --renew --claim "$claim"; expect_exit 0
run claim shop --release r43; expect_exit 14
run unclaim shop --claim not-it; expect_exit 10
run unclaim shop; expect_exit 0
expect_status claim null

step "a deploy that is only looked at, one that stops ready, one that is aborted"
slot_start green r42 || fail "targets do not start"
run deploy shop --release r42 --slot green --dry-run; expect_exit 0; has "would be done"
expect_status "phase deploy" "steady null"
run deploy shop --release r42 --slot green --wait=ready --timeout 30s --json; expect_exit 0; json
expect_status phase ready
run deploy shop --release r42 --slot green --wait=none; expect_exit 0
run claim shop --release r43; expect_exit 10
run abort shop; expect_exit 0
expect_status "phase active" "steady blue"
run abort shop; expect_exit 10

step "a good release: exit 0, with its three times"
run deploy shop --release r42 --slot green --timeout 40s --json; expect_exit 0; json
expect_eq "outcome" "$(said outcome active exit)" "baked green 0"
[ "$(said move.observed_us)" -gt 0 ] || fail "no time of the flip: $SAID"
run status -o nagios; expect_exit 0
run deploy shop --release r42 --slot green --timeout 10s --json; expect_exit 0 # the same once more is the same deploy
expect_events deploy.started 2
run deploy shop --release r43 --slot green --timeout 10s; expect_exit 10 # the active slot is never overwritten

step "one that lost a feature: exit 10"
slot_start blue r43 && app blue all lose quotes 404 || fail "targets do not start"
run deploy shop --release r43 --slot blue --timeout 40s --json; expect_exit 10; json
expect_eq "outcome" "$(said outcome active)" "refused green"
run flip shop --to blue -y; expect_exit 10
case $(tail -n 12 "$SITE/log/ctl") in *"quotes"*"green r42 serves"*) ;; *) fail "the refusal does not say what and where: $(tail -n 12 "$SITE/log/ctl")" ;; esac
run flip shop --to blue; expect_exit 10
run why shop; expect_exit 0; has "gate.refused"; has "want status == 200, got 404"
run evidence shop/quotes; expect_exit 0; has "404"
run probe shop; expect_exit 10

step "one that loses it after the flip: exit 11"
slot_start blue r44 || fail "targets do not start"
{
	wait_until 30 eval '[ "$(status phase)" = baking ]' && app blue all lose quotes 500
} &
run deploy shop --release r44 --slot blue --timeout 40s --json; expect_exit 11; json
wait $!
expect_eq "outcome" "$(said outcome active lost.0)" "rolled-back green quotes"
[ "$(said exposed_ms)" -gt 0 ] || fail "no exposure: $SAID"
run deploys shop; expect_exit 0; has "rolled-back"; has "refused"; has "baked"
run timeline shop; expect_exit 0
has "flip.decided"; has "flip.observed"; has "rollback.decided"; has "rollback.done"; has "ms after it was decided"
run timeline shop --last -o md; expect_exit 0; has "| UTC |"; has "rollback.decided"
run timeline shop --last --json; expect_exit 0; json
case $SAID in *'"kind": "rollback.decided"'*'"status": 500'*) ;; *) fail "the rollback carries no evidence: $SAID" ;; esac

step "condemned, pardoned"
run rollback shop; expect_exit 12
app blue all restore all
run flip shop --to blue -y; expect_exit 10
run pardon shop r44 -m "the database was at fault"; expect_exit 0
run pardon shop r44 -m again; expect_exit 10
expect_nothing_condemned

step "beside the phase: hold, seal, mute"
run hold shop -m INC-1 --for 2h; expect_exit 0
run claim shop --release r45; expect_exit 14
run resume shop; expect_exit 0
run resume shop; expect_exit 10
run hold shop -m INC-1 --if-epoch 1; expect_exit 15
run seal shop -m "migration 118"; expect_exit 0
run unseal shop -m "undone"; expect_exit 0
run mute shop/quotes --for 5m -m "vendor down"; expect_exit 0
run status shop; has "muted by"
run unmute shop/quotes; expect_exit 0
run mute shop/nope --for 5m -m x; expect_exit 2

step "the one line of CI"
ship_script "$SITE/ship"
run deploy shop --release r47 --json -- false; expect_exit 10; json
expect_status claim null
run deploy shop --release r46 --json -- "$SITE/ship" r46; expect_exit 0; json
expect_eq "outcome" "$(said outcome active)" "baked blue"

step "a person rolls back, and flips forward again"
wait_status 20 "rollback_target armed" "green true"
run rollback shop --dry-run; expect_exit 0; has "set map"
run rollback shop -m "INC-2" --json; expect_exit 0; json
expect_status active green
run flip shop --to blue -y; expect_exit 0; has "flipped to blue"; has "observed +"
run flip shop --to green; expect_exit 2 # nobody to ask here
run flip shop --to green -y; expect_exit 10 # baking

step "interrupted: it goes on"
wait_status 20 phase steady
slot_start green r48 || fail "targets do not start"
timeout -s INT 1 "$BIN/switchctl" deploy shop --release r48 --slot green --timeout 40s >"$SITE/detached" 2>&1
[ "$(tail -n 5 "$SITE/detached" | grep -c detached)" = 1 ] || fail "not detached: $(cat "$SITE/detached")"
wait_status 30 "deploy.release deploy.outcome active" "r48 baked green"
scn_done
