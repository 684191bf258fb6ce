# SPDX-License-Identifier: MIT
# page_fleet.sh - the pages' part about fleets: sections (h) and (i) of docs/benchmarks.md, and the figures of docs/scaling.md.
# Sourced by scripts/bench/page.
# shellcheck shell=bash

# num NAME PATH: 0 when it is not there.
num() { local v; v=$(get "$1" "$2" 2>/dev/null) && [ -n "$v" ] || v=0; echo "$v"; }
# tri NAME PATH: median / p99 / most, in ms.
tri() { echo "$(ms "$(get "$1" "$2.p50")" %.1f) / $(ms "$(get "$1" "$2.p99")" %.1f) / $(ms "$(get "$1" "$2.max")" %.1f)"; }
share() { calc "$1 / $2 / 10" '%.2f %%'; }
# slope PATH: by service, between few and many of them.
slope() { calc "($(get h-unix "$1") - $(get h-few "$1")) / ($(get h-unix services) - $(get h-few services))" "${2:-%.1f}"; }

WRITES="set hset hdel del xadd xtrim expire pexpire"
# writes NAME PART: calls of all commands that write.
writes() { local c n=0; for c in $WRITES; do n=$((n + $(num "$1" "$2.commands.$c"))); done; echo $n; }
# Reports of agents and controllers: report.lua alone calls HEXISTS.
reports() { num "$1" "$2.commands.hexists"; }

beside_row()
{
	local w=beside.$2
	printf '| %s | %s | %s / %s | %s / %s | %s / %s | %sx, %sx |\n' "$1" "$(us "$(get h-unix $w.ping_us.p50)")" "$(us "$(get h-unix $w.set_us.p50)")" \
		"$(us "$(get h-unix $w.set_us.p99)")" "$(us "$(get h-unix $w.set_long_us.p50)")" "$(us "$(get h-unix $w.set_long_us.p99)")" \
		"$(us "$(get h-unix $w.commit_us.p50)")" "$(us "$(get h-unix $w.commit_us.p99)")" \
		"$(calc "$(get h-unix $w.commit_us.p50) / $(get h-unix $w.set_us.p50)" %.2f)" "$(calc "$(get h-unix $w.commit_us.p50) / $(get h-unix $w.set_long_us.p50)" %.2f)"
}

converged_row()
{
	local n=$2 p=$3
	has "$n" || return
	printf '| %s | %s | %s | %s | %s | %s |\n' "$1" "$(get "$n" "$p.flips")" "$(tri "$n" "$p.answered_us")" "$(tri "$n" "$p.converged_p50_us")" \
		"$(tri "$n" "$p.converged_most_us")" "$(tri "$n" "$p.observed_us")"
}

# calls PART: of each command, most first.
calls()
{
	"$JGET" "result.$1.commands" <"$RESULTS/h-unix.json" | tr -d '{}" ' | tr ',' '\n' | sort -t: -k2nr | awk -F: 'NF == 2 { printf "%s`%s` %s", n++ ? ", " : "", toupper($1), $2 }'
}

