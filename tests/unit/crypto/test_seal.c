/* SEAL and AEAD against an independent implementation; every changed byte is found. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/crypto/hash.h"
#include "common/crypto/seal.h"
#include "common/crypto/secret.h"
#include "common/base/banned.h"

static void start(void)
{
    ck_assert_int_eq(crypto_init(NULL), 0);
}

static void stop(void)
{
    random_seed_for_tests(NULL);
}

static void assert_hex(const void *data, size_t len, const char *want)
{
    char text[1024];
    ck_assert_uint_lt(2 * len, sizeof text);
    hex_encode(text, data, len);
    ck_assert_str_eq(text, want);
}

static uint8_t key[KEY_LEN];

static void start_with_key(void)
{
    start();
    file_hash("det5", 4, key);
}

START_TEST(known_answers)
{
    struct buf out = BUF_INIT;
    ck_assert_int_eq(seal(key, "snap view", "ad", 2, "hello", 5, &out, NULL), 0);
    assert_hex(out.data, out.len,
               "104f0f836a6abcbd0350aa7894a96e7dd6a23338a5d23df11ee5a9c02e4fd01aa4f3bf3d10b3ce9fedeb2b5cfa");
    buf_clear(&out);
    ck_assert_int_eq(seal(key, "tail", NULL, 0, NULL, 0, &out, NULL), 0);
    assert_hex(out.data, out.len,
               "48a748d0742e72243766b65103abd7a78228a5251f659e3fd691032f8210032b2c1f922acbbc439c");
    buf_free(&out);
}
END_TEST

START_TEST(appends_and_opens)
{
    struct buf sealed = BUF_INIT;
    struct buf plain = BUF_INIT;
    ck_assert_int_eq(buf_append(&sealed, "head", 4, NULL), 0);
    ck_assert_int_eq(buf_append(&plain, "was", 3, NULL), 0);
    ck_assert_int_eq(seal(key, "trailer", "x", 1, "secret", 6, &sealed, NULL), 0);
    ck_assert_uint_eq(sealed.len, 4 + 6 + SEAL_OVERHEAD);
    ck_assert_mem_eq(sealed.data, "head", 4);
    ck_assert_int_eq(seal_open(key, "trailer", "x", 1, sealed.data + 4, sealed.len - 4, &plain, NULL), 0);
    ck_assert_uint_eq(plain.len, 9);
    ck_assert_mem_eq(plain.data, "wassecret", 9);
    buf_clear(&sealed);
    buf_clear(&plain);
    ck_assert_int_eq(seal(key, "trailer", NULL, 0, NULL, 0, &sealed, NULL), 0);
    ck_assert_int_eq(seal_open(key, "trailer", NULL, 0, sealed.data, sealed.len, &plain, NULL), 0);
    ck_assert_uint_eq(plain.len, 0);
    buf_free(&sealed);
    buf_free(&plain);
}
END_TEST

START_TEST(every_flipped_bit_and_every_cut_is_found)
{
    struct buf sealed = BUF_INIT;
    struct buf plain = BUF_INIT;
    ck_assert_int_eq(seal(key, "snap priv", "ad", 2, "hello", 5, &sealed, NULL), 0);
    for (size_t bit = 0; bit < sealed.len * 8; bit++) {
        struct error err = ERROR_INIT;
        sealed.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        ck_assert_int_eq(seal_open(key, "snap priv", "ad", 2, sealed.data, sealed.len, &plain, &err), E_AUTH);
        ck_assert_int_eq(err.code, E_AUTH);
        sealed.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t len = 0; len < sealed.len; len++)
        ck_assert_int_eq(seal_open(key, "snap priv", "ad", 2, sealed.data, len, &plain, NULL), E_AUTH);
    ck_assert_uint_eq(plain.len, 0);
    ck_assert_int_eq(seal_open(key, "snap priv", "ad", 2, sealed.data, sealed.len, &plain, NULL), 0);
    buf_free(&sealed);
    buf_free(&plain);
}
END_TEST

START_TEST(other_key_label_or_ad_does_not_open)
{
    struct buf sealed = BUF_INIT;
    struct buf plain = BUF_INIT;
    uint8_t other[KEY_LEN];
    memcpy(other, key, KEY_LEN);
    other[31] ^= 1;
    ck_assert_int_eq(seal(key, "tail", "ad", 2, "hello", 5, &sealed, NULL), 0);
    ck_assert_int_eq(seal_open(other, "tail", "ad", 2, sealed.data, sealed.len, &plain, NULL), E_AUTH);
    ck_assert_int_eq(seal_open(key, "trailer", "ad", 2, sealed.data, sealed.len, &plain, NULL), E_AUTH);
    ck_assert_int_eq(seal_open(key, "tail", "ae", 2, sealed.data, sealed.len, &plain, NULL), E_AUTH);
    ck_assert_int_eq(seal_open(key, "tail", "ad", 1, sealed.data, sealed.len, &plain, NULL), E_AUTH);
    ck_assert_uint_eq(plain.len, 0);
    buf_free(&sealed);
    buf_free(&plain);
}
END_TEST

START_TEST(a_valid_aead_with_a_foreign_nonce_is_refused)
{
    /* Whoever knows the key can make such a thing; seal() cannot, so it must not open. */
    uint8_t both[64];
    uint8_t forged[SEAL_OVERHEAD + 5] = { 7 };
    struct buf plain = BUF_INIT;
    ck_assert_int_eq(hash_keyed(PERSON_SEAL_KEYS, key, KEY_LEN, "tail", 4, both, sizeof both, NULL), 0);
    ck_assert_int_eq(aead_encrypt(both, forged, "ad", 2, "hello", 5, forged + AEAD_NONCE_LEN, NULL), 0);
    struct error err = ERROR_INIT;
    ck_assert_int_eq(seal_open(key, "tail", "ad", 2, forged, sizeof forged, &plain, &err), E_AUTH);
    ck_assert_ptr_nonnull(strstr(err.text, "not made by seal"));
    ck_assert_uint_eq(plain.len, 0);
    buf_free(&plain);
}
END_TEST

