#!/bin/bash
# SPDX-License-Identifier: MIT
# The post-mortem writes itself: an incident with real proxies and clients, then its report as md, html, csv and json, over the API,
# and from the archive's files alone with switchd dead.  Its numbers are the clients' own.
. "$(dirname "$0")/lib.sh"
SVC[bake]=20s SVC[shield]=off
scn_site 2
load_start
load_cmd mark begin

step "a release goes live and loses quotes; a person notes what he knows"
deploy green r42 flipped
expect_exit 0
first=$(said deploy)
load_cmd more 100
load_cmd mark lost
app green all lose quotes 500
wait_status 15 "active phase" "blue steady"
load_cmd mark back
load_cmd more 50
expect_status "deploy.outcome" rolled-back
wait_until 10 eval '[ "$(count_events requests.counted)" = 1 ]' || fail "the proxies were not counted: $(events)"
run note shop --deploy "$first" 'the migration of quotes_v2 had not run | INC-123 <b>'
expect_exit 0
run note shop --deploy 4711 'of no deploy'
expect_exit 2
run note shop ''
expect_exit 2
expect_events note 1

step "as JSON: times, outage as users saw it, requests"
run timeline shop --deploy "$first" -o json
expect_exit 0
printf '%s' "$SAID" >"$SITE/report.json"
expect_eq "complete" "$(said complete)" true
expect_eq "missing" "$(said 'missing.#')" 0
case $(said summary.headline) in "quotes gone from green r42: traffic went back to blue") ;; *) fail "headline: $(said summary.headline)" ;; esac
expect_eq "rolled back by" "$(said summary.rolled_back summary.by)" "true switchd"
detect=$(said summary.detect_ms) recover=$(said summary.recover_ms) users=$(said summary.users_ms)
# Two answers in a row make a verdict: the first bad one came before the decision.
[ "$detect" -ge 1 ] && [ "$recover" -ge "$detect" ] && [ "$users" -ge 1 ] || fail "detect $detect, recover $recover, users $users"
expect_eq "outages" "$(said 'outages.#' outages.0.feature outages.0.slot outages.0.release outages.0.verdict)" "1 quotes green r42 absent"
[ "$(said outages.0.users_ms)" -le "$(said outages.0.ms)" ] || fail "users met it longer than it lasted"
expect_eq "known" "$(said outages.0.how)" measured
expect_eq "evidence of both" "$(said evidence.0.feature evidence.0.slot evidence.0.here.status evidence.0.there.status)" "quotes green 500 200"
case $(said green) in *home*expenses*|*expenses*home*) ;; *) fail "probes that stayed green: $(said green)" ;; esac
case $(said green) in *quotes*) fail "quotes stayed green?" ;; esac
expect_eq "notes" "$(said 'notes.#' notes.0.text)" "1 the migration of quotes_v2 had not run | INC-123 <b>"

step "requests wrong: what the proxy counted is what the clients met"
failed=$(load_stats lost failed)
counted=$(said 'summary.requests.5xx from green')
# The probes through the front are among the proxy's answers too; they are few.
[ "$failed" -ge 1 ] && [ "$counted" -ge "$failed" ] && [ "$counted" -le $((failed + 20)) ] ||
	fail "clients met $failed wrong answers, the proxy counted '$counted': $(said summary.requests)"
expect_eq "4xx" "$(said 'summary.requests.4xx from green')" 0
[ "$(said 'summary.requests.answers from green')" -ge "$counted" ] || fail "fewer answers than wrong ones"

step "as Markdown"
run timeline shop --deploy "$first" -o md
expect_exit 0
for line in '# shop: quotes gone from green r42: traffic went back to blue' '| time to detect |' '## Timeline' '## Where it came from' \
	'## Evidence, both slots side by side' '## Probes that stayed green' 'deploy.started' 'rollback.decided' 'feature.absent' 'requests.counted' \
	'the migration of quotes\_v2 had not run \| INC-123 \<b\>' '| quotes | green | r42 | absent |'; do
	case $SAID in *"$line"*) ;; *) fail "not in the report: $line"$'\n'"$SAID" ;; esac
