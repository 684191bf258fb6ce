#!/bin/bash
# SPDX-License-Identifier: MIT
# The tests ran with another version of the build tool: the claim is refused before a byte of the idle slot is touched, and
# so is a deploy that comes all the same.  Without a manifest nothing is passed, and require: refuses it.
. "$(dirname "$0")/lib.sh"
scn_site 2
load_start
load_cmd mark begin
before=$(status active version.gen version.epoch slots.green.release slots.green.state rollback_target)

step "claimed with a manifest of another tool: refused, nothing is touched"
manifest "$SITE/m.json" r42 tests.builder_version=3.9.1 || fail "manifest add"
run claim shop --release r42 --manifest "$SITE/m.json" --json
expect_exit 10
expect_eq "code" "$(said code)" gate-refused
expect_eq "gates" "$(said gates.0.gate gates.0.result gates.1.gate gates.1.result)" "toolchain refuse condemned pass"
grep -q 'refused  *toolchain: tests ran with builder_version 3.9.1, build used 4.0.2' "$SITE/ctl.err" || fail "not said to people: $(cat "$SITE/ctl.err")"
grep -q -- '--skip-gate' "$SITE/ctl.err" || fail "no next step"
expect_status "active version.gen version.epoch slots.green.release slots.green.state rollback_target" "$before"
expect_status "phase claim" "steady null"
expect_events gate.refused 1

step "in one line: the command that would fill the slot never runs"
ship_script "$SITE/ship"
run deploy shop --release r42 --manifest "$SITE/m.json" -- "$SITE/ship" r42
expect_exit 10
[ "$("$FAKES/sockcmd" "$SITE/green1.sock" stats | "$FAKES/jget" release)" = r40 ] || fail "green was overwritten"
expect_events claim.taken 0

step "announced all the same: the deploy is refused, with a number, and traffic stays"
deploy green r42 baked --manifest "$SITE/m.json"
expect_exit 10
expect_eq "outcome" "$(said outcome active gates.0.gate gates.0.result)" "refused blue toolchain refuse"
case $(said reason) in *'tests ran with builder_version 3.9.1, build used 4.0.2'*) ;; *) fail "reason: $(said reason)" ;; esac
expect_status "active slots.green.state rollback_target" "blue refused null"
expect_status "gates.0.gate gates.0.result slots.green.manifest.builder.version" "toolchain refuse 4.0.2"
expect_events gate.refused 3

step "a manifest that cannot be read, and one that is of another release: the field is named"
echo '{"digest": "d", "tests": {"at": "yesterday"}}' >"$SITE/bad.json"
deploy green r42 baked --manifest "$SITE/bad.json"
expect_exit 10
case $(said reason) in *'tests.at: want a time'*) ;; *) fail "reason: $(said reason)" ;; esac
manifest "$SITE/m.json" r43
deploy green r42 baked --manifest "$SITE/m.json"
expect_exit 10
case $(said reason) in *'the manifest is of r43, announced was r42'*) ;; *) fail "reason: $(said reason)" ;; esac
run deploy shop --release r42 --manifest "$SITE/none.json" --json
expect_exit 10
manifest "$SITE/m.json" r42 tests.builder_version=
run claim shop --release r42 --manifest "$SITE/m.json"
expect_exit 10
grep -q 'the manifest has no tests.builder_version' "$SITE/ctl.err" || fail "the missing field is not named"

step "without a manifest nothing is passed"
deploy green r44 baked
expect_exit 0
expect_eq "toolchain" "$(said gates.0.gate gates.0.result gates.0.text)" "toolchain not_checked no manifest"
expect_status "gates.0.gate gates.0.result" "toolchain not_checked"

step "and require: refuses it, at the claim and at the deploy"
GATES_MORE='require: [toolchain]'
site_config
kill -HUP "$(pid_of switchd)"
required() { ctl config show shop | grep -q 'require: \[toolchain\]'; }
wait_until 10 required || fail "the reload did not come"
run claim shop --release r45 --json
expect_exit 10
expect_eq "gates" "$(said gates.0.gate gates.0.result)" "toolchain refuse"
deploy blue r45 baked
expect_exit 10
case $(said reason) in *'toolchain: required, and not checked: no manifest'*) ;; *) fail "reason: $(said reason)" ;; esac
manifest "$SITE/m.json" r45
deploy blue r45 baked --manifest - <"$SITE/m.json"
expect_exit 0
expect_status "active slots.blue.digest slots.blue.manifest.commit gates.0.result" "blue sha256:r45 9f31c2 pass"
expect_no_failures begin
scn_done
