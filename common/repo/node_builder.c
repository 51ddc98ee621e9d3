#include "common/repo/node.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/banned.h"

_Static_assert(NODE_HEADER_LEN + NODE_BLOBS_MAX * BLOB_REF_LEN + NODE_ITEMS_MAX * NODE_ITEM_LEN <=
                   NODE_PLAIN_MAX,
               "the limits on blobs and items keep a node within its size");

static const struct node_plan empty_plan = {
    .level = 0,
    .len = 0,
    .blobs = VEC_OF(uint32_t),
    .items = VEC_OF(struct plan_item),
};

void node_builder_init(struct node_builder *b, unsigned level)
{
    b->plan = empty_plan;
    b->plan.level = level;
    b->known = (struct map)MAP_OF(sizeof(uint32_t), sizeof(uint32_t));
}

void node_builder_free(struct node_builder *b)
{
    node_plan_free(&b->plan);
    map_free(&b->known);
}

bool node_builder_empty(const struct node_builder *b)
{
    return b->plan.items.len == 0;
}

static bool is_full(const struct node_builder *b)
{
    return b->plan.items.len >= NODE_ITEMS_MAX || b->plan.blobs.len >= NODE_BLOBS_MAX;
}

static struct plan_item *last_item(const struct node_builder *b)
{
    return b->plan.items.len != 0 ? vec_at(&b->plan.items, b->plan.items.len - 1) : NULL;
}

static uint32_t number_at(const struct node_plan *p, size_t index)
{
    const uint32_t *number = vec_at(&p->blobs, index);
    return *number;
}

/* The index of a blob number in the list, which it joins when it is new. */
static int index_of(struct node_builder *b, uint32_t blob, uint32_t *index, struct error *err)
{
    bool added;
    uint32_t *known = map_put(&b->known, &blob, &added, err);
    if (known == NULL)
        return E_NOMEM;
    if (added) {
        uint32_t *number = vec_push(&b->plan.blobs, err);
        if (number == NULL)
            return E_NOMEM;
        *number = blob;
        *known = (uint32_t)b->plan.blobs.len - 1;
    }
    *index = *known;
    return 0;
}

static int add_item(struct node_builder *b, uint32_t blob, uint32_t offset, uint64_t len, struct error *err)
{
    if (len == 0 || len > STREAM_LEN_MAX - b->plan.len)
        return error_set(err, E_INTERNAL, "an item of %llu bytes for a node", (unsigned long long)len);
    if (is_full(b))
        return error_set(err, E_INTERNAL, "a node that should have been cut");
    uint32_t index = 0;
    int rc = index_of(b, blob, &index, err);
    if (rc < 0)
        return rc;
    struct plan_item *item = vec_push(&b->plan.items, err);
    if (item == NULL)
        return E_NOMEM;
    *item = (struct plan_item){ .len = len, .offset = offset, .blob = index };
    b->plan.len += len;
    return 0;
}

int node_add_extent(struct node_builder *b, uint32_t blob, uint32_t offset, uint32_t length,
                    struct error *err)
{
    struct plan_item *last = last_item(b);
    if (b->plan.level != 0)
        return error_set(err, E_INTERNAL, "an extent in a node of level %u", b->plan.level);
    if (length == 0)
        return error_set(err, E_INTERNAL, "an empty extent for a node");
    if (last != NULL && number_at(&b->plan, last->blob) == blob && last->offset + last->len == offset) {
        last->len += length;
        b->plan.len += length;
        return 0;
    }
    return add_item(b, blob, offset, length, err);
}

int node_add_child(struct node_builder *b, uint32_t blob, uint64_t len, struct error *err)
{
    if (b->plan.level == 0)
        return error_set(err, E_INTERNAL, "a child in a node of level 0");
    return add_item(b, blob, 0, len, err);
}

/* True once in `mean` ids, independently for each level: a higher level is asked only about ids that ended a
 * node below it. */
static bool id_says_cut(const uint8_t *chunk_id, unsigned level, uint32_t mean)
{
    uint64_t x = load_u64(chunk_id + 8) + level * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
    x ^= x >> 32;
    return (uint32_t)x < UINT32_MAX / mean;
}

bool node_cut_here(const struct node_builder *b, const uint8_t chunk_id[CHUNK_ID_LEN], uint32_t avg_chunk)
{
    uint64_t size = b->plan.len, min = NODE_CUT_MIN, avg = NODE_CUT_AVG, max = NODE_CUT_MAX;
    uint64_t step = avg_chunk != 0 ? avg_chunk : 1;
    if (b->plan.level != 0) {
        size = b->plan.items.len;
        min = NODE_FAN_MIN;
        avg = NODE_FAN_AVG;
        max = NODE_FAN_MAX;
        step = 1;
    }
    if (size >= max || is_full(b))
        return true;
    if (size < min)
        return false;
    if (chunk_id == NULL)
        return size >= avg;
    uint64_t mean = (avg - min) / step;
    return id_says_cut(chunk_id, b->plan.level, mean > 1 ? (uint32_t)mean : 1);
}

void node_take(struct node_builder *b, struct node_plan *out)
{
    *out = b->plan;
    b->plan = empty_plan;
    b->plan.level = out->level;
    map_free(&b->known);
}

void node_plan_free(struct node_plan *p)
{
    vec_free(&p->blobs);
    vec_free(&p->items);
    p->len = 0;
}

static void write_item(struct writer *w, const struct node_plan *p, const struct plan_item *item)
{
    writer_u16(w, (uint16_t)item->blob);
    writer_zeros(w, 2);
    if (p->level == 0) {
        writer_u32(w, item->offset);
        writer_u32(w, (uint32_t)item->len);
    } else {
        writer_u64(w, item->len);
    }
}

int node_encode(const struct node_plan *p, node_resolve_fn *resolve, void *arg, struct buf *out,
                struct error *err)
{
    if (p->items.len == 0 || p->level > NODE_LEVEL_MAX)
        return error_set(err, E_INTERNAL, "a node of level %u with %zu items", p->level, p->items.len);
    struct writer w = writer_of(out);
    writer_u8(&w, (uint8_t)p->level);
    writer_zeros(&w, 3);
    writer_u32(&w, (uint32_t)p->blobs.len);
    writer_u32(&w, (uint32_t)p->items.len);
    writer_u64(&w, p->len);
    for (size_t i = 0; i < p->blobs.len; i++) {
        struct blob_ref ref;
        int rc = resolve(arg, number_at(p, i), &ref, err);
        if (rc < 0)
            return rc;
        blob_ref_write(&w, &ref);
    }
    for (size_t i = 0; i < p->items.len; i++)
        write_item(&w, p, vec_at(&p->items, i));
    return writer_end(&w, err);
}
