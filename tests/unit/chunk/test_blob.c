/* Blobs: there and back, every byte tampered with, every rule of the frame. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "common/base/reader.h"
#include "common/chunk/blob.h"
#include "common/crypto/secret.h"
#include "common/repo/format.h"
#include "common/base/banned.h"

static const uint8_t pack_key[KEY_LEN] = { 1 };
static const uint8_t id_key[KEY_LEN] = { 2 };
static struct blob_codec *codec;
static uint8_t *plain; /* BLOB_PLAIN_LIMIT bytes, half random */
static uint8_t *back;
static uint8_t *cipher;
static uint8_t id[BLOB_KEYED_ID_LEN];

static void setup(void)
{
    static const uint8_t seed[KEY_LEN] = { 3 };
    ck_assert_int_eq(crypto_init(NULL), 0);
    codec = blob_codec_new(NULL);
    plain = malloc(BLOB_PLAIN_LIMIT + 1);
    back = malloc(BLOB_PLAIN_LIMIT + 1);
    cipher = malloc(BLOB_FRAME_LIMIT + AEAD_OVERHEAD + 64);
    ck_assert(codec != NULL && plain != NULL && back != NULL && cipher != NULL);
    ck_assert_int_eq(keystream(seed, plain, BLOB_PLAIN_LIMIT, NULL), 0);
    plain[BLOB_PLAIN_LIMIT] = 0;
}

static void teardown(void)
{
    blob_codec_free(codec);
    free(plain);
    free(back);
    free(cipher);
}

static void text_like(size_t len)
{
    for (size_t i = 0; i < len; i++)
        plain[i] = (uint8_t)("INSERT INTO t VALUES "[i % 21]);
}

/* Seals a frame under its id; the length of the ciphertext. */
static size_t seal_frame(int kind, const uint8_t *frame, size_t len)
{
    ck_assert_int_eq(blob_id(kind, id_key, frame, len, id, NULL), 0);
    ck_assert_int_eq(blob_seal(pack_key, id, frame, len, cipher, NULL), 0);
    return len + AEAD_OVERHEAD;
}

static int open_as(int kind, size_t clen, size_t plen, struct error *err)
{
    error_clear(err);
    return blob_open(codec, pack_key, id_key, kind, id, cipher, clen, back, plen, err);
}

static const size_t sizes[] = {
    1, 2, 3, 4, 5, 17, 100, 4096, 65536, 65537, 1048576, 2097151, BLOB_PLAIN_LIMIT
};

START_TEST(there_and_back)
{
    struct buf frame = BUF_INIT;
    struct error err = ERROR_INIT;
    size_t len = sizes[_i];
    for (int mode = 0; mode < 2; mode++) {
        for (int level = -1; level <= 4; level++) {
            ck_assert_int_eq(blob_encode(codec, plain, len, level, &frame, &err), 0);
            ck_assert_uint_le(frame.len, len + 1);
            ck_assert_int_eq(frame.data[0], mode == 1 && len > 64);
            size_t clen = seal_frame(BLOB_KIND_DATA, frame.data, frame.len);
            memset(back, 0xee, len);
            ck_assert_msg(open_as(BLOB_KIND_DATA, clen, len, &err) == 0, "%s", err.text);
            ck_assert_mem_eq(back, plain, len);
        }
        text_like(len);
    }
    buf_free(&frame);
}
END_TEST

START_TEST(limits)
{
    struct buf frame = BUF_INIT;
    struct error err = ERROR_INIT;
    ck_assert_int_eq(blob_encode(codec, plain, 0, 3, &frame, &err), E_INTERNAL);
    ck_assert_int_eq(blob_encode(codec, plain, BLOB_PLAIN_LIMIT + 1, 3, &frame, &err), E_INTERNAL);
    ck_assert_int_eq(blob_encode(codec, plain, 10, 100, &frame, &err), E_USAGE);
    ck_assert_int_eq(blob_encode(codec, plain, 10, INT32_MIN, &frame, &err), E_USAGE);
    static const size_t lengths[][2] = {
        /* clen, plen */
        { 17, 1 }, { 0, 1 }, { 28, 10 }, { 27, 0 }, { 27, BLOB_PLAIN_LIMIT + 1 }, { SIZE_MAX, 10 },
    };
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        ck_assert_int_eq(open_as(BLOB_KIND_DATA, lengths[i][0], lengths[i][1], &err), E_CORRUPT);
        ck_assert_str_eq(err.name, ERR_BLOB_REFERENCE);
    }
    buf_free(&frame);
}
END_TEST

