/*
 * view.h - how everything stands, in numbers: what the metrics, the status page and its JSON all say.
 *
 *     struct view view;
 *     rc = view_make(&crew, history, &(struct view_options){ .now = now, .nights = true }, &view, err);
 *     ...metrics_write(&view, &out, err)...
 *     view_free(&view);
 *
 * One look at configuration and history; nothing is computed anywhere else, so no two places can disagree. Reads no
 * repository and connects to nothing. Times are seconds since 1970, 0: never, none.
 */
#ifndef BACKUPD_PAGES_VIEW_H
#define BACKUPD_PAGES_VIEW_H

#include "backupd/daemon/crew.h"
#include "backupd/pages/drills_file.h"
#include "common/access/drill_stand.h"
#include "common/base/vec.h"
#include "common/state/history_stats.h"
#include "backupd/daemon/trouble.h"

enum {
    VIEW_NIGHTS = 42,             /* days of the calendar, today the last */
    VIEW_REFUSED_SECONDS = 86400, /* so long a refused login is an open alarm */
    VIEW_REFUSED_SHOWN = 3,       /* accounts that have an alarm of their own */
    VIEW_POINTS = 60,             /* of the newest runs with sizes, for pictures */
    VIEW_ROWS_MAX = 5000,         /* rows of the history that one job's nights are made of */
    VIEW_STALE_EXTRA =
        86400, /* a job is stale when its last success is older than the longest pause of its schedule
                                 and this (for short pauses: twice the pause) */
    VIEW_AHEAD = 26 * 3600, /* a time that is further in the future is of a clock that was wrong */
};

/* What is known of the process. */
struct view_daemon {
    bool asked; /* the two below were looked at */
    bool alive;
    int64_t started;
    bool has_errors;
    uint64_t history_errors; /* ends of runs that the history did not take, since it started */
};

struct view_options {
    int64_t now;
    bool nights; /* also what only the page shows: nights and points */
    struct view_daemon daemon;
    const struct drills_file *drills; /* looked at just now; NULL: drills are not shown */
    const struct trouble *trouble;    /* what the daemon says of the history; NULL: not known */
    const char *unread;               /* why the history is not given; NULL: it is */
};

struct view_night {
    int64_t day; /* number of the day (civil_days) in the daemon's zone */
    bool any;
    enum history_verdict
        verdict; /* the best one of a run of this day's due times; skipped only without a run */
    unsigned runs;
    unsigned bad; /* of them */
    uint64_t skipped;
};

/* A run, kept. */
struct view_run {
    struct history_point p; /* its texts are text and reason */
    char *text;
    char *reason;
};

struct view_job {
    const char *name;
    const char *kind;       /* "backup", or which task */
    const char *engine;     /* "" for a task */
    const char *repository; /* "" where there is none */
    const char *schedule;   /* NULL: only by hand */
    bool paused;
    int64_t running_since;
    char *waits; /* "waits since ... for ..." (waits.h); NULL: no run waits */
    int64_t next;
    bool over;           /* it has a schedule, and none of its times is still to come */
    int64_t stale_after; /* seconds without a success that are too long; 0: no schedule says so */
    bool stale;
    bool has_last;
    struct view_run last; /* the newest row: run or skipped */
    bool has_ok;
    struct view_run ok; /* the newest that ended ok or with a warning */
    char *unusual;      /* what the newest success was found to be, for people; NULL: nothing */
    int64_t braked;     /* expire: jobs whose newest snapshots the newest success found to be suspicious */
    struct history_sums sums;
    struct view_night *nights; /* VIEW_NIGHTS, or NULL */
    struct vec points;         /* struct history_point without texts, oldest first: runs that have sizes */
};

enum view_alarm_kind {
    VIEW_FAILED = 0, /* the last run failed */
    VIEW_STOPPED,    /* ... by its window, its limit, or because nothing moved */
    VIEW_CANCELLED,  /* ... by a person */
    VIEW_CUT_OFF,
    VIEW_MISSED, /* the last due time passed without a run */
    VIEW_STALE,
    VIEW_UNUSUAL,       /* the newest success is not like those before it */
    VIEW_BRAKED,        /* retention holds back for jobs whose newest snapshots are suspicious */
    VIEW_DRILL_FAILING, /* the last drill of a job failed */
    VIEW_DRILL_NEVER,   /* a drill of the configuration never passed */
    VIEW_DRILL_STALE,   /* ... or its last pass is older than `every` */
    VIEW_DRILL_NOT_RUN, /* the last one could not run */
    VIEW_DRILL_UNKNOWN, /* the list of drills cannot be read */
    VIEW_REFUSED,       /* somebody was refused at the control socket */
    VIEW_CLOCK,         /* it is behind the newest record, or this program */
    VIEW_DAEMON,        /* it is not there, or does not answer */
    VIEW_HISTORY,       /* it takes nothing, or it is damaged: the rest of the view is not all */
    VIEW_ALARM_KINDS
};
/* "failed", "cut_off", ...: for programs. */
const char *view_alarm_name(enum view_alarm_kind kind);

struct view_alarm {
    enum view_alarm_kind kind;
    const char *job; /* NULL: none */
    int64_t since;
    char *text; /* for people */
};

/* A drill of the configuration, or a job that was drilled here beside them. */
struct view_drill {
    const struct drill_stand *stand; /* of view.stands */
    int64_t due_by;                  /* it has to pass until then; 0: nobody says so, or it never passed */
    int64_t next;                    /* when a task of the daemon drills it next; 0: none does */
};

struct view_storage {
    const char *repository;
    const char *type; /* "local", "sftp" */
    const char *place;
    bool known; /* the two below */
    uint64_t size;
    uint64_t free;
};

/* An account that was refused at the control socket. */
struct view_refusal {
    char *account;
    char *what;
    int64_t first, last;
    uint64_t count;
};

struct view {
    struct view_options options;
    const struct crew *crew;
    struct planner *planner; /* what waits, of each job; NULL without options.nights */
    char host[256];
    const char *zone;  /* name, or NULL: the system's */
    struct vec jobs;   /* struct view_job, in the order of the configuration */
    struct vec alarms; /* struct view_alarm */
    struct vec storage;
    struct vec stands;   /* struct drill_stand */
    struct vec drills;   /* struct view_drill, of each stand */
    struct vec refusals; /* struct view_refusal of the last VIEW_REFUSED_SECONDS, the newest first */
    int64_t newest;      /* when the newest record of the history was written; 0: none */
    uint64_t refused;    /* logins and requests, of all times */
    bool drills_known;   /* the list could be read (or there is none yet) */
    char *unread;        /* why nothing of the history is known: it is damaged; else NULL */
};

/* Borrows the crew's configuration. history NULL: the daemon has not run yet. A damaged one is no error but an alarm (unread). Sets the process's zone as crew_make did. */
int view_make(const struct crew *crew, struct history *history, const struct view_options *options,
              struct view *out, struct error *err);
void view_free(struct view *view);

/* Milliseconds a run took, up to now for one that runs. */
uint64_t view_took(const struct view *view, const struct history_point *p);
/* Its end, or its beginning or due time when it has none. */
int64_t view_when(const struct history_point *p);
/* "cut_off" where people read "cut off". */
const char *view_verdict_id(enum history_verdict verdict);
/* What people read: "cancelled" where a person has stopped it. */
const char *view_verdict_word(const struct history_point *p);
bool view_verdict_is_bad(enum history_verdict verdict);

#endif
