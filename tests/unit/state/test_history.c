/* What the daemon remembers: jobs, runs, crashes, a damaged file. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/state/history.h"
#include "common/base/banned.h"

static char dir[64];
static char path[96];

static void setup(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/history-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/history.db", dir);
}

static void teardown(void)
{
    ck_assert_int_eq(chdir(dir), 0);
    static const char *const names[] = { "history.db", "history.db-wal", "history.db-shm" };
    for (size_t i = 0; i < 3; i++)
        (void)unlink(names[i]);
    ck_assert_int_eq(chdir("/"), 0);
    (void)rmdir(dir);
}

static struct history *opened(void)
{
    struct error err = ERROR_INIT;
    struct history *h = NULL;
    ck_assert_msg(history_open(path, &h, &err) == 0, "%s", err.text);
    return h;
}

enum { SEEN_MAX = 256 };

struct seen {
    size_t n;
    int64_t id[SEEN_MAX];
    enum history_verdict verdict[SEEN_MAX];
    char text[256];
};

static int collect(const struct history_run *run, void *arg)
{
    struct seen *s = arg;
    ck_assert_uint_lt(s->n, SEEN_MAX);
    s->id[s->n] = run->id;
    s->verdict[s->n++] = run->verdict;
    (void)snprintf(s->text, sizeof s->text, "%s/%s/%s", run->job, run->reason, run->text);
    return 0;
}

static struct seen runs(struct history *h, const char *job, bool only_runs)
{
    struct seen s = { 0 };
    struct history_filter f = { .job = job, .only_runs = only_runs };
    ck_assert_int_eq(history_runs(h, &f, collect, &s, NULL), 0);
    return s;
}

START_TEST(runs_and_jobs)
{
    struct error err = ERROR_INIT;
    struct history *h = opened();
    struct history_job job = { .name = "shop", .last_due = 100, .due = 100, .attempt = 1, .running = true };
    struct history_job read = { .name = NULL };
    struct history_run run = {
        .job = "shop", .reason = "due", .due = 100, .started = 101, .attempt = 1, .count = 1
    };
    int64_t id = 0;
    ck_assert_int_eq(history_job_read(h, "shop", &read, &err), 0);
    ck_assert_int_eq(history_begin(h, &run, &job, &id, &err), 0);
    ck_assert_int_eq(id, 1);
    ck_assert_int_eq(history_job_read(h, "shop", &read, &err), 1);
    ck_assert(read.running && read.due == 100 && read.attempt == 1 && !read.paused);
    run.ended = 150;
    run.verdict = HISTORY_OK;
    run.result = "{\"receipt\":\"abc\",\"data_added\":12345}";
    job.running = false;
    job.due = 0;
    job.paused = true;
    ck_assert_int_eq(history_end(h, id, &run, &job, &err), 0);
    int64_t n = 0;
    char text[8];
    ck_assert_int_eq(history_result_number(h, id, "data_added", &n, &err), 0);
    ck_assert_int_eq(n, 12345);
    ck_assert_int_eq(history_result_text(h, id, "receipt", text, sizeof text, &err), 0);
    ck_assert_str_eq(text, "abc");
    ck_assert_int_eq(history_result_text(h, id, "nothing", text, sizeof text, &err), 0);
    ck_assert_str_eq(text, "");
    struct history_run skipped = {
        .job = "shop", .reason = "too late", .due = 200, .count = 3, .verdict = HISTORY_SKIPPED
    };
    ck_assert_int_eq(history_skip(h, &skipped, NULL, &err), 0);
    struct history_run other = { .job = "other", .reason = "due", .due = 300, .started = 300 };
    ck_assert_int_eq(history_begin(h, &other, NULL, &id, &err), 0);
    ck_assert_uint_eq(runs(h, NULL, false).n, 3);
    ck_assert_uint_eq(runs(h, "shop", false).n, 2);
    ck_assert_uint_eq(runs(h, "shop", true).n, 1);
    ck_assert_int_eq(runs(h, NULL, false).id[0], 3);
    history_close(h);

    /* Another process reads, and writes nothing. */
    ck_assert_int_eq(history_open_read(path, &h, &err), 0);
    ck_assert_uint_eq(runs(h, NULL, false).n, 3);
    ck_assert_int_lt(history_job_write(h, &job, &err), 0);
    history_close(h);
}
END_TEST

