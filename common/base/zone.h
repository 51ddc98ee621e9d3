/*
 * zone.h - the time zone of the process: civil times (what a clock on the wall shows) and instants.
 *
 *     rc = zone_set("Europe/Berlin", &err);            // once, before threads start
 *     zone_civil(t, &c);                               // what the wall shows at an instant
 *     zone_day(civil_days(c.year, c.month, c.day), &day);
 *     n = zone_instants(&c, &day, out, &after);        // when the wall shows this: never, once or twice
 *
 * Until zone_set the zone is the system's. The zone's rules are those of the C library and its tz database; names are
 * checked against that database first, because the C library takes an unknown name for UTC and says nothing.
 *
 * Instants are seconds since 1970, in the years 1970 to 2900. Civil times are of the proleptic Gregorian calendar. The
 * difference to UTC may change by any amount, also a day (Samoa left out 30 December 2011); two changes of a zone are at
 * least six hours apart.
 */
#ifndef COMMON_BASE_ZONE_H
#define COMMON_BASE_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"

struct civil {
    int year;
    int month;  /* 1..12 */
    int day;    /* 1..31 */
    int hour;   /* 0..23 */
    int minute; /* 0..59 */
    int second; /* 0..59 */
};

/* E_USAGE: no such zone, or a name that is no name of a zone ("../x", ":/etc/x", "EST5EDT4"). NULL: the system's zone. */
int zone_set(const char *name, struct error *err);
/* Whether zone_set would take it; nothing changes. */
int zone_check(const char *name, struct error *err);

void zone_civil(int64_t instant, struct civil *out);

enum { ZONE_PROBES = 6 }; /* to each side of a day's noon, six hours apart */

/* How far the wall is ahead of UTC, in seconds, on a day and somewhat more than a day to each side of it. With one
 * distance (count 1: nearly always) each time of the day comes once, so far from UTC. */
struct zone_day {
    int count;
    int64_t ahead[2 * ZONE_PROBES + 1];
    int64_t least, most;
};
/* days: civil_days. */
void zone_day(int64_t days, struct zone_day *out);

/* The instants at which the wall shows c, a time of this day, ascending; 0 when clocks are set forward over it. In that
 * case *after, when not NULL, gets the first instant at which the wall shows more. All these lie from c - most to
 * c - least (c as if it were UTC). c must be a day that exists. */
int zone_instants(const struct civil *c, const struct zone_day *day, int64_t out[2], int64_t *after);

/* Days since 1970-01-01 of a day, and back; 0 = Sunday .. 6 of such a number. */
int64_t civil_days(int year, int month, int day);
void civil_of_days(int64_t days, struct civil *out); /* sets the date, clears the time */
int civil_weekday(int64_t days);
int civil_month_length(int year, int month);

/* "2026-11-28 02:30", for people; out holds 32 bytes. */
const char *zone_format(char out[32], int64_t instant);

#endif
