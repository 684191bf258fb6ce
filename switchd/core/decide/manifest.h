/* SPDX-License-Identifier: MIT
 * manifest.h - what a build says of a release: bits, tools, tests, what it adds and removes.
 *
 * JSON or YAML, read as untrusted: at most MANIFEST_MAX_TEXT bytes, every field bounded, errors named with file:line:col and
 * field.  A field that is not known is kept as a label and named in a warning, except when its name is a near miss of a
 * known one: that is an error, for `remove:` instead of `removes:` must not pass silently.  docs/manifest.md shows them all. */
#ifndef SWITCHD_CORE_MANIFEST_H
#define SWITCHD_CORE_MANIFEST_H

#include <jansson.h>

#include "switchd/base/buf.h"
#include "switchd/core/model.h"

enum {
	MANIFEST_MAX_TEXT = 64 * 1024,
	MANIFEST_MAX_LABELS = 32,
	LABEL_LEN = 255,
};

struct label { name_text name; char value[LABEL_LEN + 1]; };

/* Of every text "" = not told. */
struct manifest {
	id_text release;
	tag_text digest, commit;
	tag_text builder, builder_version;      /* builder: {name, version} */
	tag_text lockfile;                      /* hash of the lock file that the build read */
	struct manifest_tests {
		tag_text run, digest, builder, builder_version, lockfile, result;
		wall_ms at;                     /* 0 = not told */
	} tests;
	struct declared adds, removes;
	bool has_rollback; enum rollback_policy rollback;
	struct label labels[MANIFEST_MAX_LABELS]; size_t n_labels;
};

/* False: `why` has the first error ("m.yaml:3:9: tests.at: want a time..."), *out is untouched.  warnings may be NULL;
 * one line each.  name is what diagnostics show. */
MUSTCHECK bool manifest_parse(const char *name, const char *text, size_t len, struct manifest *out, char *why, size_t why_size,
			      struct buf *warnings);
/* What was told, in the form that manifest_parse() reads; a new reference, never NULL. */
json_t *manifest_json(const struct manifest *);
/* It speaks of the bits (digest, commit, builder, lockfile or tests), not only of features and policy. */
bool manifest_of_bits(const struct manifest *);

/* Every field that can be named: "builder.version", "tests.run", "adds"... NULL = no such i. */
const char *manifest_field(size_t i);
/* Sets one field, as a build job does (`builder.version=4.1.0`, `labels.team=web`, `removes=a,b`; "" takes it away).
 * False: why says which name or value is wrong. */
MUSTCHECK bool manifest_set(struct manifest *, const char *field, const char *value, char *why, size_t why_size);

/* claim.c: two manifests of one release say different things of a field that both tell (labels are free): which, and both
 * values.  A field that only one tells is no contradiction: jobs add to a manifest as they go. */
MUSTCHECK bool manifest_contradicts(const struct manifest *at_claim, const struct manifest *at_deploy, char *out, size_t size);
/* Kept with the claim.  False: without its labels, which have no room. */
MUSTCHECK bool claim_keep(struct claim *, const struct manifest *);
/* What claim_keep() writes. */
MUSTCHECK bool claim_manifest_ok(const char *text, size_t len);

/* "2026-11-22T03:12:07Z", with a fraction or an offset or not; or whole seconds since 1970. */
MUSTCHECK bool time_parse(const char *text, wall_ms *out);

#endif
