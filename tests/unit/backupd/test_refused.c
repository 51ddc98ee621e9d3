/* Refusals of the control socket wait for the minute, and for a history that takes them: they are dated when they happened. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backupd/daemon/supervisor_internal.h"
#include "common/base/clock.h"
#include "common/state/refusals.h"

#include "common/base/banned.h"

static char dir[64];
static struct error err = ERROR_INIT;
static struct supervisor s;
static uint64_t now;

static uint64_t fake_wall(void *arg)
{
    (void)arg;
    return now;
}

static void setup(void)
{
    static const struct clock_source clock = { .wall = fake_wall };
    now = 1764383400;
    clock_fake(&clock);
    (void)snprintf(dir, sizeof dir, "/tmp/refused-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_msg(ledger_open(dir, &s.ledger, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    const struct dirent *entry;
    ledger_close(s.ledger);
    clock_fake(NULL);
    DIR *d = opendir(dir);
    ck_assert_ptr_nonnull(d);
    while ((entry = readdir(d)) != NULL)
        (void)unlinkat(dirfd(d), entry->d_name, 0);
    (void)closedir(d);
    (void)rmdir(dir);
}

static void knock(const char *account, int64_t at)
{
    refused_note(&s.refused, account, "no group", at);
}

static struct refusal kept;

static int keep(const struct refusal *r, void *arg)
{
    if (strcmp(r->account, arg) == 0)
        kept = *r;
    return 0;
}

static struct refusal of(char *account)
{
    kept = (struct refusal){ .count = 0 };
    ck_assert_int_eq(refusals_each(ledger_history(s.ledger), 0, keep, account, &err), 0);
    return kept;
}

START_TEST(dated_when_they_happened)
{
    const int64_t begin = (int64_t)now;
    char uid[] = "uid 1001";
    knock(uid, begin);
    refused_write(&s, false);
    ck_assert_uint_eq(of(uid).count, 1);
    for (int64_t i = 5; i <= 20; i += 5)
        knock(uid, begin + i);
    now += 30;
    refused_write(&s, false);
    ck_assert_uint_eq(of(uid).count, 1); /* not before the minute is over */
    now += 30;
    refused_write(&s, false);
    ck_assert_uint_eq(of(uid).count, 5);
    ck_assert_int_eq(of(uid).first, begin);
    ck_assert_int_eq(of(uid).last, begin + 20);
}
END_TEST

START_TEST(a_first_one_that_waited)
{
    const int64_t begin = (int64_t)now;
    char uid[] = "uid 1001";
    char other[] = "uid 1002";
    knock(uid, begin);
    refused_write(&s, false);
    knock(other, begin + 10);
    knock(other, begin + 40);
    now += 60;
    refused_write(&s, false);
    ck_assert_int_eq(of(other).first, begin + 10);
    ck_assert_int_eq(of(other).last, begin + 40);
    /* A day and more later: another streak, from when it began. */
    knock(other, begin + 40 + REFUSALS_PAUSE + 1);
    knock(other, begin + 40 + REFUSALS_PAUSE + 9);
    now += REFUSALS_PAUSE + 60;
    refused_write(&s, true);
    ck_assert_uint_eq(of(other).count, 2);
    ck_assert_int_eq(of(other).first, begin + 40 + REFUSALS_PAUSE + 1);
    ck_assert_int_eq(of(other).last, begin + 40 + REFUSALS_PAUSE + 9);
}
END_TEST

/* "refused nobody" would say that there was no refusal. */
START_TEST(names_in_a_sentence)
{
    char out[REFUSALS_WHO_MAX];
    ck_assert_str_eq(refusals_who("nobody", out), "'nobody'");
    ck_assert_str_eq(refusals_who("uid 1001", out), "uid 1001");
    ck_assert_str_eq(refusals_who(REFUSALS_OTHERS, out), "others");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("refused");
    TCase *c = tcase_create("all");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, dated_when_they_happened);
    tcase_add_test(c, a_first_one_that_waited);
    tcase_add_test(c, names_in_a_sentence);
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
