#include <string.h>

#include "common/repo/cache_private.h"
#include "common/repo/node.h"
#include "common/base/banned.h"

/* ENTRY_PACK: u32 session | u32 idx | u8 attempt | u8 introduced | 0[2] | u32 nblobs | u64 size | hash 32;
 * per blob: u32 number | u8 kind | 0 | u16 nchunks | id 32 | u32 off | u32 clen | u32 plen |
 *           nchunks x { chunk id 16 | u32 length, high bit: starts a stream } | u64 check64 of its bytes.
 * The blob's own check is for lists that are read back one by one. */

/* ---- writing ---- */

void entry_write_pack(struct writer *w, const struct cache_pack *pack)
{
    writer_u32(w, pack->session);
    writer_u32(w, pack->idx);
    writer_u8(w, pack->attempt);
    writer_u8(w, pack->introduced);
    writer_zeros(w, 2);
    writer_u32(w, pack->nblobs);
    writer_u64(w, pack->size);
    writer_bytes(w, pack->hash, HASH_LEN);
}

static void write_blob_head(struct writer *w, uint32_t number, unsigned kind, uint32_t nchunks,
                            const struct blob_ref *ref)
{
    writer_u32(w, number);
    writer_u8(w, (uint8_t)kind);
    writer_zeros(w, 1);
    writer_u16(w, (uint16_t)nchunks);
    writer_bytes(w, ref->id, BLOB_ID_LEN);
    writer_u32(w, ref->off);
    writer_u32(w, ref->clen);
    writer_u32(w, ref->plen);
}

static void write_blob_check(struct writer *w, size_t start)
{
    if (!w->failed)
        writer_u64(w, check64(w->out->data + start, w->out->len - start));
}

void entry_write_list(struct writer *w, const struct chunk_list *list)
{
    size_t start = w->out->len;
    write_blob_head(w, list->number, list->kind, list->n, &list->ref);
    for (uint32_t i = 0; i < list->n; i++) {
        const struct list_chunk *chunk = &list->chunks[i];
        writer_bytes(w, chunk->id, CHUNK_ID_LEN);
        writer_u32(w, chunk->len | (list_starts_stream(chunk) ? CACHE_STARTS_STREAM : 0));
    }
    write_blob_check(w, start);
}

void entry_write_import(struct writer *w, uint32_t number, const struct cache_import *blob)
{
    size_t start = w->out->len;
    write_blob_head(w, number, blob->kind, blob->nchunks, &blob->ref);
    for (uint32_t i = 0; i < blob->nchunks; i++) {
        writer_bytes(w, blob->chunks[i].id, CHUNK_ID_LEN);
        writer_u32(w, blob->chunks[i].len);
    }
    write_blob_check(w, start);
}

/* ---- reading ---- */

int entry_bad_pack(struct error *err, const char *what)
{
    return error_corrupt(err, CACHE_BAD_JOURNAL, "a pack in the cache: %s", what);
}

int entry_read_pack(struct reader *r, struct cache_pack *pack, struct error *err)
{
    memset(pack, 0, sizeof *pack);
    pack->session = reader_u32(r);
    pack->idx = reader_u32(r);
    pack->attempt = reader_u8(r);
    uint8_t introduced = reader_u8(r);
    reader_zeros(r, 2);
    pack->nblobs = reader_u32(r);
    pack->size = reader_u64(r);
    reader_copy(r, pack->hash, HASH_LEN);
    pack->introduced = introduced != 0;
    if (!reader_ok(r) || introduced > 1)
        return entry_bad_pack(err, "its head");
    if (pack->session < 1 || pack->session > SESSION_MAX || pack->idx > IDX_MAX || pack->size < 1 ||
        pack->size > PACK_SIZE_MAX)
        return entry_bad_pack(err, "its name or size");
    return 0;
}

/* The lengths of the chunks are within the limits and add up. */
static int check_chunks(const struct pack_blob *b, struct error *err)
{
    uint64_t sum = 0;
    uint32_t limit = b->kind == BLOB_NODE ? NODE_PLAIN_MAX : CHUNK_MAX;
    for (uint32_t i = 0; i < b->nchunks; i++) {
        uint32_t len =
            load_u32(b->chunks + (size_t)i * CACHE_CHUNK_LEN + CHUNK_ID_LEN) & ~CACHE_STARTS_STREAM;
        if (len < 1 || len > limit)
            return entry_bad_pack(err, "the length of a chunk");
        sum += len;
    }
    if (b->nchunks != 0 && sum != b->ref.plen)
        return entry_bad_pack(err, "the sum of the chunks");
    if (b->nchunks > (b->kind == BLOB_NODE ? 1 : BLOB_CHUNKS_MAX))
        return entry_bad_pack(err, "the number of chunks");
    return 0;
}

int entry_read_blob(struct reader *r, const struct cache_pack *pack, struct pack_blob *b, struct error *err)
{
    b->at = (uint32_t)r->pos;
    b->number = reader_u32(r);
    b->kind = reader_u8(r);
    reader_zeros(r, 1);
    b->nchunks = reader_u16(r);
    reader_copy(r, b->ref.id, BLOB_ID_LEN);
    b->ref.session = pack->session;
    b->ref.idx = pack->idx;
    b->ref.off = reader_u32(r);
    b->ref.clen = reader_u32(r);
    b->ref.plen = reader_u32(r);
    b->chunks = reader_bytes(r, (size_t)b->nchunks * CACHE_CHUNK_LEN);
    (void)reader_u64(r);
    if (!reader_ok(r) || b->kind > BLOB_NODE)
        return entry_bad_pack(err, "a blob");
    int rc = blob_ref_check(&b->ref, b->kind == BLOB_NODE ? BLOB_NODE : BLOB_DATA, err);
    return rc < 0 ? rc : check_chunks(b, err);
}
