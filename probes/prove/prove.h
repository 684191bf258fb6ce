/* SPDX-License-Identifier: MIT
 * prove.h - would each probe notice that its feature is gone? (switchctl probe --prove)
 *
 * Every feature is asked of the stubs (prove_stub.h) through the very code that asks the targets: same
 * kind, same assertions, same baseline.  Nothing is sent to any target, so probes that write are proved too.
 * Loop thread only.  done() is called once, never from inside prove_start, and not after prove_free; in it,
 * prove_free is allowed.  Config, service and runner are BORROWED until then. */
#ifndef PROBES_PROVE_H
#define PROBES_PROVE_H

#include <jansson.h>

#include "probes/probe.h"
#include "probes/prove/prove_stub.h"

enum proof {
	PROOF_UNPROVEN,         /* it cannot be told here: why says it */
	PROOF_PROVEN,           /* every stub that has a meaning for it would have been noticed */
	PROOF_VACUOUS,          /* it passes on at least one */
	PROOF_COMPARED,         /* it does, and it has compare: whether that notices depends on the old slot's answer */
};
const char *proof_name(enum proof);     /* "unproven" "proven" "vacuous" "compared" */

enum prove_mark { PROVE_NONE /* no meaning */, PROVE_NOTICED, PROVE_FOOLED, PROVE_UNSURE /* the outcome says nothing */ };
const char *prove_mark_name(enum prove_mark);

struct prove_cell {
	enum prove_mark mark;
	enum outcome outcome;
	char want[160], got[160];       /* the assertion that noticed */
};

struct prove_row {
	enum proof proof;
	char why[320];
	struct prove_cell stub[N_STUBS];
};

struct prove;
typedef void prove_done_fn(void *arg, const struct prove_row *rows /* one per feature, BORROWED */);

/* runner: whose baselines count; NULL = there are none.  NULL: error says why it could not begin. */
struct prove *prove_start(struct ev_loop *, const struct config *, const struct service_config *, const struct probe_runner *,
			  char *error, size_t error_size, prove_done_fn *, void *arg);
void prove_free(struct prove **);

/* Critical features that would not notice: what the exit code is made of. */
size_t prove_failed(const struct service_config *, const struct prove_row *);
/* docs/api.md: POST /v1/services/:s/prove; a new reference. */
json_t *prove_json(const struct service_config *, const struct prove_row *);

#endif
