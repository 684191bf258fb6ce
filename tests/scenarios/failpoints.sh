# SPDX-License-Identifier: MIT
# failpoints.sh - the steps of a flip at which switchd is killed, for 50- and 51-.  Sourced after lib.sh.
# shellcheck shell=bash
FLIP_POINTS="engine.plan store.before-commit store.after-commit journal.before-write journal.after-fsync proxy.before-file
proxy.after-rename proxy.after-fsync proxy.before-set proxy.after-set proxy.after-readback engine.observed"

# started_with POINT NTH ACTIVE: switchd runs, is ready, and will die at that passage of the point.  False: it
# died before it was ready, which is another step than one of a flip (the next passage is tried).
started_with()
{
	switchd_start SWITCHD_FP="$1:kill@$2"
	ready_or_dead() { switchd_ready "$1" || dead; }
	wait_until 20 ready_or_dead "$3" || fail "$1: neither ready nor dead"
	! dead
}

# Killed by its own hand (SIGKILL), not by a crash: anything else is a finding.
expect_killed()
{
	local pid rc
	pid=$(pid_of switchd)
	wait "$pid" 2>/dev/null
	rc=$?
	[ $rc = 137 ] || fail "$1: switchd ended with $rc, not by its failpoint"
}
dead() { gone_or_zombie "$(pid_of switchd)"; }

# A flip or rollback that may have been cut anywhere: what the record and the proxy say at the restart
# is one of the two slots, they agree within 5 s, and no version was used twice (I2, I4, I7, I17).
back_again()
{
	switchd_start
	ready_any() { [ "$(status loaded store.up)" = "true true" ]; }
	wait_until 20 ready_any || fail "$1: switchd does not come back"
	expect_agreement
}
