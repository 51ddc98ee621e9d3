/* Numbers for people, both ways; the clock and the log. */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/banned.h"

START_TEST(whole_numbers)
{
    static const char *const bad[] = { "",  " 1",  "1 ", "-1", "+1", "0x10", "1.0", "18446744073709551616",
                                       "9", "301", "a" };
    struct error err = ERROR_INIT;
    uint64_t v = 5;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(number_parse(bad[i], 10, 300, &v, &err), E_USAGE);
    ck_assert_uint_eq(v, 5);
    ck_assert_int_eq(number_parse("10", 10, 300, &v, &err), 0);
    ck_assert_uint_eq(v, 10);
    ck_assert_int_eq(number_parse("0300", 10, 300, &v, &err), 0);
    ck_assert_uint_eq(v, 300);
    ck_assert_int_eq(number_parse("18446744073709551615", 0, UINT64_MAX, &v, &err), 0);
    ck_assert(v == UINT64_MAX);
}
END_TEST

START_TEST(sizes)
{
    static const struct {
        const char *text;
        uint64_t size;
    } good[] = {
        { "0", 0 },           { "123", 123 },         { "123B", 123 },
        { "64K", 65536 },     { "64k", 65536 },       { "16MiB", 16777216 },
        { "16MB", 16777216 }, { "16 MiB", 16777216 }, { "2 GiB", 1ULL << 31 },
        { "1T", 1ULL << 40 }, { "12 B", 12 },
    };
    static const char *const bad[] = { "",
                                       "K",
                                       "MiB",
                                       "1X",
                                       "1KK",
                                       "1iB",
                                       "1MiBB",
                                       "1MBB",
                                       "1 ",
                                       "1M ",
                                       "-1",
                                       "1.5G",
                                       "1 K B",
                                       "1Ki",
                                       "1BB",
                                       "16777216T",
                                       "99999999999999999999" };
    struct error err = ERROR_INIT;
    uint64_t v = 0;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_msg(size_parse(good[i].text, &v, &err) == 0, "%s", good[i].text);
        ck_assert_msg(v == good[i].size, "%s", good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(size_parse(bad[i], &v, &err) == E_USAGE, "'%s'", bad[i]);
    ck_assert_int_eq(size_parse("16777215T", &v, &err), 0);
}
END_TEST

START_TEST(durations)
{
    static const struct {
        const char *text;
        uint64_t seconds;
    } good[] = { { "90s", 90 },     { "15m", 900 },    { "6h", 21600 }, { "7d", 604800 },
                 { "4w", 2419200 }, { "1h30m", 5400 }, { "0s", 0 } };
    static const char *const bad[] = {
        "", "5", "s", "5x", "5 m", "-5m", "1h30", "30500568904944w", "18446744073709551615s1s"
    };
    struct error err = ERROR_INIT;
    uint64_t v = 0;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_int_eq(duration_parse(good[i].text, &v, &err), 0);
        ck_assert_uint_eq(v, good[i].seconds);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(duration_parse(bad[i], &v, &err) == E_USAGE, "'%s'", bad[i]);
}
END_TEST

START_TEST(formatting)
{
    char t[NUMBER_TEXT_MAX];
    ck_assert_str_eq(size_format(t, 0), "0 B");
    ck_assert_str_eq(size_format(t, 1023), "1023 B");
    ck_assert_str_eq(size_format(t, 1024), "1.0 KiB");
    ck_assert_str_eq(size_format(t, 319488), "312 KiB");
    ck_assert_str_eq(size_format(t, 1503238553), "1.4 GiB");
    ck_assert_str_eq(size_format(t, (1ULL << 20) - 1), "1.0 MiB");
    ck_assert_str_eq(size_format(t, UINT64_MAX), "16384 PiB");
    ck_assert_str_eq(duration_format(t, 0), "0.0 s");
    ck_assert_str_eq(duration_format(t, 4200), "4.2 s");
    ck_assert_str_eq(duration_format(t, 59949), "59.9 s");
    ck_assert_str_eq(duration_format(t, 59950), "1 min 00 s");
    ck_assert_str_eq(duration_format(t, 187000), "3 min 07 s");
    ck_assert_str_eq(duration_format(t, 3599999), "59 min 59 s");
    ck_assert_str_eq(duration_format(t, 3720000), "1 h 02 min");
    ck_assert_uint_lt(strlen(duration_format(t, UINT64_MAX)), NUMBER_TEXT_MAX);
    ck_assert_str_eq(count_format(t, 0), "0");
    ck_assert_str_eq(count_format(t, 999), "999");
    ck_assert_str_eq(count_format(t, 1234567), "1,234,567");
    ck_assert_str_eq(count_format(t, UINT64_MAX), "18,446,744,073,709,551,615");
    ck_assert_str_eq(time_format(t, 0), "1970-01-01T00:00:00Z");
    ck_assert_str_eq(time_format(t, 1795487400), "2026-11-24T02:30:00Z");
    ck_assert_str_eq(time_format(t, UINT64_MAX), "@18446744073709551615");
    ck_assert_str_eq(time_format(t, INT64_MAX), "@9223372036854775807");
}
END_TEST

static uint64_t seven(void *arg)
{
    return *(const uint64_t *)arg;
}

START_TEST(clock_can_be_replaced)
{
    uint64_t value = 7;
    const struct clock_source fake = { .wall = seven, .mono_ms = seven, .arg = &value };
    uint64_t a = clock_mono_ms();
    ck_assert(clock_mono_ms() >= a);
    ck_assert(clock_wall() > 1700000000);
    clock_fake(&fake);
    ck_assert_uint_eq(clock_wall(), 7);
    value = 8;
    ck_assert_uint_eq(clock_mono_ms(), 8);
    clock_fake(NULL);
    ck_assert(clock_wall() > 1700000000);
}
END_TEST

static void collect(enum log_level level, const char *text, void *arg)
{
    char *out = arg;
    out[0] = (char)('0' + (int)level);
    memcpy(out + 1, text, strlen(text) + 1);
}

START_TEST(log_goes_to_one_place)
{
    char got[2048] = "";
    log_event(LOG_WARN, "nobody listens");
    log_to(collect, got);
    log_event(LOG_ALARM, "disk %d", 3);
    ck_assert_str_eq(got, "3disk 3");
    log_to(NULL, NULL);
    log_event(LOG_INFO, "again nobody");
    ck_assert_str_eq(got, "3disk 3");
}
END_TEST

static void collect_kind(enum log_level level, const char *text, void *arg)
{
    char *out = arg;
    if (strcmp(text, "outer") == 0)
        log_event(LOG_INFO, "of a sink itself");
    size_t used = strlen(out);
    (void)snprintf(out + used, 256 - used, "%d %s [%s]\n", (int)level, text, log_kind());
}

START_TEST(log_says_what_it_is_about)
{
    char got[256] = "";
    log_to(collect_kind, got);
    log_event_of(LOG_ALARM, "packs", "pack %d", 7);
    log_event(LOG_ALARM, "something else");
    log_event_of(LOG_WARN, "size", "outer");
    log_to(NULL, NULL);
    ck_assert_str_eq(got, "3 pack 7 [packs]\n3 something else []\n1 of a sink itself []\n2 outer [size]\n");
    ck_assert_str_eq(log_kind(), "");
}
END_TEST

START_TEST(words_for_counts)
{
    ck_assert_str_eq(plural(0, "job", "jobs"), "jobs");
    ck_assert_str_eq(plural(1, "job", "jobs"), "job");
    ck_assert_str_eq(plural(2, "repository", "repositories"), "repositories");
    ck_assert_str_eq(plural(UINT64_MAX, "is", "are"), "are");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/number");
    TCase *all = tcase_create("all");
    tcase_add_test(all, whole_numbers);
    tcase_add_test(all, sizes);
    tcase_add_test(all, durations);
    tcase_add_test(all, formatting);
    tcase_add_test(all, clock_can_be_replaced);
    tcase_add_test(all, log_goes_to_one_place);
    tcase_add_test(all, log_says_what_it_is_about);
    tcase_add_test(all, words_for_counts);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
