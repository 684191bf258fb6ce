/* SPDX-License-Identifier: MIT
 * perfdata.h - what a Nagios plugin writes: a line for people, and behind a bar what it measured.  Pure.
 *
 *   SMTP OK - 0.021 s|time=0.021s;1;5;0
 *   more text|'disk /'=2643MB;5948;5958;0;5968 */
#ifndef PROBES_PERFDATA_H
#define PROBES_PERFDATA_H

#include <stddef.h>

#include "switchd/base/buf.h"

/* The first line without its measurements and without blanks around it; all of it printable. */
void plugin_line(const char *out, size_t n, char *text, size_t size);

/* "time = 0.021 s (warn 1, critical 5, min 0)", one line each; what cannot be read is left out.  Returns how many. */
size_t plugin_measurements(const char *out, size_t n, struct buf *lines);

#endif
