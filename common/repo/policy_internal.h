/*
 * policy_internal.h - what policy*.c share. Nobody else includes it.
 *
 *   policy.c         groups, in order; stops of a writer; the summary
 *   policy_place.c   when a snapshot counts as made; what is an unusual number
 *   policy_group.c   one group: from the hold to the share
 *   policy_rules.c   last, hourly ... within: buckets of the calendar
 *   policy_text.c    names, dates, reasons
 */
#ifndef COMMON_REPO_POLICY_INTERNAL_H
#define COMMON_REPO_POLICY_INTERNAL_H

#include "common/repo/policy.h"

enum { POLICY_DAY = 86400 };

/* One snapshot that is judged: neither expired before nor unreadable. */
struct policy_item {
    const struct policy_snapshot *s;
    struct policy_verdict *v;
    uint64_t place; /* when it counts as made: seconds of the policy clock */
    bool unusual;   /* one of too many at once: not counted */
    bool due;       /* older than erase_after and not held: not counted either */
    size_t nth;     /* kept by last: which of the newest, from 1 */
};

/* The items of one label of one writer, oldest first. */
struct policy_group {
    const struct policy_run *run;
    const struct policy *rules; /* never NULL */
    struct policy_item *items;
    size_t n;
    struct vec *alarms;
    bool writer_stopped; /* an unusual number of new ones in one of the writer's groups */
};

/* ---- policy_place.c ---- */
void policy_place(struct policy_group *g);
/* Marks; returns how many of them are new (not covered yet). */
size_t policy_mark_unusual(struct policy_group *g);
uint32_t policy_usual(const struct policy *p); /* new ones of a day */

/* ---- policy_group.c ---- */
int policy_group_decide(struct policy_group *g, struct error *err);

/* ---- policy_rules.c ---- */
/* Sets the bits and buckets of what the rules keep of the items that count. */
int policy_rules_apply(struct policy_group *g, struct error *err);
bool policy_has_keep(const struct policy *p);
static inline void policy_keep(struct policy_item *i, enum policy_rule rule)
{
    i->v->rules |= 1u << rule;
}

/* ---- policy_text.c ---- */
/* The bucket of t: hours, days, weeks, months or years of the zone, counted from 1970. */
uint64_t policy_bucket(const struct policy_run *run, enum policy_rule rule, uint64_t t);
/* From the bits of a verdict to its rule and reason. */
void policy_explain_kept(const struct policy_group *g, struct policy_item *i);
void policy_explain_gone(const struct policy_group *g, struct policy_item *i);
int policy_alarm(const struct policy_group *g, enum policy_alarm_kind kind, size_t count, struct error *err);
/* "90d", "36h" */
enum { POLICY_SPAN_MAX = 24 };
const char *policy_span(char out[POLICY_SPAN_MAX], uint64_t seconds);

#endif
