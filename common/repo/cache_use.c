/* How much of each blob the running snapshot uses, each byte once.
 *
 * Nearly every blob is used from its start without a gap; a length says all of that. Only a blob that is used otherwise gets a bit for each
 * chunk. When these bits take too much memory, what is used twice counts twice: then less is left behind, never more. */
#include "common/repo/cache_private.h"
#include "common/base/banned.h"

enum {
    BITS_MAX = 32 * MIB,
    WORD_BITS = 64,
};
#define USE_PLAIN UINT32_MAX /* in bits: no room for them */

void use_free(struct cache_use *u)
{
    vec_free(&u->blobs);
    vec_free(&u->bits);
    *u = (struct cache_use){ .blobs = VEC_OF(struct blob_use), .bits = VEC_OF(uint64_t) };
}

uint32_t use_of(const struct cache *c, uint32_t blob)
{
    return blob < c->use.blobs.len ? ((const struct blob_use *)vec_at(&c->use.blobs, blob))->used : 0;
}

static struct blob_use *use_at(struct cache *c, uint32_t blob, struct error *err)
{
    while (c->use.blobs.len <= blob)
        if (vec_push(&c->use.blobs, err) == NULL)
            return NULL;
    return vec_at(&c->use.blobs, blob);
}

/* Sets a bit; true when it was set. */
static bool mark(struct cache_use *u, const struct blob_use *use, uint32_t position)
{
    uint64_t *word = vec_at(&u->bits, use->bits - 1 + position / WORD_BITS);
    uint64_t bit = (uint64_t)1 << (position % WORD_BITS);
    bool was = (*word & bit) != 0;
    *word |= bit;
    return was;
}

/* Bits for all its chunks, those before what is used so far set; none when there is no room, or nothing is known of its chunks. */
static int make_bits(struct cache *c, uint32_t blob, struct blob_use *use, struct error *err)
{
    const struct chunk_list *list = list_of(c, blob);
    const struct blob_slot *slot = slot_at(c, blob);
    uint32_t chunks = slot->state == SLOT_FRESH ? BLOB_CHUNKS_MAX : slot->nchunks;
    size_t words = (chunks + WORD_BITS - 1) / WORD_BITS;
    if (list == NULL || (c->use.bits.len + words) * sizeof(uint64_t) > BITS_MAX) {
        use->bits = USE_PLAIN;
        return 0;
    }
    size_t first = c->use.bits.len;
    for (size_t i = 0; i < words; i++)
        if (vec_push(&c->use.bits, err) == NULL)
            return E_NOMEM;
    use->bits = (uint32_t)first + 1;
    uint32_t before = list_position(list, use->used);
    for (uint32_t i = 0; i < before; i++)
        (void)mark(&c->use, use, i);
    return 0;
}

/* Which of the blob's chunks it is; false when that is not known. */
static bool position_of(const struct cache *c, const struct cache_hit *hit, uint32_t *out)
{
    if (c->cursor.blob == hit->blob && c->cursor.end == hit->offset + hit->length && c->cursor.pos != 0) {
        *out = c->cursor.pos - 1;
        return true;
    }
    const struct chunk_list *list = list_of(c, hit->blob);
    *out = list != NULL ? list_position(list, hit->offset) : 0;
    return list != NULL && *out < list->n;
}

int cache_drain_use(struct cache *c, const struct cache_hit *hit, struct error *err)
{
    if (!c->drain.on)
        return 0;
    struct blob_use *use = slot_at(c, hit->blob) != NULL ? use_at(c, hit->blob, err) : NULL;
    if (use == NULL)
        return slot_at(c, hit->blob) != NULL ? E_NOMEM : error_set(err, E_INTERNAL, "no blob %u", hit->blob);
    uint32_t position;
    if (use->bits == 0 && hit->offset + hit->length <= use->used)
        return 0;
    if (use->bits == 0 && hit->offset != use->used && make_bits(c, hit->blob, use, err) < 0)
        return E_NOMEM;
    if (use->bits != 0 && use->bits != USE_PLAIN && position_of(c, hit, &position) &&
        mark(&c->use, use, position))
        return 0;
    use->used = hit->length < BLOB_PLAIN_MAX - use->used ? use->used + hit->length : BLOB_PLAIN_MAX;
    return 0;
}
