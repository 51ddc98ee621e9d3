/* Records of both logs: bytes, damage, chains. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/reader.h"
#include "common/repo/record.h"
#include "common/repo/retention_record.h"
#include "common/base/banned.h"

static struct {
    struct secret *seed;
    struct secret *v;
    uint8_t pk[SIGN_PK_LEN];
    struct record r;
    struct retention_record ret;
    struct buf bytes;
} t;

static void add_pack(uint32_t session, uint32_t idx, uint8_t attempt)
{
    struct record_pack *p = vec_push(&t.r.packs, NULL);
    *p = (struct record_pack){ .session = session, .idx = idx, .attempt = attempt, .size = PACK_SIZE_MIN };
    memset(p->hash, (int)idx + 1, HASH_LEN);
}

static void add_item(struct vec *to, uint8_t writer, uint32_t session, uint32_t idx, uint8_t attempt)
{
    struct retention_item *i = vec_push(to, NULL);
    *i = (struct retention_item){ .session = session, .idx = idx, .attempt = attempt };
    memset(i->writer, writer, WRITER_ID_LEN);
}

static void add_head(uint8_t writer, uint32_t head, uint32_t fence)
{
    struct retention_head *h = vec_push(&t.ret.heads, NULL);
    memset(h->writer, writer, WRITER_ID_LEN);
    h->head = head;
    h->fence = fence;
    memset(h->hash, head != 0 ? 9 : 0, HASH_LEN);
}

static void add_op(uint8_t writer, uint32_t seq, uint32_t op)
{
    struct retention_op *o = vec_push(&t.ret.ops, NULL);
    memset(o->writer, writer, WRITER_ID_LEN);
    o->seq = seq;
    o->op = op;
}

static void start(void)
{
    ck_assert_int_eq(crypto_init(NULL), 0);
    t.seed = secret_random(SIGN_SEED_LEN, NULL);
    t.v = secret_random(32, NULL);
    ck_assert_int_eq(sign_public(t.seed, t.pk, NULL), 0);
    t.bytes = (struct buf)BUF_INIT;
    record_init(&t.r);
    memset(t.r.repo_id, 1, REPO_ID_LEN);
    memset(t.r.writer_id, 2, WRITER_ID_LEN);
    t.r.seq = 3;
    t.r.session = 7;
    t.r.charter = 2;
    t.r.ack = 4;
    t.r.time = 1700000000;
    t.r.snap_attempt = 1;
    t.r.snap_size = 5000;
    memset(t.r.prev, 3, HASH_LEN);
    memset(t.r.ack_hash, 4, HASH_LEN);
    memset(t.r.snap_hash, 5, HASH_LEN);
    add_pack(5, 0, 0);
    add_pack(7, 0, 2);
    add_pack(7, 1, 255);
    retention_init(&t.ret);
    memset(t.ret.repo_id, 1, REPO_ID_LEN);
    t.ret.seq = 5;
    t.ret.charter = 2;
    t.ret.time = 1700000000;
    memset(t.ret.prev, 3, HASH_LEN);
    add_head(9, 0, 0);
    add_head(2, 8, 4);
    add_op(2, 4, RETENTION_HOLD);
    add_op(2, 3, RETENTION_EXPIRE);
    add_item(&t.ret.condemned, 2, 5, 1, 0);
    add_item(&t.ret.condemned, 2, 5, 0, 0);
    add_item(&t.ret.deleted, 2, 4, IDX_SNAP, 0);
}

static void stop(void)
{
    record_free(&t.r);
    retention_free(&t.ret);
    secret_free(t.seed);
    secret_free(t.v);
    buf_free(&t.bytes);
}

static void encode(void)
{
    struct error err = ERROR_INIT;
    buf_clear(&t.bytes);
    ck_assert_msg(record_encode(&t.r, t.seed, &t.bytes, &err) == 0, "%s", err.text);
}

static void encode_retention(const char *note)
{
    struct error err = ERROR_INIT;
    buf_clear(&t.bytes);
    ck_assert_msg(retention_encode(&t.ret, t.seed, t.v, note, &t.bytes, &err) == 0, "%s", err.text);
}

START_TEST(record_goes_both_ways)
{
    struct record back;
    encode();
    ck_assert_uint_eq(t.bytes.len, 176 + 3 * 48 + 64);
    ck_assert_uint_eq(load_u32(t.bytes.data + 8), t.bytes.len);
    ck_assert_uint_eq(load_u32(t.bytes.data + 40), 3);
    ck_assert_uint_eq(load_u32(t.bytes.data + 176 + 48 + 4), 2u << 24);
    ck_assert_int_eq(record_decode(t.bytes.data, t.bytes.len, &back, NULL), 0);
    ck_assert_int_eq(record_verify(t.bytes.data, t.bytes.len, t.pk, NULL), 0);
    ck_assert_int_eq(record_place(&back, t.r.repo_id, t.r.writer_id, 3, NULL), 0);
    ck_assert_uint_eq(back.session, 7);
    ck_assert_uint_eq(back.charter, 2);
    ck_assert_uint_eq(back.ack, 4);
    ck_assert_uint_eq(back.time, 1700000000);
    ck_assert_uint_eq(back.snap_attempt, 1);
    ck_assert_uint_eq(back.snap_size, 5000);
    ck_assert_mem_eq(back.ack_hash, t.r.ack_hash, HASH_LEN);
    ck_assert_uint_eq(back.packs.len, 3);
    const struct record_pack *p = vec_at(&back.packs, 2);
    ck_assert_uint_eq(p->idx, 1);
    ck_assert_uint_eq(p->attempt, 255);
    ck_assert_uint_eq(p->size, PACK_SIZE_MIN);
    record_free(&back);
}
END_TEST

START_TEST(every_flipped_byte_of_a_record_is_refused)
{
    encode();
    for (size_t i = 0; i < t.bytes.len; i++) {
        struct record back;
        struct error err = ERROR_INIT;
        t.bytes.data[i] ^= 0x10;
        int rc = record_decode(t.bytes.data, t.bytes.len, &back, &err);
        if (rc == 0)
            rc = record_place(&back, t.r.repo_id, t.r.writer_id, 3, &err);
        if (rc == 0)
            rc = record_verify(t.bytes.data, t.bytes.len, t.pk, &err);
        ck_assert_msg(rc == E_CORRUPT && err.name != NULL, "byte %zu", i);
        const char *want = i < 16          ? ERR_RECORD_SYNTAX
                           : i < 44        ? ERR_RECORD_IDENTITY
                           : i >= 384 - 64 ? ERR_RECORD_SIGNATURE
                                           : err.name;
        if (i != 13 && i != 43) /* the attempt of the snap is any byte; seq may leave its range */
            ck_assert_str_eq(err.name, want);
        record_free(&back);
        t.bytes.data[i] ^= 0x10;
    }
}
END_TEST

