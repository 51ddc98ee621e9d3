/*
 * cache_index.h - a compact multimap from 32-bit tags to 32-bit values, 8 bytes a slot.
 *
 * The cache has two: hooks (chunk -> blob) and the chunks of the lists in memory (chunk -> list and
 * position). A tag is cut from a chunk id, hence uniform: its high part is its place (linear probing, load at
 * most 3/4). A match of tags is only a hint; whoever asks compares the id. Values are not 0.
 *
 *     struct tag_cursor at = tagmap_find(&m, tag);
 *     while ((value = tagmap_next(&m, &at)) != 0) ...      // in no order; no changes meanwhile
 */
#ifndef COMMON_REPO_CACHE_INDEX_H
#define COMMON_REPO_CACHE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

enum {
    TAGMAP_PARTS = 16
}; /* by the tag's high bits: only one part at a time is twice in memory while it grows */

struct tag_part {
    uint64_t *slots; /* tag << 32 | value, 0 empty */
    size_t cap;
    size_t len;
};

struct tagmap {
    struct tag_part parts[TAGMAP_PARTS];
    size_t same; /* more values than this for one tag are not kept: they bound the work of a search */
};

struct tag_cursor {
    size_t pos;
    uint32_t tag;
};

void tagmap_init(struct tagmap *m, size_t same);
void tagmap_free(struct tagmap *m);
/* A pair that is there is not added again. */
int tagmap_add(struct tagmap *m, uint32_t tag, uint32_t value, struct error *err);
/* Nothing happens when the pair is not there. */
void tagmap_remove(struct tagmap *m, uint32_t tag, uint32_t value);
struct tag_cursor tagmap_find(const struct tagmap *m, uint32_t tag);
uint32_t tagmap_next(const struct tagmap *m, struct tag_cursor *at);
/* Keeps the values for which keep() is true, and shrinks to them. */
int tagmap_filter(struct tagmap *m, bool (*keep)(uint32_t value, void *arg), void *arg, struct error *err);
size_t tagmap_count(const struct tagmap *m);
size_t tagmap_bytes(const struct tagmap *m);

#endif
