#!/bin/bash
# SPDX-License-Identifier: MIT
# The embedded redis-server never outlives switchd, however that ends; a second switchd on the same state
# directory does not start a second one; a clean stop stops it.
. "$(dirname "$0")/lib.sh"
need_proc
scn_site 2
before=$(status version.gen version.epoch active)

step "kill -9 of switchd: its redis-server goes with it"
redis=$(child_named "$(pid_of switchd)" "$REDIS_SERVER") || fail "no redis-server"
switchd_kill
wait_until 5 gone_or_zombie "$redis" || fail "an orphan: redis-server $redis"

step "started again: the same record"
switchd_start
wait_until 20 switchd_ready blue || fail "switchd does not come back"
expect_status "version.gen version.epoch active" "$before"

step "a second switchd on this directory gets nowhere"
sed "s,$HTTP,127.0.0.1:$(("${HTTP##*:}" + 4000)),; s,$OPERATORS,127.0.0.1:$(("${OPERATORS##*:}" + 4000)),; s,$SITE/switchd.sock,$SITE/second.sock," "$CONFIG" >"$SITE/second.yaml"
setsid "$BIN/switchd" -c "$SITE/second.yaml" </dev/null >"$SITE/log/second" 2>&1 &
second=$!
sleep 2
child_named $second "$REDIS_SERVER" && fail "two redis-servers on one directory"
end_pid TERM $second 15
switchd_ready blue || fail "the first one suffered"

step "a clean stop stops it"
redis=$(child_named "$(pid_of switchd)" "$REDIS_SERVER") || fail "no redis-server"
switchd_stop || fail "switchd ended with $?"
gone_or_zombie "$redis" || fail "redis-server $redis is still there after a clean stop"
front_answers || fail "the front does not answer with switchd stopped"
switchd_start
wait_until 20 switchd_ready blue || fail "switchd does not come back"
scn_done
