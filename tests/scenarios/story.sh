# SPDX-License-Identifier: MIT
# story.sh - the story that switchd comes from, played again with it: sourced by scenario 130 and by `scripts/demo --story`.
#
# The one who sources has sourced site.sh, and says what these mean to him:
#   act TITLE              a new part begins
#   line TEXT              one sentence for whoever watches
#   show ARGUMENTS...      switchctl; what it said is in $SAID, its exit code in $RC
#   told WHAT GOT WANTED   an outcome
#   die TEXT               it cannot go on
# shellcheck shell=bash

STORY_FEATURES=$FEATURES
story_without() { printf '%s\n' "$STORY_FEATURES" | grep -v "^$1:"; }
# What a release has that lacks one of them: an argument of ship.
story_all_but() { printf '%s\n' home quotes expenses invoices customers reports | grep -vx "$1" | paste -sd, -; }
# Users of everything, and those of the features that work all the time.
STORY_WORKING='/ /api/invoices /api/customers /api/reports'

# says WHAT TEXT...: the last command said each of these.
says()
{
	local what=$1 t
	shift
	for t in "$@"; do
		case $SAID in *"$t"*) ;; *) told "$what" "$SAID" "...$t..." ;; esac
	done
}

story_reload()
{
	site_config
	kill -HUP "$(pid_of switchd)"
}

# posts SLOT: requests that write, as the application itself counted them.
posts()
{
	local n sum=0 f
	for ((n = 1; n <= TARGETS; n++)); do
		for f in home quotes expenses invoices customers reports; do
			sum=$((sum + $("$FAKES/sockcmd" "$SITE/$1$n.sock" stats | "$FAKES/jget" "features.$f.posts")))
		done
	done
	echo $sum
}

# untouched SLOT: what is in it, which processes, and what they were asked to write.
untouched() { echo "$("$FAKES/sockcmd" "$SITE/${1}1.sock" stats | "$FAKES/jget" release) $(paste -sd' ' "$SITE/pid/${1}1" "$SITE/pid/${1}2") $(posts "$1")"; }

# event KIND PATH: of the last event of that kind.
event()
{
	local json n i
	json=$(ctl timeline "$SERVICE" --json --max 1000 2>/dev/null) || return 1
	n=$(printf '%s' "$json" | "$FAKES/jget" 'events.#')
	for ((i = n - 1; i >= 0; i--)); do
		[ "$(printf '%s' "$json" | "$FAKES/jget" "events.$i.kind")" = "$1" ] || continue
		printf '%s' "$json" | "$FAKES/jget" "events.$i.$2"
		return
	done
	return 1
}

story_site()
{
	site_begin 2 || die "no free ports"
	slot_start blue r0 && slot_start green r0 || die "the application does not start"
	FEATURES=$(story_without expenses)
	GATES_MORE='require: [toolchain]'
	SVC[idle_interval]=1s
	site_config
	haproxy_config || die "HAProxy does not take the configuration"
	haproxy_start || die "HAProxy does not start"
	switchd_start
	wait_until 20 switchd_ready blue || die "switchd does not start"
	wait_until 20 eval '[ "$(status slots.blue.state slots.blue.whole)" = "good true" ]' || die "blue is not whole"
	ship_script "$SITE/ship"
	LOAD_MIX=(--get '/api/quotes*4' --get '/expenses*2' --get '/*2' --get '/api/invoices*2' --get '/api/customers*2' --get '/api/reports*2' --post '/api/quotes')
	load_start || die "the front does not answer"
	STORY_BEGIN=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	load_cmd mark story
	manifest "$SITE/r1.json" r1 builder.version=3.9.1 tests.builder_version=3.9.1 || die "no manifest"
	manifest "$SITE/r2.json" r2 builder.version=4.0.2 tests.builder_version=3.9.1 || die "no manifest"
	manifest "$SITE/r3.json" r3 builder.version=4.0.2 tests.builder_version=4.0.2 || die "no manifest"
}

