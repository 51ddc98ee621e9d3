/*
 * policy.h - which snapshots stay, which may go, and why: a pure decision, without files, keys or clock.
 *
 *     struct policy rules = POLICY_INIT;  rules.daily = 7;  rules.weekly = 4; ...
 *     s[i] = (struct policy_snapshot){ .writer = ..., .label = "shop", .rules = &rules, .first_seen = T, ... };
 *     struct policy_run run = { .now = T of this run, .last_run = T of the newest retention record };
 *     rc = policy_decide(&run, s, n, verdicts, &summary, err);     // a verdict with a reason for EVERY snapshot
 *     ... verdicts[i].expire, verdicts[i].reason; summary.alarms
 *     policy_summary_free(&summary);
 *
 * A group is one label of one writer, so that no writer can push out what another one stored. All times are
 * those of the retention log's policy clock (docs/format.md, section 8), in seconds since 1970; what a writer
 * claims is not looked at. The order, the first that applies decides:
 *
 *   1. kept: already expired ones are not judged again; unreadable views; not yet covered by a retention record
 *   2. a hold
 *   3. erase_after: older ones go, whatever else says they stay; only the newest one of a group (by the
 *      rules' own count) stays until its writer is retired, with an alarm. The writer's newest record always
 *      stays (newest, below).
 *   4. the charter's min-keep; the floor; the newest that passed a drill (proven: how many, at least one); the writer's newest
 *   5. tags; last, hourly, daily, weekly, monthly, yearly, within
 *   6. an unusual number at once (below): kept until a person decides
 *   7. what no rule keeps goes; at most max_share percent of the live ones of a group in one run, what is over
 *      erase_after first, then the oldest first. No rules at all: everything stays.
 *
 * Buckets are of the calendar of `zone`; weeks begin on Monday. Rules count buckets that hold something, from
 * the newest on, and each keeps the EARLIEST of its bucket, so that what comes later displaces nothing. Where
 * erase_after has reached into a bucket, all that is left in it stays until it is erased.
 * Incomplete and anomalous nights displace nothing: the rules are applied to the good ones alone, and once
 * more to all together, and whatever is kept by either stays.
 *
 * An unusual number: more than max_new of a group within a day (times the days since the run before). They are
 * neither counted nor expired by keep rules, raise an alarm, and while they are new nothing of this writer is
 * expired except by erase_after. Expire the wrong ones by name, or raise max_new.
 *
 * Snapshots that one retention run saw first after a pause of 36 hours or more (2 with an hourly rule) are spread evenly, in their
 * order, over the pause; those of the first run of all are taken as one each cadence. This place in time counts
 * for the rules of 5; erase_after and min-keep count from first_seen itself.
 */
#ifndef COMMON_REPO_POLICY_H
#define COMMON_REPO_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/vec.h"
#include "common/repo/format.h"

enum {
    POLICY_COUNT_MAX = 100000, /* of one rule */
    POLICY_SHARE_DEFAULT = 20, /* percent of a group's live snapshots in one run; always at least one */
    POLICY_FLOOR_DEFAULT = 3,
    POLICY_NEW_DEFAULT = 6,         /* a day; with an hourly rule: */
    POLICY_NEW_HOURLY_DEFAULT = 30, /* max_new 0 stands for these two */
    POLICY_REASON_MAX = 160,
    POLICY_ALARM_MAX = 400,
};

/* The rules of one group. 0 means that there is no such rule. */
struct policy {
    uint32_t last, hourly, daily, weekly, monthly, yearly;
    uint64_t within;         /* seconds: everything younger */
    const char *const *tags; /* NULL-terminated, or NULL: everything with one of these */
    uint32_t floor;          /* "min": so many of the newest stay in any case */
    uint64_t erase_after;    /* seconds: maximum age for privacy law */
    uint32_t max_share;      /* percent, 1..100 */
    uint32_t max_new;        /* new ones of a day that are usual; 0: the default above */
    uint32_t proven;         /* so many of the newest that passed a drill stay; 0: one */
};
#define POLICY_INIT                                                      \
    {                                                                    \
        .floor = POLICY_FLOOR_DEFAULT, .max_share = POLICY_SHARE_DEFAULT \
    }
/* Whether anything may ever go: a keep rule, tags, within or erase_after. */
bool policy_has_rules(const struct policy *p);

