#include "tests/support/golden_forge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/archive/catalog.h"
#include "common/base/reader.h"
#include "common/base/writer.h"
#include "common/chunk/blob.h"
#include "common/crypto/hash.h"
#include "common/repo/node.h"
#include "common/repo/object.h"
#include "common/repo/pack.h"
#include "common/stream/stream.h"
#include "tests/support/golden_out.h"
#include "tests/support/world.h"
#include "common/base/banned.h"

enum {
    TEXT_LEN = 400, /* blob 0, compressed */
    RAW_LEN = 256,  /* blob 1, stored raw */
    DIRECT_AT = 50,
    DIRECT_LEN = 300,
    TREE_LEN = TEXT_LEN + RAW_LEN + 200,
    TALL_TIMES = 3,
    TAR_BLOCK = 512,
    MEMBER_BODY_MAX = 1024,
};

static const char label[] = "probe";
static const char facts[] = "source=golden\nkind=forged\n";
static const char notes[] = FORGED_NOTES;
static const char member_facts[] = "holes=10:20\n";

struct forge {
    const struct forge_base *base;
    enum twist twist;
    struct error err;
    struct secret *derived;
    struct secret *key; /* K_s */
    struct buf envelope;
    struct object_author author;
    struct pack_build *pack;
    struct blob_codec *codec;
    struct blob_ref text, raw, node, top, catalog;
    uint8_t text_bytes[TEXT_LEN];
    uint8_t raw_bytes[RAW_LEN];
    uint64_t catalog_len;
    uint8_t catalog_check[CHECK_LEN];
};

static bool is(const struct forge *f, enum twist twist)
{
    return f->twist == twist;
}

static void must(struct forge *f, int rc)
{
    golden_must(rc, &f->err);
}

static void *must_have(struct forge *f, void *p)
{
    golden_must(p != NULL ? 0 : E_NOMEM, &f->err);
    return p;
}

static void check_of(const void *data, size_t len, uint8_t out[CHECK_LEN])
{
    struct error err = ERROR_INIT;
    struct check_state *s = check_new(&err);
    golden_must(s != NULL ? 0 : E_NOMEM, &err);
    check_update(s, data, len);
    check_final(s, out);
    check_free(s);
}

/* ---- content ------------------------------------------------------------------------------------------- */

static void fill_content(uint8_t text[TEXT_LEN], uint8_t raw[RAW_LEN])
{
    world_fill(text, TEXT_LEN, 501, true);
    world_fill(raw, RAW_LEN, 502, false);
}

static void tree_bytes(const uint8_t *text, const uint8_t *raw, uint8_t out[TREE_LEN])
{
    memcpy(out, text, TEXT_LEN);
    memcpy(out + TEXT_LEN, raw, RAW_LEN);
    memcpy(out + TEXT_LEN + RAW_LEN, text + 100, 200);
}

void forge_expected(struct forged_stream *out)
{
    static const char *const paths[FORGED_STREAMS] = { "d/direct", "d/leer", "d/tall", "d/tree" };
    struct error err = ERROR_INIT;
    uint8_t text[TEXT_LEN], raw[RAW_LEN], tree[TREE_LEN];
    fill_content(text, raw);
    tree_bytes(text, raw, tree);
    for (size_t i = 0; i < FORGED_STREAMS; i++) {
        out[i].path = paths[i];
        out[i].bytes = (struct buf)BUF_INIT;
    }
    golden_must(buf_append(&out[0].bytes, text + DIRECT_AT, DIRECT_LEN, &err), &err);
    for (size_t i = 0; i < TALL_TIMES; i++)
        golden_must(buf_append(&out[2].bytes, tree, TREE_LEN, &err), &err);
    golden_must(buf_append(&out[3].bytes, tree, TREE_LEN, &err), &err);
}

/* ---- keys ---------------------------------------------------------------------------------------------- */

static const struct writer_derived *keys_of(const struct forge *f)
{
    return writer_derived_of(f->derived);
}

