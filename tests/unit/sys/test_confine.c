/* What a confined process can no longer do: each case in a process that says with its exit status which step was wrong. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/sys/confine.h"
#include "common/base/banned.h"

enum { FILES = 64, MEMORY = 256 * 1024 * 1024 };

static int run(int (*steps)(void))
{
    int status = 0;
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(steps());
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int gives_up(void)
{
    char name[] = "/tmp/confine-test.XXXXXX";
    int fd = mkstemp(name);
    if (fd < 0 || unlink(name) < 0)
        return 1;
    if (process_confine(FILES, MEMORY, NULL) < 0)
        return 2;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 3;
    if (write(fd, "x", 1) >= 0 || errno != EFBIG)
        return 4;
    return dup2(fd, FILES) < 0 ? 0 : 5;
}

static int shuts(void)
{
    char byte;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || process_confine(FILES, MEMORY, NULL) < 0)
        return 1;
    int rc = process_shut_files(NULL);
    if (rc < 0)
        return 2;
    if (read(fd, &byte, 1) != 1)
        return 3;
    if (rc == 0)
        return 0; /* a kernel that cannot */
    if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
        return 4;
    if (open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0)
        return 5;
    if (open("/tmp/confine-test.none", O_RDWR | O_CREAT | O_CLOEXEC, 0600) >= 0)
        return 6;
    (void)execl("/bin/true", "true", (char *)NULL);
    return errno == EACCES ? 0 : 7;
}

START_TEST(privileges_bytes_and_descriptors)
{
    ck_assert_int_eq(run(gives_up), 0);
}
END_TEST

START_TEST(files)
{
    ck_assert_int_eq(run(shuts), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sys/confine");
    TCase *all = tcase_create("all");
    tcase_add_test(all, privileges_bytes_and_descriptors);
    tcase_add_test(all, files);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
