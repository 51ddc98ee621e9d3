/*
 * robust.h - is a number like those before it? (pure functions)
 *
 *     const struct measure rows = { .floor = 100, .low = 0.5, .high = 3 };
 *     swing = robust_judge(past, n, value, now, &rows, &usual);
 *
 * Compared is with the median of the last ROBUST_WINDOW numbers, and with how far they lie apart: the median of their
 * distances from it (MAD). One bad night among them moves neither. A number swings when it is below `low` times the
 * median or above `high` times, and more than ROBUST_MADS times as far away as they usually are (and more, when there are
 * only a few). Ratios are compared as
 * logarithms with `floor` added to both, so that small numbers differ only when they differ by about the floor. With
 * `plain` low and high are distances instead, for shares between 0 and 1.
 *
 * It is no swing, however far it is, when the like was seen: of the last ROBUST_RECENT three were about as far to that side; or
 * of the last four at the same time of the week (or, when there are several a day, of the day) half of them, so that
 * Sunday's batch does not alarm each week; or one was that a person accepted.
 *
 * Not for fewer numbers than somebody can learn from: that is the caller's to decide.
 */
#ifndef BACKUPD_ANOMALY_ROBUST_H
#define BACKUPD_ANOMALY_ROBUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ROBUST_WINDOW = 30, ROBUST_RECENT = 14, ROBUST_MADS = 6 };

struct sight {
    double value;
    int64_t time;  /* ascending */
    bool accepted; /* a person said that it was right */
};

struct measure {
    bool plain;
    double floor; /* of ratios */
    double low;   /* 0: never too low */
    double high;  /* 0: never too high */
    double mads;  /* 0: ROBUST_MADS */
};

enum swing { SWING_NONE = 0, SWING_LOW, SWING_HIGH };

/* *usual gets the median. n >= 1. */
enum swing robust_judge(const struct sight *past, size_t n, double value, int64_t time,
                        const struct measure *m, double *usual);

/* Of at most ROBUST_WINDOW numbers; 0 of none. */
double robust_median(const double *values, size_t n);

#endif
