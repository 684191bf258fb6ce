/* SPDX-License-Identifier: MIT
 * local_targets.c - without a daemon: slots whose addresses change, as they are now. */
#include <string.h>

#include "probes/addresses.h"
#include "switchd/cli/local.h"
#include "switchd/core/targets.h"

static bool read_slot(const struct config *cfg, const struct service_config *s, struct slot_config *slot, char *why, size_t size)
{
	const char *name = slot->source.kind == SOURCE_FILE ? slot->source.path : slot->source.text;
	struct buf lines = BUF_INIT(128 * 1024);
	struct target_list l;
	bool ok = addresses_read(&slot->source, &lines, why, size) &&
		  targets_parse(cfg->arena, name, buf_str(&lines), lines.len, s->front_target.tls, &l, why, size);

	buf_free(&lines);
	if (ok) {
		slot->targets = l.target;
		slot->n_targets = l.n;
	}
	return ok;
}

bool local_targets(struct cli *c, struct config *cfg, const struct service_config *s, bool files_only)
{
	struct service_config *mine = (struct service_config *)s; /* cfg is this process's own, and nothing runs on it yet */
	bool all = true;
	char why[400];

	for (int k = BLUE; k <= GREEN; k++)
		if (s->slot[k].source.kind != SOURCE_FIXED && !(files_only && s->slot[k].source.kind != SOURCE_FILE) && !read_slot(cfg, s, &mine->slot[k], why, sizeof(why))) {
			complain(c, "%s of %s: %s", slot_name((enum slot)k), s->name, why);
			all = false;
		}
	return all;
}
