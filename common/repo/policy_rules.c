/* The keep rules: which of a group's snapshots they choose. */
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/repo/policy_internal.h"

#include "common/base/banned.h"

/* A candidate in a bucket. */
struct slot {
    uint64_t bucket;
    struct policy_item *item;
};

static uint32_t count_of(const struct policy *p, enum policy_rule rule)
{
    switch (rule) {
    case POLICY_HOURLY:
        return p->hourly;
    case POLICY_DAILY:
        return p->daily;
    case POLICY_WEEKLY:
        return p->weekly;
    case POLICY_MONTHLY:
        return p->monthly;
    case POLICY_YEARLY:
        return p->yearly;
    default:
        return 0;
    }
}

bool policy_has_keep(const struct policy *p)
{
    return (p->last | p->hourly | p->daily | p->weekly | p->monthly | p->yearly) != 0 || p->within != 0;
}

bool policy_has_rules(const struct policy *p)
{
    return policy_has_keep(p) || p->erase_after != 0;
}

/* Newest bucket first; in it the newest first. */
static int by_bucket(const void *a, const void *b)
{
    const struct slot *x = a;
    const struct slot *y = b;
    if (x->bucket != y->bucket)
        return x->bucket > y->bucket ? -1 : 1;
    return x->item->s->seq > y->item->s->seq ? -1 : x->item->s->seq < y->item->s->seq;
}

/* Buckets up to this one are in part, or all, beyond erase_after: their earliest may be gone. What is left must not
 * compete for its place: who stays would depend on what happened to be there. */
static bool reached(const struct policy_group *g, enum policy_rule rule, uint64_t bucket)
{
    uint64_t max = g->rules->erase_after;
    return max != 0 && max < g->run->now && bucket <= policy_bucket(g->run, rule, g->run->now - max);
}

/* The earliest of each of the newest `count` buckets that hold something; all of it where erase_after has reached. */
static void keep_buckets(const struct policy_group *g, enum policy_rule rule, uint32_t count,
                         struct slot *slots, size_t n)
{
    for (size_t i = 0; i < n; i++)
        slots[i].bucket = policy_bucket(g->run, rule, slots[i].item->place);
    qsort(slots, n, sizeof *slots, by_bucket);
    for (size_t i = 0; i < n && count > 0; i++) {
        bool last = i + 1 == n || slots[i + 1].bucket != slots[i].bucket;
        if (last || reached(g, rule, slots[i].bucket))
            policy_keep(slots[i].item, rule);
        count -= last;
    }
}

/* The newest `count`; slots are newest first. */
static void keep_newest(enum policy_rule rule, uint32_t count, struct slot *slots, size_t n)
{
    for (size_t i = 0; i < n && i < count; i++) {
        if (rule == POLICY_LAST && slots[i].item->nth == 0)
            slots[i].item->nth = i + 1;
        policy_keep(slots[i].item, rule);
    }
}

static bool is_good(const struct policy_item *i)
{
    return !i->s->incomplete && !i->s->anomalous;
}

/* Of the items that count, newest first: the good ones, or all of them. */
static size_t collect(const struct policy_group *g, bool all, struct slot *slots)
{
    size_t n = 0;
    for (size_t i = g->n; i-- > 0;)
        if (!g->items[i].unusual && !g->items[i].due && (all || is_good(&g->items[i])))
            slots[n++].item = &g->items[i];
    return n;
}

static bool has_tag(const struct policy *p, const struct policy_snapshot *s)
{
    for (size_t i = 0; p->tags != NULL && p->tags[i] != NULL; i++)
        if (fact_has(s->notes, "tag", p->tags[i]))
            return true;
    return false;
}

/* What looks at one snapshot alone. */
static void keep_single(const struct policy_group *g, struct policy_item *i)
{
    if (has_tag(g->rules, i->s))
        policy_keep(i, POLICY_TAG);
    if (g->rules->within != 0 && (i->place > g->run->now || g->run->now - i->place <= g->rules->within))
        policy_keep(i, POLICY_WITHIN);
}

static void apply_to(struct policy_group *g, bool all, struct slot *slots)
{
    static const enum policy_rule calendar[] = { POLICY_HOURLY, POLICY_DAILY, POLICY_WEEKLY, POLICY_MONTHLY,
                                                 POLICY_YEARLY };
    size_t n = collect(g, all, slots);
    keep_newest(POLICY_NEWEST, 1, slots, n);
    keep_newest(POLICY_FLOOR, g->rules->floor, slots, n);
    keep_newest(POLICY_LAST, g->rules->last, slots, n);
    for (size_t i = 0; i < sizeof calendar / sizeof calendar[0]; i++)
        keep_buckets(g, calendar[i], count_of(g->rules, calendar[i]), slots, n);
}

int policy_rules_apply(struct policy_group *g, struct error *err)
{
    struct slot *slots = mem_alloc(g->n + 1, sizeof *slots, err);
    if (slots == NULL)
        return E_NOMEM;
    apply_to(g, false, slots);
    apply_to(g, true, slots);
    for (size_t i = 0; i < g->n; i++)
        if (!g->items[i].due)
            keep_single(g, &g->items[i]);
    free(slots);
    return 0;
}
