/*
 * hook.h - the programs of a job that run before and after it, and when it has failed.
 *
 *     struct hooks hooks = { .job = job, .state = dir };
 *     rc = hooks_before(&hooks, err);              // then the source is looked at
 *     ...
 *     clean = hooks_after(&hooks, rc == 0 ? NULL : &why);      // always: `after` only when hooks_before was called
 *
 * A hook gets BACKUPD_JOB and BACKUPD_HOOK (before, after, on_failure); the last two also BACKUPD_RESULT (published, failed), and
 * on_failure BACKUPD_ERROR, why. Its standard input is empty, its output is dropped, the last line of what it says on stderr is in
 * the message when it fails. One that takes longer than hook_timeout is killed, with what it started, also in other sessions. A stop (SIGTERM) ends
 * `before`, not the others.
 *
 * `after` runs whenever `before` was started, also when that failed half-way. From before the one until after the other a lock
 * in `state` keeps other runs of the job out (E_BUSY): their hooks would take this run's source away; and a mark beside it says
 * that `after` is due. So also a run that is killed does not leave it out for good: the daemon makes up for it at once
 * (hooks_make_up), and the next run before its own `before`.
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
/* why NULL: published. False when `after` failed, which was logged; of on_failure that is only logged. */
bool hooks_after(struct hooks *h, const struct error *why);
/* For a run that was killed: `after` when it is due, and on_failure. E_BUSY: another run is on, which has done it. */
int hooks_make_up(struct hooks *h, const struct error *why, struct error *err);

#endif
