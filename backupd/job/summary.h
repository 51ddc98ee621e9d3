/*
 * summary.h - what a run says about itself: for people, for programs, for the log (inside job/).
 */
#ifndef BACKUPD_JOB_SUMMARY_H
#define BACKUPD_JOB_SUMMARY_H

#include <stdbool.h>

#include "backupd/job/run.h"

/* Whether anything of the source is missing in what was published, or is doubtful. */
bool summary_flawed(const struct job_run *run);
/* After a run that published: a block of text or one JSON line "summary", and the receipt to the log. */
int summary_print(const struct job_run *run, struct error *err);
/* What was unusual about a run that failed: one JSON line "unusual", nothing otherwise (the log has it). */
void summary_refused(const struct job_run *run);
/* A job that failed while others go on. */
void summary_failed(const struct job_run *run, const struct error *why);

#endif
