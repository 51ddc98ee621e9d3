#include "backupd/daemon/planner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"

#include "common/base/banned.h"

struct planner {
    struct planner_rules *rules;
    struct planner_state *state;
    bool *known;   /* has a last_due */
    int64_t *next; /* the first due time after last_due; 0: not looked up, INT64_MAX: none */
    size_t *queue; /* those who wait, in order; n of them at most */
    size_t n;
    unsigned limit;
};

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
        (p->next = mem_alloc(n + 1, sizeof *p->next, err)) != NULL &&
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
    free(p->next);
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

/* ---- events --------------------------------------------------------------------------------------------------- */

static int tell(struct vec *events, const struct planner_event *e, struct error *err)
{
    struct planner_event *out = vec_push(events, err);
    if (out == NULL)
        return E_NOMEM;
    *out = *e;
    return 0;
}

/* The due time is over without a run. */
static int skip(struct planner *p, size_t job, enum planner_reason reason, size_t other, struct vec *events,
                struct error *err)
{
    struct planner_state *s = &p->state[job];
    struct planner_event e = { PLANNER_SKIP, reason, job, s->due, 1, other };
    /* Of one that was tried, people have heard: it failed. */
    bool tried = s->attempt > 0;
    s->last = tried ? PLANNER_FAILED : PLANNER_SKIPPED;
    s->due = 0;
    s->by_hand = false;
    return tried ? 0 : tell(events, &e, err);
}

/* ---- what has become due ------------------------------------------------------------------------------------------ */

/* The first due time that is not decided. */
static int64_t undecided(const struct planner *p, size_t job)
{
    if (p->next[job] == 0) {
        int64_t t = calendar_next(p->rules[job].calendar, p->state[job].last_due);
        p->next[job] = t != 0 ? t : INT64_MAX;
    }
    return p->next[job];
}

static void decide_up_to(struct planner *p, size_t job, int64_t due)
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
    if (undecided(p, job) > now - r->jitter)
        return 0;
    int64_t newest = calendar_last(r->calendar, s->last_due, now - r->jitter);
    uint64_t older = count_due(r->calendar, s->last_due, newest);
    int64_t before = older > 0 ? calendar_last(r->calendar, s->last_due, newest - 1) : 0;
    int64_t age = now - newest - r->jitter;
    decide_up_to(p, job, newest);
    if (s->due != 0) {
        /* One that was never tried is over now; one that failed is not tried any more. */
        int rc = skip(p, job, PLANNER_OLDER, job, events, err);
        if (rc < 0)
            return rc;
    }
    if (older > 0) {
        struct planner_event e = { PLANNER_SKIP, s->paused ? PLANNER_PAUSED : PLANNER_OLDER,
                                   job,          before,
                                   older,        job };
        int rc = tell(events, &e, err);
        if (rc < 0)
            return rc;
    }
    s->due = newest;
    s->from = age > PLANNER_GRACE ? now : newest + r->jitter;
    s->attempt = 0;
    s->not_before = 0;
    s->by_hand = false;
    if (s->paused)
        return skip(p, job, PLANNER_PAUSED, job, events, err);
    return age > PLANNER_GRACE && age > r->catch_up ? skip(p, job, PLANNER_TOO_LATE, job, events, err) : 0;
}

/* Nothing before a job was first seen is due. */
static void know(struct planner *p, size_t job, int64_t now)
{
    if (!p->known[job])
        decide_up_to(p, job, now);
    p->known[job] = true;
}

static int notice(struct planner *p, size_t job, int64_t now, struct vec *events, struct error *err)
{
    struct planner_state *s = &p->state[job];
    know(p, job, now);
    if (s->last_due > now + PLANNER_SET_BACK_MAX) {
        struct planner_event e = { PLANNER_CLOCK, PLANNER_SET_BACK, job, s->last_due, 0, job };
        decide_up_to(p, job, now);
        int rc = tell(events, &e, err);
        if (rc < 0)
            return rc;
    }
    if (p->rules[job].calendar == NULL || s->running || s->by_hand)
        return 0;
    return take_due(p, job, now, events, err);
}

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

