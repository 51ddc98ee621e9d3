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

int cmd_end_hooks(struct cli_context *cli, struct error *err);
int cmd_daemon(struct cli_context *cli, struct error *err);
extern const struct cli_option schedule_options[];
int cmd_schedule(struct cli_context *cli, struct error *err);
extern const struct cli_option status_options[];
int cmd_status(struct cli_context *cli, struct error *err);
extern const struct cli_option history_options[];
int cmd_history(struct cli_context *cli, struct error *err);
extern const struct cli_option show_options[];
int cmd_show(struct cli_context *cli, struct error *err);
extern const struct cli_option start_options[];
int cmd_start(struct cli_context *cli, struct error *err);
extern const struct cli_option control_options[];
int cmd_cancel(struct cli_context *cli, struct error *err);
int cmd_pause(struct cli_context *cli, struct error *err);
int cmd_resume(struct cli_context *cli, struct error *err);

int cmd_notify_test(struct cli_context *cli, struct error *err);
int cmd_notify_list(struct cli_context *cli, struct error *err);
int cmd_notify_send(struct cli_context *cli, struct error *err);
extern const struct cli_option notify_deliver_options[];
int cmd_notify_deliver(struct cli_context *cli, struct error *err);
int cmd_metrics(struct cli_context *cli, struct error *err);
extern const struct cli_option serve_status_options[];
int cmd_serve_status(struct cli_context *cli, struct error *err);

int cmd_anomaly_list(struct cli_context *cli, struct error *err);
int cmd_anomaly_accept(struct cli_context *cli, struct error *err);

int cmd_list(struct cli_context *cli, struct error *err);

/* key ..., and repository shred: who may do what, and how it ends */
extern const struct cli_option key_show_options[];
int cmd_key_show(struct cli_context *cli, struct error *err);
extern const struct cli_option key_add_writer_options[];
int cmd_key_add_writer(struct cli_context *cli, struct error *err);
extern const struct cli_option key_retire_writer_options[];
int cmd_key_retire_writer(struct cli_context *cli, struct error *err);
extern const struct cli_option key_rotate_writer_options[];
int cmd_key_rotate_writer(struct cli_context *cli, struct error *err);
extern const struct cli_option key_new_recipient_options[];
int cmd_key_new_recipient(struct cli_context *cli, struct error *err);
extern const struct cli_option key_add_recipient_options[];
int cmd_key_add_recipient(struct cli_context *cli, struct error *err);
extern const struct cli_option key_retire_drill_options[];
int cmd_key_retire_drill(struct cli_context *cli, struct error *err);
extern const struct cli_option key_remove_recipient_options[];
int cmd_key_remove_recipient(struct cli_context *cli, struct error *err);
extern const struct cli_option key_rotate_root_options[];
int cmd_key_rotate_root(struct cli_context *cli, struct error *err);
extern const struct cli_option key_pin_options[];
int cmd_key_pin(struct cli_context *cli, struct error *err);
extern const struct cli_option key_check_options[];
int cmd_key_check(struct cli_context *cli, struct error *err);
extern const struct cli_option key_export_kit_options[];
int cmd_key_export_kit(struct cli_context *cli, struct error *err);
extern const struct cli_option key_verify_kit_options[];
int cmd_key_verify_kit(struct cli_context *cli, struct error *err);
extern const struct cli_option key_passphrase_options[];
int cmd_key_passphrase(struct cli_context *cli, struct error *err);
extern const struct cli_option repository_shred_options[];
int cmd_repository_shred(struct cli_context *cli, struct error *err);

int cmd_man_config(struct cli_context *cli, struct error *err);
int cmd_check_config(struct cli_context *cli, struct error *err);
int cmd_check_database(struct cli_context *cli, struct error *err);
extern const struct cli_option check_storage_options[];
int cmd_check_storage(struct cli_context *cli, struct error *err);

extern const struct cli_option storage_setup_options[];
int cmd_storage_setup(struct cli_context *cli, struct error *err);

#endif
