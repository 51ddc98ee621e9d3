/*
 * select.h - from what people type to one snapshot.
 *
 *     JOB/NUMBER        as `restore list` shows it; NUMBER alone with --job
 *     latest  latest~2  the newest, the third newest
 *     2026-11-24        the newest of that day or before (UTC); also 2026-11-24T02:30[:15][Z]
 *     3f9c01            the beginning of the receipt (record hash), 6 or more hex digits
 *     JOB/latest JOB/2026-11-24
 *
 * JOB may also be a writer's id of 16 hex digits: the only name without a kit.
 * Only live snapshots are found; what else has the name is explained. With
 * `expired` set a snapshot that has expired is found by its number or receipt
 * as long as nothing of it is deleted, and a warning says so. `latest`
 * and dates never step over a snapshot that is damaged: who takes an older one
 * instead has to name it.
 *
 * Errors: E_USAGE for what is no selector or fits several, E_NOT_FOUND; both
 * name candidates.
 */
#ifndef RESTORE_SELECT_H
#define RESTORE_SELECT_H

#include "restore/snaps.h"

enum selector_kind { SELECT_NUMBER, SELECT_LATEST, SELECT_TIME, SELECT_HASH };

struct selector {
    enum selector_kind kind;
    char job[LABEL_MAX + 1]; /* "": any */
    uint64_t number;
    uint64_t back; /* latest~N */
    uint64_t time; /* seconds; not after */
    char hex[SNAP_HASH_TEXT];
    bool expired; /* set by the caller after selector_parse */
};

/* job NULL: none given. Pure. */
int selector_parse(const char *text, const char *job, struct selector *out, struct error *err);
/* The result belongs to `all` and has been opened (snap_open). */
int selector_find(struct snaps *all, const struct selector *sel, struct snap **out, struct error *err);

#endif
