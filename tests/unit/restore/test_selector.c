/* What people may type to name a snapshot, and the path arguments. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "restore/paths.h"
#include "restore/select.h"
#include "restore/target/space.h"

static struct selector parsed(const char *text, const char *job)
{
    struct selector s;
    struct error err = ERROR_INIT;
    ck_assert_msg(selector_parse(text, job, &s, &err) == 0, "%s: %s", text, err.text);
    return s;
}

static void refused(const char *text, const char *job)
{
    struct selector s;
    struct error err = ERROR_INIT;
    ck_assert_msg(selector_parse(text, job, &s, &err) == E_USAGE, "\"%s\" was taken", text);
    ck_assert_str_ne(err.text, "");
}

START_TEST(test_names)
{
    struct selector s = parsed("shop-db/7", NULL);
    ck_assert_int_eq(s.kind, SELECT_NUMBER);
    ck_assert_str_eq(s.job, "shop-db");
    ck_assert_uint_eq(s.number, 7);
    s = parsed("a/b/12", NULL);
    ck_assert_str_eq(s.job, "a/b");
    s = parsed("1234567", "shop-db");
    ck_assert_int_eq(s.kind, SELECT_NUMBER);
    ck_assert_uint_eq(s.number, 1234567);
    s = parsed("x/7", "x");
    ck_assert_str_eq(s.job, "x");
    refused("x/7", "y");
    refused("x/0", NULL);
    refused("x/99999999999", NULL);
    refused("x/-1", NULL);
    refused("/7", NULL);
    refused("x/", NULL);
    refused("7", NULL);
    refused("", NULL);
    refused("7", "");
}
END_TEST

START_TEST(test_latest)
{
    struct selector s = parsed("latest", NULL);
    ck_assert_int_eq(s.kind, SELECT_LATEST);
    ck_assert_uint_eq(s.back, 0);
    ck_assert_str_eq(s.job, "");
    s = parsed("shop-db/latest~12", NULL);
    ck_assert_uint_eq(s.back, 12);
    ck_assert_str_eq(s.job, "shop-db");
    refused("latest~", NULL);
    refused("latest~x", NULL);
    refused("latest~-1", NULL);
    refused("latest1", NULL);
    refused("Latest", NULL);
}
END_TEST

START_TEST(test_times)
{
    static const struct {
        const char *text;
        uint64_t seconds;
    } good[] = {
        { "1970-01-01", 86399 },
        { "2026-11-24", 1795564799 },
        { "2026-11-24T02:30", 1795487459 },
        { "2026-11-24 02:30", 1795487459 },
        { "2026-11-24T02:30:15", 1795487415 },
        { "2026-11-24T02:30:15Z", 1795487415 },
        { "2024-02-29", 1709251199 },
    };
    static const char *const bad[] = { "2026-02-29",       "2026-13-01",         "2026-00-01",
                                       "2026-11-31",       "2026-11-2",          "26-11-24",
                                       "2026-11-24T24:00", "2026-11-24T02:60",   "2026-11",
                                       "2026-11-24T",      "2026-11-24T02:30:1", "2026-11-24T02:30:15ZZ",
                                       "2026-11-24T02",    "1969-12-31",         "20261124T0230",
                                       "yesterday" };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct selector s = parsed(good[i].text, NULL);
        ck_assert_int_eq(s.kind, SELECT_TIME);
        ck_assert_msg(s.time == good[i].seconds, "%s is %llu", good[i].text, (unsigned long long)s.time);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused(bad[i], NULL);
}
END_TEST

START_TEST(test_receipts)
{
    char longest[66];
    memset(longest, 'a', 65);
    longest[65] = '\0';
    refused(longest, NULL);
    longest[64] = '\0';
    struct selector s = parsed(longest, NULL);
    ck_assert_int_eq(s.kind, SELECT_HASH);
    ck_assert_str_eq(s.hex, longest);
    s = parsed("ABCDEF", NULL);
    ck_assert_str_eq(s.hex, "abcdef");
    s = parsed("123456", NULL);
    ck_assert_int_eq(s.kind, SELECT_HASH);
    refused("abcde", NULL);
    refused("12345", NULL);
    refused("abcdeg", NULL);
    refused("abcdef\n", NULL);
}
END_TEST

START_TEST(test_paths)
{
    static const char *const args[] = { "./a/b/", "/c", "never" };
    struct paths p;
    ck_assert_int_eq(paths_of(&p, args, 3, NULL), 0);
    ck_assert(paths_take(&p, "a/b"));
    ck_assert(paths_take(&p, "a/b/c"));
    ck_assert(!paths_take(&p, "a/bc"));
    ck_assert(!paths_take(&p, "a"));
    ck_assert_str_eq(paths_missed(&p), "c");
    ck_assert(paths_take(&p, "c"));
    ck_assert_str_eq(paths_missed(&p), "never");
    paths_free(&p);
    ck_assert_int_eq(paths_of(&p, NULL, 0, NULL), 0);
    ck_assert(paths_take(&p, "anything"));
    ck_assert_ptr_null(paths_missed(&p));
    paths_free(&p);
    static const char *const empty[] = { "./" };
    ck_assert_int_eq(paths_of(&p, empty, 1, NULL), E_USAGE);
    paths_free(&p);
}
END_TEST

START_TEST(test_space)
{
    struct error err = ERROR_INIT;
    char text[RATE_TEXT_MAX];
    ck_assert_int_eq(space_check("/tmp", 1, 1, &err), 0);
    ck_assert_int_eq(space_check("/tmp/does-not-exist-yet", 1, 1, &err), 0);
    ck_assert_int_eq(space_check("/tmp", UINT64_MAX, 1, &err), E_NO_SPACE);
    ck_assert_ptr_nonnull(strstr(err.text, "nothing was written"));
    ck_assert_int_lt(space_check("/no/such/place", 1, 1, &err), 0);
    ck_assert_str_eq(rate_format(text, 1024 * 1024, 500), "1.0 MiB in 0.5 s (2.0 MiB/s)");
    ck_assert_ptr_nonnull(rate_format(text, UINT64_MAX, 0));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("selector");
    TCase *t = tcase_create("selector");
    tcase_add_test(t, test_names);
    tcase_add_test(t, test_latest);
    tcase_add_test(t, test_times);
    tcase_add_test(t, test_receipts);
    tcase_add_test(t, test_paths);
    tcase_add_test(t, test_space);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
