/* Hashes against answers of python hashlib, b2sum and xxhsum. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/crypto/hash.h"
#include "common/crypto/sha256.h"
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

static const struct {
    enum person person;
    const char *name;
    const char *hash; /* of "message" under the key file_hash("det5") */
} known[PERSON_COUNT] = {
    { PERSON_WRITER, "bk1 writer", "ec61ac09d92a94d7241093a5a7c223d7f3c70b2a4290219f84a2c3bae15686a8" },
    { PERSON_VIEW, "bk1 view", "c02a3e94b1d0e1e0918131f7f1663aae75137792570e140972b8088d17df7fda" },
    { PERSON_ID, "bk1 id", "5a8f057d788cccbe6f4ccccb6d2dff378be55d717aaeee894062ccebbcb12fe2" },
    { PERSON_CHUNK, "bk1 chunk", "f1b4b4bd2a51f38da2bdbfd0c829edf78cc45a9b7d5c9efbd242d00a2a4ee45c" },
    { PERSON_CDC, "bk1 cdc", "d5d8e0a36801545e766620fe698fbbf86330adcb3b25be18a2ed8c5aa1205e04" },
    { PERSON_MIX, "bk1 mix", "e233281ed2fd523389c7f065ebd32336e2640d61acdc3de598f052a488c32596" },
    { PERSON_TRAIL, "bk1 trail", "91b9fda77b2a00b17a1d562bf25e3c1deb8821e58c8b15fec6c5be79733132cb" },
    { PERSON_SESSION, "bk1 session", "a542989047eda33f20c6499209f5f35f9c5ad42d5aa4e1cf80adef132c5fb45c" },
    { PERSON_KID, "bk1 kid", "89c789eca38660bfd01e8349c430cdfbc262f434d31e7aba84591cc925430328" },
    { PERSON_PACK, "bk1 pack", "2306425550ff0a1e43aa01a7e5e79623483039dffef65ceac7625d64c3102223" },
    { PERSON_SNAP, "bk1 snap", "2698587b7e3a085363deaebbbb8823a2e424d47faca46cc6fdfe903ee52ddc75" },
    { PERSON_DATA, "bk1 data", "96ee8eba70f049db1163f6b152f741713ff570eb0c7d1a2b50172dbec0b2c1d2" },
    { PERSON_NODE, "bk1 node", "58f327524f5613526d3894e0a657288fda30556b9b8a685e1e4e0e647f3785e2" },
    { PERSON_TREE, "bk1 tree", "b172b15a11bffb413357852958b2455ed495c9fcaa4e584b2361eb4aad29d4c2" },
    { PERSON_RID, "bk1 rid", "f081ca520ccc3af59e0741769e2ca5381a2c167b71935ed1f887fc824f30f1c2" },
    { PERSON_SEAL_KEYS, "bk1 seal keys", "f74d2d4efb0ad012b089ec29574d12ff2c6e827d2320626cb87f40fa1946a1e8" },
    { PERSON_SEAL_NONCE, "bk1 seal nonce",
      "cf901ae5952ce93b58d266549f89006c938e01ca8e1750712af728411df9103d" },
    { PERSON_SEED, "bk1 seed", "6608cbfd5d857e3fce7b9d2e19fa49d9e851a1cc923976eeb48413eb640c83e0" },
    { PERSON_GRANT, "bk1 grant", "050a0d15d621c752c7981895efedfaca8c67659e4c6de030720a4051620dfeb6" },
    { PERSON_REQUEST, "bk1 request", "e60a4695659a47517b4d997f5ceebd106d2756e6101205245ac9416c1c4c89ce" },
    { PERSON_APPROVE, "bk1 approve", "e518d1c500f6ed0b4d712618c2c80fbbd4236b4052a075119284f84efbf0fac3" },
};

