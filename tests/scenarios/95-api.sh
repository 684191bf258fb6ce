#!/bin/bash
# SPDX-License-Identifier: MIT
# The HTTP API as a program sees it: roles by token, If-Match, a repeated request done once (also across a restart),
# dry runs that move nothing, waiting for a deploy, the event stream, metrics; and Redis away: the last known answer
# for load balancers, 503 and nothing acknowledged for orders.
. "$(dirname "$0")/lib.sh"
TOP[auth]="{ tokens_file: $SITE/tokens }"
for role in read deploy operate; do
	echo "$role $role sha256:$(printf 'secret-of-%s' $role | sha256sum | cut -d' ' -f1)"
done >"$SITE/tokens"
redis_start || fail "redis does not start"
scn_site 2

# api STATUS ROLE METHOD PATH [BODY] [HEADER]: what came back is in $SAID.
api()
{
	local want=$1 role=$2 method=$3 path=$4 body=${5:-} header=${6:-} got args=(-t 30 -i -X "$3")
	[ "$role" = none ] || args+=(-H "Authorization: Bearer secret-of-$role")
	[ -z "$body" ] || args+=(-H "Content-Type: ${TYPE:-application/json}" -d "$body")
	[ -z "$header" ] || args+=(-H "$header")
	got=$("$FAKES/ask" "${args[@]}" "http://$OPERATORS$path" | tr -d '\r')
	HEAD=${got%%$'\n\n'*}
	SAID=${got#*$'\n\n'}
	got=${HEAD#* }
	got=${got%% *}
	printf '%s %s as %s: %s\n%s\n' "$method" "$path" "$role" "$got" "$SAID" >>"$SITE/log/ctl"
	[ "$got" = "$want" ] || fail "$method $path as $role: $got, want $want: $SAID"
}

step "roles by token"
api 401 none GET /v1/services
api 401 wrong GET /v1/services
api 200 read GET /v1/services/shop
case $HEAD in *'ETag: "'*) ;; *) fail "no ETag: $HEAD" ;; esac
api 403 read POST /v1/services/shop/claim '{"release":"r42"}'
api 201 deploy POST /v1/services/shop/claim '{"release":"r42"}'
expect_eq "slot" "$(said slot)" green
expect_eq "targets" "$(said 'targets.#')" 2
api 200 deploy DELETE /v1/services/shop/claim
expect_status claim null
api 403 deploy POST /v1/services/shop/flip '{}'
api 403 deploy PUT /v1/services/shop/hold '{"message":"x"}'
api 403 read PUT /v1/services/shop/seal '{"message":"x"}'
! grep -rqa 'secret-of' "$SITE/log/switchd" || fail "a token is in the log"

step "bad requests are named and move nothing"
api 400 operate POST /v1/services/shop/flip '{"too":"green"}'
case $SAID in *'unknown member \"too\"'*) ;; *) fail "$SAID" ;; esac
api 400 operate POST /v1/services/shop/flip '{"to":'
case $SAID in *'line 1 column'*) ;; *) fail "$SAID" ;; esac
api 413 operate POST /v1/services/shop/flip "$(printf '{"message":"%070000d"}' 1)"
TYPE=text/plain api 415 operate POST /v1/services/shop/flip '{}'
api 400 operate POST '/v1/services/shop/flip?dryrun=1' '{}'
api 404 operate POST /v1/services/sho/flip '{}'
api 405 operate POST /v1/services/shop '{}'
expect_events flip.decided 0

step "the version that the caller saw"
epoch=$(status version.epoch) etag=$(status etag)
api 412 operate PUT /v1/services/shop/hold '{"message":"stale"}' "If-Match: $((epoch + 1))"
expect_eq "exit" "$(said exit)" 15
expect_status hold null
api 200 operate PUT /v1/services/shop/hold '{"message":"bare"}' "If-Match: $epoch"
api 200 operate DELETE /v1/services/shop/hold
api 200 operate PUT /v1/services/shop/hold '{"message":"whole"}' "If-Match: \"$etag\""
expect_status "hold.why hold.by" "whole operate"

step "held: 423"
api 423 operate POST /v1/services/shop/flip '{"to":"green"}'
expect_eq "exit" "$(said exit)" 14
api 200 operate DELETE /v1/services/shop/hold

step "the same request twice is done once"
n=$(count_events hold.set)
api 200 operate PUT /v1/services/shop/hold '{"message":"once"}' "Idempotency-Key: run-7"
expect_eq "dup" "$(said dup)" false
api 200 operate DELETE /v1/services/shop/hold
api 200 operate PUT /v1/services/shop/hold '{"message":"once"}' "Idempotency-Key: run-7"
expect_eq "dup" "$(said dup)" true
expect_status hold null
expect_events hold.set $((n + 1))
switchd_stop || fail "switchd ended with $?"
switchd_start
wait_until 20 switchd_ready blue || fail "switchd does not come back"
api 200 operate PUT /v1/services/shop/hold '{"message":"once"}' "Idempotency-Key: run-7"
expect_eq "dup after a restart" "$(said dup)" true
expect_events hold.set $((n + 1))
wait_status 20 "slots.blue.state slots.blue.whole suspect" "good true false"

