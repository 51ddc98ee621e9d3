/*
 * doubt.h - a clock that was wrong by days or years: the planner's questions about it, and who hears of it (inside daemon/).
 *
 * What was decided before is in the history, whatever the clock said since; the answer is stored, so that the next daemon
 * does not ask again.
 */
#ifndef BACKUPD_DAEMON_DOUBT_H
#define BACKUPD_DAEMON_DOUBT_H

#include "backupd/daemon/planner.h"

struct supervisor;

/* PLANNER_CLOCK: answered from the history. */
void doubt_act(struct supervisor *s, const struct planner_event *e);
/* An alarm when the clock cannot be right: at the start, and when it was set back. */
void doubt_look(struct supervisor *s);

#endif
