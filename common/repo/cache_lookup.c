#include <string.h>

#include "common/repo/cache_private.h"
#include "common/base/banned.h"

enum { UNREAD_MAX = CACHE_SAME_HOOKS };
enum { FOUND_LIST = 1, FOUND_HIT = 2 };

struct found {
    uint32_t blob;
    uint32_t pos;
};

struct wanted {
    const uint8_t *id;
    uint32_t len;
    uint8_t kind;
};

bool slot_live(const struct cache *c, const struct blob_slot *slot)
{
    if (slot == NULL || slot->state == SLOT_NONE || slot->state == SLOT_DAMAGED)
        return false;
    if (slot->state == SLOT_FRESH)
        return true;
    const struct cache_pack *pack = vec_at(&c->packs, slot->pack);
    return !pack->dropped;
}

static bool chunk_is(const struct list_chunk *chunk, const struct wanted *want)
{
    return chunk->len == want->len && memcmp(chunk->id, want->id, CHUNK_ID_LEN) == 0;
}

static void fill_hit(struct cache *c, struct chunk_list *list, uint32_t pos, struct cache_hit *out)
{
    const struct list_chunk *chunk = &list->chunks[pos];
    if (++list->hits == CACHE_REPAID && c->credit < CACHE_CREDIT_MAX)
        c->credit += CACHE_REPAID;
    *out = (struct cache_hit){ .blob = list->number, .offset = list_offset(chunk), .length = chunk->len };
    c->cursor.blob = list->number;
    c->cursor.end = out->offset + out->length;
    c->cursor.pos = pos + 1;
}

/* Does the chunk after the previous extent match? That is the common case, and the copy to prefer. */
static bool continues(struct cache *c, const struct wanted *want, const struct cache_hit *previous,
                      struct cache_hit *out)
{
    struct chunk_list *list = list_of(c, previous->blob);
    if (list == NULL || list->kind != want->kind || !slot_live(c, slot_at(c, previous->blob)))
        return false;
    uint32_t end = previous->offset + previous->length;
    uint32_t pos =
        c->cursor.blob == previous->blob && c->cursor.end == end ? c->cursor.pos : list_position(list, end);
    if (pos >= list->n || !chunk_is(&list->chunks[pos], want))
        return false;
    fill_hit(c, list, pos, out);
    return true;
}

/* Which of two copies is preferred: used by the stream's last snapshot, else the first. */
static bool better(const struct cache *c, struct found a, struct found b)
{
    if (a.blob == b.blob)
        return a.pos < b.pos;
    size_t pos;
    bool used_a = stream_used(&c->stream, a.blob, &pos);
    bool used_b = stream_used(&c->stream, b.blob, &pos);
    return used_a != used_b ? used_a : a.blob < b.blob;
}

/* The job or the stream leaves this blob behind. */
static bool refuses(struct cache *c, uint32_t blob)
{
    if (slot_at(c, blob)->left)
        c->refused = REFUSED_DRAIN;
    else if (sparse_avoids(&c->stream.sparse, blob))
        c->refused = REFUSED_ALONE;
    else
        return false;
    return true;
}

/* The best copy among the lists in memory. */
static bool search_lists(struct cache *c, const struct wanted *want, struct found *best)
{
    bool any = false;
    uint32_t value;
    struct tag_cursor at = tagmap_find(&c->chunks, chunk_tag(want->id));
    while ((value = tagmap_next(&c->chunks, &at)) != 0) {
        struct chunk_list *const *list = vec_at(&c->lists, value >> CACHE_POSITION_BITS);
        struct found f = { .blob = (*list)->number, .pos = value & ((1u << CACHE_POSITION_BITS) - 1) };
        if ((*list)->kind != want->kind || !chunk_is(&(*list)->chunks[f.pos], want) ||
            !slot_live(c, slot_at(c, f.blob)))
            continue;
        if (refuses(c, f.blob))
            continue;
        if (!any || better(c, f, *best))
            *best = f;
        any = true;
    }
    return any;
}