step "dry runs say what would be, and nothing is"
before=$(status active etag phase 'deploy')
map=$(map_value)
api 200 operate POST '/v1/services/shop/deploys?dry_run=1' '{"release":"r42","slot":"green"}'
expect_eq "status" "$(said status)" dry-run
api 200 operate POST '/v1/services/shop/claim?dry_run=1' '{"release":"r42"}'
api 200 operate PUT '/v1/services/shop/hold?dry_run=1' '{"message":"x"}'
api 200 operate PUT '/v1/services/shop/seal?dry_run=1' '{"message":"x"}'
api 200 operate PUT '/v1/services/shop/features/quotes/mute?dry_run=1' '{"message":"x","for":"5m"}'
expect_eq "after the dry runs" "$(status active etag phase deploy)" "$before"
expect_eq "the map" "$(map_value)" "$map"

step "a deploy is waited for; its events are streamed"
last=$(ctl timeline shop --json 2>/dev/null | "$FAKES/jget" events.#)
last=$(ctl timeline shop --json 2>/dev/null | "$FAKES/jget" events.$((last - 1)).id)
slot_start green r42 || fail "targets do not start"
api 201 deploy POST /v1/services/shop/deploys '{"release":"r42","slot":"green"}'
case $HEAD in *"Location: /v1/services/shop/deploys/$(said deploy)"*) ;; *) fail "no Location: $HEAD" ;; esac
id=$(said deploy)
api 200 read GET "/v1/services/shop/deploys/$id?wait=60s&for=flipped"
expect_eq "flipped" "$(said phase)" baking
api 200 read GET "/v1/services/shop/deploys/$id?wait=60s&for=baked"
expect_eq "baked" "$(said outcome active)" "baked green"
api 404 read GET "/v1/services/shop/deploys/99"
# Four events (id, event, data, blank each), and the greeting before them, from the last one seen on.
"$FAKES/ask" -t 20 -l 18 -H 'Authorization: Bearer secret-of-read' -H "Last-Event-ID: $last" "http://$OPERATORS/v1/events" >"$SITE/log/events" ||
	fail "no events: $(cat "$SITE/log/events")"
for kind in deploy.started flip.decided flip.observed bake.done; do
	grep -q "\"kind\":\"$kind\"" "$SITE/log/events" || fail "no $kind in the stream: $(cat "$SITE/log/events")"
done
! grep -q 'event: gap' "$SITE/log/events" || fail "a gap where nothing is missing"

step "metrics"
"$FAKES/ask" "http://$OPERATORS/metrics" >"$SITE/metrics" || fail "no metrics"
grep -q '^switchd_armed{service="shop"} 1$' "$SITE/metrics" || fail "not armed: $(grep armed "$SITE/metrics")"
grep -q '^switchd_move_observed_seconds{service="shop"} 0\.' "$SITE/metrics" || fail "the last move was not observed"
if command -v promtool >/dev/null; then
	promtool check metrics <"$SITE/metrics" >"$SITE/log/promtool" 2>&1 || fail "promtool: $(cat "$SITE/log/promtool")"
fi

step "Redis dies: the last known answer, and it says how old it is"
redis_kill
wait_status 15 store.up false
got=$("$FAKES/ask" -i "http://$HTTP/slot/shop/green" | tr -d '\r')
case $got in *' 200 '*[Ss]witchd-[Ss]tale:*) ;; *) fail "$got" ;; esac
case $got in *"Switchd-Epoch: $(status etag)"*) ;; *) fail "$got" ;; esac
expect_eq "the other slot" "$("$FAKES/ask" -s "http://$HTTP/slot/shop/blue")" 503
expect_eq "readyz" "$("$FAKES/ask" -s "http://$HTTP/readyz")" 503
api 503 operate POST /v1/services/shop/flip '{"to":"blue"}'
expect_eq "acknowledged" "$(said acknowledged moved)" "false false"
api 503 deploy POST /v1/services/shop/deploys '{"release":"r43","slot":"blue"}'
api 202 operate PUT /v1/services/shop/hold '{"message":"INC-1"}'
expect_eq "status" "$(said status)" offline
api 200 read GET /v1/services/shop/timeline
expect_eq "complete" "$(said complete)" false
redis_start || fail "redis does not start"
wait_status 20 "store.up store.pending hold.why" "true false INC-1"
expect_status active green
api 200 operate DELETE /v1/services/shop/hold

step "guessing tokens is slowed down"
for _ in 1 2 3 4 5; do "$FAKES/ask" -s -H 'Authorization: Bearer guess' "http://$OPERATORS/v1/services" >/dev/null; done
expect_eq "after many guesses" "$("$FAKES/ask" -s -H 'Authorization: Bearer secret-of-read' "http://$OPERATORS/v1/services")" 429
expect_eq "load balancers" "$("$FAKES/ask" -s "http://$HTTP/active/shop")" 200
scn_done
