#include <string.h>

#include "common/repo/cache_private.h"
#include "common/base/banned.h"

/* ---- taking a pack into the tables ---- */

static bool hook_is_kept(uint32_t value, void *arg)
{
    (void)arg;
    return (value & 1) != 0;
}

static int add_hooks(struct cache *c, const struct pack_blob *b, struct error *err)
{
    unsigned mask = (1u << c->limits.sample_bits) - 1;
    for (uint32_t i = 0; i < b->nchunks; i++) {
        const uint8_t *id = b->chunks + (size_t)i * CACHE_CHUNK_LEN;
        bool starts = (load_u32(id + CHUNK_ID_LEN) & CACHE_STARTS_STREAM) != 0;
        uint32_t keep = i == 0 || starts || (id[0] & mask) == 0;
        if (c->sampled && keep == 0)
            continue;
        int rc = tagmap_add(&c->hooks, chunk_tag(id), (b->number + 1) << 1 | keep, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int apply_blob(struct cache *c, const struct pack_blob *b, uint32_t pack, struct error *err)
{
    while (c->slots.len <= b->number)
        if (vec_push(&c->slots, err) == NULL)
            return E_NOMEM;
    struct blob_slot *slot = slot_at(c, b->number);
    if (slot->state != SLOT_NONE && slot->state != SLOT_FRESH)
        return entry_bad_pack(err, "a blob's number is used twice");
    bool fresh = slot->state == SLOT_FRESH;
    slot->pack = pack;
    slot->at = b->at;
    slot->nchunks = b->nchunks;
    slot->plen = b->ref.plen & 0x7fffffffu; /* at most BLOB_PLAIN_MAX */
    slot->kind = b->kind;
    slot->state = SLOT_KNOWN;
    c->nblobs++;
    c->nchunks += b->nchunks;
    if (fresh) {
        c->fresh--;
        list_confirmed(c, list_of(c, b->number));
    }
    return add_hooks(c, b, err);
}

static int check_blobs(const struct cache *c, struct reader r, struct cache_pack *pack, struct error *err)
{
    for (uint32_t i = 0; i < pack->nblobs; i++) {
        struct pack_blob b;
        int rc = entry_read_blob(&r, pack, &b, err);
        if (rc < 0)
            return rc;
        if (b.number > CACHE_NUMBER_MAX || b.number >= c->slots.len + CACHE_NUMBER_GAP)
            return entry_bad_pack(err, "the number of a blob");
        pack->nchunks += b.nchunks;
        pack->plain += b.ref.plen;
    }
    return reader_at_end(&r) ? 0 : entry_bad_pack(err, "trailing bytes");
}

int pack_apply(struct cache *c, uint64_t at, const uint8_t *payload, size_t len, struct error *err)
{
    struct cache_pack pack;
    struct reader r = reader_of(payload, len);
    int rc = entry_read_pack(&r, &pack, err);
    if (rc == 0)
        rc = check_blobs(c, r, &pack, err);
    if (rc < 0)
        return rc;
    pack.at = at;
    pack.len = (uint32_t)len;
    struct cache_pack_name name = { .session = pack.session, .idx = pack.idx };
    bool added;
    uint32_t *index = map_put(&c->pack_index, &name, &added, err);
    if (index == NULL)
        return E_NOMEM;
    if (!added)
        return entry_bad_pack(err, "it is there twice");
    struct cache_pack *place = vec_push(&c->packs, err);
    if (place == NULL)
        return E_NOMEM;
    *place = pack;
    *index = (uint32_t)c->packs.len - 1;
    for (uint32_t i = 0; i < pack.nblobs && rc == 0; i++) {
        struct pack_blob b;
        rc = entry_read_blob(&r, &pack, &b, err);
        if (rc == 0)
            rc = apply_blob(c, &b, *index, err);
    }
    if (c->last_session < pack.session)
        c->last_session = pack.session;
    if (rc == 0 && !c->sampled && c->nchunks > c->limits.exact_chunks) {
        c->sampled = true;
        rc = tagmap_filter(&c->hooks, hook_is_kept, NULL, err);
    }
    return rc;
}

static bool hook_is_live(uint32_t value, void *arg)
{
    const struct cache *c = arg;
    return slot_live(c, slot_at(c, (value >> 1) - 1));
}

int pack_purge_hooks(struct cache *c, struct error *err)
{
    return tagmap_filter(&c->hooks, hook_is_live, c, err);
}

/* ---- the states of a pack ---- */

static struct cache_pack *find_pack(const struct cache *c, uint32_t session, uint32_t idx)
{
    struct cache_pack_name name = { .session = session, .idx = idx };
    const uint32_t *index = map_get(&c->pack_index, &name);
    return index != NULL ? vec_at(&c->packs, *index) : NULL;
}

const struct cache_pack *cache_pack_find(const struct cache *c, uint32_t session, uint32_t idx)
{
    return find_pack(c, session, idx);
}

const struct cache_pack *cache_packs(const struct cache *c, size_t *pos)
{
    while (*pos < c->packs.len) {
        const struct cache_pack *pack = vec_at(&c->packs, (*pos)++);
        if (!pack->dropped)
            return pack;
    }
    return NULL;
}

static int compare_packs(const void *a, const void *b)
{
    const struct cache_pack *x = a;
    const struct cache_pack *y = b;
    if (x->session != y->session)
        return x->session < y->session ? -1 : 1;
    return x->idx < y->idx ? -1 : x->idx > y->idx;
}

int cache_pending_packs(const struct cache *c, struct vec *out, struct error *err)
{
    for (size_t i = c->settled; i < c->packs.len; i++) {
        const struct cache_pack *pack = vec_at(&c->packs, i);
        if (pack->introduced || pack->dropped)
            continue;
        struct cache_pack *copy = vec_push(out, err);
        if (copy == NULL)
            return E_NOMEM;
        *copy = *pack;
    }
    vec_sort(out, compare_packs);
    return 0;
}

void pack_apply_commit(struct cache *c)
{
    for (; c->settled < c->packs.len; c->settled++) {
        struct cache_pack *pack = vec_at(&c->packs, c->settled);
        pack->introduced = pack->introduced || !pack->dropped;
    }
}

int pack_apply_introduced(struct cache *c, const uint8_t *payload, size_t len, struct error *err)
{
    struct reader r = reader_of(payload, len);
    uint32_t seq = reader_u32(&r);
    uint32_t n = reader_u32(&r);
    if (!reader_ok(&r) || reader_left(&r) != (uint64_t)n * 8)
        return error_corrupt(err, CACHE_BAD_JOURNAL, "a list of %u introduced packs", n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t session = reader_u32(&r);
        struct cache_pack *pack = find_pack(c, session, reader_u32(&r));
        if (pack != NULL)
            pack->introduced = true;
    }
    if (c->last_seq < seq)
        c->last_seq = seq;
    return 0;
}

int pack_apply_drop(struct cache *c, const uint8_t *payload, size_t len, struct error *err)
{
    struct reader r = reader_of(payload, len);
    uint32_t session = reader_u32(&r);
    struct cache_pack *pack = find_pack(c, session, reader_u32(&r));
    if (!reader_at_end(&r))
        return error_corrupt(err, CACHE_BAD_JOURNAL, "a dropped pack");
    if (pack == NULL || pack->dropped)
        return 0;
    pack->dropped = true;
    c->nblobs -= pack->nblobs;
    c->nchunks -= pack->nchunks;
    return 0;
}

/* ---- calls that write ---- */

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
        const struct cache_pack *pack = find_pack(c, packs[i].session, packs[i].idx);
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
    const struct cache_pack *pack = find_pack(c, session, idx);
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
        rc = check_blobs(c, r, &pack, err);
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
    if (c->session == 0 || session != c->session || n > UINT32_MAX || find_pack(c, session, idx) != NULL)
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
    if (find_pack(c, session, idx) != NULL)
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
