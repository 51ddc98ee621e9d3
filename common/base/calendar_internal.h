/* calendar_internal.h - what a calendar expression is once it is parsed; for calendar*.c only. */
#ifndef COMMON_BASE_CALENDAR_INTERNAL_H
#define COMMON_BASE_CALENDAR_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/zone.h"

enum {
    CALENDAR_YEAR_FIRST = 1970,
    CALENDAR_YEAR_LAST = 2199,
    CALENDAR_YEAR_WORDS = (CALENDAR_YEAR_LAST - CALENDAR_YEAR_FIRST) / 64 + 1,
};

struct calendar {
    uint64_t interval; /* seconds; 0: the sets below */
    uint64_t minutes;  /* bit n: minute n is in the set */
    uint32_t hours;
    uint32_t month_days;      /* bits 1..31 */
    uint32_t days_before_end; /* bits 1..31: the last day of the month is 1; used when not 0 */
    uint16_t months;          /* bits 1..12 */
    uint8_t weekdays;         /* bit 0: Sunday */
    bool either_day;          /* cron: a day of the month or a day of the week is enough */
    bool all_years;
    int second;
    uint64_t years[CALENDAR_YEAR_WORDS]; /* bit n: CALENDAR_YEAR_FIRST + n */
};

/* What a field may hold. */
struct calendar_field {
    const char *name; /* "minute" */
    int min;
    int max;
    int base;                 /* bit n stands for base + n */
    const char *const *words; /* three letters each, the first one for `min`; NULL: numbers only */
    bool wraps;               /* a range may run over the end: sat-mon */
};
extern const struct calendar_field calendar_minute, calendar_hour, calendar_month_day, calendar_month,
    calendar_weekday, calendar_year, calendar_second, calendar_before_end;

/* One field's text (len bytes): *, numbers, names, lists, ranges, steps. range: "-" or "..". The set goes to bits,
 * which the caller has cleared; *all (may be NULL) tells whether it begins with a star. E_USAGE. */
int calendar_set(const struct calendar_field *field, const char *text, size_t len, const char *range,
                 uint64_t *bits, bool *all, struct error *err);

/* Whether it is due on this day (days: civil_days of it), whatever the clocks do. */
bool calendar_day_fits(const struct calendar *c, const struct civil *day, int64_t days);
/* E_USAGE when it has no day in any year, with the reason: "this never comes: February has no day 30". */
int calendar_check_comes(const struct calendar *c, struct error *err);

#endif
