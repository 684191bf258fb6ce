#!/bin/bash
# SPDX-License-Identifier: MIT
# A site with a hand-written haproxy.cfg: what import makes of it loads, watches the real servers without touching the proxy,
# and with the printed snippet in the place of its TODOs the site is moved by switchd.
. "$(dirname "$0")/lib.sh"
site_begin 1 || fail "no free ports"
slot_start blue r41 && slot_start green r40 || fail "targets do not start"
cat >"$SITE/old.cfg" <<CFG
global
    stats socket $STATS_SOCKET mode 600 level admin
    maxconn 200
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
frontend www
    bind $FRONT
    acl is_static path_beg /static
    default_backend shop-blue
backend shop-blue
    option httpchk
    http-check send meth GET uri /api/quotes
    http-check expect status 200
    http-check expect string quotes
    server b1 127.0.0.1:${TARGET_PORT[blue1]} check inter 200ms
backend shop-green
    option httpchk
    http-check send meth GET uri /api/quotes
    http-check expect status 200
    http-check expect string quotes
    server g1 127.0.0.1:${TARGET_PORT[green1]} check inter 200ms
CFG
haproxy -c -f "$SITE/old.cfg" >"$SITE/log/haproxy-check" 2>&1 || fail "the old file is none: $(cat "$SITE/log/haproxy-check")"

step "every line is accounted for, and the result loads"
run import haproxy "$SITE/old.cfg" --json
expect_exit 0
expect_eq "lines" "$(said lines.all)" "$(grep -c '' "$SITE/old.cfg")"
read -r all carried todo stay blank <<<"$(said lines.all lines.carried lines.todo lines.stay lines.blank)"
expect_eq "their sum" "$((carried + todo + stay + blank))" "$all"
expect_eq "TODO" "$todo" 1
run import haproxy "$SITE/old.cfg"
expect_exit 0
case $SAID in *"# TODO old.cfg:12: shop-blue: the map decides now: put the lines of \`switchctl proxy snippet haproxy shop\` here"*) ;; *) fail "no TODO for the frontend: $SAID" ;; esac
{
	printf '%s\n' "$SAID"
	echo "listen: { http: $HTTP, operators: $OPERATORS, unix: $SITE/switchd.sock }"
	echo "state_dir: $STATE"
} >"$CONFIG"
"$BIN/switchd" -t "$CONFIG" >"$SITE/log/check" 2>&1 || fail "it does not load: $(cat "$SITE/log/check" "$CONFIG")"
run probe --config "$CONFIG" --json
expect_exit 0

step "the TODO done as it says, the site runs with switchd"
sed -i 's/^mode: observe/mode: enforce/' "$CONFIG"
sed -i "s/^    initial: blue/    initial: blue\n    bake: 1s\n    prove_timeout: 3s/" "$CONFIG"
haproxy_config || fail "haproxy -c: $(cat "$SITE/log/haproxy-check" "$SITE/log/snippet" "$SITE/log/proxy-init" 2>/dev/null)"
haproxy_start || fail "haproxy does not start"
switchd_start
wait_until 20 switchd_ready blue || fail "switchd is not ready"
wait_status 20 "slots.blue.state slots.blue.whole" "good true"
watch_begin
deploy green r42 baked
expect_exit 0
expect_status "active release" "green r42"

step "what its check asked for is a feature now: a release without it is refused"
FILL="--features home,expenses" deploy blue r43 baked
expect_exit 10
expect_status active green
scn_done
