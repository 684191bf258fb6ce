#!/bin/bash
# SPDX-License-Identifier: MIT
# Late breakage: the whole suite runs again after the bake and before a claim.  What broke since, on the active and on the idle
# slot, is told in one event with the window in which it broke; what is told is not told again.
. "$(dirname "$0")/lib.sh"
# The idle slot is asked by nobody else: what is found there was found by the suite.
SVC[idle_interval]=1h
SVC[bake]=1s
SVC[recheck]='[3s, 6s]'
scn_site 2
late() { count_events late.broken; }
last_late()
{
	local n i
	SAID=$(ctl timeline shop --json --max 1000) || return 1
	n=$(said events.#)
	LATE=
	for ((i = 0; i < n; i++)); do [ "$(said "events.$i.kind")" = late.broken ] && LATE=$i; done
	[ -n "$LATE" ]
}
rechecks() { grep -ac ' info recheck ' "$SITE/log/switchd"; }
wait_rechecks() { wait_until 20 eval "[ \"\$(rechecks)\" -ge $1 ]" || fail "rechecks: $(rechecks), want $1"; }

step "r42 bakes; then the idle slot loses expenses, and nobody asks it"
deploy green r42 baked
expect_exit 0
had=$(rechecks)
app blue all lose expenses 500
wait_rechecks $((had + 1))
wait_until 5 eval '[ "$(late)" = 1 ]' || fail "late.broken: $(late); $(events)"
last_late
expect_eq "what broke" "$(said "events.$LATE.evidence.#" "events.$LATE.evidence.0.feature" "events.$LATE.evidence.0.slot" "events.$LATE.evidence.0.release" "events.$LATE.evidence.0.active")" \
	"1 expenses blue r41 false"
from=$(said "events.$LATE.evidence.0.last_present") to=$(said "events.$LATE.evidence.0.absent_since")
[ "$from" -gt 0 ] && [ "$from" -le "$to" ] || fail "the window: $from to $to"
case $(said "events.$LATE.detail") in *"expenses on blue (r41, idle): present until "*", absent since "*) ;; *) fail "in words: $(said "events.$LATE.detail")" ;; esac
expect_status "active release" "green r42"

step "the second time says nothing new; the active slot's loss is told too, before a claim"
wait_rechecks $((had + 2))
expect_eq "late.broken" "$(late)" 1
app blue all restore all
SVC_IDLE=blue
app blue all lose quotes 404
run claim shop --release r43 --json
expect_exit 0
expect_eq "the suite ran before the claim" "$(rechecks)" $((had + 3))
wait_until 5 eval '[ "$(late)" = 2 ]' || fail "late.broken: $(late); $(events)"
last_late
expect_eq "what broke" "$(said "events.$LATE.evidence.0.feature" "events.$LATE.evidence.0.slot")" "quotes blue"
order=$(events | tr ' ' '\n' | grep -nE 'late.broken|claim.taken' | tail -n 2 | cut -d: -f2 | paste -sd' ' -)
expect_eq "first the finding, then the claim" "$order" "late.broken claim.taken"
scn_done
