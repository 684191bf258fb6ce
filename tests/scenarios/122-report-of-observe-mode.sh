#!/bin/bash
# SPDX-License-Identifier: MIT
# Observe mode decides, records and touches no proxy; the report says what it would have done, how often it would have been
# wrong, what was not watched, and whether it is time to enforce.
. "$(dirname "$0")/lib.sh"
SVC[mode]=observe
SVC[idle_interval]=500ms
scn_site 2
report() { SAID=$(ctl report "$SERVICE" --since 1h --json 2>/dev/null); }
reported() { report && [ "$(said "$1")" = "$2" ]; }
before=$(map_value)

step "a good release would have been flipped to"
deploy green r42 baked
expect_exit 0
wait_until 10 reported counts.would_flip 1 || fail "report: $SAID"
expect_eq "counts" "$(said counts.deploys counts.flips counts.would_refuse counts.would_roll_back wrong.count)" "1 0 0 0 0"
expect_eq "ready" "$(said ready.yes)" false
case $(said ready.why) in *'watched for less than a day'*) ;; *) fail "ready: $(said ready.why)" ;; esac

step "a release without quotes would have been refused: an event of its own, exit 0"
FILL="--features home,expenses,invoices,customers,reports" deploy green r43 baked
expect_exit 0
expect_eq "outcome" "$(said outcome)" would-have-refused
wait_until 10 reported counts.would_refuse 1 || fail "report: $SAID"
expect_eq "refused" "$(said counts.refused counts.deploys)" "0 2"
expect_events gate.refused 0
expect_events deploy.would_refuse 1

step "somebody else's tool puts green live; the record follows, and quotes dies there"
slot_start green r44 || fail "green"
run deploy shop --slot green --release r44 --wait=baked --json
expect_exit 0
version=$(status version.gen)
haproxy_cmd set map "$MAP" shop "green:$version.$(($(status version.epoch) + 1)):plain" >/dev/null
wait_status 20 "active" green
wait_status 20 "slots.green.whole slots.blue.whole" "true true"
app green all lose quotes 500
would() { [ "$(count_events rollback.would)" -ge 1 ]; }
wait_until 20 would || fail "events: $(events)"
expect_status active green
[ "$(map_slot)" = green ] || fail "the proxy was touched: $(map_value)"
wait_until 10 reported counts.would_roll_back 1 || fail "report: $SAID"
expect_eq "wrong" "$(said wrong.count)" 0

step "it comes back by itself, and nobody moved anything: the rollback would have been wrong"
app green all restore quotes
wait_until 30 reported wrong.count 1 || fail "report: $SAID"
expect_eq "what" "$(said wrong.list.0.kind wrong.list.0.release wrong.list.0.how)" "rollback.would r44 it came back by itself"

step "a person says so too: the same one is counted once"
run note shop "a false alarm: the vendor restarted"
expect_exit 0
wait_until 10 reported wrong.list.0.how "a note says so" || fail "report: $SAID"
expect_eq "wrong" "$(said wrong.count)" 1

step "the time that nobody watched is named"
switchd_stop || fail "switchd does not stop"
sleep_from=$(mono_ms)
until [ $(($(mono_ms) - sleep_from)) -ge 1500 ]; do nap; done
switchd_start
wait_until 20 switchd_ready green || fail "not ready"
gap() { report && case $(said watched.gaps) in *'switchd did not run'*) true ;; *) false ;; esac; }
wait_until 20 gap || fail "gaps: $(said watched.gaps)"

step "in words"
run report shop --since 1h
expect_exit 0
echo "$SAID"
case $SAID in *'would have   flipped 2, refused 1, rolled back 1'*'wrong        1'*'a note says so'*'ready        NO, not yet to be enforced:'*'of its decisions was wrong'*) ;; *) fail "$SAID" ;; esac
run report shop --since 1h -o md
expect_exit 0
case $SAID in '# shop: '*'| would have | flipped 2, refused 1, rolled back 1 |'*) ;; *) fail "$SAID" ;; esac
run report shop --since never
expect_exit 2
CHECK_VERSIONS=''
scn_done
