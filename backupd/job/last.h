/*
 * last.h - what is remembered of a job's last published snapshot (inside job/).
 *
 * A small file in the writer's state directory, so that an engine can compare a
 * run with the one before: the host cannot read its own snapshots. It is a
 * copy; when it is lost the comparison is left out once.
 */
#ifndef BACKUPD_JOB_LAST_H
#define BACKUPD_JOB_LAST_H

#include "common/engine/engine.h"

/* Fills last_bytes and last_known. A file that is damaged is as good as none, and is told. */
void last_read(const char *state, struct engine_job *job);
/* After the commit: a failure is only told, the snapshot is there. */
void last_write(const char *state, const char *job, uint64_t bytes);

#endif
