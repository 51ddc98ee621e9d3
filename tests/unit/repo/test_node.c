/* Nodes, blob and stream references: codecs, every rule of validity, the builder and where it cuts. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/repo/node.h"
#include "common/base/banned.h"

static struct blob_ref ref_number(uint32_t n)
{
    struct blob_ref ref = { .session = 1 + n % 7, .idx = n, .off = 64, .clen = 100, .plen = 1000 };
    store_u32(ref.id, n);
    return ref;
}

/* ---- blob references ---- */

static const struct {
    struct blob_ref ref;
    enum blob_kind kind;
    bool good;
} refs[] = {
    { { .session = 1, .idx = 0, .off = 64, .clen = 18, .plen = 1 }, BLOB_DATA, true },
    { { .session = SESSION_MAX, .idx = IDX_MAX, .off = PACK_SIZE_MAX - 18, .clen = 18, .plen = 1 },
      BLOB_DATA,
      true },
    { { .session = 1, .off = 64, .clen = BLOB_CIPHER_MAX, .plen = BLOB_PLAIN_MAX }, BLOB_DATA, true },
    { { .session = 1, .off = 64, .clen = 18, .plen = NODE_PLAIN_MAX }, BLOB_NODE, true },
    { { .session = 0, .off = 64, .clen = 18, .plen = 1 }, BLOB_DATA, false },
    { { .session = SESSION_MAX + 1, .off = 64, .clen = 18, .plen = 1 }, BLOB_DATA, false },
    { { .session = 1, .idx = IDX_MAX + 1, .off = 64, .clen = 18, .plen = 1 }, BLOB_DATA, false },
    { { .session = 1, .off = 63, .clen = 18, .plen = 1 }, BLOB_DATA, false },
    { { .session = 1, .off = PACK_SIZE_MAX - 17, .clen = 18, .plen = 1 }, BLOB_DATA, false },
    { { .session = 1, .off = UINT32_MAX, .clen = 18, .plen = 1 }, BLOB_DATA, false },
    { { .session = 1, .off = 64, .clen = 17, .plen = 1 }, BLOB_DATA, false },
    { { .session = 1, .off = 64, .clen = 19, .plen = 1 }, BLOB_DATA, false },
    { { .session = 1, .off = 64, .clen = 18, .plen = 0 }, BLOB_DATA, false },
    { { .session = 1, .off = 64, .clen = 18, .plen = BLOB_PLAIN_MAX + 1 }, BLOB_DATA, false },
    { { .session = 1, .off = 64, .clen = 18, .plen = NODE_PLAIN_MAX + 1 }, BLOB_NODE, false },
};

START_TEST(blob_references)
{
    struct error err = ERROR_INIT;
    struct blob_ref ref = refs[_i].ref, back;
    for (size_t i = 0; i < sizeof ref.id; i++)
        ref.id[i] = (uint8_t)(i + 1);
    struct buf out = BUF_INIT;
    struct writer w = writer_of(&out);
    blob_ref_write(&w, &ref);
    ck_assert_int_eq(writer_end(&w, &err), 0);
    ck_assert_uint_eq(out.len, BLOB_REF_LEN);
    ck_assert_uint_eq(load_u32(out.data + 40), ref.off);
    struct reader r = reader_of(out.data, out.len);
    blob_ref_read(&r, &back);
    ck_assert(reader_at_end(&r) && blob_ref_equal(&ref, &back));
    back.clen++;
    ck_assert(!blob_ref_equal(&ref, &back));
    int rc = blob_ref_check(&ref, refs[_i].kind, &err);
    ck_assert_int_eq(rc, refs[_i].good ? 0 : E_CORRUPT);
    if (!refs[_i].good)
        ck_assert_str_eq(err.name, ERR_BLOB_REFERENCE);
    buf_free(&out);
}
END_TEST

/* ---- stream references ---- */

#define DIRECT(l, o)                                     \
    {                                                    \
        .len = (l), .form = STREAM_DIRECT, .offset = (o) \
    }
#define TREE(l, n)                                    \
    {                                                 \
        .len = (l), .form = STREAM_TREE, .level = (n) \
    }
