/*
 * cache_compact.h - what the two files of the compaction share; nobody else includes it.
 */
#ifndef COMMON_REPO_CACHE_COMPACT_H
#define COMMON_REPO_CACHE_COMPACT_H

#include "common/repo/cache_private.h"

#define NO_NUMBER UINT32_MAX

struct compaction {
    struct cache *c;
    struct journal out;
    uint32_t *numbers; /* new ones, by the old; NO_NUMBER for what is dead */
    size_t packs;      /* written */
};

/* Appends an entry of one or two numbers. */
int compact_numbers(struct compaction *k, enum cache_entry_type type, uint32_t a, uint32_t b, size_t n,
                    struct error *err);
/* cache_compact_notes.c: the notes that count, each between its session's begin and commit. */
int compact_notes(struct compaction *k, struct error *err);

#endif
