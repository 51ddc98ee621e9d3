#include "common/repo/node.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/chunk/blob.h"
#include "common/base/banned.h"

_Static_assert((int)BLOB_KIND_DATA == (int)BLOB_DATA && (int)BLOB_KIND_NODE == (int)BLOB_NODE,
               "one numbering");
_Static_assert((int)BLOB_KEYED_ID_LEN == (int)BLOB_ID_LEN, "one length of ids");
_Static_assert((int)BLOB_PLAIN_LIMIT == (int)BLOB_PLAIN_MAX, "one limit of blobs");
_Static_assert((int)BLOB_FRAME_LIMIT == (int)BLOB_FRAME_MAX, "one limit of frames");
_Static_assert((int)BLOB_FRAME_LIMIT + (int)AEAD_OVERHEAD == (int)BLOB_CIPHER_MAX,
               "one limit of ciphertexts");

/* The least ciphertext: codec byte, one byte of payload, tag. */
enum { CIPHER_MIN = 2 + AEAD_OVERHEAD, STREAM_REF_HEAD = STREAM_REF_LEN - BLOB_REF_LEN };

void blob_ref_write(struct writer *w, const struct blob_ref *ref)
{
    writer_bytes(w, ref->id, BLOB_ID_LEN);
    writer_u32(w, ref->session);
    writer_u32(w, ref->idx);
    writer_u32(w, ref->off);
    writer_u32(w, ref->clen);
    writer_u32(w, ref->plen);
}

void blob_ref_read(struct reader *r, struct blob_ref *ref)
{
    reader_copy(r, ref->id, BLOB_ID_LEN);
    ref->session = reader_u32(r);
    ref->idx = reader_u32(r);
    ref->off = reader_u32(r);
    ref->clen = reader_u32(r);
    ref->plen = reader_u32(r);
}

int blob_ref_check(const struct blob_ref *ref, enum blob_kind kind, struct error *err)
{
    uint32_t limit = kind == BLOB_NODE ? NODE_PLAIN_MAX : BLOB_PLAIN_MAX;
    if (ref->session < 1 || ref->session > SESSION_MAX || ref->idx > IDX_MAX)
        return error_corrupt(err, ERR_BLOB_REFERENCE, "no pack has the name %u/%u", ref->session, ref->idx);
    if (ref->plen < 1 || ref->plen > limit)
        return error_corrupt(err, ERR_BLOB_REFERENCE, "a blob of %u bytes", ref->plen);
    if (ref->clen < CIPHER_MIN || ref->clen > ref->plen + 1 + AEAD_OVERHEAD)
        return error_corrupt(err, ERR_BLOB_REFERENCE, "a blob of %u bytes in %u", ref->plen, ref->clen);
    if (ref->off < HEADER_FIXED_LEN || (uint64_t)ref->off + ref->clen > PACK_SIZE_MAX)
        return error_corrupt(err, ERR_BLOB_REFERENCE, "a blob at %u + %u", ref->off, ref->clen);
    return 0;
}

bool blob_ref_equal(const struct blob_ref *a, const struct blob_ref *b)
{
    return memcmp(a->id, b->id, BLOB_ID_LEN) == 0 && a->session == b->session && a->idx == b->idx &&
           a->off == b->off && a->clen == b->clen && a->plen == b->plen;
}

/* ---- stream references ---- */

static int stream_ref_check(const struct stream_ref *ref, struct error *err)
{
    bool tree = ref->form == STREAM_TREE;
    if (ref->form != STREAM_DIRECT && !tree)
        return error_corrupt(err, ERR_STREAM_REFERENCE, "unknown form %u", ref->form);
    if (ref->len < 1 || ref->len > STREAM_LEN_MAX)
        return error_corrupt(err, ERR_STREAM_REFERENCE, "a stream of %llu bytes",
                             (unsigned long long)ref->len);
    if (ref->level > (tree ? NODE_LEVEL_MAX : 0))
        return error_corrupt(err, ERR_STREAM_REFERENCE, "level %u", ref->level);
    int rc = blob_ref_check(&ref->blob, tree ? BLOB_NODE : BLOB_DATA, err);
    if (rc < 0)
        return rc;
    if (tree && ref->offset != 0)
        return error_corrupt(err, ERR_STREAM_REFERENCE, "a tree with the offset %u", ref->offset);
    if (!tree && ref->offset + ref->len > ref->blob.plen)
        return error_corrupt(err, ERR_STREAM_REFERENCE, "%llu bytes at %u of a blob of %u",
                             (unsigned long long)ref->len, ref->offset, ref->blob.plen);
    return 0;
}