/* The only share of the first group. */
static void twist_envelope(struct forge *f)
{
    uint8_t *box = f->envelope.data + KID_LEN + 1 + 1 + RID_LEN;
    static const uint8_t other[SHARE_LEN] = "a share of another secret";
    if (is(f, ENVELOPE_OTHER_SHARE))
        must(f, box_seal(f->base->to->group[0].share[0].pk, other, SHARE_LEN, box, &f->err));
    if (is(f, ENVELOPE_BROKEN_BOX))
        box[BOX_LEN - 1] ^= 1;
}

static void make_session(struct forge *f)
{
    struct session_name name = { .session = f->base->session };
    uint8_t s[SHARE_LEN];
    uint8_t kid[KID_LEN];
    memcpy(name.repo_id, f->base->keys->repo_id, REPO_ID_LEN);
    memcpy(name.writer_id, f->base->keys->writer_id, WRITER_ID_LEN);
    random_seed_for_tests(f->base->random);
    f->derived = must_have(f, writer_derive(f->base->keys->w_w, &f->err));
    f->key = must_have(f, secret_new(KEY_LEN, &f->err));
    random_bytes(s, sizeof s);
    must(f, session_key(keys_of(f)->mix_key, &name, s, secret_data(f->key), &f->err));
    must(f, session_kid(secret_view(f->key), kid, &f->err));
    must(f, envelope_build(s, f->base->to, kid, &f->envelope, &f->err));
    twist_envelope(f);
    f->author = (struct object_author){ .session = f->base->session,
                                        .envelope = &f->envelope,
                                        .session_key = secret_view(f->key) };
    memcpy(f->author.repo_id, name.repo_id, REPO_ID_LEN);
    memcpy(f->author.writer_id, name.writer_id, WRITER_ID_LEN);
}

/* ---- blobs --------------------------------------------------------------------------------------------- */

static void twist_text_frame(struct forge *f, struct buf *frame)
{
    static const uint8_t skippable[] = { 0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0 };
    static const uint8_t no_size[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00 };
    struct buf other = BUF_INIT;
    size_t skip = 0;
    if (is(f, BLOB_CODEC))
        frame->data[0] = 2;
    if (is(f, BLOB_ZSTD_TAIL))
        must(f, buf_zeros(frame, 1, &f->err));
    if (!is(f, BLOB_ZSTD_SKIPPABLE) && !is(f, BLOB_ZSTD_NO_SIZE))
        return;
    must(f, buf_append(&other, frame->data, 1, &f->err));
    if (is(f, BLOB_ZSTD_SKIPPABLE)) {
        must(f, buf_append(&other, skippable, sizeof skippable, &f->err));
        skip = 1;
    } else {
        must(f, buf_append(&other, no_size, sizeof no_size, &f->err));
        skip = 1 + 4 + 1 + 2; /* codec, magic, descriptor with a content size of two bytes */
    }
    must(f, buf_append(&other, frame->data + skip, frame->len - skip, &f->err));
    buf_free(frame);
    *frame = other;
}

static struct blob_ref put_blob(struct forge *f, enum blob_kind kind, const uint8_t *plain, size_t len)
{
    struct buf frame = BUF_INIT;
    struct chunk_entry chunk = { .len = (uint32_t)len };
    struct blob_ref ref;
    bool text = plain == f->text_bytes;
    bool raw = plain == f->raw_bytes;
    must(f, blob_encode(f->codec, plain, len, 3, &frame, &f->err));
    if (text)
        twist_text_frame(f, &frame);
    if (raw && is(f, BLOB_RAW_SHORT))
        frame.len--;
    struct pack_blob blob = { .kind = kind, .plen = (uint32_t)len, .chunks = &chunk, .nchunks = 1 };
    int as = kind == BLOB_NODE || (raw && is(f, BLOB_OTHER_KIND)) ? BLOB_KIND_NODE : BLOB_KIND_DATA;
    must(f, blob_id(as, keys_of(f)->id_key, frame.data, frame.len, blob.id, &f->err));
    if (raw && is(f, BLOB_OTHER_ID))
        blob.id[31] ^= 1;
    must(f, hash_keyed(kind == BLOB_NODE ? PERSON_TREE : PERSON_CHUNK, keys_of(f)->chunk_key, KEY_LEN, plain,
                       len, chunk.id, sizeof chunk.id, &f->err));
    if (raw && is(f, PACK_TRAILER_CHUNK_ID))
        chunk.id[0] ^= 1;
    if (raw && is(f, PACK_TRAILER_SUM))
        chunk.len--;
    blob.frame = frame.data;
    blob.frame_len = (uint32_t)frame.len;
    must(f, pack_build_add(f->pack, &blob, &ref, &f->err));
    buf_free(&frame);
    return ref;
}

