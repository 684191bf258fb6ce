#!/bin/bash
# SPDX-License-Identifier: MIT
# While it bakes, what the new slot fails the old one answers: users of a GET see nothing, in any way a
# feature can fail that leaves an answer to be had; POSTs see it until the way back.
. "$(dirname "$0")/lib.sh"
SVC[bake]=30s
SVC[flip_budget]='{ max: 100, per: 24h }'
scn_site 2
load_start
n=0
for how in 404 500 503 reset kill-worker; do
	n=$((n + 1))
	step "quotes: $how"
	deploy green r5$n flipped
	expect_exit 0
	caught=$(status shield_caught)
	load_cmd more 60
	load_cmd mark lost$n
	app green all lose quotes $how
	wait_status 15 "active phase" "blue steady"
	load_cmd mark back$n
	load_cmd more 60
	expect_gets_kept lost$n
	expect_no_failures back$n
	app green all restore all
	case $how in
	404|500|503)
		more_caught() { [ "$(status shield_caught)" -gt "$caught" ]; }
		wait_until 5 more_caught || fail "the shield caught nothing ($caught before, $(status shield_caught) after)" ;;
	esac
done

step "a path that answers 404 on purpose, and a POST, are left alone"
deploy green r60 flipped
expect_exit 0
expect_eq "GET of no feature" "$("$FAKES/ask" -s "http://$FRONT/invoice/7")" 404
app green all lose quotes 500
expect_eq "POST" "$("$FAKES/ask" -s -X POST -d '{}' "http://$FRONT/api/quotes")" 500
wait_status 15 "active phase" "blue steady"
scn_done
