/* SPDX-License-Identifier: MIT
 * gates.h - the checks before a flip: one row each, all of them asked and shown at once (B6).
 *
 * Pure.  Some need only the manifest and are asked when the idle slot is claimed, before a byte of it is touched, and again
 * at deploy; the others look at the slot.  A gate that nothing was configured for is not shown.  What is not checked is
 * never a pass: `gates: require:` turns it into a refusal.  A new gate is one row in gates.c. */
#ifndef SWITCHD_CORE_GATES_H
#define SWITCHD_CORE_GATES_H

#include "switchd/core/config/config.h"
#include "switchd/core/inventory.h"
#include "switchd/core/decide/manifest.h"

/* When a gate is asked.  CLAIM: the slot is still to be filled.  DEPLOY: a release is announced.  PROVE: it is being proved. */
enum gate_when { WHEN_CLAIM = 1 << 0, WHEN_DEPLOY = 1 << 1, WHEN_PROVE = 1 << 2 };

/* What stands with the slot's own manifest (setting manifest_path). */
enum slot_manifest { SM_NONE, SM_ASKING, SM_READ, SM_ABSENT, SM_BAD };

/* What the engine found out for the deploy that is being proved; all zero: nothing yet. */
struct gate_facts {
	uint64_t deploy;                        /* of another deploy: nothing of it counts */
	enum slot_manifest own;                 /* asked of the slot */
	const struct manifest *manifest;        /* SM_READ */
	char own_why[GATE_TEXT + 1];            /* SM_ABSENT, SM_BAD */
	enum gate_result command;               /* GR_WAITING while it runs; GR_NOT_CHECKED: not begun */
	char command_why[GATE_TEXT + 1];
};

struct gate_ask {
	enum gate_when when;
	bool dry_run;
	const struct service_config *cfg;
	const struct condemned_set *condemned;
	wall_ms wall;
	const char *release, *digest;           /* as announced; digest "" = not told */
	enum slot slot;
	const struct manifest *manifest;        /* that was given, or that the slot has; NULL = none */
	const struct manifest *claimed;         /* the claim brought another; NULL = it did not */
	const char *manifest_error;             /* it could not be read: why; "" */
	const struct gate_facts *facts;         /* never NULL */
	const struct inventory_view *inventory; /* PROVE: of this deploy; NULL = nothing is known yet */
	bool force;                             /* the order was forced: a condemned release may be proved */
	const char *skip, *skip_by, *skip_why;  /* names joined by commas */
	/* PROVE: what the record has of the release's manifest, and what was said when it was announced */
	const struct release *known;
	const struct gate_said *before; size_t n_before;
	bool settled;                           /* ready: what the gates said stands, only the slot is still looked at */
	/* what decide itself sees of the slot */
	struct gate_said identity, features;
};

/* Fills at most MAX_GATES results, in the order of the table. */
size_t gates_ask(const struct gate_ask *, struct gate_said out[MAX_GATES]);

size_t gates_count(void);
const char *gate_name(size_t i);
const char *gate_doc(size_t i);
unsigned gate_when(size_t i);
bool gate_known(const char *name);
/* The gate's name is in a list joined by commas. */
bool gate_listed(const char *list, const char *name);
/* The first of that result among the gates that are not the slot's own probes (identity, features); NULL = none. */
const struct gate_said *gates_find(const struct gate_said *, size_t n, enum gate_result);
/* "toolchain: tests ran with..." of every gate that refuses. */
void gates_say_refused(const struct gate_said *, size_t n, char *out, size_t size);
/* [{"gate":..,"result":..,"text":..}] */
json_t *gates_json(const struct gate_said *, size_t n);
void gates_doc(struct buf *out);

#endif
