/* The view and what is made of it: verdicts, alarms, nights, metrics with every character, who may ask. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backupd/pages/line.h"
#include "backupd/pages/metrics.h"
#include "backupd/pages/server.h"
#include "backupd/pages/status_page.h"
#include "common/state/refusals.h"
#include "common/sys/fdio.h"
#include "common/base/banned.h"

enum { DAY = 86400 };
#define NOON INT64_C(1795867200) /* 2026-11-28 12:00 UTC, a Saturday */

static char path[64];
static struct conf_job jobs[2];
static struct conf conf;
static struct crew crew;
static struct history *history;

static void setup(void)
{
    struct error err = ERROR_INIT;
    (void)snprintf(path, sizeof path, "/tmp/pages-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
    char file[96];
    (void)snprintf(file, sizeof file, "%s/history.db", path);
    ck_assert_int_eq(history_open(file, &history, &err), 0);
    for (int i = 0; i < 2; i++)
        jobs[i] = (struct conf_job){ .name = i == 0 ? "shop" : "hand",
                                     .repository = "main",
                                     .engine = "command",
                                     .schedule = { .when = i == 0 ? "0 2 * * *" : NULL } };
    conf = (struct conf){ .state = "/nowhere",
                          .jobs = jobs,
                          .njobs = 2,
                          .daemon = { .time_zone = "UTC", .concurrency = 2, .per_server = 1 } };
    ck_assert_msg(crew_make(&conf, &crew, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    static const char *const names[] = { "history.db", "history.db-wal", "history.db-shm" };
    crew_free(&crew);
    history_close(history);
    for (size_t i = 0; i < 3; i++) {
        char file[96];
        (void)snprintf(file, sizeof file, "%s/%s", path, names[i]);
        (void)unlink(file);
    }
    (void)rmdir(path);
}

/* A run of shop that was due so many days ago at two o'clock. */
static void ran(int days, enum history_verdict verdict, const char *result)
{
    int64_t due = NOON - 10 * 3600 - (int64_t)days * DAY;
    int64_t id = 0;
    struct history_run run = {
        .job = "shop", .reason = "due", .due = due, .started = due + 1, .attempt = 1, .count = 1
    };
    ck_assert_int_eq(history_begin(history, &run, NULL, &id, NULL), 0);
    run.ended = due + 61;
    run.verdict = verdict;
    run.text = verdict == HISTORY_FAILED ? "no \"disk\"\\\n" : "";
    run.result = result;
    if (verdict != HISTORY_RUNNING)
        ck_assert_int_eq(history_end(history, id, &run, NULL, NULL), 0);
}

static void was_skipped(int days, uint64_t count)
{
    struct history_run run = { .job = "shop",
                               .reason = "too late",
                               .due = NOON - 10 * 3600 - (int64_t)days * DAY,
                               .ended = NOON,
                               .count = count,
                               .verdict = HISTORY_SKIPPED };
    ck_assert_int_eq(history_skip(history, &run, NULL, NULL), 0);
}

static const char summary[] = "{\"total_bytes_processed\":1000,\"data_added\":100,\"data_added_packed\":40}";

static struct view seen(void)
{
    struct error err = ERROR_INIT;
    struct view view;
    const struct view_options options = { .now = NOON, .nights = true };
    ck_assert_msg(view_make(&crew, history, &options, &view, &err) == 0, "%s", err.text);
    return view;
}

START_TEST(nothing_has_run)
{
    struct view v = seen();
    const struct view_job *j = vec_at(&v.jobs, 0);
    ck_assert(!j->has_last && !j->has_ok && !j->stale);
    ck_assert_int_eq(j->next, NOON + 14 * 3600);
    ck_assert_int_eq(j->stale_after, 2 * DAY);
    ck_assert_int_eq(((const struct view_job *)vec_at(&v.jobs, 1))->next, 0);
    ck_assert_uint_eq(v.alarms.len, 0);
    view_free(&v);
}
END_TEST

/* Never "by hand": somebody has written a schedule, and it is over. */
START_TEST(a_schedule_that_is_over)
{
    struct buf out = BUF_INIT;
    struct error err = ERROR_INIT;
    jobs[0].schedule.when = "2026-11-28 11:59";
    crew_free(&crew);
    ck_assert_msg(crew_make(&conf, &crew, &err) == 0, "%s", err.text);
    struct view v = seen();
    ck_assert(((const struct view_job *)vec_at(&v.jobs, 0))->over);
    ck_assert(!((const struct view_job *)vec_at(&v.jobs, 1))->over);
    ck_assert_msg(status_page_write(&v, &out, &err) == 0, "%s", err.text);
    ck_assert_int_eq(buf_append(&out, "", 1, &err), 0);
    const char *page = (const char *)out.data;
    ck_assert_ptr_nonnull(strstr(page, "does not come again"));
    ck_assert_ptr_nonnull(strstr(page, "by hand"));
    ck_assert_ptr_null(strstr(strstr(page, "by hand") + 1, "by hand"));
    buf_free(&out);
    view_free(&v);
}
END_TEST

START_TEST(sums_and_alarms)
{
    ran(5, HISTORY_OK, summary);
    ran(4, HISTORY_FAILED, "");
    was_skipped(3, 2);
    ran(2, HISTORY_CUT_OFF, "");
    ran(1, HISTORY_STOPPED, "not json");
    ran(0, HISTORY_FAILED, "");
    struct view v = seen();
    const struct view_job *j = vec_at(&v.jobs, 0);
    ck_assert(j->has_ok && j->stale && j->last.p.verdict == HISTORY_FAILED);
    ck_assert_int_eq(j->sums.failures, 4);
    ck_assert_int_eq(j->sums.skipped, 2);
    ck_assert_int_eq(j->sums.runs[HISTORY_FAILED], 2);
    ck_assert_int_eq(j->ok.p.fresh, 100);
    ck_assert_uint_eq(j->points.len, 1);
    ck_assert_uint_eq(v.alarms.len, 2);
    ck_assert_int_eq(((const struct view_alarm *)vec_at(&v.alarms, 0))->kind, VIEW_FAILED);
    ck_assert_int_eq(((const struct view_alarm *)vec_at(&v.alarms, 1))->kind, VIEW_STALE);
    view_free(&v);
    ran(0, HISTORY_WARNING, summary);
    v = seen();
    j = vec_at(&v.jobs, 0);
    ck_assert_int_eq(j->sums.failures, 0);
    ck_assert_uint_eq(v.alarms.len, 0);
    view_free(&v);
}
END_TEST

/* A night that somebody gave up is no failure, and still a night without a backup. */
START_TEST(a_cancelled_run)
{
    ran(1, HISTORY_OK, summary);
    ran(0, HISTORY_RUNNING, NULL);
    const struct history_run end = {
        .ended = NOON - 3600, .verdict = HISTORY_STOPPED, .text = HISTORY_CANCELLED "alice: bye", .result = ""
    };
    ck_assert_int_eq(history_end(history, 2, &end, NULL, NULL), 0);
    struct view v = seen();
    const struct view_job *j = vec_at(&v.jobs, 0);
    ck_assert_int_eq(j->sums.failures, 0);
    ck_assert_str_eq(view_verdict_word(&j->last.p), "cancelled");
    ck_assert_uint_eq(v.alarms.len, 1);
    const struct view_alarm *a = vec_at(&v.alarms, 0);
    ck_assert_int_eq(a->kind, VIEW_CANCELLED);
    ck_assert_str_eq(view_alarm_name(a->kind), "cancelled");
    ck_assert_ptr_nonnull(strstr(a->text, "cancelled by alice"));
    view_free(&v);
}
END_TEST

/* It takes nothing: what it has is shown, and that it is not all. It is damaged: nothing of it is shown, as numbers neither. */
START_TEST(a_history_with_trouble)
{
    const struct trouble trouble = {
        .since = NOON - 60, .ends = 1, .why = "full", .newest = "shop: failed: no space"
    };
    const struct view_options options = { .now = NOON, .nights = true, .trouble = &trouble };
    struct error err = ERROR_INIT;
    struct buf text = BUF_INIT;
    struct view v;
    char file[96];
    char rubbish[4096];
    struct stat st;
    for (int i = 4; i > 0; i--)
        ran(i, HISTORY_OK, summary);
    ck_assert_int_eq(view_make(&crew, history, &options, &v, &err), 0);
    ck_assert_uint_eq(v.alarms.len, 1);
    const struct view_alarm *a = vec_at(&v.alarms, 0);
    ck_assert_str_eq(view_alarm_name(a->kind), "history");
    ck_assert_int_eq(a->since, NOON - 60);
    ck_assert_ptr_nonnull(strstr(a->text, "1 end of runs is not in it; the newest: shop: failed: no space."));
    ck_assert(((const struct view_job *)vec_at(&v.jobs, 0))->has_ok);
    view_free(&v);
    history_close(history);
    (void)snprintf(file, sizeof file, "%s/history.db", path);
    ck_assert_int_eq(stat(file, &st), 0);
    memset(rubbish, 0xff, sizeof rubbish);
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    for (off_t at = 4096; at < st.st_size; at += 4096)
        ck_assert_int_eq(fd_pwrite_full(fd, rubbish, sizeof rubbish, (uint64_t)at, file, &err), 0);
    fd_drop(&fd);
    ck_assert_int_eq(history_open_read(file, &history, &err), 0);
    v = seen();
    ck_assert_uint_eq(v.alarms.len, 1);
    a = vec_at(&v.alarms, 0);
    ck_assert_int_eq(a->kind, VIEW_HISTORY);
    ck_assert_ptr_nonnull(strstr(a->text, "Nothing is known of the runs: the history is damaged ("));
    ck_assert_ptr_nonnull(strstr(a->text, "Restart the daemon"));
    ck_assert_int_eq(metrics_write(&v, &text, &err), 0);
    ck_assert_int_eq(buf_append(&text, "", 1, &err), 0);
    ck_assert_ptr_nonnull(strstr((char *)text.data, "backupd_alarms{alarm=\"history\"} 1\n"));
    ck_assert_ptr_nonnull(strstr((char *)text.data, "backupd_job_next_run_timestamp_seconds{"));
    ck_assert_ptr_null(strstr((char *)text.data, "backupd_job_runs{"));
    ck_assert_ptr_null(strstr((char *)text.data, "backupd_job_consecutive_failures{"));
    buf_free(&text);
    view_free(&v);
}
END_TEST

/* What `backupd expire` has said of suspicious snapshots stays open until it says otherwise. */
START_TEST(a_retention_that_holds_back)
{
    jobs[0].task = CONF_TASK_EXPIRE;
    ran(1, HISTORY_OK, "{\"suspicious_jobs\":2}");
    struct view v = seen();
    ck_assert_uint_eq(v.alarms.len, 1);
    ck_assert_int_eq(((const struct view_alarm *)vec_at(&v.alarms, 0))->kind, VIEW_BRAKED);
    ck_assert_str_eq(view_alarm_name(VIEW_BRAKED), "braked");
    view_free(&v);
    ran(0, HISTORY_OK, "{\"suspicious_jobs\":0}");
    v = seen();
    ck_assert_uint_eq(v.alarms.len, 0);
    view_free(&v);
}
END_TEST

START_TEST(names_of_alarms)
{
    for (int a = 0; a < VIEW_ALARM_KINDS; a++)
        for (int b = 0; b < a; b++)
            ck_assert_str_ne(view_alarm_name((enum view_alarm_kind)a),
                             view_alarm_name((enum view_alarm_kind)b));
    ck_assert_str_eq(view_alarm_name(VIEW_DAEMON), "daemon");
    ck_assert_str_eq(view_alarm_name(VIEW_REFUSED), "refused");
    ck_assert_str_eq(view_alarm_name(VIEW_DRILL_FAILING), "drill_failing");
    ck_assert_str_eq(view_alarm_name(VIEW_ALARM_KINDS), "unknown");
}
END_TEST

static int refused(const char *account, const char *what, uint64_t count, int64_t at)
{
    struct error err = ERROR_INIT;
    return refusals_add(
        history,
        &(struct refusal){ .account = account, .what = what, .first = at, .last = at, .count = count }, &err);
}

/* Streaks of an account, the total of all, and what is too long ago to be told. */
START_TEST(refused_logins)
{
    struct error err = ERROR_INIT;
    uint64_t total = 7;
    ck_assert_int_eq(refusals_total(history, &total, &err), 0);
    ck_assert_uint_eq(total, 0);
    ck_assert_int_eq(refused("uid 1001", "no group", 2, NOON - 3 * DAY), 0);
    ck_assert_int_eq(refused("uid 1001", "no group", 3, NOON - 3600), 0);
    ck_assert_int_eq(refused("uid 1001", "may only read", 4, NOON - 60), 0);
    ck_assert_int_eq(refused("uid 1002", "no group", 1, NOON - 2 * DAY), 0);
    struct view v = seen();
    ck_assert_uint_eq(v.refused, 10);
    ck_assert_uint_eq(v.refusals.len, 1);
    const struct view_refusal *r = vec_at(&v.refusals, 0);
    ck_assert_uint_eq(r->count, 7);
    ck_assert_int_eq(r->first, NOON - 3600);
    ck_assert_str_eq(r->what, "may only read");
    ck_assert_uint_eq(v.alarms.len, 1);
    view_free(&v);
    for (int i = 0; i < REFUSALS_KEPT + 9; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "uid %d", 5000 + i);
        ck_assert_int_eq(refused(name, "no group", 1, NOON - 10), 0);
    }
    v = seen();
    ck_assert_uint_eq(v.refused, 10 + REFUSALS_KEPT + 9);
    ck_assert_uint_eq(v.refusals.len, REFUSALS_KEPT);
    ck_assert_uint_eq(v.alarms.len, VIEW_REFUSED_SHOWN + 1);
    view_free(&v);
}
END_TEST

/* Records of 2037 in a history that is looked at in 2026. */
START_TEST(a_clock_that_was_wrong)
{
    struct error err = ERROR_INIT;
    const int years = 11 * 365;
    ran(1, HISTORY_OK, summary);
    ran(-years, HISTORY_OK, summary);
    ck_assert_int_eq(refused("uid 1001", "no group", 1, NOON + years * (int64_t)DAY), 0);
    struct view v = seen();
    ck_assert_uint_eq(v.alarms.len, 2);
    const struct view_alarm *a = vec_at(&v.alarms, 0);
    ck_assert_int_eq(a->kind, VIEW_CLOCK);
    ck_assert_ptr_nonnull(
        strstr(a->text, "The clock is behind the history by 10 years: it is 2026-11-28 12:00"));
    a = vec_at(&v.alarms, 1);
    ck_assert_int_eq(a->kind, VIEW_STALE);
    ck_assert_ptr_nonnull(strstr(a->text, "dated in the future"));
    const struct view_night *n = ((const struct view_job *)vec_at(&v.jobs, 0))->nights;
    ck_assert(n[VIEW_NIGHTS - 2].any && n[VIEW_NIGHTS - 2].runs == 1 && !n[VIEW_NIGHTS - 1].any);
    view_free(&v);
    /* A false due time that was skipped now: the alarm is of now, and the clock is right again. */
    was_skipped(-years, 1);
    v = seen();
    a = vec_at(&v.alarms, 0);
    ck_assert_int_eq(a->kind, VIEW_MISSED);
    ck_assert_int_eq(a->since, NOON);
    ck_assert_uint_eq(v.alarms.len, 2);
    view_free(&v);
    ran(0, HISTORY_OK, summary);
    v = seen();
    ck_assert_uint_eq(v.alarms.len, 0);
    view_free(&v);
    /* A year in which there was no such program needs no history to be wrong. */
    const struct view_options early = { .now = DAY };
    ck_assert_int_eq(view_make(&crew, NULL, &early, &v, &err), 0);
    ck_assert_uint_eq(v.alarms.len, 1);
    ck_assert_int_eq(((const struct view_alarm *)vec_at(&v.alarms, 0))->kind, VIEW_CLOCK);
    ck_assert_str_eq(view_alarm_name(VIEW_CLOCK), "clock");
    view_free(&v);
}
END_TEST

START_TEST(a_night_is_what_became_of_it)
{
    ran(2, HISTORY_FAILED, "");
    ran(2, HISTORY_OK, summary);
    ran(1, HISTORY_FAILED, "");
    was_skipped(0, 1);
    ran(VIEW_NIGHTS, HISTORY_OK, summary);
    struct view v = seen();
    const struct view_night *n = ((const struct view_job *)vec_at(&v.jobs, 0))->nights;
    ck_assert(n[VIEW_NIGHTS - 3].any && n[VIEW_NIGHTS - 3].verdict == HISTORY_OK);
    ck_assert_uint_eq(n[VIEW_NIGHTS - 3].runs, 2);
    ck_assert_uint_eq(n[VIEW_NIGHTS - 3].bad, 1);
    ck_assert_int_eq(n[VIEW_NIGHTS - 2].verdict, HISTORY_FAILED);
    ck_assert_int_eq(n[VIEW_NIGHTS - 1].verdict, HISTORY_SKIPPED);
    ck_assert_uint_eq(n[VIEW_NIGHTS - 1].skipped, 1);
    ck_assert(!n[0].any && !n[VIEW_NIGHTS - 4].any);
    view_free(&v);
}
END_TEST

START_TEST(labels_are_escaped)
{
    struct buf out = BUF_INIT;
    struct error err = ERROR_INIT;
    jobs[0].name = "a\\b\"c\nd\xff";
    struct view v = seen();
    ck_assert_int_eq(metrics_write(&v, &out, &err), 0);
    ck_assert_int_eq(buf_append(&out, "", 1, &err), 0);
    ck_assert_ptr_nonnull(
        strstr((const char *)out.data,
               "backupd_job_paused{job_name=\"a\\\\b\\\"c\\nd\\\\xff\",kind=\"backup\"} 0\n"));
    /* What is not known is not there. */
    ck_assert_ptr_null(strstr((const char *)out.data, "\nbackupd_job_last_success_timestamp_seconds{"));
    ck_assert_ptr_null(strstr((const char *)out.data, "\nbackupd_daemon_up"));
    buf_free(&out);
    view_free(&v);
}
END_TEST

START_TEST(the_page_of_an_empty_history)
{
    struct buf out = BUF_INIT;
    struct error err = ERROR_INIT;
    struct view v = seen();
    ck_assert_msg(status_page_write(&v, &out, &err) == 0, "%s", err.text);
    ck_assert_int_eq(buf_append(&out, "", 1, &err), 0);
    ck_assert_ptr_nonnull(strstr((const char *)out.data, "No open alarm"));
    ck_assert_ptr_nonnull(strstr((const char *)out.data, "0 of 2 jobs"));
    ck_assert_ptr_nonnull(strstr((const char *)out.data, "No run has finished yet."));
    buf_free(&out);
    view_free(&v);
}
END_TEST

START_TEST(only_this_host_may_ask)
{
    static const char *const ours[] = { "localhost",       "LocalHost:1", "127.0.0.1",
                                        "127.9.8.7:65535", "[::1]",       "[::1]:80" };
    static const char *const others[] = { "",
                                          "localhost.evil",
                                          "127.0.0.1.evil",
                                          "evil:127",
                                          "[::1",
                                          "[::1]x",
                                          "[::2]:1",
                                          "localhost:1a",
                                          "127.0.0",
                                          "128.0.0.1",
                                          "0.0.0.0",
                                          "::1",
                                          "localhost@evil",
                                          "localhost ",
                                          "[",
                                          "127.0.0.1:1:2" };
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        ck_assert_msg(server_host_is_ours(ours[i]), "%s", ours[i]);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_msg(!server_host_is_ours(others[i]), "%s", others[i]);
}
END_TEST

START_TEST(the_line_says_who_is_alive)
{
    struct error err = ERROR_INIT;
    int ends[2] = { -1, -1 };
    ck_assert_int_eq(line_make(ends, &err), 0);
    /* An answer that came too late is not one to the next question. */
    ck_assert_int_eq((int)write(ends[1], "?", 1), 1);
    line_answer(ends[0], 1, 2);
    (void)close(ends[0]);
    struct view_daemon d = line_ask(ends[1]);
    ck_assert(d.asked && !d.alive);
    (void)close(ends[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backupd/pages");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, nothing_has_run);
    tcase_add_test(all, a_schedule_that_is_over);
    tcase_add_test(all, sums_and_alarms);
    tcase_add_test(all, a_cancelled_run);
    tcase_add_test(all, a_history_with_trouble);
    tcase_add_test(all, a_retention_that_holds_back);
    tcase_add_test(all, names_of_alarms);
    tcase_add_test(all, refused_logins);
    tcase_add_test(all, a_clock_that_was_wrong);
    tcase_add_test(all, a_night_is_what_became_of_it);
    tcase_add_test(all, labels_are_escaped);
    tcase_add_test(all, the_page_of_an_empty_history);
    tcase_add_test(all, only_this_host_may_ask);
    tcase_add_test(all, the_line_says_who_is_alive);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
