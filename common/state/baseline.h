/*
 * baseline.h - what the runs of each job looked like, for whoever asks whether the next one is like them.
 *
 *     struct baseline *b = NULL;
 *     rc = baseline_open(path, &b, err);                      // made when missing
 *     rc = baseline_runs(b, repository, job, &runs, err);     // struct baseline_run, oldest first
 *     rc = baseline_subjects(b, repository, job, on_subject, arg, err);
 *     rc = baseline_add(b, repository, job, &run, subjects, n, err);   // after publishing: one transaction
 *     baseline_runs_free(&runs);
 *     baseline_close(b);
 *
 * An SQLite file of the state directory (WAL, mode 0600, no content but names of tables and numbers), written by every
 * run of `backupd backup`, several at once. It can be lost: then the jobs are learned anew. A damaged file is moved
 * aside (NAME.damaged-TIME) with an alarm.
 *
 * Of each job the last BASELINE_RUNS runs are kept; of one that runs more than once a day up to BASELINE_RUNS_MAX of the
 * last 29 days, as long as they are few rows; and what a person has accepted for BASELINE_ACCEPTED_DAYS. Runs that
 * were found suspicious and nobody has accepted are kept as well, apart: nothing is compared with them.
 *
 * Times are seconds since 1970. Texts are UTF-8, cut at their limits. Not thread-safe.
 */
#ifndef COMMON_STATE_BASELINE_H
#define COMMON_STATE_BASELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/vec.h"

#define BASELINE_FILE "baseline.db"

enum {
    BASELINE_RUNS = 60,
    BASELINE_RUNS_MAX = 720,
    BASELINE_ROWS_MAX = 100000, /* of one job, above BASELINE_RUNS */
    BASELINE_ACCEPTED_DAYS = 400,
    BASELINE_ACCEPTED_MAX = 50,
    BASELINE_SUBJECTS_MAX = 50000, /* of one run */
    BASELINE_NAME_MAX = 1024,
    BASELINE_TEXT_MAX = 16 * 1024,
    BASELINE_IDENTITY_MAX = 256,
};

enum baseline_state {
    BASELINE_USUAL = 0,
    BASELINE_ACCEPTED = 1,   /* was suspicious; a person said that this is how it is now */
    BASELINE_SUSPICIOUS = 2, /* not compared with */
};

struct baseline_run {
    int64_t id;
    enum baseline_state state;
    uint32_t session;
    int64_t time;
    uint64_t duration_ms;
    uint64_t bytes, fresh, stored, streams, members;
    int64_t ratio;                    /* of new bytes, compressed, in thousandths; -1: not known */
    uint64_t space_total, space_free; /* 0 and 0: the storage does not tell */
    uint64_t lost;
    bool lasting;    /* suspicious, and so are the runs after it until a person accepts them */
    char writer[24]; /* hex */
    char identity[BASELINE_IDENTITY_MAX]; /* of the storage: its host key; "" */
    char *text;                           /* what was found, for people; "" */
};

struct baseline_subject {
    const char *name;
    int64_t run;  /* id */
    int64_t rows; /* -1: not known; so are the others */
    int64_t bytes;
    int64_t fresh;
    int64_t ratio;  /* in thousandths */
    int64_t schema; /* a hash; 0: none */
};

struct baseline;

int baseline_open(const char *path, struct baseline **out, struct error *err);
void baseline_close(struct baseline *b);

/* All runs, oldest first, into a vec of struct baseline_run; for baseline_runs_free. */
int baseline_runs(struct baseline *b, const char *repository, const char *job, struct vec *out,
                  struct error *err);
void baseline_runs_free(struct vec *runs);

/* The subjects of all runs that are not suspicious, sorted by name (bytes) and run. fn's negative return ends it. */
int baseline_subjects(struct baseline *b, const char *repository, const char *job,
                      int (*fn)(const struct baseline_subject *s, void *arg), void *arg, struct error *err);

/* A run and its subjects (id and run are given here); forgets what is too old. */
int baseline_add(struct baseline *b, const char *repository, const char *job, const struct baseline_run *run,
                 const struct baseline_subject *subjects, size_t n, struct error *err);

/* Accepts the newest run when it is suspicious, and those directly before it; their number. */
int64_t baseline_accept(struct baseline *b, const char *repository, const char *job, struct error *err);

#endif