story_day1()
{
	act "day 1: r1 goes to green and breaks expenses, which nobody probes yet; blue keeps r0"
	show deploy "$SERVICE" --release r1 --manifest "$SITE/r1.json" --wait=baked -- "$SITE/ship" r1 "$(story_all_but expenses)"
	told "exit code of r1" $RC 0
	told "who serves" "$(status active release phase rollback_target slots.blue.release)" "green r1 steady blue r0"
	told "the front" "$(map_slot)" green
	STORY_R1_FLIPPED=$(event flip.decided at)
	told "users of expenses" "$("$FAKES/ask" -s "http://$FRONT/expenses")" 404
	line "expenses answers 404 from now on, and nobody knows"
}

story_day2()
{
	local before touched
	act "day 2: the tests of r2 ran with another version of the build tool"
	before=$(status active version.gen version.epoch slots.blue.release slots.blue.state)
	touched=$(untouched blue)
	show claim "$SERVICE" --release r2 --manifest "$SITE/r2.json"
	told "exit code of the claim" $RC 10
	says "the claim is refused" "toolchain: tests ran with builder_version 3.9.1, build used 4.0.2" "nothing moved"
	told "the record" "$(status active version.gen version.epoch slots.blue.release slots.blue.state)" "$before"
	told "no claim stands" "$(status phase claim)" "steady null"
	told "blue: release, processes, requests that write" "$(untouched blue)" "$touched"
	line "blue still holds r0; not a byte of it was touched, no request that writes reached it"
}

story_probe_added()
{
	local before
	act "a probe of expenses is added"
	before=$(status active version.gen version.epoch)
	FEATURES=$STORY_FEATURES
	story_reload
	wait_until 20 eval '[ "$(status features.2.name features.2.slots.blue.verdict features.2.slots.green.verdict)" = "expenses present absent" ]' ||
		told "expenses on blue and on green" "$(status features.2.name features.2.slots.blue.verdict features.2.slots.green.verdict)" "expenses present absent"
	wait_until 20 event feature.new at >/dev/null || die "no alarm"
	SAID=$(event feature.new detail)
	line "$SAID"
	says "the alarm" "expenses: present on blue, absent on green (never seen there)" "blue r0 brings it: switchctl flip $SERVICE --to blue"
	told "nothing moved by itself" "$(status active version.gen version.epoch)" "$before"
	told "nothing is condemned" "$(status condemned.#)" 0
	wait_until 10 eval '[ "$(ctl blame expenses --json | "$FAKES/jget" answer)" = found ]' || die "blame does not know"
	show blame expenses
	told "exit code of blame" $RC 0
	says "blame" "r0 had it, r1 had not" "first without it  r1 sha256:r1 on green" "good copy: blue (r0, idle)" "next: switchctl flip $SERVICE --to blue"
	STORY_LIVE=$(ctl blame expenses --json | "$FAKES/jget" bad.last_live.from)
	told "since when r1 is live, by blame and by the flip" "$((STORY_LIVE - STORY_R1_FLIPPED < 1000 && STORY_R1_FLIPPED - STORY_LIVE < 1000))" 1
	says "blame names the time" "$(date -u -d "@$((STORY_LIVE / 1000))" +%Y-%m-%dT%H:%M:%S)"
}

story_last_copy()
{
	act "the next claim, with tests in order: blue holds the last good copy"
	show claim "$SERVICE" --release r3 --manifest "$SITE/r3.json"
	told "exit code of the claim" $RC 10
	says "the claim is refused" "that slot is the last one where a feature works: expenses: present on blue, absent on green"
	told "no claim stands" "$(status phase claim slots.blue.release)" "steady null r0"
	act "a person takes the offer: expenses is back in one command, nothing goes offline"
	show flip "$SERVICE" --to blue --yes
	told "exit code of the flip" $RC 0
	wait_until 20 eval '[ "$(status active release phase)" = "blue r0 steady" ]' || told "after the flip" "$(status active release phase)" "blue r0 steady"
	told "users of expenses" "$("$FAKES/ask" -s "http://$FRONT/expenses")" 200
}

