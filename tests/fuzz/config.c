/* SPDX-License-Identifier: MIT
 * config.c - any bytes are a config or are refused with a reason; what loads, shows, and loads again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/core/config/config.h"

static const char *env(const char *name, void *arg)
{
	(void)arg;
	return strcmp(name, "A") == 0 ? "1s" : strcmp(name, "B") == 0 ? "$${x}\"\n" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf said = BUF_INIT(1 << 20), shown = BUF_INIT(1 << 22), again = BUF_INIT(1 << 22);
	int errors = -1;
	struct config *c = config_load("fuzz", (const char *)data, size, env, NULL, &said, &errors);

	must((c == NULL) == (errors > 0));
	must(c || said.len > 0);
	if (c) {
		config_show(c, NULL, &shown);
		buf_clear(&said);
		struct config *d = config_load("again", buf_str(&shown), shown.len, env, NULL, &said, &errors);
		must(d != NULL);
		config_show(d, NULL, &again);
		must(strcmp(buf_str(&shown), buf_str(&again)) == 0);
		config_free(&d);
	}
	config_free(&c);
	buf_free(&said);
	buf_free(&shown);
	buf_free(&again);
	return 0;
}
