/* Children: environment, pipes, verdicts, timeouts, and stopping. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/sys/child.h"
#include "common/sys/confine.h"
#include "common/sys/fdio.h"
#include "common/sys/interrupt.h"
#include "common/sys/limits.h"
#include "common/base/banned.h"

static int shell(const char *script, const struct child_options *opt, struct buf *out, struct error *err)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    return child_run(argv, opt, out, 1 << 20, err);
}

static void expect_output(const char *script, const struct child_options *opt, const char *want)
{
    struct buf out = BUF_INIT;
    struct error err = ERROR_INIT;
    ck_assert_msg(shell(script, opt, &out, &err) == 0, "%s", err.text);
    ck_assert_int_eq(buf_append(&out, "", 1, NULL), 0);
    ck_assert_str_eq((char *)out.data, want);
    buf_free(&out);
}

START_TEST(output_and_environment)
{
    const char *const more[] = { "PGPASSFILE=/x", "LANG=C", NULL };
    struct child_options opt = { .env = more, .dir = "/" };
    ck_assert_int_eq(setenv("SECRET_TOKEN", "s", 1), 0);
    ck_assert_int_eq(setenv("LANG", "de_DE", 1), 0);
    ck_assert_int_eq(setenv("TZ", "UTC", 1), 0);
    expect_output("echo hi", NULL, "hi\n");
    expect_output("echo $SECRET_TOKEN-$LANG-$TZ", NULL, "-de_DE-UTC\n");
    expect_output("echo $SECRET_TOKEN-$LANG-$PGPASSFILE; pwd", &opt, "-C-/x\n/\n");
    expect_output("cat", NULL, ""); /* stdin is /dev/null */
}
END_TEST

START_TEST(only_standard_descriptors)
{
    int fd = fcntl(0, F_DUPFD, 57); /* not close-on-exec: as a library may leave it */
    char script[64];
    ck_assert_int_ge(fd, 57);
    (void)snprintf(script, sizeof script, "[ -e /proc/$$/fd/%d ] && echo open; true", fd);
    expect_output(script, NULL, "");
    (void)close(fd);
}
END_TEST

START_TEST(default_signals_in_the_child)
{
    sigset_t set;
    ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR1);
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    /* Signals 29 to 36 are left out: 32 and 33 belong to libc, which lets nobody set them. */
    expect_output(
        "grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -d '\\t' | sed 's/^\\(SigIgn:.......\\)../\\1--/'",
        NULL, "SigBlk:0000000000000000\nSigIgn:0000000--0000000\n");
}
END_TEST

START_TEST(verdicts)
{
    struct error err = ERROR_INIT;
    const char *const missing[] = { "no-such-program-here", NULL };
    const char *const no_file[] = { "/no/such/program", NULL };
    const char *const not_program[] = { "/etc/passwd", NULL };
    const char *const none[] = { NULL };
    struct child_options bad_dir = { .dir = "/no/such/dir" };
    ck_assert_int_eq(shell("exit 0", NULL, NULL, &err), 0);
    ck_assert_int_eq(shell("echo first >&2; echo 'the reason' >&2; echo >&2; exit 3", NULL, NULL, &err),
                     E_IO);
    ck_assert_str_eq(err.text, "sh failed with status 3: the reason");
    ck_assert_int_eq(shell("printf 'a\\033[2Jb' >&2; exit 1", NULL, NULL, &err), E_IO);
    ck_assert_str_eq(err.text, "sh failed with status 1: a\\x1b[2Jb");
    ck_assert_int_eq(shell("kill -TERM $$", NULL, NULL, &err), E_IO);
    ck_assert_str_eq(err.text, "sh was ended by signal 15 (SIGTERM)");
    ck_assert_int_eq(shell("exit 0", &bad_dir, NULL, &err), E_NOT_FOUND);
    ck_assert_ptr_null(child_start(missing, NULL, &err));
    ck_assert_int_eq(err.code, E_NOT_FOUND);
    ck_assert_ptr_null(child_start(no_file, NULL, &err));
    ck_assert_int_eq(err.code, E_NOT_FOUND);
    ck_assert_ptr_null(child_start(not_program, NULL, &err));
    ck_assert_int_eq(err.code, E_DENIED);
    ck_assert_ptr_null(child_start(none, NULL, &err));
    ck_assert_int_eq(err.code, E_USAGE);
    child_free(NULL);
}
END_TEST

