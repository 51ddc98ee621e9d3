/*
 * verbs.h - what the verb table in main.c points to: one function per file cmd_NAME.c.
 */
#ifndef RESTORE_VERBS_H
#define RESTORE_VERBS_H

#include "common/cli/cli.h"

int cmd_list(struct cli_context *cli, struct error *err);
int cmd_show(struct cli_context *cli, struct error *err);
int cmd_ls(struct cli_context *cli, struct error *err);
int cmd_diff(struct cli_context *cli, struct error *err);
int cmd_cat(struct cli_context *cli, struct error *err);
int cmd_files(struct cli_context *cli, struct error *err);
int cmd_database(struct cli_context *cli, struct error *err);
int cmd_swap(struct cli_context *cli, struct error *err);
int cmd_plan(struct cli_context *cli, struct error *err);
int cmd_table(struct cli_context *cli, struct error *err);
int cmd_export(struct cli_context *cli, struct error *err);
int cmd_verify(struct cli_context *cli, struct error *err);

/* --format of export */
extern const char *const export_formats[];
/* --level: in the order of enum check_level. */
extern const char *const verify_levels[];
/* --format of `restore table` */
extern const char *const table_formats[];

#endif
