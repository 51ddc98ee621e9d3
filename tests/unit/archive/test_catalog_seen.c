/* Which paths came before: nothing about it can be known, or aimed at, from outside. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "common/archive/catalog_seen.h"

START_TEST(paths_are_told_apart)
{
    struct catalog_seen s = CATALOG_SEEN_INIT;
    struct error err = ERROR_INIT;
    char path[64];
    bool added = false;
    ck_assert_int_eq(catalog_seen_init(&s, &err), 0);
    for (unsigned i = 0; i < 100000; i++) {
        (void)snprintf(path, sizeof path, "%x/%x", i % 317, i / 317);
        ck_assert_int_eq(catalog_seen_add(&s, path, i % 2 == 0 ? CATALOG_REGULAR : CATALOG_DIR, &added, &err),
                         0);
        ck_assert_msg(added, "%s", path);
    }
    ck_assert_int_eq(catalog_seen_add(&s, "0/0", CATALOG_DIR, &added, &err), 0);
    ck_assert(!added);
    ck_assert(catalog_seen_is(&s, "0/0", CATALOG_REGULAR)); /* as it was added first */
    ck_assert(!catalog_seen_is(&s, "0/0", CATALOG_DIR));
    ck_assert(catalog_seen_is(&s, "1/0", CATALOG_DIR));
    ck_assert(!catalog_seen_is(&s, "1", CATALOG_DIR));
    ck_assert(!catalog_seen_is(&s, "", CATALOG_REGULAR));
    catalog_seen_free(&s);
}
END_TEST

/* Names that meet for one reader do not for the next: who makes files cannot prepare them. */
START_TEST(every_reader_has_its_own_points)
{
    struct catalog_seen a = CATALOG_SEEN_INIT;
    struct catalog_seen b = CATALOG_SEEN_INIT;
    struct error err = ERROR_INIT;
    ck_assert_int_eq(catalog_seen_init(&a, &err), 0);
    ck_assert_int_eq(catalog_seen_init(&b, &err), 0);
    ck_assert_uint_ne(a.point[0], b.point[0]);
    ck_assert_uint_ne(a.point[1], b.point[1]);
    ck_assert_uint_ne(a.point[0], a.point[1]);
    catalog_seen_free(&a);
    catalog_seen_free(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog_seen");
    TCase *t = tcase_create("all");
    tcase_add_test(t, paths_are_told_apart);
    tcase_add_test(t, every_reader_has_its_own_points);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
