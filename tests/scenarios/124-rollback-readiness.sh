#!/bin/bash
# SPDX-License-Identifier: MIT
# Whether there is a way back now, and why not: a metric with its reasons, a line in status, a member of the API.
. "$(dirname "$0")/lib.sh"
SVC[bake]=1s
SVC[idle_interval]=500ms
scn_site 2
metric() { ctl metrics | grep -qxF "$1"; }
ready() { metric "switchd_rollback_ready{service=\"shop\"} $1"; }
blocked() { metric "switchd_rollback_blocked{service=\"shop\",reason=\"$1\"} ${2:-1}"; }
line() { ctl status shop | grep 'rollback target:'; }

step "after the first start the idle slot holds no known release"
ready 0 && blocked no_release && blocked features 0 || fail "$(ctl metrics | grep rollback_)"
case $(line) in *'none (green: release unknown)'*) ;; *) fail "$(line)" ;; esac

step "baked: the slot that was left is warm and proved"
deploy green r42 baked
expect_exit 0
wait_until 20 ready 1 || fail "$(status rollback_ready)"
expect_status "rollback_ready.ready rollback_ready.slot rollback_ready.why rollback_ready.blocked.#" "true blue  0"
case $(line) in *'rollback target: blue r41, warm, proved '*' ago') ;; *) fail "$(line)" ;; esac
ctl metrics | grep 'switchd_rollback_blocked' | grep -q ' 1$' && fail "blocked although ready: $(ctl metrics | grep rollback_)"

step "a feature is gone there"
app blue all lose quotes 404
wait_until 20 blocked features || fail "$(status rollback_ready)"
ready 0 || fail "ready without quotes"
case $(line) in *'rollback target: blue r41, not ready: quotes is absent on blue'*) ;; *) fail "$(line)" ;; esac
app blue all restore quotes
wait_until 30 ready 1 || fail "$(status rollback_ready)"

step "its targets are gone"
target_end blue 1
target_end blue 2
wait_until 20 blocked targets || fail "$(status rollback_ready)"
slot_start blue r41 || fail "blue"
wait_until 30 ready 1 || fail "$(status rollback_ready)"

step "it answers as another release"
app blue all release r7
wait_until 20 blocked identity || fail "$(status rollback_ready)"
app blue all release r41
wait_until 30 ready 1 || fail "$(status rollback_ready)"

step "sealed, claimed, condemned"
run seal shop -m "migration 118"
expect_exit 0
wait_until 10 blocked sealed || fail "$(status rollback_ready)"
run unseal shop -m "undone"
expect_exit 0
wait_until 20 ready 1 || fail "$(status rollback_ready)"
run claim shop --release r43 --json
expect_exit 0
wait_until 10 blocked claimed || fail "$(status rollback_ready)"
case $(line) in *'none (blue: claimed by '*) ;; *) fail "$(line)" ;; esac
run unclaim shop --claim "$(said claim)"
expect_exit 0
deploy blue r43 flipped
expect_exit 0
app blue all lose quotes 500
wait_status 20 "active phase condemned.#" "green steady 1"
wait_until 10 blocked condemned || fail "$(status rollback_ready)"
scn_done
