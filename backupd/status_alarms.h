/* status_alarms.h - below the table of `backupd status`: what is open besides the last run of each job. */
#ifndef BACKUPD_STATUS_ALARMS_H
#define BACKUPD_STATUS_ALARMS_H

#include "backupd/pages/view.h"
#include "common/cli/cli.h"

/* jobs: those that were asked for (const struct conf_job *). *bad: how many of the alarms are about backups or drills that are not as
 * they should be, and not in the table. */
int status_alarms(struct cli_context *cli, const struct crew *crew, struct history *history,
                  const struct vec *jobs, size_t *bad, struct error *err);

#endif
