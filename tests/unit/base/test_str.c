/* Strings: copies, hex, UTF-8, safe printing, distances. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/base/banned.h"

static void expect_text(char *got, const char *want)
{
    ck_assert_ptr_nonnull(got);
    ck_assert_str_eq(got, want);
    free(got);
}

START_TEST(copies)
{
    struct error err = ERROR_INIT;
    expect_text(str_dup("abc", NULL), "abc");
    expect_text(str_dup("", NULL), "");
    expect_text(str_dup_len("abc", 2, NULL), "ab");
    expect_text(str_dup_len(NULL, 0, NULL), "");
    expect_text(str_printf(NULL, "%s-%03d", "x", 7), "x-007");
    mem_fail_after(1);
    ck_assert_ptr_null(str_dup("x", &err));
    mem_fail_after(1);
    ck_assert_ptr_null(str_printf(&err, "x"));
    ck_assert_int_eq(err.code, E_NOMEM);
}
END_TEST

START_TEST(starts_and_ends)
{
    ck_assert(str_starts("abc", "ab"));
    ck_assert(str_starts("abc", ""));
    ck_assert(!str_starts("ab", "abc"));
    ck_assert(str_ends("abc", "bc"));
    ck_assert(str_ends("abc", ""));
    ck_assert(!str_ends("bc", "abc"));
}
END_TEST

START_TEST(hex)
{
    char text[7];
    uint8_t back[3];
    hex_encode(text, "\x00\xa5\xff", 3);
    ck_assert_str_eq(text, "00a5ff");
    ck_assert(hex_decode(back, 3, text));
    ck_assert_mem_eq(back, "\x00\xa5\xff", 3);
    hex_encode(text, NULL, 0);
    ck_assert_str_eq(text, "");
    ck_assert(!hex_decode(back, 3, "00a5fF"));
    ck_assert(!hex_decode(back, 3, "00a5f"));
    ck_assert(!hex_decode(back, 3, "00a5g0"));
    ck_assert(!hex_decode(back, 3, " 0a5ff"));
    ck_assert(!hex_decode(back, 1, ""));
}
END_TEST

START_TEST(utf8)
{
    static const char *const good[] = { "",
                                        "abc",
                                        "\xc3\xa4",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80",
                                        "\xf4\x8f\xbf\xbf",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80" };
    static const char *const bad[] = { "\x80",
                                       "\xc0\x80",
                                       "\xc1\xbf",
                                       "\xc3",
                                       "\xc3(",
                                       "\xe0\x9f\xbf",
                                       "\xe2\x82",
                                       "\xed\xa0\x80",
                                       "\xf0\x8f\xbf\xbf",
                                       "\xf4\x90\x80\x80",
                                       "\xf5\x80\x80\x80",
                                       "\xff",
                                       "\xf0\x9f\x98" };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(utf8_valid(good[i], strlen(good[i])), "good %zu", i);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!utf8_valid(bad[i], strlen(bad[i])), "bad %zu", i);
    ck_assert(!utf8_valid("\xe2\x82\xac", 2));
    ck_assert(utf8_valid("a\0b", 3));
}
END_TEST

START_TEST(printable)
{
    char out[64];
    char tiny[8];
    ck_assert_str_eq(str_printable(out, sizeof out, "a\xc3\xa4"), "a\xc3\xa4");
    ck_assert_str_eq(str_printable(out, sizeof out, "a\033[2J\n\x7f"), "a\\x1b[2J\\x0a\\x7f");
    ck_assert_str_eq(str_printable(out, sizeof out, "\xc2\x9b!"), "\\xc2\\x9b!");
    ck_assert_str_eq(str_printable(out, sizeof out, "\xff\xe2\x82"), "\\xff\\xe2\\x82");
    (void)str_printable(tiny, sizeof tiny, "\001\001\001\001\001");
    ck_assert_str_eq(tiny, "\\x01");
    (void)str_printable(tiny, 1, "abc");
    ck_assert_str_eq(tiny, "");
}
END_TEST

START_TEST(shell_words)
{
    char out[32];
    ck_assert_str_eq(str_shell_word(out, sizeof out, "/etc/a-b_c.yaml"), "/etc/a-b_c.yaml");
    ck_assert_str_eq(str_shell_word(out, sizeof out, ""), "''");
    ck_assert_str_eq(str_shell_word(out, sizeof out, "a b"), "'a b'");
    ck_assert_str_eq(str_shell_word(out, sizeof out, "$(x)`y`"), "'$(x)`y`'");
    ck_assert_str_eq(str_shell_word(out, sizeof out, "it's '"), "'it'\\''s '\\'''");
    ck_assert_str_eq(str_shell_word(out, sizeof out, "\033[1m\n"), "'\\x1b[1m\\x0a'");
    ck_assert_str_eq(str_shell_word(out, sizeof out, "'''''''''''''''"), "''");
    ck_assert_str_eq(str_shell_word(out, 2, " "), "");
}
END_TEST

START_TEST(distance)
{
    char longer[100];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    ck_assert_uint_eq(str_distance("backup", "backup", 2), 0);
    ck_assert_uint_eq(str_distance("backup", "bakup", 2), 1);
    ck_assert_uint_eq(str_distance("backup", "backpu", 2), 2);
    ck_assert_uint_eq(str_distance("", "abc", 5), 3);
    ck_assert_uint_eq(str_distance("kitten", "sitting", 5), 3);
    ck_assert_uint_eq(str_distance("kitten", "sitting", 2), 3);
    ck_assert_uint_eq(str_distance(longer, longer, 2), 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/str");
    TCase *all = tcase_create("all");
    tcase_add_test(all, copies);
    tcase_add_test(all, starts_and_ends);
    tcase_add_test(all, hex);
    tcase_add_test(all, utf8);
    tcase_add_test(all, printable);
    tcase_add_test(all, shell_words);
    tcase_add_test(all, distance);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
