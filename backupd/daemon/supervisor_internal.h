/*
 * supervisor_internal.h - what the daemon is made of (inside daemon/).
 *
 *     supervisor.c   configuration, reload, the loop
 *     runs.c         processes of runs: start, end, stop
 *     runs_wait.c    runs that have not begun: they wait, or are given up
 *     ledger.h       the history, also while it takes nothing
 *     part.h         what else lives in the loop: each part is a file of its own and knows nothing of the others
 */
#ifndef BACKUPD_DAEMON_SUPERVISOR_INTERNAL_H
#define BACKUPD_DAEMON_SUPERVISOR_INTERNAL_H

#include "backupd/daemon/accepted.h"
#include "backupd/daemon/child_run.h"
#include "backupd/daemon/crew.h"
#include "backupd/daemon/ledger.h"
#include "backupd/daemon/part.h"
#include "backupd/daemon/refused.h"
#include "backupd/daemon/stall.h"
#include "backupd/daemon/supervisor.h"
#include "backupd/daemon/tell.h"
#include "common/base/vec.h"
#include "common/sys/filelock.h"
#include "common/sys/poll_loop.h"

enum { SLOT_WHY_MAX = 256 };

enum stop_kind {
    STOP_NONE = 0,
    STOP_PLAN,   /* its window, its longest duration, its job that is gone */
    STOP_HAND,   /* somebody cancelled it */
    STOP_DAEMON, /* the daemon ends: the next one starts it again */
    STOP_STALL,  /* nothing moved: tried again like another failure that can pass */
};

/* A run that is on. */
struct slot {
    char *job; /* its name */
    int64_t id;
    int64_t due;
    int64_t started;
    unsigned attempt;
    char reason[TELL_REASON_MAX]; /* it began */
    struct child_run run;
    struct stall stall;
    enum stop_kind stop;
    char why[SLOT_WHY_MAX]; /* it was asked to stop */
    uint64_t kill_at;       /* clock_mono_ms; 0: it was not asked */
};

/* A job that was started by hand, until its run begins. */
struct hand {
    char *job;
    char *who; /* "alice" */
};

struct supervisor {
    const struct supervisor_options *options;
    struct conf *conf;
    struct accepted accepted; /* the same, for what is started */
    struct crew crew;
    struct ledger *ledger; /* the history */
    struct poll_loop *loop;
    struct filelock *lock;
    struct vec slots; /* struct slot *; few */
    struct vec hands; /* struct hand; few */
    struct parts *parts;
    bool stopping;
    bool is_old; /* conf: the file has mistakes since, and was not taken */
    int64_t pruned;
    struct refused refused; /* logins and requests that the control socket has refused */
    int64_t wall_ahead;     /* seconds of the wall's clock, less those of the one that nobody sets */
};

/* The file that a process which the daemon starts reads as its configuration. */
const char *supervisor_configuration(const struct supervisor *s);
/* Seconds of the wall's clock. */
int64_t supervisor_now(void);
/* The planner's number of a job, or SIZE_MAX. */
size_t supervisor_job(const struct supervisor *s, const char *name);
struct slot *supervisor_slot(const struct supervisor *s, size_t i);
/* The run of this job that is on, or NULL. */
struct slot *supervisor_slot_of(const struct supervisor *s, const char *job);

/* Does what the planner says. */
int runs_act(struct supervisor *s, const struct planner_event *e, struct error *err);
/* Asks a run to end, once; it is killed after stop_timeout. */
void runs_stop(struct supervisor *s, struct slot *slot, enum stop_kind kind, const char *why);
/* The next run of this job is one that `who` has started. */
int runs_started_by(struct supervisor *s, const char *job, const char *who, struct error *err);
/* "due", "started by hand by alice"; whoever started the job is forgotten then. */
const char *runs_reason(struct supervisor *s, const struct planner_event *e, char out[TELL_REASON_MAX]);
/* Reads what runs print, ends those that are over, kills those that do not stop. */
void runs_look(struct supervisor *s);
/* Of all runs: their descriptors, and the next instant at which one is to be killed. */
size_t runs_fds(const struct supervisor *s, struct pollfd *fds, size_t cap);
int64_t runs_wake(const struct supervisor *s);
void runs_free(struct supervisor *s);

/* Where the job stands is in the history: for the next daemon, and for who reads. */
void runs_remember(struct supervisor *s, size_t job);
/* The run of this job that is on is asked to stop for good: a daemon that is killed before it has ended must not start it again. */
void runs_forget_running(struct supervisor *s, const char *name);
/* A run is due and has to wait. */
void runs_wait(struct supervisor *s, const struct planner_event *e);
/* One that failed is not tried again after all. */
void runs_give_up(struct supervisor *s, const struct planner_event *e);
/* Drops the runs that wait of jobs which the next crew does not have. */
void runs_forget(struct supervisor *s, const struct crew *next);
/* Drops, for `who`, the run that waits or will be tried again; E_NOT_FOUND. */
int runs_cancel(struct supervisor *s, size_t job, const char *who, struct error *err);

#endif
