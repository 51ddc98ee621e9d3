/* High-water marks: text and file. What they are for is tested in test_repo.c. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/repo/marks.h"
#include "common/base/banned.h"

static struct marks m;

static void start(void)
{
    uint8_t id[WRITER_ID_LEN];
    uint8_t hash[HASH_LEN];
    marks_init(&m);
    memset(m.repo_id, 1, REPO_ID_LEN);
    m.charter.seq = 2;
    memset(m.charter.hash, 2, HASH_LEN);
    memset(id, 9, sizeof id);
    memset(hash, 3, sizeof hash);
    ck_assert_int_eq(marks_set_writer(&m, id, 7, hash, NULL), 0);
    memset(id, 4, sizeof id);
    ck_assert_int_eq(marks_set_writer(&m, id, 8, hash, NULL), 0);
}

static void stop(void)
{
    marks_free(&m);
}

static void assert_same(const struct marks *a)
{
    uint8_t id[WRITER_ID_LEN];
    ck_assert_mem_eq(a->repo_id, m.repo_id, REPO_ID_LEN);
    ck_assert_uint_eq(a->charter.seq, 2);
    ck_assert_mem_eq(a->charter.hash, m.charter.hash, HASH_LEN);
    ck_assert_uint_eq(a->retention.seq, 0);
    ck_assert_uint_eq(a->writers.len, 2);
    memset(id, 9, sizeof id);
    ck_assert_uint_eq(marks_writer(a, id)->seq, 7);
    memset(id, 4, sizeof id);
    ck_assert_uint_eq(marks_writer(a, id)->seq, 8);
    memset(id, 5, sizeof id);
    ck_assert_ptr_null(marks_writer(a, id));
}

START_TEST(text_goes_both_ways)
{
    struct buf text = BUF_INIT;
    struct marks back;
    ck_assert_int_eq(marks_encode(&m, &text, NULL), 0);
    ck_assert_int_eq(marks_decode(text.data, text.len, &back, NULL), 0);
    assert_same(&back);
    marks_free(&back);
    for (size_t len = 0; len < text.len; len++)
        ck_assert_int_eq(marks_decode(text.data, len, &back, NULL), E_CORRUPT);
    ck_assert_int_eq(buf_append(&text, "\n", 1, NULL), 0);
    ck_assert_int_eq(marks_decode(text.data, text.len, &back, NULL), E_CORRUPT);
    buf_free(&text);
}
END_TEST

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define HEAD "bk1 marks 1\nrepo 01010101010101010101010101010101\n"
#define LOGS "charter 0 " ZEROS "\nretention 0 " ZEROS "\n"
#define WRITER(id) "writer " id " 1 " ZEROS "\n"

START_TEST(strict_syntax)
{
    static const char *const bad[] = {
        "bk1 marks 2\nrepo 01010101010101010101010101010101\n" LOGS "end\n",
        HEAD "retention 0 " ZEROS "\ncharter 0 " ZEROS "\nend\n",
        HEAD "charter -1 " ZEROS "\nretention 0 " ZEROS "\nend\n",
        HEAD "charter 01 " ZEROS "\nretention 0 " ZEROS "\nend\n",
        HEAD LOGS WRITER("0202020202020202") WRITER("0101010101010101") "end\n",
        HEAD LOGS WRITER("0202020202020202") WRITER("0202020202020202") "end\n",
        HEAD LOGS WRITER("02020202020202") "end\n",
        HEAD LOGS "end 1\n",
        HEAD LOGS "end\nend\n",
    };
    static const char good[] = HEAD LOGS WRITER("0101010101010101") WRITER("0202020202020202") "end\n";
    struct marks back;
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(marks_decode(bad[i], strlen(bad[i]), &back, &err) == E_CORRUPT, "%zu", i);
        ck_assert_str_eq(err.name, ERR_MARKS_SYNTAX);
    }
    ck_assert_int_eq(marks_decode(good, strlen(good), &back, NULL), 0);
    marks_free(&back);
}
END_TEST

START_TEST(file_goes_both_ways)
{
    char dir[] = "/tmp/test_marks.XXXXXX";
    char path[64];
    struct marks back;
    struct error err = ERROR_INIT;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/marks", dir);
    ck_assert_int_eq(marks_load(path, &back, NULL), E_NOT_FOUND);
    ck_assert_uint_eq(back.charter.seq, 0);
    ck_assert_int_eq(marks_save(path, &m, NULL), 0);
    ck_assert_int_eq(marks_save(path, &m, NULL), 0); /* replaces */
    ck_assert_int_eq(marks_load(path, &back, NULL), 0);
    assert_same(&back);
    marks_free(&back);
    FILE *f = fopen(path, "a");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fputs("x\n", f) >= 0 ? 0 : 1, 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(marks_load(path, &back, &err), E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo/marks");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, stop);
    tcase_add_test(all, text_goes_both_ways);
    tcase_add_test(all, strict_syntax);
    tcase_add_test(all, file_goes_both_ways);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
