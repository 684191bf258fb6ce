#!/bin/bash
# SPDX-License-Identifier: MIT
# A slot whose addresses stand in a file: what is in the file counts from the next claim or deploy on, and not before:
# neither while the slot is filled, nor in the bake, nor by a restart or a reload. A file that is empty, wrong or
# gone refuses by name, and the list before it stays.
. "$(dirname "$0")/lib.sh"
SVC[bake]=10m
LIST=
addresses() { : >"$SITE/$1.new"; local n; for n in $2; do echo "127.0.0.1:${TARGET_PORT[$1$n]}   # target $n" >>"$SITE/$1.new"; done; mv "$SITE/$1.new" "$SITE/$1.targets"; }
# eval: the site's own list of a slot becomes its file.
targets_list() { if [ -n "$LIST" ]; then echo "file:$SITE/$1.targets"; else local n; for n in 1 2 3; do printf '%s127.0.0.1:%s' "${list:+, }" "${TARGET_PORT[$1$n]}"; local list=1; done; echo; fi; }
probed() { status "slots.$1.targets.#" "slots.$1.in"; }
read_at() { status "slots.$1.addresses.read_at"; }

step "a site with 3 targets a slot, of which the files name 2"
site_begin 3 || fail "no free ports"
slot_start blue r41 && slot_start green r40 || fail "targets do not start"
site_config
haproxy_config || fail "haproxy -c"
haproxy_start || fail "haproxy does not start"
addresses blue "1 2"
LIST='file'
site_config
switchd_start
wait_until 20 switchd_ready blue || fail "switchd is not ready"
wait_status 20 "slots.blue.state slots.blue.whole slots.blue.release" "good true r41"
watch_begin

step "the file of the idle slot is not there yet: no targets, unknown, and said"
expect_eq "targets of blue" "$(probed blue)" "2 2"
wait_status 10 "slots.green.targets.# slots.green.whole features.0.slots.green.verdict" "0 false unknown"
wait_until 10 eval '[ -n "$(status slots.green.addresses.why)" ]' || fail "it does not say why there are none"
run claim shop --release r42 --json; expect_exit 10
case "$SAID $(cat "$SITE/ctl.err")" in *"$SITE/green.targets: No such file"*) ;; *) fail "the refusal does not name the file: $SAID" ;; esac
expect_status "phase claim" "steady null"

step "a file that comes later is read in the background, once"
addresses green "1 2"
wait_status 20 "slots.green.targets.# slots.green.in slots.green.addresses.why" "2 2 "
addresses green "1 2 3"
first=$(read_at green)

step "what is in it now counts at the claim"
run claim shop --release r42 --json; expect_exit 0
expect_eq "targets of the claim" "$(said targets.#)" 3
case $(said detail) in *"green: 3 targets of file:$SITE/green.targets, 1 new"*) ;; *) fail "the answer does not say what changed: $(said detail)" ;; esac
claim=$(said claim)
expect_eq "targets of green" "$(status slots.green.targets.#)" 3
[ "$(read_at green)" -gt "$first" ] || fail "the time of the reading is the old one"
run timeline shop --json
case $SAID in *"green: 3 targets of file:"*) ;; *) fail "the event does not say what changed" ;; esac

step "not while it is filled, and not by a restart; the active slot's list stays too"
addresses green "2 3"
addresses blue "1"
switchd_kill
rm -f "$SITE/blue.targets"
switchd_start
wait_until 20 switchd_ready blue || fail "switchd is not ready again"
wait_status 20 "phase slots.green.targets.# slots.blue.targets.# slots.blue.whole" "filling 3 2 true"

step "the deploy reads it again"
slot_start green r42
run deploy shop --slot green --release r42 --claim "$claim" --wait=flipped --timeout 40s --json; expect_exit 0
wait_status 20 "active phase slots.green.targets.# slots.green.targets.0.address" "green baking 2 127.0.0.1:${TARGET_PORT[green2]}"

