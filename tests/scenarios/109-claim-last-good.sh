#!/bin/bash
# SPDX-License-Identifier: MIT
# The idle slot is not handed out while it is the only place where a feature works, also one that nobody probed when it
# broke; a person may have it all the same. While a claim stands there is no rollback target, and a claim ends by itself.
. "$(dirname "$0")/lib.sh"
SVC[bake]=3s
SVC[claim_ttl]=3s
SVC[idle_interval]=500ms
WATCHED=$FEATURES
FEATURES=$(printf '%s\n' "$FEATURES" | grep -v '^expenses:')
scn_site 1
metric() { ctl metrics | grep -qx "switchd_rollback_target{service=\"shop\"} $1"; }

step "r42 breaks expenses, which nobody probes yet"
FILL="--features home,quotes,invoices,customers,reports" deploy green r42 baked
expect_exit 0
expect_status "active rollback_target" "green blue"
wait_until 10 metric 1 || fail "the metric knows no rollback target"

step "expenses is probed from now on: blue is the last place where it works"
FEATURES=$WATCHED
site_config
kill -HUP "$(pid_of switchd)"
both_known() { [ "$(status features.2.name features.2.slots.blue.verdict features.2.slots.green.verdict)" = "expenses present absent" ]; }
wait_until 20 both_known || fail "expenses: $(status features.2.name features.2.slots.blue.verdict features.2.slots.green.verdict)"
run claim shop --release r43 --json
expect_exit 10
expect_eq "code" "$(said code)" last-good
case $(said detail) in *expenses*'present on blue'*'absent on green'*) ;; *) fail "not named: $(said detail)" ;; esac
case $(said next) in *--force*) ;; *) fail "no next step: $(said next)" ;; esac
expect_status "phase active rollback_target" "steady green blue"

step "a person has it all the same, with a reason"
run claim shop --release r43 --force --json
expect_exit 2
run claim shop --release r43 --force -m "expenses is off until Monday" --json
expect_exit 0
expect_eq "slot" "$(said slot)" blue
expect_status "phase rollback_target armed" "filling null false"
case $(status rollback_target_why) in *'blue: claimed by '*) ;; *) fail "why: $(status rollback_target_why)" ;; esac
ctl status shop | grep -q 'no rollback target while it stands' || fail "status does not say it"
wait_until 10 metric 0 || fail "the metric still has a rollback target"
case $(ctl timeline shop --json) in *'expenses is off until Monday'*) ;; *) fail "the reason is not in the audit" ;; esac

step "CI dies: the claim ends by itself, and nothing stays locked"
wait_status 20 "phase claim" "steady null"
expect_events claim.expired 1
run claim shop --release r44 --json
expect_exit 10
expect_eq "nobody overwrote it" "$(said code)" last-good
run claim shop --release r44 --force -m "the same" --json
expect_exit 0
run unclaim shop --claim "$(said claim)"
expect_exit 0

step "a target of the active slot falls back to another release after the flip: an incident of its own"
[ "$(status active)" = green ] || fail "not green"
app green all release r40
changed() { case " $(events) " in *' identity.changed '*) true ;; *) false ;; esac; }
wait_until 20 changed || fail "events: $(events)"
case $(ctl timeline shop --json) in *'green answers as another release than r42'*) ;; *) fail "it is not said which" ;; esac
scn_done
