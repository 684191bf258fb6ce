/* SPDX-License-Identifier: MIT
 * metrics.c - the Prometheus text (exposition format 0.0.4): one table of families, labels bounded by the config. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "switchd/base/log.h"
#include "switchd/core/readiness.h"
#include "switchd/engine/service.h"

static void family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Names are [A-Za-z0-9_.-] and need no escaping; a release may hold more, never a quote or backslash (id_ok). */
static void service_gauges(const struct engine *e, struct buf *b)
{
	struct world w;
	char why[160];

	family(b, "switchd_armed", "gauge", "1 when a feature lost now would be flipped back now");
	for (size_t i = 0; i < e->n; i++) {
		struct service *s = e->services[i];

		service_world(s, &w);
		buf_addf(b, "switchd_armed{service=\"%s\"} %d\n", s->cfg->name, s->loaded && !s->bad.on && decide_armed(&s->rec, &w, why));
	}
	family(b, "switchd_rollback_target", "gauge", "1 when the idle slot is a rollback target");
	for (size_t i = 0; i < e->n; i++)
		buf_addf(b, "switchd_rollback_target{service=\"%s\"} %d\n", e->services[i]->cfg->name,
			 decide_rollback_target(&e->services[i]->rec, &e->services[i]->condemned, why));
	family(b, "switchd_active", "gauge", "1 for the slot that serves");
	for (size_t i = 0; i < e->n; i++)
		for (int k = BLUE; k <= GREEN; k++)
			buf_addf(b, "switchd_active{service=\"%s\",slot=\"%s\"} %d\n", e->services[i]->cfg->name, slot_name((enum slot)k),
				 e->services[i]->rec.active == (enum slot)k);
	family(b, "switchd_epoch", "gauge", "epoch of the record");
	for (size_t i = 0; i < e->n; i++)
		buf_addf(b, "switchd_epoch{service=\"%s\"} %llu\n", e->services[i]->cfg->name, (unsigned long long)e->services[i]->rec.v.epoch);
	family(b, "switchd_phase", "gauge", "1 for the phase the service is in");
	for (size_t i = 0; i < e->n; i++)
		for (int p = 0; p < N_PHASES; p++)
			buf_addf(b, "switchd_phase{service=\"%s\",phase=\"%s\"} %d\n", e->services[i]->cfg->name, phase_name((enum phase)p),
				 e->services[i]->rec.phase == (enum phase)p);
	family(b, "switchd_mode", "gauge", "1 for the mode the service runs in");
	for (size_t i = 0; i < e->n; i++)
		for (int m = MODE_OBSERVE; m <= MODE_ENFORCE; m++)
			buf_addf(b, "switchd_mode{service=\"%s\",mode=\"%s\"} %d\n", e->services[i]->cfg->name, run_mode_name((enum run_mode)m),
				 e->services[i]->cfg->mode == (enum run_mode)m);
	family(b, "switchd_held", "gauge", "1 while a hold or a pin stands");
	for (size_t i = 0; i < e->n; i++)
		buf_addf(b, "switchd_held{service=\"%s\"} %d\n", e->services[i]->cfg->name, e->services[i]->rec.hold.on || e->services[i]->rec.pin.on);
	family(b, "switchd_shield_up", "gauge", "1 while the other slot answers what the active one fails");
	for (size_t i = 0; i < e->n; i++)
		buf_addf(b, "switchd_shield_up{service=\"%s\"} %d\n", e->services[i]->cfg->name, e->services[i]->rec.shield);
	family(b, "switchd_front_down", "gauge", "1 while the public address refuses, resets or does not stamp");
	for (size_t i = 0; i < e->n; i++)
		buf_addf(b, "switchd_front_down{service=\"%s\"} %d\n", e->services[i]->cfg->name, e->services[i]->view->front_down);
	family(b, "switchd_prober_suspect", "gauge", "1 while the prober does not trust itself");
	for (size_t i = 0; i < e->n; i++)
		buf_addf(b, "switchd_prober_suspect{service=\"%s\"} %d\n", e->services[i]->cfg->name, e->services[i]->view->suspect);
	family(b, "switchd_bake_remaining_seconds", "gauge", "what is left of the bake, 0 when none runs");
	for (size_t i = 0; i < e->n; i++) {
		const struct record *r = &e->services[i]->rec;
		int64_t left = r->phase == PH_BAKING ? r->phase_until.ms - wall_now().ms : 0;

		buf_addf(b, "switchd_bake_remaining_seconds{service=\"%s\"} %.3f\n", e->services[i]->cfg->name, left > 0 ? (double)left / 1000. : 0.);
	}
}

