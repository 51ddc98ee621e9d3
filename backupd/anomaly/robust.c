#include "backupd/anomaly/robust.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/banned.h"

enum { DAY = 86400, WEEK = 7 * DAY, SEEN_RECENTLY = 3, SAME_TIME = 4, LEAST = 45 * 60 };

/* Makes distances of a normal distribution's MAD its standard deviation. */
static const double mad_scale = 1.4826;
/* What counts as just as far: what happens each Sunday is not the same each Sunday. */
static const double alike = 0.6;
/* Few numbers may lie close together by chance. */
static const double few = 7;

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

double robust_median(const double *values, size_t n)
{
    double sorted[ROBUST_WINDOW];
    n = n < ROBUST_WINDOW ? n : ROBUST_WINDOW;
    if (n == 0)
        return 0;
    memcpy(sorted, values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, ascending);
    return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static double scaled(const struct measure *m, double value)
{
    double v = value > 0 ? value : 0;
    return m->plain ? value : log(v + m->floor);
}

/* ---- was the like seen? ---------------------------------------------------------------------------------------------- */

struct question {
    const struct sight *past;
    size_t n;
    const struct measure *m;
    double middle;
    double distance; /* of what is judged, with its sign */
    int64_t time;
};

static bool as_far(const struct question *q, size_t i)
{
    double d = scaled(q->m, q->past[i].value) - q->middle;
    return q->distance < 0 ? d <= q->distance * alike : d >= q->distance * alike;
}

static bool seen_recently(const struct question *q)
{
    size_t seen = 0;
    for (size_t i = q->n > ROBUST_RECENT ? q->n - ROBUST_RECENT : 0; i < q->n; i++)
        seen += as_far(q, i);
    return seen >= SEEN_RECENTLY;
}

static bool was_accepted(const struct question *q)
{
    for (size_t i = 0; i < q->n; i++)
        if (q->past[i].accepted && as_far(q, i))
            return true;
    return false;
}

/* Whether two times are the same one of a period, give or take. */
static bool same_phase(int64_t a, int64_t b, int64_t period, int64_t tolerance)
{
    int64_t rest = (a - b) % period;
    rest = rest < 0 ? rest + period : rest;
    return rest <= tolerance || period - rest <= tolerance;
}

static bool seen_each(const struct question *q, int64_t period, int64_t tolerance)
{
    size_t looked = 0;
    size_t seen = 0;
    for (size_t i = q->n; i > 0 && looked < SAME_TIME; i--) {
        int64_t age = q->time - q->past[i - 1].time;
        if (age < period - tolerance || !same_phase(q->time, q->past[i - 1].time, period, tolerance))
            continue;
        looked++;
        seen += as_far(q, i - 1);
    }
    return seen > 0 && 2 * seen >= looked;
}

/* A quarter of the usual time between two runs, but of 45 minutes at least and six hours at most. */
static int64_t tolerance_of(const struct question *q)
{
    double gaps[ROBUST_WINDOW] = { 0 };
    size_t n = 0;
    for (size_t i = q->n > ROBUST_WINDOW ? q->n - ROBUST_WINDOW : 1; i < q->n; i++)
        gaps[n++] = (double)(q->past[i].time - q->past[i - 1].time);
    double quarter = robust_median(gaps, n) / 4;
    return quarter < LEAST ? LEAST : quarter > DAY / 4.0 ? DAY / 4 : (int64_t)quarter;
}

static bool was_seen(const struct question *q)
{
    int64_t tolerance = tolerance_of(q);
    if (seen_recently(q) || was_accepted(q) || seen_each(q, WEEK, tolerance))
        return true;
    return tolerance < DAY / 4 && seen_each(q, DAY, tolerance);
}

/* ---- the judgement --------------------------------------------------------------------------------------------------- */

enum swing robust_judge(const struct sight *past, size_t n, double value, int64_t time,
                        const struct measure *m, double *usual)
{
    double near[ROBUST_WINDOW] = { 0 };
    double plain[ROBUST_WINDOW] = { 0 };
    double middle;
    size_t from = n > ROBUST_WINDOW ? n - ROBUST_WINDOW : 0;
    size_t count = n - from;
    for (size_t i = 0; i < count; i++) {
        plain[i] = past[from + i].value;
        near[i] = scaled(m, plain[i]);
    }
    *usual = robust_median(plain, count);
    middle = robust_median(near, count);
    for (size_t i = 0; i < count; i++)
        near[i] = fabs(near[i] - middle);
    double mads = m->mads > 0 ? m->mads : ROBUST_MADS;
    double spread = mads * (1 + few / (double)count) * mad_scale * robust_median(near, count);
    double distance = scaled(m, value) - middle;
    double limit = distance < 0 ? m->low : m->high;
    if (limit <= 0)
        return SWING_NONE;
    if (!m->plain)
        limit = fabs(log(limit));
    if (fabs(distance) < limit || fabs(distance) <= spread)
        return SWING_NONE;
    const struct question q = { past, n, m, middle, distance, time };
    return was_seen(&q) ? SWING_NONE : distance < 0 ? SWING_LOW : SWING_HIGH;
}
