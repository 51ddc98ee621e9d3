#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/repo/cache_private.h"
#include "common/repo/node.h"
#include "common/base/banned.h"

enum {
    LIST_FIRST = 64,
    INDEX_SHARE = 12, /* bytes of the chunk table that a chunk takes up, about */
    LEAST_SHARE = 4,  /* lists keep this part of the limit, whatever hooks take */
    IDLE_SHARE = 16,  /* new lists push out older ones without a match at this part of the limit */
};

bool list_starts_stream(const struct list_chunk *chunk)
{
    return (chunk->off & CACHE_STARTS_STREAM) != 0;
}

uint32_t list_offset(const struct list_chunk *chunk)
{
    return chunk->off & ~CACHE_STARTS_STREAM;
}

uint32_t list_position(const struct chunk_list *list, uint32_t offset)
{
    uint32_t low = 0, high = list->n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (list_offset(&list->chunks[mid]) < offset)
            low = mid + 1;
        else
            high = mid;
    }
    return low < list->n && list_offset(&list->chunks[low]) == offset ? low : list->n;
}

static uint64_t list_size(const struct chunk_list *list)
{
    return sizeof *list + (uint64_t)list->cap * sizeof *list->chunks + (uint64_t)list->n * INDEX_SHARE;
}

static uint32_t position_value(const struct chunk_list *list, uint32_t pos)
{
    return list->handle << CACHE_POSITION_BITS | pos;
}

struct chunk_list *list_of(const struct cache *c, uint32_t number)
{
    const struct blob_slot *slot = slot_at(c, number);
    if (slot == NULL || slot->handle == 0)
        return NULL;
    struct chunk_list **list = vec_at(&c->lists, slot->handle);
    return *list;
}

/* ---- the LRU ---- */

static void unlink_list(struct cache *c, struct chunk_list *list)
{
    if (list->newer != NULL)
        list->newer->older = list->older;
    else if (c->newest == list)
        c->newest = list->older;
    else
        return; /* a fresh one */
    if (list->older != NULL)
        list->older->newer = list->newer;
    else
        c->oldest = list->newer;
    list->newer = NULL;
    list->older = NULL;
    c->list_bytes -= list_size(list);
}

static void link_newest(struct cache *c, struct chunk_list *list)
{
    list->newer = NULL;
    list->older = c->newest;
    if (c->newest != NULL)
        c->newest->newer = list;
    else
        c->oldest = list;
    c->newest = list;
    c->list_bytes += list_size(list);
}

/* Hooks and lists share one limit: as hooks grow with what is stored, fewer lists stay. */
static uint64_t lists_limit(const struct cache *c)
{
    uint64_t least = c->limits.lru_bytes / LEAST_SHARE;
    uint64_t hooks = tagmap_bytes(&c->hooks);
    return hooks < c->limits.lru_bytes - least ? c->limits.lru_bytes - hooks : least;
}

/* The newest stays whatever it takes: it is in use. */
static void evict(struct cache *c)
{
    uint64_t limit = lists_limit(c);
    while (c->list_bytes > limit && c->oldest != c->newest)
        list_drop(c, c->oldest);
}

static int take_handle(struct cache *c, struct chunk_list *list, struct error *err)
{
    if (c->handles.len == 0 && c->lists.len > CACHE_LISTS_MAX && c->oldest != NULL)
        list_drop(c, c->oldest);
    if (c->handles.len != 0) {
        const uint32_t *free_one = vec_at(&c->handles, c->handles.len - 1);
        list->handle = *free_one;
        c->handles.len--;
    } else {
        if (c->lists.len > CACHE_LISTS_MAX)
            return error_set(err, E_INTERNAL, "more than %d blobs wait for their packs", CACHE_LISTS_MAX);
        if (c->lists.len == 0 && vec_push(&c->lists, err) == NULL) /* handle 0 is nobody's */
            return E_NOMEM;
        if (vec_push(&c->lists, err) == NULL)
            return E_NOMEM;
        list->handle = (uint32_t)c->lists.len - 1;
    }
    struct chunk_list **place = vec_at(&c->lists, list->handle);
    *place = list;
    slot_at(c, list->number)->handle = list->handle;
    return 0;
}

