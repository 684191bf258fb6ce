/* SPDX-License-Identifier: MIT
 * one_redis.h - a server of its own for each test of a program: `rig`, and T(test) for its list. */
#ifndef TESTS_UNIT_ONE_REDIS_H
#define TESTS_UNIT_ONE_REDIS_H

#include "tests/unit/support/store_rig.h"

static struct rig rig;

static int setup(void **state)
{
	(void)state;
	rig_start(&rig);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
