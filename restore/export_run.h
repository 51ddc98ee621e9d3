/*
 * export_run.h - what the files of `restore export` share; not for others.
 */
#ifndef RESTORE_EXPORT_RUN_H
#define RESTORE_EXPORT_RUN_H

#include "common/cli/progress.h"
#include "restore/options.h"
#include "restore/streams.h"
#include "restore/target/export_out.h"
#include "restore/verbs.h"

enum { EXPORT_LOSSES_NAMED = 20 };

struct export
{
    struct cli_context *cli;
    struct chosen chosen;
    const struct engine *engine; /* NULL: unknown here */
    bool tree;                   /* members are files with metadata of their own */
    bool tar;
    struct members members; /* loaded when the engine asks for streams */
    bool loaded;
    struct buf steps;
    struct vec extras; /* struct extra */
    char *scratch;
    struct fetcher *data; /* the catalog is read at the same time, by chosen.fetcher */
    struct export_out out;
    struct progress *progress;
    uint64_t total;
    uint64_t members_count;
    uint64_t incomplete, changed, told;
};

/* export_members.c: the engine's part of README.txt and its own files; then everything. */
int export_ask_engine(struct export *x, struct error *err);
int export_put_all(struct export *x, struct error *err);
void export_forget(struct export *x);

#endif