START_TEST(a_cut_record_is_torn)
{
    encode();
    for (size_t len = 0; len < t.bytes.len; len++) {
        struct record back;
        ck_assert_int_eq(record_decode(t.bytes.data, len, &back, NULL), E_CORRUPT);
        ck_assert(record_is_torn(t.bytes.data, len));
    }
    ck_assert(!record_is_torn(t.bytes.data, t.bytes.len));
}
END_TEST

static void assert_usage(void)
{
    struct buf out = BUF_INIT;
    ck_assert_int_eq(record_encode(&t.r, t.seed, &out, NULL), E_USAGE);
    ck_assert_uint_eq(out.len, 0);
    buf_free(&out);
}

START_TEST(builder_refuses_what_readers_refuse)
{
    struct record_pack *p = vec_at(&t.r.packs, 1);
    p->idx = 1; /* twice */
    assert_usage();
    p->idx = IDX_SNAP;
    assert_usage();
    p->idx = 0;
    p->size = PACK_SIZE_MAX + 1ull;
    assert_usage();
    p->size = 1;
    assert_usage();
    p->size = PACK_SHORT_MIN;
    p->session = 8; /* later than the record's */
    assert_usage();
    p->session = 7;
    t.r.ack = 0;
    assert_usage();
    t.r.ack = 4;
    t.r.snap_size = 0;
    assert_usage();
    t.r.snap_size = (uint64_t)SNAP_MAX + 1;
    assert_usage();
    t.r.snap_size = 1;
    t.r.kind = RECORD_ACK;
    assert_usage();
    t.r.kind = 3;
    assert_usage();
    t.r.kind = RECORD_SNAPSHOT;
    t.r.seq = 0;
    assert_usage();
    t.r.seq = 3;
    encode();
}
END_TEST

