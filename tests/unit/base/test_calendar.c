/* When something is due: what is accepted, and the awkward days. All minutes of years: tests/tool/calendar_brute.c. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/calendar.h"
#include "common/base/zone.h"
#include "common/base/banned.h"

/* Seconds since 1970 of a UTC time. */
static int64_t utc(int year, int month, int day, int hour, int minute)
{
    return civil_days(year, month, day) * 86400 + hour * 3600 + minute * 60;
}

static void zone(const char *name)
{
    struct error err = ERROR_INIT;
    ck_assert_msg(zone_set(name, &err) == 0, "%s", err.text);
}

/* The first `n` instants after `after`, as the wall shows them, joined with commas. */
static const char *times(const char *text, int64_t after, int n)
{
    static char out[512];
    struct error err = ERROR_INIT;
    struct calendar *c = NULL;
    ck_assert_msg(calendar_parse(text, &c, &err) == 0, "%s: %s", text, err.text);
    size_t at = 0;
    out[0] = '\0';
    for (int64_t t = after; n > 0 && (t = calendar_next(c, t)) != 0; n--) {
        char wall[32];
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%s", at > 0 ? ", " : "", zone_format(wall, t));
    }
    calendar_free(c);
    return out;
}

START_TEST(forms)
{
    static const struct {
        const char *text;
        const char *next; /* three times after Saturday, 28 November 2026, 12:00 UTC */
    } good[] = {
        { "30 2 * * *", "2026-11-29 02:30, 2026-11-30 02:30, 2026-12-01 02:30" },
        { "  30\t2 * * 1-5 ", "2026-11-30 02:30, 2026-12-01 02:30, 2026-12-02 02:30" },
        { "*/20 13 * * *", "2026-11-28 13:00, 2026-11-28 13:20, 2026-11-28 13:40" },
        { "10-40/15 0 1 jan *", "2027-01-01 00:10, 2027-01-01 00:25, 2027-01-01 00:40" },
        { "0 3 13 * fri", "2026-12-04 03:00, 2026-12-11 03:00, 2026-12-13 03:00" },
        { "0 3 * * 7", "2026-11-29 03:00, 2026-12-06 03:00, 2026-12-13 03:00" },
        { "0 3 * * SAT-MON", "2026-11-29 03:00, 2026-11-30 03:00, 2026-12-05 03:00" },
        { "@daily", "2026-11-29 00:00, 2026-11-30 00:00, 2026-12-01 00:00" },
        { "daily", "2026-11-29 00:00, 2026-11-30 00:00, 2026-12-01 00:00" },
        { "@weekly", "2026-11-29 00:00, 2026-12-06 00:00, 2026-12-13 00:00" },
        { "weekly", "2026-11-30 00:00, 2026-12-07 00:00, 2026-12-14 00:00" },
        { "@yearly", "2027-01-01 00:00, 2028-01-01 00:00, 2029-01-01 00:00" },
        { "mon..fri 02:30", "2026-11-30 02:30, 2026-12-01 02:30, 2026-12-02 02:30" },
        { "Monday,Wed 2:30", "2026-11-30 02:30, 2026-12-02 02:30, 2026-12-07 02:30" },
        { "02:30:15", "2026-11-29 02:30, 2026-11-30 02:30, 2026-12-01 02:30" },
        { "*-*-1..7 2:00", "2026-12-01 02:00, 2026-12-02 02:00, 2026-12-03 02:00" },
        { "*-*~1 23:00", "2026-11-30 23:00, 2026-12-31 23:00, 2027-01-31 23:00" },
        { "*-02-29", "2028-02-29 00:00, 2032-02-29 00:00, 2036-02-29 00:00" },
        { "12-24 18:00", "2026-12-24 18:00, 2027-12-24 18:00, 2028-12-24 18:00" },
        { "2027-*-01 0/8:00", "2027-01-01 00:00, 2027-01-01 08:00, 2027-01-01 16:00" },
        { "fri *-*-13", "2027-08-13 00:00, 2028-10-13 00:00, 2029-04-13 00:00" },
        { "every 6h", "2026-11-28 18:00, 2026-11-29 00:00, 2026-11-29 06:00" },
        { "@every 90m", "2026-11-28 13:30, 2026-11-28 15:00, 2026-11-28 16:30" },
        { "mon *-02-29 1:00", "2044-02-29 01:00, 2072-02-29 01:00, 2112-02-29 01:00" },
        { "2026-01-01", "" },
        { "2100..2199-02-28", "2100-02-28 00:00, 2101-02-28 00:00, 2102-02-28 00:00" },
        { "2199-12-31 23:59", "2199-12-31 23:59" },
        { "0 0 30 2 mon", "2027-02-01 00:00, 2027-02-08 00:00, 2027-02-15 00:00" },
    };
    zone("UTC");
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(strcmp(times(good[i].text, utc(2026, 11, 28, 12, 0), 3), good[i].next) == 0, "%s: %s",
                      good[i].text, times(good[i].text, utc(2026, 11, 28, 12, 0), 3));
}
END_TEST