static void give_handle(struct cache *c, const struct chunk_list *list)
{
    struct chunk_list **place = vec_at(&c->lists, list->handle);
    *place = NULL;
    slot_at(c, list->number)->handle = 0;
    uint32_t *free_one = vec_push(&c->handles, NULL);
    if (free_one != NULL) /* else it is lost until the cache is closed */
        *free_one = list->handle;
}

void list_drop(struct cache *c, struct chunk_list *list)
{
    unlink_list(c, list);
    for (uint32_t i = 0; i < list->n; i++)
        tagmap_remove(&c->chunks, chunk_tag(list->chunks[i].id), position_value(list, i));
    if (list->handle != 0)
        give_handle(c, list);
    free(list->chunks);
    free(list);
}

void lists_free(struct cache *c)
{
    for (size_t i = 0; i < c->lists.len; i++) {
        struct chunk_list **list = vec_at(&c->lists, i);
        if (*list != NULL)
            free((*list)->chunks);
        free(*list);
    }
    vec_free(&c->lists);
    vec_free(&c->handles);
    tagmap_free(&c->chunks);
    buf_free(&c->scratch);
}

/* ---- building one ---- */

static struct chunk_list *list_new(struct cache *c, uint32_t number, uint8_t kind, uint32_t cap,
                                   struct error *err)
{
    struct chunk_list *list = mem_alloc(1, sizeof *list, err);
    if (list == NULL)
        return NULL;
    list->number = number;
    list->kind = kind;
    list->cap = cap;
    list->chunks = cap != 0 ? mem_alloc(cap, sizeof *list->chunks, err) : NULL;
    if ((cap != 0 && list->chunks == NULL) || take_handle(c, list, err) < 0) {
        free(list->chunks);
        free(list);
        return NULL;
    }
    return list;
}

struct chunk_list *list_begin(struct cache *c, uint32_t number, uint8_t kind, struct error *err)
{
    return list_new(c, number, kind, 0, err);
}

static int list_grow(struct chunk_list *list, struct error *err)
{
    uint32_t cap = list->cap != 0 ? list->cap * 2 : LIST_FIRST;
    struct list_chunk *chunks = mem_grow(list->chunks, cap, sizeof *chunks, err);
    if (chunks == NULL)
        return E_NOMEM;
    list->chunks = chunks;
    list->cap = cap;
    return 0;
}

int list_add(struct cache *c, struct chunk_list *list, const uint8_t *id, uint32_t len, bool starts,
             struct error *err)
{
    if (list->n == list->cap) {
        int rc = list_grow(list, err);
        if (rc < 0)
            return rc;
    }
    int rc = tagmap_add(&c->chunks, chunk_tag(id), position_value(list, list->n), err);
    if (rc < 0)
        return rc;
    struct list_chunk *chunk = &list->chunks[list->n++];
    memcpy(chunk->id, id, CHUNK_ID_LEN);
    chunk->len = len;
    chunk->off = list->len | (starts ? CACHE_STARTS_STREAM : 0);
    list->len += len;
    return 0;
}

void list_confirmed(struct cache *c, struct chunk_list *list)
{
    link_newest(c, list);
    /* A first backup finds next to nothing again: its memory must not grow with what it stores. */
    while (c->list_bytes > c->limits.lru_bytes / IDLE_SHARE && c->oldest != c->newest && c->oldest->hits == 0)
        list_drop(c, c->oldest);
    evict(c);
}

/* ---- reading one back ---- */

