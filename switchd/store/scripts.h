/* SPDX-License-Identifier: MIT
 * scripts.h - the Lua that runs in Redis, built in.  Only store/ and its tests include this.
 *
 * Each text is prelude.lua, for some look.lua, and the script of its name.  They are addressed by their content
 * (EVALSHA), so that two versions of switchd share one Redis during an upgrade. */
#ifndef SWITCHD_STORE_SCRIPTS_H
#define SWITCHD_STORE_SCRIPTS_H

enum script { SC_LEASE, SC_COMMIT, SC_NEWGEN, SC_RELIN, SC_RESTAMP, SC_LOAD, SC_EVENTS, SC_SHOWN, SC_REPORT, SC_CHANGED, SC_WATCH, SC_REPAIR, SC_UPGRADE, N_SCRIPTS };

const char *script_name(enum script);
const char *script_text(enum script);   /* NUL-terminated; lives as long as the process */

#endif
