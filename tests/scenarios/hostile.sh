# SPDX-License-Identifier: MIT
# hostile.sh - a feature of the new slot that is neither there nor gone: sourced by the scenarios of T21 to T24.
# shellcheck shell=bash
. "$(dirname "$0")/lib.sh"

probes_of() { "$FAKES/sockcmd" "$SITE/$1.sock" stats | "$FAKES/jget" features.quotes.probes; }
probed_more() { [ "$(probes_of green1)" -ge "$1" ]; }
flips() { echo $(($(count_events rollback.decided) + 0)); }

# unsteady HOW: r42 is on green and bakes, and quotes there is unsteady in this way; then long enough for many verdicts.
unsteady()
{
	SVC[bake]=120s
	SVC[interval]=250ms SVC[idle_interval]=250ms
	scn_site 1
	deploy green r42 flipped
	expect_exit 0
	app green all lose quotes "$1"
	step "quotes of green: $1"
}

# at_most_one_flip PROBES: through so many more probes of green; what went back stays there.
at_most_one_flip()
{
	local from first
	from=$(probes_of green1)
	wait_until 90 probed_more $((from + $1 / 2)) || fail "no probes"
	first=$(flips)
	[ "$first" -le 1 ] || fail "$first flips: $(events)"
	from=$(probes_of green1)
	wait_until 90 probed_more $((from + $1 / 2)) || fail "no probes"
	[ "$(flips)" -le 1 ] || fail "$(flips) flips: $(events)"
	expect_agreement
}