static int list_parse(struct cache *c, uint32_t number, struct error *err)
{
    const struct blob_slot *slot = slot_at(c, number);
    struct reader r = reader_of(c->scratch.data, c->scratch.len - CACHE_CHECK_LEN);
    struct chunk_list *list = list_new(c, number, slot->kind, slot->nchunks, err);
    if (list == NULL)
        return E_NOMEM;
    bool same = reader_u32(&r) == number && reader_u8(&r) == slot->kind;
    reader_zeros(&r, 1);
    same = reader_u16(&r) == slot->nchunks && same;
    const struct cache_pack *pack = vec_at(&c->packs, slot->pack);
    reader_copy(&r, list->ref.id, BLOB_ID_LEN);
    list->ref.session = pack->session;
    list->ref.idx = pack->idx;
    list->ref.off = reader_u32(&r);
    list->ref.clen = reader_u32(&r);
    list->ref.plen = reader_u32(&r);
    list->placed = true;
    int rc = 0;
    for (uint32_t i = 0; i < slot->nchunks && rc == 0 && same; i++) {
        const uint8_t *id = reader_bytes(&r, CHUNK_ID_LEN);
        uint32_t len = reader_u32(&r);
        if (id != NULL)
            rc = list_add(c, list, id, len & ~CACHE_STARTS_STREAM, (len & CACHE_STARTS_STREAM) != 0, err);
    }
    if (rc == 0 && (!same || !reader_at_end(&r)))
        rc = error_corrupt(err, CACHE_BAD_JOURNAL, "blob %u is not where it was", number);
    if (rc < 0) {
        list_drop(c, list);
        return rc;
    }
    link_newest(c, list);
    return 0;
}

/* The blob's bytes into scratch; 0 when they are damaged. */
static int list_read(struct cache *c, uint32_t number, struct error *err)
{
    const struct blob_slot *slot = slot_at(c, number);
    const struct cache_pack *pack = vec_at(&c->packs, slot->pack);
    size_t size = CACHE_BLOB_HEAD + (size_t)slot->nchunks * CACHE_CHUNK_LEN + CACHE_CHECK_LEN;
    buf_clear(&c->scratch);
    int rc = buf_reserve(&c->scratch, size, err);
    if (rc == 0)
        rc = journal_read(&c->journal, pack->at + slot->at, c->scratch.data, size, err);
    if (rc < 0)
        return rc;
    c->scratch.len = size;
    c->lists_read++;
    const uint8_t *end = c->scratch.data + size - CACHE_CHECK_LEN;
    return load_u64(end) == check64(c->scratch.data, size - CACHE_CHECK_LEN);
}

static int list_is_damaged(struct cache *c, uint32_t number)
{
    log_event(LOG_ALARM, "%s: the chunks of blob %u are damaged and not used", c->journal.path, number);
    slot_at(c, number)->state = SLOT_DAMAGED;
    c->damaged = true;
    return 0;
}

int list_load(struct cache *c, uint32_t number, struct error *err)
{
    struct error local = ERROR_INIT;
    int rc = list_read(c, number, err);
    if (rc < 0)
        return rc;
    if (rc == 1)
        rc = list_parse(c, number, &local);
    else
        rc = E_CORRUPT;
    if (rc == E_CORRUPT)
        return list_is_damaged(c, number);
    if (rc < 0)
        return error_copy(err, &local);
    if (c->credit > 0 && slot_at(c, number)->kind == BLOB_DATA)
        c->credit--;
    evict(c);
    return 1;
}

int list_peek(struct cache *c, uint32_t number, const uint8_t *id, uint32_t len, struct cache_hit *out,
              struct error *err)
{
    int rc = list_read(c, number, err);
    if (rc <= 0)
        return rc < 0 ? rc : list_is_damaged(c, number);
    const uint8_t *p = c->scratch.data + CACHE_BLOB_HEAD;
    uint32_t n = slot_at(c, number)->nchunks, off = 0;
    for (uint32_t i = 0; i < n; i++, p += CACHE_CHUNK_LEN) {
        uint32_t have = load_u32(p + CHUNK_ID_LEN) & ~CACHE_STARTS_STREAM;
        if (have == len && memcmp(p, id, CHUNK_ID_LEN) == 0) {
            *out = (struct cache_hit){ .blob = number, .offset = off, .length = len };
            c->cursor.blob = number;
            c->cursor.end = off + len;
            c->cursor.pos = i + 1;
            return 1;
        }
        off += have;
    }
    return 0;
}

int list_touch(struct cache *c, uint32_t number, struct error *err)
{
    struct chunk_list *list = list_of(c, number);
    if (list == NULL)
        return list_load(c, number, err);
    if (slot_at(c, number)->state == SLOT_KNOWN && c->newest != list) {
        unlink_list(c, list);
        link_newest(c, list);
    }
    return 1;
}
