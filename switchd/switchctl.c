/* SPDX-License-Identifier: MIT
 * switchctl.c - the command line.  Everything is in cli/. */
#include "switchd/cli/cli.h"

int main(int argc, char **argv) { return cli_main(argc, argv); }
