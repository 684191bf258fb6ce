#!/bin/bash
# SPDX-License-Identifier: MIT
# The tests are too old; condemned bits under a new name; a gate that is set aside by who may, and is in the audit.
. "$(dirname "$0")/lib.sh"
TOP[auth]="{ tokens_file: $SITE/tokens }"
for who in 'deploy ci' 'operate ann'; do
	read -r role name <<<"$who"
	printf '%s %s sha256:%s\n' "$name" "$role" "$(printf '%s' "secret-of-$name" | sha256sum | cut -d' ' -f1)"
	printf 'secret-of-%s' "$name" >"$SITE/token.$name"
done >"$SITE/tokens"
GATES_MORE='age: 1h'
SVC[bake]=3s
scn_site 2

step "tests of yesterday"
manifest "$SITE/m.json" r42 tests.at="$(date -u -d '2 hours ago' +%Y-%m-%dT%H:%M:%SZ)"
run claim shop --release r42 --manifest "$SITE/m.json"
expect_exit 10
grep -q 'age: the tests ran 2h ago, at most 1h are allowed' "$SITE/ctl.err" || fail "age: $(cat "$SITE/ctl.err")"

step "all gates are told at once, also by a dry run"
manifest "$SITE/m.json" r42 tests.at="$(date -u -d '2 hours ago' +%Y-%m-%dT%H:%M:%SZ)" tests.result=failed
run deploy shop --slot green --release r42 --manifest "$SITE/m.json" --dry-run --json
expect_exit 10
expect_eq "gates" "$(said gates.0.gate gates.0.result gates.1.gate gates.1.result gates.2.gate gates.2.result gates.3.gate gates.4.gate)" \
	"toolchain refuse age refuse condemned pass identity features"
expect_status "phase deploy" "steady null"
manifest "$SITE/m.json" r40
run deploy shop --slot green --release r40 --manifest "$SITE/m.json" --dry-run
expect_exit 0
case $SAID in *'pass'*'toolchain'*'pass'*'features'*) ;; *) fail "dry run: $SAID" ;; esac

step "to set a gate aside takes the role operate, and a reason"
manifest "$SITE/m.json" r42 tests.builder_version=3.9.1
as() { local who=$1; shift; run --url "http://$OPERATORS" --token-file "$SITE/token.$who" "$@"; }
as ci claim shop --release r42 --manifest "$SITE/m.json" --skip-gate toolchain -m "hotfix" --json
expect_exit 10
expect_eq "code" "$(said code)" forbidden
as ann claim shop --release r42 --manifest "$SITE/m.json" --skip-gate toolchain --json
expect_exit 2
as ann claim shop --release r42 --skip-gate tolchain -m x --json
expect_exit 2
expect_status "phase" steady
slot_start green r42
as ann deploy shop --slot green --release r42 --manifest "$SITE/m.json" --skip-gate toolchain -m "hotfix for INC-7" --timeout 40s --json
expect_exit 0
expect_eq "deploy" "$(said outcome skip gates.0.gate gates.0.result)" "baked toolchain toolchain skipped"
case $(said gates.0.text) in *'set aside by ann: hotfix for INC-7 (it says: tests ran with builder_version 3.9.1'*) ;; *) fail "text: $(said gates.0.text)" ;; esac
SAID=$(ctl timeline shop --json)
case $SAID in *'set aside by ann: toolchain (hotfix for INC-7)'*) ;; *) fail "not in the audit" ;; esac

step "r43 loses quotes in its bake: rolled back, condemned by name and by bits"
manifest "$SITE/m.json" r43
slot_start blue r43
run deploy shop --slot blue --release r43 --manifest "$SITE/m.json" --wait=flipped --timeout 40s --json
expect_exit 0
app blue all lose quotes 500
wait_status 20 "active phase condemned.0.release condemned.0.digest" "green steady r43 sha256:r43"

step "the same bits under a new name are known"
manifest "$SITE/m.json" r44 digest=sha256:r43 tests.digest=sha256:r43
run claim shop --release r44 --manifest "$SITE/m.json" --json
expect_exit 10
expect_eq "code" "$(said code)" condemned
case $(said detail) in *'r44 has the same bits as r43 (sha256:r43)'*) ;; *) fail "detail: $(said detail)" ;; esac
deploy blue r44 baked --manifest "$SITE/m.json"
expect_exit 10
grep -q 'refused  *condemned: the same bits as r43' "$SITE/ctl.err" || fail "not among the gates: $(cat "$SITE/ctl.err")"
expect_status "active release" "green r42"
scn_done
