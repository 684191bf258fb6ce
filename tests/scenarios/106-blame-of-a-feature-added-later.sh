#!/bin/bash
# SPDX-License-Identifier: MIT
# A feature that is added to the config later is asked at once on both slots: present on blue r41, absent on green r42.  An
# alarm offers the flip, nothing moves by itself, and blame names r42.
. "$(dirname "$0")/lib.sh"
# Nothing is asked by chance: both intervals are long.
SVC[idle_interval]=60s
SVC[interval]=60s
SVC[bake]=1s
FEATURES='home: /
quotes: { path: /api/quotes, interval: 1s, expect: [ status == 200 ] }'
scn_site 2
reload_ok() { [ "$("$FAKES/ask" "http://$OPERATORS/metrics" | sed -n 's/^switchd_config_reload_success //p')" = "$1" ]; }
feature() { status "features.$1.slots.blue.verdict" "features.$1.slots.green.verdict"; }

step "r42 breaks expenses, which nobody probes"
slot_start green r42
app green all lose expenses 500
run deploy shop --slot green --release r42 --wait=baked --timeout 40s --json
expect_exit 0
expect_status "active release" "green r42"

step "the probe is added: both slots are asked at once"
FEATURES="$FEATURES
expenses: { path: /expenses, expect: [ status == 200, 'body contains \"Total\"' ] }"
site_config
kill -HUP "$(pid_of switchd)"
wait_until 10 eval '[ "$(status features.2.slots.blue.verdict features.2.slots.green.verdict)" = "present absent" ]' ||
	fail "expenses on blue and green: $(feature 2)"
reload_ok 1 || fail "the reload was refused"

step "an alarm offers the flip; nothing moves"
wait_until 10 eval '[ "$(count_events feature.new)" = 1 ]' || fail "no alarm: $(events)"
SAID=$(ctl timeline shop --json)
n=$(said events.#)
detail=
for ((i = 0; i < n; i++)); do [ "$(said "events.$i.kind")" = feature.new ] && detail=$(said "events.$i.detail"); done
case $detail in *"expenses: present on blue, absent on green (never seen there)"*"blue r41 brings it: switchctl flip shop --to blue") ;; *) fail "the alarm: $detail" ;; esac
expect_status "active release move.to" "green r42 green"
expect_nothing_condemned
expect_events rollback.decided 0

step "blame names r42, and says since when anything is known"
blamed() { SAID=$(ctl blame expenses --json 2>/dev/null) && [ "$(said answer good.release bad.release)" = "found r41 r42" ]; }
wait_until 10 blamed || fail "blame: $SAID"
expect_eq "no record before the probe was added" "$(said no_record_before)" "$(said since)"
[ "$(said since)" -gt "$(said bad.arrived)" ] || fail "since $(said since), r42 arrived $(said bad.arrived)"
expect_eq "the copy and the command" "$(said copies.# copies.0.slot copies.0.release copies.0.active next)" "1 blue r41 false switchctl flip shop --to blue"
expect_eq "who made r42 live" "$(said bad.lives)" 1
run blame shop/expenses
case $SAID in *"r41 had it, r42 had not"*"never seen present there"*"no record of it before"*"good copy: blue (r41, idle)"*) ;; *) fail "in words: $SAID" ;; esac

step "the claim that would overwrite the last copy is refused"
run claim shop --release r43 --json
expect_exit 10
case $SAID$(tail -n 5 "$SITE/log/ctl") in *expenses*) ;; *) fail "the refusal does not name expenses: $(tail -n 5 "$SITE/log/ctl")" ;; esac

step "the command that the alarm offers brings it"
run flip shop --to blue --yes
expect_exit 0
wait_status 20 "active phase" "blue steady"
wait_until 10 eval '[ "$("$FAKES/ask" -s "http://$FRONT/expenses")" = 200 ]' || fail "expenses is not back"
scn_done
