/* What has become due, and what was missed. */
#include "backupd/daemon/planner_parts.h"

#include "common/base/banned.h"

/* ---- events --------------------------------------------------------------------------------------------------- */

int plan_tell(struct vec *events, const struct planner_event *e, struct error *err)
{
    struct planner_event *out = vec_push(events, err);
    if (out == NULL)
        return E_NOMEM;
    *out = *e;
    return 0;
}

int plan_skip(struct planner *p, size_t job, enum planner_reason reason, size_t other, struct vec *events,
              struct error *err)
{
    struct planner_state *s = &p->state[job];
    struct planner_event e = { PLANNER_SKIP, reason, job, s->due, 1, other };
    /* Of one that was tried, people have heard: it failed. But not that a wrong clock takes its next try away. */
    bool tried = s->attempt > 0;
    s->last = tried ? PLANNER_FAILED : PLANNER_SKIPPED;
    s->due = 0;
    s->by_hand = false;
    return tried && reason != PLANNER_SET_BACK ? 0 : plan_tell(events, &e, err);
}

/* ---- what has become due ------------------------------------------------------------------------------------------ */

int64_t plan_undecided(const struct planner *p, size_t job)
{
    if (p->next[job] == 0) {
        int64_t t = calendar_next(p->rules[job].calendar, p->state[job].last_due);
        p->next[job] = t != 0 ? t : INT64_MAX;
    }
    return p->next[job];
}

void plan_decide_up_to(struct planner *p, size_t job, int64_t due)
{
    p->state[job].last_due = due;
    p->next[job] = 0;
}

static uint64_t count_due(const struct calendar *c, int64_t since, int64_t before)
{
    uint64_t n = 0;
    for (int64_t t = calendar_next(c, since); t != 0 && t < before && n < PLANNER_COUNT_MAX;
         t = calendar_next(c, t))
        n++;
    return n;
}

static int take_due(struct planner *p, size_t job, int64_t now, struct vec *events, struct error *err)
{
    const struct planner_rules *r = &p->rules[job];
    struct planner_state *s = &p->state[job];
    if (plan_undecided(p, job) > now - r->jitter)
        return 0;
    int64_t newest = calendar_last(r->calendar, s->last_due, now - r->jitter);
    uint64_t older = count_due(r->calendar, s->last_due, newest);
    int64_t before = older > 0 ? calendar_last(r->calendar, s->last_due, newest - 1) : 0;
    int64_t age = now - newest - r->jitter;
    plan_decide_up_to(p, job, newest);
    if (s->due != 0) {
        /* One that was never tried is over now; one that failed is not tried any more. */
        int rc = plan_skip(p, job, PLANNER_OLDER, job, events, err);
        if (rc < 0)
            return rc;
    }
    if (older > 0) {
        struct planner_event e = { PLANNER_SKIP, s->paused ? PLANNER_PAUSED : PLANNER_OLDER,
                                   job,          before,
                                   older,        job };
        int rc = plan_tell(events, &e, err);
        if (rc < 0)
            return rc;
    }
    s->due = newest;
    s->from = age > PLANNER_GRACE ? now : newest + r->jitter;
    s->attempt = 0;
    s->not_before = 0;
    s->by_hand = false;
    if (s->paused)
        return plan_skip(p, job, PLANNER_PAUSED, job, events, err);
    return age > PLANNER_GRACE && age > r->catch_up ? plan_skip(p, job, PLANNER_TOO_LATE, job, events, err)
                                                    : 0;
}

void plan_know(struct planner *p, size_t job, int64_t now)
{
    if (!p->known[job])
        plan_decide_up_to(p, job, now);
    p->known[job] = true;
}

int plan_notice(struct planner *p, size_t job, int64_t now, struct vec *events, struct error *err)
{
    const struct planner_state *s = &p->state[job];
    plan_know(p, job, now);
    int rc = plan_mend(p, job, now, events, err);
    if (rc < 0 || p->rules[job].calendar == NULL || s->running || s->by_hand)
        return rc;
    rc = plan_ask(p, job, now, events, err);
    return rc == 0 ? take_due(p, job, now, events, err) : rc < 0 ? rc : 0;
}
