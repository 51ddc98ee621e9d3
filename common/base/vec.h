/*
 * vec.h - an array that grows, of items of one size.
 *
 *     struct vec packs = VEC_OF(struct pack_info);
 *     struct pack_info *p = vec_push(&packs, err);      // zeroed, or NULL
 *     for (size_t i = 0; i < packs.len; i++) use(vec_at(&packs, i));
 *     vec_free(&packs);
 *
 * Pointers into the vector die with the next push.
 */
#ifndef COMMON_BASE_VEC_H
#define COMMON_BASE_VEC_H

#include <stddef.h>

#include "common/base/error.h"

struct vec {
    void *data;
    size_t len;
    size_t cap;
    size_t item;
};

#define VEC_OF(type)                                           \
    {                                                          \
        .data = NULL, .len = 0, .cap = 0, .item = sizeof(type) \
    }

void *vec_push(struct vec *v, struct error *err);
/* Item i, which must exist. */
void *vec_at(const struct vec *v, size_t i);
void vec_clear(struct vec *v);
void vec_free(struct vec *v);
void vec_sort(struct vec *v, int (*compare)(const void *, const void *));

#endif
