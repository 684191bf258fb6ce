# SPDX-License-Identifier: MIT
# fleet.sh - benchmarks (h) and (i): a site of many services and agents, and what a fleet needs to recover.
# Sourced by scripts/bench/part, after site.sh.
# shellcheck shell=bash

FEATURES_EACH=20                # of one service; two targets a slot make four targets
MANY_TARGETS=2

# wait_control of tests/scenarios/fleet.sh and others there end with it.
fail() { die "$@"; }
. tests/scenarios/fleet.sh

# ---- Redis, of its own: as it stands beside several controllers ----

# store_start: over the socket and over TCP at once, every write on the disk before it is answered.
store_start()
{
	mkdir -p "$SITE/redis"
	setsid "$REDIS_SERVER" --bind 127.0.0.1 --port "$STORE_PORT" --unixsocket "$SITE/redis.sock" --dir "$SITE/redis" --appendonly yes --appendfsync always \
		--auto-aof-rewrite-percentage 0 --save '' --daemonize no </dev/null >>"$SITE/log/redis" 2>&1 &
	echo $! >"$SITE/pid/redis"
	disown
	wait_until 10 store_answers
}
store_answers() { case $("$FAKES/sockcmd" -t 2 "$SITE/redis.sock" QUIT 2>/dev/null) in +OK*) true ;; *) false ;; esac; }
store_info() { "$FAKES/sockcmd" -t 5 "$SITE/redis.sock" "INFO $1"$'\nQUIT' | tr -d '\r'; }
store_field() { store_info "$1" | sed -n "s/^$2://p"; }

# ---- many services, many agents ----

# The targets of service N are on 127.0.1.N, and its front at agent A on 127.0.(100+A).N: a handful of ports is enough for all.
many_ports()
{
	site_ports 9 || return 1
	HTTP=127.0.0.1:${PORTS[0]} OPERATORS=127.0.0.1:${PORTS[1]} STORE_PORT=${PORTS[2]} FRONT_PORT=${PORTS[3]} SERVED_PORT=${PORTS[4]}
	BLUE_PORTS="${PORTS[5]} ${PORTS[6]}" GREEN_PORTS="${PORTS[7]} ${PORTS[8]}"
}

# One nginx for all targets: what is measured is switchd, not an application.  Paths that no feature has are 404 (negative controls).
many_target()
{
	local dir=$SITE/nginx i port
	mkdir -p "$dir/tmp" || return 1
	{
		cat <<-CONF
		worker_processes 1;
		master_process off;
		daemon off;
		pid $dir/pid;
		error_log $SITE/log/nginx crit;
		events { worker_connections 16000; }
		http {
		  access_log off;
		  keepalive_timeout 300s;
		  keepalive_requests 100000000;
		  client_body_temp_path $dir/tmp; proxy_temp_path $dir/tmp; fastcgi_temp_path $dir/tmp; uwsgi_temp_path $dir/tmp; scgi_temp_path $dir/tmp;
		  default_type application/json;
		  server { listen 127.0.0.1:$SERVED_PORT; location / { stub_status; } }
		  server {
		CONF
		for ((i = 1; i <= SERVICES; i++)); do
			for port in $BLUE_PORTS $GREEN_PORTS; do echo "    listen 127.0.1.$i:$port;"; done
		done
		cat <<-'CONF'
		    location = / { return 200 'here'; }
		    location ~ '^/q[0-9]+$' { return 200 '{"quotes":[{"id":7,"customer":"Brandt","total":1190},{"id":8,"customer":"Osei","total":240}],"currency":"EUR"}'; }
		    location / { return 404; }
		  }
		}
		CONF
	} >"$dir/conf"
	setsid nginx -c "$dir/conf" -e "$SITE/log/nginx" </dev/null >>"$SITE/log/nginx.out" 2>&1 &
	echo $! >"$SITE/pid/nginx"
	disown
	wait_until 10 curl -s -o /dev/null "http://127.0.0.1:$SERVED_PORT/"
}
many_served() { curl -s "http://127.0.0.1:$SERVED_PORT/" | awk 'NR == 3 { print $3 }'; }

