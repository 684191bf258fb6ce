#!/bin/bash
# SPDX-License-Identifier: MIT
# What the leader condemned, and what a person pardoned, stands in the journal of the one that follows as well: both controllers
# are killed, the store is emptied, and the one that never led puts the record back with what is condemned and nothing else.
# seconds: 120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fleet.sh"
SVC[bake]=60s SVC[idle_interval]=500ms
TOP[lease_ttl]=2s
redis_start || fail "redis does not start"
scn_site 2
second_start

for release in r42 r43; do
	step "$release loses quotes in its bake"
	deploy green $release flipped
	expect_exit 0
	app green all lose quotes 500
	wait_status 20 "active phase" "blue steady"
	app green all restore all
	wait_until 10 eval "case \$(on 2 status condemned) in *'\"$release\"'*) ;; *) false ;; esac" || fail "$release is not condemned: $(on 2 status condemned)"
done

step "r42 is pardoned"
run pardon shop --release r42 -m "the database was at fault"
expect_exit 0
wait_until 10 eval '[ "$(on 2 status "condemned.#" condemned.0.release)" = "1 r43" ]' || fail "it does not follow: $(on 2 status condemned)"

step "both are killed, the store is emptied, the one that followed starts alone"
switchd_kill
end_pid KILL "$(pid_of switchd2)"
redis_cmd FLUSHALL >/dev/null
controller_start 2
wait_control 20 2 leading
on 2 wait_status 20 "active condemned.# condemned.0.release" "blue 1 r43"
on 2 expect_events store.restored 1
restored() { cat "$SITE/state2/archive"/*.jsonl | grep '"kind":"store.restored"'; }
wait_until 10 eval '[ -n "$(restored)" ]' || fail "the archive has no such event"
case $(restored) in *'condemned, as is known here: r43"'*) ;; *) fail "it says: $(restored)" ;; esac

step "the end"
switchd_start
wait_control 20 1 following
controller_stop 2 || fail "controller 2 ended with $?"
wait_control 15 1 leading
wait_status 20 "active condemned.# condemned.0.release" "blue 1 r43"
scn_done