START_TEST(status_and_stderr_stay_readable)
{
    const char *const argv[] = { "sh", "-c",
                                 "i=0; while [ $i -lt 20000 ]; do echo line $i >&2; i=$((i+1)); done; exit 7",
                                 NULL };
    size_t len = 0;
    struct child *c = child_start(argv, NULL, NULL);
    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(child_stdin(c), -1);
    ck_assert_int_eq(child_stdout(c), -1);
    ck_assert_int_gt(child_pid(c), 1);
    ck_assert_int_eq(child_finish(c, NULL), E_IO);
    ck_assert_int_eq(child_finish(c, NULL), E_IO);
    ck_assert_int_eq(child_status(c), 7);
    const char *text = child_stderr(c, &len);
    ck_assert_uint_eq(len, CHILD_STDERR_MAX);
    ck_assert_uint_eq(strlen(text), len);
    ck_assert_str_eq(text + len - 11, "line 19999\n");
    char line[CHILD_LAST_LINE_MAX];
    ck_assert_str_eq(child_last_line(c, line), "line 19999");
    child_free(c);
}
END_TEST

START_TEST(what_it_has_said_is_known_while_it_runs)
{
    const char *const argv[] = { "sh", "-c", "echo some words >&2; echo; exec sleep 60", NULL };
    struct child_options opt = { .want_stdout = true };
    struct error err = ERROR_INIT;
    char byte;
    struct child *c = child_start(argv, &opt, &err);
    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(fd_read(child_stdout(c), &byte, 1, "sh", &err), 1);
    ck_assert(child_has_said(c, "some words"));
    ck_assert(!child_has_said(c, "some other words"));
    child_free(c);
}
END_TEST

START_TEST(the_end_is_seen_before_it_is_waited_for)
{
    const char *const argv[] = { "cat", NULL };
    struct child_options opt = { .want_stdin = true, .want_stdout = true };
    struct child *c = child_start(argv, &opt, NULL);
    char line[CHILD_LAST_LINE_MAX];
    ck_assert_ptr_nonnull(c);
    ck_assert(!child_ended(c));
    child_close_stdin(c);
    while (!child_ended(c))
        (void)usleep(1000);
    ck_assert(child_ended(c));
    ck_assert_int_eq(child_finish(c, NULL), 0);
    ck_assert(child_ended(c));
    ck_assert_str_eq(child_last_line(c, line), "");
    child_free(c);
}
END_TEST

START_TEST(programs_are_found)
{
    struct error err = ERROR_INIT;
    ck_assert_int_eq(setenv("PATH", ":/none:/bin", 1), 0);
    char *path = child_find("sh", &err);
    ck_assert_str_eq(path, "/bin/sh");
    free(path);
    path = child_find("/bin/sh", &err);
    ck_assert_str_eq(path, "/bin/sh");
    free(path);
    ck_assert_ptr_null(child_find("no-such-program", &err));
    ck_assert_int_eq(err.code, E_NOT_FOUND);
    ck_assert_ptr_null(child_find("/none/sh", &err));
    ck_assert_int_eq(err.code, E_NOT_FOUND);
    ck_assert_ptr_null(child_find("/etc/passwd", &err));
    ck_assert_int_eq(err.code, E_DENIED);
    ck_assert_ptr_null(child_find("/etc", &err));
    ck_assert_int_eq(err.code, E_DENIED);
    ck_assert_ptr_null(child_find("", &err));
    ck_assert_int_eq(err.code, E_USAGE);
}
END_TEST

/* Only in the process that it starts itself. */
#define SAYS_ITS_NAME "TEST_CHILD_SAYS_ITS_NAME"