int stream_ref_encode(const struct stream_ref *ref, struct buf *out, struct error *err)
{
    if (ref->form == STREAM_EMPTY)
        return ref->len == 0 ? buf_zeros(out, STREAM_REF_LEN, err)
                             : error_set(err, E_INTERNAL, "an empty stream with a length");
    int rc = stream_ref_check(ref, err);
    if (rc < 0) {
        (void)error_wrap(err, "stream reference to be written");
        if (err != NULL)
            err->code = E_INTERNAL;
        return E_INTERNAL;
    }
    struct writer w = writer_of(out);
    writer_u64(&w, ref->len);
    writer_u8(&w, ref->form);
    writer_u8(&w, ref->level);
    writer_zeros(&w, 2);
    writer_u32(&w, ref->offset);
    writer_bytes(&w, ref->check, sizeof ref->check);
    blob_ref_write(&w, &ref->blob);
    return writer_end(&w, err);
}

int stream_ref_decode(const uint8_t *data, size_t len, struct stream_ref *out, struct error *err)
{
    struct reader r = reader_of(data, len);
    memset(out, 0, sizeof *out);
    out->len = reader_u64(&r);
    out->form = reader_u8(&r);
    out->level = reader_u8(&r);
    reader_zeros(&r, 2);
    out->offset = reader_u32(&r);
    reader_copy(&r, out->check, sizeof out->check);
    blob_ref_read(&r, &out->blob);
    if (!reader_at_end(&r))
        return error_corrupt(err, ERR_STREAM_REFERENCE, "wrong size, or a reserved field is not zero");
    if (out->form != STREAM_EMPTY)
        return stream_ref_check(out, err);
    struct reader all = reader_of(data, len);
    reader_zeros(&all, len);
    if (!reader_at_end(&all))
        return error_corrupt(err, ERR_STREAM_REFERENCE, "an empty stream's reference is not all zero");
    return 0;
}

/* ---- nodes ---- */

static int compare_raw_refs(const void *a, const void *b)
{
    const uint8_t *const *x = a;
    const uint8_t *const *y = b;
    return memcmp(*x, *y, BLOB_REF_LEN);
}

/* No two references are equal. */
static int check_distinct(const uint8_t *raw, uint32_t n, struct error *err)
{
    const uint8_t **order = mem_alloc(n, sizeof *order, err);
    if (order == NULL)
        return E_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        order[i] = raw + (size_t)i * BLOB_REF_LEN;
    qsort(order, n, sizeof *order, compare_raw_refs);
    int rc = 0;
    for (uint32_t i = 1; i < n && rc == 0; i++)
        if (memcmp(order[i - 1], order[i], BLOB_REF_LEN) == 0)
            rc = error_corrupt(err, ERR_NODE_SYNTAX, "a blob is listed twice");
    free(order);
    return rc;
}

static int read_blobs(struct reader *r, struct node *n, struct error *err)
{
    n->blobs = mem_alloc(n->nblobs, sizeof *n->blobs, err);
    if (n->blobs == NULL)
        return E_NOMEM;
    const uint8_t *raw = r->data + r->pos;
    for (uint32_t i = 0; i < n->nblobs; i++) {
        blob_ref_read(r, &n->blobs[i]);
        int rc = blob_ref_check(&n->blobs[i], n->level == 0 ? BLOB_DATA : BLOB_NODE, err);
        if (rc < 0)
            return rc;
    }
    return check_distinct(raw, n->nblobs, err);
}

