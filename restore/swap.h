/*
 * swap.h - the exchange of two databases as people see it: for `restore swap` and `restore database --swap`.
 */
#ifndef RESTORE_SWAP_H
#define RESTORE_SWAP_H

#include "common/cli/cli.h"
#include "common/engine/engine.h"

/* Puts `fresh` (or NULL) into the place of --to, and tells: the steps before, the way back after. Sets the exit code
 * when somebody is in the way. The verb has the options terminate and via. */
int swap_run(struct cli_context *cli, const struct engine *engine, const char *fresh, bool undo,
             bool look_only, struct error *err);
/* E_UNSUPPORTED when this engine cannot restore next to a live database. */
int beside_possible(const struct engine *engine, struct error *err);
/* The command that puts `made` into the place of --to, "restore swap ..."; for free(). */
char *swap_command(const struct cli_context *cli, const struct engine *engine, const char *made, bool undo,
                   struct error *err);

#endif
