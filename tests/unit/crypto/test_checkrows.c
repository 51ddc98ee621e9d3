/* Hashes of many rows, against the library's hash of each one. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "common/base/banned.h"

/* Longer than two blocks of the long hash, 1024 bytes each. */
enum { LONGEST = 2200, LONGEST_KNOWN = 1100 };

static const uint64_t seeds[] = { 0, 1, 0x0123456789abcdef, UINT64_MAX, 0x8000000000000000 };

/* Any bytes, always the same. */
static void fill(uint8_t *p, size_t len, uint64_t state)
{
    for (size_t i = 0; i < len; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        p[i] = (uint8_t)(state >> 56);
    }
}

static uint64_t big_endian(const uint8_t *p)
{
    uint64_t n = 0;
    for (int i = 0; i < 8; i++)
        n = n << 8 | p[i];
    return n;
}

static void add_one(uint64_t seed, const uint8_t *row, size_t len, uint64_t *high, uint64_t *low)
{
    uint8_t hash[CHECK_LEN];
    check_hash_seeded(seed, row, len, hash);
    uint64_t more = big_endian(hash + 8);
    *low += more;
    *high += big_endian(hash) + (*low < more);
}

START_TEST(every_length_by_itself)
{
    static uint8_t row[LONGEST + 1];
    const uint64_t seed = seeds[_i];
    for (size_t len = 0; len <= LONGEST; len++) {
        const size_t end = len + 1;
        uint64_t sum[2] = { UINT64_MAX, UINT64_MAX - 5 }; /* so that it carries */
        uint64_t want[2] = { UINT64_MAX, UINT64_MAX - 5 };
        fill(row, len + 1, len + 1);
        check_add_rows(seed, row, &end, 1, &sum[0], &sum[1]);
        add_one(seed, row, len, &want[0], &want[1]);
        ck_assert_msg(sum[0] == want[0] && sum[1] == want[1], "%zu bytes", len);
    }
}
END_TEST

/* Rows of all lengths in one block, at odd places, in an order in which neighbours are of different kinds. */
START_TEST(many_rows_in_a_block)
{
    enum { ROWS = 2003 };
    static uint8_t block[ROWS * 300];
    static size_t ends[ROWS];
    const uint64_t seed = seeds[_i];
    uint64_t sum[2] = { 0, 0 };
    uint64_t want[2] = { 0, 0 };
    size_t at = 0;
    fill(block, sizeof block, 99);
    for (size_t i = 0; i < ROWS; i++) {
        size_t len = i * 97 % 299;
        add_one(seed, block + at, len, &want[0], &want[1]);
        at += len + 1;
        ends[i] = at;
    }
    check_add_rows(seed, block, ends, ROWS, &sum[0], &sum[1]);
    ck_assert(sum[0] == want[0] && sum[1] == want[1]);
    check_add_rows(seed, block, ends, 0, &sum[0], &sum[1]);
    ck_assert(sum[0] == want[0] && sum[1] == want[1]);
}
END_TEST

/* python3-xxhash: sum(xxh3_128_intdigest(bytes((n * 31 + j * 7) % 251 for j in range(n)), seed=0x0123456789abcdef)
 * for n in range(1101)) % 2**128. */
START_TEST(as_python_says)
{
    static uint8_t row[LONGEST_KNOWN + 1];
    uint64_t high = 0;
    uint64_t low = 0;
    for (size_t n = 0; n <= LONGEST_KNOWN; n++) {
        const size_t end = n + 1;
        for (size_t j = 0; j < n; j++)
            row[j] = (uint8_t)((n * 31 + j * 7) % 251);
        check_add_rows(0x0123456789abcdef, row, &end, 1, &high, &low);
    }
    ck_assert(high == 0x0bb6aae13cae7d9e && low == 0x5db230e295ac6cee);
}
END_TEST

int main(void)
{
    const int n = (int)(sizeof seeds / sizeof *seeds);
    Suite *suite = suite_create("crypto/checkrows");
    TCase *all = tcase_create("all");
    tcase_add_loop_test(all, every_length_by_itself, 0, n);
    tcase_add_loop_test(all, many_rows_in_a_block, 0, n);
    tcase_add_test(all, as_python_says);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