START_TEST(persons_and_keyed_hashes)
{
    uint8_t key[HASH_LEN];
    file_hash("det5", 4, key);
    for (size_t i = 0; i < PERSON_COUNT; i++) {
        uint8_t out[HASH_LEN];
        char padded[16] = "";
        memcpy(padded, known[i].name, strlen(known[i].name));
        ck_assert_mem_eq(hash_person(known[i].person), padded, 16);
        ck_assert_int_eq(hash_keyed(known[i].person, key, sizeof key, "message", 7, out, sizeof out, NULL),
                         0);
        assert_hex(out, sizeof out, known[i].hash);
    }
}
END_TEST

START_TEST(empty_key_and_other_lengths)
{
    uint8_t out[64];
    ck_assert_int_eq(hash_keyed(PERSON_RID, NULL, 0, "message", 7, out, 64, NULL), 0);
    assert_hex(
        out, 64,
        "cdfebb7f4adc0fb0aab4627dafe1366a089b207b760684c299ee547a05e19a3270a27a232bd8b97f948d13826e431606"
        "a8d4b2c00964f6f641c0a7fc581d9e0d");
    ck_assert_int_eq(hash_keyed(PERSON_RID, "unused", 0, "message", 7, out, 16, NULL), 0);
    assert_hex(out, 16, "d3da37a697e146f4cda73d5dd0815b9a");
}
END_TEST

START_TEST(sizes_outside_the_limits)
{
    uint8_t out[80] = { 0 };
    struct error err = ERROR_INIT;
    ck_assert_int_eq(hash_keyed(PERSON_ID, out, 65, "", 0, out, 32, &err), E_INTERNAL);
    ck_assert_int_eq(hash_keyed(PERSON_ID, out, 64, "", 0, out, 15, &err), E_INTERNAL);
    ck_assert_int_eq(hash_keyed(PERSON_ID, out, 64, "", 0, out, 65, &err), E_INTERNAL);
    ck_assert_int_eq(hash_keyed(PERSON_ID, out, 64, NULL, 0, out, 16, &err), 0);
}
END_TEST

START_TEST(pieces_equal_the_whole)
{
    const struct hash_piece pieces[] = {
        { .data = "mes", .len = 3 },
        { .data = NULL, .len = 0 },
        { .data = "sage", .len = 4 },
    };
    uint8_t whole[HASH_LEN];
    uint8_t parts[HASH_LEN];
    ck_assert_int_eq(hash_keyed(PERSON_DATA, "k", 1, "message", 7, whole, HASH_LEN, NULL), 0);
    ck_assert_int_eq(hash_pieces(PERSON_DATA, "k", 1, pieces, 3, parts, HASH_LEN, NULL), 0);
    ck_assert_mem_eq(whole, parts, HASH_LEN);
}
END_TEST

static void fill_big(uint8_t *big, size_t len)
{
    for (size_t i = 0; i < len; i++)
        big[i] = (uint8_t)(i * 7 % 251);
}

