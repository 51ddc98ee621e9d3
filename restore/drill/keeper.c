/* The keeper of what a drill left on purpose, and how others find and end it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/cli/jsonflat.h"
#include "common/sys/atomic_file.h"
#include "common/sys/fdio.h"
#include "common/sys/interrupt.h"
#include "restore/drill/keep.h"

#include "common/base/banned.h"

enum { TICK_MS = 5000, STEP_NS = 50 * 1000 * 1000, LOG_MAX = 16 << 20, FILE_MAX = 64 * 1024 };

/* ---- its life ---------------------------------------------------------------------------------------------- */

/* What the server says, until that is too much. False at its end. */
static bool write_down(int from, uint64_t *written)
{
    char block[4096];
    ssize_t n = read(from, block, sizeof block);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    *written += (uint64_t)n;
    if (n > 0 && *written < LOG_MAX)
        (void)fd_write_full(STDERR_FILENO, block, (size_t)n, "log", NULL);
    return n > 0;
}

/* Until it is told to end, its time is over, or the server ended. */
static void keep(const struct keeper *k, int control, int server)
{
    uint64_t written = 0;
    uint64_t now = 0;
    struct pollfd fds[] = { { .fd = control, .events = POLLIN },
                            { .fd = server, .events = POLLIN },
                            { .fd = k->errors, .events = POLLIN } };
    while (!interrupt_requested() && (now = clock_wall()) < k->until) {
        (void)poll(fds, 3, k->until - now < TICK_MS / 1000 ? (int)(k->until - now) * 1000 : TICK_MS);
        if (fds[0].revents != 0 || fds[1].revents != 0)
            return;
        if (fds[2].revents != 0 && !write_down(k->errors, &written))
            fds[2].fd = -1;
    }
}

static void end_server(const struct keeper *k)
{
    if (k->server <= 0)
        return;
    /* The first of its processes: the others die with it. */
    (void)kill(-(pid_t)k->server, SIGKILL);
    (void)kill((pid_t)k->server, SIGKILL);
    while (waitpid((pid_t)k->server, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* With the lock that only a drill can have handed over; without it nothing here is its own. */
static int adopt(const struct keeper *k, struct scratch *s, struct error *err)
{
    char *lock = str_printf(err, "%s/lock", k->dir);
    struct filelock *taken = lock != NULL ? filelock_adopt(k->lock, lock, err) : NULL;
    free(lock);
    *s = (struct scratch){ .lock = taken };
    if (taken == NULL)
        return err->code < 0 ? err->code : E_NOMEM;
    s->dir = str_dup(k->dir, err);
    return s->dir != NULL ? 0 : E_NOMEM;
}

int keeper_run(const struct keeper *k, struct error *err)
{
    struct scratch s;
    const unsigned char code = (unsigned char)k->exit_code;
    int ready = k->ready;
    int rc = adopt(k, &s, err);
    if (rc < 0)
        return rc;
    char *fifo = str_printf(err, "%s/" KEPT_CONTROL, k->dir);
    int control = fifo != NULL ? open(fifo, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
    int server = k->server > 0 ? pidfd_open((pid_t)k->server, 0) : -1;
    if (fifo == NULL)
        rc = E_NOMEM;
    else if (control < 0 || (k->server > 0 && server < 0))
        rc = error_sys(err, "keep %s", k->dir);
    rc = rc == 0 ? fd_write_full(ready, &code, 1, "the drill", err) : rc;
    fd_drop(&ready);
    if (rc == 0)
        keep(k, control, server);
    end_server(k);
    scratch_close(&s);
    fd_drop(&control);
    fd_drop(&server);
    free(fifo);
    return rc;
}

/* ---- others ------------------------------------------------------------------------------------------------ */

/* A writer finds a reader only while the keeper lives. */
static int control_of(const char *dir)
{
    char *path = str_printf(NULL, "%s/" KEPT_CONTROL, dir);
    int fd = path != NULL ? open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW) : -1;
    free(path);
    return fd;
}

static int tell(const char *dir, kept_fn *fn, void *arg, struct error *err)
{
    struct buf text = BUF_INIT;
    struct error why = ERROR_INIT;
    char *path = str_printf(err, "%s/" KEPT_FILE, dir);
    int control = path != NULL ? control_of(dir) : -1;
    int rc = path == NULL ? E_NOMEM : 0;
    struct jsonin *in = NULL;
    if (control >= 0 && file_read_small(path, FILE_MAX, &text, &why) == 0)
        in = jsonin_parse((const char *)text.data, text.len, &why);
    struct kept k = { .dir = dir,
                      .id = jsonflat_text(in, "id"),
                      .snapshot = jsonflat_text(in, "snapshot"),
                      .verdict = jsonflat_text(in, "verdict"),
                      .connect = jsonflat_text(in, "connect"),
                      .since = jsonflat_number(in, "since", 0),
                      .until = jsonflat_number(in, "until", 0) };
    if (k.id != NULL && k.connect != NULL)
        rc = fn(&k, arg, err);
    fd_drop(&control);
    jsonin_free(in);
    buf_free(&text);
    free(path);
    return rc;
}

int kept_each(const char *base, kept_fn *fn, void *arg, struct error *err)
{
    int dir = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int copy = dir >= 0 ? openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *e = NULL;
    int rc = d != NULL ? 0 : error_sys(err, "look into %s", base);
    while (rc == 0 && (e = readdir(d)) != NULL) {
        char *path = scratch_is_ours(dir, e->d_name) ? str_printf(err, "%s/%s", base, e->d_name) : NULL;
        if (path != NULL)
            rc = tell(path, fn, arg, err);
        free(path);
    }
    if (d != NULL)
        (void)closedir(d);
    else
        fd_drop(&copy);
    fd_drop(&dir);
    return rc;
}

int kept_end(const char *dir, struct error *err)
{
    enum { WAIT_MS = 120 * 1000 };
    uint64_t end = clock_mono_ms() + WAIT_MS;
    int control = control_of(dir);
    int rc = control >= 0 ? fd_write_full(control, "e", 1, dir, err) : 0;
    fd_drop(&control);
    while (rc == 0 && access(dir, F_OK) == 0) {
        const struct timespec step = { .tv_nsec = STEP_NS };
        rc = interrupt_check(err);
        if (rc == 0 && clock_mono_ms() > end)
            rc = error_set(err, E_BUSY, "%s is still there; its file log may say why", dir);
        (void)nanosleep(&step, NULL);
    }
    return rc;
}
