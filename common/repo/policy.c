/* The decision: groups in their order, the stop of a writer, the sums. */
#include "common/repo/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/repo/policy_internal.h"

#include "common/base/banned.h"

static const struct policy no_rules = { .max_share = 100 };

/* By writer, label and seq. */
static int by_group(const void *a, const void *b)
{
    const struct policy_snapshot *x = ((const struct policy_item *)a)->s;
    const struct policy_snapshot *y = ((const struct policy_item *)b)->s;
    int c = memcmp(x->writer, y->writer, WRITER_ID_LEN);
    if (c == 0)
        c = strcmp(x->label, y->label);
    return c != 0 ? c : x->seq < y->seq ? -1 : x->seq > y->seq;
}

static bool same_writer(const struct policy_item *a, const struct policy_item *b)
{
    return memcmp(a->s->writer, b->s->writer, WRITER_ID_LEN) == 0;
}

static bool same_group(const struct policy_item *a, const struct policy_item *b)
{
    return same_writer(a, b) && strcmp(a->s->label, b->s->label) == 0;
}

static int check_one(const struct policy_run *run, const struct policy_snapshot *s, struct error *err)
{
    if (s->first_seen > run->now || s->seen_after > s->first_seen || run->last_run > run->now)
        return error_set(err, E_INTERNAL, "record %u: times of the policy clock do not fit each other",
                         s->seq);
    return 0;
}

/* What is left to judge, sorted. */
static int collect(const struct policy_run *run, const struct policy_snapshot *s, size_t n,
                   struct policy_verdict *verdicts, struct policy_item *items, size_t *count,
                   struct error *err)
{
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        int rc = check_one(run, &s[i], err);
        if (rc < 0)
            return rc;
        verdicts[i] = (struct policy_verdict){ .rule = POLICY_GONE };
        if (s[i].expired) {
            (void)snprintf(verdicts[i].reason, sizeof verdicts[i].reason, "expired before");
        } else if (s[i].unreadable || s[i].label == NULL) {
            verdicts[i].rule = s[i].held ? POLICY_HELD : POLICY_UNREADABLE;
            verdicts[i].rules = 1u << verdicts[i].rule;
            (void)snprintf(verdicts[i].reason, sizeof verdicts[i].reason,
                           "it cannot be read: only a person expires it, by name");
        } else {
            items[(*count)++] = (struct policy_item){ .s = &s[i], .v = &verdicts[i] };
        }
    }
    qsort(items, *count, sizeof *items, by_group);
    return 0;
}

/* The next group of the writer's items from `from` on. */
static struct policy_group group_at(const struct policy_run *run, struct policy_item *items, size_t n,
                                    struct vec *alarms)
{
    struct policy_group g = { .run = run, .items = items, .alarms = alarms };
    while (g.n < n && same_group(&items[0], &items[g.n]))
        g.n++;
    g.rules = items[0].s->rules != NULL ? items[0].s->rules : &no_rules;
    return g;
}

static int place_group(struct policy_group *g, bool *stopped, struct error *err)
{
    size_t unusual = 0;
    policy_place(g);
    size_t fresh = policy_mark_unusual(g);
    for (size_t i = 0; i < g->n; i++)
        unusual += g->items[i].unusual;
    int rc = 0;
    if (fresh != 0)
        rc = policy_alarm(g, POLICY_ALARM_UNUSUAL, fresh, err);
    if (rc == 0 && unusual > fresh)
        rc = policy_alarm(g, POLICY_ALARM_UNSORTED, unusual - fresh, err);
    *stopped = *stopped || fresh != 0;
    return rc;
}

/* All groups of one writer: what is unusual in one of them stops them all. */
static int decide_writer(const struct policy_run *run, struct policy_item *items, size_t n,
                         struct vec *alarms, struct error *err)
{
    bool stopped = false;
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < n;) {
        struct policy_group g = group_at(run, items + at, n - at, alarms);
        rc = place_group(&g, &stopped, err);
        at += g.n;
    }
    for (size_t at = 0; rc == 0 && at < n;) {
        struct policy_group g = group_at(run, items + at, n - at, alarms);
        g.writer_stopped = stopped;
        rc = policy_group_decide(&g, err);
        at += g.n;
    }
    return rc;
}

static int count_unreadable(const struct policy_snapshot *s, size_t n, struct policy_summary *out,
                            struct error *err)
{
    struct policy_run run = { .now = 0 };
    struct policy_group g = { .run = &run, .rules = &no_rules, .alarms = &out->alarms };
    size_t unreadable = 0;
    for (size_t i = 0; i < n; i++)
        unreadable += !s[i].expired && (s[i].unreadable || s[i].label == NULL);
    return unreadable != 0 ? policy_alarm(&g, POLICY_ALARM_UNREADABLE, unreadable, err) : 0;
}

static void sum_up(const struct policy_snapshot *s, size_t n, const struct policy_verdict *v,
                   struct policy_summary *out)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i].expired)
            continue;
        out->live++;
        out->expire += v[i].expire;
        out->kept += !v[i].expire;
        out->waiting += !v[i].expire && (v[i].rules & (1u << POLICY_STOPPED | 1u << POLICY_SHARE)) != 0;
        out->bytes += v[i].expire ? s[i].unique : 0;
    }
}

int policy_decide(const struct policy_run *run, const struct policy_snapshot *snapshots, size_t n,
                  struct policy_verdict *verdicts, struct policy_summary *summary, struct error *err)
{
    size_t count = 0;
    *summary = (struct policy_summary){ .alarms = VEC_OF(struct policy_alarm) };
    struct policy_item *items = mem_alloc(n + 1, sizeof *items, err);
    if (items == NULL)
        return E_NOMEM;
    int rc = collect(run, snapshots, n, verdicts, items, &count, err);
    for (size_t at = 0; rc == 0 && at < count;) {
        size_t end = at;
        while (end < count && same_writer(&items[at], &items[end]))
            end++;
        rc = decide_writer(run, items + at, end - at, &summary->alarms, err);
        at = end;
    }
    if (rc == 0)
        rc = count_unreadable(snapshots, n, summary, err);
    if (rc == 0)
        sum_up(snapshots, n, verdicts, summary);
    free(items);
    if (rc < 0)
        policy_summary_free(summary);
    return rc;
}

void policy_summary_free(struct policy_summary *s)
{
    vec_free(&s->alarms);
}
