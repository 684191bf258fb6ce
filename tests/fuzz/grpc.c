/* SPDX-License-Identifier: MIT
 * grpc.c - whatever a server says in place of a health answer, and whatever a plugin writes. */
#include <stdint.h>

#include "probes/kinds/grpc_frame.h"
#include "probes/kinds/perfdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf lines = BUF_INIT(1024);
	const char *why;
	char text[64];
	int status = grpc_health_status(data, n, &why);

	must(why != NULL && status >= -1 && status <= 255);
	must((status < 0) == (why[0] != '\0'));
	plugin_line((const char *)data, n, text, sizeof(text));
	plugin_measurements((const char *)data, n, &lines);
	buf_free(&lines);
	return 0;
}
