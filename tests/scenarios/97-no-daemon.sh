#!/bin/bash
# SPDX-License-Identifier: MIT
# switchd is dead: what works all the same - who is active (from the journal), a pin, probes, the proxy's snippet,
# a first configuration - and what does not, said with the next command.
. "$(dirname "$0")/lib.sh"
scn_site 2
deploy green r42 baked
expect_exit 0
# The journal is written beside the commit: it knows the last one a moment after it is answered.
wait_until 10 eval 'ctl --config "$CONFIG" proxy diff shop >/dev/null' || fail "proxy and journal differ: $(ctl --config "$CONFIG" proxy diff shop 2>&1)"
switchd_kill
has() { case $SAID in *"$1"*) ;; *) fail "no \"$1\" in: $SAID" ;; esac; }
mute_ctl() { SAID=$(ctl "$@" 2>"$SITE/quiet"); RC=$?; }

step "who is active, for cron: exit 0 or 1, and not a word more"
mute_ctl --config "$CONFIG" active shop --is green; expect_exit 0
mute_ctl --config "$CONFIG" active shop --is blue; expect_exit 1
expect_eq "noise" "$SAID$(cat "$SITE/quiet")" ""
mute_ctl --config "$CONFIG" active shop; expect_exit 0; expect_eq "active" "$SAID" green
mute_ctl --config "$CONFIG" active; expect_exit 0; expect_eq "the only service" "$SAID" green
run --config "$CONFIG" active shop --json; expect_exit 0; expect_eq "stale" "$(said active stale)" "green true"
run --config "$CONFIG" active nope; expect_exit 16

step "what needs switchd says so, and what to do"
for verb in status "flip --to blue -y" "rollback shop" "hold shop -m x" "why shop" "timeline shop" "claim shop --release r1"; do
	# shellcheck disable=SC2086
	run $verb; expect_exit 16
done
case $(tail -n 5 "$SITE/log/ctl") in *"cannot be reached"*"proxy pin"*) ;; *) fail "$(tail -n 5 "$SITE/log/ctl")" ;; esac
run status -o nagios; expect_exit 3

step "probes without a daemon"
run --config "$CONFIG" probe shop --slot green; expect_exit 0; has "quotes"
app blue all lose quotes 404
run --config "$CONFIG" probe shop --slot blue; expect_exit 10; has "404"
run --config "$CONFIG" probe shop --json; expect_exit 10
expect_eq "probes" "$(said 'results.#')" 24
app blue all restore all

step "the proxy: snippet, files, what it shows"
run --config "$CONFIG" proxy snippet haproxy shop; expect_exit 0; has "backend shop-blue"
run --config "$CONFIG" proxy init; expect_exit 0
run --config "$CONFIG" proxy diff shop; expect_exit 0; has "the same"
run --config "$CONFIG" proxy pin shop blue; expect_exit 2
run --config "$CONFIG" --direct proxy pin shop blue --dry-run; expect_exit 0
expect_eq "the map after a dry run" "$(map_slot)" green
run --config "$CONFIG" --direct proxy pin shop blue; expect_exit 0
case $(map_value) in blue:pin.*) ;; *) fail "the map: $(map_value)" ;; esac
run --config "$CONFIG" proxy diff shop; expect_exit 10
wait_until 5 eval '[ "$(date +%s)" -gt "$(map_value | cut -d. -f2 | cut -d: -f1)" ]' # a pin is told from the next by its second
run --config "$CONFIG" --direct proxy pin shop green; expect_exit 0
case $(map_value) in green:pin.*) ;; *) fail "a second pin does not replace the first: $(map_value)" ;; esac

step "a first configuration: asked, printed, loads"
run init --front "http://$FRONT" --blue "127.0.0.1:${TARGET_PORT[blue1]},127.0.0.1:${TARGET_PORT[blue2]}" --green "127.0.0.1:${TARGET_PORT[green1]}" \
	--feature quotes=/api/quotes
expect_exit 0
printf '%s\n' "$SAID" >"$SITE/first.yaml"
run config check "$SITE/first.yaml"; expect_exit 0
grep -q "answered 200" "$SITE/log/ctl" || fail "nobody was asked: $(tail -n 20 "$SITE/log/ctl")"
"$BIN/switchd" -t "$SITE/first.yaml" >/dev/null || fail "switchd does not take it"
run init --front "http://$FRONT" --blue 127.0.0.1:1 --green "127.0.0.1:${TARGET_PORT[green1]}"; expect_exit 0
grep -q "did not answer" "$SITE/log/ctl" || fail "nothing was said of the silent one"

step "a configuration that is not good"
printf 'version: 1\nservces:\n  shop: {}\n' >"$SITE/bad.yaml"
run config check "$SITE/bad.yaml"; expect_exit 2
grep -q "bad.yaml:2:1:" "$SITE/log/ctl" || fail "no place: $(tail -n 12 "$SITE/log/ctl")"
run --json config check "$SITE/bad.yaml"; expect_exit 2
expect_eq "exit" "$(said exit)" 2
run --config "$SITE/bad.yaml" proxy snippet; expect_exit 2
run --config "$CONFIG" config show shop; expect_exit 0; has "quotes"

step "switchd is back: it follows the pin, and resume ends it"
switchd_start
wait_status 20 "pin.slot active" "green green"
run resume shop; expect_exit 0
wait_status 15 "pin active" "null green"
scn_done
