/*
 * calendar_brute.c - calendar_next() against every minute of years, looked at one by one.
 *
 *     calendar_brute SEED FIRST-YEAR YEARS ZONE...      prints what differs; the last line counts
 *
 * For each zone random expressions are made as sets and written as text, cron's or systemd's. What is due is found from
 * the C library's local time of every minute alone: a minute whose time is in the sets and was not shown before (an
 * expression with every hour: also again), and the first minute after a jump over one that is in the sets.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/calendar.h"
#include "common/base/number.h"
#include "common/base/zone.h"

#include "common/base/banned.h"

enum {
    EXPRESSIONS = 4,
    TEXT_MAX = 240,
    DAY_MINUTES = 1440,
    SPARE = 3 * DAY_MINUTES, /* a day can be left out */
};

struct expression {
    char text[TEXT_MAX];
    uint64_t minutes;
    uint32_t hours;
    uint32_t month_days;
    uint16_t months;
    uint8_t weekdays;
    bool either;
    struct calendar *calendar;
    int64_t expected; /* what calendar_next said */
    uint64_t due;
};

static uint64_t random_state;
static uint32_t draw(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 16) % below);
}

/* A set of min..max as text and bits; now and then everything. */
static bool field(char *out, size_t cap, int min, int max, const char *range, uint64_t *bits)
{
    *bits = 0;
    if (draw(max == 59 ? 40 : 3) == 0) {
        (void)snprintf(out, cap, "*");
        for (int v = min; v <= max; v++)
            *bits |= UINT64_C(1) << v;
        return true;
    }
    size_t at = 0;
    uint32_t items = max == 59 && draw(4) > 0 ? 1 : 1 + draw(3);
    for (uint32_t i = 0; i < items; i++) {
        int first = min + (int)draw((uint32_t)(max - min + 1));
        int last = first;
        int step = 1;
        char item[32];
        if (draw(3) == 0) {
            last = first + (int)draw((uint32_t)(max - first + 1));
            (void)snprintf(item, sizeof item, "%d%s%d", first, range, last);
            if (draw(2) == 0) {
                step = 1 + (int)draw(7);
                (void)snprintf(item, sizeof item, "%d%s%d/%d", first, range, last, step);
            }
        } else {
            (void)snprintf(item, sizeof item, "%d", first);
        }
        at += (size_t)snprintf(out + at, cap - at, "%s%s", i > 0 ? "," : "", item);
        for (int v = first; v <= last; v += step)
            *bits |= UINT64_C(1) << v;
    }
    return false;
}

static void make_expression(struct expression *e)
{
    char minute[64], hour[64], day[64], month[64], week[64];
    uint64_t hours, days, months, weekdays;
    bool cron = draw(2) == 0;
    const char *range = cron ? "-" : "..";
    (void)field(minute, sizeof minute, 0, 59, range, &e->minutes);
    (void)field(hour, sizeof hour, 0, 23, range, &hours);
    bool all_days = field(day, sizeof day, 1, 31, range, &days);
    (void)field(month, sizeof month, 1, 12, range, &months);
    bool all_weekdays = field(week, sizeof week, 0, 6, range, &weekdays);
    if (draw(2) == 0) { /* mostly nights, so that something happens */
        all_days = all_weekdays = true;
        days = UINT32_MAX & ~UINT64_C(1);
        weekdays = 0x7f;
        months = 0x1ffe;
        (void)snprintf(day, sizeof day, "*");
        (void)snprintf(week, sizeof week, "*");
        (void)snprintf(month, sizeof month, "*");
    }
    e->hours = (uint32_t)hours;
    e->month_days = (uint32_t)days;
    e->months = (uint16_t)months;
    e->weekdays = (uint8_t)weekdays;
    e->either = cron && !all_days && !all_weekdays;
    if (cron) {
        (void)snprintf(e->text, sizeof e->text, "%.45s %.45s %.45s %.45s %.45s", minute, hour, day, month,
                       week);
        return;
    }
    static const char *const names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };
    char list[64] = "";
    size_t at = 0;
    for (int i = 0; i < 7; i++)
        if (!all_weekdays && ((weekdays >> i) & 1) != 0)
            at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", at > 0 ? "," : "", names[i]);
    (void)snprintf(e->text, sizeof e->text, "%s%s*-%.45s-%.45s %.45s:%.45s", list, at > 0 ? " " : "", month,
                   day, hour, minute);
}

