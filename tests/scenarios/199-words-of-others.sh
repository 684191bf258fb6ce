#!/bin/bash
# SPDX-License-Identifier: MIT
# What others say into the store: an agent that nobody listed shows versions that no commit ever gave, and moves nothing;
# another takes the lease away while a claim waits for its round, and the claim is refused, not kept for later.
# seconds: 120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/agent.sh"
TOP[lease_ttl]=2s
redis_start || fail "redis does not start"
scn_site 2
wait_status 20 "slots.blue.whole" true

# says NAME VALUE: a report of its own making.
says()
{
	local us word
	us=$(date +%s%6N) # two words of one stamp are one word
	word="{\"state\":\"ok\",\"proxies\":[{\"name\":\"p\",\"value\":\"$2\",\"durable\":true}]}"
	redis_cmd "HSET $KEY:g $1 \"1 1 $us ok d v -\"" >/dev/null
	redis_cmd "HSET $KEY:ga:$1 shop '$us $word'" >/dev/null
	redis_cmd "PUBLISH $KEY:ak \"ak1 $1 0 1 1 $us ok d v -\\nshop ${word//\"/\\\"}\"" >/dev/null
}

step "an agent shows a generation of the far future: no floor is made of it"
says liar green:4503599627370000.1:plain
wait_status 10 "fleet.agents.0.name fleet.agents.0.state" "liar ok"
redis_cmd FLUSHALL >/dev/null
wait_until 20 eval '[ "$(count_events store.restored)" = 1 ]' || fail "what was lost is not restored: $(events)"
gen=$(status version.gen)
[ "$gen" -lt $(($(date +%s) + 600)) ] || fail "the generation is $gen"
expect_status active blue

step "one that is plausible raises the version, and moves nothing"
says liar "green:$((gen + 5)).7:plain"
wait_status 10 "fleet.agents.0.value" "green:$((gen + 5)).7:plain"
redis_cmd FLUSHALL >/dev/null
wait_until 20 eval '[ "$(status version.gen)" -gt "$gen" ] && [ "$(count_events store.restored)" -ge 1 ]' || fail "what was lost is not restored: $(events)"
expect_status active blue
[ "$(status version.gen)" -gt $((gen + 5)) ] || fail "its version is no floor: $(status etag)"
expect_events store.regressed 0

step "another takes the lease while a claim waits for its round"
wait_status 20 "slots.blue.whole store.up proxies.0.state" "true true in-sync"
app green all lose quotes hang
ctl claim "$SERVICE" --release r42 --slot green --timeout 30s --json >"$SITE/claim.out" 2>&1 &
claim=$!
nap # if the lease goes before the claim is there, the answer is the same
redis_cmd "SET $KEY:lease \"99999999999 o-other -\" PX 60000" >/dev/null
wait_until 10 eval '[ "$(status store.state)" = following ]' || fail "it does not follow: $(status store.state)"
wait_until 5 gone_or_zombie $claim || fail "the claim waits still"
wait $claim
expect_eq "exit of the claim" $? 16
redis_cmd "DEL $KEY:lease" >/dev/null
wait_until 10 eval '[ "$(status store.state)" = leading ]' || fail "it does not lead again: $(status store.state)"
app green all restore all
expect_status "phase active" "steady blue"
scn_done
