/* Buffers, the writer on them, and memory that runs out. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/base/writer.h"
#include "common/base/banned.h"

START_TEST(append_consume_clear)
{
    struct buf b = BUF_INIT;
    ck_assert_int_eq(buf_append(&b, NULL, 0, NULL), 0);
    ck_assert_ptr_null(b.data);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(buf_append(&b, "0123456789", 10, NULL), 0);
    ck_assert_uint_eq(b.len, 10000);
    buf_consume(&b, 9993);
    ck_assert_uint_eq(b.len, 7);
    ck_assert_mem_eq(b.data, "3456789", 7);
    buf_consume(&b, 0);
    ck_assert_uint_eq(b.len, 7);
    ck_assert_int_eq(buf_zeros(&b, 3, NULL), 0);
    ck_assert_mem_eq(b.data, "3456789\0\0\0", 10);
    ck_assert_int_eq(buf_zeros(&b, 0, NULL), 0);
    buf_consume(&b, 10);
    ck_assert_uint_eq(b.len, 0);
    size_t cap = b.cap;
    buf_clear(&b);
    ck_assert_uint_eq(b.cap, cap);
    buf_free(&b);
    ck_assert_ptr_null(b.data);
    buf_free(&b);
    buf_wipe(&b);
}
END_TEST

START_TEST(printf_appends_without_the_nul)
{
    struct buf b = BUF_INIT;
    char big[1000];
    memset(big, 'x', sizeof big);
    ck_assert_int_eq(buf_printf(&b, NULL, "%d-%s", 42, "a"), 0);
    ck_assert_int_eq(buf_printf(&b, NULL, "%.*s", (int)sizeof big, big), 0);
    ck_assert_int_eq(buf_printf(&b, NULL, "%s", ""), 0);
    ck_assert_uint_eq(b.len, 4 + sizeof big);
    ck_assert_mem_eq(b.data, "42-axx", 6);
    buf_wipe(&b);
    ck_assert_uint_eq(b.len, 0);
}
END_TEST

START_TEST(impossible_sizes)
{
    struct buf b = BUF_INIT;
    struct error err = ERROR_INIT;
    ck_assert_int_eq(buf_append(&b, "x", 1, NULL), 0);
    ck_assert_int_eq(buf_reserve(&b, SIZE_MAX, &err), E_NOMEM);
    ck_assert_int_eq(buf_reserve(&b, SIZE_MAX / 2, &err), E_NOMEM);
    ck_assert_int_eq(err.code, E_NOMEM);
    ck_assert_uint_eq(b.len, 1);
    buf_free(&b);
}
END_TEST

START_TEST(failure_changes_nothing)
{
    struct buf b = BUF_INIT;
    struct error err = ERROR_INIT;
    char big[1000] = { 0 };
    ck_assert_int_eq(buf_append(&b, "abc", 3, NULL), 0);
    mem_fail_after(1);
    ck_assert_int_eq(buf_append(&b, big, sizeof big, &err), E_NOMEM);
    mem_fail_after(1);
    ck_assert_int_eq(buf_zeros(&b, sizeof big, &err), E_NOMEM);
    mem_fail_after(1);
    ck_assert_int_eq(buf_printf(&b, &err, "%1000d", 1), E_NOMEM);
    ck_assert_uint_eq(b.len, 3);
    ck_assert_mem_eq(b.data, "abc", 3);
    buf_free(&b);
}
END_TEST

START_TEST(writer_is_little_endian)
{
    static const uint8_t want[] = { 1, 3, 2, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8, 'h', 'i', 0, 0 };
    struct buf b = BUF_INIT;
    struct writer w = writer_of(&b);
    writer_u8(&w, 0x01);
    writer_u16(&w, 0x0203);
    writer_u32(&w, 0x04050607);
    writer_u64(&w, 0x08090a0b0c0d0e0fULL);
    writer_bytes(&w, "hi", 2);
    writer_zeros(&w, 2);
    ck_assert_int_eq(writer_end(&w, NULL), 0);
    ck_assert_uint_eq(b.len, sizeof want);
    ck_assert_mem_eq(b.data, want, sizeof want);
    buf_free(&b);
}
END_TEST

START_TEST(writer_failure_is_sticky)
{
    struct buf b = BUF_INIT;
    struct error err = ERROR_INIT;
    struct writer w = writer_of(&b);
    mem_fail_after(1);
    writer_u32(&w, 1);
    writer_u64(&w, 2);
    writer_zeros(&w, 2);
    ck_assert_int_eq(writer_end(&w, &err), E_NOMEM);
    ck_assert_uint_eq(b.len, 0);
    buf_free(&b);
}
END_TEST

START_TEST(allocation)
{
    struct error err = ERROR_INIT;
    uint8_t *p = mem_alloc(4, 8, NULL);
    for (int i = 0; i < 32; i++)
        ck_assert_uint_eq(p[i], 0);
    free(p);
    p = mem_alloc(0, 8, NULL);
    ck_assert_ptr_nonnull(p);
    p = mem_grow(p, 3, 5, NULL);
    ck_assert_ptr_nonnull(p);
    ck_assert_ptr_null(mem_grow(p, SIZE_MAX / 2, 3, &err));
    ck_assert_int_eq(err.code, E_NOMEM);
    free(p);
    p = mem_copy("abc", 3, NULL);
    ck_assert_mem_eq(p, "abc", 3);
    free(p);
    free(mem_copy(NULL, 0, NULL));
    mem_fail_after(2);
    p = mem_alloc(1, 1, &err);
    ck_assert_ptr_nonnull(p);
    ck_assert_ptr_null(mem_alloc(1, 1, &err));
    free(p);
    p = mem_alloc(1, 1, &err);
    ck_assert_ptr_nonnull(p);
    free(p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/buffer");
    TCase *all = tcase_create("all");
    tcase_add_test(all, append_consume_clear);
    tcase_add_test(all, printf_appends_without_the_nul);
    tcase_add_test(all, impossible_sizes);
    tcase_add_test(all, failure_changes_nothing);
    tcase_add_test(all, writer_is_little_endian);
    tcase_add_test(all, writer_failure_is_sticky);
    tcase_add_test(all, allocation);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
