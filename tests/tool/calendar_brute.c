/*
 * calendar_brute.c - calendar_next() and calendar_last() against every minute of spans of time, looked at one by one.
 *
 *     calendar_brute SEED EXPRESSIONS <SPANS        prints what differs; the last line counts
 *
 * SPANS are lines "ZONE FROM TO", as tests/support/clock_spans.py prints them. For each one random expressions are made
 * as sets and written as text, cron's or systemd's; they depend on the seed and the line only. What is due is found
 * from the C library's local time of every minute alone: a minute whose time is in the sets and was not shown before
 * (an expression with every hour: also again), and the first minute after a jump over one that is in the sets.
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
    EXPRESSIONS_MAX = 64,
    TEXT_MAX = 240,
    LINE_MAX_LENGTH = 200,
    DAY_MINUTES = 1440,
    LOOKED_BACK = 20000,     /* at one minute of about so many is asked for the last that was due */
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
    bool from_end; /* days of the month are counted from its end */
    struct calendar *calendar;
    int64_t expected; /* what calendar_next said */
    int64_t last;     /* what was due last */
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
    if (draw(max == 59 ? 100 : 3) == 0) {
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
    e->from_end = !all_days && draw(3) == 0;
    (void)snprintf(e->text, sizeof e->text, "%s%s*-%.45s%c%.45s %.45s:%.45s", list, at > 0 ? " " : "", month,
                   e->from_end ? '~' : '-', day, hour, minute);
}