START_TEST(the_program_itself_has_its_name)
{
    struct error err = ERROR_INIT;
    const char *const argv[] = { CHILD_SELF, "x", NULL };
    const char *const env[] = { SAYS_ITS_NAME "=yes", NULL };
    struct child *c = child_start(argv, &(struct child_options){ .want_stdout = true, .env = env }, &err);
    ck_assert_msg(c != NULL, "%s", err.text);
    char text[256] = "";
    ck_assert(read(child_stdout(c), text, sizeof text - 1) > 0);
    ck_assert_str_eq(text, program_invocation_short_name);
    ck_assert_int_eq(child_finish(c, &err), E_IO);
    char expected[300];
    (void)snprintf(expected, sizeof expected, "%s was ended by signal 9 (SIGKILL)",
                   program_invocation_short_name);
    ck_assert_str_eq(err.text, expected);
    child_free(c);
}
END_TEST

START_TEST(input_through_a_pipe)
{
    const char *const argv[] = { "tr", "a-z", "A-Z", NULL };
    struct child_options opt = { .want_stdin = true, .want_stdout = true };
    struct buf out = BUF_INIT;
    struct child *c = child_start(argv, &opt, NULL);
    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(fd_write_full(child_stdin(c), "hello", 5, "tr", NULL), 0);
    child_close_stdin(c);
    ck_assert_int_eq(child_stdin(c), -1);
    ck_assert_int_eq(fd_read_all(child_stdout(c), 100, &out, "tr", NULL), 0);
    ck_assert_uint_eq(out.len, 5);
    ck_assert_mem_eq(out.data, "HELLO", 5);
    ck_assert_int_eq(child_finish(c, NULL), 0);
    child_free(c);
    buf_free(&out);
}
END_TEST

START_TEST(output_has_a_limit)
{
    const char *const argv[] = { "yes", NULL };
    struct buf out = BUF_INIT;
    struct error err = ERROR_INIT;
    ck_assert_int_eq(child_run(argv, NULL, &out, 1000, &err), E_CORRUPT);
    ck_assert_uint_eq(out.len, 0);
    buf_free(&out);
}
END_TEST

/* Also children of the child: they hold the pipe, and the reader would wait for them. */
START_TEST(timeout_ends_the_whole_group)
{
    struct child_options opt = { .timeout_ms = 300 };
    struct buf out = BUF_INIT;
    struct error err = ERROR_INIT;
    uint64_t start = clock_mono_ms();
    ck_assert_int_eq(shell("echo stuck >&2; sleep 60 | sleep 60", &opt, &out, &err), E_RETRY);
    ck_assert_uint_lt(clock_mono_ms() - start, 5000);
    ck_assert_ptr_nonnull(strstr(err.text, "took too long"));
    ck_assert_ptr_nonnull(strstr(err.text, "stuck"));
    buf_free(&out);
}
END_TEST

START_TEST(endless_stderr_does_not_stop_the_clock)
{
    struct child_options opt = { .timeout_ms = 300 };
    struct error err = ERROR_INIT;
    ck_assert_int_eq(shell("yes >&2", &opt, NULL, &err), E_RETRY);
    ck_assert_int_eq(shell("yes >&2 & exit 0", NULL, NULL, &err), 0);
}
END_TEST

START_TEST(leftovers_are_ended_with_the_leader)
{
    struct error err = ERROR_INIT;
    uint64_t start = clock_mono_ms();
    ck_assert_int_eq(shell("sleep 60 & exit 0", NULL, NULL, &err), 0);
    ck_assert_uint_lt(clock_mono_ms() - start, 5000);
}
END_TEST

static void gone(long pid)
{
    for (int i = 0; i < 100 && kill((pid_t)pid, 0) == 0; i++)
        (void)nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    ck_assert_int_eq(kill((pid_t)pid, 0), -1);
    ck_assert_int_eq(errno, ESRCH);
}

START_TEST(free_kills)
{
    const char *const argv[] = { "sleep", "60", NULL };
    struct child *c = child_start(argv, NULL, NULL);
    long pid = child_pid(c);
    child_free(c);
    gone(pid);
    c = child_start(argv, NULL, NULL);
    child_kill(c);
    struct error err = ERROR_INIT;
    ck_assert_int_eq(child_finish(c, &err), E_IO);
    ck_assert_int_eq(child_status(c), 128 + SIGKILL);
    child_kill(c);
    child_free(c);
}
END_TEST

