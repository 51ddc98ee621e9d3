#include "common/sys/poll_loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { OWN_FDS = 2, SIGNALS = 0, TIMER = 1 };

struct poll_loop {
    int signals;
    int timer;
    int64_t armed; /* the time that is set */
    bool has_timer;
};

struct poll_loop *poll_loop_new(struct error *err)
{
    struct poll_loop *loop = mem_alloc(1, sizeof *loop, err);
    sigset_t set;
    if (loop == NULL)
        return NULL;
    *loop = (struct poll_loop){ .signals = -1, .timer = -1 };
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
        (loop->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0 ||
        (loop->timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK)) < 0) {
        (void)error_sys(err, "wait for signals and times");
        poll_loop_free(loop);
        return NULL;
    }
    return loop;
}

void poll_loop_free(struct poll_loop *loop)
{
    if (loop == NULL)
        return;
    fd_drop(&loop->signals);
    fd_drop(&loop->timer);
    free(loop);
}

/* A timer that only a set clock ends is one far away. */
static int arm(struct poll_loop *loop, int64_t wake_at, struct error *err)
{
    struct itimerspec when = { .it_value = { .tv_sec = wake_at == INT64_MAX ? INT32_MAX : (time_t)wake_at } };
    if (loop->has_timer && loop->armed == wake_at)
        return 0;
    if (when.it_value.tv_sec <= 0)
        when.it_value.tv_sec = 1;
    if (timerfd_settime(loop->timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL) < 0)
        return error_sys(err, "set a timer");
    loop->armed = wake_at;
    loop->has_timer = true;
    return 0;
}

static void read_signals(struct poll_loop *loop, struct poll_news *news)
{
    struct signalfd_siginfo info;
    while (read(loop->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        news->reload = news->reload || info.ssi_signo == SIGHUP;
        news->stop = news->stop || info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
    }
}

static void read_timer(struct poll_loop *loop, struct poll_news *news)
{
    uint64_t expirations = 0;
    ssize_t n = read(loop->timer, &expirations, sizeof expirations);
    if (n < 0 && errno == ECANCELED)
        news->clock_set = true;
    else if (n == (ssize_t)sizeof expirations)
        news->timed_out = true;
    else
        return;
    loop->has_timer = false;
}

int poll_loop_wait(struct poll_loop *loop, int64_t wake_at, struct pollfd *fds, size_t n,
                   struct poll_news *news, struct error *err)
{
    struct pollfd all[POLL_LOOP_FDS_MAX + OWN_FDS];
    *news = (struct poll_news){ .stop = false };
    if (n > POLL_LOOP_FDS_MAX)
        return error_set(err, E_INTERNAL, "too many descriptors to wait for");
    int rc = arm(loop, wake_at, err);
    if (rc < 0)
        return rc;
    all[SIGNALS] = (struct pollfd){ .fd = loop->signals, .events = POLLIN };
    all[TIMER] = (struct pollfd){ .fd = loop->timer, .events = POLLIN };
    if (n > 0)
        (void)memcpy(all + OWN_FDS, fds, n * sizeof *fds);
    while (poll(all, (nfds_t)(n + OWN_FDS), -1) < 0)
        if (errno != EINTR && errno != EAGAIN)
            return error_sys(err, "wait");
    if (all[SIGNALS].revents != 0)
        read_signals(loop, news);
    if (all[TIMER].revents != 0)
        read_timer(loop, news);
    if (n > 0)
        (void)memcpy(fds, all + OWN_FDS, n * sizeof *fds);
    return 0;
}

int poll_process(long pid, struct error *err)
{
    /* glibc of Debian 12 has pidfd_open(), musl has not; the call is the same. */
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0U);
    return fd >= 0 ? fd : error_sys(err, "watch process %ld", pid);
}