section_h()
{
	local agents services
	has h-few && has h-unix || { missing h; return; }
	agents=$(get h-unix agents) services=$(get h-unix services)
	cat <<-PAGE

	## (h) A fleet
	\`scripts/bench/run h\`: $services services of $(get h-unix features) features on four targets (two a slot), each driven through $agents proxies by $agents agents; one controller, one
	Redis beside it (\`appendfsync always\`). All of it is on this machine: $agents HAProxys of one thread with every service each (their own checks every 5 s), $agents
	agents, one nginx as all $((services * 4)) targets. All settings are defaults but \`via: [slot]\`, with one feature of each
	service asked through all $agents fronts too, a long bake, and \`fast_interval: 1s\`, so that what is measured at $services flips in one moment is not $services bakes.
	An agent has converged when its proxy has shown the commit's version in a read back; the time from the commit to that is on the clock of Redis. Measured $(when h-unix).

	One client, each command alone, over the socket and over TCP in turn; the long SET has $(get h-unix beside.bytes) bytes, about what a commit writes:

	| us | PING | SET of 85 bytes p50 / p99 | long SET p50 / p99 | commit p50 / p99 | commit by SET, by long SET (p50) |
	|---|---|---|---|---|---|
	PAGE
	beside_row "unix socket" unix
	beside_row "TCP" tcp
	cat <<-PAGE

	| ms, median / p99 / most | flips | the order is answered: committed | half of the $agents agents show it | the last one shows it | seen through every front |
	|---|---|---|---|---|---|
	PAGE
	converged_row "one after the other, unix socket" h-unix flips
	converged_row "one after the other, TCP" h-tcp flips
	converged_row "all $services in one moment, unix socket" h-unix at_once
	converged_row "all $services in one moment, TCP" h-tcp at_once
	cat <<-PAGE

	All $services in one moment: the last order was answered after $(tri h-unix at_once.all_answered_us) ms, all was seen everywhere after $(tri h-unix at_once.all_converged_us) ms
	(median / p99 / most of $(get h-unix at_once.rounds) rounds). $(($(num h-unix flips.refused) + $(num h-unix at_once.refused) + $(num h-tcp flips.refused) + $(num h-tcp at_once.refused))) orders were refused first and asked again.

	| memory | $(get h-few services) services | $services services | a service |
	|---|---|---|---|
	| controller, resident | $(calc "$(get h-few rss_kb.controller) / 1024") MB | $(calc "$(get h-unix rss_kb.controller) / 1024") MB | $(slope rss_kb.controller) kB |
	| an agent, resident | $(calc "$(get h-few rss_kb.agents) / 1024 / $agents") MB | $(calc "$(get h-unix rss_kb.agents) / 1024 / $agents") MB | $(calc "$(slope rss_kb.agents %.3f) / $agents") kB |
	| Redis, \`used_memory\` | $(calc "$(get h-few redis_bytes) / 1048576" %.2f) MB | $(calc "$(get h-unix redis_bytes) / 1048576" %.2f) MB | $(calc "$(slope redis_bytes %.1f) / 1024") kB |

	Redis' keys of a service: its record $(key_bytes s) bytes, the public one $(key_bytes a), the ledger's facts $(key_bytes b), its reports by $agents agents $(key_bytes ga), and for an hour $(num h-unix keys.q.n) answered
	requests of $(calc "$(num h-unix keys.q.bytes) / ($(num h-unix keys.q.n) + ($(num h-unix keys.q.n) == 0))" %.0f) bytes.

	| what is written when | at rest | during $(get h-unix flips.flips) flips |
	|---|---|---|
	| time | $(calc "$(get h-unix rest.ms) / 1000" %.0f) s | $(calc "$(get h-unix while_flips.ms) / 1000" %.0f) s |
	| probes | $(get h-unix rest.probes) | $(get h-unix while_flips.probes) |
	| reports of agents and the controller | $(reports h-unix rest) | $(reports h-unix while_flips) |
	| lease renewals | $(num h-unix rest.commands.pexpire) | $(num h-unix while_flips.commands.pexpire) |
	| calls of commands that write, those in scripts too | $(writes h-unix rest) | $(writes h-unix while_flips) |
	| bytes appended to Redis' log | $(get h-unix rest.aof_bytes) | $(get h-unix while_flips.aof_bytes) |

	Nothing is written for a probe. All calls at rest: $(calls rest).

	| of one core | at rest | during the flips |
	|---|---|---|
	PAGE
	cpu_row "controller" controller 1
	cpu_row "an agent" agents "$agents"
	cpu_row "a HAProxy" haproxys "$agents"
	cpu_row "Redis" redis 1
	cpu_row "all targets" targets 1
}

cpu_row() { echo "| $1 | $(share "$(get h-unix "rest.cpu_us.$2") / $3" "$(get h-unix rest.ms)") | $(share "$(get h-unix "while_flips.cpu_us.$2") / $3" "$(get h-unix while_flips.ms)") |"; }
key_bytes() { calc "$(num h-unix "keys.$1.bytes") / $(get h-unix services)" %.0f; }

# ---- (i) ----

recovery_row()
{
	local n=i-$2 s=$3
	has "$n" || { echo "| $1 | not measured | | | | |"; return; }
	echo "| $1 | $(ms "$(get "$n" "$s.min")") | $(ms "$(get "$n" "$s.p50")") | $(ms "$(get "$n" "$s.p90")") | $(ms "$(get "$n" "$s.max")") | $(get "$n" "$s.n") |"
}

section_i()
{
	has i-killed || has i-redis || has i-failover || has i-restarted || { missing i; return; }
	cat <<-PAGE

	## (i) Recoveries
	\`scripts/bench/run i\`: the real daemons, all settings defaults (\`lease_ttl: 5s\`) but a long bake. *Armed*: this controller has seen every target, and
	would take traffic back now if a feature were lost. *Commits again*: an order is answered with its commit. Redis is killed -9 and
	started again at once; of the failover, the sentinels' \`down-after-milliseconds\` is 5000, and a replica must have each commit (\`replicas: 1\`). The
	agent's proxy runs on throughout; while its agent is away traffic moves, and converged is when it shows that. The moments are
	spread over the time between two lease renewals. Measured $(for n in i-killed i-redis i-failover i-restarted; do has $n && when $n && break; done).

	| ms | least | median | p90 | most | times |
	|---|---|---|---|---|---|
	PAGE
	recovery_row "leader killed: another leads" killed led
	recovery_row "leader killed: armed" killed armed
	recovery_row "leader frozen: another leads" frozen led
	recovery_row "leader frozen: armed" frozen armed
	recovery_row "leader stopped cleanly: another leads" stopped led
	recovery_row "leader stopped cleanly: armed" stopped armed
	recovery_row "Redis killed: it answers again" redis answers
	recovery_row "Redis killed: the store is up" redis up
	recovery_row "Redis killed: commits again" redis committed
	recovery_row "primary killed, Sentinel: the store is up" failover up
	recovery_row "primary killed, Sentinel: commits again" failover committed
	recovery_row "agent killed, from its start: converged" restarted converged
	recovery_row "agent cut off for 20 s, from the healing: converged" healed converged
	cat <<-PAGE

	| goal | measured | |
	|---|---|---|
	PAGE
	recovery_goal "killed or frozen: another leads within ttl + 1 s" killed 6000
	recovery_goal "the same, frozen" frozen 6000
	recovery_goal "stopped cleanly: another leads within 1 s" stopped 1000
}
recovery_goal()
{
	has "i-$2" || return
	echo "| $1 | at most $(ms "$(get "i-$2" led.max)") ms | $(verdict "$(ms "$(get "i-$2" led.max)")" "$3" ms) |"
}

# ---- docs/scaling.md ----

# Unit costs as (h) measured them, and what they make of many.  A service is one of (h): 20 features, four targets, its proxies
# on 10 hosts; 1,000 agents then have 100 services each.
projection()
{
	local s a rest reports flips
	has h-few && has h-unix || { echo "Not measured: \`scripts/bench/run h\`."; return; }
	s=$(get h-unix services) a=$(get h-unix agents) rest=$(get h-unix rest.ms) reports=$(reports h-unix rest) flips=$(get h-unix flips.flips)
	awk -v s="$s" -v a="$a" -v rest="$rest" -v probes="$(get h-unix rest.probes)" -v controller="$(get h-unix rest.cpu_us.controller)" \
		-v agent="$(get h-unix rest.cpu_us.agents)" -v proxy="$(get h-unix rest.cpu_us.haproxys)" -v redis="$(get h-unix rest.cpu_us.redis)" -v reports="$reports" \
		-v writes="$(writes h-unix rest)" -v aof="$(get h-unix rest.aof_bytes)" -v flips="$flips" -v fms="$(get h-unix while_flips.ms)" -v fredis="$(get h-unix while_flips.cpu_us.redis)" \
		-v fcontroller="$(get h-unix while_flips.cpu_us.controller)" -v faof="$(get h-unix while_flips.aof_bytes)" -v mc="$(slope rss_kb.controller %.3f)" -v mc0="$(get h-few rss_kb.controller)" \
		-v looks="$(num h-unix rest.commands.getrange)" -v s0="$(get h-few services)" -v ma="$(slope rss_kb.agents %.3f)" -v ma0="$(get h-few rss_kb.agents)" -v mr="$(slope redis_bytes %.1f)" -v when="$(when h-unix)" -v commit="$(get h-unix beside.unix.commit_us.p50)" '
	function row(what, each, many, set) { printf "| %s | %s | %s | %s |\n", what, each, many, set }
	BEGIN {
		N = 10000; A = 1000; SET = 1000; SETA = 100; per = N * a / A
		pps = probes * 1000 / rest / s; upp = controller / probes
		ua = agent / a / s / rest * 1000; up = proxy / a / s / rest * 1000
		uf = (fredis - redis * fms / rest) / flips; if (uf < 0) uf = 0
		ucf = (fcontroller - controller * fms / rest) / flips; if (ucf < 0) ucf = 0
		rps = reports * 1000 / rest / (a + 1)
		base_c = mc0 - mc * s0; base_a = (ma0 - ma * s0) / a
		print "Of `scripts/bench/run h`, measured " when "; the arithmetic is `projection` in scripts/bench/page_fleet.sh.\n"
		print "| resource | measured: each | 10,000 services, 1,000 agents, if one set carried them | a set of 1,000 services and 100 agents |"
		print "|---|---|---|---|"
		row("probes a second", sprintf("%.1f a service", pps), sprintf("%.0f", pps * N), sprintf("%.0f", pps * SET))
		row("CPU of the controller at rest, cores", sprintf("%.0f us a probe, all included", upp), sprintf("%.1f", upp * pps * N / 1e6), sprintf("%.2f", upp * pps * SET / 1e6))
		row("memory of the controller", sprintf("%.0f kB a service (%d proxies)", mc, a), sprintf("%.1f GB", (base_c + mc * N) / 1048576), sprintf("%.0f MB", (base_c + mc * SET) / 1024))
		row("CPU of an agent, cores", sprintf("%.0f us a service and second", ua), sprintf("%.2f (%d services)", ua * per / 1e6, per), sprintf("%.2f", ua * per / 1e6))
		row("CPU of its HAProxy for switchd and its checks, cores", sprintf("%.0f us a service and second", up), sprintf("%.2f (%d services)", up * per / 1e6, per), sprintf("%.2f", up * per / 1e6))
		row("memory of an agent", sprintf("%.1f kB a service", ma / a), sprintf("%.1f MB (%d services)", (base_a + ma / a * per) / 1024, per), sprintf("%.1f MB", (base_a + ma / a * per) / 1024))
		row("memory of Redis", sprintf("%.1f kB a service (%d reports)", mr / 1024, a), sprintf("%.0f MB", mr * N / 1048576), sprintf("%.0f MB", mr * SET / 1048576))
		row("reports a second", sprintf("%.2f an agent", rps), sprintf("%.0f", rps * A), sprintf("%.0f", rps * SETA))
		row("bytes a second to the disk of Redis, at rest", sprintf("%.0f with %d agents", aof * 1000 / rest, a), sprintf("%.0f kB", aof * 1000 / rest / a * A / 1024), sprintf("%.1f kB", aof * 1000 / rest / a * SETA / 1024))
		row("records that the controller looks at a second (another hand)", sprintf("%.1f a service", looks * 1000 / rest / s), sprintf("%.0f", looks * 1000 / rest / s * N), sprintf("%.0f", looks * 1000 / rest / s * SET))
		row("CPU of Redis at rest, cores", sprintf("%.0f us a service and second, with its %d reporters", redis * 1000 / rest / s, a), sprintf("%.2f", redis * 1000 / rest / s * N / 1e6), sprintf("%.3f", redis * 1000 / rest / s * SET / 1e6))
		row("CPU of Redis for one flip", sprintf("%.0f us (%d agents told and reporting)", uf, a), "", "")
		row("CPU of the controller for one flip", sprintf("%.0f us", ucf), "", "")
		row("bytes to the disk of Redis for one flip", sprintf("%.0f", (faof - aof * fms / rest) / flips), "", "")
		row("two flips a day of each service, mean a second", "", sprintf("%.2f", 2 * N / 86400), sprintf("%.3f", 2 * SET / 86400))
		row("pushes delivered at 50 flips a second", "every agent hears each", sprintf("%.0f a second", 50 * A), sprintf("%.0f a second (5 flips)", 5 * SETA))
		row("connections of Redis", "2 an agent, 2 a controller", sprintf("%d", 2 * A + 4), sprintf("%d", 2 * SETA + 4))
		row("words of agents in the memory of the controller, all services on all agents", "", sprintf("%.0f million", N * A / 1e6), sprintf("%.1f million", SET * SETA / 1e6))
	}'
}
