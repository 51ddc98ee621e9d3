/* Restoring into a directory: names from outside stay inside, and nothing half is left. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "restore/target/tree.h"

static char base[64];
static char target[128];
static unsigned misses;

static void setup(void)
{
    (void)snprintf(base, sizeof base, "/tmp/tree-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    (void)snprintf(target, sizeof target, "%s/out", base);
    misses = 0;
}

static void teardown(void)
{
    char command[160];
    (void)snprintf(command, sizeof command, "chmod -R u+rwx %s; rm -rf %s", base, base);
    ck_assert_int_eq(system(command), 0);
}

static const char *at(const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", target, name);
    return path;
}

static bool there(const char *name)
{
    struct stat st;
    return lstat(at(name), &st) == 0;
}

static struct tree *fresh(void)
{
    struct tree *t = NULL;
    struct error err = ERROR_INIT;
    ck_assert_msg(tree_open(target, &t, &err) == 0, "%s", err.text);
    return t;
}

static int add(struct tree *t, const char *path, const char *content, size_t len, unsigned mode)
{
    struct catalog_entry e = {
        .path = path, .type = CATALOG_REGULAR, .mode = mode, .mtime = 1000000, .mtime_nsec = 5
    };
    struct source *src = source_memory(content, strlen(content), NULL);
    ck_assert_ptr_nonnull(src);
    int rc = tree_file(t, &e, src, len, NULL, NULL, NULL, NULL);
    source_free(src);
    return rc;
}

static int add_dir(struct tree *t, const char *path, unsigned mode)
{
    struct catalog_entry e = { .path = path, .type = CATALOG_DIR, .mode = mode, .mtime = 2000000 };
    return tree_dir(t, &e, NULL);
}

static int add_link(struct tree *t, const char *path, const char *to, bool hard, bool unsafe)
{
    struct catalog_entry e = { .path = path,
                               .type = hard ? CATALOG_HARDLINK : CATALOG_SYMLINK,
                               .target = to };
    return tree_link(t, &e, unsafe, NULL);
}

static int count_miss(const char *path, const struct error *why, void *arg, struct error *err)
{
    (void)path;
    (void)why;
    (void)arg;
    (void)err;
    misses++;
    return 0;
}

static void finish(struct tree *t)
{
    struct error err = ERROR_INIT;
    ck_assert_msg(tree_finish(t, count_miss, NULL, &err) == 0, "%s", err.text);
    tree_free(t);
}

START_TEST(test_all_kinds)
{
    struct stat st;
    char text[64] = "";
    struct tree *t = fresh();
    ck_assert_int_eq(add_dir(t, "d", 0755), 0);
    ck_assert_int_eq(add_dir(t, "d/closed", 0500), 0);
    ck_assert_int_eq(add(t, "d/closed/f", "hello", 5, 06755), 0);
    ck_assert_int_eq(add(t, "implied/f", "", 0, 0600), 0);
    ck_assert_int_eq(add_link(t, "d/hard", "d/closed/f", true, false), 0);
    ck_assert_int_eq(add_link(t, "d/soft", "../implied/f", false, false), 0);
    finish(t);
    ck_assert_uint_eq(misses, 0);
    ck_assert_int_eq(stat(at("d/closed/f"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0755);
    ck_assert_int_eq(st.st_size, 5);
    ck_assert_int_eq(st.st_mtim.tv_sec, 1000000);
    ck_assert_int_eq(st.st_mtim.tv_nsec, 5);
    ck_assert_uint_eq(st.st_nlink, 2);
    ck_assert_int_eq(stat(at("d"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0755);
    ck_assert_int_eq(st.st_mtim.tv_sec, 2000000);
    ck_assert_int_eq(stat(at("d/closed"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0500);
    ck_assert_int_gt(readlink(at("d/soft"), text, sizeof text - 1), 0);
    ck_assert_str_eq(text, "../implied/f");
}
END_TEST

START_TEST(test_names)
{
    static const char *const bad[] = { "/etc/x", "..",  "../x", "a/../../x", "a//b",
                                       ".",      "./a", "a/",   "",          "a/./b" };
    struct tree *t = fresh();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(add(t, bad[i], "x", 1, 0600) == E_CORRUPT, "\"%s\" was taken", bad[i]);
    ck_assert_int_eq(add(t, "..a", "x", 1, 0600), 0);
    ck_assert_int_eq(add(t, "...", "x", 1, 0600), 0);
    finish(t);
}
END_TEST

/* A link that somebody puts there while the restore runs. */
START_TEST(test_no_link_is_followed)
{
    struct tree *t = fresh();
    ck_assert_int_eq(symlink(base, at("trap")), 0);
    ck_assert_int_lt(add(t, "trap/escaped", "x", 1, 0600), 0);
    ck_assert_int_lt(add(t, "trap", "x", 1, 0600), 0);
    ck_assert(!there("../escaped"));
    finish(t);
}
END_TEST