START_TEST(refusals)
{
    static const struct {
        const char *text;
        const char *says;
    } bad[] = {
        { "", "no time" },
        { "   ", "no time" },
        { "60 2 * * *", "'60' is no minute (0..59)" },
        { "0 24 * * *", "'24' is no hour" },
        { "0 0 0 * *", "'0' is no day of the month" },
        { "0 0 * 13 *", "'13' is no month" },
        { "0 0 * foo *", "'foo' is no month" },
        { "0 0 * * 8", "'8' is no day of the week" },
        { "5-1 * * * *", "runs upward" },
        { "*/0 * * * *", "leads nowhere" },
        { "*/x * * * *", "a step is a number" },
        { "*/99999 * * * *", "a step is a number" },
        { "1,,2 * * * *", "'1,,2' is no minute" },
        { "1, * * * *", "is no minute" },
        { "- * * * *", "is no minute" },
        { "1 2 3", "cron has five fields" },
        { "1 2 3 4 5 6", "five fields" },
        { "@reboot", "catch_up_within" },
        { "@noon", "@hourly" },
        { "02:30 Europe/Berlin", "the time zone is set once" },
        { "02:30 mon", "is set once" },
        { "02:30 03:30", "not expected" },
        { "mon tue", "not expected" },
        { "montag 02:30", "is no day of the week" },
        { "*:*:0/5", "seconds are one number" },
        { "25:00", "'25' is no hour" },
        { ":30", "is no hour" },
        { "02:", "is no minute" },
        { "1-2-3-4", "is no date" },
        { "*~*-1", "~ stands before the day" },
        { "1969-01-01", "is no year" },
        { "every 30s", "1 minute to 366 days" },
        { "every day", "an interval is a duration" },
        { "every", "day of the week" },
        { "0 0 30 2 *", "schedule '0 0 30 2 *': this never comes: February has no day 30" },
        { "0 0 31 4,6,9,11 *", "this never comes: none of its months has a day 31" },
        { "*-02-30", "this never comes: February has no day 30" },
        { "*-apr~31", "this never comes: April has no 31 days" },
        { "2027-02-29", "this never comes: February has 29 days in none of its years" },
        { "2100-02~29", "this never comes: February has 29 days in none of its years" },
        { "sat 2026-01-01", "this never comes: no date that it names is on a day of the week that it names" },
        { "sun 2026-02-29", "this never comes: February has 29 days in none of its years" },
    };
    char text[CALENDAR_TEXT_MAX + 2];
    struct calendar *c = NULL;
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(calendar_parse(bad[i].text, &c, &err), E_USAGE);
        ck_assert_ptr_null(c);
        ck_assert_msg(strstr(err.text, bad[i].says) != NULL, "%s: %s", bad[i].text, err.text);
    }
    memset(text, '*', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(calendar_parse(text, &c, &err), E_USAGE);
}
END_TEST

/* The longest pause without years: whatever the day of the week, after each 29 February there is another one. */
START_TEST(the_rarest)
{
    struct error err = ERROR_INIT;
    int64_t longest = 0;
    int found = 0;
    zone("UTC");
    for (int weekday = 0; weekday < 7; weekday++) {
        struct calendar *c = NULL;
        char text[32];
        (void)snprintf(text, sizeof text, "%.3s *-02-29", &"sunmontuewedthufrisat"[weekday * 3]);
        ck_assert_int_eq(calendar_parse(text, &c, &err), 0);
        int64_t last = 0;
        for (int year = 1972; year <= 2372; year++) {
            if (civil_month_length(year, 2) != 29 || civil_weekday(civil_days(year, 2, 29)) != weekday)
                continue;
            int64_t t = civil_days(year, 2, 29) * 86400;
            ck_assert(last == 0 || calendar_next(c, last) == t);
            longest = last != 0 && t - last > longest ? t - last : longest;
            last = t;
            found++;
        }
        calendar_free(c);
    }
    ck_assert_int_eq(found, 98);
    ck_assert_int_eq(longest, civil_days(2112, 2, 29) * 86400 - civil_days(2072, 2, 29) * 86400);
}
END_TEST

