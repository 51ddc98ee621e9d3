/* aftermath.h - the hooks of runs that were killed (inside daemon/): `backupd end-hooks JOB`, a process for each. */
#ifndef BACKUPD_DAEMON_AFTERMATH_H
#define BACKUPD_DAEMON_AFTERMATH_H

#include "backupd/daemon/part.h"

enum { AFTERMATH_MAX = 8 }; /* at a time; what is over it is made up for by the next run of the job */

extern const struct part_kind aftermath_part;

#endif
