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

static const struct { const char *name, *body, *before; bool past_memory; } table[N_SCRIPTS] = {
	[SC_LEASE] = { "lease", lua_lease, NULL, true },
	[SC_COMMIT] = { "commit", lua_commit, NULL, false },
	[SC_NEWGEN] = { "newgen", lua_newgen, NULL, true },
	[SC_RELIN] = { "relin", lua_relin, NULL, true },
	[SC_RESTAMP] = { "restamp", lua_restamp, NULL, true },
	[SC_LOAD] = { "load", lua_load, NULL, false },
	[SC_EVENTS] = { "events", lua_events, NULL, false },
	[SC_SHOWN] = { "shown", lua_shown, NULL, false },
	[SC_REPORT] = { "report", lua_report, NULL, true },
	[SC_CHANGED] = { "changed", lua_changed, NULL, false },
	[SC_WATCH] = { "watch", lua_watch, lua_look, false },
	[SC_REPAIR] = { "repair", lua_repair, lua_look, false },
	[SC_UPGRADE] = { "upgrade", lua_upgrade, NULL, false },
};

const char *script_name(enum script s) { return table[s].name; }

bool script_goes_past_memory(enum script s) { return table[s].past_memory; }

static const char *text_of(enum script s, const char *first)
{
	struct buf b = BUF_INIT(1 << 16);

	must(buf_adds(&b, first) && buf_adds(&b, lua_prelude) && (!table[s].before || buf_adds(&b, table[s].before)) && buf_adds(&b, table[s].body));
	return buf_take(&b);
}

const char *script_text(enum script s)
{
	static const char *texts[N_SCRIPTS];

	return texts[s] ? texts[s] : (texts[s] = text_of(s, ""));
}

const char *script_text_past_memory(enum script s)
{
	static const char *texts[N_SCRIPTS];

	return texts[s] ? texts[s] : (texts[s] = text_of(s, "#!lua flags=allow-oom\n"));
}
