/* Chunker: parameters, cuts against a plain reference, sizes, shifts, pages. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/chunk/chunker.h"
#include "common/crypto/secret.h"
#include "common/base/reader.h"
#include "common/base/banned.h"

enum { SAMPLE = 8 * 1024 * 1024 };

static const uint8_t key[KEY_LEN] = { 1, 2, 3 };
static uint8_t *sample;

static void setup(void)
{
    static const uint8_t seed[KEY_LEN] = { 9 };
    ck_assert_int_eq(crypto_init(NULL), 0);
    sample = malloc(SAMPLE);
    ck_assert_ptr_nonnull(sample);
    ck_assert_int_eq(keystream(seed, sample, SAMPLE, NULL), 0);
}

static void teardown(void)
{
    free(sample);
}

static struct chunker *content(uint32_t min, uint32_t avg, uint32_t max)
{
    struct chunker_params p = { .page_size = 0, .min = min, .avg = avg, .max = max };
    struct chunker *c = chunker_new(&p, key, NULL);
    ck_assert_ptr_nonnull(c);
    return c;
}

/* The cuts of data[0..len), as offsets of their ends. */
static size_t cuts_of(const struct chunker *c, const uint8_t *data, size_t len, size_t *cuts, size_t cap)
{
    size_t n = 0;
    for (size_t at = 0; at < len;) {
        size_t chunk = chunker_next(c, data + at, len - at, true);
        ck_assert_uint_gt(chunk, 0);
        ck_assert_uint_le(chunk, len - at);
        ck_assert_uint_lt(n, cap);
        at += chunk;
        cuts[n++] = at;
    }
    return n;
}

static const struct {
    struct chunker_params p;
    bool good;
} settings[] = {
    { CHUNKER_CONTENT_DEFAULT, true },
    { { .min = 64, .avg = 512, .max = 513 }, true },
    { { .min = 262144, .avg = 1048576, .max = 4194304 }, true },
    { { .min = 511, .avg = 512, .max = 1024 }, true },
    { { .min = 63, .avg = 512, .max = 1024 }, false },
    { { .min = 512, .avg = 512, .max = 1024 }, false },
    { { .min = 128, .avg = 511, .max = 1024 }, false },
    { { .min = 128, .avg = 1024, .max = 1024 }, false },
    { { .min = 128, .avg = 1048577, .max = 2097152 }, false },
    { { .min = 128, .avg = 1048576, .max = 4194305 }, false },
    { { .min = 0, .avg = 0, .max = 0 }, false },
    { { .page_size = 512 }, true },
    { { .page_size = 65536 }, true },
    { { .page_size = 4097 }, true },
    { { .page_size = 511 }, false },
    { { .page_size = 65537 }, false },
};

START_TEST(parameters)
{
    struct error err = ERROR_INIT;
    struct chunker *c = chunker_new(&settings[_i].p, key, &err);
    ck_assert_int_eq(c != NULL, settings[_i].good);
    if (c == NULL)
        ck_assert_int_eq(err.code, E_USAGE);
    chunker_free(c);
}
END_TEST

/* The rule, written down without any trick: at each position the hash of the 64 bytes before it. */
static size_t plain_next(const uint64_t *table, const struct chunker_params *p, const uint8_t *data,
                         size_t len)
{
    size_t normal = p->min + (size_t)(p->avg - p->min) * 49 / 64;
    size_t end = len < p->max ? len : p->max;
    for (size_t at = (size_t)p->min + 1; at <= end; at++) {
        uint64_t hash = 0;
        for (size_t i = at - 64; i < at; i++)
            hash = (hash << 1) + table[data[i]];
        uint64_t mean = UINT64_MAX / p->avg;
        if (hash < (at <= normal ? mean / 4 : mean * 4))
            return at;
    }
    return end;
}

