/* SPDX-License-Identifier: MIT
 * haproxy_reply.h - reading what HAProxy's runtime API says.  Pure: text in, values out.
 *
 * Every text is foreign: a reply is bounded, NUL-terminated, and nothing in it is
 * trusted to be there.  Fuzzed by tests/fuzz/haproxy_reply.c. */
#ifndef SWITCHD_PROXY_HAPROXY_REPLY_H
#define SWITCHD_PROXY_HAPROXY_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switchd/base/must.h"

/* An answer is whole when it ends with an empty line: the API's own end mark.  A command that
 * says nothing answers with that line alone. */
bool hap_reply_whole(const char *text, size_t len);
/* Nothing but white space: set, add and del say nothing when they did it. */
bool hap_reply_empty(const char *text);
/* The first line, printable, for people. */
void hap_reply_sentence(const char *text, char *out, size_t size);

struct hap_info { uint64_t pid, uptime_s, start_s; };   /* start_s 0 = this version does not say */
MUSTCHECK bool hap_parse_info(const char *text, struct hap_info *);

/* `show backend`: is the name one of its lines?  is_list: it looks like the list at all. */
bool hap_backend_listed(const char *text, const char *name, bool *is_list);

/* `show map FILE`: lines "0x<pointer> <key> <value>". */
enum hap_map_answer { HAP_MAP_OK, HAP_MAP_UNKNOWN, HAP_MAP_OTHER };
struct hap_map_entry { const char *key, *value; size_t key_len, value_len; };
/* Calls each() for every entry until it returns false. */
typedef bool hap_map_fn(void *arg, const struct hap_map_entry *);
enum hap_map_answer hap_each_map_entry(const char *text, hap_map_fn *each, void *arg);

#define HAP_MAP_VALUE 256
struct hap_map_value {
	bool found;
	char value[HAP_MAP_VALUE];      /* of the first entry: the one that HAProxy obeys; cut when longer (cut is set) */
	bool cut;
	bool differ;                    /* later entries of the same key say something else (an `add map` over a key) */
};
enum hap_map_answer hap_map_find(const char *text, const char *key, struct hap_map_value *);

/* `show stat`: one row a server, found by the header's names, not by place. */
struct hap_stat_row {
	char backend[128], server[128], status[32];
	uint64_t scur, r2xx, r3xx, r4xx, r5xx, econ, eresp;
};
typedef void hap_stat_fn(void *arg, const struct hap_stat_row *);
/* False when the header line is missing or lacks pxname, svname or status. */
MUSTCHECK bool hap_each_stat(const char *text, hap_stat_fn *each, void *arg);

#endif
