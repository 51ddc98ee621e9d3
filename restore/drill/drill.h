/*
 * drill.h - one restore drill: a snapshot into a throwaway place, looked at, and gone again.
 *
 *     struct drill_options options = { .cli = cli, .selector = "latest", ... };
 *     struct drill_result result;
 *     drill_result_init(&result);
 *     rc = drill_run(&options, &result, err);      // 0: it has a verdict, also could_not_run
 *     drill_result_free(&result);
 *
 * A negative code is for what is no drill: a mistake in what was asked for (E_USAGE), a stop (E_CANCELLED), no memory.
 * Everything that somebody wants to see in a report is a result.
 *
 * What was restored cannot act: no network, no events, no subscriptions, no preload libraries, a user without rights.
 * When the drill dies, however it dies, its servers die with it; the directory that is left is removed by the next
 * drill (scratch.h).
 */
#ifndef RESTORE_DRILL_DRILL_H
#define RESTORE_DRILL_DRILL_H

#include "common/cli/cli.h"
#include "common/conf/conf.h"
#include "common/sys/limits.h"
#include "restore/drill/result.h"

struct evidence_origin;
struct scratch;

struct drill_options {
    struct cli_context *cli; /* kit, storage and the like are its options */
    const char *drill;       /* name in the configuration, or NULL */
    const char *selector;    /* of the snapshot */
    const char *job;         /* or NULL */
    const char *database;    /* of a snapshot with several; or NULL */
    const char *const *tables;
    size_t ntables;           /* 0: everything */
    uint64_t sample_seconds;  /* a random part, so that every table comes around within this time; 0: all */
    uint64_t rto_seconds;     /* target; 0: none */
    uint64_t max_age_seconds; /* of the snapshot; 0: any */
    const struct conf_assert *asserts;
    size_t nasserts;
    const struct conf_mask *masks; /* columns whose values are replaced */
    size_t nmasks;
    bool no_sequences;            /* PostgreSQL: one that is behind its column is no failure */
    bool no_foreign_keys;         /* SQLite: rows that point to nothing are no failure */
    const char *bin_dir;          /* of the server's programs; NULL: where Debian has them */
    uint64_t timeout_seconds;     /* 0: none */
    struct process_limits limits; /* of this process, and with it of all that the drill starts */
    struct scratch *keep; /* gets what was restored, with its server, if there is any (keep.h); or NULL */
    const char *dir;      /* where scratch directories are made; NULL: the state directory */
    const char *inject;   /* SQL that damages what was loaded, before it is checked; or NULL */
    struct evidence_origin *origin; /* gets what a certificate has to say (evidence.h); or NULL */
};

int drill_run(const struct drill_options *options, struct drill_result *result, struct error *err);

#endif
