/* SPDX-License-Identifier: MIT
 * targets.c - slots whose addresses change: read at claim and deploy, frozen until the next (docs/operations.md).
 *
 * An order that would fill or prove such a slot leaves the line, its slot's source is read beside the loop, the new list
 * is kept in state_dir, the probes go over to it, and the order stands first in line again: what is committed then is
 * about the new list.  Whatever fails refuses the order by name, and the old list stays.  A slot for which nothing was
 * ever read has no targets, and is unknown; it is read in the background until that succeeds once. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probes/addresses.h"
#include "switchd/base/arena.h"
#include "switchd/base/log.h"
#include "switchd/base/outside.h"
#include "switchd/core/targets.h"
#include "switchd/engine/service.h"
#include "switchd/io/aside.h"

enum {
	READ_MS = 5000,         /* for all of it; switchctl waits 10 s for the answer */
	TURN_MS = 10,           /* a commit in flight is waited for */
	RETRY_MS = 5000,        /* in the background */
	READINGS_MAX = 4,       /* of one service: each has a thread */
	LIST_MAX = 128 * 1024,
};

struct reading {
	TAILQ_ENTRY(reading) link;
	struct service *s;
	enum slot slot;
	struct order *order;            /* NULL: nobody asked, nothing was ever read */
	struct aside *aside;
	ev_timer deadline, turn;
	char *from;                     /* the source, as the config had it */
	struct arena *arena;
	struct target_list list;
	wall_ms at;
	char said[160];
};

/* ---- what is in force ---- */

static void freeze(struct in_force *f, int k, const struct target *t, size_t n, const char *from, wall_ms at)
{
	struct buf lines = BUF_INIT(LIST_MAX);

	for (size_t i = 0; i < n; i++)
		buf_addf(&lines, "%s\n", t[i].text);
	f->frozen[k] = (struct frozen){ arena_str(f->arena, buf_str(&lines)), arena_str(f->arena, from), at };
	buf_free(&lines);
}

/* The frozen lines become the targets of the slot. */
static void build(struct in_force *f)
{
	for (int k = BLUE; k <= GREEN; k++) {
		struct slot_config *slot = &f->cfg.slot[k], *other = &f->cfg.slot[!k];
		struct target_list l = { .n = 0 };
		const struct target *twice;
		char why[400] = "";

		if (slot->source.kind == SOURCE_FIXED || !f->frozen[k].lines)
			continue;
		if (!targets_parse(f->arena, "the kept list", f->frozen[k].lines, strlen(f->frozen[k].lines), f->cfg.front_target.tls, &l, why,
				   sizeof(why)))
			l.n = 0;
		slot->targets = l.target;
		slot->n_targets = l.n;
		twice = targets_shared(slot->targets, slot->n_targets, other->targets, other->n_targets);
		if (twice)
			TEXT_FORMAT(f->shared, "%s is in both slots", twice->text);
		if (why[0]) {
			log_warn("targets", "service=%s slot=%s why=%s", f->cfg.name, slot_name((enum slot)k), LOG_Q(why));
			f->frozen[k] = (struct frozen){ NULL, "", { 0 } };
		}
	}
}

static struct in_force *prepare(const struct service_config *told)
{
	struct arena *arena = arena_new();
	struct in_force *f = arena_alloc(arena, sizeof(*f));

	*f = (struct in_force){ .arena = arena, .cfg = *told, .frozen = { { NULL, "", { 0 } }, { NULL, "", { 0 } } } };
	return f;
}

/* What a slot had stays, wherever it came from, until a claim or deploy reads it anew. */
struct in_force *in_force_next(const struct in_force *was, const struct service_config *told)
{
	struct in_force *f = prepare(told);

	for (int k = BLUE; was && k <= GREEN; k++) {
		const struct slot_config *old = &was->cfg.slot[k];

		if (told->slot[k].source.kind == SOURCE_FIXED || !old->n_targets)
			continue;
		if (old->source.kind == SOURCE_FIXED)
			freeze(f, k, old->targets, old->n_targets, "the configuration", wall_now());
		else
			freeze(f, k, old->targets, old->n_targets, was->frozen[k].from, was->frozen[k].at);
	}
	build(f);
	return f;
}