/* Blobs that may hold the chunk and whose lists are not in memory, where they would be preferred to best. */
static size_t collect_unread(struct cache *c, const struct wanted *want, const struct found *best,
                             uint32_t *unread)
{
    size_t n = 0;
    uint32_t value;
    struct tag_cursor at = tagmap_find(&c->hooks, chunk_tag(want->id));
    while (n < UNREAD_MAX && (value = tagmap_next(&c->hooks, &at)) != 0) {
        struct found f = { .blob = (value >> 1) - 1, .pos = 0 };
        const struct blob_slot *slot = slot_at(c, f.blob);
        if (slot->handle != 0 || slot->state != SLOT_KNOWN || slot->kind != want->kind ||
            !slot_live(c, slot) || refuses(c, f.blob))
            continue;
        if (best == NULL || better(c, f, *best))
            unread[n++] = f.blob;
    }
    return n;
}

static uint32_t take_best(const struct cache *c, uint32_t *unread, size_t n)
{
    size_t first = 0;
    for (size_t i = 1; i < n; i++) {
        struct found a = { .blob = unread[i], .pos = 0 }, b = { .blob = unread[first], .pos = 0 };
        if (better(c, a, b))
            first = i;
    }
    uint32_t blob = unread[first];
    unread[first] = unread[n - 1];
    return blob;
}

/* Data that comes in the order in which it was stored repays loading whole lists, and lists ahead of them. In
 * random order one chunk would cost the work of hundreds. */
static bool pays_to_load(struct cache *c)
{
    return c->credit > 0 || ++c->tries % CACHE_CREDIT_TRY == 0;
}

/* FOUND_LIST and *best, FOUND_HIT and *hit, or 0. A list that does not hold the chunk after all (another one
 * has its tag) stays in memory; the LRU forgets it. */
static int search(struct cache *c, const struct wanted *want, bool pays, struct found *best,
                  struct cache_hit *hit, struct error *err)
{
    uint32_t unread[UNREAD_MAX];
    bool any = search_lists(c, want, best);
    size_t n = collect_unread(c, want, any ? best : NULL, unread);
    for (; n > 0; n--) {
        uint32_t blob = take_best(c, unread, n);
        bool peek = !c->sampled && !pays;
        int rc = peek ? list_peek(c, blob, want->id, want->len, hit, err) : list_load(c, blob, err);
        if (rc < 0)
            return rc;
        if (peek && rc == 1)
            return FOUND_HIT;
        struct found f;
        if (rc == 1 && search_lists(c, want, &f) && f.blob == blob) {
            *best = f;
            return FOUND_LIST;
        }
    }
    if (!any)
        return 0;
    return list_of(c, best->blob) != NULL ? FOUND_LIST : list_load(c, best->blob, err);
}

/* Loads what is likely to come next. The list that matched becomes the newest. */
static int note_hit(struct cache *c, uint32_t blob, bool pays, struct error *err)
{
    unsigned found = 0;
    int rc = 0;
    const struct blob_slot *slot = slot_at(c, blob);
    if (c->last_hit == blob + 1 || slot->state != SLOT_KNOWN || slot->kind != BLOB_DATA)
        return 0;
    c->last_hit = blob + 1;
    for (uint32_t i = 1; pays && i <= CACHE_NEIGHBOURS_LOOK && found < CACHE_NEIGHBOURS && rc >= 0; i++) {
        const struct blob_slot *next = slot_at(c, blob + i);
        if (next == NULL || next->state != SLOT_KNOWN || next->kind != BLOB_DATA || next->nchunks == 0 ||
            !slot_live(c, next))
            continue;
        rc = list_touch(c, blob + i, err);
        found++;
    }
    if (rc >= 0 && c->credit > 0)
        rc = stream_hit(c, blob, err);
    if (rc >= 0)
        rc = list_touch(c, blob, err);
    return rc < 0 ? rc : 0;
}

int cache_lookup(struct cache *c, const uint8_t id[CHUNK_ID_LEN], uint32_t len, enum blob_kind kind,
                 const struct cache_hit *previous, struct cache_hit *out, struct error *err)
{
    struct wanted want = { .id = id, .len = len, .kind = (uint8_t)kind };
    c->refused = REFUSED_NOT;
    if (previous != NULL && continues(c, &want, previous, out))
        return 1;
    struct found best;
    bool pays = pays_to_load(c);
    int rc = search(c, &want, pays, &best, out, err);
    if (rc <= 0 || rc == FOUND_HIT)
        return rc < 0 ? rc : rc != 0;
    struct chunk_list *list = list_of(c, best.blob);
    if (list == NULL) /* damaged just now */
        return 0;
    fill_hit(c, list, best.pos, out);
    rc = note_hit(c, best.blob, pays, err);
    return rc < 0 ? rc : 1;
}
