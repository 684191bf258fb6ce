#!/bin/bash
# SPDX-License-Identifier: MIT
# A reload while a proxy that does not answer is still being told, and is to be told again: what was under way is
# cancelled, nothing is begun on what is being closed, and the proxy is told by the new configuration.
. "$(dirname "$0")/lib.sh"
scn_site 2
load_start
deploy green r42 baked
expect_exit 0

step "HAProxy stands still; it is to be told of the way back, and of the seal"
kill -STOP "$(pid_of haproxy)"
run rollback shop -y --timeout 100ms
expect_exit 13
run seal shop -m "migration 118"
expect_exit 0
kill -HUP "$(pid_of switchd)"
wait_until 10 grep -aq 'info reload ok=1' "$SITE/log/switchd" || fail "it was not reloaded"
kill -CONT "$(pid_of haproxy)"
wait_status 20 "active proxies.0.state" "blue in-sync"
expect_agreement
load_cmd more 60
CHECK_VERSIONS=''       # nobody could ask HAProxy meanwhile
scn_done
