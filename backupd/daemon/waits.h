/*
 * waits.h - runs that are due and not on yet: which, since when, for what; one set of words for the daemon and for all who read
 * its history.
 *
 *     rc = waits_read(&crew, history, &planner, err);       // where the jobs stand, as the history says
 *     waits_line(&crew, planner, job, now, text);           // "waits since 2026-11-29 02:00 for job shop"
 *     planner_free(planner);
 *
 * The reasons are those of the planner itself, from the states that the daemon has written. Times are of the process's zone.
 */
#ifndef BACKUPD_DAEMON_WAITS_H
#define BACKUPD_DAEMON_WAITS_H

#include "backupd/daemon/crew.h"
#include "common/cli/json.h"

enum { WAITS_TEXT_MAX = 384 };

/* False: no daemon runs here, so what the history has as being on was cut off, and nothing starts. */
bool waits_daemon(const struct conf *conf);

/* A planner of its own with the states of the history (NULL: no daemon has run here, nothing is known). Without a
 * daemon nothing is on: what was, waits for the next one. */
int waits_read(const struct crew *crew, struct history *history, struct planner **out, struct error *err);

/* What comes after "waits for": "job shop", "its turn (2 of 2 runs are on)"; "" when nothing keeps it. */
const char *waits_what(const struct crew *crew, const struct planner_hold *hold, char out[WAITS_TEXT_MAX]);

/* A run of this job is due and not on. */
bool waits_is(const struct planner *planner, size_t job);
/* "waits since ... for ...", "is tried again at ... (attempt 2 of 4)"; "" when no run of the job waits. */
const char *waits_line(const struct crew *crew, const struct planner *planner, size_t job, int64_t now,
                       char out[WAITS_TEXT_MAX]);
/* "waiting": the same for programs, null when none waits. */
void waits_json(struct jsonout *o, const struct crew *crew, const struct planner *planner, size_t job,
                int64_t now);

#endif
