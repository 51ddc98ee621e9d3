/*
 * calendar.h - when something is due: an expression, and the next instant after a given one.
 *
 *     struct calendar *c = NULL;
 *     rc = calendar_parse("mon..fri 02:30", &c, &err);       // E_USAGE says what was expected
 *     t = calendar_next(c, now);                             // strictly after now; 0: never again
 *     calendar_free(c);
 *
 * Forms:
 *     30 2 * * 1-5            cron's five fields: minute hour day-of-month month day-of-week. Lists, ranges, steps (* /15
 *                             without the space, 10-40/5), names (jan, mon), 7 is Sunday as 0. When both days are
 *                             restricted, either is enough; a field that begins with * restricts nothing.
 *     @daily                  @hourly @daily @midnight @weekly @monthly @quarterly @yearly @annually; also without the @
 *     mon..fri 02:30          systemd's calendar: [DAYS] [YEAR-MONTH-DAY | MONTH-DAY] [HOUR:MINUTE[:SECOND]], each number
 *                             *, a list, a range (1..7) or with a step (0/6); `~` instead of the last `-` counts days
 *                             from the end of the month. No time is midnight. Everything given must hold.
 *     every 6h, @every 90m    an interval, at multiples of it since 1970 in UTC; 1 minute to 366 days.
 *
 * What has no day in any year (30 February; a Monday on a date that is none) is a mistake and refused. A date that is over is
 * none: calendar_next says that it does not come again.
 *
 * Seconds are a single number, so nothing is due more often than once a minute.
 *
 * Times are those of the process's zone (zone.h). Where clocks are set forward over a time, it is due when they have
 * been; where a time comes twice, it is due the first time, unless the expression says every hour: then both.
 * So a nightly run is there every night, once.
 */
#ifndef COMMON_BASE_CALENDAR_H
#define COMMON_BASE_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"

enum {
    CALENDAR_TEXT_MAX = 256,
    CALENDAR_INTERVAL_MIN = 60,
    CALENDAR_INTERVAL_MAX = 366 * 86400,
    CALENDAR_YEARS = 40, /* the longest pause without years: 29 February on one day of the week, over 2100 */
};

struct calendar;

int calendar_parse(const char *text, struct calendar **out, struct error *err);
void calendar_free(struct calendar *c);

/* The first instant after `after` that is due; 0: none. */
int64_t calendar_next(const struct calendar *c, int64_t after);
/* The last instant at or before `now`, but after `since`, that was due; 0: none. */
int64_t calendar_last(const struct calendar *c, int64_t since, int64_t now);

#endif