/* ---- nodes --------------------------------------------------------------------------------------------- */

static void put_extent(struct writer *w, uint16_t blob, uint32_t offset, uint32_t len)
{
    writer_u16(w, blob);
    writer_zeros(w, 2);
    writer_u32(w, offset);
    writer_u32(w, len);
}

static void put_head(struct writer *w, uint8_t level, uint8_t reserved, uint32_t blobs, uint32_t items,
                     uint64_t len)
{
    writer_u8(w, level);
    writer_u8(w, reserved);
    writer_zeros(w, 2);
    writer_u32(w, blobs);
    writer_u32(w, items);
    writer_u64(w, len);
}

/* Level 0: blob 0, blob 1, and a slice of blob 0 again. */
static void put_node(struct forge *f)
{
    struct buf plain = BUF_INIT;
    struct writer w = writer_of(&plain);
    bool third = is(f, NODE_UNUSED) || is(f, NODE_TWICE);
    bool item = is(f, NODE_TWICE) || is(f, NODE_EMPTY_ITEM);
    struct blob_ref other = f->raw;
    struct blob_ref raw = f->raw;
    uint64_t len = TREE_LEN + (is(f, NODE_SUM) || is(f, NODE_LEN) ? 1U : 0U);
    put_head(&w, is(f, NODE_LEVEL) ? 1 : 0, is(f, NODE_RESERVED) ? 1 : 0, third ? 3 : 2, item ? 4 : 3, len);
    blob_ref_write(&w, &f->text);
    if (is(f, BLOB_REF_NODE))
        raw.plen = 0;
    blob_ref_write(&w, &raw);
    if (is(f, NODE_UNUSED))
        other.off++;
    if (third)
        blob_ref_write(&w, &other);
    put_extent(&w, 0, 0, TEXT_LEN);
    if (is(f, NODE_EMPTY_ITEM))
        put_extent(&w, 0, 7, 0);
    put_extent(&w, 1, 0, is(f, NODE_TWICE) ? RAW_LEN - 1 : RAW_LEN);
    if (is(f, NODE_TWICE))
        put_extent(&w, 2, RAW_LEN - 1, 1);
    put_extent(&w, is(f, NODE_INDEX) ? 2 : 0, is(f, NODE_BEHIND) ? TEXT_LEN - 199 : 100, 200);
    if (is(f, NODE_MORE))
        writer_zeros(&w, 1);
    must(f, writer_end(&w, &f->err));
    f->node = put_blob(f, BLOB_NODE, plain.data, plain.len);
    buf_free(&plain);
}

static uint64_t node_len(const struct forge *f)
{
    return TREE_LEN + (is(f, NODE_SUM) ? 1U : 0U);
}

/* Level 1: the same child three times. */
static void put_top(struct forge *f)
{
    struct buf plain = BUF_INIT;
    struct writer w = writer_of(&plain);
    put_head(&w, 1, 0, 1, TALL_TIMES, TALL_TIMES * node_len(f));
    blob_ref_write(&w, is(f, NODE_DATA_AS_NODE) ? &f->text : &f->node);
    for (int i = 0; i < TALL_TIMES; i++) {
        writer_u16(&w, 0);
        writer_zeros(&w, 2);
        writer_u64(&w, node_len(f));
    }
    must(f, writer_end(&w, &f->err));
    f->top = put_blob(f, BLOB_NODE, plain.data, plain.len);
    buf_free(&plain);
}

/* ---- catalog ------------------------------------------------------------------------------------------- */

