/* SPDX-License-Identifier: MIT
 * addresses.h - where the targets of a slot are today: its file, or its name, read once. */
#ifndef PROBES_ADDRESSES_H
#define PROBES_ADDRESSES_H

#include "switchd/core/config/config.h"

/* Waits as long as a disk or a name server does: for a thread of its own, or a program that has nothing else to do.
 * What is in the lines is checked by targets_parse().  False: why names the source. */
MUSTCHECK bool addresses_read(const struct target_source *, struct buf *lines, char *why, size_t why_size);

#endif
