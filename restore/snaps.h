/*
 * snaps.h - the snapshots of a repository, each opened as far and as late as needed.
 *
 *     struct snaps all;
 *     snaps_load(&st, &all, err);                   // from the logs alone: nothing is read
 *     snap_open(&all, snap, err);                   // the object, and with the kit its view (label, sizes)
 *     snap_unlock(&all, snap, &fetcher, err);       // with the kit: facts and catalog; fetcher_free it
 *     snaps_free(&all);
 *
 * Opening costs a round trip or two: who looks for one snapshot opens few.
 */
#ifndef RESTORE_SNAPS_H
#define RESTORE_SNAPS_H

#include "common/repo/snapshot.h"
#include "restore/station.h"

struct snap {
    const struct repo_writer *writer;
    const struct repo_record *record;
    uint64_t when;           /* the latest time in the log up to here: orders what several writers made */
    struct snapshot *object; /* NULL: not opened, or it cannot be */
    char *damage;            /* why it cannot be opened; a verdict, not a lost connection */
    const char *damage_name; /* ERR_* or NULL */
};

struct snaps {
    struct station *st;
    struct vec list; /* struct snap, newest first */
};

enum { SNAP_HASH_TEXT = 2 * HASH_LEN + 1 };

int snaps_load(struct station *st, struct snaps *out, struct error *err);
void snaps_free(struct snaps *all);

/* 0 also when it is damaged: then object is NULL (or has no view) and damage says why. */
int snap_open(struct snaps *all, struct snap *snap, struct error *err);
/* E_CORRUPT when it is damaged; E_AUTH when this kit is not among its recipients. */
int snap_unlock(struct snaps *all, struct snap *snap, struct fetcher **f, struct error *err);

bool snap_live(const struct snap *snap);
/* Neither the object nor a pack of its view is listed as deleted: an expired one can be restored and revived. Opened before.
 */
bool snap_whole(const struct snap *snap);
/* "live", "void", "expired" (and nothing of it deleted), "deleted" (expired), "held" (live, and kept by order), "damaged" */
const char *snap_state(const struct snap *snap);
/* The job's name, or without view the writer's id. `out` holds SNAPSHOT_NAME_MAX bytes. */
const char *snap_job(const struct snap *snap, char out[SNAPSHOT_NAME_MAX]);
/* JOB/NUMBER or WRITER/NUMBER, safe for a terminal. */
const char *snap_name(const struct snap *snap, char out[SNAPSHOT_NAME_MAX]);
const char *snap_receipt(const struct snap *snap, char out[RECEIPT_LEN + 1]);
/* When retention first saw it, in seconds; 0: not yet. */
uint64_t snap_first_seen(const struct snaps *all, const struct snap *snap);

#endif
