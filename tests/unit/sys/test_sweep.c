/* Ending what has left its process group: by a mark in the environment, and nothing but what holds it. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/sys/child.h"
#include "common/sys/interrupt.h"
#include "common/sys/sweep.h"
#include "common/base/banned.h"

static const char *self; /* this program */

/* Each says its number once it is where it wants to be: what reads the output waits for that. */
static const char own_session[] = "setsid sh -c 'ulimit -t 20; echo $$; exec sleep 600 >/dev/null 2>&1' &";
static const char double_fork[] = "(setsid sh -c 'sleep 600 >/dev/null 2>&1 & echo $!' &)";

/* Orphans are the test's own to reap. */
static void adopt(void)
{
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

/* Runs the script to its end; the process that it leaves. */
static long leave(const char *script, const char *variable)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    const char *const env[] = { variable, NULL };
    const struct child_options options = { .env = env };
    struct buf said = BUF_INIT;
    struct error err = ERROR_INIT;
    ck_assert_msg(child_run(argv, &options, &said, 4096, &err) == 0, "%s", err.text);
    ck_assert_int_eq(buf_append(&said, "", 1, NULL), 0);
    long pid = strtol((char *)said.data, NULL, 10);
    ck_assert_int_gt(pid, 1);
    buf_free(&said);
    return pid;
}

static bool is_there(long pid)
{
    (void)waitpid((pid_t)pid, NULL, WNOHANG);
    return kill((pid_t)pid, 0) == 0;
}

static void end(long pid)
{
    (void)kill((pid_t)pid, SIGKILL);
    (void)waitpid((pid_t)pid, NULL, 0);
}

static void expect_sweep(const char *mark, size_t ended)
{
    struct swept swept;
    struct error err = ERROR_INIT;
    ck_assert_msg(sweep(mark, &swept, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(swept.ended, ended);
    ck_assert(swept.all);
}

static void make_mark(char mark[SWEEP_MARK_MAX])
{
    ck_assert_int_eq(sweep_mark(mark, SWEEP_RUN, NULL), 0);
}

START_TEST(all_with_the_mark_and_nothing_else)
{
    char mark[SWEEP_MARK_MAX];
    char other[SWEEP_MARK_MAX];
    char longer[SWEEP_MARK_MAX + 8];
    char shorter[SWEEP_MARK_MAX];
    char name[SWEEP_MARK_MAX + 8];
    make_mark(mark);
    make_mark(other);
    ck_assert_str_ne(mark, other);
    (void)snprintf(longer, sizeof longer, "%s0", mark);
    (void)snprintf(shorter, sizeof shorter, "%.*s", (int)strlen(mark) - 1, mark);
    (void)snprintf(name, sizeof name, "X%s", mark);
    long mine[] = { leave(own_session, mark), leave(double_fork, mark) };
    long others[] = { leave(own_session, other), leave(double_fork, longer), leave(own_session, shorter),
                      leave(own_session, name) };
    for (size_t i = 0; i < sizeof mine / sizeof mine[0]; i++)
        ck_assert(is_there(mine[i]));
    expect_sweep(mark, 2);
    for (size_t i = 0; i < sizeof mine / sizeof mine[0]; i++)
        ck_assert(!is_there(mine[i]));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        ck_assert(is_there(others[i]));
        end(others[i]);
    }
    expect_sweep(mark, 0);
}
END_TEST

/* For a moment between two programs a process has no environment to look into. */
START_TEST(one_that_always_becomes_another_program)
{
    enum { ROUNDS = 60 };
    static const char restless[] = /* not for ever, should it be missed */
        "setsid sh -c 'ulimit -t 20; echo $$; exec \"$0\" -c \"$1\" \"$0\" \"$1\" >/dev/null' sh 'exec \"$0\" -c \"$1\" \"$0\" \"$1\"' &";
    for (int i = 0; i < ROUNDS; i++) {
        char mark[SWEEP_MARK_MAX];
        make_mark(mark);
        long pid = leave(restless, mark);
        expect_sweep(mark, 1);
        ck_assert(!is_there(pid));
    }
}
END_TEST

START_TEST(many_and_large_environments)
{
    enum { MANY = 300, LARGE = 100000 };
    char mark[SWEEP_MARK_MAX];
    char *large = malloc(LARGE);
    pid_t pids[MANY];
    make_mark(mark);
    ck_assert_ptr_nonnull(large);
    memset(large, 'x', LARGE - 1);
    large[LARGE - 1] = '\0';
    memcpy(large, "L=", 2);
    char *const argv[] = { (char[]){ "sleep" }, (char[]){ "600" }, NULL };
    char *const env[] = { large, mark, NULL };
    for (int i = 0; i < MANY; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] == 0) {
            (void)execve("/bin/sleep", argv, env);
            _exit(127);
        }
    }
    /* Those that have not come to their exec yet are not marked: the last of them has when the count is whole. */
    size_t ended = 0;
    struct swept swept = { .ended = 0 };
    while (ended < MANY) {
        ck_assert_int_eq(sweep(mark, &swept, NULL), 0);
        ck_assert(swept.all);
        ended += swept.ended;
    }
    for (int i = 0; i < MANY; i++)
        ck_assert(!is_there(pids[i]));
    free(large);
}
END_TEST