static bool kept_path(const struct service *s, int k, char *out, size_t size)
{
	return text_format(out, size, "%s/%s.%s.targets", s->e->cfg->state_dir, s->told->name, slot_name((enum slot)k));
}

/* At birth: what state_dir keeps, so that a start needs no name server. */
struct in_force *in_force_kept(const struct service *s)
{
	struct in_force *f = prepare(s->told);
	char *text = xmalloc(OUTSIDE_FILE_MAX + 1), path[512];
	struct frozen_text kept;
	size_t len;

	for (int k = BLUE; k <= GREEN; k++) {
		if (!kept_path(s, k, path, sizeof(path)))
			continue;
		if (s->told->slot[k].source.kind == SOURCE_FIXED)
			(void)unlink(path); /* a list that nobody reads any more must not come back one day */
		else if (outside_read(path, text, &len) && frozen_parse(f->arena, text, len, &kept))
			f->frozen[k] = (struct frozen){ arena_strn(f->arena, kept.lines, kept.len), kept.from, kept.at };
		else if (errno != ENOENT)
			log_warn("targets", "service=%s slot=%s path=%s why=\"not readable: its addresses are read anew\"", s->told->name,
				 slot_name((enum slot)k), path);
	}
	build(f);
	for (int k = BLUE; f->shared[0] && k <= GREEN; k++)
		if (f->frozen[k].lines) {
			log_warn("targets", "service=%s slot=%s why=%s", s->told->name, slot_name((enum slot)k), LOG_Q(f->shared));
			f->frozen[k].lines = NULL;
			f->cfg.slot[k].n_targets = 0;
			f->shared[0] = '\0';
		}
	free(text);
	return f;
}

void in_force_free(struct in_force **fp)
{
	struct in_force *f = *fp;
	struct arena *arena = f ? f->arena : NULL;

	*fp = NULL;
	if (arena)
		arena_free(&arena);
}

/* ---- keeping ---- */

struct keeping { char path[512], beside[540], why[200]; char *text; };