static const struct {
    struct stream_ref ref; /* the blob is ref_number(3), of 1000 bytes */
    const char *bad;       /* NULL: good */
} streams[] = {
    { DIRECT(1, 0), NULL },
    { DIRECT(1000, 0), NULL },
    { DIRECT(1, 999), NULL },
    { TREE(1, 0), NULL },
    { TREE((uint64_t)1 << 50, 4), NULL },
    { DIRECT(0, 0), ERR_STREAM_REFERENCE },
    { DIRECT(1001, 0), ERR_STREAM_REFERENCE },
    { DIRECT(2, 999), ERR_STREAM_REFERENCE },
    { DIRECT(1000, UINT32_MAX), ERR_STREAM_REFERENCE },
    { { .len = 1, .form = STREAM_DIRECT, .level = 1 }, ERR_STREAM_REFERENCE },
    { TREE(0, 0), ERR_STREAM_REFERENCE },
    { TREE(1, 5), ERR_STREAM_REFERENCE },
    { TREE(((uint64_t)1 << 50) + 1, 4), ERR_STREAM_REFERENCE },
    { { .len = 1, .form = STREAM_TREE, .offset = 1 }, ERR_STREAM_REFERENCE },
    { { .len = 1, .form = 3 }, ERR_STREAM_REFERENCE },
    { { .len = 1, .form = 255 }, ERR_STREAM_REFERENCE },
};

static void raw_stream(const struct stream_ref *s, const struct blob_ref *blob, struct buf *out)
{
    struct writer w = writer_of(out);
    writer_u64(&w, s->len);
    writer_u8(&w, s->form);
    writer_u8(&w, s->level);
    writer_zeros(&w, 2);
    writer_u32(&w, s->offset);
    for (uint8_t i = 0; i < 16; i++)
        writer_u8(&w, i);
    blob_ref_write(&w, blob);
    ck_assert_int_eq(writer_end(&w, NULL), 0);
    ck_assert_uint_eq(out->len, STREAM_REF_LEN);
}

START_TEST(stream_references)
{
    struct error err = ERROR_INIT;
    struct buf raw = BUF_INIT, again = BUF_INIT;
    struct stream_ref back, ref = streams[_i].ref;
    struct blob_ref blob = ref_number(3);
    raw_stream(&ref, &blob, &raw);
    int rc = stream_ref_decode(raw.data, raw.len, &back, &err);
    ref.blob = blob;
    if (streams[_i].bad == NULL) {
        ck_assert_msg(rc == 0, "%s", err.text);
        ck_assert_uint_eq(back.len, ref.len);
        ck_assert_uint_eq(back.form, ref.form);
        ck_assert_uint_eq(back.level, ref.level);
        ck_assert_uint_eq(back.offset, ref.offset);
        ck_assert(blob_ref_equal(&back.blob, &blob));
        ck_assert_int_eq(stream_ref_encode(&back, &again, &err), 0);
        ck_assert_uint_eq(again.len, raw.len);
        ck_assert_mem_eq(again.data, raw.data, raw.len);
    } else {
        ck_assert_int_eq(rc, E_CORRUPT);
        ck_assert_str_eq(err.name, streams[_i].bad);
        ck_assert_int_eq(stream_ref_encode(&ref, &again, &err), E_INTERNAL);
        ck_assert_uint_eq(again.len, 0);
    }
    buf_free(&raw);
    buf_free(&again);
}
END_TEST

START_TEST(stream_reference_bytes)
{
    struct error err = ERROR_INIT;
    struct buf raw = BUF_INIT;
    struct stream_ref back, ref = DIRECT(10, 0);
    struct blob_ref blob = ref_number(3);
    raw_stream(&ref, &blob, &raw);
    for (size_t len = 0; len < STREAM_REF_LEN; len++)
        ck_assert_int_eq(stream_ref_decode(raw.data, len, &back, &err), E_CORRUPT);
    for (size_t i = 10; i < 12; i++) { /* reserved */
        raw.data[i] = 1;
        ck_assert_int_eq(stream_ref_decode(raw.data, raw.len, &back, &err), E_CORRUPT);
        ck_assert_str_eq(err.name, ERR_STREAM_REFERENCE);
        raw.data[i] = 0;
    }
    store_u32(raw.data + 32 + 32, 0); /* session of the blob */
    ck_assert_int_eq(stream_ref_decode(raw.data, raw.len, &back, &err), E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_BLOB_REFERENCE);
    ck_assert_int_eq(buf_zeros(&raw, 1, NULL), 0);
    ck_assert_int_eq(stream_ref_decode(raw.data, raw.len, &back, &err), E_CORRUPT);
    /* The top node of a tree is a node. */
    buf_clear(&raw);
    ref = (struct stream_ref)TREE(10, 0);
    blob.plen = NODE_PLAIN_MAX + 1;
    raw_stream(&ref, &blob, &raw);
    ck_assert_int_eq(stream_ref_decode(raw.data, raw.len, &back, &err), E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_BLOB_REFERENCE);
    buf_free(&raw);
}
END_TEST