START_TEST(frames_are_deterministic)
{
    struct buf one = BUF_INIT, two = BUF_INIT;
    struct blob_codec *other = blob_codec_new(NULL);
    text_like(100000);
    ck_assert_int_eq(blob_encode(codec, plain, 100000, 3, &one, NULL), 0);
    ck_assert_int_eq(blob_encode(codec, plain, 5000, 9, &two, NULL), 0);
    ck_assert_int_eq(blob_encode(other, plain, 100000, 3, &two, NULL), 0);
    ck_assert_uint_eq(one.len, two.len);
    ck_assert_mem_eq(one.data, two.data, one.len);
    uint8_t ids[2][BLOB_KEYED_ID_LEN];
    ck_assert_int_eq(blob_id(BLOB_KIND_DATA, id_key, one.data, one.len, ids[0], NULL), 0);
    ck_assert_int_eq(blob_id(BLOB_KIND_NODE, id_key, one.data, one.len, ids[1], NULL), 0);
    ck_assert_mem_ne(ids[0], ids[1], BLOB_KEYED_ID_LEN);
    blob_codec_free(other);
    buf_free(&one);
    buf_free(&two);
}
END_TEST

START_TEST(each_flipped_byte_is_found)
{
    struct buf frame = BUF_INIT;
    struct error err = ERROR_INIT;
    size_t len = 700;
    if (_i == 1)
        text_like(len);
    ck_assert_int_eq(blob_encode(codec, plain, len, 3, &frame, &err), 0);
    size_t clen = seal_frame(BLOB_KIND_DATA, frame.data, frame.len);
    for (size_t i = 0; i < clen; i++) {
        for (int bit = 0; bit < 8; bit += 7) {
            cipher[i] ^= (uint8_t)(1 << bit);
            ck_assert_int_eq(open_as(BLOB_KIND_DATA, clen, len, &err), E_CORRUPT);
            ck_assert_str_eq(err.name, ERR_BLOB_AUTH);
            cipher[i] ^= (uint8_t)(1 << bit);
        }
    }
    for (size_t i = 0; i < sizeof id; i++) {
        id[i] ^= 0x10;
        ck_assert_int_eq(open_as(BLOB_KIND_DATA, clen, len, &err), E_CORRUPT);
        ck_assert_str_eq(err.name, ERR_BLOB_AUTH);
        id[i] ^= 0x10;
    }
    for (size_t cut = 18; cut < clen; cut++) {
        ck_assert_int_eq(open_as(BLOB_KIND_DATA, cut, len, &err), E_CORRUPT);
        ck_assert_str_eq(err.name, ERR_BLOB_AUTH);
    }
    ck_assert_int_eq(open_as(BLOB_KIND_DATA, clen, len, &err), 0);
    buf_free(&frame);
}
END_TEST

START_TEST(ids_are_recomputed)
{
    struct buf frame = BUF_INIT;
    struct error err = ERROR_INIT;
    static const uint8_t wrong[KEY_LEN] = { 4 };
    text_like(500);
    ck_assert_int_eq(blob_encode(codec, plain, 500, 3, &frame, &err), 0);
    size_t clen = seal_frame(BLOB_KIND_DATA, frame.data, frame.len);
    ck_assert_int_eq(open_as(BLOB_KIND_NODE, clen, 500, &err), E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_BLOB_ID);
    ck_assert_int_eq(blob_open(codec, pack_key, wrong, BLOB_KIND_DATA, id, cipher, clen, back, 500, &err),
                     E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_BLOB_ID);
    ck_assert_int_eq(blob_open(codec, wrong, id_key, BLOB_KIND_DATA, id, cipher, clen, back, 500, &err),
                     E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_BLOB_AUTH);
    /* A writer that seals a frame under an id of its choice. */
    id[31] ^= 1;
    ck_assert_int_eq(blob_seal(pack_key, id, frame.data, frame.len, cipher, NULL), 0);
    ck_assert_int_eq(open_as(BLOB_KIND_DATA, clen, 500, &err), E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_BLOB_ID);
    buf_free(&frame);
}
END_TEST

