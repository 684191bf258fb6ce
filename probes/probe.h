/* SPDX-License-Identifier: MIT
 * probe.h - the face of a probe kind: one measurement, one deadline, one named outcome.
 *
 * A kind is one row of the table in probe.c and one file.  It measures and names;
 * it never judges (core/verdict folds) and never decides (core/decide).
 * probe_start LENDS the job until it returns; done() is called exactly once and never
 * from inside probe_start; the result is BORROWED for the call. */
#ifndef PROBES_PROBE_H
#define PROBES_PROBE_H

#include "switchd/base/clock.h"
#include "switchd/core/config/config.h"
#include "switchd/core/outcome.h"

struct ev_loop;
struct probe_runner;            /* owns the HTTP client, pools and compiled assertions of one service */
struct probe_handle;

enum probe_via { VIA_SLOT, VIA_FRONT };

/* Why a probe is sent; only PURPOSE_VOTE is folded into the verdict. */
enum probe_purpose { PURPOSE_VOTE, PURPOSE_CONTROL, PURPOSE_IDENTITY, PURPOSE_BASELINE, PURPOSE_OBSERVE, PURPOSE_REFERENCE, PURPOSE_PAGE };

enum { EVIDENCE_BODY = 4096, EVIDENCE_HEAD = 2048 };

/* What came back, kept for people (B: of the last absent and of the last present before it). */
struct evidence {
	wall_ms at;
	enum outcome outcome;
	int64_t latency_us;
	long status;
	char url[256];          /* what was asked, of whom */
	char target[96];
	char want[160];         /* the assertion that failed, as written; "" when present */
	char got[160];          /* what stood in its place */
	char head[EVIDENCE_HEAD];
	char body[EVIDENCE_BODY];       /* printable */
	size_t body_len;        /* of the whole body */
};

/* The same in one block of as many bytes as it has, made to be kept for every feature of a slot: of a present answer
 * the first KEPT_HEAD and KEPT_BODY bytes. */
enum { KEPT_HEAD = 512, KEPT_BODY = 1024 };
struct kept_evidence {
	size_t room;            /* of the block, past this struct */
	wall_ms at;
	enum outcome outcome;
	int64_t latency_us;
	long status;
	size_t body_len;
	const char *url, *target, *want, *got, *head, *body;
};
/* Into the old block where that is large enough and not far too large; NULL = a new one. free() it. */
struct kept_evidence *evidence_keep(struct kept_evidence *old, const struct evidence *);

struct probe_job {
	enum probe_via via;
	enum probe_purpose purpose;
	enum slot slot;                 /* via front: the slot thought active */
	size_t target;                  /* index; ignored via front */
	size_t feature;                 /* index; ignored for identity, reference */
	size_t proxy;                   /* via front: index of the proxy */
	const char *release;            /* what {{release}} stands for; "" where nothing was announced */
	const char *digest;             /* what {{digest}} stands for; NULL or "" = not told */
	bool fresh;                     /* a new connection */
	const char *path;               /* PURPOSE_PAGE: what is asked for; LENT until probe_start returns */
};

struct probe_result {
	struct probe_job job;           /* .release and .digest are not valid here */
	mono_us began, ended;
	enum outcome outcome;
	unsigned requests;              /* that it took; 0 = one */
	bool complete;                  /* a complete valid answer came (also for assertions that failed) */
	char stamp_by[16];              /* via front: X-Switchd: <by>/<value> ; "" when unstamped */
	char stamp_value[PROXY_VALUE_TEXT];
	char identity[ID_MAX_LEN + 1];  /* PURPOSE_IDENTITY: the release the target names, where it can be read; else "" */
	const struct evidence *evidence;        /* NULL: present again, and shown less than 250 ms ago */
};

typedef void probe_done_fn(void *arg, const struct probe_result *);

/* NULL on a config error found when assertions are compiled (they are compiled here);
 * `errors` then has file:line:col lines.  The service_config is BORROWED for the life
 * of the runner: free the runner first. */
struct probe_runner *probe_runner_new(struct ev_loop *, const struct config *, const struct service_config *, struct buf *errors);
void probe_runner_free(struct probe_runner **);     /* cancels what is in flight: done() with cancelled */

/* Checks every assertion of a config without running anything (switchd -t). */
MUSTCHECK bool probe_check_config(const struct config *, struct buf *errors, int *n_errors);

/* B1.5: NULL when the negative control shows whether this feature's probe can fail; else why it is unproven. */
const char *probe_unproven(const struct feature *);

struct probe_handle *probe_start(struct probe_runner *, const struct probe_job *, probe_done_fn *, void *arg);
void probe_cancel(struct probe_handle *);

/* One path of one target, as it is: what a target tells of itself (its manifest).  Exactly one done(). */
struct probe_page { bool cancelled; enum outcome outcome; long status; /* 0 = no whole answer */ const char *body; size_t len; const char *target; };
typedef void probe_page_fn(void *arg, const struct probe_page *);
void probe_page(struct probe_runner *, enum slot, size_t target, const char *path, probe_page_fn *, void *arg);

/* B1.7: baselines of features that are only a path.  The runner keeps them; the engine
 * says when to learn.  Learning asks the slot's first target that answers twice. */
typedef void baseline_done_fn(void *arg, size_t feature, bool learned, const char *text);
void probe_learn_baseline(struct probe_runner *, enum slot, size_t feature, baseline_done_fn *, void *arg);
const char *probe_baseline_text(const struct probe_runner *, size_t feature);   /* JSON for status and store; "" = no baseline */
MUSTCHECK bool probe_set_baseline(struct probe_runner *, size_t feature, const char *text);  /* restored from the store */

#endif
