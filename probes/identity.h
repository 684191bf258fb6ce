/* SPDX-License-Identifier: MIT
 * identity.h - which release does a target say it runs? (gates: identity)
 *
 * The lines hold "{{release}}" where the release stands that the slot should run.  They are
 * compiled once per release.  Without a release only the other lines count, and the one
 * that a target names is still read: from  jsonpath "PATH" == "{{release}}"  and from
 * header "NAME" == "{{release}}".  "{{digest}}" stands for the digest that was told of it; lines with it wait until one is. */
#ifndef PROBES_IDENTITY_H
#define PROBES_IDENTITY_H

#include "probes/assert/suite.h"
#include "switchd/core/config/config.h"

struct identity;

struct identity *identity_new(const struct identity_config *);
void identity_free(struct identity **);

/* Checks the lines with a release of no meaning; errors as those of suite_compile. */
int identity_check(const struct identity_config *, const char *file, struct buf *errors);

enum outcome identity_judge(struct identity *, const char *release, const char *digest, struct answer *, const char *location,
			    char want[ASSERT_TEXT], char got[ASSERT_TEXT], char named[ID_MAX_LEN + 1]);

#endif
