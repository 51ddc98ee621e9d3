/*
 * schedule_warn.h - what is no mistake of a schedule and must not keep a daemon from starting, but has to be said: its times
 * are over.
 *
 *     schedule_warn(&crew, now, print_it, &out);       // "jobs.shop: its schedule does not come again: ..."
 */
#ifndef BACKUPD_SCHEDULE_WARN_H
#define BACKUPD_SCHEDULE_WARN_H

#include "backupd/daemon/crew.h"

/* What is said in the place of the next time. */
#define SCHEDULE_OVER "does not come again"

enum { SCHEDULE_WARNING_MAX = 1024 };

/* It has a schedule, and none of its times is still to come. */
bool schedule_is_over(const struct planner_rules *rules, int64_t now);
/* Calls fn for each job and task of which that is so; their number. */
size_t schedule_warn(const struct crew *crew, int64_t now,
                     void (*fn)(const struct conf_place *place, const char *text, void *arg), void *arg);

#endif
