/*
 * report.h - what a check says about one thing: a block for people or one JSON object.
 *
 *     report_init(&r, cli, "storage", name, err);     // message_type and name
 *     report_add(&r, "free", OUT_PLAIN, "%s", text);
 *     report_finding(&r, true, what, cure);           // would fail, and what cures it
 *     rc = report_print(&r, ok, err);                 // prints what was added, also after a failure; frees
 *
 * With --quiet what is ok and without warnings is not printed.
 */
#ifndef BACKUPD_REPORT_H
#define BACKUPD_REPORT_H

#include "common/cli/cli.h"
#include "common/cli/json.h"
#include "common/cli/out.h"

struct report {
    struct cli_context *cli;
    struct table *table;
    struct jsonout *json;
    struct jsonout *findings; /* borrowed from json */
    const char *name;
    size_t fatal; /* findings */
    size_t warnings;
};

void report_init(struct report *r, struct cli_context *cli, const char *type, const char *name,
                 struct error *err);
/* In JSON the key gets '_' for spaces. */
void report_add(struct report *r, const char *key, enum out_style style, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void report_finding(struct report *r, bool fatal, const char *what, const char *cure);
int report_print(struct report *r, bool ok, struct error *err);

#endif
