/* Packs into the journal: confirmed, introduced, dropped, imported. */
#include <string.h>

#include "common/repo/cache_private.h"
#include "common/base/banned.h"

int cache_mark_introduced(struct cache *c, uint32_t seq, const struct cache_pack_name *packs, size_t n,
                          struct error *err)
{
    struct buf entry = BUF_INIT;
    struct writer w = writer_of(&entry);
    uint32_t news = 0;
    int rc = 0;
    writer_u32(&w, seq);
    writer_u32(&w, 0);
    for (size_t i = 0; i < n; i++) {
        const struct cache_pack *pack = pack_find(c, packs[i].session, packs[i].idx);
        if (pack == NULL || pack->introduced)
            continue;
        writer_u32(&w, packs[i].session);
        writer_u32(&w, packs[i].idx);
        news++;
    }
    if (news == 0 && seq <= c->last_seq)
        goto out;
    rc = writer_end(&w, err);
    if (rc < 0)
        goto out;
    store_u32(entry.data + 4, news);
    rc = journal_append(&c->journal, ENTRY_INTRODUCED, &entry, NULL, err);
    if (rc == 0)
        rc = pack_apply_introduced(c, entry.data, entry.len, err);
out:
    buf_free(&entry);
    return rc;
}

int cache_drop_pack(struct cache *c, uint32_t session, uint32_t idx, struct error *err)
{
    const struct cache_pack *pack = pack_find(c, session, idx);
    if (pack == NULL || pack->dropped)
        return 0;
    struct buf entry = BUF_INIT;
    struct writer w = writer_of(&entry);
    writer_u32(&w, session);
    writer_u32(&w, idx);
    int rc = writer_end(&w, err);
    if (rc == 0)
        rc = journal_append(&c->journal, ENTRY_DROP, &entry, NULL, err);
    if (rc == 0)
        rc = pack_apply_drop(c, entry.data, entry.len, err);
    buf_free(&entry);
    return rc;
}

static int journal_pack(struct cache *c, struct buf *entry, const struct writer *w, bool sync,
                        struct error *err)
{
    uint64_t at = 0;
    struct cache_pack pack;
    struct reader r = reader_of(entry->data, entry->len);
    int rc = writer_end(w, err);
    /* What replay would refuse must not get into the journal. */
    if (rc == 0)
        rc = entry_read_pack(&r, &pack, err);
    if (rc == 0)
        rc = pack_check_blobs(c, r, &pack, err);
    if (rc == 0)
        rc = journal_append(&c->journal, ENTRY_PACK, entry, &at, err);
    if (rc == 0 && sync)
        rc = journal_sync(&c->journal, err);
    return rc < 0 ? rc : pack_apply(c, at, entry->data, entry->len, err);
}

/* The unconfirmed list of a number that may be confirmed in this pack. */
static struct chunk_list *confirmable(const struct cache *c, uint32_t number, uint32_t session, uint32_t idx)
{
    const struct blob_slot *slot = slot_at(c, number);
    struct chunk_list *list = list_of(c, number);
    if (slot == NULL || slot->state != SLOT_FRESH || list == NULL || !list->placed || list->listed)
        return NULL;
    return list->ref.session == session && list->ref.idx == idx ? list : NULL;
}

int cache_pack_confirm(struct cache *c, uint32_t session, uint32_t idx, uint8_t attempt, uint64_t size,
                       const uint8_t hash[HASH_LEN], const uint32_t *numbers, size_t n, struct error *err)
{
    struct cache_pack pack = {
        .session = session, .idx = idx, .attempt = attempt, .size = size, .nblobs = (uint32_t)n
    };
    memcpy(pack.hash, hash, HASH_LEN);
    if (c->session == 0 || session != c->session || n > UINT32_MAX || pack_find(c, session, idx) != NULL)
        return error_set(err, E_INTERNAL, "pack %u/%u cannot be confirmed now", session, idx);
    struct buf entry = BUF_INIT;
    struct writer w = writer_of(&entry);
    int rc = 0;
    entry_write_pack(&w, &pack);
    size_t done = 0;
    for (; done < n && rc == 0; done++) {
        struct chunk_list *list = confirmable(c, numbers[done], session, idx);
        if (list == NULL) {
            rc = error_set(err, E_INTERNAL, "blob %u is not in pack %u/%u", numbers[done], session, idx);
            break;
        }
        list->listed = true;
        entry_write_list(&w, list);
    }
    for (size_t i = 0; i < done; i++)
        list_of(c, numbers[i])->listed = false;
    if (rc == 0)
        rc = journal_pack(c, &entry, &w, true, err);
    buf_free(&entry);
    return rc;
}

int cache_import_pack(struct cache *c, uint32_t session, uint32_t idx, uint8_t attempt, uint64_t size,
                      const uint8_t hash[HASH_LEN], const struct cache_import *blobs, size_t n,
                      struct error *err)
{
    struct cache_pack pack = { .session = session,
                               .idx = idx,
                               .attempt = attempt,
                               .size = size,
                               .introduced = true,
                               .nblobs = (uint32_t)n };
    memcpy(pack.hash, hash, HASH_LEN);
    if (pack_find(c, session, idx) != NULL)
        return error_set(err, E_EXISTS, "pack %u/%u is in the cache", session, idx);
    if (n > CACHE_NUMBER_GAP || c->fresh != 0)
        return error_set(err, E_INTERNAL, "pack %u/%u cannot be imported now", session, idx);
    struct buf entry = BUF_INIT;
    struct writer w = writer_of(&entry);
    int rc = 0;
    entry_write_pack(&w, &pack);
    for (size_t i = 0; i < n && rc == 0; i++) {
        const struct cache_import *b = &blobs[i];
        if (b->ref.session != session || b->ref.idx != idx || b->nchunks > BLOB_CHUNKS_MAX)
            rc = error_set(err, E_INTERNAL, "blob %zu is not in pack %u/%u", i, session, idx);
        else
            entry_write_import(&w, (uint32_t)(c->slots.len + i), b);
    }
    if (rc == 0)
        rc = journal_pack(c, &entry, &w, false, err);
    buf_free(&entry);
    return rc;
}