START_TEST(clocks_that_are_set)
{
    zone("Europe/Berlin");
    /* 29 March 2026: 02:00 is followed by 03:00. A nightly run is there, once, when the clocks have been set. */
    ck_assert_str_eq(times("30 2 * * *", utc(2026, 3, 28, 12, 0), 3),
                     "2026-03-29 03:00, 2026-03-30 02:30, 2026-03-31 02:30");
    ck_assert_str_eq(times("0,30 2,3 * * *", utc(2026, 3, 28, 23, 0), 3),
                     "2026-03-29 03:00, 2026-03-29 03:30, 2026-03-30 02:00");
    /* 25 October 2026: 02:59 is followed by 02:00. Once; and every hour is every hour. */
    ck_assert_str_eq(times("30 2 * * *", utc(2026, 10, 24, 12, 0), 2), "2026-10-25 02:30, 2026-10-26 02:30");
    ck_assert_str_eq(times("30 * * * *", utc(2026, 10, 24, 23, 0), 3),
                     "2026-10-25 01:30, 2026-10-25 02:30, 2026-10-25 02:30");
    /* Samoa had no 30 December 2011; half an hour on Lord Howe; midnight that does not exist. */
    zone("Pacific/Apia");
    ck_assert_str_eq(times("30 2 * * *", utc(2011, 12, 29, 0, 0), 4),
                     "2011-12-29 02:30, 2011-12-31 00:00, 2011-12-31 02:30, 2012-01-01 02:30");
    zone("Australia/Lord_Howe");
    ck_assert_str_eq(times("10 2 * * *", utc(2026, 10, 3, 10, 0), 2), "2026-10-04 02:30, 2026-10-05 02:10");
    zone("America/Santiago");
    ck_assert_str_eq(times("@daily", utc(2026, 9, 5, 12, 0), 2), "2026-09-06 01:00, 2026-09-07 00:00");
}
END_TEST

START_TEST(the_last_one)
{
    struct error err = ERROR_INIT;
    struct calendar *c = NULL;
    zone("UTC");
    ck_assert_int_eq(calendar_parse("0 3 * * *", &c, &err), 0);
    int64_t now = utc(2026, 11, 28, 12, 0);
    ck_assert_int_eq(calendar_last(c, 0, now), utc(2026, 11, 28, 3, 0));
    ck_assert_int_eq(calendar_last(c, 0, utc(2026, 11, 28, 3, 0)), utc(2026, 11, 28, 3, 0));
    ck_assert_int_eq(calendar_last(c, utc(2026, 11, 28, 3, 0), now), 0);
    ck_assert_int_eq(calendar_last(c, now, now), 0);
    calendar_free(c);
    ck_assert_int_eq(calendar_parse("2020-02-29 01:00", &c, &err), 0);
    ck_assert_int_eq(calendar_last(c, 0, now), utc(2020, 2, 29, 1, 0));
    calendar_free(c);
}
END_TEST

START_TEST(zones)
{
    static const char *const bad[] = {
        "",       "Europe/Berlim", "../etc/passwd", "/etc/localtime", ":Europe/Berlin", "EST5EDT4,M3",
        "Europe", "Europe/",       "tzdata.zi"
    };
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(zone_set(bad[i], &err), E_USAGE);
        ck_assert(strstr(err.text, "there is no time zone") != NULL);
    }
    zone("Asia/Kathmandu");
    struct civil c;
    zone_civil(utc(2026, 1, 1, 0, 0), &c);
    ck_assert_int_eq(c.hour * 60 + c.minute, 5 * 60 + 45);
    ck_assert_int_eq(zone_set("UTC", &err), 0);
    ck_assert_int_eq(zone_set(NULL, &err), 0);
}
END_TEST

START_TEST(days)
{
    struct civil c;
    int64_t n = civil_days(1969, 12, 31);
    ck_assert_int_eq(n, -1);
    for (int year = 1900; year < 2300; year++)
        for (int month = 1; month <= 12; month++)
            for (int day = 1; day <= civil_month_length(year, month); day++) {
                if (year == 1900 && month == 1 && day == 1)
                    n = civil_days(year, month, day);
                ck_assert_int_eq(civil_days(year, month, day), n);
                civil_of_days(n, &c);
                ck_assert(c.year == year && c.month == month && c.day == day);
                n++;
            }
    ck_assert_int_eq(civil_weekday(civil_days(2026, 11, 28)), 6);
    ck_assert_int_eq(civil_weekday(civil_days(1900, 1, 1)), 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/calendar");
    TCase *t = tcase_create("calendar");
    tcase_add_test(t, forms);
    tcase_add_test(t, refusals);
    tcase_add_test(t, the_rarest);
    tcase_add_test(t, clocks_that_are_set);
    tcase_add_test(t, the_last_one);
    tcase_add_test(t, zones);
    tcase_add_test(t, days);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
