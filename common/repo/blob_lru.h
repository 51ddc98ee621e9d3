/*
 * blob_lru.h - decoded blobs by their place, least recently used out first.
 *
 * lru_get() gives a blob only when place, id, length and kind are those asked for: it was opened as that kind.
 * lru_put() takes over memory from malloc, also on failure. The newest entry
 * is never evicted, even when it alone is above the limit.
 */
#ifndef COMMON_REPO_BLOB_LRU_H
#define COMMON_REPO_BLOB_LRU_H

#include "common/base/error.h"
#include "common/repo/format.h"

struct blob_lru;

struct blob_lru *lru_new(size_t limit, struct error *err);
void lru_free(struct blob_lru *l); /* wipes what it holds */
const uint8_t *lru_get(struct blob_lru *l, enum blob_kind kind, const struct blob_ref *ref);
const uint8_t *lru_put(struct blob_lru *l, enum blob_kind kind, const struct blob_ref *ref, uint8_t *data,
                       struct error *err);
size_t lru_limit(const struct blob_lru *l);

#endif
