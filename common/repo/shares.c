#include "common/repo/shares.h"

#include <string.h>

#include "common/base/reader.h"
#include "common/crypto/hash.h"

#include "common/base/banned.h"

enum { SLAB_SHARES = 128 };

void box_id(const uint8_t *box, size_t len, uint8_t out[BOX_ID_LEN])
{
    uint8_t hash[HASH_LEN];
    file_hash(box, len, hash);
    memcpy(out, hash, BOX_ID_LEN);
}

static uint8_t *bytes_at(const struct opened_shares *set, uint32_t slot)
{
    struct secret *slab = *(struct secret **)vec_at(&set->slabs, slot / SLAB_SHARES);
    return secret_data(slab) + (size_t)(slot % SLAB_SHARES) * SHARE_LEN;
}

const uint8_t *shares_bytes(const struct opened_shares *set, const struct opened_share *s)
{
    return bytes_at(set, s->slot);
}

static void key_of(const uint8_t writer_id[WRITER_ID_LEN], uint32_t session, const uint8_t id[BOX_ID_LEN],
                   uint8_t key[SHARE_KEY_LEN])
{
    memcpy(key, writer_id, WRITER_ID_LEN);
    store_u32(key + WRITER_ID_LEN, session);
    memcpy(key + WRITER_ID_LEN + 4, id, BOX_ID_LEN);
}

const uint8_t *shares_find(const struct opened_shares *set, const uint8_t writer_id[WRITER_ID_LEN],
                           uint32_t session, const uint8_t id[BOX_ID_LEN])
{
    uint8_t key[SHARE_KEY_LEN];
    key_of(writer_id, session, id, key);
    const uint32_t *slot = map_get(&set->index, key);
    return slot != NULL ? bytes_at(set, *slot) : NULL;
}

static int new_slab(struct opened_shares *set, struct error *err)
{
    struct secret *slab = secret_new((size_t)SLAB_SHARES * SHARE_LEN, err);
    struct secret **place = slab != NULL ? vec_push(&set->slabs, err) : NULL;
    if (place == NULL) {
        secret_free(slab);
        return E_NOMEM;
    }
    *place = slab;
    return 0;
}

int shares_add(struct opened_shares *set, const uint8_t writer_id[WRITER_ID_LEN], uint32_t session,
               const uint8_t id[BOX_ID_LEN], const uint8_t rid[RID_LEN], const uint8_t share[SHARE_LEN],
               struct error *err)
{
    uint8_t key[SHARE_KEY_LEN];
    bool fresh = false;
    if (set->list.len == set->slabs.len * SLAB_SHARES && new_slab(set, err) < 0)
        return E_NOMEM;
    key_of(writer_id, session, id, key);
    uint32_t *slot = map_put(&set->index, key, &fresh, err);
    if (slot == NULL || !fresh)
        return slot == NULL ? E_NOMEM : 0;
    *slot = (uint32_t)set->list.len;
    memcpy(bytes_at(set, *slot), share, SHARE_LEN);
    struct opened_share *s = vec_push(&set->list, err);
    if (s == NULL)
        return E_NOMEM;
    *s = (struct opened_share){ .session = session, .slot = *slot };
    memcpy(s->writer_id, writer_id, WRITER_ID_LEN);
    memcpy(s->box_id, id, BOX_ID_LEN);
    memcpy(s->rid, rid, RID_LEN);
    return 0;
}

static int order(const void *a, const void *b)
{
    const struct opened_share *x = a;
    const struct opened_share *y = b;
    int c = memcmp(x->writer_id, y->writer_id, WRITER_ID_LEN);
    if (c == 0)
        c = x->session != y->session ? (x->session < y->session ? -1 : 1) : 0;
    return c != 0 ? c : memcmp(x->box_id, y->box_id, BOX_ID_LEN);
}

void shares_sort(struct opened_shares *set)
{
    vec_sort(&set->list, order);
}

void shares_free(struct opened_shares *set)
{
    for (size_t i = 0; i < set->slabs.len; i++)
        secret_free(*(struct secret **)vec_at(&set->slabs, i));
    vec_free(&set->slabs);
    vec_free(&set->list);
    map_free(&set->index);
}
