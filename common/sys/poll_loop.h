/*
 * poll_loop.h - one thread that waits for signals, a time of the wall's clock, and descriptors.
 *
 *     struct poll_loop *loop = poll_loop_new(&err);
 *     for (;;) {
 *         struct pollfd fds[] = { { .fd = pidfd, .events = POLLIN } };
 *         rc = poll_loop_wait(loop, wake_at, fds, 1, &news, &err);
 *         if (news.stop) ...
 *     }
 *     poll_loop_free(loop);
 *
 * SIGTERM and SIGINT become news.stop, SIGHUP news.reload; the three are blocked in this thread from poll_loop_new on
 * (children of child.h start with nothing blocked). The time is one of the wall's clock: when somebody sets the clock,
 * waiting ends with news.clock_set, so that nobody sleeps through a night that has moved. No wake-ups but these.
 */
#ifndef COMMON_SYS_POLL_LOOP_H
#define COMMON_SYS_POLL_LOOP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

enum { POLL_LOOP_FDS_MAX = 256 };

struct poll_loop;

struct poll_news {
    bool stop;      /* SIGTERM or SIGINT, since the last wait */
    bool reload;    /* SIGHUP */
    bool clock_set; /* the wall's clock was set */
    bool timed_out; /* wake_at has come */
};

struct poll_loop *poll_loop_new(struct error *err);
void poll_loop_free(struct poll_loop *loop);

/* wake_at: seconds since 1970; INT64_MAX: no time. fds (at most POLL_LOOP_FDS_MAX) get their revents. Returns with 0 when
 * there is any news. */
int poll_loop_wait(struct poll_loop *loop, int64_t wake_at, struct pollfd *fds, size_t n,
                   struct poll_news *news, struct error *err);

/* A descriptor that becomes readable when the process has ended; close() it. */
int poll_process(long pid, struct error *err);

#endif