static void ready_gauges(const struct engine *e, struct buf *b)
{
	struct readiness r;
	struct world w;

	family(b, "switchd_rollback_ready", "gauge", "1 when the idle slot is a rollback target, whole, and was asked lately");
	for (size_t i = 0; i < e->n; i++) {
		service_world(e->services[i], &w);
		readiness_look(&e->services[i]->rec, &w, &r);
		buf_addf(b, "switchd_rollback_ready{service=\"%s\"} %d\n", e->services[i]->cfg->name, r.ready);
	}
	family(b, "switchd_rollback_blocked", "gauge", "1 for each reason why there is no way back now");
	for (size_t i = 0; i < e->n; i++) {
		service_world(e->services[i], &w);
		readiness_look(&e->services[i]->rec, &w, &r);
		for (int k = 0; k < N_BLOCKED; k++)
			buf_addf(b, "switchd_rollback_blocked{service=\"%s\",reason=\"%s\"} %d\n", e->services[i]->cfg->name, blocked_name((enum blocked)k),
				 (int)(r.blocked >> k & 1));
	}
}

static void feature_gauges(const struct engine *e, struct buf *b)
{
	family(b, "switchd_feature_up", "gauge", "1 present, 0 absent or partial; no sample while unknown");
	for (size_t i = 0; i < e->n; i++) {
		const struct service *s = e->services[i];

		for (size_t f = 0; f < s->view->n; f++)
			for (int k = BLUE; k <= GREEN; k++)
				if (s->view->f[f].at[k] != V_UNKNOWN)
					buf_addf(b, "switchd_feature_up{service=\"%s\",slot=\"%s\",feature=\"%s\",via=\"slot\"} %d\n", s->cfg->name,
						 slot_name((enum slot)k), s->cfg->features[f].name, s->view->f[f].at[k] == V_PRESENT);
	}
	family(b, "switchd_feature_lost", "gauge", "1 when present on the other slot and absent on this one");
	for (size_t i = 0; i < e->n; i++) {
		const struct service *s = e->services[i];

		for (size_t f = 0; f < s->view->n; f++)
			for (int k = BLUE; k <= GREEN; k++)
				buf_addf(b, "switchd_feature_lost{service=\"%s\",slot=\"%s\",feature=\"%s\"} %d\n", s->cfg->name, slot_name((enum slot)k),
					 s->cfg->features[f].name, s->view->f[f].cmp[k] == CMP_LOST);
	}
	family(b, "switchd_targets_in", "gauge", "targets that are in");
	for (size_t i = 0; i < e->n; i++)
		for (int k = BLUE; k <= GREEN; k++)
			buf_addf(b, "switchd_targets_in{service=\"%s\",slot=\"%s\"} %d\n", e->services[i]->cfg->name, slot_name((enum slot)k),
				 e->services[i]->view->slot[k].in);
	family(b, "switchd_proxy_in_sync", "gauge", "1 when the proxy shows the record's value, observed where it can be");
	for (size_t i = 0; i < e->n; i++)
		for (size_t p = 0; p < e->services[i]->cfg->n_proxies; p++)
			buf_addf(b, "switchd_proxy_in_sync{service=\"%s\",proxy=\"%s\"} %d\n", e->services[i]->cfg->name,
				 e->services[i]->px[p].cfg->name, strcmp(px_state(&e->services[i]->px[p]), "in-sync") == 0);
	family(b, "switchd_probe_stretch", "gauge", "how many times longer than configured the probe interval is, because of max_rate");
	for (size_t i = 0; i < e->n; i++)
		for (int k = BLUE; k <= GREEN; k++)
			buf_addf(b, "switchd_probe_stretch{service=\"%s\",slot=\"%s\"} %.2f\n", e->services[i]->cfg->name, slot_name((enum slot)k),
				 schedule_stretch(e->services[i]->sched, (enum slot)k));
}

