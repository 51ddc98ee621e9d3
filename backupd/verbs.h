/*
 * verbs.h - the verbs of backupd, one file each (cmd_NAME.c), for the table in main.c.
 */
#ifndef BACKUPD_VERBS_H
#define BACKUPD_VERBS_H

#include "common/cli/cli.h"

extern const struct cli_option init_options[];
int cmd_init(struct cli_context *cli, struct error *err);

extern const struct cli_option backup_options[];
int cmd_backup(struct cli_context *cli, struct error *err);

int cmd_list(struct cli_context *cli, struct error *err);

int cmd_man_config(struct cli_context *cli, struct error *err);
int cmd_check_config(struct cli_context *cli, struct error *err);
int cmd_check_database(struct cli_context *cli, struct error *err);
extern const struct cli_option check_storage_options[];
int cmd_check_storage(struct cli_context *cli, struct error *err);

extern const struct cli_option storage_setup_options[];
int cmd_storage_setup(struct cli_context *cli, struct error *err);

#endif
