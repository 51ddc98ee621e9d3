#include <check.h>
#include <stdlib.h>

#include "common/base/glob.h"

START_TEST(test_glob)
{
    static const struct {
        const char *pattern;
        const char *name;
        bool matches;
    } cases[] = {
        { "", "", true },
        { "", "a", false },
        { "a", "", false },
        { "abc", "abc", true },
        { "abc", "abcd", false },
        { "abcd", "abc", false },
        { "*", "", true },
        { "*", "anything.at all", true },
        { "**", "x", true },
        { "a*", "a", true },
        { "a*c", "abbbc", true },
        { "a*c", "abbb", false },
        { "*b*d", "abcbcd", true },
        { "*ab", "aab", true },
        { "?", "", false },
        { "?", "x", true },
        { "a?c", "abc", true },
        { "a?c", "ac", false },
        { "log_*_??", "log_2024_12", true },
        { "log_*_??", "log_2024_1", false },
        { "a\\*", "a*", true },
        { "a\\*", "ab", false },
        { "\\?", "?", true },
        { "\\?", "x", false },
        { "*\\*", "ab*", true },
        { "a\\\\", "a\\", true },
        { "a\\", "a\\", true },
        { "[a]", "[a]", true },
        { "[a]", "a", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(glob_match(cases[i].pattern, cases[i].name) == cases[i].matches, "%s against %s",
                      cases[i].pattern, cases[i].name);
}
END_TEST

/* What runs away in a matcher that recurs. */
START_TEST(test_glob_many_stars)
{
    char name[2001];
    for (size_t i = 0; i < 2000; i++)
        name[i] = 'a';
    name[2000] = '\0';
    ck_assert(!glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*b", name));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("glob");
    TCase *t = tcase_create("glob");
    tcase_add_test(t, test_glob);
    tcase_add_test(t, test_glob_many_stars);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
