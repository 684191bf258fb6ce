#!/bin/bash
# SPDX-License-Identifier: MIT
# A program has a say before the flip: its exit code, its deadline, and what it is told.
. "$(dirname "$0")/lib.sh"
cat >"$SITE/may-deploy" <<SH
#!/bin/bash
env | sort >"$SITE/told"
echo "args: \$*" >>"$SITE/told"
read -r word <"$SITE/word"
case \$word in
yes) exit 0 ;;
no) echo "frozen until Monday" >&2; exit 3 ;;
sleep) exec sleep 60 ;;
esac
SH
chmod 755 "$SITE/may-deploy"
GATES_MORE="command: { exec: [ '$SITE/may-deploy', --strict ], timeout: 2s }"
SVC[bake]=2s
scn_site 1
load_start
load_cmd mark begin

step "it says yes"
echo yes >"$SITE/word"
manifest "$SITE/m.json" r42
deploy green r42 baked --manifest "$SITE/m.json"
expect_exit 0
expect_status "active" green
expect_eq "the gate" "$(said gates.4.gate gates.4.result)" "command pass"
for line in SWITCHD_SERVICE=shop SWITCHD_SLOT=green SWITCHD_RELEASE=r42 SWITCHD_DIGEST=sha256:r42 SWITCHD_COMMIT=9f31c2 'args: --strict'; do
	grep -qx -- "$line" "$SITE/told" || fail "it was not told $line: $(cat "$SITE/told")"
done
! grep -q "^SWITCHD_URL=\|^HOME=" "$SITE/told" || fail "it inherited an environment"

step "it says no"
echo no >"$SITE/word"
deploy blue r43 baked
expect_exit 10
case $(said reason) in *"may-deploy ended with 3: frozen until Monday"*) ;; *) fail "reason: $(said reason)" ;; esac
expect_status "active slots.blue.state" "green refused"

step "it does not end: killed, and refused"
echo sleep >"$SITE/word"
deploy blue r44 baked
expect_exit 10
case $(said reason) in *"did not end in 2000 ms"*) ;; *) fail "reason: $(said reason)" ;; esac

step "set aside: it is not run"
rm -f "$SITE/told"
deploy blue r45 baked --skip-gate command -m "the calendar is wrong"
expect_exit 0
expect_eq "the gate" "$(said gates.4.gate gates.4.result)" "command skipped"
[ ! -e "$SITE/told" ] || fail "it was run all the same"

step "a program that others can write is not run"
echo yes >"$SITE/word"
chmod 777 "$SITE/may-deploy"
deploy green r46 baked
expect_exit 10
case $(said reason) in *"may-deploy"*) ;; *) fail "reason: $(said reason)" ;; esac
expect_no_failures begin
scn_done