START_TEST(a_requested_stop_ends_children)
{
    struct child_options stubborn = { .outlives_stop = true };
    struct error err = ERROR_INIT;
    ck_assert_int_eq(interrupt_install(NULL), 0);
    ck_assert_int_eq(interrupt_check(&err), 0);
    ck_assert_int_eq(interrupt_signal(), 0);
    (void)raise(SIGINT);
    ck_assert(interrupt_requested());
    ck_assert_int_eq(interrupt_signal(), SIGINT);
    ck_assert_int_eq(interrupt_check(&err), E_CANCELLED);
    ck_assert_int_eq(shell("sleep 60", NULL, NULL, &err), E_CANCELLED);
    expect_output("sleep 0.3; echo done", &stubborn, "done\n");
    interrupt_forget();
    ck_assert_int_eq(interrupt_check(&err), 0);
    interrupt_request();
    ck_assert_int_eq(interrupt_signal(), SIGTERM);
    interrupt_forget();
}
END_TEST

START_TEST(children_die_with_their_starter)
{
    int ends[2];
    char text[32] = "";
    ck_assert_int_eq(pipe(ends), 0);
    pid_t middle = fork();
    if (middle == 0) {
        const char *const argv[] = { "sleep", "60", NULL };
        struct child *c = child_start(argv, NULL, NULL);
        long pid = c != NULL ? child_pid(c) : 0;
        (void)!write(ends[1], &pid, sizeof pid);
        (void)kill(getpid(), SIGKILL);
    }
    long pid = 0;
    ck_assert_int_eq(read(ends[0], &pid, sizeof pid), (ssize_t)sizeof pid);
    ck_assert_int_gt(pid, 0);
    /* An init that does not reap leaves a zombie: dead is enough. */
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    bool dead = false;
    for (int i = 0; i < 100 && !dead; i++) {
        FILE *f = fopen(path, "re");
        dead = f == NULL || fscanf(f, "%*d %*s %31s", text) != 1 || text[0] == 'Z';
        if (f != NULL)
            (void)fclose(f);
        (void)nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    }
    ck_assert(dead);
    (void)close(ends[0]);
    (void)close(ends[1]);
}
END_TEST

START_TEST(limits_hold_for_the_child)
{
    const char *const argv[] = { "sh", "-c", "nice; ulimit -n; ulimit -d", NULL };
    const struct process_limits limits = {
        .nice = 9, .ionice = IONICE_IDLE, .memory = 64 << 20, .open_files = 100
    };
    const struct child_options opt = { .limits = &limits };
    struct buf out = BUF_INIT;
    ck_assert_int_eq(child_run(argv, &opt, &out, 100, NULL), 0);
    ck_assert_int_eq(buf_append(&out, "", 1, NULL), 0);
    ck_assert_str_eq((const char *)out.data, "9\n100\n65536\n");
    buf_free(&out);
}
END_TEST

START_TEST(what_a_tree_has_used)
{
    /* Bytes of a child of the child count, also when it has ended. */
    const char *const argv[] = { "sh", "-c", "head -c 3000000 /dev/zero | wc -c; echo; read x", NULL };
    const struct child_options opt = { .want_stdin = true, .want_stdout = true };
    struct process_usage idle;
    struct process_usage busy;
    struct child *c = child_start(argv, &opt, NULL);
    char text[64];
    size_t n = 0;
    ck_assert(process_usage(getpid(), &idle));
    while (n < sizeof text - 1 && (n < 2 || text[n - 1] != '\n' || text[n - 2] != '\n'))
        ck_assert_int_eq(read(child_stdout(c), text + n++, 1), 1);
    ck_assert(process_usage(getpid(), &busy));
    ck_assert_uint_ge(busy.io, idle.io + 1000000);
    long pid = child_pid(c);
    child_close_stdin(c);
    (void)child_finish(c, NULL);
    child_free(c);
    ck_assert(!process_usage(pid, &busy));
}
END_TEST

