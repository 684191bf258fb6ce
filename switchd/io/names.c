/* SPDX-License-Identifier: MIT
 * names.c - a small table of names; a site has a handful. */
#include "switchd/io/names.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ev.h>

#include "switchd/base/clock.h"
#include "switchd/base/must.h"

struct name {
	TAILQ_ENTRY(name) link;
	struct names *all;
	char *host;
	struct resolve *asking;         /* NULL: no question is on its way */
	struct resolved good, failed;   /* the last answer of either kind */
	mono_us good_at, failed_at;     /* 0 = never */
	TAILQ_HEAD(, name_wait) waiting;
};

struct names {
	struct ev_loop *loop;
	TAILQ_HEAD(, name) list;
	struct names_times times;
	int depth;
	bool doomed;
};

static void destroy(struct names *all)
{
	for (struct name *n; (n = TAILQ_FIRST(&all->list));) {
		must(TAILQ_EMPTY(&n->waiting));
		resolve_cancel(&n->asking);
		TAILQ_REMOVE(&all->list, n, link);
		free(n->host);
		free(n);
	}
	free(all);
}

static bool younger(mono_us at, int64_t ms) { return at.us && mono_since_ms(mono_now(), at) < ms; }

/* The best that is known now. */
static const struct resolved *known(const struct name *n)
{
	if (younger(n->good_at, n->all->times.stale_ms))
		return &n->good;
	return younger(n->failed_at, n->all->times.failed_ms) ? &n->failed : NULL;
}

static void on_answer(void *arg, const struct resolved *r)
{
	struct name *n = arg;
	struct names *all = n->all;
	struct name_wait *w;

	n->asking = NULL;
	if (r->n) {
		n->good = *r;
		n->good_at = mono_now();
	} else {
		n->failed = *r;
		n->failed_at = mono_now();
	}
	all->depth++;
	while ((w = TAILQ_FIRST(&n->waiting))) {
		names_forget(w);
		w->fn(w, r->n ? &n->good : &n->failed);
	}
	if (--all->depth == 0 && all->doomed)
		destroy(all);
}

static struct name *find(struct names *all, const char *host)
{
	struct name *n;

	TAILQ_FOREACH(n, &all->list, link)
		if (strcasecmp(n->host, host) == 0)
			return n;
	n = xcalloc(1, sizeof(*n));
	n->all = all;
	n->host = xstrdup(host);
	TAILQ_INIT(&n->waiting);
	TAILQ_INSERT_HEAD(&all->list, n, link);
	return n;
}

const struct resolved *names_ask(struct names *all, const char *host, struct name_wait *w)
{
	struct name *n = find(all, host);
	const struct resolved *r = known(n);

	/* A failed refresh is not repeated at once either. */
	if (!n->asking && !younger(n->good_at, all->times.fresh_ms) && !younger(n->failed_at, all->times.failed_ms))
		n->asking = resolve_start(all->loop, host, on_answer, n);
	if (r)
		return r;
	w->name = n;
	TAILQ_INSERT_TAIL(&n->waiting, w, link);
	return NULL;
}

void names_forget(struct name_wait *w)
{
	if (!w->name)
		return;
	TAILQ_REMOVE(&w->name->waiting, w, link);
	w->name = NULL;
}

struct names *names_new(struct ev_loop *loop, const struct names_times *times)
{
	static const struct names_times usual = { NAMES_FRESH_MS, NAMES_STALE_MS, NAMES_FAILED_MS };
	struct names *all = xcalloc(1, sizeof(*all));

	all->loop = loop;
	all->times = times ? *times : usual;
	TAILQ_INIT(&all->list);
	return all;
}

void names_free(struct names **ap)
{
	struct names *all = *ap;

	if (!all)
		return;
	*ap = NULL;
	if (all->depth)
		all->doomed = true;
	else
		destroy(all);
}
