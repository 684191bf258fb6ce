/* SPDX-License-Identifier: MIT
 * config_assets.h - a feature that is a page and the scripts and styles it is made of. */
#ifndef SWITCHD_CORE_CONFIG_ASSETS_H
#define SWITCHD_CORE_CONFIG_ASSETS_H

#include "switchd/core/config/config.h"

enum { ASSETS_MAX = 200 };

struct assets_config {
	const char *page;
	const char *marker;             /* "" = none; a text, or a pattern between slashes */
	int marker_line, marker_col;
	char marker_quote;
	int min, max;                   /* of scripts and styles of the page's own origin */
	bool external;                  /* those of other origins are fetched too */
};

#endif
