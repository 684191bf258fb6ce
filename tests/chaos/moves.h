/* SPDX-License-Identifier: MIT
 * moves.h - the events that are a move of traffic: the driver counts them while it plays, the checker afterwards. */
#ifndef TESTS_CHAOS_MOVES_H
#define TESTS_CHAOS_MOVES_H

#include <stdbool.h>

static const struct { const char *kind; bool back; } moves_of_traffic[] = {
	{ "flip.decided", false }, { "drill.begun", false }, { "rollback.decided", true }, { "drill.back", true },
};

#endif
