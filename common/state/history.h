/*
 * history.h - what the daemon remembers on this host: where each job stands, and every run.
 *
 *     struct history *h = NULL;
 *     rc = history_open(path, &h, err);                     // made when missing
 *     rc = history_begin(h, &run, &job, &id, err);          // before the process is started: one transaction
 *     rc = history_end(h, id, &result, &job, err);          // when it has ended: one transaction
 *     rc = history_skip(h, &run, &job, err);                // a due time without a run
 *     rc = history_runs(h, &filter, print_run, &state, err);
 *     history_close(h);
 *
 * An SQLite file (WAL, synchronous=FULL) that only the daemon writes; others read it with `history_open_read`. It is never
 * the only copy of anything that a restore needs: without it the daemon begins anew with what is due from then on. A
 * file that is damaged is moved aside (NAME.damaged-TIME) and said so with an alarm.
 *
 * A run that has begun and not ended when the daemon starts was cut off: history_cut_off() ends those and says how many.
 *
 * Times are seconds since 1970, 0 means not yet. Texts are UTF-8, cut at HISTORY_TEXT_MAX bytes. Not thread-safe.
 */
#ifndef COMMON_STATE_HISTORY_H
#define COMMON_STATE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

enum {
    HISTORY_TEXT_MAX = 4096,
    HISTORY_RESULT_MAX = 64 * 1024, /* bytes of a run's own summary */
    HISTORY_NAME_MAX = 64,
};

/* Where a job stands, in the daemon's terms; a row for each name. */
struct history_job {
    const char *name;
    int64_t last_due;
    int64_t due;
    int64_t from;
    int64_t started;
    int64_t not_before;
    unsigned attempt;
    unsigned last; /* outcome of the last due time */
    bool running;
    bool by_hand;
    bool paused;
};

enum history_verdict {
    HISTORY_RUNNING = 0,
    HISTORY_OK = 1,
    HISTORY_WARNING =
        2, /* published, and something is missing, was not cleaned up, or it said an alarm (exit code 0) */
    HISTORY_FAILED = 3,
    HISTORY_STOPPED = 4, /* by its window, its limit, or a person */
    HISTORY_SKIPPED = 5,
    HISTORY_CUT_OFF = 6, /* the daemon or the machine ended */
};
/* "ok", "warning", ... */
const char *history_verdict_name(enum history_verdict verdict);

/* What the reason of a run begins with that a person has started; behind it is who. Its due time is that moment. */
#define HISTORY_BY_HAND "started by hand"

/* What the text of a run that a person has stopped begins with; behind it is who. */
#define HISTORY_CANCELLED "cancelled by "
bool history_is_cancelled(enum history_verdict verdict, const char *text);

/* What the text of a run begins with that was stopped because its time was over. */
#define HISTORY_WINDOW_OVER "its window is over"
#define HISTORY_TOO_LONG "it takes longer than max_duration"
bool history_is_out_of_time(enum history_verdict verdict, const char *text);

struct history_run {
    int64_t id; /* 1.. */
    const char *job;
    const char *reason; /* why it started, or was skipped: "due", "by hand", "too late" */
    int64_t due;
    int64_t started;
    int64_t ended;
    unsigned attempt; /* 1.. ; 0 for what was skipped */
    uint64_t count;   /* due times that were skipped; 1 for a run */
    enum history_verdict verdict;
    int exit_code;
    const char *text;   /* what went wrong, for people; "" */
    const char *result; /* the run's own summary, one JSON object; "" */
};

struct history;

int history_open(const char *path, struct history **out, struct error *err);
/* For another process; E_NOT_FOUND when there is none. */
int history_open_read(const char *path, struct history **out, struct error *err);
void history_close(struct history *h);

/* The file that is open has no longer its name: somebody removed or replaced it, or what belongs to it (-wal, -shm). What is
 * written goes on into the open one, and is gone when it is closed. */
bool history_is_moved(struct history *h);
/* All that the open one holds is put into a new file of this name; then the open one is to be closed, and that one opened. A
 * strange file of the name is put aside (NAME.found-TIME). An error: the open one is what it was. */
int history_save(struct history *h, const char *path, struct error *err);

/* 1 and *out (name aside), or 0 when the job is not known, or an error. */
int history_job_read(struct history *h, const char *name, struct history_job *out, struct error *err);
int history_job_write(struct history *h, const struct history_job *job, struct error *err);

/* job (may be NULL) is written in the same transaction. A run without an id gets the next one, one with an id has that; an end whose
 * beginning is not in the file is put there whole. */
int history_begin(struct history *h, const struct history_run *run, const struct history_job *job,
                  int64_t *id, struct error *err);
int history_end(struct history *h, int64_t id, const struct history_run *result,
                const struct history_job *job, struct error *err);
int history_skip(struct history *h, const struct history_run *run, const struct history_job *job,
                 struct error *err);
/* What fn writes is there as a whole or not at all. */
int history_together(struct history *h, int (*fn)(struct history *h, void *arg, struct error *err), void *arg,
                     struct error *err);
/* The highest id that a run ever had; 0: none. */
int history_last(struct history *h, int64_t *id, struct error *err);
/* Ends all runs that have not ended; their number. */
#define HISTORY_DAEMON_ENDED "the daemon ended while it ran"
int64_t history_cut_off(struct history *h, int64_t now, struct error *err);

struct history_filter {
    const char *job; /* NULL: all */
    int64_t id;      /* 0: all */
    int64_t since;   /* runs whose time is at or after this */
    unsigned limit;  /* the newest ones; 0: 1000 */
    bool only_runs;  /* without what was skipped */
};
/* Newest first; fn's negative return ends it and is returned. The strings live during the call. */
int history_runs(struct history *h, const struct history_filter *filter,
                 int (*fn)(const struct history_run *run, void *arg), void *arg, struct error *err);
/* A number or text of a run's summary, for tables: 0 and "" when it has none of this name ([a-z_], or one of a list:
 * "anomalies[0].what"). */
int history_result_number(struct history *h, int64_t id, const char *name, int64_t *out, struct error *err);
int history_result_text(struct history *h, int64_t id, const char *name, char *out, size_t cap,
                        struct error *err);

/* Forgets what is older than `keep` seconds, but the newest one of each job. Ages are those of the history's own clock: from one
 * record to the next, and from the newest to now, it goes on as the times in them do, never back, and by a week at most. So a
 * clock that is years ahead for a night takes a week from the history, and not all of it. */
int history_prune(struct history *h, int64_t now, int64_t keep, struct error *err);

/* What is known about clocks: the newest due time of a job, up to now, that was decided (a run that nobody
 * had started by hand, or skipped); and when the newest record was written. 0: none. */
int history_decided(struct history *h, const char *job, int64_t now, int64_t *out, struct error *err);
int history_newest(struct history *h, int64_t *out, struct error *err);

#endif