START_TEST(a_crash)
{
    struct error err = ERROR_INIT;
    struct history *h = opened();
    struct history_run run = { .job = "shop", .reason = "due", .due = 100, .started = 101 };
    int64_t id = 0;
    ck_assert_int_eq(history_begin(h, &run, NULL, &id, &err), 0);
    history_close(h);
    h = opened();
    ck_assert_int_eq(history_cut_off(h, 500, &err), 1);
    ck_assert_int_eq(history_cut_off(h, 500, &err), 0);
    struct seen s = runs(h, NULL, true);
    ck_assert_uint_eq(s.n, 1);
    ck_assert_int_eq(s.verdict[0], HISTORY_CUT_OFF);
    history_close(h);
}
END_TEST

START_TEST(long_texts)
{
    struct error err = ERROR_INIT;
    struct history *h = opened();
    char *text = malloc(2 * HISTORY_TEXT_MAX + 1);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < 2 * HISTORY_TEXT_MAX; i += 2) {
        text[i] = (char)0xc3;
        text[i + 1] = (char)0xa4;
    }
    text[2 * HISTORY_TEXT_MAX] = '\0';
    struct history_run run = {
        .job = "shop", .reason = "due", .text = text + 2, .verdict = HISTORY_FAILED, .started = 1
    };
    ck_assert_int_eq(history_skip(h, &run, NULL, &err), 0);
    ck_assert_uint_eq(runs(h, NULL, false).n, 1);
    free(text);
    history_close(h);
}
END_TEST

START_TEST(pruning)
{
    struct error err = ERROR_INIT;
    struct history *h = opened();
    for (int i = 1; i <= 10; i++) {
        struct history_run run = {
            .job = i % 2 == 0 ? "a" : "b", .started = i, .ended = i, .verdict = HISTORY_OK
        };
        ck_assert_int_eq(history_skip(h, &run, NULL, &err), 0);
    }
    ck_assert_int_eq(history_prune(h, 100, 96, &err), 0); /* 100 - 96 = 4: stays */
    ck_assert_uint_eq(runs(h, NULL, false).n, 7);
    ck_assert_int_eq(history_prune(h, 100, 10, &err), 0);
    ck_assert_uint_eq(runs(h, NULL, false).n, 2);
    ck_assert_int_eq(history_prune(h, 1000, 0, &err), 0);
    ck_assert_uint_eq(runs(h, NULL, false).n, 2);
    history_close(h);
}
END_TEST

enum { DAY = 86400 };
#define NIGHT(n) (INT64_C(1795831200) + (n) * (int64_t)DAY) /* 2026-11-28 02:00 and so many days */

static void a_night(struct history *h, int64_t due)
{
    const struct history_run run = { .job = "shop", .due = due, .started = due, .verdict = HISTORY_OK };
    int64_t id = 0;
    ck_assert_int_eq(history_begin(h, &run, NULL, &id, NULL), 0);
    const struct history_run end = { .ended = due + 60, .verdict = HISTORY_OK };
    ck_assert_int_eq(history_end(h, id, &end, NULL, NULL), 0);
}

/* Years ahead for some nights, or years behind: the history keeps what it has, and forgets as before when the clock is right. */
START_TEST(pruning_by_a_wrong_clock)
{
    struct error err = ERROR_INIT;
    struct history *h = opened();
    int64_t years = 11 * 365 * (int64_t)DAY;
    for (int n = -100; n < 0; n++)
        a_night(h, NIGHT(n));
    for (int starts = 0; starts < 20; starts++)
        ck_assert_int_eq(history_prune(h, NIGHT(0) + years, 200 * DAY, &err), 0);
    ck_assert_uint_eq(runs(h, NULL, false).n, 100);
    ck_assert_int_eq(history_prune(h, NIGHT(0) + years, 60 * DAY, &err), 0);
    ck_assert_uint_eq(runs(h, NULL, false).n, 54); /* of the gap a week counts */
    a_night(h, NIGHT(0) + years);
    a_night(h, NIGHT(1) + years);
    a_night(h, INT64_C(7200)); /* 1970 */
    ck_assert_int_eq(history_prune(h, 10000, 60 * DAY, &err), 0);
    ck_assert_uint_eq(runs(h, NULL, false).n, 55); /* a day more */
    for (int n = 3; n < 63; n++) {
        a_night(h, NIGHT(n));
        ck_assert_int_eq(history_prune(h, NIGHT(n) + 3600, 60 * DAY, &err), 0);
    }
    ck_assert_uint_eq(runs(h, NULL, false).n, 60);
    history_close(h);
}
END_TEST

