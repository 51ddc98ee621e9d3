/*
 * run_mark.h - no process of a run that was cut off goes on beside the next one (inside daemon/).
 *
 *     run_marks_make_up(state);                     // at the daemon's start, which holds the lock of the state directory
 *     rc = run_mark_make(&mark, state, job, err);   // then a process with mark.variable in its environment
 *     run_mark_end(&mark, cut_off);                 // it has ended, and before anything else is decided
 *
 * A run's own children die with it; what those have started does not (the other half of a shell's pipeline, a hook's helper).
 * All of them inherit BACKUPD_RUN, a value like no other, by which sweep.h finds and ends them. A file of that name in the
 * state directory says that the run is on: what a killed daemon has left there was cut off. It does not depend on the
 * history, which may be lost, full, or hold an end that was not written.
 *
 * What is still there after a run that ended by itself, well or not, is left alone: a hook may start a service.
 */
#ifndef BACKUPD_DAEMON_RUN_MARK_H
#define BACKUPD_DAEMON_RUN_MARK_H

#include <stdbool.h>

#include "common/base/error.h"
#include "common/sys/sweep.h"

#define RUN_MARKS "daemon.runs" /* in the state directory: JOB.VALUE of each run that is on */

struct run_mark {
    char variable[SWEEP_MARK_MAX]; /* "BACKUPD_RUN=..."; "": there is none */
    char *job;                     /* private */
    char *path;                    /* private; NULL: it is not in the state directory, which was told */
};

/* A directory that takes no file stops no run: only the next daemon does not know of it. */
int run_mark_make(struct run_mark *m, const char *state, const char *job, struct error *err);
/* cut_off: what is left is ended, and told. A second call does nothing. */
void run_mark_end(struct run_mark *m, bool cut_off);

/* For the runs of the daemon before. This process is from here on no part of a run that may have started it. */
void run_marks_make_up(const char *state);

#endif
