/* vec and map. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/map.h"
#include "common/base/reader.h"
#include "common/base/vec.h"
#include "common/base/banned.h"

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

START_TEST(vec_grows_and_sorts)
{
    struct vec v = VEC_OF(uint32_t);
    vec_sort(&v, by_value);
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t *p = vec_push(&v, NULL);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq(*p, 0);
        *p = i * 7919 % 1000;
    }
    ck_assert_uint_eq(v.len, 1000);
    vec_sort(&v, by_value);
    for (uint32_t i = 0; i < 1000; i++)
        ck_assert_uint_eq(*(uint32_t *)vec_at(&v, i), i);
    vec_clear(&v);
    ck_assert_uint_eq(v.len, 0);
    ck_assert_uint_eq(*(uint32_t *)vec_push(&v, NULL), 0); /* zeroed although the memory was used */
    vec_free(&v);
    vec_free(&v);
}
END_TEST

START_TEST(vec_without_memory)
{
    struct vec v = VEC_OF(uint32_t);
    struct error err = ERROR_INIT;
    for (int i = 0; i < 8; i++)
        ck_assert_ptr_nonnull(vec_push(&v, NULL));
    mem_fail_after(1);
    ck_assert_ptr_null(vec_push(&v, &err));
    ck_assert_int_eq(err.code, E_NOMEM);
    ck_assert_uint_eq(v.len, 8);
    vec_free(&v);
}
END_TEST

static void make_key(uint8_t key[16], uint32_t n)
{
    memset(key, 0, 16);
    store_u32(key + n % 13, n);
    key[15] = (uint8_t)(n % 13);
}

START_TEST(map_keeps_everything)
{
    enum { COUNT = 20000 };
    struct map m = MAP_OF(16, sizeof(uint64_t));
    uint8_t key[16];
    bool added;
    make_key(key, 5);
    ck_assert_ptr_null(map_get(&m, key));
    for (uint32_t i = 0; i < COUNT; i++) {
        make_key(key, i);
        uint64_t *value = map_put(&m, key, &added, NULL);
        ck_assert_ptr_nonnull(value);
        ck_assert(added);
        ck_assert_uint_eq(*value, 0);
        ck_assert_uint_eq((uintptr_t)value % sizeof *value, 0);
        *value = i + 1;
    }
    ck_assert_uint_eq(m.len, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        make_key(key, i);
        uint64_t *value = map_get(&m, key);
        ck_assert_ptr_nonnull(value);
        ck_assert_uint_eq(*value, i + 1);
        ck_assert_ptr_eq(map_put(&m, key, &added, NULL), value);
        ck_assert(!added);
    }
    make_key(key, COUNT);
    ck_assert_ptr_null(map_get(&m, key));
    ck_assert_uint_eq(m.len, COUNT);
    map_free(&m);
    map_free(&m);
}
END_TEST

START_TEST(map_walk_meets_each_once)
{
    struct map m = MAP_OF(3, 1);
    uint64_t sum = 0;
    size_t count = 0;
    size_t pos = 0;
    const void *key = NULL;
    ck_assert_ptr_null(map_next(&m, &pos, &key));
    for (uint8_t i = 0; i < 100; i++) {
        uint8_t k[3] = { i, 1, 2 };
        uint8_t *value = map_put(&m, k, NULL, NULL);
        *value = i;
    }
    pos = 0;
    for (const uint8_t *value; (value = map_next(&m, &pos, &key)) != NULL; count++) {
        ck_assert_uint_eq(*(const uint8_t *)key, *value);
        sum += *value;
    }
    ck_assert_uint_eq(count, 100);
    ck_assert_uint_eq(sum, 4950);
    map_free(&m);
}
END_TEST

START_TEST(map_without_memory)
{
    struct map m = MAP_OF(1, 4);
    struct error err = ERROR_INIT;
    mem_fail_after(1);
    ck_assert_ptr_null(map_put(&m, "a", NULL, &err));
    ck_assert_int_eq(err.code, E_NOMEM);
    ck_assert_ptr_null(map_get(&m, "a"));
    ck_assert_ptr_nonnull(map_put(&m, "a", NULL, &err));
    ck_assert_ptr_nonnull(map_get(&m, "a"));
    map_free(&m);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/containers");
    TCase *all = tcase_create("all");
    tcase_add_test(all, vec_grows_and_sorts);
    tcase_add_test(all, vec_without_memory);
    tcase_add_test(all, map_keeps_everything);
    tcase_add_test(all, map_walk_meets_each_once);
    tcase_add_test(all, map_without_memory);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
