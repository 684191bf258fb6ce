#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 180
# Delay between controller and Redis: 300 ms each way is slow and nothing else; 2 s is longer than any command may
# take, so that the store is away and traffic stays as it is (R15).  By a relay, and by netem too where the kernel has it.
. "$(dirname "$0")/net.sh"
. "$(dirname "$0")/lib.sh"
SVC[bake]=300ms SVC[idle_interval]=200ms
REDIS_AT=$NET_ROUTER:6379
net_relay()
{
	setsid "$FAKES/relay" --listen "$REDIS_AT" --to "$(host_addr 2):6379" --control "$SITE/relay.sock" --pid-file "$SITE/pid/relay" \
		</dev/null >"$SITE/log/relay" 2>&1 &
	disown
	wait_until 10 test -s "$SITE/pid/relay" || fail "the relay does not start"
}
net_site 2
load_start
load_cmd mark begin
deploy green r42 baked
expect_exit 0

by_relay() { if [ "$1" = 0 ]; then "$FAKES/sockcmd" "$SITE/relay.sock" ok >/dev/null; else "$FAKES/sockcmd" "$SITE/relay.sock" delay "$1" >/dev/null; fi; }
by_netem()
{
	tc qdisc del dev h2 root 2>/dev/null
	[ "$1" = 0 ] || tc qdisc add dev h2 root netem delay "${1}ms" || fail "netem was there a moment ago"
}
rest() { wait_until 30 status_is "store.up store.pending phase slots.blue.whole slots.green.whole" "true false steady true true" ||
	fail "not at rest: $(status store.up store.pending phase slots.blue.whole slots.green.whole)"; }

delayed()
{
	local delay=$1 from to
	rest
	from=$(status active)
	case $from in blue) to=green ;; *) to=blue ;; esac
	step "$delay: 300 ms"
	$delay 300
	run flip shop --to $to -y --timeout 30s
	expect_exit 0
	wait_status 30 "active phase store.up" "$to steady true"
	expect_agreement
	run rollback shop -y -m "slow" --timeout 30s
	expect_exit 0
	wait_status 30 "active phase store.up" "$from steady true"
	expect_agreement

	step "$delay: 2 s"
	$delay 2000
	wait_status 30 store.up false
	load_cmd more 400
	expect_eq "the map" "$(map_slot)" "$from"
	expect_agreement
	run flip shop --to $to -y --timeout 5s
	[ $RC != 0 ] || fail "a flip forward with a store that is away: exit 0"
	step "$delay: none"
	$delay 0
	rest
	# What the order meant may have been carried out late; what is there agrees, and nothing was done twice.
	expect_agreement
}
delayed by_relay
if [ "$NETEM" = yes ]; then
	delayed by_netem
else
	echo "    not run by netem as well: $NETEM"
fi
expect_no_failures begin
expect_nothing_condemned
scn_done
