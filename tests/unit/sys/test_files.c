/* fdio, atomic files, locks, directories and paths. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"
#include "common/sys/fdio.h"
#include "common/sys/filelock.h"
#include "common/base/banned.h"

static char dir[] = "/tmp/test-room-XXXXXX";

static void start(void)
{
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
}

/* Everything in the directory was removed by the test, or rmdir says so. */
static void stop(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(descriptors)
{
    char back[8] = "";
    struct buf all = BUF_INIT;
    struct error err = ERROR_INIT;
    int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(fd_write_full(fd, "hello", 5, "f", NULL), 0);
    ck_assert_int_eq(fd_pwrite_full(fd, "J", 1, 0, "f", NULL), 0);
    ck_assert_int_eq(fd_sync(fd, "f", NULL), 0);
    ck_assert_int_eq(fd_pread_full(fd, back, 5, 0, "f", NULL), 0);
    ck_assert_str_eq(back, "Jello");
    ck_assert_int_eq(fd_pread_full(fd, back, 5, 1, "f", &err), E_CORRUPT);
    ck_assert_str_eq(err.name, "short-file");
    ck_assert_int_eq(fd_pread_full(fd, back, 5, UINT64_MAX, "f", &err), E_USAGE);
    ck_assert_int_eq(fd_pwrite_full(fd, back, 5, UINT64_MAX - 2, "f", &err), E_USAGE);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    ck_assert_int_eq(fd_read_full(fd, back, 4, "f", NULL), 0);
    ck_assert_int_eq(fd_read_full(fd, back, 2, "f", &err), E_CORRUPT);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    ck_assert_int_eq(buf_append(&all, "x", 1, NULL), 0);
    ck_assert_int_eq(fd_read_all(fd, 4, &all, "f", &err), E_CORRUPT);
    ck_assert_str_eq(err.name, "too-large");
    ck_assert_uint_eq(all.len, 1);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    ck_assert_int_eq(fd_read_all(fd, 5, &all, "f", &err), 0);
    ck_assert_uint_eq(all.len, 6);
    ck_assert_mem_eq(all.data, "xJello", 6);
    buf_free(&all);
    ck_assert_int_eq(fd_close(&fd, "f", NULL), 0);
    ck_assert_int_eq(fd, -1);
    ck_assert_int_eq(fd_write_full(-1, "x", 1, "gone", &err), E_IO);
    fd_drop(&fd);
    ck_assert_int_eq(fd_open_read("missing", &err), E_NOT_FOUND);
    ck_assert_int_eq(unlink("f"), 0);
}
END_TEST

static void expect_content(const char *path, const char *want)
{
    struct buf got = BUF_INIT;
    ck_assert_int_eq(file_read_small(path, 100, &got, NULL), 0);
    ck_assert_uint_eq(got.len, strlen(want));
    ck_assert_mem_eq(got.data, want, got.len);
    buf_free(&got);
}

START_TEST(atomic_files)
{
    struct error err = ERROR_INIT;
    struct stat st;
    char full[64];
    (void)snprintf(full, sizeof full, "%s/a", dir);
    ck_assert_int_eq(file_write_atomic("a", "one", 3, 0400, FILE_EXCLUSIVE, NULL), 0);
    expect_content("a", "one");
    ck_assert_int_eq(stat("a", &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0400);
    ck_assert_int_eq(file_write_atomic("a", "two", 3, 0600, FILE_EXCLUSIVE, &err), E_EXISTS);
    expect_content("a", "one");
    ck_assert_int_eq(file_write_atomic(full, "three", 5, 0644, FILE_REPLACE, NULL), 0);
    expect_content("a", "three");
    ck_assert_int_eq(file_write_atomic("a", NULL, 0, 0600, FILE_REPLACE, NULL), 0);
    expect_content("a", "");
    ck_assert_int_eq(file_write_atomic("no/a", "x", 1, 0600, FILE_REPLACE, &err), E_NOT_FOUND);
    ck_assert_int_eq(file_write_atomic("a/", "x", 1, 0600, FILE_REPLACE, &err), E_USAGE);
    ck_assert_int_eq(mkdir("d", 0700), 0);
    ck_assert_int_lt(file_write_atomic("d", "x", 1, 0600, FILE_REPLACE, &err), 0);
    ck_assert_int_eq(file_write_atomic("d", "x", 1, 0600, FILE_EXCLUSIVE, &err), E_EXISTS);
    ck_assert_int_eq(rmdir("d"), 0);
    ck_assert_int_eq(unlink("a"), 0); /* stop() finds any temporary file left */
}
END_TEST

START_TEST(small_files_have_a_limit)
{
    struct buf got = BUF_INIT;
    struct error err = ERROR_INIT;
    ck_assert_int_eq(file_write_atomic("a", "12345", 5, 0600, FILE_REPLACE, NULL), 0);
    ck_assert_int_eq(file_read_small("a", 4, &got, &err), E_CORRUPT);
    ck_assert_int_eq(file_read_small("a", 5, &got, &err), 0);
    ck_assert_int_eq(file_read_small(".", 5, &got, &err), E_USAGE);
    ck_assert_int_eq(file_read_small("b", 5, &got, &err), E_NOT_FOUND);
    ck_assert_uint_eq(got.len, 5);
    buf_free(&got);
    ck_assert_int_eq(unlink("a"), 0);
}
END_TEST

START_TEST(locks)
{
    struct error err = ERROR_INIT;
    char pid[32];
    struct filelock *lock = filelock_take("lock", NULL);
    ck_assert_ptr_nonnull(lock);
    ck_assert_ptr_null(filelock_take("lock", &err));
    ck_assert_int_eq(err.code, E_BUSY);
    ck_assert_ptr_null(filelock_wait("lock", 200, NULL));
    (void)snprintf(pid, sizeof pid, "pid %ld)", (long)getpid());
    ck_assert_ptr_nonnull(strstr(err.text, pid));
    filelock_free(lock);
    lock = filelock_take("lock", NULL);
    ck_assert_ptr_nonnull(lock);
    filelock_free(lock);
    filelock_free(NULL);
    ck_assert_int_eq(unlink("lock"), 0);
    ck_assert_int_eq(symlink("elsewhere", "lock"), 0);
    ck_assert_ptr_null(filelock_take("lock", &err));
    ck_assert_int_eq(unlink("lock"), 0);
    ck_assert_ptr_null(filelock_take("no/lock", &err));
    ck_assert_int_eq(err.code, E_NOT_FOUND);
}
END_TEST

START_TEST(a_directory_is_locked)
{
    struct error err = ERROR_INIT;
    ck_assert_int_eq(mkdir("turn", 0700), 0);
    struct filelock *lock = filelock_dir("turn", 0, NULL);
    ck_assert_ptr_nonnull(lock);
    ck_assert_ptr_null(filelock_dir("turn", 200, &err));
    ck_assert_int_eq(err.code, E_BUSY);
    filelock_free(lock);
    lock = filelock_dir("turn", 0, NULL);
    ck_assert_ptr_nonnull(lock);
    filelock_free(lock);
    ck_assert_int_eq(rmdir("turn"), 0); /* nothing was made in it */
    ck_assert_ptr_null(filelock_dir("turn", 0, &err));
    ck_assert_int_eq(err.code, E_NOT_FOUND);
}
END_TEST

START_TEST(a_lock_ends_with_its_process)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(filelock_take("lock", NULL) != NULL ? 0 : 1);
    int status = 1;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    struct filelock *lock = filelock_take("lock", NULL);
    ck_assert_ptr_nonnull(lock);
    filelock_free(lock);
    ck_assert_int_eq(unlink("lock"), 0);
}
END_TEST

START_TEST(private_directories)
{
    struct error err = ERROR_INIT;
    struct stat st;
    ck_assert_int_eq(dir_make_private("a/b//c/", NULL), 0);
    ck_assert_int_eq(stat("a/b", &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0700);
    ck_assert_int_eq(dir_make_private("a/b/c", NULL), 0);
    ck_assert_int_eq(chmod("a/b/c", 0755), 0);
    ck_assert_int_eq(dir_make_private("a/b/c", NULL), 0);
    ck_assert_int_eq(chmod("a/b/c", 0770), 0);
    ck_assert_int_eq(dir_make_private("a/b/c", &err), E_DENIED);
    ck_assert_int_eq(dir_make_private("", &err), E_USAGE);
    ck_assert_int_eq(close(open("file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
    ck_assert_int_lt(dir_make_private("file", &err), 0);
    ck_assert_int_lt(dir_make_private("file/x/y", &err), 0);
    if (geteuid() != 0)
        ck_assert_int_eq(dir_make_private("/", &err), E_DENIED);
    ck_assert_int_eq(dir_sync("a", NULL), 0);
    ck_assert_int_lt(dir_sync("file", NULL), 0);
    ck_assert_int_eq(unlink("file"), 0);
    ck_assert_int_eq(rmdir("a/b/c"), 0);
    ck_assert_int_eq(rmdir("a/b"), 0);
    ck_assert_int_eq(rmdir("a"), 0);
}
END_TEST

START_TEST(directories_without_links)
{
    struct error err = ERROR_INIT;
    char full[64];
    ck_assert_int_eq(dir_make_private("a/b", NULL), 0);
    ck_assert_int_eq(symlink("a", "link"), 0);
    ck_assert_int_eq(symlink("b", "a/link"), 0);
    (void)snprintf(full, sizeof full, "%s/a/b", dir);
    const char *const good[] = { "a/b", "a//b/", "./a/./b", full, "/", "." };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int fd = dir_open(good[i], &err);
        ck_assert_msg(fd >= 0, "%s: %s", good[i], err.text);
        ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        fd_drop(&fd);
    }
    ck_assert_int_eq(dir_open("link", &err), E_DENIED);
    ck_assert_int_eq(dir_open("link/b", &err), E_DENIED);
    ck_assert_int_eq(dir_open("a/link", &err), E_DENIED);
    ck_assert_int_eq(dir_open("a/../a", &err), E_USAGE);
    ck_assert_int_eq(dir_open("a/none", &err), E_NOT_FOUND);
    int fd = dir_open("a", NULL);
    ck_assert_int_eq(dir_open_at(fd, "b/c", &err), E_USAGE);
    ck_assert_int_eq(dir_open_at(fd, "", &err), E_USAGE);
    fd_drop(&fd);
    ck_assert_int_eq(unlink("link"), 0);
    ck_assert_int_eq(unlink("a/link"), 0);
    ck_assert_int_eq(rmdir("a/b"), 0);
    ck_assert_int_eq(rmdir("a"), 0);
}
END_TEST

static void expect_text(char *got, const char *want)
{
    ck_assert_ptr_nonnull(got);
    ck_assert_str_eq(got, want);
    free(got);
}

START_TEST(paths)
{
    struct error err = ERROR_INIT;
    expect_text(path_join("a", "b", NULL), "a/b");
    expect_text(path_join("a/", "b", NULL), "a/b");
    expect_text(path_join("/", "b", NULL), "/b");
    expect_text(path_join("", "b", NULL), "b");
    ck_assert_ptr_null(path_join("a", "/b", &err));
    ck_assert_int_eq(err.code, E_USAGE);
    expect_text(path_dir("a/b", NULL), "a");
    expect_text(path_dir("a//b", NULL), "a");
    expect_text(path_dir("/a/b", NULL), "/a");
    expect_text(path_dir("/b", NULL), "/");
    expect_text(path_dir("//b", NULL), "/");
    expect_text(path_dir("b", NULL), ".");
    ck_assert_str_eq(path_base("/a/b"), "b");
    ck_assert_str_eq(path_base("b"), "b");
    ck_assert_str_eq(path_base("b/"), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sys/files");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, stop);
    tcase_add_test(all, descriptors);
    tcase_add_test(all, atomic_files);
    tcase_add_test(all, small_files_have_a_limit);
    tcase_add_test(all, locks);
    tcase_add_test(all, a_directory_is_locked);
    tcase_add_test(all, a_lock_ends_with_its_process);
    tcase_add_test(all, private_directories);
    tcase_add_test(all, directories_without_links);
    tcase_add_test(all, paths);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
