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

int pack_check_blobs(const struct cache *c, struct reader r, struct cache_pack *pack, struct error *err)
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
        rc = pack_check_blobs(c, r, &pack, err);
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

struct cache_pack *pack_find(const struct cache *c, uint32_t session, uint32_t idx)
{
    struct cache_pack_name name = { .session = session, .idx = idx };
    const uint32_t *index = map_get(&c->pack_index, &name);
    return index != NULL ? vec_at(&c->packs, *index) : NULL;
}

const struct cache_pack *cache_pack_find(const struct cache *c, uint32_t session, uint32_t idx)
{
    return pack_find(c, session, idx);
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
        struct cache_pack *pack = pack_find(c, session, reader_u32(&r));
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
    struct cache_pack *pack = pack_find(c, session, reader_u32(&r));
    if (!reader_at_end(&r))
        return error_corrupt(err, CACHE_BAD_JOURNAL, "a dropped pack");
    if (pack == NULL || pack->dropped)
        return 0;
    pack->dropped = true;
    c->nblobs -= pack->nblobs;
    c->nchunks -= pack->nchunks;
    return 0;
}
