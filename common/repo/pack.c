#include "common/repo/pack.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/reader.h"
#include "common/base/writer.h"
#include "common/chunk/blob.h"
#include "common/crypto/secret.h"
#include "common/base/banned.h"

enum {
    ENTRY_FIXED_LEN = 32 + 4 + 4 + 4 + 1 + 1 + 2,
    ENTRY_CHUNK_LEN = CHUNK_ID_LEN + 4,
    TAIL_PLAIN_LEN = 16,
    PACK_FIXED_COST = SEAL_OVERHEAD + PACK_TAIL_LEN,
};

struct place {
    uint32_t off;
    uint32_t clen;
    uint32_t plen;
};

_Static_assert(PACK_TAIL_LEN == TAIL_PLAIN_LEN + SEAL_OVERHEAD, "the tail is one sealed block");

struct pack_build *pack_build_new(const struct object_author *author, const uint8_t trail_key[KEY_LEN],
                                  uint32_t idx, uint32_t pack_size, struct error *err)
{
    struct pack_build *p = mem_alloc(1, sizeof *p, err);
    if (p == NULL)
        return NULL;
    p->places = (struct map)MAP_OF(BLOB_ID_LEN, sizeof(struct place));
    p->session = author->session;
    p->idx = idx;
    p->pack_size = pack_size;
    memcpy(p->trail_key, trail_key, KEY_LEN);
    /* One allocation of the final size: a pack never moves while it grows. */
    if (buf_reserve(&p->bytes, pack_size, err) < 0 ||
        object_header_build(OBJECT_PACK, author, idx, &p->bytes, p->key, err) < 0) {
        pack_build_free(p);
        return NULL;
    }
    p->header_len = (uint32_t)p->bytes.len;
    return p;
}

size_t pack_blob_cost(size_t frame_len, size_t nchunks)
{
    return frame_len + AEAD_OVERHEAD + ENTRY_FIXED_LEN + nchunks * ENTRY_CHUNK_LEN;
}

size_t pack_build_used(const struct pack_build *p)
{
    return p->bytes.len + p->entries.len + PACK_FIXED_COST;
}

bool pack_build_fits(const struct pack_build *p, size_t frame_len, size_t nchunks)
{
    size_t trailer = p->entries.len + SEAL_OVERHEAD + ENTRY_FIXED_LEN + nchunks * ENTRY_CHUNK_LEN;
    return trailer <= p->pack_size / 4 &&
           pack_build_used(p) + pack_blob_cost(frame_len, nchunks) <= p->pack_size;
}

static int add_entry(struct pack_build *p, const struct pack_blob *blob, const struct place *place,
                     struct error *err)
{
    struct writer w = writer_of(&p->entries);
    writer_bytes(&w, blob->id, BLOB_ID_LEN);
    writer_u32(&w, place->off);
    writer_u32(&w, place->clen);
    writer_u32(&w, place->plen);
    writer_u8(&w, (uint8_t)blob->kind);
    writer_u8(&w, 0);
    writer_u16(&w, (uint16_t)blob->nchunks);
    for (uint32_t i = 0; i < blob->nchunks; i++) {
        writer_bytes(&w, blob->chunks[i].id, CHUNK_ID_LEN);
        writer_u32(&w, blob->chunks[i].len);
    }
    return writer_end(&w, err);
}

int pack_build_add(struct pack_build *p, const struct pack_blob *blob, struct blob_ref *ref,
                   struct error *err)
{
    bool added = false;
    struct place *place = map_put(&p->places, blob->id, &added, err);
    if (place == NULL)
        return E_NOMEM;
    if (added) {
        place->off = (uint32_t)p->bytes.len;
        place->clen = blob->frame_len + AEAD_OVERHEAD;
        place->plen = blob->plen;
        int rc = buf_reserve(&p->bytes, place->clen, err);
        if (rc == 0)
            rc = blob_seal(p->key, blob->id, blob->frame, blob->frame_len, p->bytes.data + p->bytes.len, err);
        if (rc == 0)
            rc = add_entry(p, blob, place, err);
        if (rc < 0)
            return rc;
        p->bytes.len += place->clen;
        p->nblobs++;
    }
    memcpy(ref->id, blob->id, BLOB_ID_LEN);
    ref->session = p->session;
    ref->idx = p->idx;
    ref->off = place->off;
    ref->clen = place->clen;
    ref->plen = place->plen;
    return 0;
}