static void counters(const struct engine *e, struct buf *b)
{
	static const char *const reasons[] = { "automatic", "forward", "back" };

	family(b, "switchd_flips_total", "counter", "moves of traffic, by the slot moved to and the reason");
	for (size_t i = 0; i < e->n; i++)
		for (int k = BLUE; k <= GREEN; k++)
			for (size_t r = 0; r < ARRAY_LEN(reasons); r++)
				buf_addf(b, "switchd_flips_total{service=\"%s\",to=\"%s\",reason=\"%s\"} %llu\n", e->services[i]->cfg->name,
					 slot_name((enum slot)k), reasons[r], (unsigned long long)e->services[i]->flips[k][r]);
	family(b, "switchd_probes_total", "counter", "probes by outcome");
	for (size_t i = 0; i < e->n; i++)
		for (int o = 0; o < N_OUTCOMES; o++)
			if (e->services[i]->probes_by_outcome[o])
				buf_addf(b, "switchd_probes_total{service=\"%s\",outcome=\"%s\"} %llu\n", e->services[i]->cfg->name,
					 outcome_info((enum outcome)o)->code, (unsigned long long)e->services[i]->probes_by_outcome[o]);
	family(b, "switchd_shield_caught_total", "counter", "answers that the other slot gave in place of the active one");
	for (size_t i = 0; i < e->n; i++)
		buf_addf(b, "switchd_shield_caught_total{service=\"%s\"} %llu\n", e->services[i]->cfg->name, (unsigned long long)e->services[i]->caught_total);
	family(b, "switchd_shield_missed_total", "counter", "requests under the shield that the other slot could not answer either");
	for (size_t i = 0; i < e->n; i++)
		buf_addf(b, "switchd_shield_missed_total{service=\"%s\"} %llu\n", e->services[i]->cfg->name, (unsigned long long)e->services[i]->missed_total);
}

static size_t open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n > 3 ? n - 3 : 0; /* ".", ".." and the one that looks */
}

static void ledger_gauges(const struct engine *e, struct buf *b)
{
	struct archive_stats a;

	family(b, "switchd_ledger_releases", "gauge", "releases that the ledger remembers, 32 at most");
	for (size_t i = 0; i < e->n; i++)
		buf_addf(b, "switchd_ledger_releases{service=\"%s\"} %zu\n", e->services[i]->cfg->name, e->services[i]->ledger->n);
	family(b, "switchd_ledger_facts", "gauge", "features times releases of which something is known");
	for (size_t i = 0; i < e->n; i++) {
		size_t n = 0;

		for (size_t k = 0; k < e->services[i]->ledger->n; k++)
			n += e->services[i]->ledger->list[k]->n_facts;
		buf_addf(b, "switchd_ledger_facts{service=\"%s\"} %zu\n", e->services[i]->cfg->name, n);
	}
	family(b, "switchd_ledger_bad_values", "gauge", "values of the ledger in the store that were not understood, and are left as they are");
	for (size_t i = 0; i < e->n; i++)
		buf_addf(b, "switchd_ledger_bad_values{service=\"%s\"} %u\n", e->services[i]->cfg->name, e->services[i]->ledger_bad);
	archive_stats(e->archive, &a);
	family(b, "switchd_archive_up", "gauge", "1 when the last write to the archive was durable");
	buf_addf(b, "switchd_archive_up %d\n", a.up);
	family(b, "switchd_archive_lines_total", "counter", "lines written to the archive");
	buf_addf(b, "switchd_archive_lines_total %llu\n", (unsigned long long)a.lines);
	family(b, "switchd_archive_bytes_total", "counter", "bytes written to the archive");
	buf_addf(b, "switchd_archive_bytes_total %llu\n", (unsigned long long)a.bytes);
	family(b, "switchd_archive_failures_total", "counter", "writes to the archive that failed; events are tried again");
	buf_addf(b, "switchd_archive_failures_total %llu\n", (unsigned long long)a.failures);
	family(b, "switchd_archive_missing_total", "counter", "events that the stream trimmed before they were archived");
	buf_addf(b, "switchd_archive_missing_total %llu\n", (unsigned long long)e->export_gaps);
	family(b, "switchd_store_lost_total", "counter", "commits acknowledged here that a store lost with its last ones (store.lost names them)");
	buf_addf(b, "switchd_store_lost_total %llu\n", (unsigned long long)e->lost);
	family(b, "switchd_archive_waiting_events", "gauge", "events of the stream that are not archived yet; from 400000 on the oldest are lost");
	buf_addf(b, "switchd_archive_waiting_events %llu\n", (unsigned long long)store_backlog(e->store));
	family(b, "switchd_archive_size_bytes", "gauge", "bytes of all files of the archive, as last counted");
	buf_addf(b, "switchd_archive_size_bytes %lld\n", (long long)a.size);
}