START_TEST(an_ack_only_record)
{
    struct record back;
    t.r.kind = RECORD_ACK;
    t.r.packs.len = 0;
    t.r.snap_attempt = 0;
    t.r.snap_size = 0;
    memset(t.r.snap_hash, 0, HASH_LEN);
    encode();
    ck_assert_int_eq(record_decode(t.bytes.data, t.bytes.len, &back, NULL), 0);
    ck_assert_uint_eq(back.kind, RECORD_ACK);
    record_free(&back);
}
END_TEST

static void assert_chain(const struct record *prev, const char *name)
{
    struct error err = ERROR_INIT;
    int rc = record_follows(prev, t.r.prev, &t.r, &err);
    ck_assert_int_eq(rc, name != NULL ? E_CORRUPT : 0);
    if (name != NULL)
        ck_assert_str_eq(err.name, name);
}

START_TEST(chain_of_records)
{
    struct record prev;
    uint8_t other[HASH_LEN] = { 0 };
    struct error err = ERROR_INIT;
    record_init(&prev);
    prev.seq = 2;
    prev.session = 6;
    prev.charter = 2;
    prev.ack = 4;
    assert_chain(&prev, NULL);
    ck_assert_int_eq(record_follows(&prev, other, &t.r, &err), E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_RECORD_CHAIN);
    prev.seq = 1;
    assert_chain(&prev, ERR_RECORD_CHAIN);
    prev.seq = 2;
    prev.session = 7;
    assert_chain(&prev, ERR_RECORD_SESSION);
    prev.session = 6;
    prev.ack = 5;
    assert_chain(&prev, ERR_RECORD_ACK);
    prev.ack = 4;
    prev.charter = 3;
    assert_chain(&prev, ERR_RECORD_CHARTER);
    assert_chain(NULL, ERR_RECORD_CHAIN);
    t.r.seq = 1;
    assert_chain(NULL, NULL);
    record_free(&prev);
}
END_TEST

START_TEST(receipts)
{
    uint8_t hash[HASH_LEN];
    char receipt[RECEIPT_LEN + 1];
    record_hash("abc", 3, hash); /* b2sum -l 256 */
    ck_assert_str_eq(record_receipt(hash, receipt), "bddd813c634239723171");
}
END_TEST

/* ---- retention ---- */

