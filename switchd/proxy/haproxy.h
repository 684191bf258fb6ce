/* SPDX-License-Identifier: MIT
 * haproxy.h - what the HAProxy adapter's own files share; nobody outside includes it. */
#ifndef SWITCHD_PROXY_HAPROXY_H
#define SWITCHD_PROXY_HAPROXY_H

#include "switchd/proxy/kind.h"

/* Everything that is ever put into a command, a map file or the snippet, checked again at this edge
 * (design faults 5.4): rejected, never escaped.  why names the first bad one. */
MUSTCHECK bool hap_names_ok(const struct service_config *, const struct proxy_config *, char *why, size_t why_size);
bool hap_word_ok(const char *s, const char *more, size_t max);     /* [A-Za-z0-9] and `more` */

/* The exact paths, without query, of the critical features that the shield may ask twice: GET and HEAD only. */
struct hap_path { const char *text; size_t len; };
struct hap_paths {
	struct hap_path list[MAX_FEATURES]; size_t n;
	const char *left_out[MAX_FEATURES]; size_t n_left_out;  /* features whose path holds what a command must not */
};
void hap_paths_of(const struct service_config *, struct hap_paths *);
bool hap_path_known(const struct hap_paths *, const char *text, size_t len);
bool hap_path_ok(const char *text, size_t len);

bool hap_snippet(const struct service_config *, const struct proxy_config *, const char *bind, struct buf *out);
bool hap_init_files(const struct service_config *, const struct proxy_config *, struct buf *said);
bool hap_write_paths(const struct service_config *, const struct proxy_config *, struct buf *said);
void hap_raw_command(const struct service_config *, const struct proxy_config *, const struct proxy_value *, struct buf *out);

#endif
