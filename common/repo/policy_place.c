/* Where snapshots stand in time, by the runs that saw them first and by their order; and what is unusual. */
#include "common/repo/policy_internal.h"

#include "common/base/banned.h"

enum {
    CADENCE_HOURS = 24, /* of a writer whose charter names none */
    PAUSE = 36 * 3600,  /* runs further apart are a pause; with an hourly rule: */
    PAUSE_HOURLY = 2 * 3600,
    WINDOW = 18 * 3600, /* a day, with room for runs that are not to the minute */
};

uint64_t policy_cadence(uint32_t hours)
{
    uint64_t whole = hours >= CADENCE_HOURS ? hours - hours % CADENCE_HOURS : hours;
    return (whole != 0 ? whole : CADENCE_HOURS) * 3600;
}

/* T of the run that saw it first, also when that is this one. */
static uint64_t seen(const struct policy_group *g, const struct policy_item *i)
{
    return i->s->first_seen != 0 ? i->s->first_seen : g->run->now;
}

static uint64_t seen_after(const struct policy_group *g, const struct policy_item *i)
{
    return i->s->first_seen != 0 ? i->s->seen_after : g->run->last_run;
}

/* The place of item k (from 1) of m that the run at t saw first, when the run before was at `before`. */
static uint64_t place_of(const struct policy_group *g, const struct policy_item *i, uint64_t k, uint64_t m)
{
    uint64_t t = seen(g, i);
    uint64_t before = seen_after(g, i);
    uint64_t pause = g->rules->hourly != 0 ? PAUSE_HOURLY : PAUSE;
    if (before == 0) {
        uint64_t back = (m - k) * policy_cadence(i->s->cadence_hours);
        return back < t ? t - back : 0;
    }
    if (before >= t || t - before < pause)
        return t;
    return before + (t - before) / m * k + (t - before) % m * k / m;
}

/* Two runs can have the same T. */
static bool same_run(const struct policy_group *g, const struct policy_item *a, const struct policy_item *b)
{
    return seen(g, a) == seen(g, b) && seen_after(g, a) == seen_after(g, b);
}

void policy_place(struct policy_group *g)
{
    for (size_t from = 0, to = 0; from < g->n; from = to) {
        while (to < g->n && same_run(g, &g->items[to], &g->items[from]))
            to++;
        for (size_t i = from; i < to; i++)
            g->items[i].place = place_of(g, &g->items[i], i - from + 1, to - from);
    }
}

uint32_t policy_usual(const struct policy *p)
{
    if (p->max_new != 0)
        return p->max_new;
    return p->hourly != 0 ? POLICY_NEW_HOURLY_DEFAULT : POLICY_NEW_DEFAULT;
}

/* What was there before the first run of all says nothing about a day. */
static bool first_of_all(const struct policy_group *g, const struct policy_item *i)
{
    return seen_after(g, i) == 0;
}

size_t policy_mark_unusual(struct policy_group *g)
{
    size_t usual = policy_usual(g->rules);
    size_t fresh = 0;
    size_t from = 0;
    size_t marked = 0; /* items below are marked as far as they must be */
    for (size_t i = 0; i < g->n; i++) {
        while (from < i &&
               (first_of_all(g, &g->items[from]) || g->items[i].place - g->items[from].place >= WINDOW))
            from++;
        if (first_of_all(g, &g->items[i]) || i - from + 1 <= usual)
            continue;
        for (size_t k = marked > from ? marked : from; k <= i; k++)
            g->items[k].unusual = true;
        marked = i + 1;
    }
    for (size_t i = 0; i < g->n; i++)
        fresh += g->items[i].unusual && g->items[i].s->first_seen == 0;
    return fresh;
}
