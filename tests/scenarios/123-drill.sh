#!/bin/bash
# SPDX-License-Identifier: MIT
# A drill flips to the rollback target and back, measured, with no request failed; it leaves what was armed armed.  It is refused
# while the idle slot is claimed, held or not whole; a kill in the middle ends in going back.
. "$(dirname "$0")/lib.sh"
SVC[bake]=1s
SVC[idle_interval]=500ms
scn_site 2
deploy green r42 baked
expect_exit 0
wait_status 20 "rollback_ready.ready rollback_ready.slot" "true blue"
load_start
load_cmd mark begin
armed=$(status armed move.mode move.decided)
epoch=$(status version.epoch)

step "nobody is asked: nothing is done"
run drill shop
expect_exit 2
run drill shop --dry-run --yes
expect_exit 0
expect_status "version.epoch drill" "$epoch null"

step "there and back, measured"
run drill shop --yes -m "the quarter's exercise" --json
expect_exit 0
expect_eq "outcome" "$(said outcome home active how)" "done green green "
for t in out_acked_us out_observed_us back_acked_us back_observed_us; do
	[ "$(said $t)" -ge 0 ] || fail "$t: $(said $t)"
done
expect_status "active release phase drill.outcome" "green r42 steady done"
[ "$(status version.epoch)" -ge $((epoch + 2)) ] || fail "epoch $epoch, then $(status version.epoch)"
expect_status "armed move.mode move.decided" "$armed"
wait_status 20 "rollback_ready.ready rollback_target" "true blue"
expect_events drill.begun 1
expect_events drill.back 1
expect_events drill.done 1
expect_events flip.decided 1
grep -q '^blue:' "$SITE/map.log" || fail "traffic was never on blue: $(paste -sd' ' "$SITE/map.log")"
load_cmd more 200
expect_no_failures begin

step "for people"
run drill shop --yes
expect_exit 0
case $SAID in *'drilled: green serves again'*'there  to blue'*'observed'*'back   to green'*'observed'*"by the proxies' counters:"*) ;; *) fail "$SAID" ;; esac

step "refused while held, while claimed and while the other slot is not whole"
run hold shop -m "not now"
expect_exit 0
run drill shop --yes --json
expect_exit 14
run resume shop
expect_exit 0
app blue all lose quotes 404
wait_status 20 "rollback_ready.ready rollback_ready.blocked.0" "false features"
run drill shop --yes --json
expect_exit 10
expect_eq "code" "$(said code)" not-whole
app blue all restore quotes
wait_status 30 "rollback_ready.ready" true
run claim shop --release r43 --json
expect_exit 0
claim=$(said claim)
run drill shop --yes --json
expect_exit 14
expect_eq "code" "$(said code)" claimed
run unclaim shop --claim "$claim"
expect_exit 0
run drill shop --yes --json
expect_exit 12
expect_events drill.done 2

step "switchd is killed when the proxy shows the other slot, before that is recorded"
deploy blue r43 baked
expect_exit 0
wait_status 20 "rollback_ready.ready active" "true blue"
switchd_stop || fail "switchd does not stop"
switchd_start SWITCHD_FP=engine.plan:kill@2
wait_until 20 switchd_ready blue || fail "not ready"
# After a start the slot that serves is asked too before a drill: ready to go back is not yet ready to go there.
wait_status 20 "rollback_ready.ready active slots.blue.whole slots.green.whole" "true blue true true"
ctl --no-input drill shop --yes --timeout 3s >/dev/null 2>&1
wait_until 10 gone_or_zombie "$(pid_of switchd)" || fail "switchd was not killed at its second commit"

expect_eq "traffic is on green" "$(map_slot)" green
step "after the restart it goes back"
switchd_start
wait_status 30 "loaded active phase drill.outcome" "true blue steady done"
expect_eq "and the proxy with it" "$(map_slot)" blue
expect_nothing_condemned
expect_events drill.done 3
scn_done
