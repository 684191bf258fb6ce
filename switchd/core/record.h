/* SPDX-License-Identifier: MIT
 * record.h - a record and its event, to JSON and back (jansson).
 *
 * One form for Redis, journal and API.  record_parse validates everything as untrusted:
 * names, bounds, unknown members, phases; on false nothing was written to *out. */
#ifndef SWITCHD_CORE_RECORD_H
#define SWITCHD_CORE_RECORD_H

#include <jansson.h>

#include "switchd/core/model.h"

/* A new reference.  NULL when a member holds what record_parse() would refuse (a bad id, a number
 * beyond 2^53): what nobody could read again is not written.  Free text is made printable. */
json_t *record_json(const struct record *);
MUSTCHECK bool record_parse(const json_t *, struct record *out, char *why, size_t why_size);
MUSTCHECK bool record_parse_text(const char *text, size_t len, struct record *out, char *why, size_t why_size);

/* Of an event as event_json() writes it: the features in its evidence; borrowed, an array or NULL. */
const json_t *event_features(const json_t *event);
json_t *event_json(const struct event *);                       /* evidence becomes a JSON value; never NULL */
json_t *condemned_json(const struct condemned *);               /* NULL as record_json() */
MUSTCHECK bool condemned_parse(const json_t *, struct condemned *out);
json_t *version_json(struct version);                           /* {"gen":..,"epoch":..} */

#endif
