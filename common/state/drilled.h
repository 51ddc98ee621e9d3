/*
 * drilled.h - which table of which job was drilled when: what `restore drill run --sample` goes by.
 *
 *     rc = drilled_open(path, &d, err);              // DRILLED_FILE of the state directory; made when missing
 *     rc = drilled_each(d, repository, job, fn, &arg, err);
 *     rc = drilled_keep(d, &drill, err);             // after a drill that came to its end
 *     drilled_close(d);
 *
 * A file like the list of drills (drills.h), with the same rights and the same worth: it can be lost, and then every table
 * counts as never drilled. Times are seconds since 1970. Not thread-safe.
 */
#ifndef COMMON_STATE_DRILLED_H
#define COMMON_STATE_DRILLED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

#define DRILLED_FILE "drilled.db"
enum { DRILLED_TEXT_MAX = 2048 };

/* What the drill found of a table. */
enum drilled_result {
    DRILLED_NOT = 0, /* it was not looked at */
    DRILLED_GOOD,
    DRILLED_BAD, /* it differs: counts as never drilled, so that it is looked at again soon */
};

struct drilled_table {
    const char *database;
    const char *name; /* as SQL writes it; "" where whole databases are drilled */
    uint64_t bytes;
    int64_t first; /* when it was first seen in a snapshot */
    int64_t last;  /* when a drill of it last ended well; 0: never */
    enum drilled_result result;
};

/* All tables of the snapshot that was drilled, whether they were looked at or not. Tables that the newest snapshot so far did
 * not have are forgotten; an older one brings none back. */
struct drilled_drill {
    const char *repository; /* "": named by --storage */
    const char *job;
    int64_t time;
    int64_t snapshot_time;
    bool sample;                        /* the next sample counts its share from here */
    const struct drilled_table *tables; /* first and last are not looked at */
    size_t ntables;
};

struct drilled;

int drilled_open(const char *path, struct drilled **out, struct error *err);
/* E_NOT_FOUND: there is none yet. */
int drilled_open_read(const char *path, struct drilled **out, struct error *err);
void drilled_close(struct drilled *d); /* NULL is fine */

/* All or nothing. */
int drilled_keep(struct drilled *d, const struct drilled_drill *drill, struct error *err);

typedef int drilled_fn(const struct drilled_table *table, void *arg, struct error *err);
/* By database and name; repository NULL: any. A negative return ends it. The strings live during the call. */
int drilled_each(struct drilled *d, const char *repository, const char *job, drilled_fn *fn, void *arg,
                 struct error *err);
/* When the last sample of the job came to its end; 0: there was none. */
int drilled_sampled(struct drilled *d, const char *repository, const char *job, int64_t *out,
                    struct error *err);

#endif