/* A process whose own environment holds the mark sweeps the others. */
START_TEST(never_itself)
{
    char mark[SWEEP_MARK_MAX];
    make_mark(mark);
    const char *const argv[] = { self, mark, NULL };
    const char *const env[] = { mark, NULL };
    const struct child_options options = { .env = env };
    struct error err = ERROR_INIT;
    long pid = leave(own_session, mark);
    ck_assert_msg(child_run(argv, &options, NULL, 0, &err) == 0, "%s", err.text);
    ck_assert(!is_there(pid));
}
END_TEST

START_TEST(marks)
{
    char mark[SWEEP_MARK_MAX];
    struct error err = ERROR_INIT;
    ck_assert_int_eq(sweep_mark_again(mark, "A", "0123456789abcdef0123456789abcdef.more", &err), 0);
    ck_assert_str_eq(mark, "A=0123456789abcdef0123456789abcdef");
    ck_assert_int_eq(sweep_mark_again(mark, "A", "0123", &err), E_USAGE);
    ck_assert_int_eq(sweep_mark_again(mark, "A", "", &err), E_USAGE);
    ck_assert_int_eq(sweep_mark_again(mark, "A", "0123456789abcdef0123456789abcdeX", &err), E_USAGE);
    ck_assert_int_eq(
        sweep_mark(mark, "A_NAME_THAT_IS_LONGER_THAN_ANY_THAT_A_MARK_CAN_HAVE_HERE_OR_THERE", &err), E_USAGE);
}
END_TEST

/* ---- children that are marked (child.h) ----------------------------------------------------------------------------- */

/* Says the number of what it has in another session, and waits. */
static const char waits[] =
    "setsid sh -c 'ulimit -t 20; echo $$; exec sleep 600 >/dev/null 2>&1' & exec sleep 600 2>/dev/null";

static long number_from(struct child *c)
{
    char text[32] = "";
    ck_assert_int_gt(read(child_stdout(c), text, sizeof text - 1), 0);
    return strtol(text, NULL, 10);
}

static struct child *start(bool marked, uint64_t timeout_ms)
{
    const char *const argv[] = { "sh", "-c", waits, NULL };
    const struct child_options options = { .want_stdout = true, .timeout_ms = timeout_ms, .marked = marked };
    struct error err = ERROR_INIT;
    struct child *c = child_start(argv, &options, &err);
    ck_assert_msg(c != NULL, "%s", err.text);
    return c;
}

START_TEST(a_marked_child_takes_all_along)
{
    for (int how = 0; how < 3; how++) {
        struct child *c = start(true, how == 0 ? 1000 : 0);
        struct error err = ERROR_INIT;
        long pid = number_from(c);
        if (how == 1)
            interrupt_request();
        if (how < 2)
            ck_assert_int_eq(child_finish(c, &err), how == 0 ? E_RETRY : E_CANCELLED);
        interrupt_forget();
        child_free(c);
        ck_assert(!is_there(pid));
    }
}
END_TEST

START_TEST(another_does_not)
{
    struct child *c = start(false, 0);
    long pid = number_from(c);
    child_free(c);
    ck_assert(is_there(pid));
    end(pid);
}
END_TEST

START_TEST(nor_one_that_ended_by_itself)
{
    const char *const argv[] = { "sh", "-c", own_session, NULL };
    const struct child_options options = { .want_stdout = true, .marked = true };
    struct child *c = child_start(argv, &options, NULL);
    ck_assert_ptr_nonnull(c);
    long pid = number_from(c);
    ck_assert_int_eq(child_finish(c, NULL), 0);
    child_free(c);
    ck_assert(is_there(pid));
    end(pid);
}
END_TEST

START_TEST(marks_are_inherited)
{
    const char *const argv[] = { "sh", "-c", "echo $BACKUPD_RUN-$BACKUPD_CHILD", NULL };
    struct child_options options = { .marked = false };
    struct buf said = BUF_INIT;
    ck_assert_int_eq(setenv(SWEEP_RUN, "one", 1), 0);
    ck_assert_int_eq(setenv(SWEEP_CHILD, "two", 1), 0);
    ck_assert_int_eq(child_run(argv, &options, &said, 4096, NULL), 0);
    ck_assert_uint_eq(said.len, strlen("one-two\n"));
    ck_assert_mem_eq(said.data, "one-two\n", said.len);
    options.marked = true;
    said.len = 0;
    ck_assert_int_eq(child_run(argv, &options, &said, 4096, NULL), 0);
    ck_assert_uint_eq(said.len, strlen("one-\n") + SWEEP_VALUE_LEN);
    buf_free(&said);
}
END_TEST

int main(int argc, char **argv)
{
    struct swept swept;
    self = argv[0];
    if (argc == 2) /* never_itself */
        return sweep(argv[1], &swept, NULL) == 0 && swept.ended == 1 && swept.all ? EXIT_SUCCESS
                                                                                  : EXIT_FAILURE;
    Suite *suite = suite_create("sys/sweep");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_checked_fixture(all, adopt, NULL);
    /* Valgrind has no such call. */
    if (syscall(SYS_pidfd_open, getpid(), 0U) >= 0 || errno != ENOSYS) {
        tcase_add_test(all, all_with_the_mark_and_nothing_else);
        tcase_add_test(all, one_that_always_becomes_another_program);
        tcase_add_test(all, many_and_large_environments);
        tcase_add_test(all, never_itself);
        tcase_add_test(all, a_marked_child_takes_all_along);
    } else {
        (void)puts("without pidfd_open() nothing can be swept: only the marks are tested");
    }
    tcase_add_test(all, marks);
    tcase_add_test(all, another_does_not);
    tcase_add_test(all, nor_one_that_ended_by_itself);
    tcase_add_test(all, marks_are_inherited);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
