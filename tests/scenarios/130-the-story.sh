#!/bin/bash
# SPDX-License-Identifier: MIT
# The story that switchd comes from, played again with it: a build tool that was not tested, expenses broken for a day without
# anyone knowing, quotes gone after an update, and a post-mortem that writes itself.
# seconds: 240
. "$(dirname "$0")/lib.sh"
. tests/scenarios/story.sh

act() { step "$*"; }
line() { echo "          $*"; }
told() { expect_eq "$@"; }
die() { fail "$*"; }
show()
{
	SAID=$(ctl --no-input "$@" 2>&1)
	RC=$?
	{ echo "\$ switchctl $*"; echo "$SAID"; echo "exit $RC"; } >>"$SITE/log/ctl"
}

SVC[bake]=2s
story_site
watch_begin
story_play
scn_done