static int read_item(struct reader *r, const struct node *n, struct node_item *item, struct error *err)
{
    item->blob = reader_u16(r);
    reader_zeros(r, 2);
    item->offset = n->level == 0 ? reader_u32(r) : 0;
    item->len = n->level == 0 ? reader_u32(r) : reader_u64(r);
    if (!reader_ok(r))
        return error_corrupt(err, ERR_NODE_SYNTAX, "a reserved field is not zero");
    if (item->blob >= n->nblobs)
        return error_corrupt(err, ERR_NODE_SYNTAX, "blob %u of %u", item->blob, n->nblobs);
    if (item->len < 1)
        return error_corrupt(err, ERR_NODE_LENGTH, "an item without bytes");
    if (n->level == 0 && item->offset + item->len > n->blobs[item->blob].plen)
        return error_corrupt(err, ERR_NODE_LENGTH, "an extent ends behind its blob");
    return 0;
}

static int read_items(struct reader *r, struct node *n, struct error *err)
{
    int rc = 0;
    uint64_t sum = 0;
    uint32_t used = 0;
    bool *seen = mem_alloc(n->nblobs, sizeof *seen, err);
    n->items = mem_alloc(n->nitems, sizeof *n->items, err);
    if (seen == NULL || n->items == NULL) {
        rc = E_NOMEM;
        goto out;
    }
    for (uint32_t i = 0; i < n->nitems; i++) {
        struct node_item *item = &n->items[i];
        rc = read_item(r, n, item, err);
        if (rc < 0)
            goto out;
        if (item->len > n->len - sum) {
            rc = error_corrupt(err, ERR_NODE_LENGTH, "the items are longer than the node");
            goto out;
        }
        sum += item->len;
        used += seen[item->blob] ? 0 : 1;
        seen[item->blob] = true;
    }
    if (sum != n->len)
        rc = error_corrupt(err, ERR_NODE_LENGTH, "the items are shorter than the node");
    else if (used != n->nblobs)
        rc = error_corrupt(err, ERR_NODE_SYNTAX, "a blob is listed and not used");
out:
    free(seen);
    return rc;
}

static int read_head(struct reader *r, unsigned level, uint64_t len, struct node *n, struct error *err)
{
    n->level = reader_u8(r);
    reader_zeros(r, 3);
    n->nblobs = reader_u32(r);
    n->nitems = reader_u32(r);
    n->len = reader_u64(r);
    if (!reader_ok(r))
        return error_corrupt(err, ERR_NODE_SYNTAX, "too short, or a reserved field is not zero");
    if (n->level > NODE_LEVEL_MAX || n->level != level)
        return error_corrupt(err, ERR_NODE_SYNTAX, "level %u instead of %u", n->level, level);
    if (n->nblobs < 1 || n->nblobs > NODE_BLOBS_MAX || n->nitems < 1 || n->nitems > NODE_ITEMS_MAX)
        return error_corrupt(err, ERR_NODE_SYNTAX, "%u blobs, %u items", n->nblobs, n->nitems);
    if (reader_left(r) != (size_t)n->nblobs * BLOB_REF_LEN + (size_t)n->nitems * NODE_ITEM_LEN)
        return error_corrupt(err, ERR_NODE_SYNTAX, "the size is not that of %u blobs and %u items", n->nblobs,
                             n->nitems);
    if (n->len != len || n->len > STREAM_LEN_MAX)
        return error_corrupt(err, ERR_NODE_LENGTH, "%llu bytes instead of %llu", (unsigned long long)n->len,
                             (unsigned long long)len);
    return 0;
}

int node_decode(const uint8_t *plain, size_t plen, unsigned level, uint64_t len, struct node *out,
                struct error *err)
{
    memset(out, 0, sizeof *out);
    if (plen > NODE_PLAIN_MAX)
        return error_corrupt(err, ERR_NODE_SYNTAX, "a node of %zu bytes", plen);
    struct reader r = reader_of(plain, plen);
    int rc = read_head(&r, level, len, out, err);
    if (rc == 0)
        rc = read_blobs(&r, out, err);
    if (rc == 0)
        rc = read_items(&r, out, err);
    if (rc < 0)
        node_free(out);
    return rc;
}

void node_free(struct node *n)
{
    free(n->blobs);
    free(n->items);
    memset(n, 0, sizeof *n);
}
