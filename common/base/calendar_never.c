/* calendar_never.c - expressions that have no day: 30 February, a date that is no Monday. */
#include "common/base/calendar.h"
#include "common/base/calendar_internal.h"
#include "common/base/zone.h"

#include "common/base/banned.h"

enum { CYCLE = 146097 }; /* days of 400 years: then the dates have their days of the week again */

static bool comes(const struct calendar *c)
{
    struct civil day;
    int64_t first = civil_days(CALENDAR_YEAR_FIRST, 1, 1);
    int64_t end = c->all_years ? first + CYCLE : civil_days(CALENDAR_YEAR_LAST, 12, 31) + 1;
    for (int64_t days = first; days < end; days++) {
        civil_of_days(days, &day);
        if (calendar_day_fits(c, &day, days))
            return true;
    }
    return false;
}

static int lowest(uint32_t bits)
{
    int n = 0;
    while (n < 31 && ((bits >> n) & 1) == 0)
        n++;
    return n;
}

static int refuse_month(const struct calendar *c, struct error *err)
{
    static const char *const names[] = {
        "January", "February", "March",     "April",   "May",      "June",
        "July",    "August",   "September", "October", "November", "December"
    };
    uint32_t days = c->days_before_end != 0 ? c->days_before_end : c->month_days;
    int month = lowest(c->months);
    if ((c->months & (c->months - 1)) != 0)
        return error_set(err, E_USAGE, "this never comes: none of its months has %s%d%s",
                         c->days_before_end != 0 ? "" : "a day ", lowest(days),
                         c->days_before_end != 0 ? " days" : "");
    return error_set(err, E_USAGE, "this never comes: %s has no %s%d%s", names[month - 1],
                     c->days_before_end != 0 ? "" : "day ", lowest(days),
                     c->days_before_end != 0 ? " days" : "");
}

int calendar_check_comes(const struct calendar *c, struct error *err)
{
    if (c->interval > 0 || comes(c))
        return 0;
    struct calendar wider = *c;
    wider.weekdays = 0x7f;
    if (comes(&wider))
        return error_set(err, E_USAGE,
                         "this never comes: no date that it names is on a day of the week that it names");
    wider.all_years = true;
    if (comes(&wider))
        return error_set(err, E_USAGE, "this never comes: February has 29 days in none of its years");
    return refuse_month(c, err);
}