/* A lane of this job that is full, or NULL. */
static const char *full_lane(const struct planner *p, size_t job)
{
    const struct planner_rules *r = &p->rules[job];
    for (size_t l = 0; l < r->nlanes; l++) {
        unsigned limit = r->lanes[l].limit;
        unsigned used = 0;
        for (size_t i = 0; i < p->n; i++)
            if (p->state[i].running && has_lane(&p->rules[i], r->lanes[l].name, &limit))
                used++;
        if (used >= limit)
            return r->lanes[l].name;
    }
    return NULL;
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
        if (p->state[r->depends[i]].due != 0)
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

static int64_t window_end(const struct planner *p, size_t job)
{
    const struct planner_state *s = &p->state[job];
    return p->rules[job].window > 0 && !s->by_hand ? s->from + p->rules[job].window : INT64_MAX;
}

static enum planner_reason start_reason(const struct planner *p, size_t job)
{
    const struct planner_state *s = &p->state[job];
    if (s->by_hand)
        return PLANNER_BY_HAND;
    if (s->attempt > 0)
        return PLANNER_AGAIN;
    return s->from > s->due + p->rules[job].jitter ? PLANNER_CATCH_UP : PLANNER_DUE;
}

static int try_start(struct planner *p, size_t job, int64_t now, struct vec *events, struct error *err)
{
    struct planner_state *s = &p->state[job];
    if (now >= window_end(p, job))
        return skip(p, job, PLANNER_WINDOW_OVER, job, events, err);
    if (now < s->not_before || unfinished(p, job) != SIZE_MAX)
        return 0;
    size_t other = unsuccessful(p, job);
    if (other != SIZE_MAX)
        return skip(p, job, PLANNER_DEPENDENCY, other, events, err);
    if (count_running(p) >= p->limit || full_lane(p, job) != NULL)
        return 0;
    struct planner_event e = { PLANNER_START, start_reason(p, job), job, s->due, 1, job };
    s->running = true;
    s->stopping = false;
    s->started = now;
    s->attempt++;
    return tell(events, &e, err);
}

/* ---- who has to stop --------------------------------------------------------------------------------------------- */

/* When the run that is on must end, and why. */
static int64_t stop_at(const struct planner *p, size_t job, enum planner_reason *reason)
{
    const struct planner_rules *r = &p->rules[job];
    const struct planner_state *s = &p->state[job];
    int64_t window = window_end(p, job);
    int64_t duration = r->max_duration > 0 ? s->started + r->max_duration : INT64_MAX;
    *reason = window < duration ? PLANNER_WINDOW_OVER : PLANNER_DURATION;
    return window < duration ? window : duration;
}

static int try_stop(struct planner *p, size_t job, int64_t now, struct vec *events, struct error *err)
{
    struct planner_state *s = &p->state[job];
    enum planner_reason reason;
    if (s->stopping || now < stop_at(p, job, &reason))
        return 0;
    struct planner_event e = { PLANNER_STOP, reason, job, s->due, 1, job };
    s->stopping = true;
    return tell(events, &e, err);
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

int planner_tick(struct planner *p, int64_t now, struct vec *events, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->n; i++)
        rc = notice(p, i, now, events, err);
    for (size_t i = 0; rc == 0 && i < p->n; i++)
        if (p->state[i].running)
            rc = try_stop(p, i, now, events, err);
    /* A skipped job may be what another waits for: until nothing changes. */
    for (size_t before = SIZE_MAX, n = make_queue(p); rc == 0 && n > 0 && n != before;
         before = n, n = make_queue(p))
        for (size_t i = 0; rc == 0 && i < n; i++)
            if (p->state[p->queue[i]].due != 0 && !p->state[p->queue[i]].running)
                rc = try_start(p, p->queue[i], now, events, err);
    return rc;
}

void planner_finished(struct planner *p, size_t job, int64_t now, enum planner_outcome outcome)
{
    const struct planner_rules *r = &p->rules[job];
    struct planner_state *s = &p->state[job];
    bool again = outcome == PLANNER_PASSING && s->attempt <= r->retries && !s->stopping && !s->by_hand;
    s->running = false;
    s->stopping = false;
    if (again) {
        unsigned doublings = s->attempt - 1 < 10 ? s->attempt - 1 : 10;
        s->not_before = now + (r->retry_pause << doublings);
        again = s->not_before < window_end(p, job);
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
                sooner(stop_at(p, i, &reason), &best);
            continue;
        }
        if (r->calendar != NULL && p->known[i] && !s->by_hand && undecided(p, i) != INT64_MAX)
            sooner(undecided(p, i) + r->jitter, &best);
        if (s->due == 0)
            continue;
        if (s->not_before > now)
            sooner(s->not_before, &best);
        sooner(window_end(p, i), &best);
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
    know(p, job, now);
    /* A due time that waits is met by this run. */
    s->due = now;
    s->from = now;
    s->by_hand = true;
    s->attempt = 0;
    s->not_before = 0;
    return 0;
}

void planner_pause(struct planner *p, size_t job, int64_t now, bool paused)
{
    know(p, job, now);
    p->state[job].paused = paused;
}

const char *planner_waits_for(const struct planner *p, size_t job, int64_t now, char *out, size_t cap)
{
    const struct planner_state *s = &p->state[job];
    out[0] = '\0';
    if (s->due == 0 || s->running)
        return out;
    size_t on = unfinished(p, job);
    const char *lane = full_lane(p, job);
    if (now < s->not_before)
        (void)snprintf(out, cap, "is tried again");
    else if (on != SIZE_MAX)
        (void)snprintf(out, cap, "waits for job %s", p->rules[on].name);
    else if (lane != NULL)
        (void)snprintf(out, cap, "waits for another job with the same %s", lane);
    else if (count_running(p) >= p->limit)
        (void)snprintf(out, cap, "waits until fewer than %u jobs run", p->limit);
    return out;
}
