#!/bin/bash
# SPDX-License-Identifier: MIT
# A report over events that were trimmed says what is missing, from when to when; a proxy that restarted makes the count unknown, and said;
# in mode gate the report tells at which moment traffic would have gone back.
. "$(dirname "$0")/lib.sh"
redis_start || fail "redis does not start"
SVC[bake]=1s SVC[mode]=gate
scn_site 1

step "in gate mode a loss moves nothing: what enforce would have done is told, with evidence"
slot_start green r42 || fail "targets of green do not start"
run deploy shop --slot green --release r42 --wait=ready --timeout 40s --json; expect_exit 0
deploy=$(said deploy)
run flip shop --to green --yes; expect_exit 0
wait_status 20 phase steady
app green all lose quotes 500
wait_until 20 eval '[ "$(count_events rollback.would)" -ge 1 ]' || fail "nothing was said: $(events)"
expect_status active green
expect_events rollback.decided 0
run timeline shop --since 10m -o md; expect_exit 0
case $SAID in *'## Had it been enforced'*'it would have flipped back at 20'*'quotes: present on blue, absent on green'*) ;; *) fail "no counterfactual: $SAID" ;; esac
case $SAID in *'### quotes at'*'- green, absent'*'- blue, present'*) ;; *) fail "no evidence of both slots: $SAID" ;; esac
case $SAID in *'quotes gone from green r42 while it served, and still is'*) ;; *) fail "headline: $SAID" ;; esac
run timeline shop --since 10m --json
expect_eq "open" "$(said summary.open summary.rolled_back)" "true false"

step "the proxy restarts between: how many requests were wrong is not known, and said"
haproxy_reload || fail "haproxy does not reload"
run rollback shop -m 'by hand'; expect_exit 0
counted_last() { case $(events) in *' rollback.done requests.counted'*) ;; *) return 1 ;; esac; }
wait_until 20 counted_last || fail "not counted: $(events)"
run timeline shop --since 10m -o md; expect_exit 0
case $SAID in *'how many requests were wrong: not known: proxy haproxy began to count anew meanwhile'*) ;; *) fail "the restart is not said: $SAID" ;; esac

step "trimmed: neither stream nor archive has the beginning"
switchd_stop
rm -f "$STATE"/archive/*.jsonl
"$FAKES/sockcmd" -t 1 "$SITE/redis.sock" XTRIM "switchd:{0}:ev" MAXLEN 2 >/dev/null 2>&1
switchd_start
wait_until 20 switchd_ready blue || fail "switchd is not ready"
run timeline shop --since 10m --json; expect_exit 0
expect_eq "complete" "$(said complete)" false
said missing | grep -Eq 'events from 20[0-9-]*T[0-9:.]*Z to 20[0-9-]*T[0-9:.]*Z were trimmed' || fail "not said from when to when: $(said missing)"
run timeline shop --since 10m -o md; expect_exit 0
case $SAID in *'What this report does not know'*'were trimmed'*) ;; *) fail "not in the report: $SAID" ;; esac
run timeline shop --deploy "$deploy" -o md
[ $RC != 0 ] || case $SAID in *'were trimmed'*) ;; *) fail "a deploy that was trimmed: $SAID" ;; esac
scn_done
