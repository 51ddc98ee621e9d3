/* Passphrases from files, commands and a (pseudo) terminal. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "common/crypto/passphrase.h"
#include "common/base/banned.h"

static void start(void)
{
    ck_assert_int_eq(crypto_init(NULL), 0);
}

static void stop(void)
{
    random_seed_for_tests(NULL);
}

static char dir[] = "/tmp/test-pass-XXXXXX";
static char path[64];

static void start_dir(void)
{
    start();
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/pass", dir);
}

static void stop_dir(void)
{
    (void)unlink(path);
    (void)rmdir(dir);
    stop();
}

static void write_file(const void *data, size_t len)
{
    (void)unlink(path);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
    ck_assert_int_eq(close(fd), 0);
}

static void expect_file(const void *data, size_t len, const char *want, int code)
{
    struct error err = ERROR_INIT;
    write_file(data, len);
    struct secret *s = passphrase_from_file(path, &err);
    ck_assert_int_eq(err.code, code);
    if (want != NULL) {
        ck_assert_ptr_nonnull(s);
        ck_assert_uint_eq(secret_len(s), strlen(want));
        ck_assert_mem_eq(secret_view(s), want, strlen(want));
    } else {
        ck_assert_ptr_null(s);
    }
    secret_free(s);
}

START_TEST(first_line_of_a_file)
{
    char longest[PASSPHRASE_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[PASSPHRASE_MAX] = '\0';
    expect_file("hello\n", 6, "hello", 0);
    expect_file("hello", 5, "hello", 0);
    expect_file("hello\r\nsecond\n", 15, "hello", 0);
    expect_file(" two words \n", 12, " two words ", 0);
    expect_file("", 0, NULL, E_USAGE);
    expect_file("\nhello", 6, NULL, E_USAGE);
    expect_file("\r\n", 2, NULL, E_USAGE);
    expect_file("a\0b\n", 4, NULL, E_USAGE);
    expect_file(longest, PASSPHRASE_MAX, longest, 0);
    longest[PASSPHRASE_MAX] = '\n';
    write_file(longest, PASSPHRASE_MAX + 1);
    struct secret *s = passphrase_from_file(path, NULL);
    ck_assert_ptr_nonnull(s);
    ck_assert_uint_eq(secret_len(s), PASSPHRASE_MAX);
    secret_free(s);
    longest[PASSPHRASE_MAX] = 'x';
    longest[PASSPHRASE_MAX + 1] = '\n';
    expect_file(longest, PASSPHRASE_MAX + 2, NULL, E_USAGE);
}
END_TEST

START_TEST(files_that_others_can_open)
{
    struct error err = ERROR_INIT;
    write_file("hello\n", 6);
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert_ptr_null(passphrase_from_file(path, &err));
    ck_assert_int_eq(err.code, E_DENIED);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_ptr_null(passphrase_from_file(path, &err));
    ck_assert_int_eq(err.code, E_NOT_FOUND);
}
END_TEST

START_TEST(from_a_command)
{
    const char *const good[] = { "sh", "-c", "echo hello; echo more", NULL };
    const char *const failing[] = { "sh", "-c", "echo hello; echo broken >&2; exit 3", NULL };
    const char *const silent[] = { "true", NULL };
    const char *const missing[] = { "no-such-program-here", NULL };
    struct error err = ERROR_INIT;
    struct secret *s = passphrase_from_command(good, &err);
    ck_assert_ptr_nonnull(s);
    ck_assert_uint_eq(secret_len(s), 5);
    ck_assert_mem_eq(secret_view(s), "hello", 5);
    secret_free(s);
    ck_assert_ptr_null(passphrase_from_command(failing, &err));
    ck_assert_int_eq(err.code, E_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "broken"));
    ck_assert_ptr_null(passphrase_from_command(silent, &err));
    ck_assert_int_eq(err.code, E_USAGE);
    ck_assert_ptr_null(passphrase_from_command(missing, &err));
    ck_assert_int_eq(err.code, E_NOT_FOUND);
}
END_TEST

/* In a session of its own with (or without) a pseudo terminal: 0 when it got "hello", else minus the code. */
static int ask_in_session(const char *slave, bool twice)
{
    struct error err = ERROR_INIT;
    if (setsid() < 0)
        return 99;
    if (slave != NULL) {
        int fd = open(slave, O_RDWR | O_CLOEXEC);
        if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) < 0)
            return 98;
    }
    struct secret *s = passphrase_from_terminal("Passphrase: ", twice, "--passphrase-file", &err);
    if (s == NULL)
        return err.code == E_USAGE && slave == NULL && strstr(err.text, "--passphrase-file") == NULL
                   ? 97
                   : -err.code;
    int rc = secret_len(s) == 5 && memcmp(secret_view(s), "hello", 5) == 0 ? 0 : 96;
    secret_free(s);
    return rc;
}

/* Waits for `prompt` on the terminal and types `answer`; all that was shown is collected. */
static void type_after(int master, const char *prompt, const char *answer, char *shown, size_t cap)
{
    size_t n = strlen(shown);
    const char *from = shown + n;
    while (strstr(from, prompt) == NULL) {
        ssize_t got = read(master, shown + n, cap - 1 - n);
        ck_assert_int_gt(got, 0);
        n += (size_t)got;
        shown[n] = '\0';
    }
    ck_assert_int_eq(write(master, answer, strlen(answer)), (ssize_t)strlen(answer));
}

static int run_terminal(const char *first, const char *second, char *shown, size_t cap)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    const char *slave = ptsname(master);
    ck_assert_ptr_nonnull(slave);
    pid_t pid = fork();
    if (pid == 0)
        _exit(ask_in_session(slave, second != NULL));
    shown[0] = '\0';
    type_after(master, "Passphrase: ", first, shown, cap);
    if (second != NULL)
        type_after(master, "Again", second, shown, cap);
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ssize_t got = read(master, shown + strlen(shown), cap - 1 - strlen(shown));
    (void)got;
    (void)close(master);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(from_a_terminal_without_echo)
{
    char shown[4096] = { 0 };
    ck_assert_int_eq(run_terminal("hello\n", NULL, shown, sizeof shown), 0);
    ck_assert_ptr_null(strstr(shown, "hello"));
    ck_assert_int_eq(run_terminal("hello\n", "hello\n", shown, sizeof shown), 0);
    ck_assert_ptr_null(strstr(shown, "hello"));
    ck_assert_int_eq(run_terminal("hello\n", "hallo\n", shown, sizeof shown), -E_USAGE);
    ck_assert_int_eq(run_terminal("\n", NULL, shown, sizeof shown), -E_USAGE);
}
END_TEST

START_TEST(no_terminal)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(ask_in_session(NULL, false));
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), -E_USAGE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto/passphrase");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start_dir, stop_dir);
    tcase_set_timeout(all, 30);
    tcase_add_test(all, first_line_of_a_file);
    tcase_add_test(all, files_that_others_can_open);
    tcase_add_test(all, from_a_command);
    tcase_add_test(all, from_a_terminal_without_echo);
    tcase_add_test(all, no_terminal);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
