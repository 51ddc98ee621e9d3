/*
 * child_watch.h - the thread beside a child (internal to sys; child.h is the
 * interface).
 *
 * It collects the tail of the child's stderr and calls kill() once when the
 * deadline passes and once when a stop is requested. init, set `fd` and `stop`,
 * start; end joins it, after which tail, timed_out and interrupted are final.
 */
#ifndef COMMON_SYS_CHILD_WATCH_H
#define COMMON_SYS_CHILD_WATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/sys/child.h"

struct child_watch {
    int fd;      /* read end of the child's stderr; owned */
    int stop[2]; /* a pipe; closing its write end ends the thread; owned */
    bool outlives_stop;
    uint64_t deadline; /* clock_mono_ms, 0: none */
    void (*kill)(void *arg);
    void *arg;
    pthread_t thread;
    bool running;
    atomic_bool timed_out;
    atomic_bool interrupted;
    pthread_mutex_t lock; /* of tail, and of reading fd, until the thread ended */
    struct buf tail;      /* then NUL-terminated */
};

void child_watch_init(struct child_watch *w, const struct child_options *opt, void (*kill)(void *),
                      void *arg);
int child_watch_start(struct child_watch *w, struct error *err);
/* Whether the words are in what it has written to stderr until now, as far as that is kept. While the thread runs. */
bool child_watch_said(struct child_watch *w, const char *words);
void child_watch_end(struct child_watch *w);
void child_watch_free(struct child_watch *w); /* also ends it */

#endif