START_TEST(aead_known_answer_and_in_place)
{
    uint8_t nonce[AEAD_NONCE_LEN];
    uint8_t block[5 + AEAD_OVERHEAD] = "hello";
    for (size_t i = 0; i < sizeof nonce; i++)
        nonce[i] = (uint8_t)i;
    ck_assert_int_eq(aead_encrypt(key, nonce, "ad", 2, block, 5, block, NULL), 0);
    assert_hex(block, sizeof block, "3083e773a812e74c709194b07f0aed8b1dd07a0cb5");
    ck_assert_int_eq(aead_decrypt(key, nonce, "ad", 2, block, AEAD_OVERHEAD - 1, block, NULL), E_AUTH);
    ck_assert_int_eq(aead_decrypt(key, nonce, "ad", 2, block, sizeof block, block, NULL), 0);
    ck_assert_mem_eq(block, "hello", 5);
    ck_assert_int_eq(aead_decrypt(key, nonce, "ad", 2, block, sizeof block, block, NULL), E_AUTH);
}
END_TEST

START_TEST(keystream_known_answer)
{
    uint8_t out[80];
    ck_assert_int_eq(keystream(key, out, sizeof out, NULL), 0);
    assert_hex(
        out, sizeof out,
        "9752ac17e7cd853af3dc7e615653def2847052026d099c7c84c82f77b75340e12ec1a1da22551b4da26089f62a8d844d"
        "81a22b1fa18581d1c28dd3122754869b5b330af3e6180ffa3c6fd56ff96771a1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto/seal");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start_with_key, stop);
    tcase_add_test(all, known_answers);
    tcase_add_test(all, appends_and_opens);
    tcase_add_test(all, every_flipped_bit_and_every_cut_is_found);
    tcase_add_test(all, other_key_label_or_ad_does_not_open);
    tcase_add_test(all, a_valid_aead_with_a_foreign_nonce_is_refused);
    tcase_add_test(all, aead_known_answer_and_in_place);
    tcase_add_test(all, keystream_known_answer);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
