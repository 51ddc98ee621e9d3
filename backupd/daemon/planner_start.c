/* Who may start, who waits and for what, and who has to stop. */
#include <string.h>

#include "backupd/daemon/planner_parts.h"

#include "common/base/banned.h"

/* ---- who may start ------------------------------------------------------------------------------------------------ */

static bool has_lane(const struct planner_rules *r, const char *name, unsigned *limit)
{
    for (size_t i = 0; i < r->nlanes; i++)
        if (strcmp(r->lanes[i].name, name) == 0) {
            if (r->lanes[i].limit < *limit)
                *limit = r->lanes[i].limit;
            return true;
        }
    return false;
}

/* A lane of this job that is full. */
static bool full_lane(const struct planner *p, size_t job, struct planner_hold *out)
{
    const struct planner_rules *r = &p->rules[job];
    for (size_t l = 0; l < r->nlanes; l++) {
        struct planner_hold h = { PLANNER_HELD_LANE, job, r->lanes[l].name, 0, r->lanes[l].limit };
        for (size_t i = 0; i < p->n; i++)
            if (p->state[i].running && has_lane(&p->rules[i], h.lane, &h.limit) && h.running++ == 0)
                h.other = i;
        if (h.running >= h.limit) {
            *out = h;
            return true;
        }
    }
    return false;
}

static unsigned count_running(const struct planner *p)
{
    unsigned n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->state[i].running ? 1 : 0;
    return n;
}

/* The first job it depends on that is not over yet, or SIZE_MAX. */
static size_t unfinished(const struct planner *p, size_t job)
{
    const struct planner_rules *r = &p->rules[job];
    for (size_t i = 0; !p->state[job].by_hand && i < r->ndepends; i++)
        if (p->state[r->depends[i]].due != 0 || p->asking[r->depends[i]])
            return r->depends[i];
    return SIZE_MAX;
}

/* The first job it depends on that did not succeed, or SIZE_MAX. One that never had its time is no obstacle. */
static size_t unsuccessful(const struct planner *p, size_t job)
{
    const struct planner_rules *r = &p->rules[job];
    for (size_t i = 0; !p->state[job].by_hand && i < r->ndepends; i++) {
        enum planner_outcome last = p->state[r->depends[i]].last;
        if (last == PLANNER_FAILED || last == PLANNER_SKIPPED)
            return r->depends[i];
    }
    return SIZE_MAX;
}

int64_t plan_window_end(const struct planner *p, size_t job)
{
    const struct planner_state *s = &p->state[job];
    return p->rules[job].window > 0 && !s->by_hand ? s->from + p->rules[job].window : INT64_MAX;
}

enum planner_reason plan_start_reason(const struct planner *p, size_t job)
{
    const struct planner_state *s = &p->state[job];
    if (s->by_hand)
        return PLANNER_BY_HAND;
    if (s->attempt > 0)
        return PLANNER_AGAIN;
    return s->from > s->due + p->rules[job].jitter ? PLANNER_CATCH_UP : PLANNER_DUE;
}

struct planner_hold planner_held(const struct planner *p, size_t job, int64_t now)
{
    const struct planner_state *s = &p->state[job];
    struct planner_hold h = { .kind = PLANNER_FREE };
    if (s->due == 0 || s->running)
        return h;
    size_t on = unfinished(p, job);
    unsigned running = count_running(p);
    if (now < s->not_before)
        h.kind = PLANNER_HELD_AGAIN;
    else if (p->kept[job])
        h.kind = PLANNER_HELD_HOOKS;
    else if (on != SIZE_MAX)
        h = (struct planner_hold){ .kind = PLANNER_HELD_DEPENDS, .other = on };
    else if (!full_lane(p, job, &h) && running >= p->limit)
        h = (struct planner_hold){ .kind = PLANNER_HELD_LIMIT, .running = running, .limit = p->limit };
    return h;
}

int plan_try_start(struct planner *p, size_t job, int64_t now, struct vec *events, struct error *err)
{
    struct planner_state *s = &p->state[job];
    const struct planner_hold hold = planner_held(p, job, now);
    if (s->paused && !s->by_hand)
        return plan_skip(p, job, PLANNER_PAUSED, job, events, err);
    /* What has held it may be gone since the window ended: then it is what was seen before. */
    if (hold.kind != PLANNER_FREE)
        p->held[job] = hold;
    if (now >= plan_window_end(p, job))
        return plan_skip(p, job, PLANNER_WINDOW_OVER, job, events, err);
    if (hold.kind == PLANNER_HELD_AGAIN || hold.kind == PLANNER_HELD_HOOKS ||
        hold.kind == PLANNER_HELD_DEPENDS)
        return 0;
    size_t other = unsuccessful(p, job);
    if (other != SIZE_MAX)
        return plan_skip(p, job, PLANNER_DEPENDENCY, other, events, err);
    if (hold.kind != PLANNER_FREE)
        return 0;
    struct planner_event e = { PLANNER_START, plan_start_reason(p, job), job, s->due, 1, job, { 0 } };
    p->held[job] = hold;
    s->running = true;
    s->stopping = false;
    s->started = now;
    s->attempt++;
    return plan_tell(events, &e, err);
}

/* ---- who has to stop --------------------------------------------------------------------------------------------- */

int64_t plan_stop_at(const struct planner *p, size_t job, enum planner_reason *reason)
{
    const struct planner_rules *r = &p->rules[job];
    const struct planner_state *s = &p->state[job];
    int64_t window = plan_window_end(p, job);
    int64_t duration = r->max_duration > 0 ? s->started + r->max_duration : INT64_MAX;
    *reason = window < duration ? PLANNER_WINDOW_OVER : PLANNER_DURATION;
    return window < duration ? window : duration;
}

int plan_try_stop(struct planner *p, size_t job, int64_t now, struct vec *events, struct error *err)
{
    struct planner_state *s = &p->state[job];
    enum planner_reason reason;
    if (s->stopping || now < plan_stop_at(p, job, &reason))
        return 0;
    struct planner_event e = { PLANNER_STOP, reason, job, s->due, 1, job, { 0 } };
    s->stopping = true;
    return plan_tell(events, &e, err);
}
