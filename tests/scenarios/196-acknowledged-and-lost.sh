#!/bin/bash
# SPDX-License-Identifier: MIT
# The store commits a hold and is emptied before anybody has read the event: the order was acknowledged, so it is in the
# archive all the same, once, and where its id belongs; the record is restored from what the leader knows (I3).  So it is
# where the store says nothing more after its answer, and the leader is killed before it could ask again.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/failpoints.sh"
redis_start || fail "redis does not start"
fp_begin
scn_site 2
load_start
load_cmd mark begin
ids() { cat "$STATE"/archive/*.jsonl | sed -n 's/.*"id":"\([0-9]*-[0-9]*\)".*/\1/p'; }
wait_until 5 eval '[ "$(ids | wc -l)" -ge 2 ]' || fail "the archive does not begin: $(ids)"

step "committed, and emptied before switchd reads the answer"
arm store.after-commit wait
ctl hold shop -m INC-9 --json >"$SITE/hold.out" 2>&1 &
hold=$!
wait_until 10 reached store.after-commit || fail "the hold does not pass store.after-commit"
gen=$(redis_cmd "HGET switchd:{0}:meta gen" | sed -n 2p)
expect_eq "FLUSHALL" "$(redis_cmd FLUSHALL)" +OK
let_go store.after-commit
wait $hold
expect_eq "exit of the hold" $? 0

step "the record is restored, and nothing of what was said is lost"
wait_until 20 eval '[ "$(status version.gen)" -gt "$gen" ]' || fail "no new generation: $(status version.gen), was $gen"
wait_status 20 "store.up loaded active hold.why" "true true blue INC-9"
wait_until 10 eval 'grep -q "\"kind\":\"store.restored\"" "$STATE"/archive/*.jsonl' || fail "the archive does not go on: $(ids)"
expect_eq "holds in the archive" "$(cat "$STATE"/archive/*.jsonl | grep -c '"kind":"hold.set"')" 1
wait_until 10 eval 'grep "\"kind\":\"store.lost\"" "$STATE"/archive/*.jsonl | grep -q "what status shows is what is in force.*hold.set by uid:"' || fail "it is not said what was lost"
grep -q '"kind":"archive.gap"' "$STATE"/archive/*.jsonl && fail "a gap: $(grep archive.gap "$STATE"/archive/*.jsonl)"
expect_eq "ids in their order" "$(ids)" "$(ids | sort -t- -k1,1n -k2,2n -u)"
load_cmd more 40
expect_no_failures begin
expect_agreement

step "committed, and the store answers nothing more"
arm store.after-commit wait
ctl resume shop --json >"$SITE/resume.out" 2>&1 &
resume=$!
wait_until 10 reached store.after-commit || fail "the resume does not pass store.after-commit"
kill -STOP "$(pid_of redis)"
let_go store.after-commit
wait $resume
expect_eq "exit of the resume" $? 0
cleared() { grep -c '"kind":"hold.cleared"' "$STATE"/archive/*.jsonl; }
wait_until 3 eval '[ "$(cleared)" = 1 ]' || fail "it is not in the archive: $(ids)"

step "the leader is killed, and the store loses it"
switchd_kill
kill -CONT "$(pid_of redis)"
expect_eq "FLUSHALL" "$(redis_cmd FLUSHALL)" +OK
switchd_start
wait_until 20 switchd_ready blue || fail "switchd is not ready: $(status)"
wait_status 20 "store.up loaded active hold" "true true blue null"
wait_until 10 eval '[ "$(grep -c "\"kind\":\"store.restored\"" "$STATE"/archive/*.jsonl)" = 2 ]' || fail "the archive does not go on: $(ids)"
expect_eq "ends of the hold in the archive" "$(cleared)" 1
grep -q '"kind":"archive.gap"' "$STATE"/archive/*.jsonl && fail "a gap: $(grep archive.gap "$STATE"/archive/*.jsonl)"
expect_eq "ids in their order" "$(ids)" "$(ids | sort -t- -k1,1n -k2,2n -u)"
load_cmd more 40
expect_no_failures begin
scn_done
