/* calendar.c - the next instant of an expression. */
#include "common/base/calendar.h"

#include <stddef.h>

#include "common/base/calendar_internal.h"
#include "common/base/zone.h"

#include "common/base/banned.h"

enum {
    ALL_HOURS = (1 << 24) - 1,
    DAY = 86400,
    AROUND =
        2, /* days: a civil date, and the dates whose times may fall on it (a whole day can be left out) */
};

static bool year_fits(const struct calendar *c, int year)
{
    if (c->all_years)
        return true;
    if (year < CALENDAR_YEAR_FIRST || year > CALENDAR_YEAR_LAST)
        return false;
    unsigned bit = (unsigned)(year - CALENDAR_YEAR_FIRST);
    return ((c->years[bit / 64] >> (bit % 64)) & 1) != 0;
}

bool calendar_day_fits(const struct calendar *c, const struct civil *day, int64_t days)
{
    if (!year_fits(c, day->year) || ((c->months >> day->month) & 1) == 0)
        return false;
    bool in_month = ((c->month_days >> day->day) & 1) != 0;
    if (c->days_before_end != 0)
        in_month =
            ((c->days_before_end >> (civil_month_length(day->year, day->month) - day->day + 1)) & 1) != 0;
    bool in_week = ((c->weekdays >> civil_weekday(days)) & 1) != 0;
    return c->either_day ? in_month || in_week : in_month && in_week;
}

static void take(int64_t t, int64_t after, int64_t *best)
{
    if (t > after && (*best == 0 || t < *best))
        *best = t;
}

/* One time of the wall. */
static void look_at_time(const struct calendar *c, const struct civil *at, const struct zone_day *zone,
                         int64_t after, int64_t *best)
{
    int64_t when[2];
    int64_t later = 0;
    int n = zone_instants(at, zone, when, &later);
    take(n == 0 ? later : when[0], after, best);
    if (n == 2 && c->hours == ALL_HOURS)
        take(when[1], after, best);
}

/* Lowers *best to the first instant after `after` of this day's times. */
static void look_at_day(const struct calendar *c, const struct civil *day, int64_t days,
                        const struct zone_day *zone, int64_t after, int64_t *best)
{
    struct civil at = *day;
    at.second = c->second;
    for (at.hour = 0; at.hour < 24; at.hour++) {
        if (((c->hours >> at.hour) & 1) == 0)
            continue;
        for (at.minute = 0; at.minute < 60; at.minute++) {
            if (((c->minutes >> at.minute) & 1) == 0)
                continue;
            int64_t wall = days * DAY + at.hour * 3600 + at.minute * 60 + at.second;
            if (wall - zone->least <= after)
                continue; /* too early, whatever the clocks do */
            if (*best != 0 && wall - zone->most >= *best)
                return; /* neither this nor what follows comes before */
            if (zone->count > 1)
                look_at_time(c, &at, zone, after, best);
            else
                take(wall - zone->least, after, best);
        }
    }
}

/* The day on which there is nothing more to look for. */
static int64_t calendar_end(const struct calendar *c, int64_t today)
{
    return c->all_years ? today + (int64_t)CALENDAR_YEARS * 366 : civil_days(CALENDAR_YEAR_LAST, 12, 31) + 1;
}

int64_t calendar_next(const struct calendar *c, int64_t after)
{
    if (c->interval > 0)
        return (after / (int64_t)c->interval + 1) * (int64_t)c->interval;
    struct civil civil;
    struct zone_day at_first, later;
    zone_civil(after, &civil);
    int64_t today = civil_days(civil.year, civil.month, civil.day);
    zone_day(today, &at_first);
    /* Around a plain day no time of the days before can still come. */
    int64_t days = at_first.count == 1 ? today : today - AROUND;
    int64_t end = calendar_end(c, today);
    int64_t best = 0;
    for (; days < end; days++) {
        civil_of_days(days, &civil);
        if (!year_fits(c, civil.year)) {
            days = civil_days(civil.year, 12, 31);
            continue;
        }
        if (!calendar_day_fits(c, &civil, days))
            continue;
        bool first = best == 0;
        const struct zone_day *zone = days == today ? &at_first : &later;
        if (days != today)
            zone_day(days, &later);
        look_at_day(c, &civil, days, zone, after, &best);
        if (best != 0 && zone->count == 1)
            break;
        /* Times of later days can only come earlier where a day was left out or comes twice. */
        if (best != 0 && first && end > days + AROUND + 1)
            end = days + AROUND + 1;
    }
    return best;
}

int64_t calendar_last(const struct calendar *c, int64_t since, int64_t now)
{
    /* Windows that grow, so that a frequent one is not followed through years. */
    for (int64_t window = 3600;; window *= 4) {
        int64_t from = now - since > window ? now - window : since;
        int64_t last = 0;
        for (int64_t t = calendar_next(c, from); t != 0 && t <= now; t = calendar_next(c, t))
            last = t;
        if (last != 0 || from == since)
            return last;
    }
}
