#include "common/base/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/banned.h"

#define ZONE_DIRECTORY "/usr/share/zoneinfo"

enum {
    ZONE_NAME_MAX = 128,
    DAY = 86400,
    PROBE_STEP = 6 * 3600,             /* changes of a zone are at least so far apart */
    AROUND = ZONE_PROBES * PROBE_STEP, /* 36 h: more than any zone's distance to UTC plus a change */
};

static bool is_name(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > ZONE_NAME_MAX || name[0] == '/' || name[len - 1] == '/' ||
        strstr(name, "..") != NULL)
        return false;
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == len;
}

/* Whether the database has a file of this name that begins like one of its files. */
static bool is_known(const char *name)
{
    char path[sizeof ZONE_DIRECTORY + ZONE_NAME_MAX + 2];
    char magic[4];
    (void)snprintf(path, sizeof path, "%s/%s", ZONE_DIRECTORY, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return false;
    bool ok =
        read(fd, magic, sizeof magic) == (ssize_t)sizeof magic && memcmp(magic, "TZif", sizeof magic) == 0;
    (void)close(fd);
    return ok;
}

int zone_check(const char *name, struct error *err)
{
    if (is_name(name) && (strcmp(name, "UTC") == 0 || is_known(name)))
        return 0;
    return error_set(
        err, E_USAGE,
        "there is no time zone '%.64s'; use a name like Europe/Berlin or UTC (those of " ZONE_DIRECTORY
        ", package tzdata)",
        name);
}

int zone_set(const char *name, struct error *err)
{
    int rc = name != NULL ? zone_check(name, err) : 0;
    if (rc < 0)
        return rc;
    if (name == NULL)
        (void)unsetenv("TZ");
    else if (setenv("TZ", name, 1) < 0)
        return error_set(err, E_NOMEM, "out of memory (time zone)");
    tzset();
    return 0;
}

void zone_civil(int64_t instant, struct civil *out)
{
    struct tm tm = { 0 };
    time_t t = (time_t)instant;
    if (localtime_r(&t, &tm) == NULL)
        (void)gmtime_r(&t, &tm);
    /* A leap second, in zones that count them ("right/..."), is shown as the second before. */
    *out = (struct civil){ .year = tm.tm_year + 1900,
                           .month = tm.tm_mon + 1,
                           .day = tm.tm_mday,
                           .hour = tm.tm_hour,
                           .minute = tm.tm_min,
                           .second = tm.tm_sec > 59 ? 59 : tm.tm_sec };
}

/* The wall's seconds, as if it were UTC. */
static int64_t wall_of(const struct civil *c)
{
    return civil_days(c->year, c->month, c->day) * DAY + c->hour * 3600 + c->minute * 60 + c->second;
}

static int64_t wall_at(int64_t instant)
{
    struct civil c;
    zone_civil(instant, &c);
    return wall_of(&c);
}

/* The first instant in (low, high] at which the wall shows at least `wall`; it does so at high and not at low. */
static int64_t first_at_least(int64_t low, int64_t high, int64_t wall)
{
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (wall_at(middle) >= wall)
            high = middle;
        else
            low = middle;
    }
    return high;
}

void zone_day(int64_t days, struct zone_day *out)
{
    int64_t noon = days * DAY + DAY / 2;
    *out = (struct zone_day){ 0 };
    for (int i = -ZONE_PROBES; i <= ZONE_PROBES; i++) {
        int64_t probe = noon + (int64_t)i * PROBE_STEP;
        int64_t ahead = wall_at(probe) - probe;
        bool seen = false;
        for (int k = 0; k < out->count; k++)
            seen = seen || out->ahead[k] == ahead;
        if (seen)
            continue;
        out->least = out->count == 0 || ahead < out->least ? ahead : out->least;
        out->most = out->count == 0 || ahead > out->most ? ahead : out->most;
        out->ahead[out->count++] = ahead;
    }
}

int zone_instants(const struct civil *c, const struct zone_day *day, int64_t out[2], int64_t *after)
{
    int64_t wall = wall_of(c);
    int n = 0;
    for (int k = 0; k < day->count && n < 2; k++) {
        int64_t instant = wall - day->ahead[k];
        if (wall_at(instant) == wall)
            out[n++] = instant;
    }
    if (n == 2 && out[1] < out[0]) {
        int64_t first = out[1];
        out[1] = out[0];
        out[0] = first;
    }
    if (n == 0 && after != NULL)
        *after = first_at_least(wall - AROUND, wall + AROUND, wall);
    return n;
}

/* ---- the calendar: years begin in March, so that the leap day is the last of one --------------------------- */

int64_t civil_days(int year, int month, int day)
{
    int64_t y = month <= 2 ? (int64_t)year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void civil_of_days(int64_t days, struct civil *out)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * years + years / 4 - years / 100);
    int64_t shifted = (5 * of_year + 2) / 153;
    int month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *out = (struct civil){ .year = (int)(years + era * 400 + (month <= 2 ? 1 : 0)),
                           .month = month,
                           .day = (int)(of_year - (153 * shifted + 2) / 5 + 1) };
}

int civil_weekday(int64_t days)
{
    /* 1970-01-01 was a Thursday. */
    int64_t w = (days + 4) % 7;
    return (int)(w < 0 ? w + 7 : w);
}

int civil_month_length(int year, int month)
{
    static const int length[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return length[month - 1] + (month == 2 && leap ? 1 : 0);
}

const char *zone_format(char out[32], int64_t instant)
{
    struct civil c;
    zone_civil(instant, &c);
    (void)snprintf(out, 32, "%04d-%02d-%02d %02d:%02d", c.year % 10000, c.month, c.day, c.hour, c.minute);
    return out;
}
