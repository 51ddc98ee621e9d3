/* Signatures and boxes against an independent implementation. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/crypto/hash.h"
#include "common/crypto/sign.h"
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

static struct secret *counting_seed(void)
{
    struct secret *seed = secret_new(SIGN_SEED_LEN, NULL);
    ck_assert_ptr_nonnull(seed);
    for (size_t i = 0; i < SIGN_SEED_LEN; i++)
        secret_data(seed)[i] = (uint8_t)i;
    return seed;
}

static const char *const known[] = {
    [SIGN_WRITER] =
        "ae6a3441c6a20e62c782bd416ca9ec716201c474f9532be16c4d24940696c65e064c2badb45de08cf1a360b691b46130"
        "68a29d85efec96cc3149b9676f08d904",
    [SIGN_RETENTION] =
        "ecfacdd5c098a1ff132951977ce6b991c861176b392db50831689e258bc020b93f47c3bd14ba9c94a04a030a5995a984"
        "1f68ad297e221cb6b23d9ef2e81ee50c",
    [SIGN_CHARTER] =
        "c25b6fc8ea7e98e57a785301263e788fdfb00e2af5a4579045e8ef6e5ec2fd5aa3ab92de15a7a0563aca670e21a3ab0a"
        "1de12cbf92bdfee19c0b76552dd3070b",
    [SIGN_SHRED] =
        "9b5121b3a824e50265dc6cb185f1eb6c90c47af444bddc6822fda90835262b42b93ad210f2ab4800f47148c4fdbdb1ed"
        "c4110aa2712fc1471a5b5d4dd3e15e06",
};

START_TEST(signatures_known_answers)
{
    struct secret *seed = counting_seed();
    uint8_t pk[SIGN_PK_LEN];
    ck_assert_int_eq(sign_public(seed, pk, NULL), 0);
    assert_hex(pk, sizeof pk, "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
    for (int tag = SIGN_WRITER; tag <= SIGN_SHRED; tag++) {
        uint8_t sig[SIG_LEN];
        ck_assert_int_eq(sign_detached(seed, (enum sign_tag)tag, "record", 6, sig, NULL), 0);
        assert_hex(sig, sizeof sig, known[tag]);
        for (int other = SIGN_WRITER; other <= SIGN_SHRED; other++)
            ck_assert_int_eq(sign_verify(pk, (enum sign_tag)other, "record", 6, sig), other == tag);
        ck_assert(!sign_verify(pk, (enum sign_tag)tag, "recorD", 6, sig));
        ck_assert(!sign_verify(pk, (enum sign_tag)tag, "record", 5, sig));
    }
    secret_free(seed);
}
END_TEST

START_TEST(every_changed_byte_of_a_signature_is_found)
{
    struct secret *seed = counting_seed();
    uint8_t pk[SIGN_PK_LEN];
    uint8_t sig[SIG_LEN];
    ck_assert_int_eq(sign_public(seed, pk, NULL), 0);
    ck_assert_int_eq(sign_detached(seed, SIGN_WRITER, NULL, 0, sig, NULL), 0);
    ck_assert(sign_verify(pk, SIGN_WRITER, NULL, 0, sig));
    for (size_t i = 0; i < sizeof sig; i++) {
        sig[i] ^= 0x10;
        ck_assert(!sign_verify(pk, SIGN_WRITER, NULL, 0, sig));
        sig[i] ^= 0x10;
    }
    for (size_t i = 0; i < sizeof pk; i++) {
        pk[i] ^= 1;
        ck_assert(!sign_verify(pk, SIGN_WRITER, NULL, 0, sig));
        pk[i] ^= 1;
    }
    secret_free(seed);
}
END_TEST

START_TEST(small_order_public_keys_are_refused)
{
    /* The neutral element: with R = neutral and s = 0 every message would verify. */
    uint8_t pk[SIGN_PK_LEN] = { 1 };
    uint8_t sig[SIG_LEN] = { 1 };
    uint8_t box[BOX_SEAL_OVERHEAD + 1];
    uint8_t zero[BOX_PK_LEN] = { 0 };
    ck_assert(!sign_verify(pk, SIGN_WRITER, "x", 1, sig));
    ck_assert_int_eq(box_seal(zero, "x", 1, box, NULL), E_AUTH);
}
END_TEST

START_TEST(keys_of_wrong_size)
{
    struct secret *bad = secret_new(31, NULL);
    uint8_t out[SIG_LEN];
    ck_assert_int_eq(sign_public(bad, out, NULL), E_INTERNAL);
    ck_assert_int_eq(sign_detached(bad, SIGN_WRITER, "", 0, out, NULL), E_INTERNAL);
    ck_assert_int_eq(box_public(bad, out, NULL), E_INTERNAL);
    ck_assert_int_eq(box_open(bad, out, sizeof out, out, NULL), E_INTERNAL);
    secret_free(bad);
}
END_TEST

START_TEST(boxes)
{
    uint8_t raw[BOX_SK_LEN];
    file_hash("det5", 4, raw);
    struct secret *sk = secret_copy(raw, sizeof raw, NULL);
    struct secret *other = secret_random(BOX_SK_LEN, NULL);
    uint8_t pk[BOX_PK_LEN];
    uint8_t rid[RID_LEN];
    uint8_t box[32 + BOX_SEAL_OVERHEAD];
    uint8_t back[32];
    ck_assert_int_eq(box_public(sk, pk, NULL), 0);
    assert_hex(pk, sizeof pk, "c35e37da333ea69563973e1290fc3136f386a69c806f6019a940170084487a0c");
    ck_assert_int_eq(box_rid(pk, rid, NULL), 0);
    assert_hex(rid, sizeof rid, "54c770236e98a9dad5311468ac0ae085");
    ck_assert_int_eq(box_seal(pk, raw, 32, box, NULL), 0);
    ck_assert_int_eq(box_open(sk, box, sizeof box, back, NULL), 0);
    ck_assert_mem_eq(back, raw, 32);
    ck_assert_int_eq(box_open(other, box, sizeof box, back, NULL), E_AUTH);
    ck_assert_int_eq(box_open(sk, box, BOX_SEAL_OVERHEAD - 1, back, NULL), E_AUTH);
    for (size_t i = 0; i < sizeof box; i++) {
        box[i] ^= 0x80;
        /* The top bit of the ephemeral public key has no meaning for X25519, but it goes into the nonce. */
        ck_assert_int_eq(box_open(sk, box, sizeof box, back, NULL), E_AUTH);
        box[i] ^= 0x80;
    }
    secret_free(sk);
    secret_free(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto/sign");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, stop);
    tcase_add_test(all, signatures_known_answers);
    tcase_add_test(all, every_changed_byte_of_a_signature_is_found);
    tcase_add_test(all, small_order_public_keys_are_refused);
    tcase_add_test(all, keys_of_wrong_size);
    tcase_add_test(all, boxes);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
