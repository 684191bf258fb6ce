/* SPDX-License-Identifier: MIT
 * scripts.h - the Lua that runs in Redis, built in.  Only store/ and its tests include this.
 *
 * Each text is prelude.lua, for some look.lua, and the script of its name.  They are addressed by their content
 * (EVALSHA), so that two versions of switchd share one Redis during an upgrade.
 *
 * Out of memory Redis refuses each script that writes.  One that says allow-oom in its first line it runs all the same
 * (https://redis.io/docs/latest/develop/programmability/lua-api/#script_flags; since 7.0, Valkey too; before that the line is a
 * syntax error): few small writes that somebody waits for, and that replace or are trimmed. */
#ifndef SWITCHD_STORE_SCRIPTS_H
#define SWITCHD_STORE_SCRIPTS_H

#include <stdbool.h>

enum script { SC_LEASE, SC_COMMIT, SC_NEWGEN, SC_RELIN, SC_RESTAMP, SC_LOAD, SC_EVENTS, SC_SHOWN, SC_REPORT, SC_CHANGED, SC_WATCH, SC_REPAIR, SC_UPGRADE, N_SCRIPTS };

const char *script_name(enum script);
const char *script_text(enum script);   /* NUL-terminated; lives as long as the process */
const char *script_text_past_memory(enum script);       /* the same, and it may write when there is no memory */
/* It leads, says what is so, or makes the store ours again: always worth that. */
bool script_goes_past_memory(enum script);

#endif
