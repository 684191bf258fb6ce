#!/bin/bash
# SPDX-License-Identifier: MIT
# Whatever stands in Redis: a lower version, another commit of the same version, what is no record at all. Nothing changes,
# and it is said.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/agent.sh"
agent_site 1
load_start
agent_start
commit 5 green plain r40 c-5 forward
wait_map 10 green:$GEN.5:plain
wait_report 10 state ok
load_cmd mark poison

step "a lower version"
commit 4 blue plain r41 c-4 force
wait_report 10 "state why" "ahead $GEN.4 was told, $GEN.5 is held"
map_stays green:$GEN.5:plain

step "another commit of the same version"
commit 5 blue plain r41 x-5 force
wait_report 10 "state why" "fork $GEN.5 was told of commit x-5, and is held of c-5"
map_stays green:$GEN.5:plain
case $(report_head) in *" fork "*) ;; *) fail "head of the report: $(report_head)" ;; esac

step "a generation that no clock has reached"
GEN=9007199254740991 commit 1 blue plain r41 x-6 force
wait_report 10 state refused
map_stays green:$GEN.5:plain
expect_eq refused "$(metric 'refused_total{service="shop"}')" 1

step "what is no record"
poison()
{
	LINE=$1
	record_set
	record_publish
	map_is green:$GEN.5:plain || fail "map after '$1': $(map_value)"
}
record 9 blue plain r41 x-9 force
for what in purple "" "sw2" "${LINE/ 9 blue/ NaN blue}" "${LINE/ 9 blue/ 1e9 blue}" "${LINE/ 9 blue/ -9 blue}" "${LINE/ blue / purple }" "${LINE/ plain / maybe }" \
	"${LINE/ x-9 / x\\x009 }" "${LINE/sw2/sw3}" "$LINE more" "${LINE/ force/ please}" "${LINE/ r41 / r41;set }"; do
	poison "$what"
done
T=10 redis_cmd "EVAL \"return redis.call('SET', KEYS[1], string.rep('x', 10485760))\" 1 $KEY:a:shop" >/dev/null
heartbeat
T=10 redis_cmd "EVAL \"return redis.call('PUBLISH', KEYS[1], 'push shop ' .. string.rep('y', 10485760))\" 1 $KEY:ev" >/dev/null
map_stays green:$GEN.5:plain
wait_report 10 state refused
redis_cmd "DEL $KEY:a:shop" >/dev/null
redis_cmd "HSET $KEY:a:shop a b" >/dev/null
SEQ=$((SEQ + 1))
redis_cmd "HSET $KEY:meta top $SEQ" >/dev/null
heartbeat
map_stays green:$GEN.5:plain
expect_eq "the store is up" "$(metric up)" 1
redis_cmd FLUSHALL >/dev/null
heartbeat
map_stays green:$GEN.5:plain

step "a good one is taken all the same"
commit 6 blue plain r41 c-6 forward
wait_map 20 blue:$GEN.6:plain
wait_report 20 "state version" "ok $GEN.6"
load_cmd more 20
expect_no_failures poison
agent_done