START_TEST(empty_streams_are_all_zero)
{
    struct error err = ERROR_INIT;
    uint8_t raw[STREAM_REF_LEN] = { 0 };
    struct stream_ref back, empty = { .form = STREAM_EMPTY };
    struct buf out = BUF_INIT;
    ck_assert_int_eq(stream_ref_decode(raw, sizeof raw, &back, &err), 0);
    ck_assert_uint_eq(back.form, STREAM_EMPTY);
    ck_assert_int_eq(stream_ref_encode(&empty, &out, &err), 0);
    ck_assert_uint_eq(out.len, sizeof raw);
    ck_assert_mem_eq(out.data, raw, sizeof raw);
    for (size_t i = 0; i < sizeof raw; i++) {
        raw[i] = 0x80;
        ck_assert_int_eq(stream_ref_decode(raw, sizeof raw, &back, &err), E_CORRUPT);
        ck_assert_str_eq(err.name, ERR_STREAM_REFERENCE);
        raw[i] = 0;
    }
    empty.len = 1;
    ck_assert_int_eq(stream_ref_encode(&empty, &out, &err), E_INTERNAL);
    buf_free(&out);
}
END_TEST

/* ---- nodes ---- */

/* A raw node that a test may spoil before it is decoded. */
struct raw_item {
    uint16_t blob;
    uint32_t offset;
    uint64_t len;
};

struct raw_node {
    uint8_t level;
    uint64_t len;
    uint32_t nblobs, nitems;
    struct blob_ref blobs[4];
    struct raw_item items[4];
};

static const struct raw_node good_leaf = {
    .len = 600,
    .nblobs = 2,
    .nitems = 3,
    .items = { { 0, 0, 100 }, { 1, 500, 200 }, { 0, 50, 300 } },
};
static const struct raw_node good_tree = {
    .level = 2,
    .len = 3000,
    .nblobs = 2,
    .nitems = 3,
    .items = { { 0, 0, 1000 }, { 1, 0, 1000 }, { 0, 0, 1000 } },
};

static void encode_raw(const struct raw_node *n, struct buf *out)
{
    struct writer w = writer_of(out);
    buf_clear(out);
    writer_u8(&w, n->level);
    writer_zeros(&w, 3);
    writer_u32(&w, n->nblobs);
    writer_u32(&w, n->nitems);
    writer_u64(&w, n->len);
    for (uint32_t i = 0; i < n->nblobs && i < 4; i++)
        blob_ref_write(&w, &n->blobs[i]);
    for (uint32_t i = 0; i < n->nitems && i < 4; i++) {
        writer_u16(&w, n->items[i].blob);
        writer_zeros(&w, 2);
        if (n->level == 0) {
            writer_u32(&w, n->items[i].offset);
            writer_u32(&w, (uint32_t)n->items[i].len);
        } else {
            writer_u64(&w, n->items[i].len);
        }
    }
    ck_assert_int_eq(writer_end(&w, NULL), 0);
}

static struct raw_node raw_of(const struct raw_node *from)
{
    struct raw_node n = *from;
    for (uint32_t i = 0; i < 4; i++)
        n.blobs[i] = ref_number(i);
    return n;
}

