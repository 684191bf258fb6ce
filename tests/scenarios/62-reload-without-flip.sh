#!/bin/bash
# SPDX-License-Identifier: MIT
# HAProxy is reloaded or restarted behind switchd's back, with an older map file in place: the value is
# asserted again, by pid and uptime, or by the first answer that carries a lower version (L9, P6).
. "$(dirname "$0")/lib.sh"
CHECK_VERSIONS=''       # an old file is put there on purpose
scn_site 2
load_start
old_file=$(cat "$MAP")
deploy green r42 baked
expect_exit 0
before=$(status version.gen version.epoch active)

step "restarted with the file of the past"
printf '%s\n' "$old_file" >"$SITE/old.map"
haproxy_kill
cat "$SITE/old.map" >"$MAP"
haproxy_start || fail "haproxy does not start"
expect_agreement
expect_status "version.gen version.epoch active" "$before"
case $(cat "$MAP") in *"shop green:"*) ;; *) fail "the map file was not put right: $(cat "$MAP")" ;; esac

step "somebody else writes the map: put right once, and reported"
haproxy_cmd "set map $MAP shop blue:1.1:plain" >/dev/null
wait_until 5 eval '[ "$(map_slot)" = green ]' || fail "not asserted again: $(map_value)"
expect_agreement
expect_nothing_condemned
scn_done
