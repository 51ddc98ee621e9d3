/* One group: hold, erase_after, min-keep and the floor, keep rules, the share of one run. */
#include "common/repo/policy_internal.h"

#include "common/base/banned.h"

static bool is_good(const struct policy_item *i)
{
    return !i->s->incomplete && !i->s->anomalous;
}

static bool too_old(const struct policy_group *g, const struct policy_item *i)
{
    uint64_t max = g->rules->erase_after;
    return max != 0 && i->s->first_seen != 0 && g->run->now - i->s->first_seen > max;
}

enum { NOBODY = -1 };

/* The newest ones that erase_after must leave until the writer is retired: of those that count, and of the good
 * ones among them. When none counts, of all. */
struct last_ones {
    ptrdiff_t any, good;
};

static struct last_ones find_last(const struct policy_group *g)
{
    struct last_ones l = { NOBODY, NOBODY };
    for (size_t i = 0; i < g->n; i++) {
        if (g->items[i].unusual)
            continue;
        l.any = (ptrdiff_t)i;
        if (is_good(&g->items[i]))
            l.good = (ptrdiff_t)i;
    }
    if (l.any == NOBODY && g->n > 0)
        l.any = (ptrdiff_t)g->n - 1;
    return l;
}

/* Step 3. */
static int mark_due(struct policy_group *g, struct error *err)
{
    struct last_ones last = find_last(g);
    size_t held = 0;
    size_t overdue = 0;
    for (size_t i = 0; i < g->n; i++) {
        struct policy_item *item = &g->items[i];
        if (!too_old(g, item))
            continue;
        if (item->s->held) {
            held++;
        } else if (!item->s->retired &&
                   (item->s->newest || (ptrdiff_t)i == last.any || (ptrdiff_t)i == last.good)) {
            policy_keep(item, POLICY_NEWEST);
            overdue++;
        } else {
            item->due = true;
        }
    }
    int rc = held != 0 ? policy_alarm(g, POLICY_ALARM_HELD, held, err) : 0;
    if (rc == 0 && overdue != 0)
        rc = policy_alarm(g, POLICY_ALARM_OVERDUE, overdue, err);
    return rc;
}

static bool within_min_keep(const struct policy_group *g, const struct policy_item *i)
{
    uint64_t min_keep = (uint64_t)g->run->min_keep_days * POLICY_DAY;
    return i->s->first_seen != 0 && g->run->now - i->s->first_seen < min_keep;
}

/* Step 4, as far as it does not count. */
static void keep_protected(struct policy_group *g)
{
    uint32_t proven = g->rules->proven > 1 ? g->rules->proven : 1;
    for (size_t i = g->n; i-- > 0;) {
        struct policy_item *item = &g->items[i];
        if (item->s->first_seen == 0)
            policy_keep(item, POLICY_NEW);
        if (item->s->held)
            policy_keep(item, POLICY_HELD);
        if (item->due)
            continue;
        if (item->s->newest)
            policy_keep(item, POLICY_NEWEST);
        if (within_min_keep(g, item))
            policy_keep(item, POLICY_MIN_KEEP);
        if (item->s->proven && proven > 0) {
            policy_keep(item, POLICY_PROVEN);
            proven--;
        }
        if (item->unusual)
            policy_keep(item, POLICY_UNUSUAL);
        else if (!policy_has_keep(g->rules))
            policy_keep(item, POLICY_NO_RULES);
    }
}

/* How many may go in one run: of those that count, and of the unusual ones. */
struct budget {
    size_t usual, unusual;
};

static size_t share_of(const struct policy_group *g, size_t live)
{
    size_t share = live / 100 * g->rules->max_share + live % 100 * g->rules->max_share / 100;
    return share > 0 ? share : 1;
}

static struct budget budget_of(const struct policy_group *g)
{
    size_t unusual = 0;
    for (size_t i = 0; i < g->n; i++)
        unusual += g->items[i].unusual;
    return (struct budget){ .usual = share_of(g, g->n - unusual), .unusual = share_of(g, unusual) };
}

/* Whether it goes now; otherwise it gets the bit that says why not. */
static bool goes(const struct policy_group *g, struct policy_item *i, struct budget *b)
{
    size_t *left = i->unusual ? &b->unusual : &b->usual;
    if (g->run->stopped != NULL || (g->writer_stopped && !i->due)) {
        policy_keep(i, POLICY_STOPPED);
        return false;
    }
    if (*left == 0) {
        policy_keep(i, POLICY_SHARE);
        return false;
    }
    (*left)--;
    return true;
}

/* What nothing keeps: first what is over erase_after, then the oldest. */
static int expire(struct policy_group *g, struct error *err)
{
    struct budget b = budget_of(g);
    size_t late = 0;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < g->n; i++) {
            struct policy_item *item = &g->items[i];
            if (item->due != (round == 0) || item->v->rules != 0)
                continue;
            item->v->expire = goes(g, item, &b);
            item->v->early = item->v->expire && within_min_keep(g, item);
            late += item->due && !item->v->expire;
        }
    }
    return late != 0 ? policy_alarm(g, POLICY_ALARM_SHARE, late, err) : 0;
}

int policy_group_decide(struct policy_group *g, struct error *err)
{
    int rc = mark_due(g, err);
    if (rc < 0)
        return rc;
    keep_protected(g);
    rc = policy_rules_apply(g, err);
    if (rc == 0)
        rc = expire(g, err);
    for (size_t i = 0; rc == 0 && i < g->n; i++) {
        g->items[i].v->counts_as = g->items[i].place;
        if (g->items[i].v->expire)
            policy_explain_gone(g, &g->items[i]);
        else
            policy_explain_kept(g, &g->items[i]);
    }
    return rc;
}
