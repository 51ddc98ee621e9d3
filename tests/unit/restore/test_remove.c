/* Emptying a directory in which somebody else still acts: what lies outside stays.
 *
 * A mistake in what is tested here deletes files of whoever runs it. So it happens in a child that is shut into the test's own
 * directory: root by chroot, above which there is no "..", and it fails when that cannot be; others cannot, but what is moved goes
 * so deep that a climb of the old kind ends inside.
 */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "restore/target/remove.h"

#include "common/base/banned.h"

enum { PATH_LEN = 256, FILES = 3000, TRIES = 10, DEPTH = 3000 };
enum { MADE_NOTHING = 100, NOT_SHUT_IN, WRONG };

static char top[64];

static bool empty_it(const char *path)
{
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = dir >= 0 && remove_below(dir);
    if (dir >= 0)
        (void)close(dir);
    return good;
}

static bool make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static bool shut_in(void)
{
    if (chdir(top) < 0)
        return false;
    return geteuid() != 0 || (chroot(".") == 0 && chdir("/") == 0);
}

/* 0, or what went wrong, as the exit code of a child that sees nothing but the test's directory. */
static int inside(int (*test)(void))
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(shut_in() ? test() : NOT_SHUT_IN);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* By rm, and not by what is tested. */
static void teardown(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)execlp("rm", "rm", "-rf", "--", top, (char *)NULL);
        _exit(127);
    }
    ck_assert(pid > 0 && waitpid(pid, NULL, 0) == pid);
}

static void setup(void)
{
    (void)snprintf(top, sizeof top, "%s", "/tmp/test_remove.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
}

static int links(void)
{
    if (mkdir("run", 0700) < 0 || mkdir("out", 0700) < 0 || !make_file("out/kept") ||
        symlink("../out", "run/dir") < 0 || symlink("../out/kept", "run/file") < 0)
        return MADE_NOTHING;
    return empty_it("run") && !is_there("run/dir") && !is_there("run/file") && is_there("out/kept") ? 0
                                                                                                    : WRONG;
}

START_TEST(links_are_removed_and_not_followed)
{
    ck_assert_int_eq(inside(links), 0);
}
END_TEST

static int deep(void)
{
    int at = mkdir("run", 0700) == 0 ? open("run", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    for (int i = 0; i < DEPTH && at >= 0; i++) {
        int next = mkdirat(at, "d", 0700) == 0 ? openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        (void)close(at);
        at = next;
    }
    if (at < 0)
        return MADE_NOTHING;
    (void)close(at);
    return empty_it("run") && !is_there("run/d") && is_there("run") ? 0 : WRONG;
}

START_TEST(deeper_than_there_are_descriptors)
{
    ck_assert_int_eq(inside(deep), 0);
}
END_TEST

/* Moves the directory out of the tree as soon as the first of its files is gone. */
static void *mover(void *arg)
{
    char event[4096];
    if (read(*(int *)arg, event, sizeof event) > 0)
        (void)rename("run/a/b/c", "o1/o2/o3/o4/o5/o6/moved");
    return NULL;
}

static bool make_tree(void)
{
    static const char *const dirs[] = { "run/a", "run/a/b", "run/a/b/c" };
    bool good = true;
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
        good = good && mkdir(dirs[i], 0700) == 0;
    for (int i = 0; good && i < FILES; i++) {
        char name[PATH_LEN];
        (void)snprintf(name, sizeof name, "run/a/b/c/%d", i);
        good = make_file(name);
    }
    return good;
}

static bool make_outside(void)
{
    static const char *const dirs[] = {
        "run", "o1", "o1/o2", "o1/o2/o3", "o1/o2/o3/o4", "o1/o2/o3/o4/o5", "o1/o2/o3/o4/o5/o6"
    };
    bool good = true;
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
        good = good && mkdir(dirs[i], 0700) == 0;
    return good && make_file("o1/o2/o3/o4/o5/o6/kept") && make_file("o1/o2/o3/o4/o5/kept");
}

/* Until it was fast enough: when it never is, nothing is proven, and nothing is wrong. */
static int moved_away(void)
{
    bool moved = false;
    if (!make_outside())
        return MADE_NOTHING;
    for (int n = 0; n < TRIES && !moved; n++) {
        pthread_t thread;
        int watch = inotify_init1(IN_CLOEXEC);
        if (!make_tree() || inotify_add_watch(watch, "run/a/b/c", IN_DELETE) < 0 ||
            pthread_create(&thread, NULL, mover, &watch) != 0)
            return MADE_NOTHING;
        bool good = empty_it("run");
        (void)pthread_join(thread, NULL);
        (void)close(watch);
        moved = is_there("o1/o2/o3/o4/o5/o6/moved");
        /* Moved only after it was left, it is empty, and nobody is to notice: once more. */
        if (moved && good)
            moved = rmdir("o1/o2/o3/o4/o5/o6/moved") < 0;
        if (!is_there("o1/o2/o3/o4/o5/o6/kept") || !is_there("o1/o2/o3/o4/o5/kept") || !is_there("run") ||
            (moved && good))
            return WRONG;
    }
    return 0;
}

START_TEST(a_directory_that_is_moved_away_leads_nowhere)
{
    ck_assert_int_eq(inside(moved_away), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("remove");
    TCase *t = tcase_create("remove");
    tcase_set_timeout(t, 300);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, links_are_removed_and_not_followed);
    tcase_add_test(t, deeper_than_there_are_descriptors);
    tcase_add_test(t, a_directory_that_is_moved_away_leads_nowhere);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
