/*
 * zone.h - the time zone of the process: civil times (what a clock on the wall shows) and instants.
 *
 *     rc = zone_set("Europe/Berlin", &err);            // once, before threads start
 *     zone_civil(t, &c);                               // what the wall shows at an instant
 *     n = zone_instants(&c, out);                      // when the wall shows this: never, once or twice
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

/* The instants at which the wall shows c, ascending; 0 when clocks are set forward over it. In that case *after, when
 * not NULL, gets the first instant at which the wall shows more. c must be a day that exists. */
int zone_instants(const struct civil *c, int64_t out[2], int64_t *after);

/* Whether all times of a day (civil_days) are equally far from UTC, and none of them comes twice or not at all; then
 * *offset gets the seconds by which the wall is ahead of UTC. */
bool zone_plain_day(int64_t days, int64_t *offset);

/* Days since 1970-01-01 of a day, and back; 0 = Sunday .. 6 of such a number. */
int64_t civil_days(int year, int month, int day);
void civil_of_days(int64_t days, struct civil *out); /* sets the date, clears the time */
int civil_weekday(int64_t days);
int civil_month_length(int year, int month);

/* "2026-11-28 02:30", for people; out holds 32 bytes. */
const char *zone_format(char out[32], int64_t instant);

#endif
