/*
 * watch_judge.h - is a writer late? Times in, a verdict out; no clock, no storage.
 *
 *     watch_usual(times, n, &usual);                 // how often it published, from its last snapshots
 *     watch_limits(&rule, &usual, cadence, &l);      // from when on it is late
 *     v = watch_age_verdict(age, &l);
 *
 * How often: the median of the last WATCH_INTERVALS intervals between snapshots is what people are told. What is allowed is the
 * second longest of them, so that a job of working days is not late on Mondays, and one long pause does not make the next one
 * allowed. Fewer than WATCH_INTERVALS_MIN intervals say nothing.
 *
 * Limits, the first that is there: the person's (max_age: CRITICAL, warn_age: WARNING); else WARNING a quarter (at least an
 * hour) after the next one was allowed to come, and CRITICAL when the one after that did not come either. The cadence that
 * the charter promises makes the WARNING earlier, or takes the place of the intervals where they say nothing.
 *
 * A writer that never published is late (WARNING) that long after it was enrolled: the person's limit, else the cadence, else
 * WATCH_NEVER_DEFAULT.
 */
#ifndef RESTORE_WATCH_JUDGE_H
#define RESTORE_WATCH_JUDGE_H

#include <stddef.h>
#include <stdint.h>

enum {
    WATCH_INTERVALS = 14,
    WATCH_INTERVALS_MIN = 3,
    WATCH_NEVER_DEFAULT = 172800, /* seconds for the first backup, where nothing else says them */
};

/* As Nagios counts. */
enum watch_verdict { WATCH_OK = 0, WATCH_WARNING = 1, WATCH_CRITICAL = 2, WATCH_UNKNOWN = 3 };

/* What a person asked for, in seconds; 0: nothing. */
struct watch_rule {
    uint64_t max_age;
    uint64_t warn_age;
};

struct watch_usual {
    uint64_t median;  /* seconds between two snapshots; 0: not known */
    uint64_t allowed; /* the second longest pause */
};

struct watch_limits {
    uint64_t warning; /* an age above it; 0: none */
    uint64_t critical;
};

/* times: seconds, of snapshots in the order of their log; only the last ones count. */
void watch_usual(const uint64_t *times, size_t n, struct watch_usual *out);
/* cadence: seconds, of the charter; 0: never late. */
void watch_limits(const struct watch_rule *rule, const struct watch_usual *usual, uint64_t cadence,
                  struct watch_limits *out);
uint64_t watch_never_limit(const struct watch_rule *rule, uint64_t cadence);
enum watch_verdict watch_age_verdict(uint64_t age, const struct watch_limits *limits);
const char *watch_verdict_name(enum watch_verdict v); /* "OK" .. "UNKNOWN" */
/* CRITICAL is worse than UNKNOWN, which is worse than WARNING. */
enum watch_verdict watch_worse(enum watch_verdict a, enum watch_verdict b);

#endif