static void process(const struct engine *e, struct buf *b)
{
	struct rusage ru;
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f) {
		if (fscanf(f, "%*s %ld", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	family(b, "process_start_time_seconds", "gauge", "start of the process");
	buf_addf(b, "process_start_time_seconds %.3f\n", (double)e->born.ms / 1000.);
	family(b, "process_resident_memory_bytes", "gauge", "resident memory");
	buf_addf(b, "process_resident_memory_bytes %lld\n", (long long)pages * sysconf(_SC_PAGESIZE));
	family(b, "process_open_fds", "gauge", "open file descriptors");
	buf_addf(b, "process_open_fds %zu\n", open_fds());
	getrusage(RUSAGE_SELF, &ru);
	family(b, "process_cpu_seconds_total", "counter", "user and system time");
	buf_addf(b, "process_cpu_seconds_total %.3f\n",
		 (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) + (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
}

/* The three times of the last move, as far as they are known: decided to acked, decided to observed. */
static void move_gauges(const struct engine *e, struct buf *b)
{
	family(b, "switchd_move_acked_seconds", "gauge", "last move: from its decision to the last proxy's answer");
	for (size_t i = 0; i < e->n; i++) {
		const struct move *m = &e->services[i]->rec.move;

		if (m->acked.ms && m->acked_us >= 0)
			buf_addf(b, "switchd_move_acked_seconds{service=\"%s\"} %.6f\n", e->services[i]->cfg->name, (double)m->acked_us / 1e6);
	}
	family(b, "switchd_move_observed_seconds", "gauge", "last move: from its decision until it was seen through every front");
	for (size_t i = 0; i < e->n; i++) {
		const struct move *m = &e->services[i]->rec.move;

		if (m->observed.ms && m->observed_us >= 0)
			buf_addf(b, "switchd_move_observed_seconds{service=\"%s\"} %.6f\n", e->services[i]->cfg->name, (double)m->observed_us / 1e6);
	}
}

static void spread_metric(struct buf *b, const char *name, const char *help, const struct spread *s)
{
	uint64_t n = 0;

	family(b, name, "histogram", help);
	for (size_t i = 0; i < SPREAD_STEPS; i++) {
		n += s->count[i];
		if (i + 1 < SPREAD_STEPS)
			buf_addf(b, "%s_bucket{le=\"%g\"} %llu\n", name, (double)spread_steps_us[i] / 1e6, (unsigned long long)n);
	}
	buf_addf(b, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.6f\n%s_count %llu\n", name, (unsigned long long)n, name, (double)s->sum_us / 1e6, name,
		 (unsigned long long)n);
}

static void waits(const struct engine *e, struct buf *b)
{
	struct spread late = { .sum_us = 0 };

	for (size_t i = 0; i < e->n; i++)
		spread_merge(&late, schedule_late(e->services[i]->sched));
	spread_metric(b, "switchd_loop_turn_seconds", "how long one turn of the loop kept everything else waiting", &e->turn_wall);
	spread_metric(b, "switchd_probe_late_seconds", "how long after they were due probes were sent; reset by a reload", &late);
}

static void own(const struct engine *e, struct buf *b)
{
	family(b, "switchd_state_up", "gauge", "1 when the store answers, is reconciled and this controller leads");
	buf_addf(b, "switchd_state_up %d\n", store_is_up(e->store));
	family(b, "switchd_state_pending", "gauge", "1 when something was decided here and is not yet recorded");
	for (size_t i = 0; i < e->n; i++)
		buf_addf(b, "switchd_state_pending{service=\"%s\"} %d\n", e->services[i]->cfg->name, e->services[i]->pending);
	family(b, "switchd_store_corrupt", "gauge", "1 while what the store holds of the service is refused: it cannot be read, or another hand wrote it");
	for (size_t i = 0; i < e->n; i++)
		buf_addf(b, "switchd_store_corrupt{service=\"%s\"} %d\n", e->services[i]->cfg->name, e->services[i]->bad.on);
	family(b, "switchd_config_reload_success", "gauge", "0 when the last reload was refused: the old configuration stands");
	buf_addf(b, "switchd_config_reload_success %d\n", e->reload_ok);
	family(b, "switchd_gaps_total", "counter", "times this process stood still for over 2 s");
	buf_addf(b, "switchd_gaps_total %llu\n", (unsigned long long)e->gaps);
	family(b, "switchd_loop_turn_cpu_max_seconds", "gauge", "the most CPU time that one turn of the loop took since the start");
	buf_addf(b, "switchd_loop_turn_cpu_max_seconds %.6f\n", (double)e->turn_most_us / 1e6);
	family(b, "switchd_loop_turns_long_total", "counter", "turns of the loop that took over 50 ms of CPU time");
	buf_addf(b, "switchd_loop_turns_long_total %llu\n", (unsigned long long)e->turns_long);
	waits(e, b);
	family(b, "switchd_log_lost_total", "counter", "log lines that stderr did not take");
	buf_addf(b, "switchd_log_lost_total %llu\n", (unsigned long long)log_lost());
	family(b, "switchd_build_info", "gauge", "always 1");
	buf_addf(b, "switchd_build_info{version=\"%s\"} 1\n", SWITCHD_VERSION);
	process(e, b);
}

static void fleet_gauges(const struct engine *e, struct buf *b)
{
	static struct fleet_count c;
	struct { int all, converged; int64_t p99_us; } *of = xcalloc(e->n ? e->n : 1, sizeof(*of));

	for (size_t i = 0; i < e->n; i++) {
		fleet_counted(e->services[i], &c);
		of[i].all = c.all;
		of[i].converged = c.converged;
		of[i].p99_us = c.p99_us;
	}
	family(b, "switchd_proxies_expected", "gauge", "proxies of the service that should show its record: local ones and agents");
	for (size_t i = 0; i < e->n; i++)
		buf_addf(b, "switchd_proxies_expected{service=\"%s\"} %d\n", e->services[i]->cfg->name, of[i].all);
	family(b, "switchd_proxies_converged", "gauge", "those that show the record's version");
	for (size_t i = 0; i < e->n; i++)
		buf_addf(b, "switchd_proxies_converged{service=\"%s\"} %d\n", e->services[i]->cfg->name, of[i].converged);
	family(b, "switchd_converged_p99_seconds", "gauge", "after the last commit that moved traffic: until 99 of 100 proxies showed it, on the clock of Redis");
	for (size_t i = 0; i < e->n; i++)
		if (of[i].p99_us >= 0)
			buf_addf(b, "switchd_converged_p99_seconds{service=\"%s\"} %.6f\n", e->services[i]->cfg->name, (double)of[i].p99_us / 1e6);
	free(of);
	family(b, "switchd_agent_seen_seconds", "gauge", "since an agent's last report");
	for (size_t i = 0; i < store_agents(e->store); i++) {
		const struct agent_seen *a = store_agent(e->store, i);

		if (!text_starts(a->name, FLEET_CONTROLLER))
			buf_addf(b, "switchd_agent_seen_seconds{agent=\"%s\"} %.1f\n", a->name, (double)mono_since_ms(mono_now(), a->heard) / 1e3);
	}
	family(b, "switchd_leader", "gauge", "1 when this controller leads");
	buf_addf(b, "switchd_leader %d\n", store_is_up(e->store));
	family(b, "switchd_standby", "gauge", "1 when another controller leads and this one follows");
	buf_addf(b, "switchd_standby %d\n", e->standby);
	family(b, "switchd_commit_at_risk", "gauge", "1 when fewer replicas than wanted have the last commit: a failover could lose it");
	buf_addf(b, "switchd_commit_at_risk %d\n", e->at_risk);
	family(b, "switchd_commits_at_risk_total", "counter", "times that commits began to be at risk");
	buf_addf(b, "switchd_commits_at_risk_total %llu\n", (unsigned long long)e->risk_events);
}

void engine_metrics(const struct engine *e, struct buf *out)
{
	fleet_gauges(e, out);
	service_gauges(e, out);
	ready_gauges(e, out);
	feature_gauges(e, out);
	move_gauges(e, out);
	counters(e, out);
	ledger_gauges(e, out);
	own(e, out);
}
