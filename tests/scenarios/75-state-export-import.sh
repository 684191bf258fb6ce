#!/bin/bash
# SPDX-License-Identifier: MIT
# Store and journal are lost: what `state export` wrote goes back with `state import`, at a version that was never used,
# with its releases, condemned ones, hold and deploys.  What is no such document is refused whole.  Then `state upgrade`.
. "$(dirname "$0")/lib.sh"
SVC[bake]=2s
redis_start || fail "redis does not start"
scn_site 2
FILE=$SITE/state.json
load_start
load_cmd mark begin
deploy green r42 baked; expect_exit 0
slot_start blue r43 || fail "targets do not start"
{ wait_until 30 eval '[ "$(status phase)" = baking ]' && app blue all lose quotes 500; } &
run deploy shop --release r43 --slot blue --timeout 40s; expect_exit 11
wait $!
app blue all restore all
load_cmd more 60
load_cmd mark before
wait_status 20 "phase active" "steady green"
run hold shop -m "INC-1"; expect_exit 0
expect_status "condemned.# condemned.0.release" "1 r43"

step "export"
run state export "$FILE"; expect_exit 0
expect_eq "mode" "$(stat -c %a "$FILE")" 600
"$FAKES/jget" format generation services.shop.record.active services.shop.condemned.0.release <"$FILE" >/dev/null || fail "no document: $(head -c 400 "$FILE")"
run state export; expect_exit 0
expect_eq "stdout" "$(said format services.shop.record.hold.why)" "switchd-state INC-1"
was=$(status etag)

step "all of it is lost: store and journal; the proxies still serve"
switchd_stop || fail "switchd ended with $?"
redis_cmd FLUSHALL >/dev/null
for f in "$STATE"/*; do
	case $f in *.map|*.paths) ;; *) rm -rf "$f" ;; esac
done
switchd_start
wait_until 20 switchd_ready green || fail "switchd is not ready: $(status loaded store.up active)"
expect_status "condemned.# hold" "0 null"

step "what is no document is refused whole"
run state import "$FILE" -y; expect_exit 2
echo '{"format":"other"}' >"$SITE/bad.json"
run state import "$SITE/bad.json" -y -m x; expect_exit 2
echo '{' >"$SITE/bad.json"
run state import "$SITE/bad.json" -y -m x; expect_exit 2
for forged in 's/"active": "green"/"active": "purple"/' 's/"release": "r43"/"release": "r 43"/' 's/"format_version": 1/"format_version": 9/' 's/"seen":/"..\/seen":/'; do
	sed "$forged" "$FILE" >"$SITE/bad.json"
	cmp -s "$FILE" "$SITE/bad.json" && fail "nothing was forged by $forged"
	run state import "$SITE/bad.json" -y -m x; expect_exit 2
done
expect_status "condemned.# hold" "0 null"

step "import"
run state import "$FILE" --dry-run; expect_exit 0
expect_status "condemned.# hold" "0 null"
run state import "$FILE" -y -m "INC-2"; expect_exit 0
wait_status 15 "active hold.why condemned.0.release slots.green.release slots.green.was_good" "green INC-1 r43 r42 true"
expect_agreement
now=$(status etag)
[ "${now%%.*}" -gt "${was%%.*}" ] || fail "the generation did not grow: $was, $now"
expect_events store.imported 1
wait_until 10 eval 'ctl deploys shop | grep -q rolled-back' || fail "the deploys are forgotten: $(ctl deploys shop)"
run state import "$FILE" -y -m "again"; expect_exit 10
run resume shop; expect_exit 0
load_cmd more 60
expect_no_failures before

step "a store of schema 1 is kept so until upgrade"
redis_cmd 'HSET switchd:{0}:meta v 1' >/dev/null
run flip shop --to blue -y --force -m "schema 1"; expect_exit 0
case $(redis_cmd 'GET switchd:{0}:a:shop') in *"sw1 "*) ;; *) fail "not written as schema 1: $(redis_cmd 'GET switchd:{0}:a:shop')" ;; esac
run state upgrade --dry-run; expect_exit 0
case $SAID in *"would become"*) ;; *) fail "$SAID" ;; esac
run state upgrade -y; expect_exit 0
case $(redis_cmd 'GET switchd:{0}:a:shop') in *"sw2 "*) ;; *) fail "not rewritten: $(redis_cmd 'GET switchd:{0}:a:shop')" ;; esac
run state upgrade -y; expect_exit 0
case $SAID in *already*) ;; *) fail "$SAID" ;; esac
expect_agreement
expect_status "store.bad" ""
scn_done
