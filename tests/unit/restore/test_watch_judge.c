/* When is a writer late: pauses that are usual, limits that people give, the charter's cadence. */
#include <check.h>
#include <stdlib.h>

#include "restore/watch_judge.h"

#include "common/base/banned.h"

enum { HOUR = 3600, DAY = 86400 };

static struct watch_usual usual_of(const uint64_t *times, size_t n)
{
    struct watch_usual u;
    watch_usual(times, n, &u);
    return u;
}

START_TEST(few_snapshots_say_nothing)
{
    const uint64_t times[] = { DAY, 2 * DAY, 3 * DAY, 4 * DAY };
    ck_assert_uint_eq(usual_of(times, 0).median, 0);
    ck_assert_uint_eq(usual_of(times, 1).median, 0);
    ck_assert_uint_eq(usual_of(times, 3).median, 0);
    ck_assert_uint_eq(usual_of(times, 4).median, DAY);
}
END_TEST

START_TEST(a_clock_set_back_is_left_out)
{
    const uint64_t times[] = { 5 * DAY, 6 * DAY, 2 * DAY, 3 * DAY, 4 * DAY };
    ck_assert_uint_eq(usual_of(times, 5).median, DAY);
    const uint64_t same[] = { DAY, DAY, DAY, DAY, DAY };
    ck_assert_uint_eq(usual_of(same, 5).median, 0);
}
END_TEST

START_TEST(one_outage_does_not_allow_the_next)
{
    uint64_t times[40];
    for (size_t i = 0; i < 40; i++)
        times[i] = (i + 1) * DAY + (i >= 35 ? 7 * DAY : 0);
    struct watch_usual u = usual_of(times, 40);
    ck_assert_uint_eq(u.median, DAY);
    ck_assert_uint_eq(u.allowed, DAY);
}
END_TEST

START_TEST(weekends_are_allowed)
{
    uint64_t times[20];
    uint64_t at = 0;
    for (size_t i = 0; i < 20; i++)
        times[i] = at += i % 5 == 4 ? 3 * DAY : DAY;
    struct watch_usual u = usual_of(times, 20);
    ck_assert_uint_eq(u.median, DAY);
    ck_assert_uint_eq(u.allowed, 3 * DAY);
}
END_TEST

/* Only the last intervals count: who changed from weekly to nightly is soon judged by nights. */
START_TEST(the_last_ones_count)
{
    uint64_t times[WATCH_INTERVALS + 6];
    uint64_t at = 0;
    for (size_t i = 0; i < WATCH_INTERVALS + 6; i++)
        times[i] = at += i < 6 ? 7 * DAY : DAY;
    ck_assert_uint_eq(usual_of(times, WATCH_INTERVALS + 6).allowed, DAY);
}
END_TEST

START_TEST(limits_in_their_order)
{
    struct watch_limits l;
    const struct watch_usual nightly = { .median = DAY, .allowed = DAY };
    const struct watch_usual none = { .median = 0 };
    watch_limits(&(struct watch_rule){ .max_age = 26 * HOUR }, &nightly, DAY, &l);
    ck_assert_uint_eq(l.warning, 0);
    ck_assert_uint_eq(l.critical, 26 * HOUR);
    watch_limits(&(struct watch_rule){ .max_age = 0 }, &nightly, 0, &l);
    ck_assert_uint_eq(l.warning, 30 * HOUR);
    ck_assert_uint_eq(l.critical, 54 * HOUR);
    watch_limits(&(struct watch_rule){ .max_age = 0 }, &nightly, 25 * HOUR, &l);
    ck_assert_uint_eq(l.warning, 25 * HOUR);
    watch_limits(&(struct watch_rule){ .max_age = 0 }, &none, 26 * HOUR, &l);
    ck_assert_uint_eq(l.warning, 26 * HOUR);
    ck_assert_uint_gt(l.critical, 2 * 26 * HOUR);
    watch_limits(&(struct watch_rule){ .max_age = 0 }, &none, 0, &l);
    ck_assert_uint_eq(l.warning + l.critical, 0);
    /* Every ten minutes: a quarter of that would be nervous. */
    watch_limits(&(struct watch_rule){ .max_age = 0 }, &(struct watch_usual){ .median = 600, .allowed = 600 },
                 0, &l);
    ck_assert_uint_eq(l.warning, 600 + HOUR);
}
END_TEST

START_TEST(the_first_one_has_a_time_too)
{
    const struct watch_rule none = { .max_age = 0 };
    ck_assert_uint_eq(watch_never_limit(&none, 0), 2 * DAY);
    ck_assert_uint_eq(watch_never_limit(&none, 36 * HOUR), 36 * HOUR);
    ck_assert_uint_eq(watch_never_limit(&(struct watch_rule){ .max_age = 3 * DAY }, HOUR), 3 * DAY);
    ck_assert_uint_eq(watch_never_limit(&(struct watch_rule){ .max_age = 3 * DAY, .warn_age = DAY }, HOUR),
                      DAY);
}
END_TEST

START_TEST(ages_and_words)
{
    const struct watch_limits l = { .warning = 10, .critical = 20 };
    ck_assert_int_eq(watch_age_verdict(10, &l), WATCH_OK);
    ck_assert_int_eq(watch_age_verdict(11, &l), WATCH_WARNING);
    ck_assert_int_eq(watch_age_verdict(21, &l), WATCH_CRITICAL);
    ck_assert_int_eq(watch_age_verdict(UINT64_MAX, &(struct watch_limits){ .warning = 0 }), WATCH_OK);
    ck_assert_int_eq(watch_worse(WATCH_UNKNOWN, WATCH_CRITICAL), WATCH_CRITICAL);
    ck_assert_int_eq(watch_worse(WATCH_WARNING, WATCH_UNKNOWN), WATCH_UNKNOWN);
    ck_assert_str_eq(watch_verdict_name(WATCH_CRITICAL), "CRITICAL");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("watch_judge");
    TCase *c = tcase_create("all");
    tcase_add_test(c, few_snapshots_say_nothing);
    tcase_add_test(c, a_clock_set_back_is_left_out);
    tcase_add_test(c, one_outage_does_not_allow_the_next);
    tcase_add_test(c, weekends_are_allowed);
    tcase_add_test(c, the_last_ones_count);
    tcase_add_test(c, limits_in_their_order);
    tcase_add_test(c, the_first_one_has_a_time_too);
    tcase_add_test(c, ages_and_words);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
