/*
 * planner.h - which run starts when, and why one does not: the daemon's decisions, without a process or a clock.
 *
 *     struct planner *p = NULL;
 *     rc = planner_new(rules, n, limit, &p, err);
 *     planner_restore(p, i, &state);                       // what the last daemon left
 *     for (;;) {
 *         planner_tick(p, now, &events, err);              // START: spawn it; STOP: end it; others: tell it
 *         ...planner_finished(p, job, now, outcome);       // when a run has ended; then tick again
 *         sleep until planner_wake(p, now), or until something happens
 *     }
 *
 * The same calls with a simulated clock are the tests' years of nights.
 *
 * Rules, all in seconds of the wall's clock, which may jump:
 *   - A job is due at the instants of its calendar, plus its jitter, which is the same every night.
 *   - One due time is decided at a time, always the newest that has come; older ones are skipped, and counted. So after a
 *     week of downtime there is one run, if the newest missed time is not older than catch_up; and after a run that took
 *     too long, too. A job never runs twice at the same time.
 *   - A run starts within `window` of its time (of the moment when it was noticed, when it is caught up), or is skipped; it
 *     is stopped when the window ends, and after max_duration.
 *   - It waits for the jobs it depends on while these wait, run or will be tried again; when one of them did not
 *     succeed the last time, it is skipped.
 *   - Jobs with a lane in common (one writer, one database server with its limit) do not run together; neither do more
 *     than `limit`. Among those who wait the one that was due first goes first, then by order.
 *   - A run that failed for a passing reason is tried again after a pause that doubles, within the window, at most
 *     `retries` times; a newer due time ends that, and one that comes before the pause is over leaves no try.
 *   - A paused job has no runs but those that were started by hand: what waits by its calendar is skipped, and one that failed
 *     is not tried again. A run that is on goes on.
 *   - The clock set back by up to 26 hours repeats no run; by more, it was wrong before or is wrong now: the nights go on from
 *     the newest due time up to now that the history has (CLOCK, planner_decided), else from now; what waits for such a false
 *     due time is skipped, and what runs has its window from now. planner_clock_set keeps a step from counting as time that a run
 *     took.
 *   - A due time after more than two months is decided when the history was asked, too (CLOCK): the clock may have been behind for a
 *     while, and what was decided before that is decided. Jobs that depend on it wait for that.
 *
 * Not thread-safe. Names and calendars are borrowed.
 */
#ifndef BACKUPD_DAEMON_PLANNER_H
#define BACKUPD_DAEMON_PLANNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/calendar.h"
#include "common/base/error.h"
#include "common/base/vec.h"

enum {
    PLANNER_LANES_MAX = 4,
    PLANNER_DEPENDS_MAX = 16,
    PLANNER_GRACE = 60,               /* a tick this late is no missed run */
    PLANNER_SET_BACK_MAX = 26 * 3600, /* a clock set back further has been wrong before */
    PLANNER_LONG_AGO_MIN = 60 * 86400,
    PLANNER_COUNT_MAX = 1000, /* skipped times are counted up to this */
};

/* What a job must have to itself, or share with few: "writer 0123...", 1; "postgres at db1:5432", 2. */
struct planner_lane {
    const char *name;
    unsigned limit; /* the smallest limit named for a lane holds */
};

struct planner_rules {
    const char *name;
    const struct calendar *calendar; /* NULL: only by hand */
    int64_t jitter;
    int64_t window;       /* 0: none */
    int64_t max_duration; /* 0: none */
    int64_t catch_up;     /* 0: a missed run stays missed */
    unsigned retries;
    int64_t retry_pause;
    struct planner_lane lanes[PLANNER_LANES_MAX];
    size_t nlanes;
    size_t depends[PLANNER_DEPENDS_MAX]; /* indexes of jobs */
    size_t ndepends;
};

enum planner_outcome {
    PLANNER_NEVER = 0, /* has not run yet */
    PLANNER_OK,
    PLANNER_FAILED,  /* for good */
    PLANNER_PASSING, /* failed for a reason that can pass */
    PLANNER_SKIPPED,
};

struct planner_state {
    int64_t last_due; /* the newest due time that was decided; never 0 once the job is known */
    int64_t due;      /* of the run that waits, runs or will be tried again; 0: none */
    int64_t from;     /* when its window began: its time with the jitter, or when it was noticed too late */
    int64_t started;  /* of the running one */
    int64_t not_before;
    unsigned attempt; /* tries of this due time that were started */
    bool running;
    bool stopping; /* STOP was said */
    bool by_hand;  /* of the run in `due`: neither window nor dependencies hold */
    bool paused;
    enum planner_outcome last; /* of the last due time that is over */
};

