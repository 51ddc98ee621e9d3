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

void list_unlink(struct cache *c, struct chunk_list *list)
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

void list_link_newest(struct cache *c, struct chunk_list *list)
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
void list_evict(struct cache *c)
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
    list_unlink(c, list);
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

struct chunk_list *list_new(struct cache *c, uint32_t number, uint8_t kind, uint32_t cap, struct error *err)
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
    list_link_newest(c, list);
    /* A first backup finds next to nothing again: its memory must not grow with what it stores. */
    while (c->list_bytes > c->limits.lru_bytes / IDLE_SHARE && c->oldest != c->newest && c->oldest->hits == 0)
        list_drop(c, c->oldest);
    list_evict(c);
}
