#!/bin/bash
# SPDX-License-Identifier: MIT
# A deploy is waited for while switchd restarts and Redis is away: a switchd that has not read the list of deploys yet
# says 404 for it, which is no reason to end with "usage".  When Redis is back the waiting ends as the deploy does.
. "$(dirname "$0")/lib.sh"
SVC[bake]=6s
redis_start || fail "redis does not start"
scn_site 2
load_start
slot_start green r42
ctl --no-input deploy "$SERVICE" --slot green --release r42 --wait=baked --timeout 60s --json >"$SITE/log/waited" 2>&1 &
waiting=$!
wait_status 20 "phase active" "baking green"

step "Redis and switchd die; switchd comes back alone"
redis_kill
switchd_kill
switchd_start
wait_until 20 eval '[ "$(status active)" = green ]' || fail "the journal's record is not known"
case $(ctl --url "unix:$SITE/switchd.sock" deploys shop 2>&1) in *r42*) skip "the list of deploys is known without the store" ;; esac
wait_until 5 gone_or_zombie $waiting && fail "it gave up: exit $(wait $waiting; echo $?): $(cat "$SITE/log/waited")"

step "Redis comes back"
redis_start || fail "redis does not start"
wait $waiting
expect_eq "the deploy that was waited for" $? 0
grep -q '"outcome": "baked"' "$SITE/log/waited" || fail "it says: $(cat "$SITE/log/waited")"
scn_done