START_TEST(test_nothing_is_overwritten)
{
    struct tree *t = fresh();
    ck_assert_int_eq(add(t, "f", "first", 5, 0600), 0);
    ck_assert_int_eq(add(t, "f", "second", 6, 0600), E_EXISTS);
    ck_assert_int_lt(add(t, "f/below", "x", 1, 0600), 0);
    struct stat st;
    ck_assert_int_eq(stat(at("f"), &st), 0);
    ck_assert_int_eq(st.st_size, 5);
    ck_assert_int_eq(add_link(t, "f", "x", false, false), 0);
    ck_assert_int_eq(add_link(t, "h", "nothing", true, false), 0);
    finish(t);
    ck_assert_uint_eq(misses, 2);
}
END_TEST

START_TEST(test_wrong_length)
{
    struct tree *t = fresh();
    ck_assert_int_eq(add(t, "short", "1234", 5, 0600), E_CORRUPT);
    ck_assert_int_eq(add(t, "long", "123456", 5, 0600), E_CORRUPT);
    finish(t);
    ck_assert_int_eq(rmdir(target), 0); /* empty: no temporary file either */
}
END_TEST

START_TEST(test_undo)
{
    struct tree *t = fresh();
    ck_assert_int_eq(add_dir(t, "d", 0700), 0);
    ck_assert_int_eq(add(t, "d/e/f", "x", 1, 0400), 0);
    tree_undo(t);
    tree_free(t);
    ck_assert(!there(""));
    ck_assert_int_eq(mkdir(target, 0750), 0);
    t = fresh();
    ck_assert_int_eq(add(t, "f", "x", 1, 0600), 0);
    tree_undo(t);
    tree_free(t);
    ck_assert(there(""));
    ck_assert(!there("f"));
}
END_TEST

START_TEST(test_not_empty)
{
    struct tree *t = NULL;
    struct error err = ERROR_INIT;
    ck_assert_int_eq(tree_possible(target, &err), 0);
    ck_assert_int_eq(mkdir(target, 0700), 0);
    ck_assert_int_eq(tree_possible(target, &err), 0);
    ck_assert_int_eq(mkdir(at("x"), 0700), 0);
    ck_assert_int_eq(tree_possible(target, &err), E_EXISTS);
    ck_assert_int_eq(tree_open(target, &t, &err), E_EXISTS);
    ck_assert_ptr_null(t);
}
END_TEST

START_TEST(test_links_that_stay)
{
    ck_assert(tree_link_stays("a", "b"));
    ck_assert(tree_link_stays("a/b", "../c"));
    ck_assert(tree_link_stays("a/b/c", "../../x/y"));
    ck_assert(tree_link_stays("a", "./b/./c"));
    ck_assert(!tree_link_stays("a", "/etc"));
    ck_assert(!tree_link_stays("a", ".."));
    ck_assert(!tree_link_stays("a", "../b"));
    ck_assert(!tree_link_stays("a/b", "../../c"));
    ck_assert(!tree_link_stays("a/b", "c/../.."));
    ck_assert(!tree_link_stays("a/b/c", "x/../y"));
    ck_assert(!tree_link_stays("a", ""));
    ck_assert(!tree_link_stays("a/b", "./../../c"));
    struct tree *t = fresh();
    ck_assert_int_eq(add_link(t, "out", "../../etc", false, false), E_DENIED);
    ck_assert_int_eq(add_link(t, "out", "../../etc", false, true), 0);
    finish(t);
    ck_assert(there("out"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tree");
    TCase *t = tcase_create("tree");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_all_kinds);
    tcase_add_test(t, test_names);
    tcase_add_test(t, test_no_link_is_followed);
    tcase_add_test(t, test_nothing_is_overwritten);
    tcase_add_test(t, test_wrong_length);
    tcase_add_test(t, test_undo);
    tcase_add_test(t, test_not_empty);
    tcase_add_test(t, test_links_that_stay);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
