#include "common/repo/cache_index.h"

#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/banned.h"

enum { FIRST_CAP = 64, PART_BITS = 4 };
_Static_assert(1 << PART_BITS == TAGMAP_PARTS, "the high bits choose the part");

void tagmap_init(struct tagmap *m, size_t same)
{
    *m = (struct tagmap){ .same = same };
}

void tagmap_free(struct tagmap *m)
{
    for (size_t i = 0; i < TAGMAP_PARTS; i++)
        free(m->parts[i].slots);
    tagmap_init(m, m->same);
}

static uint32_t tag_of(uint64_t slot)
{
    return (uint32_t)(slot >> 32);
}

/* Scales what the part's choice left of the tag to the table, so that any size will do. */
static size_t home_of(const struct tag_part *p, uint32_t tag)
{
    uint32_t rest = tag << PART_BITS;
    return (size_t)((uint64_t)rest * p->cap >> 32);
}

static size_t after(const struct tag_part *p, size_t pos)
{
    return pos + 1 == p->cap ? 0 : pos + 1;
}

static void put(struct tag_part *p, uint64_t slot)
{
    size_t pos = home_of(p, tag_of(slot));
    while (p->slots[pos] != 0)
        pos = after(p, pos);
    p->slots[pos] = slot;
    p->len++;
}

static int rebuild(struct tag_part *p, size_t cap, bool (*keep)(uint32_t value, void *arg), void *arg,
                   struct error *err)
{
    struct tag_part next = { .cap = cap, .len = 0 };
    next.slots = mem_alloc(cap, sizeof *next.slots, err);
    if (next.slots == NULL)
        return E_NOMEM;
    for (size_t i = 0; i < p->cap; i++)
        if (p->slots[i] != 0 && (keep == NULL || keep((uint32_t)p->slots[i], arg)))
            put(&next, p->slots[i]);
    free(p->slots);
    *p = next;
    return 0;
}

int tagmap_add(struct tagmap *m, uint32_t tag, uint32_t value, struct error *err)
{
    struct tag_part *p = &m->parts[tag >> (32 - PART_BITS)];
    if ((p->len + 1) * 4 > p->cap * 3) {
        int rc = rebuild(p, p->cap != 0 ? p->cap + p->cap / 4 : FIRST_CAP, NULL, NULL, err);
        if (rc < 0)
            return rc;
    }
    uint64_t slot = (uint64_t)tag << 32 | value;
    size_t same = 0;
    size_t pos = home_of(p, tag);
    for (; p->slots[pos] != 0; pos = after(p, pos))
        if (tag_of(p->slots[pos]) == tag && (p->slots[pos] == slot || ++same >= m->same))
            return 0;
    p->slots[pos] = slot;
    p->len++;
    return 0;
}

struct tag_cursor tagmap_find(const struct tagmap *m, uint32_t tag)
{
    struct tag_cursor at = { .pos = home_of(&m->parts[tag >> (32 - PART_BITS)], tag), .tag = tag };
    return at;
}

uint32_t tagmap_next(const struct tagmap *m, struct tag_cursor *at)
{
    const struct tag_part *p = &m->parts[at->tag >> (32 - PART_BITS)];
    if (p->cap == 0)
        return 0;
    while (p->slots[at->pos] != 0) {
        uint64_t slot = p->slots[at->pos];
        at->pos = after(p, at->pos);
        if (tag_of(slot) == at->tag)
            return (uint32_t)slot;
    }
    return 0;
}

/* Moves later slots of the run into the gap where their place allows it: no tombstones. */
static void close_gap(struct tag_part *p, size_t gap)
{
    size_t pos = after(p, gap);
    for (; p->slots[pos] != 0; pos = after(p, pos)) {
        size_t home = home_of(p, tag_of(p->slots[pos]));
        bool between = gap < pos ? home > gap && home <= pos : home > gap || home <= pos;
        if (between)
            continue;
        p->slots[gap] = p->slots[pos];
        gap = pos;
    }
    p->slots[gap] = 0;
}

void tagmap_remove(struct tagmap *m, uint32_t tag, uint32_t value)
{
    struct tag_part *p = &m->parts[tag >> (32 - PART_BITS)];
    uint64_t slot = (uint64_t)tag << 32 | value;
    if (p->cap == 0)
        return;
    for (size_t pos = home_of(p, tag); p->slots[pos] != 0; pos = after(p, pos)) {
        if (p->slots[pos] == slot) {
            close_gap(p, pos);
            p->len--;
            return;
        }
    }
}

int tagmap_filter(struct tagmap *m, bool (*keep)(uint32_t value, void *arg), void *arg, struct error *err)
{
    for (size_t i = 0; i < TAGMAP_PARTS; i++) {
        struct tag_part *p = &m->parts[i];
        size_t kept = 0;
        for (size_t k = 0; k < p->cap; k++)
            if (p->slots[k] != 0 && keep((uint32_t)p->slots[k], arg))
                kept++;
        size_t cap = kept + kept / 2;
        if (kept == p->len)
            continue;
        int rc = rebuild(p, cap > FIRST_CAP ? cap : FIRST_CAP, keep, arg, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

size_t tagmap_count(const struct tagmap *m)
{
    size_t n = 0;
    for (size_t i = 0; i < TAGMAP_PARTS; i++)
        n += m->parts[i].len;
    return n;
}

size_t tagmap_bytes(const struct tagmap *m)
{
    size_t n = 0;
    for (size_t i = 0; i < TAGMAP_PARTS; i++)
        n += m->parts[i].cap * sizeof *m->parts[i].slots;
    return n;
}