step "frozen while it bakes: the file changes, a reload comes, the daemon starts anew"
before=$(read_at green)
: >"$SITE/green.targets"
kill -HUP "$(pid_of switchd)"
wait_until 10 eval 'grep -aq " reload ok=1 " "$SITE/log/switchd"' || fail "no reload: $(tail -n 3 "$SITE/log/switchd")"
expect_status "active phase slots.green.targets.# slots.green.addresses.read_at" "green baking 2 $before"
switchd_kill
switchd_start
wait_until 20 switchd_ready green || fail "switchd is not ready a third time"
wait_status 20 "active phase slots.green.targets.# slots.green.whole slots.green.addresses.read_at" "green baking 2 true $before"

step "an empty, a wrong and a missing file refuse the other slot by name; its list stays"
run rollback shop -y -m enough; expect_exit 0
wait_status 20 "active phase" "blue steady"
run claim shop --release r43 --json; expect_exit 10
case "$SAID $(cat "$SITE/ctl.err")" in *targets-unread*"green.targets: there is no target in it"*|*"green.targets: there is no target in it"*targets-unread*) ;;
*) fail "not refused by name: $SAID $(cat "$SITE/ctl.err")" ;; esac
printf '# two\n127.0.0.1:%s\n\n127.0.0.1:%s/x\n' "${TARGET_PORT[green1]}" "${TARGET_PORT[green2]}" >"$SITE/green.targets"
run deploy shop --slot green --release r43 --wait=flipped --json; expect_exit 10
case "$SAID $(cat "$SITE/ctl.err")" in *"green.targets:4: a target has no path"*) ;; *) fail "not refused with its line: $SAID $(cat "$SITE/ctl.err")" ;; esac
echo "127.0.0.1:${TARGET_PORT[blue1]}" >"$SITE/green.targets"
run claim shop --release r43 --json; expect_exit 10
case "$SAID $(cat "$SITE/ctl.err")" in *"is in slot blue already"*) ;; *) fail "an address of the other slot is taken: $SAID" ;; esac
expect_status "phase slots.green.targets.# slots.green.targets.0.address" "steady 2 127.0.0.1:${TARGET_PORT[green2]}"

step "a dry run says what would change, and changes nothing"
addresses green "1 2 3"
run claim shop --release r43 --dry-run --json; expect_exit 0
case $(said detail) in *"green: 3 targets of file:$SITE/green.targets, 1 new"*) ;; *) fail "the dry run does not say it: $(said detail)" ;; esac
expect_status "phase slots.green.targets.#" "steady 2"

step "the next deploy takes it"
deploy green r43 flipped; expect_exit 0
expect_status "active slots.green.targets.#" "green 3"
run status shop
case $SAID in *"green: file:$SITE/green.targets, 3 targets read at "*) ;; *) fail "status does not say from where they are: $SAID" ;; esac

step "a reload that names another source keeps the list, and so does the restart after it"
# reloads SED: the configuration, changed and taken.
reloads() { local n; n=$(grep -ac " reload ok=1 " "$SITE/log/switchd"); sed -i "$1" "$CONFIG"; kill -HUP "$(pid_of switchd)"
	wait_until 10 eval '[ "$(grep -ac " reload ok=1 " "$SITE/log/switchd")" -gt $n ]' || fail "not reloaded: $(tail -n 3 "$SITE/log/switchd")"; }
reloads "s,$SITE/green.targets,$SITE/other.targets,"
kept="file:$SITE/other.targets file:$SITE/green.targets 3"
expect_status "slots.green.addresses.source slots.green.addresses.read_from slots.green.targets.#" "$kept"
switchd_kill
switchd_start
wait_until 20 switchd_ready green || fail "switchd is not ready a fourth time"
expect_status "slots.green.addresses.source slots.green.addresses.read_from slots.green.targets.#" "$kept"

step "a list in the configuration ends what was kept; a source in its place begins with that list"
reloads "s,file:$SITE/blue.targets,127.0.0.1:${TARGET_PORT[blue1]}\, 127.0.0.1:${TARGET_PORT[blue2]},"
expect_status "slots.blue.addresses slots.blue.targets.#" "null 2"
[ ! -e "$STATE/shop.blue.targets" ] || fail "the list that was kept is still there"
reloads "s,127.0.0.1:${TARGET_PORT[blue1]}\, 127.0.0.1:${TARGET_PORT[blue2]},file:$SITE/blue.targets,"
expect_status "slots.blue.addresses.read_from slots.blue.targets.#" "the configuration 2"
wait_until 10 test -s "$STATE/shop.blue.targets" || fail "the list is not kept"
scn_done
