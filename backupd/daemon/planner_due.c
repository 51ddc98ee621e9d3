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

void plan_drop(struct planner *p, size_t job)
{
    struct planner_state *s = &p->state[job];
    if (!s->by_hand)
        s->last = s->attempt > 0 ? PLANNER_FAILED : PLANNER_SKIPPED;
    s->due = 0;
    s->by_hand = false;
    s->not_before = 0;
    p->held[job] = (struct planner_hold){ .kind = PLANNER_FREE };
}

int plan_skip(struct planner *p, size_t job, enum planner_reason reason, size_t other, struct vec *events,
              struct error *err)
{
    bool tried = p->state[job].attempt > 0;
    struct planner_event e = {
        tried ? PLANNER_GIVE_UP : PLANNER_SKIP, reason, job, p->state[job].due, 1, other, p->held[job]
    };
    plan_drop(p, job);
    return plan_tell(events, &e, err);
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
        int rc = plan_skip(p, job, PLANNER_OLDER, job, events, err);
        if (rc < 0)
            return rc;
    }
    if (older > 0) {
        struct planner_event e = {
            PLANNER_SKIP, s->paused ? PLANNER_PAUSED : PLANNER_OLDER, job, before, older, job, { 0 }
        };
        int rc = plan_tell(events, &e, err);
        if (rc < 0)
            return rc;
    }
    s->due = newest;
    s->from = age > PLANNER_GRACE ? now : newest + r->jitter;
    s->attempt = 0;
    s->not_before = 0;
    s->by_hand = false;
    p->fresh[job] = true;
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
    p->asking[job] = false;
    if (!p->known[job] && p->rules[job].calendar != NULL) {
        struct planner_event e = { PLANNER_KNOWN, PLANNER_DUE, job, now, 0, job, { 0 } };
        int rc = plan_tell(events, &e, err);
        if (rc < 0)
            return rc;
    }
    plan_know(p, job, now);
    int rc = plan_mend(p, job, now, events, err);
    if (rc < 0 || p->rules[job].calendar == NULL || s->running || s->by_hand)
        return rc;
    rc = plan_ask(p, job, now, events, err);
    return rc == 0 ? take_due(p, job, now, events, err) : rc < 0 ? rc : 0;
}