START_TEST(file_hash_is_b2sum)
{
    static uint8_t big[100000];
    uint8_t out[64];
    fill_big(big, sizeof big);
    file_hash("abc", 3, out);
    assert_hex(out, HASH_LEN, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    file_hash(NULL, 0, out);
    assert_hex(out, HASH_LEN, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    wide_hash("abc", 3, out);
    assert_hex(
        out, 64,
        "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc95"
        "18d38aa8dbf1925ab92386edd4009923");
    struct file_hash_state *s = file_hash_new(NULL);
    ck_assert_ptr_nonnull(s);
    for (size_t at = 0, step = 1; at < sizeof big; at += step++) {
        size_t left = sizeof big - at;
        file_hash_update(s, big + at, step < left ? step : left);
    }
    file_hash_update(s, NULL, 0);
    file_hash_final(s, out);
    file_hash_free(s);
    file_hash_free(NULL);
    assert_hex(out, HASH_LEN, "4e4726e4e63ae22b5e82dc60f1ed4fce7b996b30ab80d687e392cf3ee22be8bc");
}
END_TEST

/* Answers of python3-xxhash: xxh3_128_digest(data, seed=0x0123456789abcdef). */
START_TEST(check_with_a_seed)
{
    const uint64_t seed = 0x0123456789abcdef;
    static uint8_t big[100000];
    uint8_t out[CHECK_LEN];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i % 251);
    check_hash_seeded(seed, "abc", 3, out);
    assert_hex(out, CHECK_LEN, "521f5ca64895f66c4a2ec311f0e180a4");
    check_hash_seeded(seed, big, sizeof big, out);
    assert_hex(out, CHECK_LEN, "739740801aac2c7268077b92e7b1ca1d");
    uint64_t high = 0;
    uint64_t low = 0;
    const size_t ends[] = { 4, 8 };
    check_add_rows(seed, "abc\nabc\n", ends, 2, &high, &low);
    uint8_t twice[CHECK_LEN];
    for (int i = 0; i < 8; i++) {
        twice[i] = (uint8_t)(high >> (56 - 8 * i));
        twice[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
    assert_hex(twice, CHECK_LEN, "a43eb94c912becd8945d8623e1c30148");
    struct check_state *s = check_new_seeded(seed, NULL);
    for (int round = 0; round < 2; round++) {
        check_update(s, big, 12345);
        check_update(s, big + 12345, sizeof big - 12345);
        check_final(s, out);
        assert_hex(out, CHECK_LEN, "739740801aac2c7268077b92e7b1ca1d");
        check_reset(s);
    }
    check_update(s, "abc", 3);
    check_final(s, out);
    assert_hex(out, CHECK_LEN, "521f5ca64895f66c4a2ec311f0e180a4");
    check_free(s);
    uint8_t plain[CHECK_LEN];
    check_hash_seeded(0, big, sizeof big, out);
    check_hash(big, sizeof big, plain);
    ck_assert_mem_eq(out, plain, CHECK_LEN);
}
END_TEST

START_TEST(check_is_xxhsum)
{
    static uint8_t big[100000];
    uint8_t out[CHECK_LEN];
    fill_big(big, sizeof big);
    struct check_state *s = check_new(NULL);
    ck_assert_ptr_nonnull(s);
    check_final(s, out);
    assert_hex(out, CHECK_LEN, "99aa06d3014798d86001c324468d497f");
    check_update(s, "a", 1);
    check_update(s, "bc", 2);
    check_final(s, out);
    assert_hex(out, CHECK_LEN, "06b05ab6733a618578af5f94892f3950");
    check_reset(s);
    check_update(s, big, 333);
    check_update(s, big + 333, sizeof big - 333);
    check_final(s, out);
    assert_hex(out, CHECK_LEN, "70227b16fd5f74ef17a701075a95b432");
    check_free(s);
    check_free(NULL);
    ck_assert(check64(big, sizeof big) == 0x38257cc2053a1729ULL);
}
END_TEST

/* RFC 4231, test cases 2 and 6 (a key that is longer than a block), in pieces. */
START_TEST(hmac_of_the_rfc)
{
    char out[SHA256_TEXT];
    uint8_t key[131];
    memset(key, 0xaa, sizeof key);
    struct secret *jefe = secret_copy("Jefe", 4, NULL);
    struct secret *longer = secret_copy(key, sizeof key, NULL);
    const struct sha256_part two[] = { { "what do ya want ", 16 }, { "for nothing?", 12 }, { NULL, 0 } };
    const struct sha256_part six[] = { { "Test Using Larger Than Block-Size Key - Hash Key First", 54 },
                                       { NULL, 0 } };
    hmac_sha256(jefe, two, out);
    ck_assert_str_eq(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    hmac_sha256(longer, six, out);
    ck_assert_str_eq(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    secret_free(jefe);
    secret_free(longer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto/hash");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, stop);
    tcase_add_test(all, persons_and_keyed_hashes);
    tcase_add_test(all, empty_key_and_other_lengths);
    tcase_add_test(all, sizes_outside_the_limits);
    tcase_add_test(all, pieces_equal_the_whole);
    tcase_add_test(all, file_hash_is_b2sum);
    tcase_add_test(all, check_is_xxhsum);
    tcase_add_test(all, check_with_a_seed);
    tcase_add_test(all, hmac_of_the_rfc);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
