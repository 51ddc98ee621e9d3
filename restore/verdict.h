/*
 * verdict.h - the result of `verify --verdict` as one line, for programs that watch.
 *
 *     OK L1: every byte is as signed: 3 writers, 12 snapshots, 40 packs, 1.2 GiB read; newest 2026-11-28T02:00:11Z
 *     BROKEN L1: 2 errors, the first: pack-missing w/.../pack/00000003-000000.00
 *     UNKNOWN L1: it could not be checked: ...
 *
 * The first word is the verdict; the exit status says the same.
 */
#ifndef RESTORE_VERDICT_H
#define RESTORE_VERDICT_H

#include "common/cli/cli.h"
#include "common/repo/check.h"

enum { VERDICT_FIRST_MAX = 512 };

struct verdict {
    const char *level;
    uint64_t errors;
    uint64_t warnings;             /* writers that are late */
    char first[VERDICT_FIRST_MAX]; /* of the errors; empty: none yet */
};

void verdict_first(struct verdict *v, const struct check_finding *f);
void verdict_print(const struct verdict *v, const struct cli_context *cli, const struct repo *repo,
                   const struct check_result *result);
void verdict_unknown(const struct verdict *v, const struct cli_context *cli, const struct error *why);

#endif
