/*
 * listing.h - the entries of one directory, collected before anybody is told.
 *
 * The callback of backend_list may use the same backend; so a backend whose
 * listing holds a lock or a connection collects first and reports afterwards,
 * and a listing that had to be repeated reports each entry once.
 *
 *     struct listing l = LISTING_INIT;
 *     rc = listing_add(&l, name, &st, err);         // for each entry; "." and ".." are dropped
 *     rc = listing_report(&l, fn, arg, err);
 *     listing_free(&l);
 */
#ifndef COMMON_BACKEND_LISTING_H
#define COMMON_BACKEND_LISTING_H

#include "common/backend/backend.h"
#include "common/base/vec.h"

/* A directory that claims more is an attack on memory, not a repository. */
enum { LISTING_MAX = 4 * 1024 * 1024 };

struct listing_entry {
    char *name;
    struct backend_stat st;
};
struct listing {
    struct vec entries;
};

#define LISTING_INIT                            \
    {                                           \
        .entries = VEC_OF(struct listing_entry) \
    }

int listing_add(struct listing *l, const char *name, const struct backend_stat *st, struct error *err);
int listing_report(const struct listing *l, backend_list_fn *fn, void *arg, struct error *err);
/* Empties it; it may be filled again. */
void listing_clear(struct listing *l);
void listing_free(struct listing *l);

#endif