# many_config AGENT: of the controller (0) or of one agent.
many_config()
{
	awk -v agent="$1" -v services="$SERVICES" -v agents="$AGENTS" -v features=$FEATURES_EACH -v blue="$BLUE_PORTS" -v green="$GREEN_PORTS" -v front="$FRONT_PORT" \
		-v site="$SITE" -v http="$HTTP" -v operators="$OPERATORS" -v state="$STORE_URL" '
	function targets(i, ports, p, n, k, s) { n = split(ports, p, " "); for (k = 1; k <= n; k++) s = s (k > 1 ? ", " : "") "127.0.1." i ":" p[k]; return s }
	BEGIN {
		print "version: 1"
		if (agent) printf "listen: { http: off, operators: off, unix: %s/lb%d/none.sock }\nstate_dir: %s/lb%d\nagent: { name: lb%d }\n", site, agent, site, agent, agent
		else printf "listen: { http: %s, operators: %s, unix: %s/switchd.sock }\nstate_dir: %s/state\n", http, operators, site, site
		printf "state: { redis: \"%s\" }\nservices:\n", state
		for (i = 1; i <= services; i++) {
			printf "  s%d:\n    initial: blue\n    bake: 1h\n    fast_interval: 1s\n    via: [slot]\n", i
			printf "    front: http://127.0.%d.%d:%d\n", agent ? 100 + agent : 101, i, front
			printf "    slots:\n      blue: [ %s ]\n      green: [ %s ]\n    proxies:\n", targets(i, blue), targets(i, green)
			if (agent) printf "      - { type: haproxy, socket: %s/lb%d/haproxy.sock }\n", site, agent
			else for (a = 1; a <= agents; a++) printf "      - { type: agent, name: lb%d, front: \"http://127.0.%d.%d:%d\" }\n", a, 100 + a, i, front
			print "    features:"
			for (f = 1; f <= features; f++)
				printf "      f%d: { path: /q%d, expect: [ status == 200, \"body contains \\\"Brandt\\\"\" ]%s }\n", f, f, f == 1 ? ", via: [slot, front]" : ""
		}
	}'
}

# many_lb N: a HAProxy with every service, as switchctl prints it, one thread; and its agent.  Its own checks of the
# servers come every 5 s instead of 500 ms: ten proxies on one machine would measure those.
many_lb()
{
	local n=$1 dir=$SITE/lb$1 i
	mkdir -p "$dir"
	many_config "$n" >"$dir/agent.yaml"
	"$BIN/switchctl" --config "$dir/agent.yaml" proxy init >>"$SITE/log/proxy-init" 2>&1 || return 1
	for ((i = 1; i <= SERVICES; i++)); do
		"$BIN/switchctl" --config "$dir/agent.yaml" proxy snippet haproxy s$i --bind "127.0.$((100 + n)).$i:$FRONT_PORT" 2>>"$SITE/log/snippet" |
			if [ $i = 1 ]; then cat; else sed -n '/^frontend /,$p'; fi || return 1
	done | sed 's/check inter 500ms/check inter 5s/; s/^global$/global\n  nbthread 1/' >"$dir/haproxy.cfg"
	haproxy -c -f "$dir/haproxy.cfg" >>"$SITE/log/haproxy-check" 2>&1 || return 1
	lb_start "$n" && lb_agent_start "$n"
}

many_converged()
{
	local i
	for ((i = 1; i <= SERVICES; i++)); do
		[ "$(SERVICE=s$i status loaded store.up fleet.converged fleet.all slots.blue.whole slots.green.whole)" = "true true $AGENTS $AGENTS true true" ] || return 1
	done
}

