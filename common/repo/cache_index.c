#include "common/repo/cache_index.h"

#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/banned.h"

enum { FIRST_CAP = 1024 };

void tagmap_init(struct tagmap *m, size_t same)
{
    *m = (struct tagmap){ .slots = NULL, .cap = 0, .len = 0, .same = same };
}

void tagmap_free(struct tagmap *m)
{
    free(m->slots);
    tagmap_init(m, m->same);
}

static uint32_t tag_of(uint64_t slot)
{
    return (uint32_t)(slot >> 32);
}

/* Scales the tag to the table, so that any size will do and growing keeps the order of the slots. */
static size_t home_of(const struct tagmap *m, uint32_t tag)
{
    return (size_t)((uint64_t)tag * m->cap >> 32);
}

static size_t after(const struct tagmap *m, size_t pos)
{
    return pos + 1 == m->cap ? 0 : pos + 1;
}

static void put(struct tagmap *m, uint64_t slot)
{
    size_t pos = home_of(m, tag_of(slot));
    while (m->slots[pos] != 0)
        pos = after(m, pos);
    m->slots[pos] = slot;
}

static int rebuild(struct tagmap *m, size_t cap, bool (*keep)(uint32_t value, void *arg), void *arg,
                   struct error *err)
{
    struct tagmap next = { .cap = cap, .len = 0, .same = m->same };
    next.slots = mem_alloc(cap, sizeof *next.slots, err);
    if (next.slots == NULL)
        return E_NOMEM;
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i] != 0 && (keep == NULL || keep((uint32_t)m->slots[i], arg))) {
            put(&next, m->slots[i]);
            next.len++;
        }
    }
    free(m->slots);
    *m = next;
    return 0;
}

int tagmap_add(struct tagmap *m, uint32_t tag, uint32_t value, struct error *err)
{
    if ((m->len + 1) * 4 > m->cap * 3) {
        int rc = rebuild(m, m->cap != 0 ? m->cap + m->cap / 2 : FIRST_CAP, NULL, NULL, err);
        if (rc < 0)
            return rc;
    }
    uint64_t slot = (uint64_t)tag << 32 | value;
    size_t same = 0;
    size_t pos = home_of(m, tag);
    for (; m->slots[pos] != 0; pos = after(m, pos)) {
        if (tag_of(m->slots[pos]) == tag && (m->slots[pos] == slot || ++same >= m->same))
            return 0;
    }
    m->slots[pos] = slot;
    m->len++;
    return 0;
}

struct tag_cursor tagmap_find(const struct tagmap *m, uint32_t tag)
{
    struct tag_cursor at = { .pos = home_of(m, tag), .tag = tag };
    return at;
}

uint32_t tagmap_next(const struct tagmap *m, struct tag_cursor *at)
{
    if (m->cap == 0)
        return 0;
    while (m->slots[at->pos] != 0) {
        uint64_t slot = m->slots[at->pos];
        at->pos = after(m, at->pos);
        if (tag_of(slot) == at->tag)
            return (uint32_t)slot;
    }
    return 0;
}

/* Moves later slots of the run into the gap where their place allows it: no tombstones. */
static void close_gap(struct tagmap *m, size_t gap)
{
    size_t pos = after(m, gap);
    for (; m->slots[pos] != 0; pos = after(m, pos)) {
        size_t home = home_of(m, tag_of(m->slots[pos]));
        bool between = gap < pos ? home > gap && home <= pos : home > gap || home <= pos;
        if (between)
            continue;
        m->slots[gap] = m->slots[pos];
        gap = pos;
    }
    m->slots[gap] = 0;
}

void tagmap_remove(struct tagmap *m, uint32_t tag, uint32_t value)
{
    uint64_t slot = (uint64_t)tag << 32 | value;
    if (m->cap == 0)
        return;
    for (size_t pos = home_of(m, tag); m->slots[pos] != 0; pos = after(m, pos)) {
        if (m->slots[pos] == slot) {
            close_gap(m, pos);
            m->len--;
            return;
        }
    }
}

int tagmap_filter(struct tagmap *m, bool (*keep)(uint32_t value, void *arg), void *arg, struct error *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i] != 0 && keep((uint32_t)m->slots[i], arg))
            kept++;
    size_t cap = kept + kept / 2;
    return rebuild(m, cap > FIRST_CAP ? cap : FIRST_CAP, keep, arg, err);
}
