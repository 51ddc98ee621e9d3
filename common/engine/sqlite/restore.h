/*
 * restore.h - what restore.c and sqlite_restore_one.c share; not for others.
 */
#ifndef COMMON_ENGINE_SQLITE_RESTORE_H
#define COMMON_ENGINE_SQLITE_RESTORE_H

#include "common/engine/sqlite/internal.h"

struct wanted {
    char *name;
    char *facts; /* of the stream */
    uint64_t len;
};

struct work {
    const struct engine_streams *streams;
    const struct engine_target *target;
    struct vec wanted; /* struct wanted */
    struct vec made;   /* char *: files and directories, in the order they were made */
    uint64_t done;
    uint64_t unchecked; /* databases that SQLite alone cannot check */
};

/* One stream as the file p->path: complete, checked and durable, or not there. */
int sqlite_restore_one(struct work *w, const struct wanted *o, const struct place *p, struct error *err);

/* compare.c: for a drill: the file against the facts, to the target's check(). */
int sqlite_compare(const struct work *w, const struct wanted *o, const char *file, struct error *err);
/* ask.c */
int sqlite_ask(const char *to, const char *sql, bool script, engine_row_fn *fn, void *arg, struct error *err);

/* mask.c */
int sqlite_mask(const char *to, struct vec *tables, struct mask_hash *hash, struct error *err);

/* after.c: the script of the target on a file that has no name of its own yet. */
int sqlite_after(const char *file, const char *shown, const struct engine_target *target, struct error *err);

#endif
