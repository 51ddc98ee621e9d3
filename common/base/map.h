/*
 * map.h - a hash map from fixed-size keys to fixed-size values.
 *
 * Open addressing with linear probing and a per-map random-looking seed from
 * the address space, load at most 3/4. Keys and values are copied. Values may
 * be changed in place; pointers die with the next map_put. No removal: no user
 * needs it.
 *
 *     struct map m = MAP_OF(16, sizeof(uint32_t));
 *     uint32_t *v = map_put(&m, id, &added, err);   // finds or adds (zeroed)
 *     uint32_t *w = map_get(&m, id);                // or NULL
 */
#ifndef COMMON_BASE_MAP_H
#define COMMON_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

struct map {
    uint8_t *slots; /* used flag (8 bytes for alignment) | value | key */
    size_t cap;     /* a power of two, or 0 */
    size_t len;
    size_t key;
    size_t value;
};

#define MAP_OF(key_size, value_size)                                                \
    {                                                                               \
        .slots = NULL, .cap = 0, .len = 0, .key = (key_size), .value = (value_size) \
    }

void *map_get(const struct map *m, const void *key);
void *map_put(struct map *m, const void *key, bool *added, struct error *err);
/* Walks the map: start with *pos = 0; returns the value (and the key through key_out) or NULL at the end. */
void *map_next(const struct map *m, size_t *pos, const void **key_out);
void map_free(struct map *m);

#endif
