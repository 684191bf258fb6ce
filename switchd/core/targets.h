/* SPDX-License-Identifier: MIT
 * targets.h - addresses of a slot: as text, as lists of lines, and as they are frozen.
 *
 * A list is lines of text, one target each; `#` begins a comment.  It comes from a file, or is made of what a
 * name server said, and is kept in state_dir in the same form until the next claim or deploy (frozen_*).
 * Pure: whoever has a text reads it here. */
#ifndef SWITCHD_CORE_TARGETS_H
#define SWITCHD_CORE_TARGETS_H

#include "switchd/core/config/config.h"

struct target_list { struct target *target; size_t n; };

/* One target: host:port, http(s)://host:port or unix:/path.  front_tls: port 443 without a scheme means https. */
MUSTCHECK bool target_read(struct arena *, const char *text, bool front_tls, struct target *out, char *why, size_t why_size);
bool target_same(const struct target *, const struct target *);        /* one address, however it is written */

/* "dns:NAME:PORT", "dns:https://NAME:PORT" or "file:/path". */
bool source_is(const char *text);
MUSTCHECK bool source_parse(struct arena *, const char *text, struct target_source *out, char *why, size_t why_size);
/* What a name server said, as lines: sorted, each address once. */
void source_lines(const struct target_source *, const char (*ip)[64], size_t n, struct buf *lines);

/* All lines or none: `why` is "NAME:LINE: what is wrong" (no target, one twice, more than MAX_TARGETS). */
MUSTCHECK bool targets_parse(struct arena *, const char *name, const char *text, size_t len, bool front_tls, struct target_list *out,
			     char *why, size_t why_size);
/* The first target that is in both, or NULL. */
const struct target *targets_shared(const struct target *, size_t n, const struct target *, size_t m);
/* "3 targets of dns:shop:8101, 1 new, 2 gone" */
void targets_said(const struct target *was, size_t n, const struct target_list *now, const char *source, char *out, size_t size);

/* What is kept in state_dir, and read back: the lines, from which source they came and when. */
struct frozen_text { const char *from; wall_ms at; const char *lines; size_t len; };
void frozen_print(struct buf *, const struct target *, size_t n, const char *from, wall_ms at);
MUSTCHECK bool frozen_parse(struct arena *, const char *text, size_t len, struct frozen_text *out);

#endif
