#include "common/sys/child_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/sys/fdio.h"
#include "common/sys/interrupt.h"
#include "common/base/banned.h"

enum {
    TICK_MS = 100, /* how soon a requested stop is seen */
    BLOCKS_AT_ONCE = 32,
};

void child_watch_init(struct child_watch *w, const struct child_options *opt, void (*kill)(void *), void *arg)
{
    w->fd = w->stop[0] = w->stop[1] = -1;
    w->outlives_stop = opt->outlives_stop;
    w->deadline = opt->timeout_ms != 0 ? clock_mono_ms() + opt->timeout_ms : 0;
    w->kill = kill;
    w->arg = arg;
    w->running = false;
    atomic_init(&w->timed_out, false);
    atomic_init(&w->interrupted, false);
    (void)pthread_mutex_init(&w->lock, NULL);
    buf_init(&w->tail);
}

/* Keeps the last CHILD_STDERR_MAX bytes; trims only when twice that is there, so it moves little. */
static void keep_tail(struct child_watch *w, const char *data, size_t len)
{
    /* A byte more for the NUL. No memory: the diagnosis gets shorter, the backup goes on. */
    if (buf_reserve(&w->tail, len + 1, NULL) < 0 || buf_append(&w->tail, data, len, NULL) < 0)
        return;
    if (w->tail.len > 2 * (size_t)CHILD_STDERR_MAX)
        buf_consume(&w->tail, w->tail.len - CHILD_STDERR_MAX);
}

/* Reads what is there, at most about a full pipe: one that writes without end must not keep the thread
 * from the clock. False at the end of the stream. */
static bool drain_locked(struct child_watch *w)
{
    char block[4096];
    for (int i = 0; i < BLOCKS_AT_ONCE; i++) {
        ssize_t n = read(w->fd, block, sizeof block);
        if (n > 0)
            keep_tail(w, block, (size_t)n);
        else if (n == 0 || (errno != EINTR && errno != EAGAIN))
            return false;
        else if (errno == EAGAIN)
            return true;
    }
    return true;
}

static bool drain(struct child_watch *w)
{
    (void)pthread_mutex_lock(&w->lock);
    bool more = drain_locked(w);
    (void)pthread_mutex_unlock(&w->lock);
    return more;
}

bool child_watch_said(struct child_watch *w, const char *words)
{
    (void)pthread_mutex_lock(&w->lock);
    (void)drain_locked(w); /* the thread may not have come to it yet */
    bool said = w->tail.len != 0 && memmem(w->tail.data, w->tail.len, words, strlen(words)) != NULL;
    (void)pthread_mutex_unlock(&w->lock);
    return said;
}

static void judge_time(struct child_watch *w)
{
    if (!w->outlives_stop && interrupt_requested() && !atomic_exchange(&w->interrupted, true))
        w->kill(w->arg);
    if (w->deadline != 0 && clock_mono_ms() >= w->deadline && !atomic_exchange(&w->timed_out, true))
        w->kill(w->arg);
}

static void *watch(void *arg)
{
    struct child_watch *w = arg;
    struct pollfd fds[2] = {
        { .fd = w->stop[0], .events = POLLIN },
        { .fd = w->fd, .events = POLLIN },
    };
    while (fds[0].revents == 0) {
        (void)poll(fds, 2, TICK_MS);
        if (fds[1].revents != 0 && !drain(w))
            fds[1].fd = -1;
        if (fds[0].revents == 0)
            judge_time(w);
    }
    (void)drain(w);
    return NULL;
}

int child_watch_start(struct child_watch *w, struct error *err)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    if (fcntl(w->fd, F_SETFL, O_NONBLOCK) < 0)
        return error_sys(err, "prepare a pipe");
    /* Signals are for the program's own threads. */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&w->thread, NULL, watch, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        errno = rc;
        return error_sys(err, "start a thread");
    }
    w->running = true;
    return 0;
}

void child_watch_end(struct child_watch *w)
{
    fd_drop(&w->stop[1]);
    if (!w->running)
        return;
    (void)pthread_join(w->thread, NULL);
    w->running = false;
    if (w->tail.len > CHILD_STDERR_MAX)
        buf_consume(&w->tail, w->tail.len - CHILD_STDERR_MAX);
    if (w->tail.data != NULL)
        w->tail.data[w->tail.len] = '\0';
}

void child_watch_free(struct child_watch *w)
{
    child_watch_end(w);
    fd_drop(&w->stop[0]);
    fd_drop(&w->fd);
    (void)pthread_mutex_destroy(&w->lock);
    buf_free(&w->tail);
}
