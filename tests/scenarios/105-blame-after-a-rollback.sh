#!/bin/bash
# SPDX-License-Identifier: MIT
# After a rollback: blame names the last release that had quotes, the first that had not, who made each live, where the good
# copy is and the next command; all of it after a restart too.
. "$(dirname "$0")/lib.sh"
SVC[bake]=20s
scn_site 2

blame() { SAID=$(ctl blame "$SERVICE/$1" --json 2>/dev/null); }
blamed() { blame "$1" && [ "$(said answer good.release bad.release)" = "$2" ]; }

step "nothing is wrong yet"
wait_until 10 eval 'blame quotes; [ "$(said answer)" = intact ]' || fail "blame of a feature that is there: $SAID"
expect_eq "a good copy" "$(said copies.0.slot copies.0.release copies.0.active)" "blue r41 true"

step "r42 goes live, then loses quotes"
deploy green r42 flipped
expect_exit 0
app green all lose quotes 404
wait_status 15 "active phase" "blue steady"

step "blame"
wait_until 10 blamed quotes "found r41 r42" || fail "blame: $SAID"
expect_eq "slots and sources" "$(said good.slot good.source bad.slot bad.source bad.state bad.held)" "blue probes green probes left true"
expect_eq "r42 was live once, and automation ended it" "$(said bad.lives bad.last_live.ended_by)" "1 switchd"
expect_eq "manifests" "$(said manifests changed)" "none null"
expect_eq "the good copy" "$(said copies.# copies.0.slot copies.0.release copies.0.active next)" "1 blue r41 true switchctl evidence shop/quotes"
present=$(said bad.last_present) absent=$(said bad.absent_since) from=$(said bad.last_live.from) to=$(said bad.last_live.to)
[ "$present" -le "$absent" ] && [ "$from" -le "$absent" ] && [ "$absent" -le "$to" ] ||
	fail "times of r42: live from $from, present until $present, absent since $absent, live to $to"
run blame quotes
expect_exit 0
case $SAID in *"shop/quotes  r41 had it, r42 had not"*"it broke in between"*"no manifest of either"*"good copy: blue (r41, active)"*) ;; *) fail "in words: $SAID" ;; esac
before=$(blame quotes; said good bad)

step "another feature is intact, an unknown one is none"
blame expenses
[ "$(said answer)" = intact ] || fail "blame of expenses: $SAID"
run blame shop/nothing
[ $RC != 0 ] || fail "a feature that is not there is blamed: $SAID"

step "the same after a kill and a restart"
saved() { [ "$("$FAKES/ask" -u "$SITE/switchd.sock" /v1/services/shop/ledger | "$FAKES/jget" loaded saved | paste -sd' ' -)" = "true true" ]; }
wait_until 10 saved || fail "the ledger is not written"
switchd_kill
switchd_start
wait_until 20 switchd_ready blue || fail "switchd is not ready"
wait_until 10 blamed quotes "found r41 r42" || fail "blame after a restart: $SAID"
expect_eq "who made r42 live and when" "$(said bad.last_live.from bad.last_live.to bad.last_live.ended_by)" "$from $to switchd"
expect_eq "when it broke" "$(said bad.absent_since)" "$absent"

step "put right in r43: blame still knows who took it, and says that it is back"
deploy green r43 flipped
expect_exit 0
wait_until 10 eval 'blamed quotes "found r41 r42" && [ "$(said fixed.release)" = r43 ]' || fail "after the repair: $SAID"
run blame quotes
case $SAID in *"there again since r43 on green"*) ;; *) fail "in words: $SAID" ;; esac
scn_done
