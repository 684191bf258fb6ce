#!/bin/bash
# SPDX-License-Identifier: MIT
# A pin by hand at one of two proxies: the record follows it, and the other proxy follows the record, so that clients of both get
# one slot; also after a restart of switchd while the pin stands.  A slot that a proxy still shows, which could not be told
# meanwhile, is not handed out (B5.6).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fleet.sh"
CHECK_VERSIONS=''
SVC[bake]=1s
redis_start || fail "redis does not start"
site_begin 2 || fail "no free ports"
slot_start blue r41 && slot_start green r40 || fail "targets do not start"
site_config
lb_config 1 && lb_config 2 || fail "haproxy config: $(cat "$SITE/log/snippet" "$SITE/log/proxy-init")"
proxy_line() { echo "      - { type: haproxy, name: lb$1, socket: $SITE/lb$1/haproxy.sock, map: $SITE/lb$1/shop.map, paths: $SITE/lb$1/shop.paths, front: 'http://${LB_FRONT[$1]}' }"; }
sed -i "s|^      - { type: .*|$(proxy_line 1)\n$(proxy_line 2)|" "$CONFIG"
for n in 1 2; do lb_start $n || fail "haproxy $n does not start"; done
FRONT=${LB_FRONT[1]}
switchd_start
wait_until 20 switchd_ready blue || fail "switchd is not ready: $(status)"
wait_status 20 "slots.blue.whole proxies.0.state proxies.1.state" "true in-sync in-sync"
load_start
load2_start
loads mark begin
deploy green r42 baked
expect_exit 0

# lb_set N VALUE: by hand, past everybody.
lb_set() { "$FAKES/sockcmd" -t 5 "$SITE/lb$1/haproxy.sock" set map "$SITE/lb$1/shop.map" shop "$2" >/dev/null; }
both_at() { [ "$(lb_value 1)" = "$1" ] && [ "$(lb_value 2)" = "$2" ]; }

step "one is pinned to blue: the other one follows the record there"
lb_set 1 blue:pin.1790000000:plain
wait_status 15 "pin.slot active" "blue blue"
wait_until 10 eval 'both_at blue:pin.1790000000:plain "blue:$(status etag):plain"' || fail "lb1 $(lb_value 1), lb2 $(lb_value 2), the record $(status etag)"
wait_status 15 "proxies.0.state proxies.1.state" "pinned in-sync"

step "switchd is killed and started again: it drives the other one still"
switchd_kill
was=$(lb_value 2)
switchd_start
wait_until 20 switchd_ready blue || fail "switchd is not ready: $(status)"
wait_status 20 "pin.slot proxies.0.state proxies.1.state" "blue pinned in-sync"
expect_eq "lb2" "$(lb_value 2)" "$was"
lb_set 2 "green:${was#blue:}"
wait_until 10 both_at blue:pin.1790000000:plain "$was" || fail "it was not put right: lb1 $(lb_value 1), lb2 $(lb_value 2)"

step "resume ends it at both"
run resume shop
expect_exit 0
wait_until 10 eval 'both_at "blue:$(status etag):plain" "blue:$(status etag):plain"' || fail "lb1 $(lb_value 1), lb2 $(lb_value 2), the record $(status etag)"
wait_status 15 "pin proxies.0.state proxies.1.state" "null in-sync in-sync"

step "a pin moves the record while the other proxy cannot be told: the slot that its clients get is not handed out"
mv "$SITE/lb2/haproxy.sock" "$SITE/lb2/away.sock"
lb_set 1 green:pin.1790000001:plain
wait_status 15 "pin.slot active" "green green"
run resume shop
expect_exit 0
wait_status 15 "pin phase proxies.0.state" "null steady in-sync"
run claim shop --release r50
expect_exit 10
case $(cat "$SITE/ctl.err") in *"proxy lb2 shows blue"*) ;; *) fail "it does not say why: $(cat "$SITE/ctl.err")" ;; esac
mv "$SITE/lb2/away.sock" "$SITE/lb2/haproxy.sock"
wait_status 20 "proxies.1.state" in-sync
run claim shop --release r50
expect_exit 0
run unclaim shop --force -m "it was the test"
expect_exit 0
loads more 40
expect_no_failures_at_both begin
switchd_stop || fail "switchd ended with $?"
end_pid TERM "$(pid_of redis)"
DONE=1
