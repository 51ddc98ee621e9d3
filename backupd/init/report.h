/*
 * report.h - what `init` says at its end (inside init/).
 */
#ifndef BACKUPD_INIT_REPORT_H
#define BACKUPD_INIT_REPORT_H

#include "backupd/init/keys.h"
#include "common/cli/cli.h"

/* Text for people, or one JSON line "summary". */
int init_report(struct cli_context *cli, const struct init_request *r, const struct init_keys *keys,
                const struct vec *files, struct error *err);

#endif