static int decode_raw(const struct raw_node *n, unsigned level, uint64_t len, const char *bad)
{
    struct error err = ERROR_INIT;
    struct buf out = BUF_INIT;
    struct node node;
    encode_raw(n, &out);
    uint8_t *exact = malloc(out.len);
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, out.data, out.len);
    int rc = node_decode(exact, out.len, level, len, &node, &err);
    if (bad == NULL) {
        ck_assert_msg(rc == 0, "%s", err.text);
        ck_assert_uint_eq(node.nitems, n->nitems);
        ck_assert_uint_eq(node.items[1].len, n->items[1].len);
        ck_assert_uint_eq(node.items[1].blob, n->items[1].blob);
        ck_assert(blob_ref_equal(&node.blobs[1], &n->blobs[1]));
        node_free(&node);
    } else {
        ck_assert_int_eq(rc, E_CORRUPT);
        ck_assert_msg(strcmp(err.name, bad) == 0, "%s: %s", err.name, err.text);
        ck_assert(node.blobs == NULL && node.items == NULL);
    }
    free(exact);
    buf_free(&out);
    return rc;
}

START_TEST(good_nodes)
{
    struct raw_node n = raw_of(&good_leaf);
    decode_raw(&n, 0, 600, NULL);
    n = raw_of(&good_tree);
    decode_raw(&n, 2, 3000, NULL);
    for (uint8_t level = 1; level <= NODE_LEVEL_MAX; level++) {
        n.level = level;
        decode_raw(&n, level, 3000, NULL);
    }
    n.level = 5;
    decode_raw(&n, 5, 3000, ERR_NODE_SYNTAX);
}
END_TEST

START_TEST(parent_and_node_must_agree)
{
    struct raw_node n = raw_of(&good_leaf);
    decode_raw(&n, 1, 600, ERR_NODE_SYNTAX);
    decode_raw(&n, 0, 599, ERR_NODE_LENGTH);
    decode_raw(&n, 0, 601, ERR_NODE_LENGTH);
    n.len = 601;
    decode_raw(&n, 0, 601, ERR_NODE_LENGTH);
    n.len = 599;
    decode_raw(&n, 0, 599, ERR_NODE_LENGTH);
    n.len = 0;
    decode_raw(&n, 0, 0, ERR_NODE_LENGTH);
}
END_TEST

START_TEST(every_rule_of_items)
{
    struct raw_node n = raw_of(&good_leaf);
    n.items[1].blob = 2; /* not listed */
    decode_raw(&n, 0, 600, ERR_NODE_SYNTAX);
    n.items[1].blob = 0xffff;
    decode_raw(&n, 0, 600, ERR_NODE_SYNTAX);
    n.items[1].blob = 0; /* blob 1 is not used */
    decode_raw(&n, 0, 600, ERR_NODE_SYNTAX);
    n = raw_of(&good_leaf);
    n.items[0].len = 0;
    n.len = 500;
    decode_raw(&n, 0, 500, ERR_NODE_LENGTH);
    n = raw_of(&good_leaf);
    n.items[1].offset = 801; /* 801 + 200 > 1000 */
    decode_raw(&n, 0, 600, ERR_NODE_LENGTH);
    n.items[1].offset = 800;
    decode_raw(&n, 0, 600, NULL);
    n.items[1].offset = UINT32_MAX; /* wraps in 32 bits */
    decode_raw(&n, 0, 600, ERR_NODE_LENGTH);
    n.items[1].offset = 500;
    n.items[1].len = UINT32_MAX;
    decode_raw(&n, 0, 600, ERR_NODE_LENGTH);
    n = raw_of(&good_tree);
    n.items[1].len = UINT64_MAX - 999; /* the sum wraps to 1000 */
    n.len = 1000;
    decode_raw(&n, 2, 1000, ERR_NODE_LENGTH);
    n = raw_of(&good_tree);
    n.items[2].len = 0;
    n.len = 2000;
    decode_raw(&n, 2, 2000, ERR_NODE_LENGTH);
    n = raw_of(&good_tree);
    n.items[0].len = STREAM_LEN_MAX - 1000;
    n.len = STREAM_LEN_MAX + 1000;
    decode_raw(&n, 2, STREAM_LEN_MAX + 1000, ERR_NODE_LENGTH);
    n.items[0].len = STREAM_LEN_MAX - 2000;
    n.len = STREAM_LEN_MAX;
    decode_raw(&n, 2, STREAM_LEN_MAX, NULL);
}
END_TEST

