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

extern const struct cli_option expire_options[];
int cmd_expire(struct cli_context *cli, struct error *err);
extern const struct cli_option hold_options[];
int cmd_hold(struct cli_context *cli, struct error *err);
extern const struct cli_option release_options[];
int cmd_release(struct cli_context *cli, struct error *err);
extern const struct cli_option revive_options[];
int cmd_revive(struct cli_context *cli, struct error *err);

int cmd_daemon(struct cli_context *cli, struct error *err);
extern const struct cli_option schedule_options[];
int cmd_schedule(struct cli_context *cli, struct error *err);
int cmd_status(struct cli_context *cli, struct error *err);
extern const struct cli_option history_options[];
int cmd_history(struct cli_context *cli, struct error *err);
int cmd_show(struct cli_context *cli, struct error *err);

int cmd_list(struct cli_context *cli, struct error *err);

int cmd_man_config(struct cli_context *cli, struct error *err);
int cmd_check_config(struct cli_context *cli, struct error *err);
int cmd_check_database(struct cli_context *cli, struct error *err);
extern const struct cli_option check_storage_options[];
int cmd_check_storage(struct cli_context *cli, struct error *err);

#endif
