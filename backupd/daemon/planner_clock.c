/* What a wrong clock has left: times that lie in the future, and a last one that is long ago. */
#include "backupd/daemon/planner_parts.h"

#include "common/base/banned.h"

enum { DOUBLINGS_MAX = 10 };

int64_t plan_pause(const struct planner *p, size_t job)
{
    unsigned tries = p->state[job].attempt > 0 ? p->state[job].attempt - 1 : 0;
    return p->rules[job].retry_pause << (tries < DOUBLINGS_MAX ? tries : DOUBLINGS_MAX);
}

/* A false due time, which is no reason for a run now; one that is on, or that a person wants, goes on from now. */
static int mend_due(struct planner *p, size_t job, int64_t now, struct vec *events, struct error *err)
{
    struct planner_state *s = &p->state[job];
    if (!s->running && !s->by_hand)
        return plan_skip(p, job, PLANNER_SET_BACK, job, events, err);
    s->due = now;
    s->from = now;
    return 0;
}

int plan_mend(struct planner *p, size_t job, int64_t now, struct vec *events, struct error *err)
{
    struct planner_state *s = &p->state[job];
    int64_t latest = now + PLANNER_SET_BACK_MAX;
    int rc = s->due > latest ? mend_due(p, job, now, events, err) : 0;
    if (s->from > latest)
        s->from = now;
    if (s->started > latest)
        s->started = now;
    if (s->not_before > now + plan_pause(p, job))
        s->not_before = now + plan_pause(p, job);
    if (rc < 0 || s->last_due <= latest)
        return rc;
    struct planner_event e = { PLANNER_CLOCK, PLANNER_SET_BACK, job, s->last_due, 0, job, { 0 } };
    plan_decide_up_to(p, job, now);
    return p->rules[job].calendar != NULL ? plan_tell(events, &e, err) : 0;
}

int plan_ask(struct planner *p, size_t job, int64_t now, struct vec *events, struct error *err)
{
    struct planner_event e = { PLANNER_CLOCK, PLANNER_LONG_AGO, job, p->state[job].last_due, 0, job, { 0 } };
    if (now - e.due <= PLANNER_LONG_AGO_MIN || p->asked[job] == e.due ||
        plan_undecided(p, job) > now - p->rules[job].jitter)
        return 0;
    p->asked[job] = e.due;
    p->asking[job] = true;
    int rc = plan_tell(events, &e, err);
    return rc < 0 ? rc : 1;
}

void planner_decided(struct planner *p, size_t job, int64_t due)
{
    if (p->asking[job])
        p->asked[job] = due; /* that was the answer */
    plan_decide_up_to(p, job, due);
}