story_forced()
{
	local before
	act "r2 again, forced past the manifest gates: the feature probes refuse it"
	load_cmd mark forced
	before=$(status active version.gen)
	show deploy "$SERVICE" --release r2 --manifest "$SITE/r2.json" --skip-gate toolchain -m "the tool is fine" --wait=baked -- "$SITE/ship" r2 "$(story_all_but quotes)"
	told "exit code of r2" $RC 10
	says "r2 is refused" "quotes" "LOST"
	told "who serves" "$(status active version.gen release phase)" "$before r0 steady"
	told "the front" "$(map_slot)" blue
	load_cmd mark past
	told "failed requests until then" "$(load_stats forced,past failed)" 0

	act "forced past those too: flipped back within the bake"
	show deploy "$SERVICE" --release r2 --manifest "$SITE/r2.json" --skip-gate toolchain --skip-gate features -m "quotes will come" --wait=baked \
		-- "$SITE/ship" r2 "$(story_all_but quotes)"
	told "exit code of r2" $RC 11
	wait_until 20 eval '[ "$(status active release phase)" = "blue r0 steady" ]' || told "who serves" "$(status active release phase)" "blue r0 steady"
	told "the front" "$(map_slot)" blue
	told "condemned" "$(status condemned.# condemned.0.release)" "1 r2"
	SAID=$(event rollback.decided detail)
	says "why it went back" "quotes: present on blue, absent on green"
	told "who put it back" "$(event rollback.decided by)" switchd
	load_cmd more 200
	load_cmd mark over
}

# Nothing ever went offline: a feature that worked answered every request, from the first to the last.
story_users()
{
	local paths p
	act "what users saw"
	told "failed GETs since r2 was forced" "$(load_stats forced,over failed_gets)" 0
	paths=$(load_stats story,over failed_paths)
	for p in $STORY_WORKING; do
		case $paths in *"\"$p\":"*|*"\"GET $p\":"*) told "failed requests of $p" "$paths" none ;; esac
	done
	line "$(load_stats story,over requests) requests in all; those of the features that worked: 0 failed; failed: $paths"
}

story_postmortem()
{
	act "the report that wrote itself"
	ctl note "$SERVICE" "the tool's new major version needed a change in the application" >/dev/null || told "exit code of note" $? 0
	# What the proxies counted of the last move comes a moment after it.
	wait_until 10 event requests.counted at >/dev/null || told "what the proxies counted" none "requests.counted"
	show timeline "$SERVICE" --since 1h -o md
	told "exit code of timeline" $RC 0
	says "the headline" "# $SERVICE: expenses gone from green r1; quotes gone from green r2: traffic went back to blue"
	says "the outages" "| expenses | green | r1 | absent |" "| quotes | green | r2 | absent |"
	says "where expenses went" "**expenses**: the last release that had it: r0 (blue)" "the first that had not: r1 (green)"
	says "where quotes went" "the first that had not: r2 (green)" "builder.version: 3.9.1 -> 4.0.2"
	says "the claim that was refused" "gate.refused" "toolchain: tests ran with builder\\_version 3.9.1, build used 4.0.2"
	says "the alarm" "feature.new" "blue r0 brings it: switchctl flip $SERVICE --to blue"
	says "who forced what, and why" "toolchain (the tool is fine)" "toolchain,features (quotes will come)"
	says "the ways back" "a person moved the traffic; to blue (r0)" "green \\> blue: the new release lost a feature the old one has"
	says "the evidence" "### expenses at" "### quotes at" "wanted status == 200, got 404" "- blue, present"
	says "what stayed green" "home, invoices, customers, reports, identity"
	says "the note" "the tool's new major version needed a change in the application"
	says "where it is from" "| measured |"
}

story_play()
{
	story_day1
	story_day2
	story_probe_added
	story_last_copy
	story_forced
	story_users
	story_postmortem
}
