/* Errors: codes, texts, wrapping, limits. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/banned.h"

START_TEST(set_and_clear)
{
    struct error err = ERROR_INIT;
    ck_assert_int_eq(error_set(&err, E_BUSY, "lock %d", 7), E_BUSY);
    ck_assert_int_eq(err.code, E_BUSY);
    ck_assert_str_eq(err.text, "lock 7");
    ck_assert_int_eq(error_corrupt(&err, "some-name", "bad %s", "thing"), E_CORRUPT);
    ck_assert_str_eq(err.name, "some-name");
    ck_assert_int_eq(error_set(&err, E_IO, "x"), E_IO);
    ck_assert_ptr_null(err.name);
    error_clear(&err);
    ck_assert_int_eq(err.code, 0);
    ck_assert_str_eq(err.text, "");
    error_clear(NULL);
}
END_TEST

START_TEST(null_gives_the_code)
{
    errno = ENOENT;
    ck_assert_int_eq(error_sys(NULL, "x"), E_NOT_FOUND);
    ck_assert_int_eq(error_set(NULL, E_AUTH, "x"), E_AUTH);
    ck_assert_int_eq(error_corrupt(NULL, "n", "x"), E_CORRUPT);
    ck_assert_int_lt(error_wrap(NULL, "x"), 0);
}
END_TEST

START_TEST(errno_becomes_code_and_text)
{
    static const struct {
        int sys;
        int code;
    } known[] = {
        { ENOENT, E_NOT_FOUND }, { ENOTDIR, E_NOT_FOUND }, { EEXIST, E_EXISTS },
        { EACCES, E_DENIED },    { EPERM, E_DENIED },      { EROFS, E_DENIED },
        { ENOSPC, E_NO_SPACE },  { EDQUOT, E_NO_SPACE },   { ENOMEM, E_NOMEM },
        { EAGAIN, E_RETRY },     { ECONNRESET, E_RETRY },  { EBUSY, E_BUSY },
        { EIO, E_IO },           { EBADF, E_IO },          { 0, E_IO },
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct error err = ERROR_INIT;
        errno = known[i].sys;
        ck_assert_int_eq(error_sys(&err, "open %s", "f"), known[i].code);
        ck_assert_int_eq(err.sys, known[i].sys);
        ck_assert_int_eq(strncmp(err.text, "open f: ", 8), 0);
    }
}
END_TEST

START_TEST(wrap_keeps_the_cause)
{
    struct error err = ERROR_INIT;
    errno = ENOSPC;
    (void)error_sys(&err, "write");
    ck_assert_int_eq(error_wrap(&err, "pack %s", "p1"), E_NO_SPACE);
    ck_assert_int_eq(strncmp(err.text, "pack p1: write: ", 16), 0);
    ck_assert_int_eq(err.sys, ENOSPC);
}
END_TEST

START_TEST(long_texts_are_cut_not_overrun)
{
    char big[2 * ERROR_TEXT_MAX];
    struct error err = ERROR_INIT;
    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    (void)error_set(&err, E_IO, "the cause");
    (void)error_wrap(&err, "%s", big);
    ck_assert_uint_lt(strlen(err.text), ERROR_TEXT_MAX);
    ck_assert_ptr_nonnull(strstr(err.text, ": the cause"));
    (void)error_set(&err, E_IO, "%s", big);
    ck_assert_uint_eq(strlen(err.text), ERROR_TEXT_MAX - 1);
    (void)error_wrap(&err, "%s", "more");
    ck_assert_uint_eq(strlen(err.text), ERROR_TEXT_MAX - 1);
    errno = EIO;
    (void)error_sys(&err, "%s", big);
    ck_assert_uint_eq(strlen(err.text), ERROR_TEXT_MAX - 1);
}
END_TEST

START_TEST(copies)
{
    struct error from = ERROR_INIT;
    struct error to = ERROR_INIT;
    (void)error_corrupt(&from, "name", "text");
    ck_assert_int_eq(error_copy(&to, &from), E_CORRUPT);
    ck_assert_str_eq(to.text, "text");
    ck_assert_str_eq(to.name, "name");
    ck_assert_int_eq(error_copy(NULL, &from), E_CORRUPT);
    ck_assert_int_eq(error_copy(&from, &from), E_CORRUPT);
}
END_TEST

START_TEST(names_and_passing)
{
    ck_assert_str_eq(error_code_name(0), "OK");
    ck_assert_str_eq(error_code_name(E_RETRY), "RETRY");
    ck_assert_str_eq(error_code_name(E_INTERNAL), "INTERNAL");
    ck_assert_str_eq(error_code_name(E_CONFLICT), "CONFLICT");
    ck_assert_str_eq(error_code_name(E_CONFLICT - 1), "UNKNOWN");
    ck_assert_str_eq(error_code_name(1), "UNKNOWN");
    ck_assert_str_eq(error_code_name(INT_MIN), "UNKNOWN");
    ck_assert_str_eq(error_code_name(INT_MAX), "UNKNOWN");
    for (int code = E_CONFLICT; code < 0; code++)
        ck_assert_int_eq(error_is_passing(code), code == E_RETRY || code == E_BUSY);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/error");
    TCase *all = tcase_create("all");
    tcase_add_test(all, set_and_clear);
    tcase_add_test(all, null_gives_the_code);
    tcase_add_test(all, errno_becomes_code_and_text);
    tcase_add_test(all, wrap_keeps_the_cause);
    tcase_add_test(all, long_texts_are_cut_not_overrun);
    tcase_add_test(all, copies);
    tcase_add_test(all, names_and_passing);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
