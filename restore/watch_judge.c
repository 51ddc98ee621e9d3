#include "restore/watch_judge.h"

#include <stdlib.h>

#include "common/base/banned.h"

enum { HOUR = 3600 };

static int by_length(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

void watch_usual(const uint64_t *times, size_t n, struct watch_usual *out)
{
    uint64_t intervals[WATCH_INTERVALS];
    size_t k = 0;
    *out = (struct watch_usual){ .median = 0 };
    for (size_t i = n; i > 1 && k < WATCH_INTERVALS; i--)
        if (times[i - 1] > times[i - 2]) /* a clock that was set back says nothing */
            intervals[k++] = times[i - 1] - times[i - 2];
    if (k < WATCH_INTERVALS_MIN)
        return;
    qsort(intervals, k, sizeof *intervals, by_length);
    out->median = intervals[k / 2];
    out->allowed = intervals[k - 2];
}

static uint64_t grace(uint64_t interval)
{
    return interval / 4 > HOUR ? interval / 4 : HOUR;
}

void watch_limits(const struct watch_rule *rule, const struct watch_usual *usual, uint64_t cadence,
                  struct watch_limits *out)
{
    *out = (struct watch_limits){ .warning = rule->warn_age, .critical = rule->max_age };
    if (rule->warn_age != 0 || rule->max_age != 0)
        return;
    uint64_t allowed = usual->allowed != 0 ? usual->allowed : cadence;
    if (allowed == 0)
        return;
    out->warning = usual->allowed != 0 ? allowed + grace(allowed) : cadence;
    out->critical = 2 * allowed + grace(allowed);
    if (cadence != 0 && cadence < out->warning)
        out->warning = cadence;
}

uint64_t watch_never_limit(const struct watch_rule *rule, uint64_t cadence)
{
    uint64_t own = rule->warn_age != 0 ? rule->warn_age : rule->max_age;
    uint64_t promised = cadence != 0 ? cadence : WATCH_NEVER_DEFAULT;
    return own != 0 ? own : promised;
}

enum watch_verdict watch_age_verdict(uint64_t age, const struct watch_limits *limits)
{
    if (limits->critical != 0 && age > limits->critical)
        return WATCH_CRITICAL;
    return limits->warning != 0 && age > limits->warning ? WATCH_WARNING : WATCH_OK;
}

const char *watch_verdict_name(enum watch_verdict v)
{
    static const char *const names[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
    return names[v];
}

enum watch_verdict watch_worse(enum watch_verdict a, enum watch_verdict b)
{
    static const int order[] = {
        [WATCH_OK] = 0, [WATCH_WARNING] = 1, [WATCH_UNKNOWN] = 2, [WATCH_CRITICAL] = 3
    };
    return order[a] >= order[b] ? a : b;
}
