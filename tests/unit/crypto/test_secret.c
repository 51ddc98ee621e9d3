/* Guarded memory, and randomness that tests can repeat. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/crypto/secret.h"
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

START_TEST(life_of_a_secret)
{
    struct secret *s = secret_new(100, NULL);
    uint8_t zero[100] = { 0 };
    ck_assert_ptr_nonnull(s);
    ck_assert_uint_eq(secret_len(s), 100);
    ck_assert_mem_eq(secret_view(s), zero, 100);
    memset(secret_data(s), 7, 100);
    struct secret *copy = secret_copy(secret_view(s), 100, NULL);
    ck_assert(secret_equal(secret_view(copy), secret_view(s), 100));
    secret_data(copy)[99] ^= 1;
    ck_assert(!secret_equal(secret_view(copy), secret_view(s), 100));
    secret_wipe(secret_data(copy), 100);
    ck_assert_mem_eq(secret_view(copy), zero, 100);
    secret_free(s);
    secret_free(copy);
    secret_free(NULL);
}
END_TEST

START_TEST(empty_secret)
{
    struct secret *s = secret_copy(NULL, 0, NULL);
    ck_assert_ptr_nonnull(s);
    ck_assert_uint_eq(secret_len(s), 0);
    secret_free(s);
}
END_TEST

START_TEST(no_memory)
{
    struct error err = ERROR_INIT;
    ck_assert_ptr_null(secret_new(SIZE_MAX / 2, &err));
    ck_assert_int_eq(err.code, E_NOMEM);
    mem_fail_after(1);
    ck_assert_ptr_null(secret_random(32, &err));
    ck_assert_int_eq(err.code, E_NOMEM);
}
END_TEST

START_TEST(crypto_init_again)
{
    ck_assert_int_eq(crypto_init(NULL), 0);
}
END_TEST

static void draw(uint8_t out[256])
{
    static const uint8_t pk[BOX_PK_LEN] = { 9 };
    random_bytes(out, 64);
    struct secret *s = secret_random(64, NULL);
    memcpy(out + 64, secret_view(s), 64);
    secret_free(s);
    ck_assert_int_eq(box_seal(pk, "message", 7, out + 128, NULL), 0);
    memset(out + 128 + 7 + BOX_SEAL_OVERHEAD, 0, 128 - 7 - BOX_SEAL_OVERHEAD);
}

START_TEST(seeded_randomness_repeats_everywhere)
{
    static const uint8_t seed[32] = "a seed for tests";
    static const uint8_t other[32] = "another seed";
    uint8_t a[256];
    uint8_t b[256];
    random_seed_for_tests(seed);
    draw(a);
    draw(b);
    ck_assert_mem_ne(a, b, 64);
    ck_assert_mem_ne(a, a + 64, 64);
    random_seed_for_tests(seed);
    draw(b);
    ck_assert_mem_eq(a, b, 256);
    random_seed_for_tests(other);
    draw(b);
    ck_assert_mem_ne(a, b, 64);
    random_seed_for_tests(NULL);
    draw(a);
    draw(b);
    ck_assert_mem_ne(a, b, 64);
    ck_assert_mem_ne(a + 64, b + 64, 64);
    ck_assert_mem_ne(a + 128, b + 128, 64);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto/secret");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, stop);
    tcase_add_test(all, life_of_a_secret);
    tcase_add_test(all, empty_secret);
    tcase_add_test(all, no_memory);
    tcase_add_test(all, crypto_init_again);
    tcase_add_test(all, seeded_randomness_repeats_everywhere);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
