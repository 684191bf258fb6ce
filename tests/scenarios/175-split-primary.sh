#!/bin/bash
# SPDX-License-Identifier: MIT
# seconds: 300
# Redis splits: the old primary stays with the controller that leads, cut off from its replica, from the sentinels and from
# the other controller; both controllers reach the proxy (R11).  Where the primary wants a replica it stops taking
# writes, so that one controller acts.  Where it wants none it goes on alone: that is said, the other side's history is the
# higher one, and the proxy never goes back.
. "$(dirname "$0")/net.sh"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fleet.sh"
SVC[bake]=120s SVC[idle_interval]=500ms SVC[flip_budget]='{ max: 100, per: 24h }'
TOP[lease_ttl]=2s

# Hosts: 1 and 8 controllers 1 and 2; 2 and 6 redis; 7, 9, 10 sentinels.
node_cmd() { "$FAKES/sockcmd" -t 3 "$(host_addr "$1"):${3:-6379}" "$2"$'\nQUIT' 2>/dev/null | tr -d '\r'; }
node_role() { node_cmd "$1" ROLE | sed -n 3p; }
node_is() { [ "$(node_role "$1")" = "$2" ]; }

node_start()
{
	local host=$1 at more=()
	at_host at "$host"
	[ -z "${2:-}" ] || more=(--replicaof "$(host_addr "$2")" 6379)
	mkdir -p "$SITE/redis$host"
	"${at[@]}" setsid "$REDIS_SERVER" --bind "$(host_addr "$host")" --port 6379 --protected-mode no --dir "$SITE/redis$host" --appendonly yes \
		--appendfsync always --save '' --repl-diskless-sync-delay 0 --min-replicas-max-lag 2 --daemonize no "${more[@]}" \
		</dev/null >>"$SITE/log/redis$host" 2>&1 &
	echo $! >"$SITE/pid/redis$host"
	disown
	wait_until 10 node_there "$host" || fail "redis on host $host does not start"
}
node_there() { case $(node_cmd "$1" PING) in *PONG*) true ;; *) false ;; esac; }
sentinel_start()
{
	local host=$1 at
	at_host at "$host"
	mkdir -p "$SITE/sentinel$host"
	cat >"$SITE/sentinel$host/conf" <<-CONF
	port 26379
	bind $(host_addr "$host")
	protected-mode no
	dir $SITE/sentinel$host
	sentinel monitor mymaster $(host_addr 2) 6379 2
	sentinel down-after-milliseconds mymaster 1000
	sentinel failover-timeout mymaster 5000
	CONF
	"${at[@]}" setsid redis-sentinel "$SITE/sentinel$host/conf" </dev/null >>"$SITE/log/sentinel$host" 2>&1 &
	echo $! >"$SITE/pid/sentinel$host"
	disown
}
sentinels_ready()
{
	local host
	for host in 7 9 10; do
		case $(node_cmd $host "SENTINEL ckquorum mymaster" 26379) in *"OK 3 usable"*) ;; *) return 1 ;; esac
		case $(node_cmd $host "SENTINEL replicas mymaster" 26379) in *"$(host_addr 6)"*) ;; *) return 1 ;; esac
	done
}
# split "A..." "B...": no host of one side reaches one of the other; unsplit the same.
split() { local a b; for a in $1; do for b in $2; do partition "$a" "$b"; done; done; }
unsplit() { local a b; for a in $1; do for b in $2; do heal "$a" "$b"; done; done; }
need_command() { command -v redis-sentinel >/dev/null || skip "no redis-sentinel"; }

