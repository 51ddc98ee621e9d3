/*
 * history_stats.h - what pages and monitoring want to know of a history, with few questions.
 *
 *     rc = history_points(h, &filter, fn, &arg, err);       // runs with the numbers of their summaries
 *     rc = history_sums(h, "shop", &sums, err);             // of one job, over all that is remembered
 *     rc = history_version(h, &v, err);                     // has anything changed since?
 *
 * All of it only reads, and works on a history that was opened by history_open_read.
 */
#ifndef COMMON_STATE_HISTORY_STATS_H
#define COMMON_STATE_HISTORY_STATS_H

#include "common/state/history.h"

enum { HISTORY_VERDICTS = HISTORY_CUT_OFF + 1 };

struct history_point {
    int64_t id;
    int64_t due;
    int64_t started;
    int64_t ended;
    uint64_t count;
    enum history_verdict verdict;
    int exit_code;
    bool has_bytes; /* the three below are of the run's own summary */
    int64_t read;   /* bytes of the source */
    int64_t fresh;  /* of them not stored before */
    int64_t stored; /* what these took on the storage */
    const char *reason;
    const char *text;
};

/* As history_runs: newest first, strings live during the call. */
int history_points(struct history *h, const struct history_filter *filter,
                   int (*fn)(const struct history_point *p, void *arg), void *arg, struct error *err);

struct history_sums {
    int64_t last_ok;  /* id of the newest run that ended ok or with a warning; 0: none */
    int64_t failures; /* runs since then that failed, were stopped (but by a person) or cut off */
    int64_t skipped;  /* due times */
    int64_t runs[HISTORY_VERDICTS]; /* rows by verdict */
};
/* All zero for a job that nothing is known of. */
int history_sums(struct history *h, const char *job, struct history_sums *out, struct error *err);

/* A number that changes when another process or connection has written. */
int history_version(struct history *h, int64_t *out, struct error *err);

#endif
