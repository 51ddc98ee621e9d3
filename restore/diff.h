/*
 * diff.h - what is different between two snapshots, from their lists of members and facts alone.
 *
 *     struct diff_side before, after;
 *     diff_load(object, fetcher, facts, &only, &before, err);      // and the other one
 *     diff_run(&before, &after, fn, arg, err);                     // calls fn for each change
 *     diff_side_free(&before);
 *
 * Tables are compared by rows and fingerprint (facts `rows`, `fingerprint`), other streams by length and check, members
 * of trees also by their metadata, facts by their text. No data is read. Both lists are in memory.
 */
#ifndef RESTORE_DIFF_H
#define RESTORE_DIFF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/vec.h"
#include "common/repo/snapshot.h"

struct diff_item {
    struct catalog_entry *entry; /* owned */
    struct stream_ref ref;
    char *facts; /* owned; NULL for members of a tree */
    bool table;  /* has rows and a fingerprint */
    uint64_t rows;
};

struct diff_side {
    struct vec items;  /* struct diff_item, by path */
    const char *facts; /* of the snapshot; borrowed */
    uint64_t seed;     /* of its fingerprints */
    bool tree;
};

enum diff_kind {
    DIFF_TABLE,
    DIFF_STREAM,
    DIFF_MEMBER, /* of a tree */
    DIFF_FACT,
};

enum diff_what {
    DIFF_ADDED = 0,
    DIFF_REMOVED,
    DIFF_CHANGED,  /* in content */
    DIFF_METADATA, /* of a member: owner, rights, times */
    DIFF_UNKNOWN,  /* the same number of rows, and fingerprints that cannot be compared */
    DIFF_WHATS,
};

struct diff_change {
    enum diff_kind kind;
    enum diff_what what;
    const char *path;               /* of the stream or member; "" for facts of the snapshot */
    const struct diff_item *before; /* NULL: added */
    const struct diff_item *after;  /* NULL: removed */
    const char *key;                /* DIFF_FACT, and the values; NULL: there is none */
    const char *old;
    const char *new;
    const char *note; /* for people; or NULL */
};

struct diff_counts {
    uint64_t same;                /* tables, streams, members */
    uint64_t changes[DIFF_WHATS]; /* of these */
    uint64_t facts;               /* that differ */
    uint64_t bytes_before;
    uint64_t bytes_after;
};

typedef int diff_fn(const struct diff_change *change, void *arg, struct error *err);

/* database NULL: all of them; else only streams below DATABASE/ (or of that name). Facts stay the caller's. */
int diff_load(struct snapshot *object, struct fetcher *f, const char *facts, const char *database,
              struct diff_side *out, struct error *err);
int diff_run(const struct diff_side *before, const struct diff_side *after, struct diff_counts *counts,
             diff_fn *fn, void *arg, struct error *err);
void diff_side_free(struct diff_side *s); /* a zeroed one is fine */

/* diff_facts.c: each line that differs. `path` is whose they are. */
int diff_facts(const char *path, const char *before, const char *after, struct diff_counts *counts,
               diff_fn *fn, void *arg, struct error *err);

#endif
