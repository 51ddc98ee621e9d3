/* tell.h - the daemon's lines about what it does (inside daemon/): one on stdout for each thing that happens. */
#ifndef BACKUPD_DAEMON_TELL_H
#define BACKUPD_DAEMON_TELL_H

#include "backupd/daemon/crew.h"
#include "common/base/log.h"
#include "common/state/history.h"

enum { TELL_REASON_MAX = 512 };

/* "is due", "missed, and older than catch_up_within": of an event of this crew, for people and for the history. */
const char *tell_reason(const struct crew *crew, const struct planner_event *event,
                        char out[TELL_REASON_MAX]);

/* One line, with the wall's time before it; flushed. */
void tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* For log_to() with the struct cli_context: warnings and alarms on stderr in the form of these lines ("TIME  alarm: text"),
 * with -v also what is less. */
void tell_log(enum log_level level, const char *text, void *cli);
/* "WHAT: 3 jobs", "WHAT: 3 jobs, 1 task", and a warning for each whose schedule is over. */
void tell_crew(const char *what, const struct crew *crew);
/* The line of a run that has ended. */
void tell_end(const struct history_run *run);

#endif
