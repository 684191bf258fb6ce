#!/bin/bash
# SPDX-License-Identifier: MIT
# Every committed event is in the archive exactly once and in order: over kill -9, a restart and a trimmed stream; a disk that
# cannot be written stops nothing, is said, and what was missed is made up for.
. "$(dirname "$0")/lib.sh"
redis_start || fail "redis does not start"
SVC[bake]=1s
scn_site 1
ARCHIVE=$STATE/archive
today() { ls "$ARCHIVE"/*.jsonl 2>/dev/null | tail -n 1; }
# Ids of committed events, in the order of the files.
archived() { cat "$ARCHIVE"/*.jsonl 2>/dev/null | sed -n 's/.*"id":"\([0-9][0-9]*-[0-9][0-9]*\)".*/\1/p'; }
newest() { ctl timeline shop --json --max 1 | "$FAKES/jget" events.0.id; }
caught_up() { local id; id=$(newest) && [ -n "$id" ] && archived | grep -qx "$id"; }
metric() { "$FAKES/ask" "http://$OPERATORS/metrics" | sed -n "s/^$1 //p"; }
whole()
{
	local said
	caught_up || return 1
	said=$(archived | awk -F- '
		g == $1 && $2 + 0 != s + 1 { print "after " g "-" s " comes " $0 }
		g != $1 && $2 != 1 { print "a generation begins with " $0 }
		{ g = $1; s = $2 + 0 }
		END { if (!NR) print "it is empty" }')
	[ -z "$said" ] || fail "the archive: $said"
}

step "all there is so far"
wait_until 15 whole || fail "not caught up: newest $(newest), archived $(archived | tail -n 1)"
deploy green r42 baked
expect_exit 0
wait_until 15 whole || fail "not caught up after a deploy: newest $(newest), archived $(archived | tail -n 1)"
[ "$(metric switchd_archive_up)" = 1 ] || fail "switchd_archive_up: $(metric switchd_archive_up)"
[ "$(metric switchd_archive_lines_total)" -ge "$(archived | wc -l)" ] || fail "lines: $(metric switchd_archive_lines_total)"

step "the stream is trimmed: the archive has what it had, and timelines are whole"
wait_until 15 eval '[ "$(count_events requests.counted)" = 1 ]' || fail "not counted: $(events)"
wait_until 15 whole || fail "not caught up: newest $(newest), archived $(archived | tail -n 1)"
n=$(archived | wc -l)
before=$(events)
second=$(ctl timeline shop --json | "$FAKES/jget" events.1.id)
third=$(ctl timeline shop --json | "$FAKES/jget" events.2.id events.2.at | paste -sd' ' -)
"$FAKES/sockcmd" -t 1 "$SITE/redis.sock" XTRIM "switchd:{0}:ev" MAXLEN 1 >/dev/null 2>&1
case $("$FAKES/sockcmd" -t 1 "$SITE/redis.sock" XLEN "switchd:{0}:ev" 2>/dev/null) in :1*) ;; *) fail "the stream was not trimmed" ;; esac
timeline() { SAID=$("$FAKES/ask" -u "$SITE/switchd.sock" "/v1/services/shop/timeline?$1"); }
expect_eq "events before and after the trim" "$(events)" "$before"
timeline max=1000
expect_eq "complete" "$(said complete)" true
timeline "after=$second&max=2"
expect_eq "after an id that was trimmed" "$(said complete 'events.#' events.0.id)" "true 2 ${third% *}"
timeline "since=${third#* }"
[ "$(said complete)" = true ] && [ "$(said events.0.at)" -ge "${third#* }" ] || fail "since: $SAID"
timeline "since=x"
expect_eq "since=x" "$(said code)" bad-query
expect_eq "archived before and after the trim" "$(archived | wc -l)" "$n"

step "kill -9, a torn last line, a restart: it goes on after the last one"
run hold shop -m one; expect_exit 0
switchd_kill
printf '{"id":"999-9","kind":"torn' >>"$(today)"
switchd_start
wait_until 20 switchd_ready green || fail "switchd is not ready"
run resume shop; expect_exit 0
wait_until 15 whole || fail "after the kill: newest $(newest), archived: $(archived | tail -n 3)"
[ -z "$(archived | sort | uniq -d)" ] || fail "twice in the archive: $(archived | sort | uniq -d)"
while IFS= read -r line; do
	printf '%s' "$line" | "$FAKES/jget" kind >/dev/null || fail "no line of JSON: $line"
done <"$(today)"

step "a ledger fact is there too"
grep -q '"kind":"ledger.verdict"' "$(today)" || fail "no verdict in the archive"

step "the API reads it"
json=$("$FAKES/ask" -u "$SITE/switchd.sock" "/v1/services/shop/archive?max=1000")
expect_eq "complete" "$(printf '%s' "$json" | "$FAKES/jget" complete)" true
[ "$(printf '%s' "$json" | "$FAKES/jget" lines.#)" -ge "$n" ] || fail "lines over the API: $(printf '%s' "$json" | head -c 300)"

step "a directory that cannot be written: said, counted, nothing stops"
mv "$ARCHIVE" "$ARCHIVE.away"
echo "in the way" >"$ARCHIVE"
run hold shop -m two; expect_exit 0
wait_until 15 eval '[ "$(metric switchd_archive_up)" = 0 ]' || fail "switchd_archive_up: $(metric switchd_archive_up)"
[ "$(metric switchd_archive_failures_total)" -ge 1 ] || fail "no failure counted"
grep -aq ' error archive ' "$SITE/log/switchd" || fail "the log does not say it"
run resume shop; expect_exit 0
rm "$ARCHIVE"
mv "$ARCHIVE.away" "$ARCHIVE"
wait_until 60 eval '[ "$(metric switchd_archive_up)" = 1 ]' || fail "it does not recover"
wait_until 15 whole || fail "what was missed is not made up for: newest $(newest), archived $(archived | tail -n 1)"

step "what neither has is said to be missing"
rm -f "$ARCHIVE"/*.jsonl
timeline max=1000
expect_eq "complete" "$(said complete)" false
scn_done
