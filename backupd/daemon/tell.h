/* tell.h - the daemon's lines about what it does (inside daemon/): one on stdout for each thing that happens. */
#ifndef BACKUPD_DAEMON_TELL_H
#define BACKUPD_DAEMON_TELL_H

#include "backupd/daemon/planner.h"
#include "common/state/history.h"

/* "is due", "missed, and older than catch_up_within": of an event, for people and for the history. */
const char *tell_reason(const struct planner_event *event);

/* One line, with the wall's time before it; flushed. */
void tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "WHAT: 3 jobs", "WHAT: 3 jobs, 1 task", and a warning for each whose schedule is over. */
struct crew;
void tell_crew(const char *what, const struct crew *crew);
/* The line of a run that has ended. */
void tell_end(const struct history_run *run);

#endif