/* Frames that are sealed rightly and built wrongly, all for 500 bytes of text. */
enum bad {
    GOOD_RAW,
    GOOD_ZSTD,
    GOOD_CHECKSUM,
    CODEC_2,
    CODEC_255,
    RAW_SHORT,
    RAW_LONG,
    ZSTD_TRAILING,
    ZSTD_TRUNCATED,
    ZSTD_TWO,
    ZSTD_NO_SIZE,
    ZSTD_SKIPPABLE,
    ZSTD_SKIPPABLE_AFTER,
    ZSTD_SKIPPABLE_BEFORE,
    ZSTD_DICTIONARY,
    ZSTD_OTHER_SIZE,
    ZSTD_MAGICLESS,
    ZSTD_LEGACY,
    ZSTD_GARBAGE,
    ZSTD_SHORT_MAGIC,
    BAD_COUNT
};

static size_t zstd_frame(uint8_t *out, size_t len, int size_flag, int checksum)
{
    ZSTD_CCtx *ctx = ZSTD_createCCtx();
    ck_assert_ptr_nonnull(ctx);
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, size_flag);
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, checksum);
    size_t n = ZSTD_compress2(ctx, out, 4096, plain, len);
    ck_assert(!ZSTD_isError(n));
    ZSTD_freeCCtx(ctx);
    return n;
}

static size_t dictionary_frame(uint8_t *out)
{
    /* The frame header by hand: magic, descriptor (one segment, 1-byte dictionary id), id, content size. */
    size_t n = zstd_frame(out + 1, 200, 1, 0);
    memmove(out, out + 1, 5);
    out[4] |= 1;
    out[5] = 7;
    return n + 1;
}

static size_t build(enum bad what, uint8_t *f)
{
    static const uint8_t skippable[] = { 0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 'h', 'i' };
    uint8_t *p = f + 1;
    f[0] = 1;
    size_t n = 0;
    switch (what) {
    case GOOD_RAW:
    case CODEC_2:
    case CODEC_255:
    case RAW_SHORT:
    case RAW_LONG:
        f[0] = what == CODEC_2 ? 2 : what == CODEC_255 ? 255 : 0;
        n = what == RAW_SHORT ? 499 : what == RAW_LONG ? 501 : 500;
        memcpy(p, plain, n);
        return n + 1;
    case GOOD_CHECKSUM:
        return 1 + zstd_frame(p, 500, 1, 1);
    case ZSTD_NO_SIZE:
        return 1 + zstd_frame(p, 500, 0, 0);
    case ZSTD_OTHER_SIZE:
        return 1 + zstd_frame(p, 501, 1, 0);
    case ZSTD_DICTIONARY:
        return 1 + dictionary_frame(p);
    case ZSTD_SKIPPABLE:
        memcpy(p, skippable, sizeof skippable);
        return 1 + sizeof skippable;
    case ZSTD_SKIPPABLE_BEFORE:
        memcpy(p, skippable, sizeof skippable);
        return 1 + sizeof skippable + zstd_frame(p + sizeof skippable, 500, 1, 0);
    case ZSTD_SHORT_MAGIC:
        memset(p, 0x28, 3);
        return 4;
    case ZSTD_GARBAGE:
        memset(p, 0x5a, 100);
        return 101;
    default:
        break;
    }
    n = zstd_frame(p, 500, 1, 0);
    if (what == ZSTD_TRAILING)
        p[n++] = 0;
    if (what == ZSTD_TRUNCATED)
        n--;
    if (what == ZSTD_TWO)
        n += zstd_frame(p + n, 10, 1, 0);
    if (what == ZSTD_MAGICLESS)
        memmove(p, p + 4, n -= 4);
    if (what == ZSTD_LEGACY)
        p[0] = 0x27;
    if (what == ZSTD_SKIPPABLE_AFTER) {
        memcpy(p + n, skippable, sizeof skippable);
        n += sizeof skippable;
    }
    return n + 1;
}

