/*
 * stall.h - does a run still move? (inside daemon/)
 *
 *     struct stall stall;
 *     stall_begin(&stall, limit_ms);
 *     ...at stall_look_at(&stall) or later:
 *     if (stall_look(&stall, &run))
 *         it has not moved for the limit
 *
 * Movement is a line of output that says something new, bytes that its processes have read or written, or more than two
 * percent of a processor: what waits costs a little, too (threads that look at the clock).
 */
#ifndef BACKUPD_DAEMON_STALL_H
#define BACKUPD_DAEMON_STALL_H

#include <stdbool.h>
#include <stdint.h>

#include "backupd/daemon/child_run.h"

struct stall {
    uint64_t limit_ms; /* 0: it may stand still */
    uint64_t moved;    /* clock_mono_ms when it last did */
    uint64_t looked;
    uint64_t moves;
    struct process_usage usage;
};

void stall_begin(struct stall *s, uint64_t limit_ms);
/* clock_mono_ms; UINT64_MAX: never. */
uint64_t stall_look_at(const struct stall *s);
bool stall_look(struct stall *s, const struct child_run *run);

#endif