# The first flip of a service is a deploy; from then on both slots can be flipped to.
many_deployed()
{
	local i n=0
	for ((i = 1; i <= SERVICES; i++)); do
		( ctl deploy s$i --slot green --release r40 --wait=flipped --timeout 120s --no-input --json && ctl rollback s$i --yes -m bench ) >>"$SITE/log/deploys" 2>&1 &
		[ $((++n % 5)) != 0 ] || wait_all || return 1
	done
	wait_all
}
wait_all()
{
	local p rc=0
	for p in $(jobs -pr); do case " $(cat "$SITE"/pid/* | tr '\n' ' ')" in *" $p "*) ;; *) wait "$p" || rc=1 ;; esac; done
	return $rc
}

# many_up SERVICES AGENTS unix|tcp: converged, both slots of each service whole, blue active.
many_up()
{
	local n
	SERVICES=$1 AGENTS=$2 SERVICE=s1
	mkdir -p "$SITE/pid" "$SITE/log" "$SITE/state"
	CONFIG=$SITE/switchd.yaml
	export SWITCHD_URL=unix:$SITE/switchd.sock
	many_ports || die "no free ports"
	case $3 in unix) STORE_URL=unix:$SITE/redis.sock ;; tcp) STORE_URL=redis://127.0.0.1:$STORE_PORT/0 ;; esac
	many_target || die "nginx does not start: $(cat "$SITE/log/nginx" "$SITE/log/nginx.out")"
	store_start || die "redis does not start: $(tail -n 3 "$SITE/log/redis")"
	many_config 0 >"$CONFIG"
	"$BIN/switchd" -t "$CONFIG" >"$SITE/log/config" 2>&1 || die "the configuration: $(head -n 3 "$SITE/log/config")"
	for ((n = 1; n <= AGENTS; n++)); do
		many_lb $n || die "HAProxy $n does not start: $(tail -n 3 "$SITE/log/proxy-init" "$SITE/log/snippet" "$SITE/log/haproxy-check" 2>/dev/null)"
	done
	switchd_start
	wait_until 120 many_converged || die "it does not converge: $(status loaded store fleet slots.blue.whole slots.green.whole)"
	many_deployed || die "deploys: $(tail -n 3 "$SITE/log/deploys")"
	wait_until 60 many_converged || die "it does not converge after the deploys: $(status fleet)"
}

# cpu_of NAME...: of the processes of these names, in us so far.
cpu_of()
{
	local n sum=0
	for n in "$@"; do sum=$((sum + $(cpu_us "$(pid_of "$n")"))); done
	echo $sum
}
# rss_sum NAME...: kB.
rss_sum()
{
	local n sum=0
	for n in "$@"; do sum=$((sum + $(rss_of VmRSS "$(pid_of "$n")"))); done
	echo $sum
}

# commands_between BEFORE AFTER: calls of each command of Redis, as JSON.
commands_between()
{
	awk -F'[_:=,]' '/^cmdstat_/ { name = $2; for (i = 3; i < NF && $i != "calls"; i++) name = name "_" $i
		if (FILENAME == ARGV[1]) was[name] = $(i + 1); else if ($(i + 1) > was[name] && name !~ /^(info|command|quit)$/) printf "%s\"%s\":%d", n++ ? "," : "{", name, $(i + 1) - was[name] }
		END { print n ? "}" : "{}" }' "$1" "$2"
}

many_names() { local n; for ((n = 1; n <= AGENTS; n++)); do echo "$1$n"; done; }