static void put_reference(struct forge *f, struct buf *out, const struct stream_ref *ref)
{
    struct writer w = writer_of(out);
    writer_u64(&w, ref->len);
    writer_u8(&w, ref->form);
    writer_u8(&w, ref->level);
    writer_zeros(&w, 2);
    writer_u32(&w, ref->offset);
    writer_bytes(&w, ref->check, sizeof ref->check);
    blob_ref_write(&w, &ref->blob);
    must(f, writer_end(&w, &f->err));
}

static struct stream_ref direct_reference(struct forge *f)
{
    struct stream_ref r = { .len = DIRECT_LEN, .form = STREAM_DIRECT, .offset = DIRECT_AT, .blob = f->text };
    check_of(f->text_bytes + DIRECT_AT, DIRECT_LEN, r.check);
    if (is(f, STREAM_FORM))
        r.form = 3;
    if (is(f, STREAM_OUTSIDE))
        r.offset = TEXT_LEN - DIRECT_LEN + 1;
    if (is(f, BLOB_REF_OUTSIDE))
        r.blob.off = PACK_SHORT_MIN - PACK_TAIL_LEN;
    if (is(f, BLOB_REF_LENGTH))
        r.blob.clen = r.blob.plen + 18;
    return r;
}

static struct stream_ref tree_reference_of(struct forge *f, bool tall)
{
    uint8_t one[TREE_LEN];
    uint8_t all[TALL_TIMES * TREE_LEN];
    struct stream_ref r = { .len = node_len(f), .form = STREAM_TREE, .blob = tall ? f->top : f->node };
    tree_bytes(f->text_bytes, f->raw_bytes, one);
    for (size_t i = 0; i < TALL_TIMES; i++)
        memcpy(all + i * TREE_LEN, one, TREE_LEN);
    check_of(all, tall ? sizeof all : TREE_LEN, r.check);
    if (tall) {
        r.level = is(f, STREAM_LEVEL) ? 5 : 1;
        r.len *= TALL_TIMES;
    } else {
        r.check[15] ^= is(f, STREAM_CHECK) ? 1 : 0;
        r.len += is(f, STREAM_TREE_LEN) ? 1 : 0;
    }
    return r;
}

static void member_body(struct forge *f, const struct stream_ref *ref, const char *text, struct buf *out)
{
    struct writer w;
    buf_clear(out);
    put_reference(f, out, ref);
    w = writer_of(out);
    writer_u32(&w, (uint32_t)strlen(text));
    writer_bytes(&w, text, strlen(text));
    must(f, writer_end(&w, &f->err));
}

static void add_stream(struct forge *f, struct catalog_writer *w, const char *path,
                       const struct stream_ref *ref, const char *text)
{
    struct buf body = BUF_INIT;
    member_body(f, ref, text, &body);
    struct catalog_entry e = { .path = path,
                               .type = CATALOG_REGULAR,
                               .mode = 0640,
                               .uid = 1000,
                               .gid = 100,
                               .uname = "anna",
                               .gname = "users",
                               .mtime = 1767000000,
                               .mtime_nsec = 250000000,
                               .body = body.data,
                               .body_len = body.len };
    must(f, catalog_add(w, &e, &f->err));
    buf_free(&body);
}

static void add_other(struct forge *f, struct catalog_writer *w, const char *path, enum catalog_type type,
                      const char *target)
{
    struct catalog_entry e = { .path = path,
                               .type = type,
                               .mode = type == CATALOG_DIR ? 0755 : 0777,
                               .mtime = 1767000000,
                               .target = target };
    must(f, catalog_add(w, &e, &f->err));
}

