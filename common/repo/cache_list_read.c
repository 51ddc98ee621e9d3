/* Chunk lists out of the journal. */
#include <string.h>

#include "common/base/log.h"
#include "common/repo/cache_private.h"
#include "common/base/banned.h"

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
    list_link_newest(c, list);
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
    list_evict(c);
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
        list_unlink(c, list);
        list_link_newest(c, list);
    }
    return 1;
}
