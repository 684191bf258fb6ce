#!/bin/bash
# SPDX-License-Identifier: MIT
# While it bakes, what the new slot fails the old one answers: users of a GET see nothing, in any way a
# feature can fail that leaves an answer to be had; POSTs see it until the way back.
. "$(dirname "$0")/lib.sh"
SVC[bake]=30s
SVC[flip_budget]='{ max: 100, per: 24h }'
scn_site 2
# Many GETs of quotes: the way back is fast, and something must be caught.
LOAD_MIX=(--get '/api/quotes*20' --get '/expenses*3' --get / --post '/api/quotes*2')
load_start --rate 400
n=0
for how in 404 500 503 reset kill-worker; do
	n=$((n + 1))
	step "quotes: $how"
	deploy green r5$n flipped
	expect_exit 0
	caught=$(status shield_caught) count=$(shield_count blue)
	load_cmd more 60
	load_cmd mark lost$n
	app green all lose quotes $how
	wait_status 15 "active phase" "blue steady"
	load_cmd mark back$n
	load_cmd more 60
	expect_gets_kept lost$n
	expect_no_failures back$n
	app green all restore all
	# What is said to have been caught is what HAProxy counted, to the last answer.
	all_counted() { [ $(($(status shield_caught) - caught)) = $(($(shield_count blue) - count)) ]; }
	wait_until 5 all_counted || fail "shield_caught grew by $(($(status shield_caught) - caught)), HAProxy counted $(($(shield_count blue) - count))"
done
[ "$(shield_count blue)" -gt 0 ] || fail "the shield caught nothing in $n losses"

step "a path that answers 404 on purpose, and a POST, are left alone"
deploy green r60 flipped
expect_exit 0
expect_eq "GET of no feature" "$("$FAKES/ask" -s "http://$FRONT/invoice/7")" 404
# Held, so that the way back does not come before the POST was asked.
run hold shop -m "the POST first"
expect_exit 0
app green all lose quotes 500
expect_eq "POST" "$("$FAKES/ask" -s -X POST -d '{}' "http://$FRONT/api/quotes")" 500
run resume shop
expect_exit 0
wait_status 15 "active phase" "blue steady"
scn_done
