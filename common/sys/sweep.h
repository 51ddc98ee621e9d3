/*
 * sweep.h - ending what a process has started, wherever it went.
 *
 *     char mark[SWEEP_MARK_MAX];
 *     rc = sweep_mark(mark, "BACKUPD_RUN", err);      // "BACKUPD_RUN=9f2c...", like no other
 *     ...start a program with it in its environment; it was killed:
 *     rc = sweep(mark, &swept, err);
 *
 * Killing a process group misses who has left it (setsid, a daemon's double fork), and a death signal reaches children only.
 * An environment is inherited by all of them. So every process of this system whose environment holds exactly the mark gets
 * SIGKILL, and is waited for, until none is found; never the caller itself. The signal goes through a descriptor that was
 * opened before the environment was read: it cannot hit another process that has the number since.
 *
 * Not found are processes that were started without the variable (env -u, sudo, a service manager), that wrote over their
 * environment (servers that show a title), or that this account may not look into (those of another one).
 */
#ifndef COMMON_SYS_SWEEP_H
#define COMMON_SYS_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/error.h"

#define SWEEP_RUN "BACKUPD_RUN"     /* of a run that the daemon has started, and of all below it */
#define SWEEP_CHILD "BACKUPD_CHILD" /* of a marked child (child.h), and of all below it */

enum {
    SWEEP_MARK_MAX = 64,
    SWEEP_VALUE_LEN = 32,                    /* hex digits of a mark's value */
    SWEEP_ENVIRONMENT_MAX = 8 * 1024 * 1024, /* bytes of one environment; Linux gives no program more */
};

struct swept {
    size_t ended; /* processes that are gone */
    bool all;     /* none is left, as far as this account can see */
};

/* name "A_B" and 128 random bits. */
int sweep_mark(char out[SWEEP_MARK_MAX], const char *name, struct error *err);
/* The mark of this name with a value that was made before; SWEEP_VALUE_LEN hex digits of it are taken. */
int sweep_mark_again(char out[SWEEP_MARK_MAX], const char *name, const char *value, struct error *err);

/* Takes milliseconds, and at most a few seconds when a process does not die (its disk does not answer). An error: nothing
 * could be looked for (E_UNSUPPORTED: Linux before 5.3); *out is set all the same. */
int sweep(const char *mark, struct swept *out, struct error *err);

#endif
