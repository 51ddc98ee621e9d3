#include "backupd/daemon/planner.h"

#include <stdlib.h>
#include <string.h>

#include "backupd/daemon/planner_parts.h"
#include "common/base/alloc.h"

#include "common/base/banned.h"

/* ---- making it ---------------------------------------------------------------------------------------------- */

/* Depth first; marks: 1 on the way, 2 done. */
static int look_for_circle(const struct planner *p, size_t job, uint8_t *marks, struct error *err)
{
    const struct planner_rules *r = &p->rules[job];
    marks[job] = 1;
    for (size_t i = 0; i < r->ndepends; i++) {
        size_t on = r->depends[i];
        if (on >= p->n)
            return error_set(err, E_INTERNAL, "job %s depends on a job that is not there", r->name);
        if (marks[on] == 1)
            return error_set(err, E_USAGE, "job %s depends on %s, which depends on it", r->name,
                             p->rules[on].name);
        if (marks[on] == 0) {
            int rc = look_for_circle(p, on, marks, err);
            if (rc < 0)
                return rc;
        }
    }
    marks[job] = 2;
    return 0;
}

static int check_circles(const struct planner *p, struct error *err)
{
    uint8_t *marks = mem_alloc(p->n + 1, 1, err);
    int rc = marks != NULL ? 0 : E_NOMEM;
    for (size_t i = 0; rc == 0 && i < p->n; i++)
        if (marks[i] == 0)
            rc = look_for_circle(p, i, marks, err);
    free(marks);
    return rc;
}

int planner_new(const struct planner_rules *rules, size_t n, unsigned limit, struct planner **out,
                struct error *err)
{
    struct planner *p = mem_alloc(1, sizeof *p, err);
    *out = NULL;
    if (p == NULL)
        return E_NOMEM;
    *p = (struct planner){ .n = n, .limit = limit };
    int rc = E_NOMEM;
    if ((p->rules = mem_alloc(n + 1, sizeof *p->rules, err)) != NULL &&
        (p->state = mem_alloc(n + 1, sizeof *p->state, err)) != NULL &&
        (p->known = mem_alloc(n + 1, sizeof *p->known, err)) != NULL &&
        (p->fresh = mem_alloc(n + 1, sizeof *p->fresh, err)) != NULL &&
        (p->held = mem_alloc(n + 1, sizeof *p->held, err)) != NULL &&
        (p->next = mem_alloc(n + 1, sizeof *p->next, err)) != NULL &&
        (p->asked = mem_alloc(n + 1, sizeof *p->asked, err)) != NULL &&
        (p->kept = mem_alloc(n + 1, sizeof *p->kept, err)) != NULL &&
        (p->asking = mem_alloc(n + 1, sizeof *p->asking, err)) != NULL &&
        (p->queue = mem_alloc(n + 1, sizeof *p->queue, err)) != NULL) {
        if (n > 0)
            (void)memcpy(p->rules, rules, n * sizeof *rules);
        rc = check_circles(p, err);
    }
    if (rc < 0)
        planner_free(p);
    else
        *out = p;
    return rc;
}

void planner_free(struct planner *p)
{
    if (p == NULL)
        return;
    free(p->rules);
    free(p->state);
    free(p->known);
    free(p->fresh);
    free(p->held);
    free(p->next);
    free(p->asked);
    free(p->kept);
    free(p->asking);
    free(p->queue);
    free(p);
}

void planner_restore(struct planner *p, size_t job, const struct planner_state *state, bool still_running)
{
    struct planner_state *s = &p->state[job];
    *s = *state;
    p->known[job] = true;
    p->next[job] = 0;
    if (!s->running || still_running)
        return;
    s->running = false;
    s->stopping = false;
    s->not_before = 0;
}

const struct planner_state *planner_state(const struct planner *p, size_t job)
{
    return &p->state[job];
}

/* ---- the calls ---------------------------------------------------------------------------------------------------- */

/* Who waits, by due time; few, so by insertion. */
static size_t make_queue(struct planner *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (p->state[i].due == 0 || p->state[i].running)
            continue;
        size_t at = n++;
        while (at > 0 && p->state[p->queue[at - 1]].due > p->state[i].due) {
            p->queue[at] = p->queue[at - 1];
            at--;
        }
        p->queue[at] = i;
    }
    return n;
}

/* Who has become due and did not start. */
static int tell_waiting(struct planner *p, int64_t now, struct vec *events, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->n; i++) {
        const struct planner_state *s = &p->state[i];
        if (p->fresh[i] && s->due != 0 && !s->running) {
            struct planner_event e = { PLANNER_WAIT,           plan_start_reason(p, i), i, s->due, 1, i,
                                       planner_held(p, i, now) };
            rc = plan_tell(events, &e, err);
        }
        p->fresh[i] = false;
    }
    return rc;
}