static void keep_run(void *arg)
{
	struct keeping *w = arg;
	size_t len = strlen(w->text), done = 0;
	int fd = open(w->beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640), dir;
	char *slash = strrchr(w->path, '/');
	bool ok = fd >= 0;

	while (ok && done < len) {
		ssize_t n = write(fd, w->text + done, len - done);

		ok = n >= 0 || errno == EINTR;
		done += n > 0 ? (size_t)n : 0;
	}
	ok = ok && fsync(fd) == 0;
	if (!ok)
		TEXT_FORMAT(w->why, "%.150s: %s", w->beside, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (ok && rename(w->beside, w->path) != 0) {
		TEXT_FORMAT(w->why, "%.150s: %s", w->path, strerror(errno));
		ok = false;
	}
	if (!ok) {
		if (fd >= 0)
			(void)unlink(w->beside);
		return;
	}
	*slash = '\0';
	dir = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*slash = '/';
	if (dir >= 0) {
		(void)fsync(dir);
		close(dir);
	}
}

static void keep_free(void *arg)
{
	struct keeping *w = arg;

	free(w->text);
	free(w);
}

static struct aside *keep(struct service *s, int k, const struct target *t, size_t n, const char *from, wall_ms at, aside_done_fn *done, void *arg)
{
	struct keeping *w = xcalloc(1, sizeof(*w));
	struct buf text = BUF_INIT(LIST_MAX);
	static unsigned number;

	if (!kept_path(s, k, w->path, sizeof(w->path)))
		TEXT_COPY(w->why, "the path is too long");
	TEXT_FORMAT(w->beside, "%s.new%u", w->path, ++number % 1000);
	frozen_print(&text, t, n, from, at);
	w->text = buf_take(&text);
	return aside_start(s->e->loop, w, keep_run, keep_free, done, arg);
}

static void kept_after_reload(void *arg, void *work, int failed) { (void)arg, (void)work, (void)failed; }

void targets_reloaded(struct service *s)
{
	char path[512];

	for (int k = BLUE; k <= GREEN; k++) {
		const struct frozen *f = &s->in_force->frozen[k];

		s->target_why[k][0] = '\0';
		s->target_next[k] = (mono_us){ 0 };
		if (s->told->slot[k].source.kind == SOURCE_FIXED) {
			if (kept_path(s, k, path, sizeof(path)))
				(void)unlink(path);
			continue;
		}
		if (!f->lines)
			continue;
		/* Nobody waits for it: a list that could not be kept is read anew after a restart. */
		struct aside *a = keep(s, k, s->cfg->slot[k].targets, s->cfg->slot[k].n_targets, f->from, f->at, kept_after_reload, NULL);

		aside_cancel(&a);
	}
}

/* ---- reading ---- */

struct fetch { struct arena *arena; struct target_source source; struct buf lines; bool ok; char why[300]; };

static void fetch_run(void *arg)
{
	struct fetch *w = arg;

	w->ok = addresses_read(&w->source, &w->lines, w->why, sizeof(w->why));
}

static void fetch_free(void *arg)
{
	struct fetch *w = arg;

	buf_free(&w->lines);
	arena_free(&w->arena);
	free(w);
}

static void reading_free(struct reading *r)
{
	TAILQ_REMOVE(&r->s->readings, r, link);
	ev_timer_stop(r->s->e->loop, &r->deadline);
	ev_timer_stop(r->s->e->loop, &r->turn);
	aside_cancel(&r->aside);
	arena_free(&r->arena);
	free(r->from);
	free(r);
}

/* The order, if there is one, stands first in line again; not addressed: its slot is read anew if it still wants that. */
static void give_back(struct reading *r, bool addressed)
{
	struct service *s = r->s;
	struct order *o = r->order;

	if (o) {
		o->addressed = addressed;
		o->addressed_slot = r->slot;
		TEXT_FORMAT(o->addresses, "%s: %s", slot_name(r->slot), r->said);
		order_put_back(s, o);
	}
	reading_free(r);
	service_tick(s);
}

static void fails(struct reading *r, const char *why)
{
	struct service *s = r->s;
	struct order *o = r->order;
	char text[400];
	enum slot slot = r->slot;

	if (o || strcmp(s->target_why[slot], why) != 0)
		log_warn("targets", "service=%s slot=%s source=%s why=%s", s->cfg->name, slot_name(slot), LOG_Q(r->from), LOG_Q(why));
	text_printable(s->target_why[slot], sizeof(s->target_why[slot]), why, strlen(why));
	TEXT_FORMAT(text, "%s: %s", slot_name(slot), s->target_why[slot]);
	reading_free(r);
	if (o)
		order_refuse(s, o, RF_TARGETS, text);
	publish_change(s);
	service_found(s);
	service_tick(s);
}

static bool source_moved(const struct reading *r) { return strcmp(r->s->told->slot[r->slot].source.text, r->from) != 0; }

static bool same_list(const struct slot_config *was, const struct target_list *now)
{
	bool same = was->n_targets == now->n;

	for (size_t i = 0; same && i < now->n; i++)
		same = strcmp(was->targets[i].text, now->target[i].text) == 0;
	return same;
}

static bool go_over(struct reading *r, char *why, size_t size)
{
	struct service *s = r->s;
	bool same = same_list(&s->cfg->slot[r->slot], &r->list);
	struct in_force *f = prepare(s->told), *was = s->in_force;
	struct buf errors = BUF_INIT(4096);
	struct probe_runner *runner = NULL;

	for (int k = BLUE; k <= GREEN; k++)
		if (k == (int)r->slot)
			freeze(f, k, r->list.target, r->list.n, r->from, r->at);
		else if (was->frozen[k].lines)
			freeze(f, k, was->cfg.slot[k].targets, was->cfg.slot[k].n_targets, was->frozen[k].from, was->frozen[k].at);
	build(f);
	if (same) { /* nothing to go over to: only when it was read is new */
		was->frozen[r->slot].at = r->at;
		if (strcmp(was->frozen[r->slot].from, r->from) != 0)
			was->frozen[r->slot].from = arena_str(was->arena, r->from);
		in_force_free(&f);
		return true;
	}
	runner = probe_runner_new(s->e->loop, s->e->cfg, &f->cfg, &errors);
	if (!runner) {
		text_copy(why, size, buf_str(&errors));
		in_force_free(&f);
	} else {
		bool listing = inventory_cut(s);

		ledger_look(s);
		service_baselines(s, &f->cfg, runner);
		s->in_force = f;
		measure_targets(s, &f->cfg, runner);
		in_force_free(&was);
		if (listing)
			inventory_begin_again(s);
	}
	buf_free(&errors);
	return runner != NULL;
}

static bool would_commit(struct service *s, const struct order *o, enum slot *slot)
{
	struct decision *d = xcalloc(1, sizeof(*d));
	static struct world w;
	bool would;

	service_world(s, &w);
	decide(&s->rec, &w, &o->input, d);
	would = d->commit && d->refusal == RF_NONE;
	*slot = o->input.kind == IN_CLAIM ? d->next.claim.slot : d->next.deploy.slot;
	free(d);
	return would;
}

/* From the loop itself, between two commits: everything that the probes stand on may be changed here. */
static void apply(EV_P_ ev_timer *t, int revents)
{
	struct reading *r = t->data;
	struct service *s = r->s;
	enum slot slot = r->slot;
	char why[300];

	(void)revents;
	if (s->committing || s->replaying || s->loading || s->ticking)
		return;
	ev_timer_stop(EV_A_ t);
	/* The world went on meanwhile.  What was kept is then newer than what is in force: a list of a slot that does not serve. */
	if (source_moved(r) || (r->order && (!would_commit(s, r->order, &slot) || slot != r->slot)) || (!r->order && s->in_force->frozen[slot].lines)) {
		give_back(r, false);
		return;
	}
	if (!go_over(r, why, sizeof(why))) {
		fails(r, why);
		return;
	}
	s->target_why[slot][0] = '\0';
	log_info("targets", "service=%s slot=%s said=%s", s->cfg->name, slot_name(slot), LOG_Q(r->said));
	publish_change(s);
	service_found(s);
	give_back(r, true);
}

static void on_kept(void *arg, void *work, int failed)
{
	struct reading *r = arg;
	const struct keeping *w = work;
	char why[260] = "";

	r->aside = NULL;
	if (failed || w->why[0])
		TEXT_FORMAT(why, "the new list cannot be kept: %s", failed ? strerror(failed) : w->why);
	if (why[0] && r->order) {
		fails(r, why);
		return;
	}
	if (why[0]) /* better probed from a list that a restart has to read anew than not at all */
		log_error("targets", "service=%s slot=%s why=%s", r->s->cfg->name, slot_name(r->slot), LOG_Q(why));
	ev_timer_set(&r->turn, 0., TURN_MS / 1000.);
	ev_timer_start(r->s->e->loop, &r->turn);
}

/* Lines become a list that may be taken.  False: why. */
static bool judge(struct reading *r, const struct fetch *w, char *why, size_t size)
{
	const struct service_config *cfg = r->s->cfg;
	const struct slot_config *slot = &cfg->slot[r->slot], *other = &cfg->slot[other_slot(r->slot)];
	const char *name = w->source.kind == SOURCE_FILE ? w->source.path : w->source.text;
	const struct target *twice;

	if (w->lines.full) {
		text_format(why, size, "%s: too many targets", name);
		return false;
	}
	if (!targets_parse(r->arena, name, w->lines.data ? w->lines.data : "", w->lines.len, cfg->front_target.tls, &r->list, why, size))
		return false;
	if (slot->min_targets > (int)r->list.n) {
		text_format(why, size, "%s: %zu target%s, and min_targets is %d", name, r->list.n, r->list.n == 1 ? "" : "s", slot->min_targets);
		return false;
	}
	twice = targets_shared(r->list.target, r->list.n, other->targets, other->n_targets);
	if (twice)
		text_format(why, size, "%s: %s is in slot %s already", name, twice->text, slot_name(other_slot(r->slot)));
	return !twice;
}

static void on_read(void *arg, void *work, int failed)
{
	struct reading *r = arg;
	struct service *s = r->s;
	struct fetch *w = work;
	char why[400];

	r->aside = NULL;
	if (source_moved(r)) {
		give_back(r, false);
		return;
	}
	if (failed)
		TEXT_FORMAT(why, "%s: no thread to read it: %s", r->from, strerror(failed));
	else if (!w->ok)
		TEXT_COPY(why, w->why);
	if (failed || !w->ok || !judge(r, w, why, sizeof(why))) {
		fails(r, why);
		return;
	}
	r->at = wall_now();
	targets_said(s->cfg->slot[r->slot].targets, s->cfg->slot[r->slot].n_targets, &r->list, r->from, r->said, sizeof(r->said));
	if (r->order && r->order->input.dry_run)
		give_back(r, true);
	else
		r->aside = keep(s, r->slot, r->list.target, r->list.n, r->from, r->at, on_kept, r);
}

static void too_late(EV_P_ ev_timer *t, int revents)
{
	struct reading *r = t->data;
	char why[300];

	(void)loop, (void)revents;
	TEXT_FORMAT(why, "%s: no answer in %d ms", r->from, READ_MS);
	fails(r, why);
}

static void start(struct service *s, struct order *o, enum slot slot)
{
	const struct target_source *source = &s->told->slot[slot].source;
	struct reading *r = xcalloc(1, sizeof(*r));
	struct fetch *w = xcalloc(1, sizeof(*w));
	char why[300];

	r->s = s;
	r->slot = slot;
	r->order = o;
	r->from = xstrdup(source->text);
	r->arena = arena_new();
	ev_timer_init(&r->deadline, too_late, READ_MS / 1000., 0.);
	ev_timer_init(&r->turn, apply, 0., 0.);
	r->deadline.data = r->turn.data = r;
	ev_timer_start(s->e->loop, &r->deadline);
	TAILQ_INSERT_TAIL(&s->readings, r, link);
	w->arena = arena_new();
	w->lines = BUF_INIT(LIST_MAX);
	/* A copy of its own: a reload may take the config away while the thread still reads. */
	must(source_parse(w->arena, arena_str(w->arena, source->text), &w->source, why, sizeof(why)));
	r->aside = aside_start(s->e->loop, w, fetch_run, fetch_free, on_read, r);
}

/* ---- the face ---- */

bool targets_wanted(const struct service *s, const struct order *o, enum slot slot)
{
	return (o->input.kind == IN_CLAIM || o->input.kind == IN_DEPLOY) && slot <= GREEN && s->told->slot[slot].source.kind != SOURCE_FIXED &&
	       !(o->addressed && o->addressed_slot == slot);
}

void targets_read(struct service *s, struct order *o, enum slot slot)
{
	const struct reading *r;
	int n = 0;

	TAILQ_FOREACH(r, &s->readings, link)
		n++;
	if (n >= READINGS_MAX)
		order_refuse(s, o, RF_TARGETS, "too many orders wait for addresses of slots; try again");
	else
		start(s, o, slot);
}

void targets_beat(struct service *s)
{
	for (int k = BLUE; k <= GREEN; k++) {
		const struct reading *r;
		bool busy = false;

		if (s->told->slot[k].source.kind == SOURCE_FIXED || s->in_force->frozen[k].lines || s->target_next[k].us > mono_now().us)
			continue;
		TAILQ_FOREACH(r, &s->readings, link)
			busy |= (int)r->slot == k;
		if (busy)
			continue;
		s->target_next[k] = mono_plus_ms(mono_now(), RETRY_MS);
		start(s, NULL, (enum slot)k);
	}
}

void targets_abandon(struct service *s)
{
	struct reading *r;

	while ((r = TAILQ_FIRST(&s->readings))) {
		struct order_result gone = { .status = ORDER_UNKNOWN };
		struct order *o = r->order;

		reading_free(r);
		TEXT_COPY(gone.detail, "switchd is ending; ask again");
		if (o)
			order_end(s, o, &gone);
	}
}

json_t *targets_json(const struct service *s, enum slot slot)
{
	const struct target_source *source = &s->cfg->slot[slot].source;
	const struct frozen *f = &s->in_force->frozen[slot];

	if (source->kind == SOURCE_FIXED)
		return json_null();
	return json_pack("{s:s,s:s,s:o,s:s}", "source", source->text, "read_from", f->lines ? f->from : "", "read_at",
			 f->lines ? json_integer(f->at.ms) : json_null(), "why", s->target_why[slot]);
}
