/*
 * storage_report.h - the lines of `check storage`: a block for people or one JSON object.
 *
 *     storage_report_init(&r, cli, name, err);
 *     storage_add(&r, "free", OUT_PLAIN, "%s", text);
 *     rc = storage_report_print(&r, ok, err);      // prints what was added, also after a failure; frees
 */
#ifndef BACKUPD_STORAGE_REPORT_H
#define BACKUPD_STORAGE_REPORT_H

#include "common/cli/cli.h"
#include "common/cli/json.h"
#include "common/cli/out.h"

struct storage_report {
    struct cli_context *cli;
    struct table *table;
    struct jsonout *json;
    const char *name;
    size_t alarms;
};

void storage_report_init(struct storage_report *r, struct cli_context *cli, const char *name,
                         struct error *err);
/* In JSON the key gets '_' for spaces. */
void storage_add(struct storage_report *r, const char *key, enum out_style style, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int storage_report_print(struct storage_report *r, bool ok, struct error *err);

#endif