static size_t final_size(const struct pack_build *p, enum pack_end end)
{
    if (end == PACK_FULL)
        return p->pack_size;
    uint64_t padded = padme(pack_build_used(p));
    if (padded < PACK_SHORT_MIN)
        padded = PACK_SHORT_MIN;
    return padded < p->pack_size ? (size_t)padded : p->pack_size;
}

int pack_build_finish(struct pack_build *p, enum pack_end end, struct error *err)
{
    size_t size = final_size(p, end);
    size_t body_end = p->bytes.len;
    size_t trailer_len = p->entries.len + SEAL_OVERHEAD;
    size_t trailer_off = size - PACK_TAIL_LEN - trailer_len;
    struct buf tail = BUF_INIT;
    struct writer w = writer_of(&tail);
    writer_u32(&w, (uint32_t)body_end);
    writer_u32(&w, (uint32_t)trailer_off);
    writer_u32(&w, (uint32_t)trailer_len);
    writer_u32(&w, p->nblobs);
    int rc = writer_end(&w, err);
    if (rc == 0)
        rc = buf_reserve(&p->bytes, size - body_end, err);
    if (rc == 0) {
        random_bytes(p->bytes.data + body_end, trailer_off - body_end);
        p->bytes.len = trailer_off;
        rc = seal(p->trail_key, "trailer", p->bytes.data, p->header_len, p->entries.data, p->entries.len,
                  &p->bytes, err);
    }
    if (rc == 0)
        rc = seal(p->trail_key, "tail", p->bytes.data, p->header_len, tail.data, tail.len, &p->bytes, err);
    if (rc == 0 && p->bytes.len != size)
        rc = error_set(err, E_INTERNAL, "pack %u-%u has %zu instead of %zu bytes", p->session, p->idx,
                       p->bytes.len, size);
    buf_free(&tail);
    secret_wipe(p->key, sizeof p->key);
    return rc;
}

void pack_build_free(struct pack_build *p)
{
    if (p == NULL)
        return;
    secret_wipe(p->key, sizeof p->key);
    secret_wipe(p->trail_key, sizeof p->trail_key);
    buf_free(&p->bytes);
    buf_free(&p->entries);
    map_free(&p->places);
    free(p);
}

int pack_tail_open(const struct object_header *h, const uint8_t trail_key[KEY_LEN],
                   const uint8_t tail[PACK_TAIL_LEN], uint64_t file_size, struct pack_tail *out,
                   struct error *err)
{
    struct buf plain = BUF_INIT;
    int rc = seal_open(trail_key, "tail", h->bytes, h->len, tail, PACK_TAIL_LEN, &plain, err);
    if (rc == E_AUTH)
        rc = error_corrupt(err, ERR_PACK_TAIL, "the tail does not open");
    if (rc == 0) {
        struct reader r = reader_of(plain.data, plain.len);
        out->body_end = reader_u32(&r);
        out->trailer_off = reader_u32(&r);
        out->trailer_len = reader_u32(&r);
        out->nblobs = reader_u32(&r);
        bool good = reader_at_end(&r) && file_size <= PACK_SIZE_MAX && out->body_end >= h->len &&
                    out->body_end <= out->trailer_off &&
                    (uint64_t)out->trailer_off + out->trailer_len + PACK_TAIL_LEN == file_size &&
                    out->trailer_len >= SEAL_OVERHEAD && out->trailer_len <= PACK_SIZE_MAX / 4 &&
                    out->nblobs <= out->trailer_len / ENTRY_FIXED_LEN;
        if (!good)
            rc = error_corrupt(err, ERR_PACK_TAIL, "the places in the tail do not fit the file");
    }
    buf_free(&plain);
    return rc;
}