START_TEST(what_it_knows_of_clocks)
{
    struct error err = ERROR_INIT;
    struct history *h = opened();
    int64_t t = -1;
    ck_assert_int_eq(history_newest(h, &t, &err), 0);
    ck_assert_int_eq(t, 0);
    ck_assert_int_eq(history_decided(h, "shop", NIGHT(0), &t, &err), 0);
    ck_assert_int_eq(t, 0);
    a_night(h, NIGHT(0));
    a_night(h, NIGHT(4000));
    ck_assert_int_eq(history_newest(h, &t, &err), 0);
    ck_assert_int_eq(t, NIGHT(4000) + 60);
    a_night(h, NIGHT(2));
    const struct history_run skip = {
        .job = "shop", .due = NIGHT(4001), .ended = NIGHT(2) + 90, .verdict = HISTORY_SKIPPED
    };
    ck_assert_int_eq(history_skip(h, &skip, NULL, &err), 0);
    ck_assert_int_eq(history_newest(h, &t, &err), 0);
    ck_assert_int_eq(t, NIGHT(2) + 90);
    ck_assert_int_eq(history_decided(h, "shop", NIGHT(2) - 1, &t, &err), 0);
    ck_assert_int_eq(t, NIGHT(0));
    ck_assert_int_eq(history_decided(h, "shop", NIGHT(9), &t, &err), 0);
    ck_assert_int_eq(t, NIGHT(2));
    const struct history_run hand = { .job = "shop",
                                      .reason = "started by hand by alice",
                                      .due = NIGHT(3) + 21600,
                                      .verdict = HISTORY_SKIPPED };
    ck_assert_int_eq(history_skip(h, &hand, NULL, &err), 0);
    ck_assert_int_eq(history_decided(h, "shop", NIGHT(9), &t, &err), 0);
    ck_assert_int_eq(t, NIGHT(2)); /* no night */
    ck_assert_int_eq(history_decided(h, "blog", NIGHT(9), &t, &err), 0);
    ck_assert_int_eq(t, 0);
    history_close(h);
}
END_TEST

static unsigned alarms;
static void count_alarm(enum log_level level, const char *text, void *arg)
{
    (void)text;
    (void)arg;
    alarms += level == LOG_ALARM ? 1 : 0;
}

START_TEST(damage)
{
    struct error err = ERROR_INIT;
    struct history *h = opened();
    struct history_run run = { .job = "shop", .started = 1 };
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(history_skip(h, &run, NULL, &err), 0);
    history_close(h);
    int fd = open(path, O_RDWR);
    ck_assert_int_ge(fd, 0);
    char junk[8192];
    (void)memset(junk, 'x', sizeof junk);
    ck_assert_int_eq(pwrite(fd, junk, sizeof junk, 0), (ssize_t)sizeof junk);
    (void)close(fd);
    alarms = 0;
    log_to(count_alarm, NULL);
    h = opened();
    log_to(NULL, NULL);
    ck_assert_uint_eq(alarms, 1);
    ck_assert_uint_eq(runs(h, NULL, false).n, 0);
    history_close(h);
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(history_open_read("/nonexistent/history.db", &h, &err), E_NOT_FOUND);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state/history");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, runs_and_jobs);
    tcase_add_test(all, a_crash);
    tcase_add_test(all, long_texts);
    tcase_add_test(all, pruning);
    tcase_add_test(all, pruning_by_a_wrong_clock);
    tcase_add_test(all, what_it_knows_of_clocks);
    tcase_add_test(all, damage);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