START_TEST(cuts_are_those_of_the_plain_rule)
{
    static const struct chunker_params all[] = {
        CHUNKER_CONTENT_DEFAULT,
        { .min = 64, .avg = 512, .max = 1000 },
        { .min = 129, .avg = 700, .max = 2047 },
        { .min = 1000, .avg = 1001, .max = 1002 },
        { .min = 5000, .avg = 16385, .max = 65537 },
    };
    const struct chunker_params *p = &all[_i];
    uint8_t raw[256 * 8];
    uint64_t table[256];
    ck_assert_int_eq(keystream(key, raw, sizeof raw, NULL), 0);
    for (size_t i = 0; i < 256; i++)
        table[i] = load_u64(raw + 8 * i);
    struct chunker *c = chunker_new(p, key, NULL);
    ck_assert_ptr_nonnull(c);
    size_t len = 300001;
    for (size_t at = 0; at < len;) {
        size_t want = plain_next(table, p, sample + at, len - at);
        ck_assert_uint_eq(chunker_next(c, sample + at, len - at, true), want);
        at += want;
    }
    chunker_free(c);
}
END_TEST

START_TEST(small_portions_give_the_same_cuts)
{
    struct chunker *c = content(512, 2048, 8192);
    static size_t cuts[SAMPLE / 512];
    size_t len = 400000, have = 0, at = 0, n = 0;
    size_t count = cuts_of(c, sample, len, cuts, SAMPLE / 512);
    while (at < len) {
        size_t chunk = chunker_next(c, sample + at, have - at, have == len);
        if (chunk == 0) {
            ck_assert_uint_lt(have, len);
            have += 1 + (have * 7) % 700;
            have = have < len ? have : len;
            continue;
        }
        at += chunk;
        ck_assert_uint_eq(at, cuts[n++]);
    }
    ck_assert_uint_eq(n, count);
    ck_assert_uint_eq(chunker_next(c, sample, 0, true), 0);
    ck_assert_uint_eq(chunker_next(c, sample, 0, false), 0);
    ck_assert_uint_eq(chunker_next(c, sample, 1, true), 1);
    ck_assert_uint_eq(chunker_next(c, sample, 1, false), 0);
    chunker_free(c);
}
END_TEST

START_TEST(sizes_keep_to_the_bounds_and_the_mean)
{
    static const uint32_t averages[] = { 512, 1024, 2048, 4096, 8192 };
    static size_t cuts[SAMPLE / 64];
    uint32_t avg = averages[_i];
    struct chunker *c = content(avg / 4, avg, avg * 4);
    ck_assert_uint_eq(chunker_max(c), avg * 4);
    size_t n = cuts_of(c, sample, SAMPLE, cuts, SAMPLE / 64), forced = 0;
    for (size_t i = 0; i < n; i++) {
        size_t size = cuts[i] - (i == 0 ? 0 : cuts[i - 1]);
        ck_assert_uint_le(size, avg * 4);
        if (i + 1 < n)
            ck_assert_uint_gt(size, avg / 4);
        forced += size == avg * 4;
    }
    double mean = (double)SAMPLE / (double)n;
    ck_assert_double_gt(mean, 0.95 * avg);
    ck_assert_double_lt(mean, 1.05 * avg);
    ck_assert_uint_lt(forced * 1000, n);
    chunker_free(c);
}
END_TEST

START_TEST(megabyte_chunks)
{
    static size_t cuts[64];
    struct chunker *c = content(262144, 1048576, 4194304);
    size_t n = cuts_of(c, sample, SAMPLE, cuts, 64);
    ck_assert_uint_ge(n, 3);
    ck_assert_uint_le(n, 24);
    /* Constant data has one hash everywhere: with this key it is cut at the maximum. */
    memset(sample, 0, SAMPLE);
    ck_assert_uint_eq(chunker_next(c, sample, SAMPLE, true), 4194304);
    chunker_free(c);
}
END_TEST

/* How many chunks of b (by their end, moved by `shift`) end where chunks of a end. */
static size_t common_cuts(const size_t *a, size_t na, const size_t *b, size_t nb, size_t shift)
{
    size_t same = 0;
    for (size_t i = 0, k = 0; i < na && k < nb;) {
        if (a[i] + shift == b[k]) {
            same++;
            i++;
            k++;
        } else if (a[i] + shift < b[k]) {
            i++;
        } else {
            k++;
        }
    }
    return same;
}