/* A plain tar member, for what the writer of catalogs refuses. */
static void raw_member(struct forge *f, struct buf *out, const char *path, char type, const char *target,
                       const struct buf *body)
{
    uint8_t h[TAR_BLOCK] = { 0 };
    char *p = (char *)h;
    size_t size = body != NULL ? body->len : 0;
    unsigned sum = 0;
    (void)snprintf(p, 100, "%s", path);
    (void)snprintf(p + 100, 8, "%07o", 0640);
    (void)snprintf(p + 108, 8, "%07o", 0);
    (void)snprintf(p + 116, 8, "%07o", 0);
    (void)snprintf(p + 124, 12, "%011zo", is(f, LIST_LIMIT) ? CATALOG_BODY_MAX + 1 : size);
    (void)snprintf(p + 136, 12, "%011o", 0);
    memset(p + 148, ' ', 8);
    p[156] = type;
    (void)snprintf(p + 157, 100, "%s", target != NULL ? target : "");
    memcpy(p + 257, "ustar\00000", 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += h[i];
    (void)snprintf(p + 148, 8, "%06o", sum + (is(f, LIST_HEADER) ? 1 : 0));
    must(f, buf_append(out, h, sizeof h, &f->err));
    if (size == 0)
        return;
    must(f, buf_append(out, body->data, size, &f->err));
    must(f, buf_zeros(out, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK, &f->err));
}

static void twist_catalog(struct forge *f, struct buf *pax)
{
    struct buf body = BUF_INIT;
    struct stream_ref empty = { .len = 0 };
    member_body(f, &empty, "", &body);
    pax->len -= (size_t)2 * TAR_BLOCK; /* without its end */
    if (is(f, LIST_DUPLICATE))
        raw_member(f, pax, "d/direct", '0', NULL, &body);
    if (is(f, LIST_PATH))
        raw_member(f, pax, "d/../x", '0', NULL, &body);
    if (is(f, LIST_TYPE))
        raw_member(f, pax, "null", '3', NULL, NULL);
    if (is(f, LIST_LINK))
        raw_member(f, pax, "hard", '1', "nirgends", NULL);
    if (is(f, LIST_HEADER))
        raw_member(f, pax, "e", '0', NULL, &body);
    if (is(f, LIST_LIMIT))
        raw_member(f, pax, "gross", '0', NULL, &body);
    if (is(f, LIST_BODY)) {
        body.len--;
        raw_member(f, pax, "kurz", '0', NULL, &body);
    }
    if (!is(f, LIST_TRUNCATED))
        must(f, buf_zeros(pax, (size_t)2 * TAR_BLOCK, &f->err));
    if (is(f, LIST_TRAILING))
        must(f, buf_append(pax, "x", 1, &f->err));
    buf_free(&body);
}

static void put_catalog(struct forge *f)
{
    struct buf pax = BUF_INIT;
    struct sink *sink = must_have(f, sink_buffer(&pax, &f->err));
    struct catalog_writer *w = must_have(f, catalog_writer_new(sink, &f->err));
    struct stream_ref direct = direct_reference(f);
    struct stream_ref tall = tree_reference_of(f, true);
    struct stream_ref tree = tree_reference_of(f, false);
    struct stream_ref empty = { .check = { is(f, STREAM_EMPTY_NOT_ZERO) ? 1 : 0 } };
    add_other(f, w, "d", CATALOG_DIR, NULL);
    add_stream(f, w, "d/direct", &direct, member_facts);
    add_stream(f, w, "d/leer", &empty, "");
    add_other(f, w, "d/link", CATALOG_SYMLINK, "../d/direct");
    add_stream(f, w, "d/tall", &tall, "");
    add_stream(f, w, "d/tree", &tree, "kind=forged\nüber=ß\n");
    add_other(f, w, "d/zweit", CATALOG_HARDLINK, "d/direct");
    must(f, catalog_writer_finish(w, &f->err));
    catalog_writer_free(w);
    sink_free(sink);
    twist_catalog(f, &pax);
    f->catalog = put_blob(f, BLOB_DATA, pax.data, pax.len);
    f->catalog_len = pax.len;
    check_of(pax.data, pax.len, f->catalog_check);
    buf_free(&pax);
}

/* ---- pack ---------------------------------------------------------------------------------------------- */

/* Padding that does not move when what comes before it grows. */
static void fill_padding(struct forge *f, size_t from, size_t to)
{
    uint8_t *pad = must_have(f, malloc(PACK_SHORT_MIN));
    world_fill(pad, PACK_SHORT_MIN, 777, false);
    for (size_t i = from; i < to && i < PACK_SHORT_MIN; i++)
        f->pack->bytes.data[i] = pad[i];
    free(pad);
}

static void seal_tail(struct forge *f, uint32_t body_end, uint32_t trailer_off, uint32_t trailer_len)
{
    struct buf plain = BUF_INIT;
    struct writer w = writer_of(&plain);
    writer_u32(&w, body_end);
    writer_u32(&w, trailer_off);
    writer_u32(&w, trailer_len);
    writer_u32(&w, f->pack->nblobs);
    must(f, writer_end(&w, &f->err));
    f->pack->bytes.len -= PACK_TAIL_LEN;
    must(f, seal(keys_of(f)->trail_key, "tail", f->pack->bytes.data, f->pack->header_len, plain.data,
                 plain.len, &f->pack->bytes, &f->err));
    buf_free(&plain);
}

static void twist_entries(struct forge *f)
{
    enum { ENTRY = 68, KIND_AT = 44 }; /* one chunk */
    struct buf *e = &f->pack->entries;
    uint8_t first[ENTRY];
    memcpy(first, e->data, ENTRY);
    if (is(f, PACK_TRAILER_TWICE)) {
        must(f, buf_append(e, first, ENTRY, &f->err));
        f->pack->nblobs++;
    }
    if (is(f, PACK_TRAILER_MORE))
        must(f, buf_zeros(e, 1, &f->err));
    if (is(f, PACK_TRAILER_KIND))
        e->data[KIND_AT] = 2;
}

static void make_pack(struct forge *f)
{
    fill_content(f->text_bytes, f->raw_bytes);
    f->pack = must_have(f, pack_build_new(&f->author, keys_of(f)->trail_key, is(f, PACK_OTHER_IDX) ? 1 : 0,
                                          PACK_SIZE_MIN, &f->err));
    f->pack->idx = 0;
    if (is(f, PACK_COMMIT))
        f->pack->bytes.data[f->pack->header_len - 1] ^= 1;
    f->text = put_blob(f, BLOB_DATA, f->text_bytes, TEXT_LEN);
    f->raw = put_blob(f, BLOB_DATA, f->raw_bytes, RAW_LEN);
    put_node(f);
    put_top(f);
    put_catalog(f);
    twist_entries(f);
    uint32_t body_end = (uint32_t)f->pack->bytes.len;
    uint32_t trailer_len = (uint32_t)(f->pack->entries.len + SEAL_OVERHEAD);
    must(f, pack_build_finish(f->pack, PACK_SHORT, &f->err));
    uint32_t trailer_off = (uint32_t)f->pack->bytes.len - PACK_TAIL_LEN - trailer_len;
    fill_padding(f, body_end, trailer_off);
    if (is(f, PACK_TAIL_PLACES))
        seal_tail(f, trailer_off + 1, trailer_off, trailer_len);
    if (is(f, PACK_TAIL_SEAL))
        f->pack->bytes.data[f->pack->bytes.len - 1] ^= 1;
}

/* ---- snapshot object ----------------------------------------------------------------------------------- */

static void encode_view(struct forge *f, struct buf *out)
{
    struct writer w = writer_of(out);
    uint32_t n = is(f, VIEW_UNKNOWN) || is(f, SNAP_VIEW_ORDER) ? 2 : 1;
    writer_u64(&w, f->base->time - 60);
    writer_u64(&w, f->base->time);
    writer_u64(&w, DIRECT_LEN + TREE_LEN + TALL_TIMES * TREE_LEN);
    writer_u64(&w, f->pack->bytes.len);
    writer_u32(&w, n);
    writer_u32(&w, sizeof label - 1);
    writer_u32(&w, sizeof notes - 1);
    writer_u32(&w, is(f, VIEW_WITHOUT) ? f->base->known.session : f->base->session);
    writer_u32(&w, 0);
    if (n == 2) {
        writer_u32(&w, f->base->session);
        writer_u32(&w, is(f, VIEW_UNKNOWN) ? 9 : 0);
    }
    writer_bytes(&w, is(f, SNAP_VIEW_LABEL) ? "prob\xff" : label, sizeof label - 1);
    writer_bytes(&w, notes, sizeof notes - 1);
    must(f, writer_end(&w, &f->err));
    if (is(f, SNAP_VIEW_NOTES))
        out->data[out->len - 1] = 0xff;
    if (is(f, SNAP_VIEW_NOTES_NUL))
        out->data[out->len - 2] = 0;
}

static void encode_priv(struct forge *f, struct buf *out)
{
    struct stream_ref ref = { .len = f->catalog_len, .form = STREAM_DIRECT, .blob = f->catalog };
    memcpy(ref.check, f->catalog_check, CHECK_LEN);
    put_reference(f, out, &ref);
    struct writer w = writer_of(out);
    writer_u32(&w, sizeof facts - 1);
    writer_bytes(&w, facts, sizeof facts - 1);
    must(f, writer_end(&w, &f->err));
    if (is(f, SNAP_PRIV_NUL))
        out->data[out->len - 2] = 0;
}

static void seal_part(struct forge *f, struct buf *out, const struct buf *header, struct buf *plain,
                      const uint8_t *key, const char *name)
{
    bool view = strcmp(name, "snap view") == 0;
    size_t used = plain->len;
    size_t target = (size_t)padme(used);
    struct writer w = writer_of(out);
    must(f, buf_zeros(plain, target - used, &f->err));
    if (view && is(f, SNAP_VIEW_PADDING))
        plain->data[plain->len - 1] = 1;
    if (!view && is(f, SNAP_PRIV_PADDING))
        must(f, buf_zeros(plain, 1, &f->err));
    writer_u32(&w, (uint32_t)(plain->len + SEAL_OVERHEAD));
    must(f, writer_end(&w, &f->err));
    must(f, seal(key, name, header->data, header->len, plain->data, plain->len, out, &f->err));
    if (is(f, view ? SNAP_VIEW_SEAL : SNAP_PRIV_SEAL))
        out->data[out->len - 1] ^= 1;
}

/* The first share of the second group takes the second one's rid. */
static void rid_twice(struct buf *envelope)
{
    enum { SHARE = RID_LEN + BOX_LEN };
    uint8_t *second = envelope->data + KID_LEN + 1 + 1 + SHARE + 1;
    memcpy(second, second + SHARE, RID_LEN);
}

static void make_snap(struct forge *f, struct buf *out)
{
    uint8_t key[KEY_LEN];
    struct buf header = BUF_INIT;
    struct buf envelope = BUF_INIT;
    struct buf view = BUF_INIT;
    struct buf priv = BUF_INIT;
    struct object_author author = f->author;
    must(f, buf_append(&envelope, f->envelope.data, f->envelope.len, &f->err));
    author.envelope = &envelope;
    if (is(f, SNAP_ENVELOPE_TWICE))
        rid_twice(&envelope);
    must(f, object_header_build(OBJECT_SNAP, &author, f->base->seq + (is(f, SNAP_OTHER_SEQ) ? 1 : 0), &header,
                                key, &f->err));
    if (is(f, SNAP_COMMIT))
        header.data[header.len - 1] ^= 1;
    must(f, buf_append(out, header.data, header.len, &f->err));
    encode_view(f, &view);
    encode_priv(f, &priv);
    seal_part(f, out, &header, &view, secret_view(f->base->keys->v_w), "snap view");
    seal_part(f, out, &header, &priv, key, "snap priv");
    if (is(f, SNAP_MORE))
        must(f, buf_zeros(out, 1, &f->err));
    buf_free(&header);
    buf_free(&envelope);
    buf_free(&view);
    buf_free(&priv);
    secret_wipe(key, sizeof key);
}

/* ---- record -------------------------------------------------------------------------------------------- */

static void add_pack(struct forge *f, struct record *r, const struct record_pack *p)
{
    struct record_pack *slot = must_have(f, vec_push(&r->packs, &f->err));
    *slot = *p;
}

static void fill_packs(struct forge *f, struct record *r)
{
    struct record_pack own = { .session = f->base->session, .size = f->pack->bytes.len };
    file_hash(f->pack->bytes.data, f->pack->bytes.len, own.hash);
    if (is(f, RECORD_PACKS_TWICE) || is(f, RECORD_PACKS_ORDER))
        add_pack(f, r, &f->base->known);
    if (!is(f, RECORD_SESSION))
        add_pack(f, r, &own);
}

static void twist_record(struct forge *f, struct record *r)
{
    const struct forge_base *b = f->base;
    if (is(f, RECORD_CHAIN))
        r->prev[0] ^= 1;
    if (is(f, RECORD_SESSION))
        r->session--;
    if (is(f, RECORD_ACK_FALLS)) {
        r->ack = b->ack_before;
        memcpy(r->ack_hash, b->ack_before_hash, HASH_LEN);
    }
    if (is(f, RECORD_ACK_OTHER))
        r->ack_hash[0] ^= 1;
    if (is(f, RECORD_ACK_AHEAD))
        r->ack += 5;
    if (is(f, RECORD_CHARTER_FALLS))
        r->charter--;
    if (is(f, RECORD_CHARTER_AHEAD))
        r->charter++;
    if (is(f, RECORD_OTHER_TIME))
        r->time++;
}

/* What record_encode refuses to write. */
static void twist_bytes(struct forge *f, const struct secret *seed, struct buf *bytes)
{
    uint8_t *entry = bytes->data + RECORD_HEADER_LEN;
    uint8_t swap[RECORD_PACK_LEN];
    if (is(f, RECORD_PACKS_ORDER)) {
        memcpy(swap, entry, sizeof swap);
        memmove(entry, entry + RECORD_PACK_LEN, RECORD_PACK_LEN);
        memcpy(entry + RECORD_PACK_LEN, swap, sizeof swap);
    } else if (is(f, RECORD_PACKS_SIZE)) {
        store_u64(entry + 8, PACK_SHORT_MIN - 1);
    } else {
        return;
    }
    must(f, sign_detached(seed, SIGN_WRITER, bytes->data, bytes->len - SIG_LEN,
                          bytes->data + bytes->len - SIG_LEN, &f->err));
}

static void make_record(struct forge *f, const struct buf *snap, struct buf *out)
{
    const struct forge_base *b = f->base;
    struct record r;
    struct secret *foreign = must_have(f, secret_random(SIGN_SEED_LEN, &f->err));
    const struct secret *seed = is(f, RECORD_FOREIGN_KEY) ? foreign : b->keys->seed;
    record_init(&r);
    memcpy(r.repo_id, b->keys->repo_id, REPO_ID_LEN);
    memcpy(r.writer_id, b->keys->writer_id, WRITER_ID_LEN);
    r.seq = b->seq;
    r.session = b->session;
    r.charter = b->charter;
    r.ack = b->ack;
    r.time = b->time;
    memcpy(r.prev, b->prev, HASH_LEN);
    memcpy(r.ack_hash, b->ack_hash, HASH_LEN);
    file_hash(snap->data, snap->len, r.snap_hash);
    r.snap_size = snap->len;
    fill_packs(f, &r);
    twist_record(f, &r);
    must(f, record_encode(&r, seed, out, &f->err));
    twist_bytes(f, seed, out);
    record_free(&r);
    secret_free(foreign);
}

void forge_session(const struct forge_base *base, enum twist twist, struct forged *out)
{
    struct forge *f = calloc(1, sizeof *f);
    struct error err = ERROR_INIT;
    golden_must(f != NULL ? 0 : E_NOMEM, &err);
    *f = (struct forge){ .base = base, .twist = twist, .envelope = BUF_INIT };
    *out = (struct forged){ .pack = BUF_INIT, .snap = BUF_INIT, .record = BUF_INIT };
    f->codec = must_have(f, blob_codec_new(&f->err));
    make_session(f);
    make_pack(f);
    must(f, buf_append(&out->pack, f->pack->bytes.data, f->pack->bytes.len, &f->err));
    make_snap(f, &out->snap);
    make_record(f, &out->snap, &out->record);
    pack_build_free(f->pack);
    blob_codec_free(f->codec);
    buf_free(&f->envelope);
    secret_free(f->derived);
    secret_free(f->key);
    free(f);
}

void forged_free(struct forged *f)
{
    buf_free(&f->pack);
    buf_free(&f->snap);
    buf_free(&f->record);
}