done
case $SAID in *'What this report does not know'*) fail "something is missing: $SAID" ;; esac

step "as CSV: one fact a line"
run timeline shop --deploy "$first" -o csv
expect_exit 0
printf '%s\n' "$SAID" >"$SITE/report.csv"
expect_eq "lines" "$(wc -l <"$SITE/report.csv")" $(($("$FAKES/jget" 'facts.#' <"$SITE/report.json") + 1))
case $(head -n 1 "$SITE/report.csv") in at,delta_ms,by,kind,text,known,rule,epoch,release*) ;; *) fail "head: $(head -n 1 "$SITE/report.csv")" ;; esac

step "as a page: whole, alone, and no markup of others in it"
run timeline shop --deploy "$first" -o html
expect_exit 0
printf '%s\n' "$SAID" >"$SITE/report.html"
[ -z "${REPORT_HTML:-}" ] || cp "$SITE/report.html" "$REPORT_HTML"
case $SAID in *'</html>'*) ;; *) fail "the page has no end" ;; esac
case $SAID in *'<script'*|*' src='*|*'http-equiv="refresh"'*|*' href='*|*'INC-123 <b>'*) fail "the page is not alone" ;; esac
case $SAID in *'<svg class="svgbox"'*'served users'*'INC-123 &lt;b&gt;'*) ;; *) fail "no picture, or no note" ;; esac
if command -v xmllint >/dev/null; then
	sed -n '/<svg class="svgbox"/,/<\/svg>/p' "$SITE/report.html" | sed 's/^.*<svg class/<svg class/; s/<\/svg>.*$/<\/svg>/' >"$SITE/report.svg"
	xmllint --noout "$SITE/report.svg" || fail "the picture is not well formed"
	xmllint --html --noout "$SITE/report.html" 2>&1 | grep -v 'Tag \(svg\|path\|rect\|text\|title\|defs\|pattern\|section\|main\|header\|figure\|figcaption\) invalid' |
		grep -i 'error' && fail "the page is not well formed"
fi

step "over the API, and what a bad question gets"
ask() { "$FAKES/ask" -u "$SITE/switchd.sock" "$1"; }
case $(ask "/v1/services/shop/postmortem?deploy=$first&format=html") in *'<svg'*) ;; *) fail "no page over the API" ;; esac
for bad in '' '?deploy=0' '?deploy=x' "?deploy=$first&since=2h" '?since=never' '?since=5&until=4' '?until=4' "?deploy=$first&format=pdf"; do
	case $(ask "/v1/services/shop/postmortem$bad") in *'"bad-query"'*) ;; *) fail "'$bad' gets $(ask "/v1/services/shop/postmortem$bad")" ;; esac
done
case $(ask "/v1/services/shop/postmortem?deploy=4711") in *'"not-found"'*) ;; *) fail "a deploy of nobody: $(ask '/v1/services/shop/postmortem?deploy=4711')" ;; esac
run timeline shop --since 10m -o md; expect_exit 0
run timeline shop -o html; expect_exit 2
run timeline shop --since 2026-02-30x -o md; expect_exit 2

step "with switchd dead: from the archive's files"
ARCHIVE=$STATE/archive
wait_until 10 grep -q '"kind":"note"' "$ARCHIVE"/*.jsonl || fail "the note is not in the archive"
switchd_kill
for by in "--deploy $first" --last "--since 10m"; do
	# shellcheck disable=SC2086
	run timeline shop $by -o md --archive "$ARCHIVE"
	expect_exit 0
	for line in '# shop: quotes gone from green r42: traffic went back to blue' '| quotes | green | r42 | absent |' 'INC-123' 'requests.counted' '5xx from green'; do
		case $SAID in *"$line"*) ;; *) fail "$by: not in the archive's report: $line"$'\n'"$SAID" ;; esac
	done
done
run timeline shop --deploy 4711 -o md --archive "$ARCHIVE"; expect_exit 10
run timeline shop --deploy "$first" -o md --archive /nowhere/at/all; expect_exit 2
switchd_start
wait_until 20 switchd_ready blue || fail "switchd is not ready"
scn_done