START_TEST(cuts_move_with_the_data)
{
    static size_t before[SAMPLE / 512], after[SAMPLE / 512];
    size_t shift = (size_t)_i, len = 2000000;
    struct chunker *c = content(512, 2048, 8192);
    uint8_t *moved = malloc(len + shift);
    ck_assert_ptr_nonnull(moved);
    memset(moved, 0xaa, shift);
    memcpy(moved + shift, sample, len);
    size_t n = cuts_of(c, sample, len, before, SAMPLE / 512);
    size_t m = cuts_of(c, moved, len + shift, after, SAMPLE / 512);
    ck_assert_uint_gt(common_cuts(before, n, after, m, shift) + 12, n);
    free(moved);
    chunker_free(c);
}
END_TEST

START_TEST(a_change_stays_local)
{
    static size_t before[SAMPLE / 512], after[SAMPLE / 512];
    size_t len = 2000000;
    struct chunker *c = content(512, 2048, 8192);
    size_t n = cuts_of(c, sample, len, before, SAMPLE / 512);
    for (size_t at = 0; at < len; at += 100000)
        sample[at] ^= 1;
    size_t m = cuts_of(c, sample, len, after, SAMPLE / 512);
    ck_assert_uint_gt(common_cuts(before, n, after, m, 0) + (size_t)20 * 8, n);
    chunker_free(c);
}
END_TEST

START_TEST(the_key_decides)
{
    static size_t a[SAMPLE / 512], b[SAMPLE / 512];
    static const uint8_t other[KEY_LEN] = { 1, 2, 4 };
    struct chunker_params p = CHUNKER_CONTENT_DEFAULT;
    struct chunker *one = chunker_new(&p, key, NULL);
    struct chunker *same = chunker_new(&p, key, NULL);
    struct chunker *two = chunker_new(&p, other, NULL);
    ck_assert(one != NULL && same != NULL && two != NULL);
    size_t na = cuts_of(one, sample, 1000000, a, SAMPLE / 512);
    size_t nb = cuts_of(same, sample, 1000000, b, SAMPLE / 512);
    ck_assert_uint_eq(na, nb);
    ck_assert_mem_eq(a, b, na * sizeof *a);
    nb = cuts_of(two, sample, 1000000, b, SAMPLE / 512);
    ck_assert_uint_lt(common_cuts(a, na, b, nb, 0), na / 50);
    chunker_free(one);
    chunker_free(same);
    chunker_free(two);
}
END_TEST

START_TEST(pages)
{
    struct chunker_params p = { .page_size = 4096 };
    struct chunker *c = chunker_new(&p, NULL, NULL);
    ck_assert_ptr_nonnull(c);
    ck_assert_uint_eq(chunker_max(c), 4096);
    ck_assert_uint_eq(chunker_next(c, sample, 10000, false), 4096);
    ck_assert_uint_eq(chunker_next(c, sample, 4096, false), 4096);
    ck_assert_uint_eq(chunker_next(c, sample, 4095, false), 0);
    ck_assert_uint_eq(chunker_next(c, sample, 4095, true), 4095);
    ck_assert_uint_eq(chunker_next(c, sample, 0, true), 0);
    chunker_free(c);
    chunker_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chunk/chunker");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, parameters, 0, sizeof settings / sizeof settings[0]);
    tcase_add_loop_test(all, cuts_are_those_of_the_plain_rule, 0, 5);
    tcase_add_test(all, small_portions_give_the_same_cuts);
    tcase_add_loop_test(all, sizes_keep_to_the_bounds_and_the_mean, 0, 5);
    tcase_add_test(all, megabyte_chunks);
    tcase_add_loop_test(all, cuts_move_with_the_data, 1, 9);
    tcase_add_test(all, a_change_stays_local);
    tcase_add_test(all, the_key_decides);
    tcase_add_test(all, pages);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