START_TEST(retention_goes_both_ways)
{
    struct retention_record back;
    struct buf note = BUF_INIT;
    encode_retention("root: disk was full, until 2027 \xc3\xa4");
    ck_assert_int_eq(retention_decode(t.bytes.data, t.bytes.len, &back, NULL), 0);
    ck_assert_int_eq(retention_verify(t.bytes.data, t.bytes.len, t.pk, NULL), 0);
    ck_assert_int_eq(retention_place(&back, t.ret.repo_id, 5, NULL), 0);
    ck_assert_uint_eq(back.heads.len, 2);
    ck_assert_uint_eq(((struct retention_head *)vec_at(&back.heads, 0))->head, 8); /* sorted */
    ck_assert_uint_eq(((struct retention_op *)vec_at(&back.ops, 0))->seq, 3);
    ck_assert_uint_eq(((struct retention_item *)vec_at(&back.condemned, 1))->idx, 1);
    ck_assert_uint_eq(((struct retention_item *)vec_at(&back.deleted, 0))->idx, IDX_SNAP);
    ck_assert(back.has_note);
    ck_assert_int_eq(retention_note(t.bytes.data, t.bytes.len, t.v, &note, NULL), 0);
    ck_assert_mem_eq(note.data, "root: disk was full, until 2027 \xc3\xa4", note.len);
    struct secret *other = secret_random(32, NULL);
    ck_assert_int_eq(retention_note(t.bytes.data, t.bytes.len, other, &note, NULL), E_AUTH);
    secret_free(other);
    buf_free(&note);
    retention_free(&back);
    encode_retention(NULL);
    ck_assert_uint_eq(t.bytes.len, 96 + 2 * 48 + 5 * 16 + 4 + 64);
    ck_assert_int_eq(retention_note(t.bytes.data, t.bytes.len, t.v, &note, NULL), 0);
    ck_assert_uint_eq(note.len, 0);
}
END_TEST

START_TEST(every_flipped_byte_of_a_retention_record_is_refused)
{
    encode_retention("why");
    for (size_t i = 0; i < t.bytes.len; i++) {
        struct retention_record back;
        struct error err = ERROR_INIT;
        t.bytes.data[i] ^= 0x10;
        int rc = retention_decode(t.bytes.data, t.bytes.len, &back, &err);
        if (rc == 0)
            rc = retention_place(&back, t.ret.repo_id, 5, &err);
        if (rc == 0)
            rc = retention_verify(t.bytes.data, t.bytes.len, t.pk, &err);
        ck_assert_msg(rc == E_CORRUPT && err.name != NULL, "byte %zu", i);
        if (i < 16)
            ck_assert_str_eq(err.name, ERR_RETENTION_SYNTAX);
        if (i >= 16 && i < 35)
            ck_assert_str_eq(err.name, ERR_RETENTION_IDENTITY);
        if (i >= t.bytes.len - 64)
            ck_assert_str_eq(err.name, ERR_RETENTION_SIGNATURE);
        retention_free(&back);
        t.bytes.data[i] ^= 0x10;
    }
    for (size_t len = 0; len < t.bytes.len; len++) {
        struct retention_record back;
        ck_assert_int_eq(retention_decode(t.bytes.data, len, &back, NULL), E_CORRUPT);
        ck_assert(record_is_torn(t.bytes.data, len));
    }
}
END_TEST

static void assert_retention_usage(void)
{
    struct buf out = BUF_INIT;
    ck_assert_int_eq(retention_encode(&t.ret, t.seed, t.v, NULL, &out, NULL), E_USAGE);
    ck_assert_uint_eq(out.len, 0);
    buf_free(&out);
}

START_TEST(retention_builder_refuses_what_readers_refuse)
{
    char *long_note = malloc(5000);
    struct buf out = BUF_INIT;
    memset(long_note, 'x', 4999);
    long_note[4096] = '\0';
    encode_retention(long_note);
    long_note[4096] = 'x';
    long_note[4097] = '\0';
    ck_assert_int_eq(retention_encode(&t.ret, t.seed, t.v, long_note, &out, NULL), E_USAGE);
    ck_assert_int_eq(retention_encode(&t.ret, t.seed, t.v, "\xff", &out, NULL), E_USAGE);
    ck_assert_int_eq(retention_encode(&t.ret, t.seed, NULL, "why", &out, NULL), E_USAGE);
    free(long_note);
    add_item(&t.ret.condemned, 2, 5, 1, 0); /* twice */
    assert_retention_usage();
    t.ret.condemned.len = 0;
    add_op(2, 3, RETENTION_HOLD); /* two operations on one record */
    assert_retention_usage();
    t.ret.ops.len = 0;
    add_op(2, 3, 4);
    assert_retention_usage();
    t.ret.ops.len = 0;
    add_head(2, 8, 4); /* twice */
    assert_retention_usage();
    t.ret.heads.len = 0;
    add_head(3, 0, 0);
    ((struct retention_head *)vec_at(&t.ret.heads, 0))->hash[0] = 1;
    assert_retention_usage();
    t.ret.heads.len = 0;
    add_item(&t.ret.deleted, 1, 0, 0, 0); /* session 0 */
    assert_retention_usage();
    t.ret.deleted.len = 0;
    encode_retention(NULL);
    buf_free(&out);
}
END_TEST

