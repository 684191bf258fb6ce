/* SPDX-License-Identifier: MIT
 * scripts.c - the .lua files beside this one, taken in by the assembler. */
#include "switchd/store/scripts.h"

#include <stdlib.h>
#include <string.h>

#include "switchd/base/buf.h"

/* The path is seen from the root of the tree, where make runs. */
#define EMBED(name)                                                     \
	__asm__(".pushsection .rodata\n"                                \
		"lua_" #name ":\n"                                      \
		".incbin \"switchd/store/" #name ".lua\"\n"             \
		".byte 0\n"                                             \
		".popsection\n");                                       \
	extern const char lua_##name[] __attribute__((visibility("hidden")))

EMBED(prelude);
EMBED(lease);
EMBED(commit);
EMBED(newgen);
EMBED(relin);
EMBED(restamp);
EMBED(load);
EMBED(events);
EMBED(shown);
EMBED(report);
EMBED(changed);
EMBED(look);
EMBED(watch);
EMBED(repair);
EMBED(upgrade);

static const struct { const char *name, *body, *before; } table[N_SCRIPTS] = {
	[SC_LEASE] = { "lease", lua_lease, NULL },
	[SC_COMMIT] = { "commit", lua_commit, NULL },
	[SC_NEWGEN] = { "newgen", lua_newgen, NULL },
	[SC_RELIN] = { "relin", lua_relin, NULL },
	[SC_RESTAMP] = { "restamp", lua_restamp, NULL },
	[SC_LOAD] = { "load", lua_load, NULL },
	[SC_EVENTS] = { "events", lua_events, NULL },
	[SC_SHOWN] = { "shown", lua_shown, NULL },
	[SC_REPORT] = { "report", lua_report, NULL },
	[SC_CHANGED] = { "changed", lua_changed, NULL },
	[SC_WATCH] = { "watch", lua_watch, lua_look },
	[SC_REPAIR] = { "repair", lua_repair, lua_look },
	[SC_UPGRADE] = { "upgrade", lua_upgrade, NULL },
};

const char *script_name(enum script s) { return table[s].name; }

const char *script_text(enum script s)
{
	static char *texts[N_SCRIPTS];

	if (!texts[s]) {
		struct buf b = BUF_INIT(1 << 16);

		must(buf_adds(&b, lua_prelude) && (!table[s].before || buf_adds(&b, table[s].before)) && buf_adds(&b, table[s].body));
		texts[s] = buf_take(&b);
	}
	return texts[s];
}