need_command
net_hosts 6 7 8 9 10
end_pid TERM "$(pid_of redis)"
node_start 2
node_start 6 2
for host in 7 9 10; do sentinel_start $host; done
wait_until 30 sentinels_ready || fail "the sentinels do not agree"
TOP[state]="{ redis: 'sentinel://$(host_addr 7):26379,$(host_addr 9):26379,$(host_addr 10):26379/mymaster', replicas: 1 }"
at_host AT_SWITCHD2 8
scn_site 2
controller_config 2
controller_start 2
wait_control 20 2 following
load_start
load_cmd mark begin
gen_of() { local v; v=$(map_value); v=${v#*:}; echo "${v%%.*}"; }

step "the primary wants a replica"
node_cmd 2 "CONFIG SET min-replicas-to-write 1" >/dev/null
deploy green r42 flipped
expect_exit 0
expect_status store.at_risk false
gen=$(gen_of)
split "1 2" "6 7 8 9 10"
wait_until 30 node_is 6 master || fail "no failover"
wait_control 40 2 leading
wait_control 20 1 away
on 2 wait_status 20 "active armed" "green true"
[ "$(gen_of)" -gt "$gen" ] || fail "no new generation: $gen, $(map_value)"
expect_no_failures begin
step "both see a feature go: one of them acts"
load_cmd mark lost
app green all lose quotes 500
on 2 wait_status 20 "active phase" "blue steady"
load_cmd mark back
expect_gets_kept lost
load_cmd more 200
on 2 expect_agreement
on 2 expect_events rollback.decided 1
app green all restore all

step "healed: the old primary is a replica, its controller follows"
unsplit "1 2" "6 7 8 9 10"
wait_until 60 node_is 2 slave || fail "the old primary is no replica: $(node_role 2)"
wait_control 40 1 following
wait_until 20 eval '[ "$(on 1 status active etag)" = "$(on 2 status active etag)" ]' || fail "they differ: $(on 1 status active etag), $(on 2 status active etag)"
on 2 expect_events rollback.decided 1
on 2 run pardon shop r42 -m "it was the test"
expect_exit 0
on 2 wait_status 20 "slots.blue.whole slots.green.whole store.at_risk" "true true false"

step "the primary wants none: it goes on alone"
for node in 2 6; do node_cmd $node "CONFIG SET min-replicas-to-write 0" >/dev/null; done
gen=$(gen_of)
load_cmd mark alone
split "6 8" "1 2 7 9 10"
on 2 run flip shop --to green -y --timeout 20s
[ "$RC" = 0 ] || [ "$RC" = 13 ] || fail "exit $RC"
case $(cat "$SITE/ctl.err") in *"at risk"*) ;; *) fail "that it is at risk is not said: $(cat "$SITE/ctl.err")" ;; esac
wait_until 30 node_is 2 master || fail "no failover"
wait_control 60 1 leading
[ "$(gen_of)" -gt "$gen" ] || wait_until 20 eval '[ "$(gen_of)" -gt "$gen" ]' || fail "no new generation: $gen, $(map_value)"
step "two lead, each in a history of its own: they do not outbid each other without end"
wait_until 20 eval '[ "$(status loaded)" = true ]' || fail "not loaded"
before=$(wc -l <"$SITE/map.log")
load_cmd more 2000
values=$(($(wc -l <"$SITE/map.log") - before))
[ $values -le 16 ] || fail "$values values in the time of 2000 requests: $(tail -n $values "$SITE/map.log" | paste -sd' ' -)"
# A generation ahead of the clock is refused by whoever reads it with care.
[ "$(gen_of)" -le $(($(date +%s) + 30)) ] || fail "the generation is ahead of the clock: $(gen_of), $(date +%s)"

step "healed: one history"
unsplit "6 8" "1 2 7 9 10"
wait_until 60 node_is 6 slave || fail "the old primary is no replica: $(node_role 6)"
lead_and_follow() { case "$(control 1) $(control 2)" in 'leading following') LEADS=1 ;; 'following leading') LEADS=2 ;; *) false ;; esac; }
wait_until 60 lead_and_follow || fail "who leads? $(control 1), $(control 2)"
same_record() { [ "$(on 1 status active etag)" = "$(on 2 status active etag)" ] && on $LEADS agree; }
wait_until 30 same_record || fail "they differ: $(on 1 status active etag), $(on 2 status active etag), $(map_value), $(front_stamp)"
load_cmd more 60
expect_no_failures alone
[ $LEADS = 1 ] || { controller_stop 2 || fail "controller 2 ended with $?"; wait_control 20 1 leading; }
[ $LEADS != 1 ] || controller_stop 2 || fail "controller 2 ended with $?"
wait_status 20 loaded true
scn_done