# many_meanwhile COMMAND...: who used how much CPU meanwhile, and what was written; as members of JSON, without braces.
many_meanwhile()
{
	local before after probes aof t
	# shellcheck disable=SC2046
	before=$(cpu_of switchd; cpu_of $(many_names agent); cpu_of $(many_names haproxy); cpu_of redis; cpu_of nginx)
	store_info commandstats >"$SITE/commands.before"
	aof=$(store_field persistence aof_current_size)
	scrape "$SITE/before" || die "no metrics"
	t=$(date +%s%N)
	"$@" || die "$*"
	t=$((($(date +%s%N) - t) / 1000000))
	scrape "$SITE/after" || die "no metrics"
	# shellcheck disable=SC2046
	after=$(cpu_of switchd; cpu_of $(many_names agent); cpu_of $(many_names haproxy); cpu_of redis; cpu_of nginx)
	store_info commandstats >"$SITE/commands.after"
	probes=$(($(probes_in "$SITE/after" | cut -d' ' -f1) - $(probes_in "$SITE/before" | cut -d' ' -f1)))
	# shellcheck disable=SC2086
	set -- $before $after
	printf '"ms":%d,"probes":%d,"aof_bytes":%d,"commands":%s,"cpu_us":{"controller":%d,"agents":%d,"haproxys":%d,"redis":%d,"targets":%d}' "$t" "$probes" \
		$(($(store_field persistence aof_current_size) - aof)) "$(commands_between "$SITE/commands.before" "$SITE/commands.after")" \
		$(($6 - $1)) $(($7 - $2)) $(($8 - $3)) $(($9 - $4)) $((${10} - $5))
}

# many_run NAME SERVICES AGENTS unix|tcp [rest]: h-NAME.json.  rest: memory and a quiet minute only.
many_run()
{
	local rest flips='' once='' commits='' at_rest
	(
	SITE=$SITE/$1
	trap 'rc=$?; [ $rc = 0 ] || tail -n 5 "$SITE/log/switchd" >&2; site_end; exit $rc' EXIT
	mkdir -p "$SITE"
	many_up "$2" "$3" "$4"
	sleep "$(few 10 3)"
	at_rest=$(many_meanwhile sleep "$(few 60 5)") || exit 1
	"$TOOLS/fleet" memory --redis "$SITE/redis.sock" --out "$SITE/memory.json" || die "no memory"
	# shellcheck disable=SC2046
	rest="\"rss_kb\":{\"controller\":$(rss_sum switchd),\"agents\":$(rss_sum $(many_names agent)),\"redis\":$(rss_sum redis)},\"redis_bytes\":$(store_field memory used_memory),\"keys\":$(cat "$SITE/memory.json")"
	if [ "${5:-}" != rest ]; then
		say "$1: $(few 200 8) flips, one after the other"
		flips=$(many_meanwhile "$TOOLS/fleet" flips --api "$SITE/switchd.sock" --services "$SERVICES" --rounds "$(few 200 8)" --out "$SITE/flips.json") || exit 1
		say "$1: $(few 10 2) times all $SERVICES at once"
		"$TOOLS/fleet" at-once --api "$SITE/switchd.sock" --services "$SERVICES" --rounds "$(few 10 2)" --out "$SITE/once.json" || die "no flips at once"
		"$TOOLS/fleet" commits --redis "$SITE/redis.sock" --tcp "127.0.0.1:$STORE_PORT" --lua switchd/store --service s1 --rounds "$(few 500 20)" --out "$SITE/commits.json" || die "no commits"
		flips=",\"flips\":$(cat "$SITE/flips.json"),\"while_flips\":{$flips}" once=",\"at_once\":$(cat "$SITE/once.json")" commits=",\"beside\":$(cat "$SITE/commits.json")"
	fi
	echo "{\"services\":$SERVICES,\"agents\":$AGENTS,\"features\":$FEATURES_EACH,\"over\":\"$4\",$rest,\"rest\":{$at_rest}$flips$once$commits}" | keep "h-$1"
	) || exit 1
}

part_h()
{
	local agents services
	agents=$(few 10 3) services=$(few 50 6)
	many_run few "$(few 10 2)" "$agents" unix rest
	many_run unix "$services" "$agents" unix
	many_run tcp "$services" "$agents" tcp
}

# ---- i: recoveries ----

# recovery NAME: the lines of `fleet await` in one.
recovery() { "$TOOLS/fleet" spread --in "$SITE/$1.lines" >"$SITE/$1.spread" || die "$1: nothing measured"; keep "i-$1" <"$SITE/$1.spread"; }
await_on() { local n=$1; shift; "$TOOLS/fleet" await --api "$SITE/switchd$([ "$n" = 1 ] || echo "$n").sock" --service "$SERVICE" "$@"; }
wall() { echo "${EPOCHREALTIME/./}"; }