START_TEST(frames_are_exactly_one)
{
    uint8_t frame[8192];
    struct error err = ERROR_INIT;
    text_like(1000);
    size_t len = build((enum bad)_i, frame);
    size_t clen = seal_frame(BLOB_KIND_NODE, frame, len);
    int rc = open_as(BLOB_KIND_NODE, clen, _i == ZSTD_DICTIONARY ? 200 : 500, &err);
    if (_i <= GOOD_CHECKSUM) {
        ck_assert_msg(rc == 0, "%s", err.text);
        ck_assert_mem_eq(back, plain, 500);
        return;
    }
    ck_assert_int_eq(rc, E_CORRUPT);
    if (_i == ZSTD_DICTIONARY)
        ck_assert_ptr_nonnull(strstr(err.text, "dictionary"));
    /* What is longer than raw does not get so far. */
    ck_assert_str_eq(err.name, _i == RAW_LONG ? ERR_BLOB_REFERENCE : ERR_BLOB_FRAME);
}
END_TEST

START_TEST(damaged_frames_never_overrun)
{
    /* Each byte of a valid zstd frame changed, sealed again: decoded to exactly plen bytes, or refused. */
    struct buf frame = BUF_INIT;
    struct error err = ERROR_INIT;
    size_t len = 3000;
    for (size_t i = 0; i < len; i++)
        plain[i] = (uint8_t)("abcdefghij"[(i * i / 7) % 10]);
    ck_assert_int_eq(blob_encode(codec, plain, len, 3, &frame, &err), 0);
    ck_assert_int_eq(frame.data[0], 1);
    for (size_t i = 1; i < frame.len; i++) {
        for (unsigned change = 1; change < 256; change += 37) {
            frame.data[i] ^= (uint8_t)change;
            size_t clen = seal_frame(BLOB_KIND_DATA, frame.data, frame.len);
            uint8_t *exact = malloc(len); /* for the sanitizer to watch its end */
            ck_assert_ptr_nonnull(exact);
            int rc = blob_open(codec, pack_key, id_key, BLOB_KIND_DATA, id, cipher, clen, exact, len, &err);
            ck_assert(rc == 0 || (rc == E_CORRUPT && strcmp(err.name, ERR_BLOB_FRAME) == 0));
            free(exact);
            frame.data[i] ^= (uint8_t)change;
        }
    }
    buf_free(&frame);
}
END_TEST

START_TEST(names_are_those_of_the_format)
{
    ck_assert_str_eq(BLOB_BAD_REFERENCE, ERR_BLOB_REFERENCE);
    ck_assert_str_eq(BLOB_BAD_AUTH, ERR_BLOB_AUTH);
    ck_assert_str_eq(BLOB_BAD_ID, ERR_BLOB_ID);
    ck_assert_str_eq(BLOB_BAD_FRAME, ERR_BLOB_FRAME);
    blob_codec_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chunk/blob");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, there_and_back, 0, sizeof sizes / sizeof sizes[0]);
    tcase_add_test(all, limits);
    tcase_add_test(all, frames_are_deterministic);
    tcase_add_loop_test(all, each_flipped_byte_is_found, 0, 2);
    tcase_add_test(all, ids_are_recomputed);
    tcase_add_loop_test(all, frames_are_exactly_one, 0, BAD_COUNT);
    tcase_add_test(all, damaged_frames_never_overrun);
    tcase_add_test(all, names_are_those_of_the_format);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