/* Whether no month of any year has such a day. */
static bool never(const struct expression *e)
{
    static const int longest[] = { 0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    for (int month = 1; month <= 12; month++)
        for (int day = 1; ((e->months >> month) & 1) != 0 && day <= longest[month]; day++)
            if (((e->month_days >> day) & 1) != 0)
                return false;
    return !e->either;
}

/* One that comes; what never does must be refused, and nothing else. */
static int parse_one(struct expression *e, struct error *err)
{
    int rc;
    do {
        error_clear(err);
        *e = (struct expression){ 0 };
        make_expression(e);
        rc = calendar_parse(e->text, &e->calendar, err);
    } while (rc == E_USAGE && never(e));
    return rc == 0 && never(e) ? error_set(err, E_INTERNAL, "'%s' was taken, and never comes", e->text) : rc;
}

static bool fits(const struct expression *e, int64_t wall_minute)
{
    struct civil c;
    int64_t days = wall_minute / DAY_MINUTES;
    civil_of_days(days, &c);
    int of_day = (int)(wall_minute % DAY_MINUTES);
    int day = e->from_end ? civil_month_length(c.year, c.month) - c.day + 1 : c.day;
    bool in_month = ((e->month_days >> day) & 1) != 0;
    bool in_week = ((e->weekdays >> civil_weekday(days)) & 1) != 0;
    return ((e->minutes >> (of_day % 60)) & 1) != 0 && ((e->hours >> (of_day / 60)) & 1) != 0 &&
           ((e->months >> c.month) & 1) != 0 && (e->either ? in_month || in_week : in_month && in_week);
}

static int64_t wall_minute_of(int64_t t)
{
    struct tm tm;
    time_t at = (time_t)t;
    (void)localtime_r(&at, &tm);
    return civil_days(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) * DAY_MINUTES + tm.tm_hour * 60 +
           tm.tm_min;
}

static uint64_t judge(struct expression *e, const char *zone, int64_t from, int64_t t, bool due)
{
    uint64_t wrong = 0;
    bool said = e->expected == t;
    if (due) {
        e->due++;
        e->last = t;
    }
    if (said != due) {
        printf("%s, '%s': %" PRId64 " %s\n", zone, e->text, t,
               due ? "is due and was not named" : "was named and is not due");
        wrong++;
    }
    if (said || due)
        e->expected = calendar_next(e->calendar, t);
    if (draw(LOOKED_BACK) == 0 && calendar_last(e->calendar, from, t) != e->last) {
        printf("%s, '%s': at %" PRId64 " the last one is not %" PRId64 "\n", zone, e->text, t, e->last);
        wrong++;
    }
    return wrong;
}

/* Where clocks show odd seconds (Liberia until 1972) each second is looked at. */
static int64_t step_of(int64_t from, int64_t to)
{
    for (int64_t t = from; t < to; t += 900) {
        struct tm tm;
        time_t at = (time_t)t;
        (void)localtime_r(&at, &tm);
        if (tm.tm_gmtoff % 60 != 0)
            return 1;
    }
    return 60;
}

struct total {
    uint64_t spans;
    uint64_t minutes;
    uint64_t due;
    uint64_t wrong;
};

static int run_span(const char *zone, int64_t from, int64_t to, int expressions, struct total *total,
                    struct error *err)
{
    static struct expression e[EXPRESSIONS_MAX];
    int rc = zone_set(zone, err);
    if (rc < 0)
        return rc;
    uint8_t *shown = calloc((size_t)((to - from) / 60) + 2 * SPARE, 1);
    if (shown == NULL)
        return error_set(err, E_NOMEM, "out of memory");
    int64_t base = wall_minute_of(from) - SPARE;
    for (int i = 0; i < expressions && rc == 0; i++) {
        rc = parse_one(&e[i], err);
        if (rc == 0)
            e[i].expected = calendar_next(e[i].calendar, from);
    }
    int64_t before = wall_minute_of(from);
    int64_t step = step_of(from, to);
    /* What the hours before showed counts as shown. */
    for (int64_t t = from - 26 * 3600; t <= from; t += step)
        shown[wall_minute_of(t) - base] = 1;
    for (int64_t t = from + step; t < to && rc == 0; t += step) {
        int64_t wall = wall_minute_of(t);
        if (wall == before)
            continue;
        bool again = shown[wall - base] != 0;
        shown[wall - base] = 1;
        for (int i = 0; i < expressions; i++) {
            bool is_due = fits(&e[i], wall) && (!again || e[i].hours == (1U << 24) - 1);
            for (int64_t skipped = before + 1; skipped < wall && !is_due; skipped++)
                is_due = shown[skipped - base] == 0 && fits(&e[i], skipped);
            total->wrong += judge(&e[i], zone, from, t, is_due);
        }
        before = wall;
        total->minutes++;
    }
    for (int i = 0; i < expressions; i++) {
        total->due += e[i].due;
        calendar_free(e[i].calendar);
        e[i].calendar = NULL;
    }
    free(shown);
    total->spans++;
    return rc;
}

/* Another start for each line, so that it does not matter which process is given it. */
static void seed_for(uint64_t seed, const char *line)
{
    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (; *line != '\0'; line++)
        random_state = (random_state ^ (uint8_t)*line) * UINT64_C(0x100000001b3);
    if (random_state == 0)
        random_state = 1;
    for (int i = 0; i < 8; i++)
        (void)draw(2);
}

static int run_line(uint64_t seed, uint64_t expressions, char *line, struct total *total, struct error *err)
{
    char *rest = NULL;
    uint64_t from, to;
    line[strcspn(line, "\n")] = '\0';
    seed_for(seed, line);
    const char *zone = strtok_r(line, " ", &rest);
    const char *first = strtok_r(NULL, " ", &rest);
    const char *last = strtok_r(NULL, " ", &rest);
    if (zone == NULL || first == NULL || last == NULL ||
        number_parse(first, 4 * 86400, UINT32_MAX, &from, err) < 0 ||
        number_parse(last, from + 120, from + 4000 * UINT64_C(86400), &to, err) < 0)
        return error_set(err, E_USAGE, "expected ZONE FROM TO, not '%s'", line);
    return run_span(zone, (int64_t)from, (int64_t)to, (int)expressions, total, err);
}

int main(int argc, char **argv)
{
    struct error err = ERROR_INIT;
    struct total total = { 0 };
    uint64_t seed, expressions;
    char line[LINE_MAX_LENGTH];
    if (argc != 3 || number_parse(argv[1], 1, UINT32_MAX, &seed, &err) < 0 ||
        number_parse(argv[2], 1, EXPRESSIONS_MAX, &expressions, &err) < 0) {
        (void)fprintf(stderr, "usage: calendar_brute SEED EXPRESSIONS <SPANS\n");
        return 2;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (run_line(seed, expressions, line, &total, &err) < 0) {
            printf("%s\n", err.text);
            return 1;
        }
    }
    printf("seed %" PRIu64 ", %" PRIu64 " spans, %" PRIu64 " minutes, %" PRIu64 " expressions each: %" PRIu64
           " instants due, %" PRIu64 " wrong\n",
           seed, total.spans, total.minutes, expressions, total.due, total.wrong);
    return total.wrong > 0 || total.spans == 0 ? 1 : 0;
}
