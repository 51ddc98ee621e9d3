/*
 * part.h - what lives in the daemon's loop beside the runs: the control socket, notices, pages, the watchdog (inside daemon/).
 *
 *     static const struct part_kind *const kinds[] = { ... };    // parts.c: the one list
 *
 * A part is a file of its own that knows the supervisor and no other part. It is opened with the daemon, hears of all that
 * happens, gives the loop its descriptors and its next time, and is closed last. No part may block: what takes time (a mail
 * server, a client that does not read) is done by a child or without waiting. Only open may fail, and only for what a
 * person can cure (a socket that cannot be made): later troubles are told (log.h) and survived; no part fails a run.
 *
 * Every function may be NULL. `self` is what open has made.
 */
#ifndef BACKUPD_DAEMON_PART_H
#define BACKUPD_DAEMON_PART_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "backupd/daemon/planner.h"
#include "common/base/error.h"
#include "common/state/history.h"

struct supervisor;

enum daemon_event_kind {
    DAEMON_READY = 0, /* the loop begins */
    DAEMON_STARTED,   /* a run's process runs (or could not be started: ENDED follows) */
    DAEMON_ENDED,     /* a run is over and in the history; started 0: it was cancelled before it began */
    DAEMON_GIVEN_UP,  /* a run that failed was to be tried again, and is not: `run` is that one */
    DAEMON_SKIPPED,   /* a due time passed without a run; in the history */
    DAEMON_RELOADED,  /* the configuration is a new one */
    DAEMON_CLOCK_SET,
    DAEMON_STOPPING,     /* no new runs from now on */
    DAEMON_RELOADING,    /* the configuration is about to be read again: RELOADED or NOT_RELOADED follows */
    DAEMON_NOT_RELOADED, /* it has mistakes (told), the old one goes on */
};

/* What is told lives only during the call. */
struct daemon_event {
    enum daemon_event_kind kind;
    size_t job;                    /* STARTED, ENDED, GIVEN_UP, SKIPPED; SIZE_MAX: no longer configured */
    const struct history_run *run; /* the same four; id is set, but not of what was skipped */
};

struct part_kind {
    const char *name;
    int (*open)(struct supervisor *s, void **self, struct error *err);
    void (*event)(struct supervisor *s, void *self, const struct daemon_event *e);
    /* At most cap descriptors to wait for, their number. */
    size_t (*fds)(struct supervisor *s, void *self, struct pollfd *fds, size_t cap);
    /* After every wait, with those descriptors (their revents may be 0). */
    void (*look)(struct supervisor *s, void *self, const struct pollfd *fds, size_t n);
    /* The next instant at which look is wanted; INT64_MAX: none. */
    int64_t (*wake)(struct supervisor *s, void *self);
    void (*close)(struct supervisor *s, void *self);
};

struct parts;

int parts_open(struct supervisor *s, struct parts **out, struct error *err);
void parts_event(struct supervisor *s, const struct daemon_event *e);
size_t parts_fds(struct supervisor *s, struct pollfd *fds, size_t cap);
void parts_look(struct supervisor *s, const struct pollfd *fds, size_t n);
int64_t parts_wake(struct supervisor *s);
void parts_close(struct supervisor *s);

#endif
