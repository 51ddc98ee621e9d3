/*
 * files_run.h - one `restore files`: what cmd_files.c does and files_report.c tells.
 */
#ifndef RESTORE_FILES_RUN_H
#define RESTORE_FILES_RUN_H

#include "common/cli/progress.h"
#include "restore/aliases.h"
#include "restore/paths.h"
#include "restore/streams.h"
#include "restore/target/tree.h"

struct files {
    struct cli_context *cli;
    struct chosen chosen;
    struct paths paths;
    struct aliases aliases;
    struct tree_policy policy;
    struct fetcher *data; /* the catalog is read at the same time, by chosen.fetcher */
    struct tree *tree;
    struct progress *progress;
    uint64_t bytes; /* to restore */
    uint64_t members;
    uint64_t nfiles, ndirs, nlinks;
    uint64_t done;
    uint64_t missed;
    uint64_t changed;    /* restored as they were caught in the middle of a change */
    uint64_t incomplete; /* restored as far as they could be read */
    uint64_t told;       /* losses */
    bool corrupt;
};

/* What of the metadata is restored, from the options and the kind of the snapshot. */
void files_choose_policy(struct files *f);
/* What the backup itself said about a member that was restored. */
void files_tell_doubts(struct files *f, const struct member *m);

int files_summary(const struct files *f, uint64_t ms, struct error *err);
/* The last word: 0, or what is missing or not as it was saved, and the exit code. */
int files_verdict(const struct files *f, struct error *err);

#endif
