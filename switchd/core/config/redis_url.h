/* SPDX-License-Identifier: MIT
 * redis_url.h - where the store is, as one text: embedded, unix:/path, redis[s]://host:port/db, sentinel[s]://h1,h2,h3/master/db. */
#ifndef SWITCHD_CORE_REDIS_URL_H
#define SWITCHD_CORE_REDIS_URL_H

#include "switchd/core/config/address.h"

enum { SENTINELS_MAX = 9, MASTER_NAME_MAX = 63, REDIS_PORT = 6379, SENTINEL_PORT = 26379, REDIS_DB_MAX = 9999 };

struct redis_url {
	enum { REDIS_EMBEDDED, REDIS_UNIX, REDIS_SERVER, REDIS_SENTINEL } kind;
	bool tls;                       /* rediss://, sentinels:// */
	const char *path;               /* of unix:, inside the text */
	struct address node[SENTINELS_MAX]; int n;      /* the server, or the sentinels; every one has a port */
	char master[MASTER_NAME_MAX + 1];
	int db;
};
MUSTCHECK bool redis_url_parse(const char *text, struct redis_url *out, char *why, size_t why_size);

#endif
