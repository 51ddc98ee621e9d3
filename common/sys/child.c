#include "common/sys/child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/base/str.h"
#include "common/sys/child_exec.h"
#include "common/sys/child_watch.h"
#include "common/sys/confine.h"
#include "common/sys/fdio.h"
#include "common/sys/sweep.h"
#include "common/base/banned.h"

enum { READ_END = 0, WRITE_END = 1 };

struct child {
    pid_t pid;
    char *name;
    int in;  /* write end of its stdin */
    int out; /* read end of its stdout */
    struct child_watch watch;
    pthread_mutex_t lock; /* of reaped: nobody signals a number that is free for others again */
    bool reaped;
    bool killed;               /* by this process, before it had ended */
    bool remains;              /* something of it could not be ended */
    char mark[SWEEP_MARK_MAX]; /* "" : it has none */
    int wait_status;
};

/* A pipe whose ends are close-on-exec and above the standard descriptors. */
static int make_pipe(int ends[2], struct error *err)
{
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_sys(err, "make a pipe");
    for (int i = 0; i < 2; i++) {
        if (ends[i] > STDERR_FILENO)
            continue;
        int high = fcntl(ends[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (high < 0)
            return error_sys(err, "make a pipe");
        (void)close(ends[i]);
        ends[i] = high;
    }
    return 0;
}

/* ---- start ------------------------------------------------------------------------------------------- */

/* Waits for exec: the pipe closes when it happened, else errno comes through. */
static int await_exec(int fd, const char *name, struct error *err)
{
    int code = 0;
    int64_t n = fd_read(fd, &code, sizeof code, name, err);
    if (n < 0)
        return (int)n;
    if (n != (int64_t)sizeof code)
        return 0;
    errno = code;
    return error_sys(err, "start %s", name);
}

static int launch(struct child *c, struct child_image *image, struct error *err)
{
    int report[2] = { -1, -1 };
    int rc = make_pipe(report, err);
    if (rc == 0) {
        long self = (long)getpid();
        image->error_fd = report[WRITE_END];
        c->pid = (pid_t)confine_fork(image->confine);
        if (c->pid == 0)
            child_image_exec(image, self);
        rc = c->pid < 0 ? error_sys(err, "start %s", image->argv[0]) : 0;
    }
    fd_drop(&report[WRITE_END]);
    if (rc == 0)
        rc = await_exec(report[READ_END], image->argv[0], err);
    fd_drop(&report[READ_END]);
    return rc;
}

static int start_with_pipes(struct child *c, struct child_image *image, const struct child_options *opt,
                            struct error *err)
{
    int in[2] = { -1, -1 };
    int out[2] = { -1, -1 };
    int errors[2] = { -1, -1 };
    int rc = make_pipe(errors, err);
    if (rc == 0 && opt->input != NULL) {
        in[READ_END] = opt->input->out;
        opt->input->out = -1;
    } else if (rc == 0 && opt->want_stdin) {
        rc = make_pipe(in, err);
    }
    if (rc == 0 && opt->want_stdout)
        rc = make_pipe(out, err);
    if (rc == 0)
        rc = make_pipe(c->watch.stop, err);
    if (rc == 0) {
        image->stdin_fd = in[READ_END];
        image->stdout_fd = out[WRITE_END];
        image->stderr_fd = errors[WRITE_END];
        rc = launch(c, image, err);
    }
    fd_drop(&in[READ_END]);
    fd_drop(&out[WRITE_END]);
    fd_drop(&errors[WRITE_END]);
    c->in = in[WRITE_END];
    c->out = out[READ_END];
    c->watch.fd = errors[READ_END];
    return rc == 0 ? child_watch_start(&c->watch, err) : rc;
}

static void kill_group(void *arg)
{
    child_kill(arg);
}

struct child *child_start(const char *const argv[], const struct child_options *opt, struct error *err)
{
    static const struct child_options nothing;
    struct child_image image = { .path = NULL };
    struct child *c = mem_alloc(1, sizeof *c, err);
    if (c == NULL)
        return NULL;
    opt = opt != NULL ? opt : &nothing;
    c->in = c->out = c->pid = -1;
    (void)pthread_mutex_init(&c->lock, NULL);
    child_watch_init(&c->watch, opt, kill_group, c);
    int rc = opt->marked ? sweep_mark(c->mark, SWEEP_CHILD, err) : 0;
    if (rc == 0)
        rc = child_image_init(&image, argv, opt, c->mark, err);
    if (rc == 0 && (c->name = str_dup(image.argv[0], err)) == NULL)
        rc = E_NOMEM;
    if (rc == 0)
        rc = start_with_pipes(c, &image, opt, err);
    child_image_free(&image);
    if (rc < 0) {
        child_free(c);
        c = NULL;
    }
    return c;
}

/* ---- use --------------------------------------------------------------------------------------------- */

long child_pid(const struct child *c)
{
    return (long)c->pid;
}

int child_stdin(const struct child *c)
{
    return c->in;
}

int child_stdout(const struct child *c)
{
    return c->out;
}

void child_close_stdin(struct child *c)
{
    fd_drop(&c->in);
}

bool child_ended(struct child *c)
{
    siginfo_t info = { .si_pid = 0 };
    (void)pthread_mutex_lock(&c->lock);
    bool ended = c->reaped ||
                 (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0);
    (void)pthread_mutex_unlock(&c->lock);
    return ended;
}

/* cut: not only what an ended leader has left in the group. */
static void kill_it(struct child *c, bool cut)
{
    (void)pthread_mutex_lock(&c->lock);
    if (c->pid > 0 && !c->reaped) {
        c->killed |= cut;
        (void)kill(-c->pid, SIGKILL);
    }
    (void)pthread_mutex_unlock(&c->lock);
}

void child_kill(struct child *c)
{
    kill_it(c, true);
}

/* What has left the group of one that was killed. */
static void end_the_rest(struct child *c)
{
    struct swept swept;
    if (c->mark[0] == '\0' || !c->killed)
        return;
    int rc = sweep(c->mark, &swept, NULL);
    c->remains = rc != E_UNSUPPORTED && (rc < 0 || !swept.all);
}

int child_hand_over(struct child *c)
{
    child_watch_end(&c->watch);
    int fd = c->watch.fd;
    c->watch.fd = -1;
    c->pid = -1;
    return fd;
}

/* Waits without reaping first: until then nobody else can get the process group's number. */
static void wait_for_end(struct child *c)
{
    siginfo_t info;
    while (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        ;
    child_watch_end(&c->watch);
    kill_it(c, false);
    (void)pthread_mutex_lock(&c->lock);
    while (waitpid(c->pid, &c->wait_status, 0) < 0 && errno == EINTR)
        ;
    c->reaped = true;
    (void)pthread_mutex_unlock(&c->lock);
    end_the_rest(c);
}

bool child_has_said(struct child *c, const char *words)
{
    return child_watch_said(&c->watch, words);
}

const char *child_last_line(const struct child *c, char out[CHILD_LAST_LINE_MAX])
{
    const char *text = (const char *)c->watch.tail.data;
    size_t end = c->watch.tail.len;
    while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == '\r' || text[end - 1] == ' '))
        end--;
    size_t start = end;
    while (start > 0 && text[start - 1] != '\n' && end - start < CHILD_LAST_LINE_MAX - 1)
        start--;
    char line[CHILD_LAST_LINE_MAX] = "";
    if (end > start)
        memcpy(line, text + start, end - start);
    return str_printable(out, CHILD_LAST_LINE_MAX, line);
}

static int verdict(const struct child *c, struct error *err)
{
    char line[CHILD_LAST_LINE_MAX];
    const char *said = child_last_line(c, line);
    const char *colon = *said != '\0' ? ": " : "";
    const char *remains = c->remains ? ", but not all that it had started" : "";
    /* Also when its leader ended well: others of the group may have been killed while they still wrote. */
    if (atomic_load(&c->watch.interrupted))
        return error_set(err, E_CANCELLED, "%s was stopped on request%s", c->name, remains);
    if (atomic_load(&c->watch.timed_out))
        return error_set(err, E_RETRY, "%s took too long and was stopped%s%s%s", c->name, remains, colon,
                         said);
    if (WIFSIGNALED(c->wait_status)) {
        int number = WTERMSIG(c->wait_status);
        const char *name = sigabbrev_np(number);
        return error_set(err, E_IO, "%s was ended by signal %d (SIG%s)%s%s", c->name, number,
                         name != NULL ? name : "?", colon, said);
    }
    if (WEXITSTATUS(c->wait_status) != 0)
        return error_set(err, E_IO, "%s failed with status %d%s%s", c->name, WEXITSTATUS(c->wait_status),
                         colon, said);
    return 0;
}

int child_finish(struct child *c, struct error *err)
{
    fd_drop(&c->in);
    fd_drop(&c->out);
    if (!c->reaped)
        wait_for_end(c);
    return verdict(c, err);
}

int child_status(const struct child *c)
{
    return WIFSIGNALED(c->wait_status) ? 128 + WTERMSIG(c->wait_status) : WEXITSTATUS(c->wait_status);
}

const char *child_stderr(const struct child *c, size_t *len)
{
    if (len != NULL)
        *len = c->watch.tail.len;
    return c->watch.tail.len != 0 ? (const char *)c->watch.tail.data : "";
}

void child_free(struct child *c)
{
    if (c == NULL)
        return;
    fd_drop(&c->in);
    fd_drop(&c->out);
    if (c->pid > 0 && !c->reaped) {
        child_kill(c);
        wait_for_end(c);
    }
    child_watch_free(&c->watch);
    (void)pthread_mutex_destroy(&c->lock);
    free(c->name);
    free(c);
}
