/*
 * verbs.h - the verbs of restore, one file each (cmd_NAME.c), for the table in main.c.
 */
#ifndef RESTORE_VERBS_H
#define RESTORE_VERBS_H

#include "common/cli/cli.h"

extern const struct cli_option list_options[];
int cmd_list(struct cli_context *cli, struct error *err);
extern const struct cli_option show_options[];
int cmd_show(struct cli_context *cli, struct error *err);
extern const struct cli_option ls_options[];
int cmd_ls(struct cli_context *cli, struct error *err);
extern const struct cli_option diff_options[];
int cmd_diff(struct cli_context *cli, struct error *err);
extern const struct cli_option cat_options[];
int cmd_cat(struct cli_context *cli, struct error *err);
extern const struct cli_option files_options[];
int cmd_files(struct cli_context *cli, struct error *err);
extern const struct cli_option database_options[]; /* also of plan */
int cmd_database(struct cli_context *cli, struct error *err);
extern const struct cli_option swap_options[];
int cmd_swap(struct cli_context *cli, struct error *err);
int cmd_plan(struct cli_context *cli, struct error *err);
extern const struct cli_option table_options[];
int cmd_table(struct cli_context *cli, struct error *err);
extern const struct cli_option export_options[];
int cmd_export(struct cli_context *cli, struct error *err);
extern const struct cli_option watch_options[];
int cmd_watch(struct cli_context *cli, struct error *err);
int watch_unable(struct cli_context *cli, const struct error *why);
extern const struct cli_option request_options[];
int cmd_request(struct cli_context *cli, struct error *err);
extern const struct cli_option approve_options[];
int cmd_approve(struct cli_context *cli, struct error *err);
extern const struct cli_option grant_options[];
int cmd_grant(struct cli_context *cli, struct error *err);
extern const struct cli_option drill_list_options[];
int cmd_drill_list(struct cli_context *cli, struct error *err);
extern const struct cli_option drill_show_options[];
int cmd_drill_show(struct cli_context *cli, struct error *err);
extern const struct cli_option drill_certificate_options[];
int cmd_drill_certificate(struct cli_context *cli, struct error *err);
extern const struct cli_option drill_kept_options[];
int cmd_drill_kept(struct cli_context *cli, struct error *err);
extern const struct cli_option drill_end_options[];
int cmd_drill_end(struct cli_context *cli, struct error *err);
int cmd_drill_keeper(struct cli_context *cli, struct error *err);
extern const struct cli_option drill_status_options[];
int cmd_drill_status(struct cli_context *cli, struct error *err);
int drill_status_unable(struct cli_context *cli, const struct error *why);
extern const struct cli_option verify_options[];
int cmd_verify(struct cli_context *cli, struct error *err);
extern const struct cli_option drill_run_options[];
int cmd_drill_run(struct cli_context *cli, struct error *err);

#endif