enum planner_event_kind {
    PLANNER_START,
    PLANNER_STOP,
    PLANNER_SKIP,
    PLANNER_CLOCK,
    PLANNER_WAIT, /* it is due, and waits from now on */
    PLANNER_GIVE_UP, /* it failed or was cut off, and what was to be its next try is skipped: the failure is for good */
    PLANNER_KNOWN, /* a job with a calendar was seen for the first time: what is due from now on is not forgotten */
};

enum planner_reason {
    PLANNER_DUE = 0,     /* START, WAIT: it is time */
    PLANNER_CATCH_UP,    /* START, WAIT: the newest of those that were missed */
    PLANNER_AGAIN,       /* START: the last try failed for a passing reason */
    PLANNER_BY_HAND,     /* START */
    PLANNER_TOO_LATE,    /* SKIP: missed, and older than catch_up */
    PLANNER_OLDER,       /* SKIP: missed, and a newer one is taken in their place */
    PLANNER_PAUSED,      /* SKIP */
    PLANNER_WINDOW_OVER, /* SKIP: could not start in time; STOP */
    PLANNER_DEPENDENCY,  /* SKIP: what it depends on did not succeed */
    PLANNER_DURATION,    /* STOP */
    PLANNER_SET_BACK,    /* CLOCK, SKIP: `due` lies in the future */
    PLANNER_LONG_AGO, /* CLOCK: `due` is the last that was decided; what is due is decided with the next tick */
};

/* What keeps a run that is due from starting. */
enum planner_hold_kind {
    PLANNER_FREE = 0,     /* nothing */
    PLANNER_HELD_AGAIN,   /* it is tried again later */
    PLANNER_HELD_HOOKS,   /* hooks of the run before are on (planner_keep) */
    PLANNER_HELD_DEPENDS, /* a job it depends on is not over */
    PLANNER_HELD_LANE,    /* a lane is full */
    PLANNER_HELD_LIMIT,   /* so many runs are on */
};

struct planner_hold {
    enum planner_hold_kind kind;
    size_t other;            /* DEPENDS: that job; LANE: one that is on */
    const char *lane;        /* LANE: its name */
    unsigned running, limit; /* LANE, LIMIT */
};

struct planner_event {
    enum planner_event_kind kind;
    enum planner_reason reason;
    size_t job;
    int64_t due;
    uint64_t count;           /* SKIP: how many due times, `due` is the newest */
    size_t other;             /* DEPENDENCY: the job that did not succeed */
    struct planner_hold hold; /* WAIT: what for; SKIP, GIVE_UP: what it was last seen to wait for */
};

struct planner;

/* Dependencies must lead to jobs and not in a circle (E_USAGE names it). limit: runs at the same time, at least 1. */
int planner_new(const struct planner_rules *rules, size_t n, unsigned limit, struct planner **out,
                struct error *err);
void planner_free(struct planner *p);

/* Before the first tick. Without it a job begins at the first tick: nothing before that is due. still_running: the run that
 * the state tells of goes on (a reload); else it was cut off, and is tried again like a passing failure. */
void planner_restore(struct planner *p, size_t job, const struct planner_state *state, bool still_running);
const struct planner_state *planner_state(const struct planner *p, size_t job);

/* Appends what is to be done now to events (struct planner_event). A START is taken as done. */
int planner_tick(struct planner *p, int64_t now, struct vec *events, struct error *err);
void planner_finished(struct planner *p, size_t job, int64_t now, enum planner_outcome outcome);
/* The next instant at which tick has something to do; INT64_MAX: never. */
int64_t planner_wake(const struct planner *p, int64_t now);

/* The answer to CLOCK: nothing up to this due time is decided any more. */
void planner_decided(struct planner *p, size_t job, int64_t due);

/* Somebody has set the clock, by so many seconds (negative: back). What is a length of time goes on as it was: how long a run
 * has been on, and how long the next try is waited for. Due times and windows are what the clock says now. */
void planner_clock_set(struct planner *p, int64_t by);

/* E_CONFLICT: it runs or waits already. Starts with the next tick, before its calendar, whether paused or not. */
int planner_start(struct planner *p, size_t job, int64_t now, struct error *err);
/* No run of this job starts, also none by hand, as long as it is kept; due times and windows go on. Not restored. */
void planner_keep(struct planner *p, size_t job, bool kept);
void planner_pause(struct planner *p, size_t job, int64_t now, bool paused);
/* Drops the run that waits or will be tried again; *was is the START that does not come. What was started by hand leaves the
 * job as it stood before. E_NOT_FOUND: nothing waits. */
int planner_cancel(struct planner *p, size_t job, struct planner_event *was, struct error *err);

/* Of a job that is due and does not run: what keeps it. */
struct planner_hold planner_held(const struct planner *p, size_t job, int64_t now);

#endif