static bool fits(const struct expression *e, int64_t wall_minute)
{
    struct civil c;
    int64_t days = wall_minute / DAY_MINUTES;
    civil_of_days(days, &c);
    int of_day = (int)(wall_minute % DAY_MINUTES);
    bool in_month = ((e->month_days >> c.day) & 1) != 0;
    bool in_week = ((e->weekdays >> civil_weekday(days)) & 1) != 0;
    return ((e->minutes >> (of_day % 60)) & 1) != 0 && ((e->hours >> (of_day / 60)) & 1) != 0 &&
           ((e->months >> c.month) & 1) != 0 && (e->either ? in_month || in_week : in_month && in_week);
}

static int64_t wall_minute_of(int64_t t)
{
    struct tm tm;
    time_t at = (time_t)t;
    (void)localtime_r(&at, &tm);
    tm.tm_isdst = 0;
    return (int64_t)timegm(&tm) / 60;
}

static uint64_t judge(struct expression *e, const char *zone, int64_t t, bool due)
{
    bool said = e->expected == t;
    e->due += due;
    if (said)
        e->expected = calendar_next(e->calendar, t);
    if (said == due)
        return 0;
    printf("%s, '%s': %" PRId64 " %s\n", zone, e->text, t,
           due ? "is due and was not named" : "was named and is not due");
    e->expected = calendar_next(e->calendar, t);
    return 1;
}

static uint64_t run_zone(const char *zone, int64_t from, int64_t to, uint64_t *due)
{
    static struct expression e[EXPRESSIONS];
    struct error err = ERROR_INIT;
    uint64_t wrong = 0;
    size_t minutes = (size_t)((to - from) / 60) + 2 * SPARE;
    uint8_t *shown = calloc(minutes, 1);
    if (shown == NULL || zone_set(zone, &err) < 0) {
        printf("%s: %s\n", zone, shown != NULL ? err.text : "out of memory");
        free(shown);
        return 1;
    }
    int64_t base = wall_minute_of(from) - SPARE;
    for (int i = 0; i < EXPRESSIONS; i++) {
        e[i] = (struct expression){ 0 };
        make_expression(&e[i]);
        if (calendar_parse(e[i].text, &e[i].calendar, &err) < 0) {
            printf("%s\n", err.text);
            exit(1);
        }
        e[i].expected = calendar_next(e[i].calendar, from);
    }
    int64_t before = wall_minute_of(from);
    /* What the hours before showed counts as shown. */
    for (int64_t t = from - 26 * 3600; t <= from; t += 60)
        shown[wall_minute_of(t) - base] = 1;
    for (int64_t t = from + 60; t < to; t += 60) {
        int64_t wall = wall_minute_of(t);
        bool again = shown[wall - base] != 0;
        shown[wall - base] = 1;
        for (int i = 0; i < EXPRESSIONS; i++) {
            bool is_due = fits(&e[i], wall) && (!again || e[i].hours == (1U << 24) - 1);
            for (int64_t skipped = before + 1; skipped < wall && !is_due; skipped++)
                is_due = shown[skipped - base] == 0 && fits(&e[i], skipped);
            wrong += judge(&e[i], zone, t, is_due);
        }
        before = wall;
    }
    for (int i = 0; i < EXPRESSIONS; i++) {
        *due += e[i].due;
        calendar_free(e[i].calendar);
    }
    free(shown);
    return wrong;
}

int main(int argc, char **argv)
{
    struct error err = ERROR_INIT;
    uint64_t seed, first, years;
    if (argc < 5 || number_parse(argv[1], 1, UINT32_MAX, &seed, &err) < 0 ||
        number_parse(argv[2], 1975, 2100, &first, &err) < 0 ||
        number_parse(argv[3], 1, 50, &years, &err) < 0) {
        (void)fprintf(stderr, "usage: calendar_brute SEED FIRST-YEAR YEARS ZONE...\n");
        return 2;
    }
    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    int64_t from = civil_days((int)first, 1, 1) * 86400;
    int64_t to = civil_days((int)(first + years), 1, 1) * 86400;
    uint64_t wrong = 0, due = 0;
    for (int i = 4; i < argc; i++)
        wrong += run_zone(argv[i], from, to, &due);
    printf("seed %" PRIu64 ", %d zones, %" PRIu64 " to %" PRIu64 ", %d expressions each: %" PRIu64
           " instants due, %" PRIu64 " wrong\n",
           seed, argc - 4, first, first + years - 1, (int)EXPRESSIONS, due, wrong);
    return wrong > 0 ? 1 : 0;
}