# Moments spread over the time between two renewals of the lease, so that no run is always early or always late.
spread_nap() { sleep "$(awk -v i="$1" -v n="$2" -v s="$3" 'BEGIN { printf "%.3f", s * i / n }')"; }

recovery_site()
{
	site_begin 2 || die "no free ports"
	STORE_PORT=$("$FAKES/ports" 1 ${SCN_PORTS:-}) || die "no free ports"
	slot_start blue r41 && slot_start green r40 || die "the application does not start"
	SVC[bake]=1h
	[ -n "${TOP[state]:-}" ] || { store_start || die "redis does not start"; TOP[state]="{ redis: 'unix:$SITE/redis.sock' }"; }
	site_config
}

local_proxy() { haproxy_config && haproxy_start || die "HAProxy does not start: $(cat "$SITE/log/haproxy-check" "$SITE/log/snippet" "$SITE/log/proxy-init" 2>/dev/null)"; }

# deployed N: baking, by the controller that leads; what is lost now would be taken back.
deployed()
{
	on "$1" wait_until 60 status_of "slots.blue.state slots.blue.whole phase" "good true steady" || die "blue is not whole: $(on "$1" status slots.blue phase)"
	on "$1" deploy_green r40
	on "$1" wait_until 30 status_of armed true || die "it is not armed: $(on "$1" status armed_why)"
}
# status_of "PATHS" "VALUES"
# shellcheck disable=SC2086
status_of() { [ "$(status $1)" = "$2" ]; }

# Two controllers; who leads is killed, frozen, stopped.  led: the other one leads; armed: it has looked at everything and
# would take traffic back again if a feature were lost.
takeovers()
{
	local kind rep reps leader=1 other=2 pid
	reps=$(few 15 1)
	recovery_site
	local_proxy
	switchd_start
	wait_until 30 switchd_ready blue || die "switchd is not ready"
	cp "$CONFIG" "$SITE/switchd1.yaml"
	controller_config 2
	controller_start 2
	wait_control 20 2 following
	deployed 1
	for kind in killed frozen stopped; do
		for ((rep = 0; rep < reps; rep++)); do
			spread_nap $rep "$reps" 1.7
			pid=$(controller_pid $leader)
			case $kind in killed) await_kill=KILL ;; frozen) await_kill=STOP ;; stopped) await_kill=TERM ;; esac
			await_on $other --kill "$pid" --signal "$(kill -l $await_kill)" --out "$SITE/$kind.lines" "led:store.state=leading" "armed:loaded=true,armed=true" ||
				die "$kind: nobody took over"
			if [ $kind = frozen ]; then
				kill -CONT "$pid"
			else
				wait "$pid" 2>/dev/null
				controller_again $leader
			fi
			wait_control 30 $leader following
			on $leader wait_until 20 status_of loaded true || die "who came back knows no record"
			rep_swap=$leader leader=$other other=$rep_swap
		done
		recovery "$kind"
	done
}
controller_pid() { pid_of "switchd$([ "$1" = 1 ] || echo "$1")"; }
controller_again() { if [ "$1" = 1 ]; then switchd_start; else controller_start "$1"; fi; }

# Redis is killed and started again at once.  answers: it answers PING; up: the store is reconciled; committed: an order is.
redis_restarts()
{
	local rep reps waiter redis
	reps=$(few 15 2)
	recovery_site
	local_proxy
	switchd_start
	wait_until 30 switchd_ready blue || die "switchd is not ready"
	deployed 1
	for ((rep = 0; rep < reps; rep++)); do
		spread_nap $rep "$reps" 1.7
		redis=$(pid_of redis)
		await_on 1 --kill "$redis" --out "$SITE/redis.lines" "away:store.up=false" "answers:@$SITE/redis.sock" "up:store.up=true,loaded=true" "committed:!" &
		waiter=$!
		wait_until 5 gone_or_zombie "$redis" || die "redis is not gone"
		store_start || die "redis does not start"
		wait $waiter || die "redis: no recovery"
	done
	recovery redis
}

