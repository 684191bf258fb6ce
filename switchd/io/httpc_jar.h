/* SPDX-License-Identifier: MIT
 * httpc_jar.h - the cookies of one run: one visitor who logs in, looks around and logs out.
 *
 * A request lends its jar until done() was called; two requests with the same jar never run
 * at once.  A cookie that is marked Secure and comes over plain http is kept all the same and
 * sent again: behind a proxy that ends TLS, a target is spoken to without it. */
#ifndef SWITCHD_IO_HTTPC_JAR_H
#define SWITCHD_IO_HTTPC_JAR_H

#include <stdbool.h>
#include <stddef.h>

#include "switchd/base/must.h"

struct httpc_jar;

struct httpc_jar *httpc_jar_new(void);
void httpc_jar_free(struct httpc_jar **);       /* no request may have it */
void httpc_jar_clear(struct httpc_jar *);       /* a new visitor; no request may have it */
size_t httpc_jar_count(struct httpc_jar *);
/* The value of the cookie of this name, whatever its path; false when there is none or it does not fit. */
MUSTCHECK bool httpc_jar_get(struct httpc_jar *, const char *name, char *out, size_t size);

#endif