static void assert_retention_chain(const struct retention_record *prev, const char *name)
{
    struct error err = ERROR_INIT;
    int rc = retention_follows(prev, t.ret.prev, &t.ret, &err);
    ck_assert_int_eq(rc, name != NULL ? E_CORRUPT : 0);
    if (name != NULL)
        ck_assert_str_eq(err.name, name);
}

START_TEST(chain_of_retention_records)
{
    struct retention_record prev;
    retention_init(&prev);
    prev.seq = 4;
    prev.charter = 2;
    encode_retention(NULL); /* sorts */
    assert_retention_chain(&prev, NULL);
    struct retention_head *h = vec_push(&prev.heads, NULL);
    memset(h->writer, 2, WRITER_ID_LEN);
    h->head = 7;
    h->fence = 4;
    assert_retention_chain(&prev, NULL);
    h->head = 9;
    assert_retention_chain(&prev, ERR_RETENTION_HEADS);
    h->head = 8; /* stands still, with another hash */
    assert_retention_chain(&prev, ERR_RETENTION_HEADS);
    memset(h->hash, 9, HASH_LEN);
    assert_retention_chain(&prev, NULL);
    h->fence = 5;
    assert_retention_chain(&prev, ERR_RETENTION_HEADS);
    h->fence = 0;
    memset(h->writer, 7, WRITER_ID_LEN); /* a head that vanished */
    assert_retention_chain(&prev, ERR_RETENTION_HEADS);
    prev.heads.len = 0;
    ((struct retention_head *)vec_at(&t.ret.heads, 0))->fence = 5; /* above seq - 1 */
    assert_retention_chain(&prev, ERR_RETENTION_HEADS);
    ((struct retention_head *)vec_at(&t.ret.heads, 0))->fence = 4;
    prev.charter = 3;
    assert_retention_chain(&prev, ERR_RETENTION_CHARTER);
    prev.charter = 2;
    prev.seq = 3;
    assert_retention_chain(&prev, ERR_RETENTION_CHAIN);
    assert_retention_chain(NULL, ERR_RETENTION_CHAIN);
    retention_free(&prev);
}
END_TEST

START_TEST(the_policy_clock)
{
    const uint64_t week = RETENTION_CLOCK_STEP;
    ck_assert_uint_eq(retention_clock(1, 0, 5), 5);
    ck_assert_uint_eq(retention_clock(2, 100, 200), 200);
    ck_assert_uint_eq(retention_clock(2, 100, 50), 100);
    ck_assert_uint_eq(retention_clock(2, 100, 100 + week), 100 + week);
    ck_assert_uint_eq(retention_clock(2, 100, 101 + week), 100 + week);
    ck_assert_uint_eq(retention_clock(2, UINT64_MAX - 1, UINT64_MAX), UINT64_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo/record");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, stop);
    tcase_add_test(all, record_goes_both_ways);
    tcase_add_test(all, every_flipped_byte_of_a_record_is_refused);
    tcase_add_test(all, a_cut_record_is_torn);
    tcase_add_test(all, builder_refuses_what_readers_refuse);
    tcase_add_test(all, an_ack_only_record);
    tcase_add_test(all, chain_of_records);
    tcase_add_test(all, receipts);
    tcase_add_test(all, retention_goes_both_ways);
    tcase_add_test(all, every_flipped_byte_of_a_retention_record_is_refused);
    tcase_add_test(all, retention_builder_refuses_what_readers_refuse);
    tcase_add_test(all, chain_of_retention_records);
    tcase_add_test(all, the_policy_clock);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
