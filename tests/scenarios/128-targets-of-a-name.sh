#!/bin/bash
# SPDX-License-Identifier: MIT
# A slot whose addresses are those of a name: all of them, read at claim and deploy, frozen until the next; a name that
# is gone refuses the order, and a start needs no name server.
. "$(dirname "$0")/mounts.sh"
SVC[bake]=10m
hosts() { { echo "127.0.0.1 localhost"; printf '%s\n' "$@"; } >"$SITE/hosts"; }
hosts
[ -e /etc/hosts ] && mount --bind "$SITE/hosts" /etc/hosts 2>/dev/null || skip "/etc/hosts cannot be replaced here"
# Only the hosts file is asked: no name server may stand between.
[ ! -e /etc/nsswitch.conf ] || { echo "hosts: files" >"$SITE/nsswitch"; mount --bind "$SITE/nsswitch" /etc/nsswitch.conf || skip "/etc/nsswitch.conf cannot be replaced here"; }
NAMES=
targets_list() { if [ -n "$NAMES" ]; then echo "\"dns:shop-$1.test:${TARGET_PORT[${1}1]}\""; else echo "127.0.0.1:${TARGET_PORT[${1}1]}"; fi; }

step "a site: blue and green are names"
site_begin 1 || fail "no free ports"
slot_start blue r41 && slot_start green r40 || fail "targets do not start"
site_config
haproxy_config || fail "haproxy -c"
haproxy_start || fail "haproxy does not start"
hosts "127.0.0.1 shop-blue.test shop-green.test"
NAMES=1
site_config
"$BIN/switchctl" --config "$CONFIG" proxy snippet haproxy shop --bind "$FRONT" >"$SITE/snippet.dns" 2>"$SITE/log/snippet.dns" || fail "no snippet: $(cat "$SITE/log/snippet.dns")"
grep -q "server-template g 64 shop-green.test:${TARGET_PORT[green1]} " "$SITE/snippet.dns" || fail "the snippet does not follow the name"
haproxy -c -f "$SITE/snippet.dns" >"$SITE/log/haproxy-dns" 2>&1 || fail "haproxy does not take the snippet: $(cat "$SITE/log/haproxy-dns")"
switchd_start
wait_until 20 switchd_ready blue || fail "switchd is not ready"
wait_status 20 "slots.blue.state slots.blue.whole slots.blue.targets.0.address" "good true 127.0.0.1:${TARGET_PORT[blue1]}"
watch_begin

step "another address of the name counts from the deploy on"
# The second target of green: the same application by another address of this machine.
setsid "$FAKES/invoices" --listen "127.0.0.2:${TARGET_PORT[green1]}" --slot green --target 2 --release r42 --show-slot \
	--control "$SITE/green2.sock" --pid-file "$SITE/pid/green2" </dev/null >>"$SITE/log/green2" 2>&1 &
disown
wait_until 10 test -s "$SITE/pid/green2" || skip "127.0.0.2 is no address of this machine"
hosts "127.0.0.1 shop-blue.test" "127.0.0.2 shop-green.test" "127.0.0.1 shop-green.test" "127.0.0.2 shop-green.test"
wait_status 5 "slots.green.targets.#" 1
deploy green r42 flipped; expect_exit 0
expect_status "slots.green.targets.# slots.green.targets.0.address slots.green.targets.1.address" \
	"2 127.0.0.1:${TARGET_PORT[green1]} 127.0.0.2:${TARGET_PORT[green1]}"

step "frozen in the bake, and over a restart without any names"
hosts
switchd_kill
switchd_start
wait_until 20 switchd_ready green || fail "switchd is not ready again"
wait_status 20 "active phase slots.green.targets.# slots.green.whole slots.blue.targets.#" "green baking 2 true 1"

step "a name that is gone refuses, and the old list stays"
run rollback shop -y -m enough; expect_exit 0
wait_status 20 "active phase" "blue steady"
run claim shop --release r43 --json; expect_exit 10
case "$SAID $(cat "$SITE/ctl.err")" in *"dns:shop-green.test:${TARGET_PORT[green1]}: shop-green.test: "*) ;; *) fail "the name is not told: $SAID" ;; esac
expect_status "phase slots.green.targets.#" "steady 2"
scn_done
