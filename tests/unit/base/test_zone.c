#include <check.h>
#include <stdlib.h>

#include "common/base/zone.h"

START_TEST(offsets)
{
    struct error err = ERROR_INIT;
    ck_assert_int_eq(zone_set("Europe/Berlin", &err), 0);
    ck_assert_int_eq(zone_offset(NULL, 1768000000), 3600); /* January 2026 */
    ck_assert_int_eq(zone_offset(NULL, 1784000000), 7200); /* July 2026 */
    ck_assert_int_eq(zone_offset(NULL, 1792889999), 7200); /* 25 October 2026, 00:59:59 UTC */
    ck_assert_int_eq(zone_offset(NULL, 1792890000), 3600); /* a second later */
    ck_assert_int_eq(zone_set("America/New_York", &err), 0);
    ck_assert_int_eq(zone_offset(NULL, 1768000000), -18000);
    ck_assert_int_eq(zone_set("UTC", &err), 0);
    ck_assert_int_eq(zone_offset(NULL, 1784000000), 0);
}
END_TEST

START_TEST(no_zone)
{
    static const char *const bad[] = { "",          "/etc/passwd",    "../../../etc/passwd",
                                       "Europe",    "Europe/Nowhere", "zone.tab",
                                       "CET-1CEST", "Europe/Ber lin" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error err = ERROR_INIT;
        ck_assert_msg(zone_set(bad[i], &err) == E_USAGE, "'%s'", bad[i]);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("zone");
    TCase *t = tcase_create("zone");
    tcase_add_test(t, offsets);
    tcase_add_test(t, no_zone);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