START_TEST(every_rule_of_blobs)
{
    struct raw_node n = raw_of(&good_leaf);
    n.blobs[1] = n.blobs[0]; /* twice */
    decode_raw(&n, 0, 600, ERR_NODE_SYNTAX);
    n.blobs[1].off = 70; /* another place of the same id is another reference */
    decode_raw(&n, 0, 600, NULL);
    n.blobs[1].session = 0;
    decode_raw(&n, 0, 600, ERR_BLOB_REFERENCE);
    n = raw_of(&good_tree);
    n.blobs[0].plen = NODE_PLAIN_MAX + 1; /* a child is a node */
    decode_raw(&n, 2, 3000, ERR_BLOB_REFERENCE);
    n = raw_of(&good_leaf);
    n.blobs[0].plen = NODE_PLAIN_MAX + 1;
    decode_raw(&n, 0, 600, NULL);
}
END_TEST

START_TEST(sizes_and_reserved_fields)
{
    struct error err = ERROR_INIT;
    struct buf out = BUF_INIT;
    struct node node;
    struct raw_node n = raw_of(&good_leaf);
    encode_raw(&n, &out);
    for (size_t len = 0; len < out.len; len++) {
        ck_assert_int_eq(node_decode(out.data, len, 0, 600, &node, &err), E_CORRUPT);
        ck_assert_str_eq(err.name, ERR_NODE_SYNTAX);
    }
    static const size_t reserved[] = { 1, 2, 3, 20 + 104 + 2, 20 + 104 + 3, 20 + 104 + 12 + 2 };
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        out.data[reserved[i]] = 1;
        ck_assert_int_eq(node_decode(out.data, out.len, 0, 600, &node, &err), E_CORRUPT);
        ck_assert_str_eq(err.name, ERR_NODE_SYNTAX);
        out.data[reserved[i]] = 0;
    }
    ck_assert_int_eq(buf_zeros(&out, 1, NULL), 0);
    ck_assert_int_eq(node_decode(out.data, out.len, 0, 600, &node, &err), E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_NODE_SYNTAX);
    static const uint32_t counts[][2] = {
        { 0, 3 }, { 2, 0 }, { NODE_BLOBS_MAX + 1, 3 }, { 2, NODE_ITEMS_MAX + 1 }, { UINT32_MAX, UINT32_MAX },
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        store_u32(out.data + 4, counts[i][0]);
        store_u32(out.data + 8, counts[i][1]);
        ck_assert_int_eq(node_decode(out.data, out.len - 1, 0, 600, &node, &err), E_CORRUPT);
        ck_assert_str_eq(err.name, ERR_NODE_SYNTAX);
    }
    buf_free(&out);
}
END_TEST

/* ---- the builder ---- */

struct places {
    int missing; /* this number has no place, -1 none */
};

static int resolve(void *arg, uint32_t blob, struct blob_ref *ref, struct error *err)
{
    const struct places *p = arg;
    if (p->missing >= 0 && blob == (uint32_t)p->missing)
        return error_set(err, E_INTERNAL, "blob %u has no place", blob);
    *ref = ref_number(blob);
    ref->plen = BLOB_PLAIN_MAX;
    return 0;
}

