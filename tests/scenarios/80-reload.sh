#!/bin/bash
# SPDX-License-Identifier: MIT
# SIGHUP is all or nothing: a broken file keeps the old configuration and says so in log and metric; a
# good one counts at once; one that takes the active slot or a service in flight away is refused.
. "$(dirname "$0")/lib.sh"
SVC[idle_interval]=500ms
scn_site 2
load_start
load_cmd mark begin
reload_ok() { [ "$("$FAKES/ask" "http://$OPERATORS/metrics" | sed -n 's/^switchd_config_reload_success //p')" = "$1" ]; }
# absent FEATURE PATH...: of the last absent of the idle slot, as it is kept.
absent() { ctl evidence "shop/$1" --json | "$FAKES/jget" "${@:2}" | paste -sd' ' -; }
before=$(status active version.gen version.epoch)
cp "$CONFIG" "$SITE/good.yaml"

step "a broken file"
sed 's/^    bake:.*/    bake: 8OOms/' "$SITE/good.yaml" >"$CONFIG"
kill -HUP "$(pid_of switchd)"
wait_until 10 reload_ok 0 || fail "the metric does not say that the reload failed"
grep -aq 'switchd.yaml:[0-9]*:[0-9]*: error:' "$SITE/log/switchd" || fail "the log does not say where"
expect_status "active version.gen version.epoch" "$before"
run config check "$CONFIG"
expect_exit 2

step "an empty file"
: >"$CONFIG"
kill -HUP "$(pid_of switchd)"
wait_until 10 eval '[ "$(grep -ac "error:" "$SITE/log/switchd")" -ge 2 ]' || fail "an empty file is not called an error"
expect_status "active version.gen version.epoch" "$before"

step "the good one again, with another feature and a longer bake; what was seen before lives on"
app green all lose quotes 404
wait_until 30 eval '[ "$(absent quotes green.absent.outcome)" = status ]' || fail "not seen: $(absent quotes green)"
app green all restore all
wait_status 30 features.1.slots.green.verdict present
seen=$(absent quotes green.absent.at)
sed 's/^    bake:.*/    bake: 3s/; s/^      reports: .*/&\n      more: \/healthz/' "$SITE/good.yaml" >"$CONFIG"
kill -HUP "$(pid_of switchd)"
wait_until 10 reload_ok 1 || fail "a good file is not taken: $(tail -n 5 "$SITE/log/switchd")"
wait_until 10 eval '[ "$(status features.#)" = 7 ]' || fail "the new feature is not there"
expect_status "active version.gen version.epoch" "$before"
expect_agreement
expect_eq "what came back before" "$(absent quotes green.absent.at green.absent.outcome)" "$seen status"
expect_eq "of a feature that is new" "$(absent more green.absent)" null

step "another store, or another lease: not while it runs"
cp "$CONFIG" "$SITE/good2.yaml"
refused=0
for more in "state: { redis: 'unix:$SITE/other.sock' }" "state: { prefix: 'other:' }" "lease_ttl: 4s"; do
	{ grep -v "^${more%%:*}:" "$SITE/good2.yaml"; echo "$more"; } >"$CONFIG"
	kill -HUP "$(pid_of switchd)"
	wait_until 10 reload_ok 0 || fail "a reload with '$more' is not refused"
	refused=$((refused + 1))
	expect_eq "$more: refused for that" "$(grep -ac "cannot change while switchd runs" "$SITE/log/switchd")" $refused
	cp "$SITE/good2.yaml" "$CONFIG"
	kill -HUP "$(pid_of switchd)"
	wait_until 10 reload_ok 1 || fail "the good file is not taken again: $(tail -n 3 "$SITE/log/switchd")"
done

step "a file without the service that is there"
sed "s/^  $SERVICE:/  other:/; s,shop.map,other.map,g" "$CONFIG" >"$SITE/other.yaml"
cp "$CONFIG" "$SITE/good2.yaml"
cp "$SITE/other.yaml" "$CONFIG"
deploy green r42 flipped
expect_exit 0
kill -HUP "$(pid_of switchd)"
wait_until 10 reload_ok 0 || fail "a reload that takes a service in flight away is not refused"
expect_status "active phase" "green baking"
cp "$SITE/good2.yaml" "$CONFIG"
kill -HUP "$(pid_of switchd)"
wait_until 10 reload_ok 1 || fail "the good file is not taken again"
wait_status 20 "active phase release" "green steady r42"
expect_no_failures begin
scn_done
