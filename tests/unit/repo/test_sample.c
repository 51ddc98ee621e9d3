/* How well new bytes compress: text, noise, mixtures, much and little of it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/secret.h"
#include "common/repo/sample.h"

enum { KIB = 1024, BLOCK = 1000 };

static void text(struct sample *s, size_t len)
{
    static const char words[] = "two chairs and a table for the customer at number ";
    char block[BLOCK];
    for (size_t done = 0; done < len; done += BLOCK) {
        for (size_t i = 0; i < BLOCK; i++)
            block[i] = words[(i + done) % (sizeof words - 1)];
        ck_assert_int_eq(sample_add(s, block, len - done < BLOCK ? len - done : BLOCK, NULL), 0);
    }
}

static void noise(struct sample *s, size_t len)
{
    uint8_t block[BLOCK];
    for (size_t done = 0; done < len; done += BLOCK) {
        random_bytes(block, sizeof block);
        ck_assert_int_eq(sample_add(s, block, len - done < BLOCK ? len - done : BLOCK, NULL), 0);
    }
}

START_TEST(streams_have_their_own)
{
    struct sample *s = sample_new(NULL);
    uint64_t sampled = 1;
    uint64_t packed = 1;
    ck_assert_int_eq(sample_take(s, &sampled, &packed, NULL), 0);
    ck_assert_uint_eq(sampled, 0);
    text(s, 20 * KIB);
    ck_assert_int_eq(sample_take(s, &sampled, &packed, NULL), 0);
    ck_assert_uint_eq(sampled, 20 * KIB);
    ck_assert_uint_lt(packed, 2 * KIB);
    noise(s, 20 * KIB);
    ck_assert_int_eq(sample_take(s, &sampled, &packed, NULL), 0);
    ck_assert_uint_eq(sampled, 20 * KIB);
    ck_assert_uint_ge(packed, 20 * KIB);
    sample_total(s, &sampled, &packed);
    ck_assert_uint_eq(sampled, 40 * KIB);
    ck_assert_uint_gt(packed, 20 * KIB);
    sample_free(s);
    sample_free(NULL);
}
END_TEST

START_TEST(one_part_in_sixteen)
{
    struct sample *s = sample_new(NULL);
    uint64_t sampled = 0;
    uint64_t packed = 0;
    noise(s, 4096 * KIB);
    ck_assert_int_eq(sample_take(s, &sampled, &packed, NULL), 0);
    ck_assert_uint_eq(sampled, 256 * KIB);
    ck_assert_uint_ge(packed, 256 * KIB);
    text(s, 64 * KIB); /* the first window of the next one always counts */
    ck_assert_int_eq(sample_take(s, &sampled, &packed, NULL), 0);
    ck_assert_uint_eq(sampled, 64 * KIB);
    sample_free(s);
}
END_TEST

START_TEST(nothing_counts_after_the_end)
{
    struct sample *s = sample_new(NULL);
    uint64_t sampled = 0;
    uint64_t packed = 0;
    text(s, 10 * KIB);
    ck_assert_int_eq(sample_stop(s, NULL), 0);
    noise(s, 100 * KIB);
    ck_assert_int_eq(sample_take(s, &sampled, &packed, NULL), 0);
    ck_assert_uint_eq(sampled, 0);
    sample_total(s, &sampled, &packed);
    ck_assert_uint_eq(sampled, 10 * KIB);
    sample_free(s);
}
END_TEST

int main(void)
{
    if (crypto_init(NULL) < 0)
        return EXIT_FAILURE;
    Suite *suite = suite_create("repo/sample");
    TCase *all = tcase_create("all");
    tcase_add_test(all, streams_have_their_own);
    tcase_add_test(all, one_part_in_sixteen);
    tcase_add_test(all, nothing_counts_after_the_end);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
