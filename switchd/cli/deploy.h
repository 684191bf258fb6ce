/* SPDX-License-Identifier: MIT
 * deploy.h - what deploy.c and command.c share. */
#ifndef SWITCHD_CLI_DEPLOY_H
#define SWITCHD_CLI_DEPLOY_H

#include <signal.h>

#include "switchd/cli/cli.h"

extern volatile sig_atomic_t interrupted;       /* the signal that asked this run to end, 0 = none */

/* Asks for more time; the caller frees the answer.  step: of this renewal alone. */
void claim_renew(struct cli *, const char *claim, const char *step, struct answer *);
/* Runs c->command with the claim's slot and targets, and keeps the claim alive.  Its exit status, or 128 + signal. */
int command_run(struct cli *, const json_t *claim);

#endif