# sentinel_start N PORT
sentinel_start()
{
	mkdir -p "$SITE/sentinel$1"
	cat >"$SITE/sentinel$1/conf" <<-CONF
	bind 127.0.0.1
	port $2
	dir $SITE/sentinel$1
	sentinel monitor bench 127.0.0.1 ${NODE_PORT[1]} 2
	sentinel down-after-milliseconds bench 5000
	sentinel failover-timeout bench 10000
	CONF
	setsid "$REDIS_SERVER" "$SITE/sentinel$1/conf" --sentinel </dev/null >>"$SITE/log/sentinel$1" 2>&1 &
	echo $! >"$SITE/pid/sentinel$1"
	disown
}
# node_start N [PRIMARY]: one of the two that hold the data.
node_start()
{
	mkdir -p "$SITE/node$1"
	setsid "$REDIS_SERVER" --bind 127.0.0.1 --port "${NODE_PORT[$1]}" --dir "$SITE/node$1" --appendonly yes --appendfsync always --save '' \
		--repl-diskless-sync-delay 0 ${2:+--replicaof 127.0.0.1 "${NODE_PORT[$2]}"} --daemonize no </dev/null >>"$SITE/log/node$1" 2>&1 &
	echo $! >"$SITE/pid/node$1"
	disown
}
node_says() { case $("$FAKES/sockcmd" -t 2 "127.0.0.1:${NODE_PORT[$1]}" $'INFO replication\nQUIT' 2>/dev/null) in *"$2"*) true ;; *) false ;; esac; }
sentinel_says() { case $("$FAKES/sockcmd" -t 2 "127.0.0.1:${SENTINEL_PORT[$1]}" $'INFO sentinel\nQUIT' 2>/dev/null) in *"status=ok"*"$2"*) true ;; *) false ;; esac; }

# The primary is killed; three sentinels (down-after 5 s) promote the replica.  A replica must have each commit (WAIT).
failovers()
{
	local rep reps ports n primary=1 replica=2 pid
	reps=$(few 8 1)
	mkdir -p "$SITE/pid" "$SITE/log"
	mapfile -t ports <<<"$("$FAKES/ports" 5 ${SCN_PORTS:-})"
	NODE_PORT=([1]="${ports[0]}" [2]="${ports[1]}") SENTINEL_PORT=([1]="${ports[2]}" [2]="${ports[3]}" [3]="${ports[4]}")
	node_start 1
	node_start 2 1
	wait_until 20 node_says 2 "master_link_status:up" || die "the replica does not follow: $(tail -n 3 "$SITE/log/node2")"
	for n in 1 2 3; do sentinel_start $n "${SENTINEL_PORT[$n]}"; done
	for n in 1 2 3; do wait_until 20 sentinel_says $n "slaves=1,sentinels=3" || die "sentinel $n knows not all: $(tail -n 3 "$SITE/log/sentinel$n")"; done
	TOP[state]="{ redis: 'sentinel://127.0.0.1:${ports[2]},127.0.0.1:${ports[3]},127.0.0.1:${ports[4]}/bench/0', replicas: 1 }"
	recovery_site
	local_proxy
	switchd_start
	wait_until 30 switchd_ready blue || die "switchd is not ready"
	deployed 1
	for ((rep = 0; rep < reps; rep++)); do
		pid=$(pid_of node$primary)
		await_on 1 --kill "$pid" --timeout 120 --out "$SITE/failover.lines" "away:store.up=false" "up:store.up=true,loaded=true" "committed:!" || die "failover: no recovery"
		node_start $primary $replica
		wait_until 30 node_says $primary "master_link_status:up" || die "who came back is no replica"
		for n in 1 2 3; do wait_until 60 sentinel_says $n "slaves=1,sentinels=3" || die "sentinel $n is not settled"; done
		n=$primary primary=$replica replica=$n
	done
	recovery failover
}