static int read_chunks(struct reader *r, struct trailer_blob *b, struct pack_trailer *out, struct error *err)
{
    uint64_t sum = 0;
    b->first_chunk = (uint32_t)out->chunks.len;
    for (uint32_t i = 0; i < b->nchunks; i++) {
        struct chunk_entry *c = vec_push(&out->chunks, err);
        if (c == NULL)
            return E_NOMEM;
        reader_copy(r, c->id, CHUNK_ID_LEN);
        c->len = reader_u32(r);
        uint32_t limit = b->kind == BLOB_NODE ? NODE_PLAIN_MAX : CHUNK_MAX;
        if (!reader_ok(r) || c->len == 0 || c->len > limit)
            return error_corrupt(err, ERR_PACK_TRAILER, "a chunk of %u bytes", c->len);
        sum += c->len;
    }
    bool fits = b->kind == BLOB_NODE ? b->nchunks == 1 : b->nchunks <= BLOB_CHUNKS_MAX;
    if (!fits || (b->nchunks != 0 && sum != b->plen))
        return error_corrupt(err, ERR_PACK_TRAILER, "%u chunks of together %llu bytes in a blob of %u",
                             b->nchunks, (unsigned long long)sum, b->plen);
    return 0;
}

static int read_entry(struct reader *r, const struct object_header *h, const struct pack_tail *tail,
                      struct trailer_blob *b, struct error *err)
{
    reader_copy(r, b->id, BLOB_ID_LEN);
    b->off = reader_u32(r);
    b->clen = reader_u32(r);
    b->plen = reader_u32(r);
    uint8_t kind = reader_u8(r);
    reader_zeros(r, 1);
    b->nchunks = reader_u16(r);
    b->kind = kind == BLOB_NODE ? BLOB_NODE : BLOB_DATA;
    uint32_t plain_max = kind == BLOB_NODE ? NODE_PLAIN_MAX : BLOB_PLAIN_MAX;
    if (!reader_ok(r) || kind > BLOB_NODE || b->plen == 0 || b->plen > plain_max ||
        b->clen < AEAD_OVERHEAD + 1 || b->clen > b->plen + 1 + AEAD_OVERHEAD || b->off < h->len ||
        (uint64_t)b->off + b->clen > tail->body_end)
        return error_corrupt(err, ERR_PACK_TRAILER,
                             "an entry breaks the limits (off %u, clen %u, plen %u, kind %u)", b->off,
                             b->clen, b->plen, kind);
    return 0;
}

int pack_trailer_open(const struct object_header *h, const uint8_t trail_key[KEY_LEN],
                      const struct pack_tail *tail, const void *sealed, struct pack_trailer *out,
                      struct error *err)
{
    struct buf plain = BUF_INIT;
    struct map seen = MAP_OF(BLOB_ID_LEN, 1);
    out->blobs = (struct vec)VEC_OF(struct trailer_blob);
    out->chunks = (struct vec)VEC_OF(struct chunk_entry);
    int rc = seal_open(trail_key, "trailer", h->bytes, h->len, sealed, tail->trailer_len, &plain, err);
    if (rc == E_AUTH)
        rc = error_corrupt(err, ERR_PACK_TRAILER, "the trailer does not open");
    struct reader r = reader_of(plain.data, plain.len);
    for (uint32_t i = 0; rc == 0 && i < tail->nblobs; i++) {
        struct trailer_blob b = { .first_chunk = 0 };
        bool added = false;
        rc = read_entry(&r, h, tail, &b, err);
        if (rc == 0)
            rc = read_chunks(&r, &b, out, err);
        if (rc == 0 && map_put(&seen, b.id, &added, err) == NULL)
            rc = E_NOMEM;
        if (rc == 0 && !added)
            rc = error_corrupt(err, ERR_PACK_TRAILER, "a blob is listed twice");
        struct trailer_blob *slot = rc == 0 ? vec_push(&out->blobs, err) : NULL;
        if (slot != NULL)
            *slot = b;
        else if (rc == 0)
            rc = E_NOMEM;
    }
    if (rc == 0 && !reader_at_end(&r))
        rc = error_corrupt(err, ERR_PACK_TRAILER, "bytes after the last entry");
    buf_free(&plain);
    map_free(&seen);
    if (rc < 0)
        pack_trailer_free(out);
    return rc;
}

void pack_trailer_free(struct pack_trailer *t)
{
    vec_free(&t->blobs);
    vec_free(&t->chunks);
}
