/* SPDX-License-Identifier: MIT
 * kind.h - the inside of this room: what a kind of probe is, and a probe under way.
 *
 * A kind is one file and one row of the table in probe.c (probes/README.md).  It is given
 * a handle by start() and ends it by exactly one probe_end(), never from inside start():
 * what fails at once goes by probe_end_later(). */
#ifndef PROBES_KIND_H
#define PROBES_KIND_H

#include <ev.h>
#include <sys/queue.h>

#include "probes/assert/assert.h"
#include "probes/identity.h"
#include "probes/probe.h"
#include "probes/assert/shape.h"
#include "probes/assert/suite.h"

struct probe_kind {
	const char *name;
	/* Is this feature mine?  The first row that says so gets it; NULL = identity, reference. */
	bool (*mine)(const struct feature *);
	/* Connections, pools and the like, of one service. */
	void *(*open)(struct probe_runner *);
	void (*close)(void *means);             /* nothing is in flight then */
	void (*start)(void *means, struct probe_handle *);
	void (*cancel)(struct probe_handle *);  /* ends it, with OUT_CANCELLED, before it returns */
	/* What of the feature can only be checked here (patterns, queries): adds file:line:col lines and returns how many.
	 * NULL: nothing but the assertions, which are checked for every kind. */
	int (*check)(const struct config *, const struct feature *, struct buf *errors);
	/* B1.5: why the negative control cannot tell whether this probe is able to fail; NULL, or a NULL answer: it can. */
	const char *(*unproven)(const struct feature *);
	/* --prove: the stubs (1 << STUB_..., prove_stub.h) in whose place the feature could be; NULL: none. */
	unsigned (*stubs)(const struct feature *);
};

extern const struct probe_kind probe_kind_assets, probe_kind_exec, probe_kind_grpc, probe_kind_http, probe_kind_steps,
	probe_kind_tcp, probe_kind_tls, probe_kind_websocket;

/* OUT_PRESENT where the feature has no assertions. */
enum outcome judge_expect(struct probe_handle *, struct answer *, struct evidence *);
/* Lines that begin with one of these words (the list ends with NULL) have no meaning for the feature's kind. */
int refuse_subjects(const struct config *, const struct feature *, const char *const *words, struct buf *errors);

/* Seen by whoever learns from the answers of a probe. */
typedef void probe_answer_fn(void *arg, const struct answer *, const char *location);

struct probe_handle {
	TAILQ_ENTRY(probe_handle) link;
	struct probe_runner *runner;
	const struct probe_kind *kind;
	const struct feature *feature;  /* NULL: identity, reference */
	void *state;                    /* the kind's own */
	struct probe_result r;
	id_text release;                /* r.job.release points here */
	tag_text digest;                /* r.job.digest */
	probe_answer_fn *on_answer;     /* or NULL */
	probe_done_fn *done;
	void *arg;
	ev_timer later;
	enum outcome later_outcome;
	const char *later_got;
};

struct probe_runner {
	struct ev_loop *loop;
	const struct config *cfg;
	const struct service_config *svc;
	struct suite *suites;           /* one per feature */
	struct identity *identity;      /* NULL: not configured */
	struct xpath **compared;        /* one per feature; NULL = none (compare: xpath) */
	struct shape **baselines;       /* one per feature; NULL = none */
	char **baseline_texts;          /* one per feature; never NULL */
	mono_us *shown[2];              /* by slot, [target][feature]: when a present answer was last written out as evidence */
	struct reach *reach;            /* probes/kinds/reach.h: shared by the kinds that speak HTTP */
	void **means;                   /* one per kind */
	TAILQ_HEAD(, probe_handle) live;
};

/* outcome, complete, stamp and identity are set in h->r before; evidence may be NULL. */
void probe_end(struct probe_handle *, enum outcome, const struct evidence *);
/* From the loop; got says why, static text. */
void probe_end_later(struct probe_handle *, enum outcome, const char *got);

/* Of the feature's kind. */
unsigned probe_stubs(const struct feature *);

/* evidence.c: an answer for people. Values of the feature's own headers are struck out of it. */
void evidence_begin(struct evidence *, const struct probe_handle *, const char *url, const char *target);
void evidence_answer(struct evidence *, const struct feature *, const struct answer *);
void evidence_end(struct evidence *, const struct feature *, enum outcome);
/* False: present again, and shown a moment ago. */
bool evidence_wanted(struct probe_handle *, enum outcome);

#endif
