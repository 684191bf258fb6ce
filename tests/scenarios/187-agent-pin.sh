#!/bin/bash
# SPDX-License-Identifier: MIT
# A pin by hand at a proxy that an agent drives: left alone, told, followed by the record, and ended by a person's word.
# seconds: 150
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/agent.sh"
agent_site 1
CHECK_VERSIONS=''
agent_driven

step "a pin by hand"
haproxy_cmd set map "$MAP" shop blue:pin.1790000000:plain >/dev/null
wait_report 10 "state proxies.0.value" "pinned blue:pin.1790000000:plain"
wait_status 20 "active pin.slot" "blue blue"
map_stays blue:pin.1790000000:plain

step "a person's rollback ends it"
run rollback "$SERVICE" --yes --force -m "over"
expect_exit 0
wait_until 10 eval '[ "$(map_value)" = "green:$(status etag):plain" ]' || fail "map: $(map_value), record $(status etag)"
wait_report 10 state ok
wait_status 15 pin null

step "another one; a flip by force ends it"
haproxy_cmd set map "$MAP" shop blue:pin.1790000001:plain >/dev/null
wait_status 20 "active pin.slot" "blue blue"
map_stays blue:pin.1790000001:plain
run flip "$SERVICE" --to green --yes --force -m "over"
expect_exit 0
wait_until 10 eval '[ "$(map_slot)" = green ] && [ "$(status active)" = green ]' || fail "map: $(map_value), record $(status etag)"
wait_status 30 phase steady

step "a third; a person's resume ends it, and it stays ended"
haproxy_cmd set map "$MAP" shop blue:pin.1790000002:plain >/dev/null
wait_status 20 "active pin.slot" "blue blue"
pinned_at=$(status version.epoch)
run resume "$SERVICE"
expect_exit 0
[ "$(status version.epoch)" -gt "$pinned_at" ] || fail "the epoch did not grow with the end of the pin"
wait_until 10 eval '[ "$(map_value)" = "blue:$(status etag):plain" ]' || fail "map: $(map_value), record $(status etag)"
wait_report 10 state ok
expect_status pin null
expect_events pin.adopted 3
wait_status 30 phase steady # the bake is over: nothing is left for the agent to do
wait_report 20 "state version" "ok $(status etag)"

step "an agent that starts afresh finds in the map file a pin that its proxy does not show: it is over"
agent_kill
sed -i "s|^shop .*|shop green:pin.1790000003:plain|" "$MAP"
agent_start
wait_until 20 grep -q "^shop blue:$(status etag):plain" "$MAP" || fail "the file: $(cat "$MAP")"
run flip "$SERVICE" --to green --yes --force -m "on"
expect_exit 0
wait_until 10 eval '[ "$(map_slot)" = green ] && [ "$(status active)" = green ]' || fail "map: $(map_value), record $(status etag)"
expect_status pin null
agent_stop || fail "the agent ended with $?"
scn_done
