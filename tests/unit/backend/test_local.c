/* What only a local directory has: links, FIFOs, limits, modes, what others do to it meanwhile. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/backend/local.h"

#include "common/base/banned.h"

static char dir[] = "/tmp/backend-local.XXXXXX";
static char outside[] = "/tmp/backend-outside.XXXXXX";
static struct backend *b;
static struct error err;

static char *at(const char *base, const char *name)
{
    static char path[2][512];
    static unsigned turn;
    char *p = path[turn++ % 2];
    (void)snprintf(p, sizeof path[0], "%s/%s", base, name);
    return p;
}

static void setup(void)
{
    (void)snprintf(dir + strlen(dir) - 6, 7, "XXXXXX");
    (void)snprintf(outside + strlen(outside) - 6, 7, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_ptr_nonnull(mkdtemp(outside));
    err = (struct error)ERROR_INIT;
    b = backend_local(dir, &err);
    ck_assert_msg(b != NULL, "%s", err.text);
}

static void clean(const char *base)
{
    static const char *const names[] = { "link", "fifo", "f", "g", "big", "dir/f", "dir/link", "dir" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (unlink(at(base, names[i])) < 0)
            (void)rmdir(at(base, names[i]));
    ck_assert_int_eq(rmdir(base), 0);
}

static void teardown(void)
{
    backend_close(b);
    clean(dir);
    clean(outside);
}

static void put_outside(const char *name)
{
    FILE *f = fopen(at(outside, name), "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_gt(fputs("secret", f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(links_are_not_followed)
{
    char out[8];
    struct backend_stat st;
    put_outside("f");
    ck_assert_int_eq(symlink(at(outside, "f"), at(dir, "link")), 0);
    ck_assert_int_eq(backend_read(b, "link", 0, out, 6, &err), E_DENIED);
    ck_assert_ptr_nonnull(strstr(err.text, "symbolic link"));
    ck_assert_int_eq(backend_put(b, "link", "x", 1, &err), E_EXISTS);
    ck_assert_int_eq(backend_stat(b, "link", &st, &err), 0);
    ck_assert(!st.is_dir);
    ck_assert_int_eq(backend_remove(b, "link", &err), 0);
    ck_assert_int_eq(access(at(outside, "f"), F_OK), 0);
}
END_TEST

START_TEST(links_to_directories_are_not_followed)
{
    char out[8];
    struct backend_stat st;
    put_outside("f");
    ck_assert_int_eq(symlink(outside, at(dir, "link")), 0);
    ck_assert_int_eq(backend_read(b, "link/f", 0, out, 6, &err), E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "symbolic link"));
    ck_assert_int_eq(backend_put(b, "link/g", "x", 1, &err), E_NOT_FOUND);
    ck_assert_int_eq(backend_stat(b, "link/f", &st, &err), E_NOT_FOUND);
    ck_assert_int_eq(backend_remove(b, "link/f", &err), E_NOT_FOUND);
    ck_assert_int_eq(backend_make_dir(b, "link/dir", 0755, &err), E_NOT_FOUND);
    ck_assert_int_eq(backend_list(b, "link", NULL, NULL, &err), E_NOT_FOUND);
    ck_assert_int_eq(access(at(outside, "f"), F_OK), 0);
    ck_assert_int_lt(access(at(outside, "g"), F_OK), 0);
}
END_TEST

START_TEST(a_fifo_does_not_hold_us)
{
    char out[8];
    ck_assert_int_eq(mkfifo(at(dir, "fifo"), 0644), 0);
    ck_assert_int_eq(backend_read(b, "fifo", 0, out, 1, &err), E_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "regular file"));
}
END_TEST

START_TEST(root_must_exist)
{
    ck_assert_ptr_null(backend_local(at(dir, "none"), &err));
    ck_assert_int_eq(err.code, E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "must exist"));
}
END_TEST

START_TEST(a_write_that_does_not_fit)
{
    struct rlimit old;
    struct rlimit small;
    static char data[100000];
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 50000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct upload *u = backend_create(b, "big", 0, &err);
    ck_assert_ptr_nonnull(u);
    ck_assert_int_eq(upload_write(u, data, 40000, &err), 0);
    ck_assert_int_eq(upload_write(u, data, 40000, &err), E_NO_SPACE);
    ck_assert_ptr_nonnull(strstr(err.text, "free"));
    ck_assert_int_eq(upload_finish(u, &err), E_NO_SPACE);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    /* The torn file stays, and its name is taken. */
    ck_assert_int_eq(backend_put(b, "big", "x", 1, &err), E_EXISTS);
}
END_TEST

START_TEST(somebody_else_writes_there)
{
    struct upload *u = backend_create(b, "f", 0, &err);
    ck_assert_ptr_nonnull(u);
    ck_assert_int_eq(upload_write(u, "abc", 3, &err), 0);
    ck_assert_int_eq(chmod(at(dir, "f"), 0640), 0); /* its owner may */
    ck_assert_int_eq(truncate(at(dir, "f"), 1), 0);
    ck_assert_int_eq(upload_finish(u, &err), E_IO);
}
END_TEST

START_TEST(moved_directory_is_still_the_same)
{
    char out[4];
    char moved[64];
    ck_assert_int_eq(backend_put(b, "f", "abc", 3, &err), 0);
    (void)snprintf(moved, sizeof moved, "%s.moved", dir);
    ck_assert_int_eq(rename(dir, moved), 0);
    ck_assert_int_eq(backend_read(b, "f", 0, out, 3, &err), 0);
    struct backend *c = backend_clone(b, &err);
    ck_assert_msg(c != NULL && backend_read(c, "f", 0, out, 3, &err) == 0, "%s", err.text);
    backend_close(c);
    ck_assert_int_eq(rename(moved, dir), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("local");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, links_are_not_followed);
    tcase_add_test(all, links_to_directories_are_not_followed);
    tcase_add_test(all, a_fifo_does_not_hold_us);
    tcase_add_test(all, root_must_exist);
    tcase_add_test(all, a_write_that_does_not_fit);
    tcase_add_test(all, somebody_else_writes_there);
    tcase_add_test(all, moved_directory_is_still_the_same);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
