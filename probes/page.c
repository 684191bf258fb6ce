/* SPDX-License-Identifier: MIT
 * page.c - one path of one target, as it is: what a target tells of itself. */
#include <stdlib.h>
#include <string.h>

#include "probes/kind.h"

struct asking { probe_page_fn *done; void *arg; char target[96]; long status; char *body; size_t len; };

static void asked(void *arg, const struct probe_result *r)
{
	struct asking *k = arg;
	struct probe_page p = { .cancelled = r->outcome == OUT_CANCELLED, .status = k->status, .body = k->body ? k->body : "", .len = k->len, .target = k->target,
				.outcome = r->outcome };

	k->done(k->arg, &p);
	free(k->body);
	free(k);
}

static void on_answer(void *arg, const struct answer *a, const char *location)
{
	struct asking *k = arg;

	(void)location;
	k->status = a->status;
	k->len = a->body_len;
	k->body = xmalloc(a->body_len + 1);
	memcpy(k->body, a->body, a->body_len);
	k->body[a->body_len] = '\0';
}

void probe_page(struct probe_runner *r, enum slot slot, size_t target, const char *path, probe_page_fn *done, void *arg)
{
	struct probe_job job = { .via = VIA_SLOT, .purpose = PURPOSE_PAGE, .slot = slot, .target = target, .path = path, .release = "" };
	struct asking *k = xcalloc(1, sizeof(*k));

	k->done = done;
	k->arg = arg;
	TEXT_COPY(k->target, r->svc->slot[slot].targets[target].text);
	/* Set after the start: no answer comes from inside it. */
	struct probe_handle *h = probe_start(r, &job, asked, k);
	h->on_answer = on_answer;
}