START_TEST(building_and_reading_back)
{
    struct error err = ERROR_INIT;
    struct node_builder b;
    struct node_plan plan;
    struct places places = { .missing = -1 };
    struct buf out = BUF_INIT;
    struct node node;
    node_builder_init(&b, 0);
    ck_assert(node_builder_empty(&b));
    ck_assert_int_eq(node_add_extent(&b, 70, 0, 10, &err), 0);
    ck_assert_int_eq(node_add_extent(&b, 70, 10, 5, &err), 0); /* merged */
    ck_assert_int_eq(node_add_extent(&b, 70, 16, 5, &err), 0); /* a gap */
    ck_assert_int_eq(node_add_extent(&b, 9, 21, 5, &err), 0);  /* another blob */
    ck_assert_int_eq(node_add_extent(&b, 70, 21, 7, &err), 0); /* not adjacent in the stream */
    ck_assert_int_eq(node_add_extent(&b, 70, 0, 0, &err), E_INTERNAL);
    ck_assert_int_eq(node_add_child(&b, 70, 5, &err), E_INTERNAL);
    ck_assert(!node_builder_empty(&b));
    node_take(&b, &plan);
    ck_assert(node_builder_empty(&b));
    ck_assert_uint_eq(plan.len, 32);
    ck_assert_int_eq(node_encode(&plan, resolve, &places, &out, &err), 0);
    ck_assert_uint_eq(out.len, NODE_HEADER_LEN + 2 * BLOB_REF_LEN + 4 * NODE_ITEM_LEN);
    ck_assert_msg(node_decode(out.data, out.len, 0, 32, &node, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(node.nblobs, 2);
    ck_assert_uint_eq(node.blobs[0].idx, 70);
    ck_assert_uint_eq(node.items[0].len, 15);
    ck_assert_uint_eq(node.items[1].offset, 16);
    ck_assert_uint_eq(node.items[2].blob, 1);
    node_free(&node);
    places.missing = 9;
    ck_assert_int_eq(node_encode(&plan, resolve, &places, &out, &err), E_INTERNAL);
    node_plan_free(&plan);
    ck_assert_int_eq(node_encode(&plan, resolve, &places, &out, &err), E_INTERNAL);
    /* The builder goes on with fresh indexes. */
    ck_assert_int_eq(node_add_extent(&b, 9, 0, 1, &err), 0);
    node_builder_free(&b);
    buf_free(&out);
}
END_TEST

START_TEST(building_trees)
{
    struct error err = ERROR_INIT;
    struct node_builder b;
    struct node_plan plan;
    struct places places = { .missing = -1 };
    struct buf out = BUF_INIT;
    struct node node;
    node_builder_init(&b, 3);
    ck_assert_int_eq(node_add_extent(&b, 1, 0, 10, &err), E_INTERNAL);
    ck_assert_int_eq(node_add_child(&b, 1, 5000000000, &err), 0);
    ck_assert_int_eq(node_add_child(&b, 1, 5000000000, &err), 0); /* repeated data */
    ck_assert_int_eq(node_add_child(&b, 2, 1, &err), 0);
    ck_assert_int_eq(node_add_child(&b, 2, STREAM_LEN_MAX, &err), E_INTERNAL);
    node_take(&b, &plan);
    ck_assert_int_eq(node_encode(&plan, resolve, &places, &out, &err), 0);
    /* resolve() gives the length of data blobs: put that of a node instead */
    store_u32(out.data + NODE_HEADER_LEN + 48, 1000);
    store_u32(out.data + NODE_HEADER_LEN + BLOB_REF_LEN + 48, 1000);
    ck_assert_msg(node_decode(out.data, out.len, 3, 10000000001, &node, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(node.nitems, 3);
    ck_assert_uint_eq(node.nblobs, 2);
    node_free(&node);
    node_plan_free(&plan);
    node_builder_free(&b);
    buf_free(&out);
}
END_TEST

START_TEST(full_nodes_are_cut)
{
    struct error err = ERROR_INIT;
    struct node_builder b;
    struct places places = { .missing = -1 };
    struct buf out = BUF_INIT;
    struct node node;
    struct node_plan plan;
    uint8_t never[CHUNK_ID_LEN] = { 0 };
    uint32_t n = 0;
    node_builder_init(&b, 0);
    /* _i 0: as many blobs as there may be; 1: as many items */
    while (!node_cut_here(&b, never, 2048)) {
        uint32_t blob = _i == 0 ? n : n % 5;
        ck_assert_int_eq(node_add_extent(&b, blob, 10 * (n % 3), 1, &err), 0);
        n++;
    }
    ck_assert_uint_eq(n, _i == 0 ? NODE_BLOBS_MAX : NODE_ITEMS_MAX);
    ck_assert_int_eq(node_add_extent(&b, 99999, 0, 1, &err), E_INTERNAL);
    node_take(&b, &plan);
    ck_assert_int_eq(node_encode(&plan, resolve, &places, &out, &err), 0);
    ck_assert_uint_le(out.len, NODE_PLAIN_MAX);
    ck_assert_msg(node_decode(out.data, out.len, 0, n, &node, &err) == 0, "%s", err.text);
    node_free(&node);
    node_plan_free(&plan);
    node_builder_free(&b);
    buf_free(&out);
}
END_TEST

static void random_id(uint64_t *state, uint8_t id[CHUNK_ID_LEN])
{
    for (size_t i = 0; i < 2; i++) {
        uint64_t x = *state += 0x9e3779b97f4a7c15u;
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
        x = (x ^ x >> 27) * 0x94d049bb133111ebu;
        store_u64(id + 8 * i, x ^ x >> 31);
    }
}

static const uint32_t averages[] = { 512, 2048, 8192, 65536, 1048576 };

START_TEST(leaves_are_about_four_megabytes)
{
    uint64_t state = 1, total = 0;
    uint8_t id[CHUNK_ID_LEN];
    uint32_t avg = averages[_i], nodes = 0;
    struct node_builder b;
    node_builder_init(&b, 0);
    while (nodes < 150) {
        random_id(&state, id);
        ck_assert_int_eq(node_add_extent(&b, (uint32_t)(total / 500000), (uint32_t)total, avg, NULL), 0);
        total += avg;
        if (!node_cut_here(&b, id, avg))
            continue;
        ck_assert_uint_ge(b.plan.len, NODE_CUT_MIN);
        ck_assert_uint_le(b.plan.len, NODE_CUT_MAX + avg);
        struct node_plan plan;
        node_take(&b, &plan);
        node_plan_free(&plan);
        nodes++;
    }
    double mean = (double)total / nodes / MIB;
    ck_assert_msg(mean > 2.9 && mean < 4.8, "%f", mean);
    node_builder_free(&b);
}
END_TEST

START_TEST(streams_without_ids_are_cut_at_the_average)
{
    struct node_builder b;
    node_builder_init(&b, 0);
    for (uint32_t i = 0; i < 64; i++) {
        ck_assert_int_eq(node_add_extent(&b, i, 0, 65536, NULL), 0);
        ck_assert_int_eq(node_cut_here(&b, NULL, 65536), i == 63);
    }
    node_builder_free(&b);
}
END_TEST

START_TEST(higher_nodes_have_about_256_children)
{
    uint64_t state = 2, children = 0;
    uint8_t id[CHUNK_ID_LEN];
    uint32_t nodes = 0;
    struct node_builder leaf, b;
    node_builder_init(&leaf, 0);
    node_builder_init(&b, (unsigned)_i);
    ck_assert_int_eq(node_add_extent(&leaf, 1, 0, NODE_CUT_MIN, NULL), 0);
    while (nodes < 150) {
        random_id(&state, id);
        if (!node_cut_here(&leaf, id, 65536)) /* only ids that end a leaf come up here */
            continue;
        ck_assert_int_eq(node_add_child(&b, (uint32_t)children % 300, 4 * MIB, NULL), 0);
        children++;
        if (!node_cut_here(&b, id, 65536))
            continue;
        ck_assert_uint_ge(b.plan.items.len, NODE_FAN_MIN);
        ck_assert_uint_le(b.plan.items.len, NODE_FAN_MAX);
        struct node_plan plan;
        node_take(&b, &plan);
        node_plan_free(&plan);
        nodes++;
    }
    double mean = (double)children / nodes;
    ck_assert_msg(mean > 190 && mean < 330, "%f", mean);
    node_builder_free(&leaf);
    node_builder_free(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo/node");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, blob_references, 0, sizeof refs / sizeof refs[0]);
    tcase_add_loop_test(all, stream_references, 0, sizeof streams / sizeof streams[0]);
    tcase_add_test(all, stream_reference_bytes);
    tcase_add_test(all, empty_streams_are_all_zero);
    tcase_add_test(all, good_nodes);
    tcase_add_test(all, parent_and_node_must_agree);
    tcase_add_test(all, every_rule_of_items);
    tcase_add_test(all, every_rule_of_blobs);
    tcase_add_test(all, sizes_and_reserved_fields);
    tcase_add_test(all, building_and_reading_back);
    tcase_add_test(all, building_trees);
    tcase_add_loop_test(all, full_nodes_are_cut, 0, 2);
    tcase_add_loop_test(all, leaves_are_about_four_megabytes, 0, sizeof averages / sizeof averages[0]);
    tcase_add_test(all, streams_without_ids_are_cut_at_the_average);
    tcase_add_loop_test(all, higher_nodes_have_about_256_children, 1, NODE_LEVEL_MAX + 1);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
