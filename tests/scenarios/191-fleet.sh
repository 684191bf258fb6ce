#!/bin/bash
# SPDX-License-Identifier: MIT
# Two proxies with an agent each, driven by two controllers that reach neither: a flip is observed through both fronts,
# who lags is named, a barrier says so, an agent that was away catches up, and every switchd and Redis gone for a minute
# costs no client of either proxy a request.
# seconds: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fleet.sh"
CHECK_VERSIONS=
redis_start || fail "redis does not start"
SVC[bake]=60s SVC[idle_interval]=500ms
TOP[lease_ttl]=2s
fleet_begin

step "a controller that reaches no proxy"
fleet_lead
second_start
load_start
load_cmd mark begin

step "a flip is observed through both fronts"
deploy green r42 flipped --converged=all
expect_exit 0
expect_eq "lb1" "$(lb_slot 1)" green
expect_eq "lb2" "$(lb_slot 2)" green
expect_status "proxies.0.observed proxies.1.observed fleet.converged" "true true 2"
case $(status fleet.p99_us) in ''|null) fail "how long it took is not known: $(status fleet)" ;; esac

step "a feature is lost: both go back"
app green all lose quotes 500
wait_status 20 "active phase" "blue steady"
app green all restore all
wait_status 10 "fleet.converged" 2
expect_eq "lb1" "$(lb_slot 1)" blue
expect_eq "lb2" "$(lb_slot 2)" blue
load_cmd mark back

step "a proxy host is gone: a forward flip is refused, by force it goes, and the barrier names who lags"
lb_agent_stop 2 || fail "agent 2 ended with $?"
end_pid KILL "$(pid_of haproxy2)"
wait_status 20 "fleet.converged fleet.waiting.0.name fleet.waiting.0.why proxies.1.state" "1 lb2 silent down"
wait_status 20 "slots.blue.whole slots.green.whole" "true true"
run pardon shop r42 -m "it was the test"
expect_exit 0
run flip shop --to green -y
expect_exit 10
case $(cat "$SITE/ctl.err") in *"its agent has said nothing"*) ;; *) fail "it does not say why: $(cat "$SITE/ctl.err")" ;; esac
expect_eq "lb1" "$(lb_slot 1)" blue
run flip shop --to green --force -y -m "a proxy host is gone" --converged=1
expect_exit 0
expect_eq "lb1" "$(lb_slot 1)" green
run status shop
case $SAID in *"1/2 proxies converged"*"lb2 (silent"*) ;; *) fail "status does not name who lags: $SAID" ;; esac
run rollback shop --converged=all --timeout 2s
expect_exit 13
case $(cat "$SITE/ctl.err") in *"committed, not converged: 1/2 proxies converged"*"lb2 (silent"*) ;; *) fail "the barrier: $(cat "$SITE/ctl.err")" ;; esac
expect_eq "lb1" "$(lb_slot 1)" blue

step "it comes back and catches up"
lb_start 2 || fail "haproxy 2 does not start"
lb_agent_start 2
wait_until 20 eval '[ "$(lb_slot 2)" = "$(status active)" ]' || fail "lb2 shows $(lb_value 2), the record $(status active etag)"
wait_status 20 "fleet.converged phase" "2 $(status phase)"
load_cmd more 40

step "every switchd and Redis killed, for a minute"
before=$(status active)
load2_start
loads mark dark
for p in switchd switchd2 agent1 agent2 redis; do end_pid KILL "$(pid_of $p)"; done
# By the first client's own pace of 200 requests a second: a minute at least.
dark_at=$SECONDS
while [ $((SECONDS - dark_at)) -lt 61 ]; do load_cmd more 400; done
expect_eq "lb1" "$(lb_slot 1)" "$before"
expect_eq "lb2" "$(lb_slot 2)" "$before"
for p in switchd switchd2 agent1 agent2 redis; do ! kill -0 "$(pid_of $p)" 2>/dev/null || fail "$p is there again"; done
expect_no_failures_at_both dark
echo "dark for $((SECONDS - dark_at)) s: $(load_stats dark requests) requests through lb1, $("$FAKES/sockcmd" -t 30 "$LOAD2" stats dark | "$FAKES/jget" requests) through lb2, none failed"

step "and back"
redis_start || fail "redis does not start"
for n in 1 2; do lb_agent_start $n; done
switchd_start
controller_start 2
wait_until 30 eval 'on 1 status_is store.up true || on 2 status_is store.up true' || fail "nobody leads"
leader=$(on 1 status_is store.up true && echo 1 || echo 2)
on $leader wait_status 30 "active fleet.converged fleet.all" "$before 2 2"
loads more 40
expect_no_failures back
expect_no_failures_at_both dark
step "the end"
for n in 1 2; do lb_agent_stop $n || fail "agent $n ended with $?"; done
controller_stop 2 || fail "controller 2 ended with $?"
switchd_stop || fail "switchd ended with $?"
end_pid TERM "$(pid_of redis)"
DONE=1
