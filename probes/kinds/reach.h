/* SPDX-License-Identifier: MIT
 * reach.h - how the targets, the front and the reference of a service are reached over HTTP: for every kind that does.
 *
 * One per runner (runner->reach): the kinds share its client, its pools and so their limits.  Directly to a target: the
 * URL keeps the public name (Host and SNI), the connection goes to the target.  Through the front: what a user would do,
 * on a new connection each time. */
#ifndef PROBES_REACH_H
#define PROBES_REACH_H

#include "probes/probe.h"
#include "switchd/io/httpc.h"

struct reach;

/* Texts are BORROWED from the reach and the config. */
struct way {
	const char *prefix;             /* "https://shop.example.com:8443": a path goes behind it */
	const char *name;               /* who is asked, for people */
	const char *never;              /* why it cannot be asked; NULL = it can */
	struct httpc_pool *pool;
	struct httpc_request r;         /* all but url, method, body and headers */
};

struct reach *reach_new(const struct probe_runner *);
void reach_free(struct reach **);
struct way reach_way(const struct reach *, const struct probe_handle *);

/* "Name: value" lines as httpc takes them: the given ones, the probe's mark, a User-Agent. */
struct header_lines { char **line; size_t n; };
struct header_lines reach_headers(const struct service_config *, const struct header *, size_t n, const char *feature);
void header_lines_free(struct header_lines *);

/* The same URL with its last path segment replaced by one that nothing can have (B1.5). False: too long. */
MUSTCHECK bool reach_absent_url(char *out, size_t size, const char *url);

/* H_OK gives OUT_PRESENT: a complete answer, that is now to be judged. */
enum outcome reach_outcome(enum httpc_result, bool has_duration);
/* Through the front: who answered, "green/green:1795333451.42:shield". */
void reach_stamp(struct probe_result *, const struct httpc_reply *);

#endif
