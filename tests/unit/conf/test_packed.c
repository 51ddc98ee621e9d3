/* A configuration as one file: what a daemon keeps of what it has accepted. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/conf/conf.h"

#include "common/base/banned.h"

#define LOCAL "repositories:\n  r: {storage: {type: local, path: /r}}\n"

static char directory[64];

static void setup(void)
{
    (void)snprintf(directory, sizeof directory, "%s", "/tmp/test_packed.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    ck_assert_int_eq(mkdir("conf.d", 0700), 0);
}

static void teardown(void)
{
    static const char *const names[] = { "a.yaml", "p", "conf.d/b.yaml", "conf.d/c.yaml", "conf.d" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)remove(names[i]);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(directory), 0);
}

static void write_bytes(const char *name, const void *data, size_t len)
{
    FILE *f = fopen(name, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

static void write_file(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

static struct conf *load(const char *name, struct buf *packed, struct error *err)
{
    const struct conf_hooks hooks = { .need_jobs = true, .packed = packed };
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct conf *c = conf_load(name, &hooks, &problems, err);
    conf_problems_free(&problems);
    return c;
}

/* Wherever that file lies, and whatever has become of the files. */
START_TEST(what_was_read_is_read_again)
{
    struct buf packed = BUF_INIT;
    struct buf again = BUF_INIT;
    write_file("a.yaml", LOCAL "jobs:\n  j: {engine: sqlite}\ndaemon: {socket: run/s}\n");
    write_file("conf.d/b.yaml", "jobs:\n  k: {engine: sqlite}\n");
    write_file("conf.d/c.yaml", "");
    struct conf *first = load("a.yaml", &packed, NULL);
    ck_assert_ptr_nonnull(first);
    write_file("a.yaml", "nonsense: 1\n");
    ck_assert_int_eq(unlink("conf.d/b.yaml"), 0);
    write_bytes("p", packed.data, packed.len);
    struct conf *c = load("p", &again, NULL);
    ck_assert_ptr_nonnull(c);
    ck_assert_str_eq(c->file, first->file);
    ck_assert_str_eq(c->dir, first->dir);
    ck_assert(c->packed && !first->packed);
    ck_assert_str_eq(c->daemon.socket, first->daemon.socket);
    ck_assert_uint_eq(c->njobs, 2);
    ck_assert_str_eq(conf_find_job(c, "k", NULL)->place.file, "conf.d/b.yaml");
    ck_assert_uint_eq(again.len, packed.len);
    ck_assert_mem_eq(again.data, packed.data, packed.len);
    conf_free(first);
    conf_free(c);
    buf_free(&packed);
    buf_free(&again);
}
END_TEST

START_TEST(more_than_one_file_may_hold)
{
    static char text[CONF_FILE_MAX];
    struct buf packed = BUF_INIT;
    (void)memset(text, '#', sizeof text);
    write_file("a.yaml", LOCAL "jobs:\n  j: {engine: sqlite}\n");
    write_bytes("conf.d/b.yaml", text, sizeof text);
    write_bytes("conf.d/c.yaml", text, sizeof text);
    conf_free(load("a.yaml", &packed, NULL));
    ck_assert_uint_gt(packed.len, 2 * (size_t)CONF_FILE_MAX);
    write_bytes("p", packed.data, packed.len);
    struct conf *c = load("p", NULL, NULL);
    ck_assert_ptr_nonnull(c);
    conf_free(c);
    buf_free(&packed);
}
END_TEST

START_TEST(nothing_is_packed_of_what_has_mistakes)
{
    struct buf packed = BUF_INIT;
    struct error err = ERROR_INIT;
    write_file("a.yaml", LOCAL "jobs:\n  j: {engine: sqlite}\nnonsense: 1\n");
    ck_assert_ptr_null(load("a.yaml", &packed, &err));
    ck_assert_uint_eq(packed.len, 0);
}
END_TEST

START_TEST(cut_off_anywhere)
{
    struct buf packed = BUF_INIT;
    write_file("a.yaml", LOCAL "jobs:\n  j: {engine: sqlite}\n");
    write_file("conf.d/b.yaml", "jobs:\n  k: {engine: sqlite}\n");
    conf_free(load("a.yaml", &packed, NULL));
    size_t files = 0;
    for (size_t len = 0; len < packed.len; len++) {
        struct error err = ERROR_INIT;
        write_bytes("p", packed.data, len);
        struct conf *c = load("p", NULL, &err);
        files += c != NULL ? 1 : 0;
        ck_assert(c != NULL || err.code == E_CORRUPT || err.code == E_USAGE);
        conf_free(c);
    }
    ck_assert_uint_eq(files, 1); /* the main file alone */
    buf_free(&packed);
}
END_TEST

START_TEST(wrong_lengths)
{
    static const char *const heads[] = {
        "",          "99999999999 1\n", "1 99999999999\n", "-1 1\n", "1 1", "1  1\nx\ny\n",
        "1 1\nx\ny", "1 1\nxx\ny\n",    "1 1\nx\nyy\n"
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct error err = ERROR_INIT;
        struct buf bad = BUF_INIT;
        ck_assert_int_eq(buf_printf(&bad, NULL, "backupd configuration, packed 1\n%s", heads[i]), 0);
        write_bytes("p", bad.data, bad.len);
        ck_assert_ptr_null(load("p", NULL, &err));
        ck_assert_msg(err.code == E_CORRUPT, "%s: %s", heads[i], err.text);
        buf_free(&bad);
    }
}
END_TEST

START_TEST(without_memory)
{
    bool done = false;
    write_file("a.yaml", LOCAL "jobs:\n  j: {engine: sqlite}\n");
    for (unsigned long n = 1; !done; n++) {
        struct buf packed = BUF_INIT;
        struct error err = ERROR_INIT;
        ck_assert_uint_lt(n, 2000);
        mem_fail_after(n);
        struct conf *c = load("a.yaml", &packed, &err);
        mem_fail_after(0);
        write_bytes("p", packed.data != NULL ? (const char *)packed.data : "", packed.len);
        if (c != NULL) {
            mem_fail_after(n / 2);
            struct conf *again = load("p", NULL, &err);
            mem_fail_after(0);
            done = again != NULL;
            conf_free(again);
        }
        ck_assert(done || err.code < 0);
        conf_free(c);
        buf_free(&packed);
    }
}
END_TEST

/* Whoever has to do with a file that has mistakes can still find the daemon. */
START_TEST(where_to_ask_in_spite_of_mistakes)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    write_file("a.yaml", LOCAL "state: /s\ndaemon: {socket: /run/x}\nnonsense: 1\n");
    ck_assert_ptr_null(conf_load("a.yaml", NULL, &problems, NULL));
    ck_assert_str_eq(problems.state, "/s");
    ck_assert_str_eq(problems.socket, "/run/x");
    conf_problems_free(&problems);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("packed");
    TCase *tc = tcase_create("packed");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_was_read_is_read_again);
    tcase_add_test(tc, more_than_one_file_may_hold);
    tcase_add_test(tc, nothing_is_packed_of_what_has_mistakes);
    tcase_add_test(tc, cut_off_anywhere);
    tcase_add_test(tc, wrong_lengths);
    tcase_add_test(tc, without_memory);
    tcase_add_test(tc, where_to_ask_in_spite_of_mistakes);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
