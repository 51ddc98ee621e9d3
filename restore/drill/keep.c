#include "restore/drill/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "common/sys/atomic_file.h"
#include "common/sys/fdio.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum { STEP_MS = 100, NUMBER_MAX = 24 };

/* ---- the process that was called ------------------------------------------------------------------------- */

int keep_fork(struct keep_front *front, struct error *err)
{
    int ends[2];
    pid_t self = getpid();
    *front = (struct keep_front){ .ready = -1 };
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_sys(err, "make a pipe");
    pid_t pid = fork();
    if (pid < 0) {
        int rc = error_sys(err, "start the drill");
        fd_drop(&ends[0]);
        fd_drop(&ends[1]);
        return rc;
    }
    front->child = (long)pid;
    front->ready = ends[pid == 0];
    fd_drop(&ends[pid != 0]);
    /* Whoever kills the one ends the other. */
    if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != self))
        _exit(EXIT_FAILURE);
    return 0;
}

/* By the other signal: the terminal may have told the child, too, and a second one of a kind ends it at once. */
static void pass_on(const struct keep_front *front)
{
    (void)kill((pid_t)front->child, interrupt_signal() == SIGINT ? SIGTERM : SIGINT);
    interrupt_forget();
}

int keep_wait(struct keep_front *front, int *code, struct error *err)
{
    struct pollfd ready = { .fd = front->ready, .events = POLLIN };
    int status = 0;
    unsigned char kept = 0;
    while (poll(&ready, 1, STEP_MS) <= 0)
        if (interrupt_requested())
            pass_on(front);
    int64_t n = fd_read(front->ready, &kept, 1, "the drill", NULL);
    fd_drop(&front->ready);
    *code = kept;
    if (n == 1)
        return 0;
    while (waitpid((pid_t)front->child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        return error_set(err, E_IO, "the drill was ended by signal %d; the next one removes what it left",
                         WTERMSIG(status));
    *code = WEXITSTATUS(status);
    return 0;
}

/* ---- becoming the keeper ------------------------------------------------------------------------------------ */

static int describe(const struct scratch *s, const struct keep_what *what, struct error *err)
{
    struct jsonout *o = jsonout_new("kept");
    struct buf text = BUF_INIT;
    jsonout_str(o, "id", what->id);
    jsonout_str(o, "snapshot", what->snapshot);
    jsonout_str(o, "verdict", what->verdict);
    jsonout_str(o, "connect", s->connect != NULL ? s->connect : s->to);
    jsonout_u64(o, "since", clock_wall());
    jsonout_u64(o, "until", what->until);
    char *path = str_printf(err, "%s/" KEPT_FILE, s->dir);
    int rc = jsonout_text(o, &text, err);
    rc = rc == 0 && path == NULL ? E_NOMEM : rc;
    rc = rc == 0 ? file_write_atomic(path, text.data, text.len, 0600, FILE_REPLACE, err) : rc;
    free(path);
    buf_free(&text);
    return rc;
}

/* The terminal, and whoever else reads the output, are done with. */
static int detach(const char *dir, struct error *err)
{
    char *path = str_printf(err, "%s/" KEPT_LOG, dir);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int log = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
    int rc = path == NULL ? E_NOMEM : null < 0 || log < 0 ? error_sys(err, "open %s", path) : 0;
    if (rc == 0 && (prctl(PR_SET_PDEATHSIG, 0) < 0 || setsid() < 0))
        rc = error_sys(err, "leave the terminal");
    if (rc == 0 && (dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0))
        rc = error_sys(err, "leave the terminal");
    fd_drop(&null);
    fd_drop(&log);
    free(path);
    return rc;
}

static int pass(int fd, struct error *err)
{
    return fd >= 0 && fcntl(fd, F_SETFD, 0) < 0 ? error_sys(err, "hand over a descriptor") : 0;
}

static int become(const char *const *argv, struct error *err)
{
    static char *const env[] = { NULL };
    union {
        const char *const *from;
        char *const *to;
    } args = { .from = argv }; /* execve does not change the strings, its type only says so */
    (void)execve("/proc/self/exe", args.to, env);
    return error_sys(err, "start the keeper (/proc/self/exe)");
}

int keep_go(struct scratch *s, const struct keep_what *what, const struct keep_front *front,
            struct error *err)
{
    enum { LOCK, READY, ERRORS, SERVER, UNTIL, CODE, NUMBERS };
    char n[NUMBERS][NUMBER_MAX];
    char *fifo = str_printf(err, "%s/" KEPT_CONTROL, s->dir);
    int rc = fifo == NULL ? E_NOMEM : mkfifo(fifo, 0600) < 0 ? error_sys(err, "make %s", fifo) : 0;
    rc = rc == 0 ? describe(s, what, err) : rc;
    free(fifo);
    /* What this process was started with, too: who waits for a pipe or a lock of it need not wait for the keeper. */
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    int lock = rc == 0 ? filelock_pass(s->lock, err) : rc;
    rc = lock < 0 ? lock : pass(front->ready, err);
    rc = rc == 0 ? detach(s->dir, err) : rc;
    if (rc < 0)
        return rc;
    long server = s->server != NULL ? child_pid(s->server) : 0;
    int errors = s->server != NULL ? child_hand_over(s->server) : -1;
    rc = pass(errors, err);
    const long long numbers[NUMBERS] = { lock,   front->ready,           errors,
                                         server, (long long)what->until, what->exit_code };
    for (size_t i = 0; i < NUMBERS; i++)
        (void)snprintf(n[i], NUMBER_MAX, "%lld", numbers[i]);
    /* "--": a number may be negative. */
    const char *const argv[] = { "restore", "drill",   "keeper",  "--",     s->dir,  n[LOCK],
                                 n[READY],  n[ERRORS], n[SERVER], n[UNTIL], n[CODE], NULL };
    return rc == 0 ? become(argv, err) : rc;
}
