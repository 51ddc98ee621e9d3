/*
 * rotate.h - verify a part each time, until everything was read within a while.
 *
 *     struct rotation r;
 *     rc = rotation_load(&r, path, st->repo->repo_id, every, now, err);    // E_CORRUPT is told and begins anew
 *     ...check with r.wanted: rotation_wants(&r, name), rotation_looked(&r, name, sound)...
 *     rc = rotation_save(&r, err);            // only after a run that came to its end
 *     rotation_free(&r);
 *
 * Every file has a place on a circle, from its name and a secret number of this station, so that a storage cannot tell what is
 * read next. A run reads the arc from where the last one ended; its length follows from the time since then, a little more
 * than that part of `every`, so that nothing is left longer than `every` although runs come in steps. What was broken the last
 * time is read each time, so that damage stays told until it is cured.
 *
 * The file (mode 0600) is small, and can be lost: the circle begins anew.
 */
#ifndef RESTORE_ROTATE_H
#define RESTORE_ROTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/vec.h"
#include "common/repo/format.h"

enum {
    ROTATION_SEED_LEN = 16,
    ROTATION_BROKEN_MAX = 10000, /* names that are kept; with more, the next run reads this arc again */
    ROTATION_FIRST = 86400,      /* seconds that the first run stands for */
};

struct rotation {
    char *path;
    char repo[2 * REPO_ID_LEN + 1];
    uint8_t seed[ROTATION_SEED_LEN];
    uint32_t position; /* of a circle of 2^32 */
    uint64_t width;    /* of this run; 2^32: all */
    uint64_t time;     /* of this run */
    struct vec broken; /* char *; of the last run */
    struct vec found;  /* of this one */
    bool lost;         /* a name could not be kept */
};

/* path is copied. every in seconds, not 0. */
int rotation_load(struct rotation *r, const char *path, const uint8_t repo_id[REPO_ID_LEN], uint64_t every,
                  uint64_t now, struct error *err);
bool rotation_wants(const struct rotation *r, const char *name);
void rotation_looked(struct rotation *r, const char *name, bool sound);
/* How much this run reads, 0 to 1. */
double rotation_share(const struct rotation *r);
/* The same as part of 2^32, for others that rotate: of a run that comes `since` seconds after the one before. */
uint64_t rotation_width(uint64_t since, uint64_t every);
int rotation_save(struct rotation *r, struct error *err);
void rotation_free(struct rotation *r);

#endif
