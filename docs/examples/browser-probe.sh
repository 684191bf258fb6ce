#!/bin/sh
# SPDX-License-Identifier: MIT
# browser-probe.sh - an exec probe: does a page, once its scripts have run in a real browser, show this text?
#
#   exec: [/usr/local/lib/switchd/browser-probe.sh, "http://{{host}}:{{port}}/quotes", "Total"]
#
# Ends as Nagios plugins do: 0 the text is there, 2 it is not, 3 the browser could not tell.
browser=${CHROMIUM:-chromium}
[ $# = 2 ] || { echo "usage: browser-probe.sh URL TEXT"; exit 3; }
dir=$(mktemp -d) || exit 3
trap 'rm -rf "$dir"' EXIT
trap 'exit 3' TERM INT
HOME=$dir "$browser" --headless --disable-gpu --no-first-run --user-data-dir="$dir/profile" --virtual-time-budget=5000 \
	--dump-dom "$1" >"$dir/dom" 2>"$dir/err" || { echo "BROWSER UNKNOWN - $browser failed: $(tail -n 1 "$dir/err")"; exit 3; }
[ -s "$dir/dom" ] || { echo "BROWSER UNKNOWN - $browser gave no page"; exit 3; }
size=$(wc -c <"$dir/dom")
if grep -qF -e "$2" "$dir/dom"; then
	echo "BROWSER OK - \"$2\" is shown|size=${size}B"
else
	echo "BROWSER CRITICAL - \"$2\" is not shown|size=${size}B"
	exit 2
fi
