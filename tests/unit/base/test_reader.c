/* The cursor over untrusted bytes: sticky failure, no read past the end. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/reader.h"
#include "common/base/banned.h"

static const uint8_t data[] = { 1, 3, 2, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8, 'h', 'i', 0, 0 };

START_TEST(everything_in_order)
{
    char two[2];
    struct reader r = reader_of(data, sizeof data);
    ck_assert_uint_eq(reader_u8(&r), 1);
    ck_assert_uint_eq(reader_u16(&r), 0x0203);
    ck_assert_uint_eq(reader_u32(&r), 0x04050607);
    ck_assert_uint_eq(reader_u64(&r), 0x08090a0b0c0d0e0fULL);
    reader_copy(&r, two, 2);
    ck_assert_mem_eq(two, "hi", 2);
    ck_assert(!reader_at_end(&r));
    ck_assert_uint_eq(reader_left(&r), 2);
    reader_zeros(&r, 2);
    ck_assert(reader_ok(&r));
    ck_assert(reader_at_end(&r));
    ck_assert_uint_eq(reader_left(&r), 0);
}
END_TEST

START_TEST(failure_is_sticky)
{
    uint8_t to[4] = { 9, 9, 9, 9 };
    struct reader r = reader_of(data, 3);
    ck_assert_uint_eq(reader_u32(&r), 0);
    ck_assert(!reader_ok(&r));
    ck_assert_uint_eq(reader_u8(&r), 0);
    ck_assert_uint_eq(reader_u16(&r), 0);
    ck_assert_uint_eq(reader_u64(&r), 0);
    ck_assert_ptr_null(reader_bytes(&r, 1));
    ck_assert_ptr_null(reader_bytes(&r, 0));
    reader_copy(&r, to, sizeof to);
    ck_assert_mem_eq(to, "\0\0\0\0", 4);
    reader_zeros(&r, 0);
    ck_assert_uint_eq(reader_left(&r), 0);
    ck_assert(!reader_at_end(&r));
}
END_TEST

START_TEST(every_length_fails_at_its_end)
{
    for (size_t len = 0; len <= 15; len++) {
        uint8_t *exact = malloc(len == 0 ? 1 : len); /* so that a checker sees one byte too many */
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, data, len);
        struct reader r = reader_of(exact, len);
        (void)reader_u8(&r);
        (void)reader_u16(&r);
        (void)reader_u32(&r);
        (void)reader_u64(&r);
        ck_assert_int_eq(reader_ok(&r), len == 15);
        free(exact);
    }
}
END_TEST

START_TEST(huge_lengths_do_not_wrap)
{
    struct reader r = reader_of(data, sizeof data);
    (void)reader_u8(&r);
    ck_assert_ptr_null(reader_bytes(&r, SIZE_MAX));
    ck_assert(!reader_ok(&r));
    r = reader_of(data, sizeof data);
    (void)reader_u8(&r);
    reader_zeros(&r, SIZE_MAX - 1);
    ck_assert(!reader_ok(&r));
}
END_TEST

START_TEST(zeros_and_own_checks)
{
    struct reader r = reader_of("\0\0\1", 3);
    reader_zeros(&r, 2);
    ck_assert(reader_ok(&r));
    reader_zeros(&r, 1);
    ck_assert(!reader_ok(&r));
    r = reader_of("x", 1);
    reader_fail(&r);
    ck_assert(!reader_ok(&r));
    ck_assert_ptr_null(reader_bytes(&r, 1));
}
END_TEST

START_TEST(empty)
{
    struct reader r = reader_of(NULL, 0);
    ck_assert(reader_at_end(&r));
    ck_assert_ptr_nonnull(reader_bytes(&r, 0));
    reader_copy(&r, NULL, 0);
    ck_assert(reader_ok(&r));
    ck_assert_uint_eq(reader_u8(&r), 0);
    ck_assert(!reader_ok(&r));
}
END_TEST

START_TEST(loads_and_stores)
{
    uint8_t p[8];
    store_u16(p, 0xfedc);
    ck_assert_uint_eq(load_u16(p), 0xfedc);
    store_u32(p, 0xfedcba98);
    ck_assert_uint_eq(load_u32(p), 0xfedcba98);
    ck_assert_uint_eq(p[0], 0x98);
    store_u64(p, 0xfedcba9876543210ULL);
    ck_assert(load_u64(p) == 0xfedcba9876543210ULL);
    ck_assert_uint_eq(p[7], 0xfe);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/reader");
    TCase *all = tcase_create("all");
    tcase_add_test(all, everything_in_order);
    tcase_add_test(all, failure_is_sticky);
    tcase_add_test(all, every_length_fails_at_its_end);
    tcase_add_test(all, huge_lengths_do_not_wrap);
    tcase_add_test(all, zeros_and_own_checks);
    tcase_add_test(all, empty);
    tcase_add_test(all, loads_and_stores);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
