#include "common/base/map.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/reader.h"
#include "common/base/banned.h"

enum { MAP_FIRST = 16 };

static size_t value_room(const struct map *m)
{
    return (m->value + 7) & ~(size_t)7;
}

static size_t slot_size(const struct map *m)
{
    return (8 + value_room(m) + m->key + 7) & ~(size_t)7;
}

static uint8_t *slot_at(const struct map *m, size_t i)
{
    return m->slots + i * slot_size(m);
}

static uint8_t *slot_key(const struct map *m, uint8_t *slot)
{
    return slot + 8 + value_room(m);
}

/* FNV-1a with a final mix; seeded so that outside keys cannot aim at one bucket in every process. */
static size_t hash_key(const uint8_t *key, size_t len)
{
    static const char anchor;
    uint64_t h = 14695981039346656037ULL ^ (uint64_t)(uintptr_t)&anchor;
    for (size_t i = 0; i < len; i++)
        h = (h ^ key[i]) * 1099511628211ULL;
    h ^= h >> 32;
    h *= 0x9e3779b97f4a7c15ULL;
    return (size_t)(h ^ (h >> 29));
}

static uint8_t *find(const struct map *m, const void *key)
{
    size_t mask = m->cap - 1;
    for (size_t i = hash_key(key, m->key) & mask;; i = (i + 1) & mask) {
        uint8_t *slot = slot_at(m, i);
        if (slot[0] == 0 || memcmp(slot_key(m, slot), key, m->key) == 0)
            return slot;
    }
}

static int grow(struct map *m, struct error *err)
{
    struct map bigger = *m;
    bigger.cap = m->cap != 0 ? m->cap * 2 : MAP_FIRST;
    bigger.slots = mem_alloc(bigger.cap, slot_size(m), err);
    if (bigger.slots == NULL)
        return E_NOMEM;
    for (size_t i = 0; i < m->cap; i++) {
        uint8_t *old = slot_at(m, i);
        if (old[0] != 0)
            memcpy(find(&bigger, slot_key(m, old)), old, slot_size(m));
    }
    free(m->slots);
    *m = bigger;
    return 0;
}

void *map_get(const struct map *m, const void *key)
{
    if (m->cap == 0)
        return NULL;
    uint8_t *slot = find(m, key);
    return slot[0] != 0 ? slot + 8 : NULL;
}

void *map_put(struct map *m, const void *key, bool *added, struct error *err)
{
    if ((m->len + 1) * 4 > m->cap * 3 && grow(m, err) < 0)
        return NULL;
    uint8_t *slot = find(m, key);
    bool fresh = slot[0] == 0;
    if (fresh) {
        slot[0] = 1;
        memcpy(slot_key(m, slot), key, m->key);
        m->len++;
    }
    if (added != NULL)
        *added = fresh;
    return slot + 8;
}

void *map_next(const struct map *m, size_t *pos, const void **key_out)
{
    while (*pos < m->cap) {
        uint8_t *slot = slot_at(m, (*pos)++);
        if (slot[0] != 0) {
            if (key_out != NULL)
                *key_out = slot_key(m, slot);
            return slot + 8;
        }
    }
    return NULL;
}

void map_free(struct map *m)
{
    free(m->slots);
    m->slots = NULL;
    m->cap = 0;
    m->len = 0;
}
