/* SPDX-License-Identifier: MIT
 * config_kind.h - inside the config loader: what the settings of each kind of feature are.
 *
 * A kind is one row of feature_kinds[] (config_feature.c) and one file config_NAME.c with its loader and its
 * printer.  The key whose presence makes a feature of this kind holds all that is the kind's own; what every
 * feature has (expect, interval, severity...) stands beside it and is loaded for all alike. */
#ifndef SWITCHD_CORE_CONFIG_KIND_H
#define SWITCHD_CORE_CONFIG_KIND_H

#include "switchd/core/config/config_load.h"

struct show {
	struct buf *out;
	const struct raw_text *raws;
	bool secrets;           /* for the fingerprints only: values as they are */
};

struct feature_kind {
	const char *key;        /* in the feature's mapping */
	const char *name;       /* as status and docs say it */
	/* Can it be asked through the front, and does the answer carry the stamp?  False: `via: front` is an error. */
	bool front;
	/* The block is the feature's own: the key is there and of the right type.  Strings it keeps live in the arena. */
	void (*load)(const struct block *, struct feature *);
	/* Prints what load() read as YAML that loads again, and nothing secret unless show.secrets; its text is also
	 * what the feature's fingerprint is made of. */
	void (*show)(const struct show *, const char *indent, const struct feature *);
};
extern const struct feature_kind kind_path, kind_url;    /* config_http.c */
extern const struct feature_kind feature_kind_assets, feature_kind_steps;
extern const struct feature_kind kind_exec, kind_grpc, kind_tcp, kind_tls, kind_websocket;     /* config_NAME.c */
extern const struct feature_kind *const feature_kinds[];
extern const size_t n_feature_kinds;

/* The mapping under the kind's key; and its printing: "tcp:", and what stands under it. */
void kind_block(const struct block *feature, const char *key, unsigned at, struct block *out);
uint16_t kind_port(const struct block *);        /* its port:, or 0 */
void kind_open(const struct show *, const char *indent, const char *key);
const char *kind_indent(const char *indent);

/* What an agent takes of a service beside slots and proxies (config_agent.c). */
void show_agent(const struct show *, const struct config *);
void show_agent_service(const struct show *, const struct service_config *);

/* Of one feature, everything but its pace, for the fingerprint. */
void show_feature_print(const struct show *, const struct service_config *, const struct feature *);

/* One "key: value" line each.  show_line is for what is not secret; show_text and show_lines put back ${NAME} as it
 * was written; nothing is printed for an empty text. */
void show_line(const struct show *, const char *indent, const char *key, const char *value);
void show_text(const struct show *, const char *indent, const char *key, const char *value);
void show_ms(const struct show *, const char *indent, const char *key, int64_t ms);
void show_int(const struct show *, const char *indent, const char *key, int n);
void show_bool(const struct show *, const char *indent, const char *key, bool yes);
void show_lines(const struct show *, const char *indent, const char *key, const char *const *text, size_t n);
void show_headers(const struct show *, const char *indent, const struct header *, size_t n);
/* `used`: with its defaults too. */
void show_tls(const struct show *, const char *indent, const char *key, const struct tls_config *, bool used);
void state_show(const struct show *, const struct redis_config *);       /* config_state.c */
void show_value(const struct show *, const char *text);        /* the quoted text alone */
/* Would be printed as it was written (${NAME}), so that nothing of its value is seen; or everything may be seen. */
bool show_is_raw(const struct show *, const char *text);

/* The content of a small file, in the arena; "" after saying what is wrong with it.  `line`: without the line break at
 * its end.  It is secret: no evidence will hold it. */
const char *file_text(struct loading *, struct mark, const char *key, const char *path, bool line);
/* One more text (64 at most, of one feature's own) that no evidence of the feature may hold. */
void feature_secret(struct loading *, struct feature *, const char *value);

#endif