/* One snapshot record that is not void: live ones and, harmless, expired ones. Everything is borrowed. */
struct policy_snapshot {
    uint8_t writer[WRITER_ID_LEN];
    uint32_t seq;
    const char *label;          /* the group's; NULL when unreadable */
    const struct policy *rules; /* of the group, the same for all of it; NULL: no rules */
    uint64_t first_seen;        /* T of the retention record that first covered it; 0: none yet */
    uint64_t seen_after;        /* T of the retention record before that one; 0: it was the first */
    uint32_t cadence_hours;     /* of the writer, by the charter; 0: unknown */
    bool held;
    bool expired;      /* not judged: the verdict is POLICY_GONE */
    bool newest;       /* the writer's highest snapshot record that is not void */
    bool retired;      /* the charter names no open range for the writer */
    bool incomplete;   /* the run left something out, as its view says */
    bool anomalous;    /* found suspicious, by the writer's view or by others */
    bool proven;       /* passed a drill */
    bool unreadable;   /* the view cannot be read or verified */
    const char *notes; /* lines of the view: tag=NAME; may be NULL */
    uint64_t unique;   /* bytes that only this one needs, for the sums of the summary */
};

enum policy_rule {
    POLICY_GONE = 0,   /* expired before */
    POLICY_UNREADABLE, /* kept: see 1 */
    POLICY_NEW,
    POLICY_HELD,
    POLICY_NEWEST, /* the writer's newest record, or a group's newest beyond erase_after */
    POLICY_MIN_KEEP,
    POLICY_FLOOR,
    POLICY_PROVEN,
    POLICY_TAG,
    POLICY_LAST,
    POLICY_HOURLY,
    POLICY_DAILY,
    POLICY_WEEKLY,
    POLICY_MONTHLY,
    POLICY_YEARLY,
    POLICY_WITHIN,
    POLICY_NO_RULES,
    POLICY_UNUSUAL,
    POLICY_STOPPED,  /* would go, but nothing of this writer (or at all) is expired by this run */
    POLICY_SHARE,    /* would go, but not in this run */
    POLICY_ERASE,    /* goes: erase_after */
    POLICY_UNNEEDED, /* goes: kept by no rule */
    POLICY_RULES
};
/* "daily", "erase_after", ...: the setting's name where there is one. Never NULL. */
const char *policy_rule_name(enum policy_rule rule);

struct policy_verdict {
    bool expire;
    bool early;            /* expire within the charter's min-keep: as if a person named it, with a note */
    enum policy_rule rule; /* the first that decided */
    uint32_t rules;        /* all that keep it: bit 1 << rule */
    uint64_t counts_as;    /* when it counts as made: what the days, weeks, ... of its reason are of */
    char reason[POLICY_REASON_MAX]; /* "daily 2026-11-25, weekly 2026-W48"; UTF-8, one line */
};

enum policy_alarm_kind {
    POLICY_ALARM_UNUSUAL,  /* an unusual number of new ones: nothing of the writer is expired */
    POLICY_ALARM_UNSORTED, /* unusual numbers of earlier runs are still waiting for a person; a note */
    POLICY_ALARM_OVERDUE,  /* the newest of a group is older than erase_after, its writer not retired */
    POLICY_ALARM_HELD,     /* a hold keeps something beyond erase_after */
    POLICY_ALARM_UNREADABLE,
    POLICY_ALARM_SHARE /* something over erase_after had to wait for the next run */
};
struct policy_alarm {
    enum policy_alarm_kind kind;
    uint8_t writer[WRITER_ID_LEN];
    char label[LABEL_MAX + 1]; /* "" when it is about a writer */
    size_t count;              /* snapshots concerned */
    char text[POLICY_ALARM_MAX];
};

struct policy_run {
    uint64_t now;           /* T of the record that this run would publish */
    uint64_t last_run;      /* T of the newest retention record; 0: none */
    uint32_t min_keep_days; /* of the charter */
    /* Seconds east of UTC at t; NULL: UTC. policy_local_zone: the zone of the process (common/base/zone.h). */
    int64_t (*zone)(void *arg, uint64_t t);
    void *zone_arg;
    const char *stopped; /* why nothing may be expired at all (the clock, an alarm); NULL: no reason */
};

struct policy_summary {
    size_t live, kept, expire, waiting; /* waiting: would go, but not in this run */
    uint64_t bytes;                     /* unique bytes of those that go: the least that is freed */
    struct vec alarms;                  /* struct policy_alarm */
};

int64_t policy_local_zone(void *arg, uint64_t t);

/* Seconds from one snapshot to the next of a writer that is late after so many hours: without the slack, whole days
 * where it is a day or more; 0: a day. */
uint64_t policy_cadence(uint32_t hours);

/* verdicts: n of them. E_USAGE when times make no sense (first_seen after now); E_NOMEM. */
int policy_decide(const struct policy_run *run, const struct policy_snapshot *snapshots, size_t n,
                  struct policy_verdict *verdicts, struct policy_summary *summary, struct error *err);
void policy_summary_free(struct policy_summary *s);

#endif
