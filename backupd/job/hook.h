/*
 * hook.h - the programs of a job that run before and after it.
 *
 *     struct hooks hooks = { .job = job, .state = dir };
 *     rc = hooks_before(&hooks, err);              // then the source is looked at
 *     ...
 *     clean = hooks_after(&hooks, rc == 0);        // always; does nothing when hooks_before was not called
 *
 * A hook gets BACKUPD_JOB and BACKUPD_HOOK (before, after); `after` also
 * BACKUPD_RESULT (published, failed). Its standard input is empty, its output is
 * dropped, the last line of what it says on stderr is in the message when it
 * fails. One that takes longer than hook_timeout is killed, with what it
 * started. A stop (SIGTERM) ends `before`, not `after`.
 *
 * `after` runs whenever `before` was started, also when that failed half-way.
 * From before the one until after the other a lock in `state` keeps other runs
 * of the job out (E_BUSY): their hooks would take this run's source away. Only
 * a killed backupd leaves `after` out.
 */
#ifndef BACKUPD_JOB_HOOK_H
#define BACKUPD_JOB_HOOK_H

#include <stdbool.h>

#include "common/conf/conf.h"

struct filelock;

struct hooks {
    const struct conf_job *job;
    const char *state;     /* the repository's directory of this host */
    struct filelock *lock; /* private */
    bool begun;            /* private */
};

int hooks_before(struct hooks *h, struct error *err);
/* False when `after` failed, which was logged. */
bool hooks_after(struct hooks *h, bool published);

#endif
