/*
 * planner_parts.h - what the files of the planner share: what has become due (planner_due.c), what a wrong clock has left
 * (planner_clock.c), who may start and who has to stop (planner_start.c), and the calls (planner.c).
 */
#ifndef BACKUPD_DAEMON_PLANNER_PARTS_H
#define BACKUPD_DAEMON_PLANNER_PARTS_H

#include "backupd/daemon/planner.h"

struct planner {
    struct planner_rules *rules;
    struct planner_state *state;
    bool *known;               /* has a last_due */
    bool *fresh;               /* has become due in this tick */
    struct planner_hold *held; /* what the run that waits was last seen to wait for */
    int64_t *next;             /* the first due time after last_due; 0: not looked up, INT64_MAX: none */
    int64_t *asked;            /* the last_due for which the history was asked */
    bool *kept;                /* planner_keep */
    bool *asking;              /* it is asked in this tick: what is due is decided with the next one */
    size_t *queue;             /* those who wait, in order; n of them at most */
    size_t n;
    unsigned limit;
};

/* planner_due.c */
int plan_tell(struct vec *events, const struct planner_event *e, struct error *err);
/* The due time is over without a run. */
int plan_skip(struct planner *p, size_t job, enum planner_reason reason, size_t other, struct vec *events,
              struct error *err);
/* The same, and forgets what it was. */
void plan_drop(struct planner *p, size_t job);
/* Nothing before a job was first seen is due. */
void plan_know(struct planner *p, size_t job, int64_t now);
/* The first due time that is not decided; INT64_MAX: there is none. */
int64_t plan_undecided(const struct planner *p, size_t job);
/* What has become due, and what was missed. */
int plan_notice(struct planner *p, size_t job, int64_t now, struct vec *events, struct error *err);
/* Nothing up to this time is to be decided. */
void plan_decide_up_to(struct planner *p, size_t job, int64_t due);

/* planner_clock.c */
/* Times that lie further in the future than people set a clock back do not hold the job. */
int plan_mend(struct planner *p, size_t job, int64_t now, struct vec *events, struct error *err);
/* 1 when the history is to be asked before what is due is decided. */
int plan_ask(struct planner *p, size_t job, int64_t now, struct vec *events, struct error *err);
/* How long the next try is waited for. */
int64_t plan_pause(const struct planner *p, size_t job);

/* planner_start.c */
/* Why it would start. */
enum planner_reason plan_start_reason(const struct planner *p, size_t job);
int plan_try_start(struct planner *p, size_t job, int64_t now, struct vec *events, struct error *err);
int plan_try_stop(struct planner *p, size_t job, int64_t now, struct vec *events, struct error *err);
int64_t plan_window_end(const struct planner *p, size_t job);
/* When the run that is on must end, and why. */
int64_t plan_stop_at(const struct planner *p, size_t job, enum planner_reason *reason);

#endif