int planner_tick(struct planner *p, int64_t now, struct vec *events, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->n; i++)
        rc = plan_notice(p, i, now, events, err);
    for (size_t i = 0; rc == 0 && i < p->n; i++)
        if (p->state[i].running)
            rc = plan_try_stop(p, i, now, events, err);
    /* A skipped job may be what another waits for: until nothing changes. */
    for (size_t before = SIZE_MAX, n = make_queue(p); rc == 0 && n > 0 && n != before;
         before = n, n = make_queue(p))
        for (size_t i = 0; rc == 0 && i < n; i++)
            if (p->state[p->queue[i]].due != 0 && !p->state[p->queue[i]].running)
                rc = plan_try_start(p, p->queue[i], now, events, err);
    return rc == 0 ? tell_waiting(p, now, events, err) : rc;
}

/* What comes due until then takes the place of one more try. */
static bool next_is_due(const struct planner *p, size_t job, int64_t then)
{
    return p->rules[job].calendar != NULL && plan_undecided(p, job) <= then - p->rules[job].jitter;
}

void planner_finished(struct planner *p, size_t job, int64_t now, enum planner_outcome outcome)
{
    const struct planner_rules *r = &p->rules[job];
    struct planner_state *s = &p->state[job];
    bool again =
        outcome == PLANNER_PASSING && s->attempt <= r->retries && !s->stopping && !s->by_hand && !s->paused;
    s->running = false;
    s->stopping = false;
    if (again) {
        s->not_before = now + plan_pause(p, job);
        again = s->not_before < plan_window_end(p, job) && !next_is_due(p, job, s->not_before);
    }
    if (again)
        return;
    s->last = outcome == PLANNER_PASSING ? PLANNER_FAILED : outcome;
    s->due = 0;
    s->by_hand = false;
    s->not_before = 0;
}

static void sooner(int64_t t, int64_t *best)
{
    if (t != 0 && t < *best)
        *best = t;
}

int64_t planner_wake(const struct planner *p, int64_t now)
{
    int64_t best = INT64_MAX;
    for (size_t i = 0; i < p->n; i++) {
        const struct planner_rules *r = &p->rules[i];
        const struct planner_state *s = &p->state[i];
        enum planner_reason reason;
        if (s->running) {
            if (!s->stopping)
                sooner(plan_stop_at(p, i, &reason), &best);
            continue;
        }
        if (r->calendar != NULL && p->known[i] && !s->by_hand && plan_undecided(p, i) != INT64_MAX)
            sooner(plan_undecided(p, i) + r->jitter, &best);
        if (s->due == 0)
            continue;
        if (s->not_before > now)
            sooner(s->not_before, &best);
        sooner(plan_window_end(p, i), &best);
    }
    return best;
}

void planner_clock_set(struct planner *p, int64_t by)
{
    for (size_t i = 0; i < p->n; i++) {
        struct planner_state *s = &p->state[i];
        if (s->running)
            s->started += by;
        if (s->not_before != 0)
            s->not_before += by;
    }
}

int planner_start(struct planner *p, size_t job, int64_t now, struct error *err)
{
    struct planner_state *s = &p->state[job];
    if (s->running)
        return error_set(err, E_CONFLICT, "job %s is running", p->rules[job].name);
    if (s->due != 0 && s->by_hand)
        return error_set(err, E_CONFLICT, "job %s was started and waits", p->rules[job].name);
    plan_know(p, job, now);
    /* A due time that waits is met by this run; should it be cancelled, that time had none. */
    if (s->due != 0)
        plan_drop(p, job);
    s->due = now;
    s->from = now;
    s->by_hand = true;
    s->attempt = 0;
    s->not_before = 0;
    return 0;
}

void planner_keep(struct planner *p, size_t job, bool kept)
{
    p->kept[job] = kept;
}

void planner_pause(struct planner *p, size_t job, int64_t now, bool paused)
{
    plan_know(p, job, now);
    p->state[job].paused = paused;
}

int planner_cancel(struct planner *p, size_t job, struct planner_event *was, struct error *err)
{
    struct planner_state *s = &p->state[job];
    if (s->due == 0 || s->running)
        return error_set(err, E_NOT_FOUND, "job %s does not wait", p->rules[job].name);
    *was = (struct planner_event){ .kind = PLANNER_START,
                                   .reason = plan_start_reason(p, job),
                                   .job = job,
                                   .due = s->due,
                                   .count = 1,
                                   .other = job };
    plan_drop(p, job);
    return 0;
}
