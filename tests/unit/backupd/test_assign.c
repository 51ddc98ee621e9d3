/* The file that says which writer a job uses. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backupd/job/assign.h"
#include "common/base/str.h"
#include "common/sys/atomic_file.h"
#include "common/base/banned.h"

static char path[] = "/tmp/assign-test.XXXXXX";

static void start(void)
{
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
}

static void stop(void)
{
    (void)unlink(path);
    memcpy(path, "/tmp/assign-test.XXXXXX", sizeof path);
}

static int load(const char *text, struct vec *out)
{
    ck_assert_int_eq(file_write_atomic(path, text, strlen(text), 0600, FILE_REPLACE, NULL), 0);
    return assign_load(path, out, NULL);
}

START_TEST(comes_back)
{
    struct vec list = VEC_OF(struct assignment);
    struct vec back = VEC_OF(struct assignment);
    for (unsigned i = 0; i < 50; i++) {
        struct assignment *a = vec_push(&list, NULL);
        memset(a->job, 'a' + (int)(i % 26), 1 + i);
        memset(a->writer, (int)i, WRITER_ID_LEN);
    }
    ck_assert_int_eq(assign_save(path, &list, NULL), 0);
    ck_assert_int_eq(assign_load(path, &back, NULL), 0);
    ck_assert_uint_eq(back.len, list.len);
    ck_assert_mem_eq(back.data, list.data, list.len * sizeof(struct assignment));
    vec_free(&list);
    vec_free(&back);
}
END_TEST

START_TEST(a_missing_file_is_empty)
{
    struct vec list = VEC_OF(struct assignment);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(assign_load(path, &list, NULL), 0);
    ck_assert_uint_eq(list.len, 0);
    vec_free(&list);
}
END_TEST

START_TEST(bad_lines_are_refused)
{
    static const char *const bad[] = {
        "shop\n",
        "shop 0011223344556677",
        "shop 001122334455667\n",
        "shop 00112233445566778\n",
        " 0011223344556677\n",
        "shop  0011223344556677\n",
        "shop 001122334455667G\n",
        "\n",
    };
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct vec list = VEC_OF(struct assignment);
        ck_assert_msg(load(bad[i], &list) == E_CORRUPT, "accepted '%s'", bad[i]);
        (void)assign_load(path, &list, &err);
        ck_assert_ptr_nonnull(strstr(err.text, path));
        vec_free(&list);
    }
    char *name = str_printf(NULL, "%065d 0011223344556677\n", 0);
    struct vec list = VEC_OF(struct assignment);
    ck_assert_int_eq(load(name, &list), E_CORRUPT);
    vec_clear(&list);
    ck_assert_int_eq(load(name + 1, &list), 0);
    vec_free(&list);
    free(name);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backupd/assign");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, stop);
    tcase_add_test(all, comes_back);
    tcase_add_test(all, a_missing_file_is_empty);
    tcase_add_test(all, bad_lines_are_refused);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