START_TEST(confined_children_reach_nothing)
{
    struct confine c = { .uid = 65534, .gid = 65534, .dir = "/var" };
    struct child_options opt = { .confine = &c };
    char want[32];
    confine_find(&c);
    ck_assert(c.alone || c.why[0] != '\0');
    (void)snprintf(want, sizeof want, "%u\n", c.uid);
    expect_output("id -u", &opt, want);
    expect_output("grep NoNewPrivs: /proc/self/status", &opt, "NoNewPrivs:\t1\n");
    if (!c.alone)
        return;
    expect_output("sed -n 's/^ *\\([a-z0-9]*\\):.*/\\1/p' /proc/self/net/dev | "
                  "sort -u; echo $$; ls /run /dev/shm",
                  &opt, "lo\n1\n/dev/shm:\n\n/run:\n");
}
END_TEST

static void *nothing(void *arg)
{
    return arg;
}

static void *begin_threads(void *arg)
{
    while (!atomic_load((atomic_bool *)arg)) {
        pthread_t t;
        if (pthread_create(&t, NULL, nothing, NULL) == 0)
            (void)pthread_join(t, NULL);
    }
    return NULL;
}

/* A child that is forked while a thread is just starting must not wait for it: there is none in the child. */
START_TEST(confined_children_begin_while_threads_begin)
{
    struct confine c = { .uid = 65534, .gid = 65534, .dir = "/var" };
    atomic_bool enough = false;
    pthread_t t;
    ck_assert_int_eq(pthread_create(&t, NULL, begin_threads, &enough), 0);
    for (int i = 0; i < 300; i++)
        confine_find(&c);
    atomic_store(&enough, true);
    (void)pthread_join(t, NULL);
}
END_TEST

START_TEST(confined_children_die_with_what_they_started)
{
    struct confine c = { .uid = 65534, .gid = 65534, .dir = "/var" };
    struct child_options opt = { .confine = &c, .want_stdout = true };
    const char *const argv[] = { "sh", "-c", "setsid sleep 600 & echo; wait", NULL };
    char byte = 0;
    confine_find(&c);
    if (!c.alone)
        return;
    struct child *child = child_start(argv, &opt, NULL);
    ck_assert_ptr_nonnull(child);
    ck_assert_int_eq(read(child_stdout(child), &byte, 1), 1);
    child_kill(child);
    /* The end of the pipe comes when the last of them is gone, also the one in a group of its own. */
    ck_assert_int_eq(read(child_stdout(child), &byte, 1), 0);
    child_free(child);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc == 2 && getenv(SAYS_ITS_NAME) != NULL) {
        (void)!write(STDOUT_FILENO, argv[0], strlen(argv[0]));
        return raise(SIGKILL);
    }
    Suite *suite = suite_create("sys/child");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_test(all, output_and_environment);
    tcase_add_test(all, only_standard_descriptors);
    tcase_add_test(all, default_signals_in_the_child);
    tcase_add_test(all, verdicts);
    tcase_add_test(all, status_and_stderr_stay_readable);
    tcase_add_test(all, what_it_has_said_is_known_while_it_runs);
    tcase_add_test(all, the_end_is_seen_before_it_is_waited_for);
    tcase_add_test(all, programs_are_found);
    tcase_add_test(all, the_program_itself_has_its_name);
    tcase_add_test(all, input_through_a_pipe);
    tcase_add_test(all, output_has_a_limit);
    tcase_add_test(all, timeout_ends_the_whole_group);
    tcase_add_test(all, endless_stderr_does_not_stop_the_clock);
    tcase_add_test(all, leftovers_are_ended_with_the_leader);
    tcase_add_test(all, free_kills);
    tcase_add_test(all, a_requested_stop_ends_children);
    tcase_add_test(all, children_die_with_their_starter);
    tcase_add_test(all, limits_hold_for_the_child);
    tcase_add_test(all, what_a_tree_has_used);
    tcase_add_test(all, confined_children_reach_nothing);
    tcase_add_test(all, confined_children_begin_while_threads_begin);
    tcase_add_test(all, confined_children_die_with_what_they_started);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
