/*
 * pid1.h - the daemon as the first process of a container.
 *
 *     if (pid1_is_first() && (rc = pid1_split(&status, err)) == PID1_PARENT)
 *         return status;                         // the daemon has ended; with it all that was left
 *
 * Process 1 inherits every process whose parent has died, and must take its end: else dead ones pile up. The daemon waits only for
 * its own. So process 1 forks once: the child is the daemon, and the parent hands it signals, reaps whatever ends, and
 * ends as the daemon did. It sleeps in between.
 */
#ifndef BACKUPD_DAEMON_PID1_H
#define BACKUPD_DAEMON_PID1_H

#include <stdbool.h>

#include "common/base/error.h"

enum { PID1_CHILD = 0, PID1_PARENT = 1 };

bool pid1_is_first(void);
/* PID1_PARENT: *status is the daemon's exit status, or 128 + signal. Before threads start. */
int pid1_split(int *status, struct error *err);

#endif
