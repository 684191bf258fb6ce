/* SPDX-License-Identifier: MIT
 * blame.h - which release took a feature away (pure; over the ledger).
 *
 * The releases of the ledger stand in the order in which they arrived.  The newest run of releases without the feature
 * is found; its oldest member is the *bad* one, the release before it that had the feature the *good* one.  What a release
 * had is measured by probes, or, where the feature was added to the config later, read off the inventory that was taken
 * when the release was deployed; where there is neither, it is not known, and said so. */
#ifndef SWITCHD_CORE_BLAME_H
#define SWITCHD_CORE_BLAME_H

#include "switchd/core/story/ledger.h"

enum blame_source { FROM_NOTHING, FROM_PROBES, FROM_INVENTORY };
enum blame_answer {
	BLAME_FOUND,            /* good and bad are known */
	BLAME_NO_GOOD,          /* a release lacks it, and none on record had it */
	BLAME_INTACT,           /* every release on record has it */
	BLAME_UNKNOWN,          /* nothing on record says anything about it */
};
const char *blame_answer_name(enum blame_answer);

/* What the engine knows beside the ledger. */
struct blame_now {
	const char *service, *feature, *path;   /* path "" = the feature has none, or is not in the config */
	enum verdict at[2];             /* of the feature, now */
	enum slot active;
	id_text release[2];             /* in the slots now; "" = not known */
	bool target;                    /* the idle slot is a rollback target */
	bool whole;                     /* ... and every voting feature is present on it */
	bool watched;                   /* the config has the feature */
};

struct blame {
	enum blame_answer answer;
	const struct ledger_release *good, *bad, *fixed;        /* fixed: the first one after bad that has it again; NULL = none */
	enum blame_source good_by, bad_by;
	wall_ms since;                  /* the feature is probed as it is now since then; 0 = never */
	bool by_inventory;              /* it was added after the bad release arrived: no record before `since` */
	const struct ledger_release *between[LEDGER_RELEASES]; size_t n_between;      /* after good, before bad: not known */
};

void blame_find(const struct ledger *, const struct blame_now *, struct blame *out);
/* docs/ledger.md has the form. */
json_t *blame_json(const struct ledger *, const struct blame_now *);
/* Field by field: [{"field","good","bad"}] of two JSON objects, at most 64. */
json_t *blame_changed(const char *good, const char *bad);

#endif
