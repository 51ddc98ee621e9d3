#include "common/base/vec.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/banned.h"

void *vec_push(struct vec *v, struct error *err)
{
    if (v->len == v->cap) {
        size_t cap = v->cap != 0 ? v->cap * 2 : 8;
        void *data = mem_grow(v->data, cap, v->item, err);
        if (data == NULL)
            return NULL;
        v->data = data;
        v->cap = cap;
    }
    void *slot = (uint8_t *)v->data + v->len * v->item;
    memset(slot, 0, v->item);
    v->len++;
    return slot;
}

void *vec_at(const struct vec *v, size_t i)
{
    return (uint8_t *)v->data + i * v->item;
}

void vec_clear(struct vec *v)
{
    v->len = 0;
}

void vec_free(struct vec *v)
{
    free(v->data);
    v->data = NULL;
    v->len = 0;
    v->cap = 0;
}

void vec_sort(struct vec *v, int (*compare)(const void *, const void *))
{
    if (v->len > 1)
        qsort(v->data, v->len, v->item, compare);
}