# Two proxies with agents; what agent 2 knows of the store comes through a relay.
# restarted: it is killed, traffic moves, it is started.  healed: it is cut off for 20 s, traffic moves, the cut is healed.
agents_back()
{
	local rep reps n kind t
	reps=$(few 15 1)
	# A live proxy that does not follow is a matter for people after flip_timeout; here it comes back before that.
	SVC[flip_timeout]=1m
	recovery_site
	setsid "$FAKES/relay" --listen "$SITE/relay.sock" --to "$SITE/redis.sock" --control "$SITE/relay.ctl" --pid-file "$SITE/pid/relay" </dev/null >>"$SITE/log/relay" 2>&1 &
	disown
	wait_until 10 test -S "$SITE/relay.sock" || die "the relay does not start"
	for n in 1 2; do lb_config $n || die "haproxy $n: $(cat "$SITE/log/snippet" "$SITE/log/proxy-init")"; done
	sed -i "s|unix:$SITE/redis.sock|unix:$SITE/relay.sock|; s|report: 300ms|report: 2s|" "$SITE/lb2/agent.yaml"
	sed -i "s|report: 300ms|report: 2s|" "$SITE/lb1/agent.yaml"
	sed -i "s|^      - { type: .*|      - { type: agent, name: lb1, front: 'http://${LB_FRONT[1]}' }\n      - { type: agent, name: lb2, front: 'http://${LB_FRONT[2]}' }|" "$CONFIG"
	for n in 1 2; do lb_start $n || die "haproxy $n does not start"; lb_agent_start $n; done
	FRONT=${LB_FRONT[1]}
	switchd_start
	wait_until 30 switchd_ready blue || die "switchd is not ready"
	deployed 1
	for kind in restarted healed; do
		for ((rep = 0; rep < reps; rep++)); do
			[ "$(status active)" = green ] || ctl flip "$SERVICE" --to green --yes -m bench >"$SITE/flip.out" 2>&1 || die "flip: $(cat "$SITE/flip.out")"
			wait_until 30 status_of "active fleet.converged" "green 2" || die "green is not everywhere: $(status fleet)"
			spread_nap $rep "$reps" 1
			if [ $kind = restarted ]; then end_pid KILL "$(pid_of agent2)"; else "$FAKES/sockcmd" -t 5 "$SITE/relay.ctl" blackhole >/dev/null; fi
			# Not by switchctl, which waits until it is seen through every front.
			[ "$(curl -s -o "$SITE/flip.out" -w '%{http_code}' --unix-socket "$SITE/switchd.sock" -H 'Content-Type: application/json' -d '{"message":"bench"}' \
				"http://localhost/v1/services/$SERVICE/rollback")" = 200 ] || die "rollback: $(cat "$SITE/flip.out")"
			wait_until 10 status_of "active fleet.converged" "blue 1" || die "not what was expected: $(status active fleet)"
			if [ $kind = restarted ]; then
				t=$(wall)
				lb_agent_start 2
			else
				sleep "$(few 20 8)"
				t=$(wall)
				"$FAKES/sockcmd" -t 5 "$SITE/relay.ctl" ok >/dev/null
			fi
			await_on 1 --since "$t" --out "$SITE/$kind.lines" "converged:fleet.converged=2" || die "agent 2 does not come back: $(status fleet)"
		done
		recovery "$kind"
	done
}

# Each with a site of its own.
recovering()
{
	(
	SITE=$SITE/$1
	mkdir -p "$SITE/log" || exit 2
	trap 'rc=$?; [ $rc = 0 ] || tail -n 5 "$SITE"/log/switchd* >&2; site_end; exit $rc' EXIT
	say "$1"
	"$1"
	) || exit 1
}

part_i()
{
	local which
	for which in ${BENCH_ONLY:-takeovers redis_restarts failovers agents_back}; do recovering "$which"; done
}
