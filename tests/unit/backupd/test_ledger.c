/* A history that takes nothing (SQLite's own SQLITE_FULL, a file that is damaged): what happens is written later, and others see it. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backupd/daemon/ledger.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/zone.h"
#include "common/state/history_internal.h"
#include "common/sys/fdio.h"
#include "common/base/banned.h"

static char dir[64];
static char big[3 * 4096 + 1]; /* needs pages of its own */
static char alarms[8192];
static char warnings[8192];
static struct error err = ERROR_INIT;
static struct ledger *l;
static uint64_t now;

static uint64_t fake_wall(void *arg)
{
    (void)arg;
    return now;
}

static void hear(enum log_level level, const char *text, void *arg)
{
    char *out = level == LOG_ALARM ? alarms : level == LOG_WARN ? warnings : NULL;
    size_t used = out != NULL ? strlen(out) : 0;
    (void)arg;
    if (out != NULL)
        (void)snprintf(out + used, sizeof alarms - used, "%s\n", text);
}

static void begin_again(void)
{
    alarms[0] = '\0';
    ck_assert_msg(ledger_open(dir, &l, &err) == 0, "%s", err.text);
}

static void setup(void)
{
    static const struct clock_source clock = { .wall = fake_wall };
    now = 1764383400;
    clock_fake(&clock);
    ck_assert_int_eq(zone_set("UTC", &err), 0);
    log_to(hear, NULL);
    memset(big, 'r', sizeof big - 1);
    (void)snprintf(dir, sizeof dir, "/tmp/ledger-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    begin_again();
}

static void teardown(void)
{
    const struct dirent *entry;
    ledger_close(l);
    log_to(NULL, NULL);
    clock_fake(NULL);
    DIR *d = opendir(dir);
    ck_assert_ptr_nonnull(d);
    while ((entry = readdir(d)) != NULL)
        (void)unlinkat(dirfd(d), entry->d_name, 0);
    (void)closedir(d);
    (void)rmdir(dir);
}

/* As a disk without room, and with some again. */
static void full(bool yes)
{
    ck_assert_int_eq(history_execute(ledger_history(l),
                                     yes ? "PRAGMA max_page_count = 1" : "PRAGMA max_page_count = 100000",
                                     &err),
                     0);
}

static struct history_run begun(const char *job, const char *reason)
{
    struct history_run r = { .job = job,
                             .reason = reason,
                             .due = (int64_t)now - 1,
                             .started = (int64_t)now,
                             .attempt = 1,
                             .count = 1 };
    const struct history_job state = { .name = job, .due = (int64_t)now - 1, .running = true };
    ledger_begin(l, &r, &state);
    ck_assert_int_gt(r.id, 0);
    return r;
}

static void ended(struct history_run r, enum history_verdict verdict, const char *text, const char *result)
{
    const struct history_job state = { .name = r.job, .last_due = r.due };
    r.ended = (int64_t)now + 5;
    r.verdict = verdict;
    r.exit_code = verdict == HISTORY_OK ? 0 : 1;
    r.text = text;
    r.result = result;
    ledger_end(l, &r, &state);
}

static char seen[4096];

static int collect(const struct history_run *r, void *arg)
{
    size_t used = strlen(seen);
    (void)arg;
    (void)snprintf(seen + used, sizeof seen - used, "%lld %s %s %.5s %s %zu\n", (long long)r->id, r->job,
                   history_verdict_name(r->verdict), r->reason, r->text, strlen(r->result));
    return 0;
}

/* As another process reads it. */
static const char *runs(void)
{
    char path[128];
    struct history *h = NULL;
    const struct history_filter all = { .limit = 0 };
    seen[0] = '\0';
    (void)snprintf(path, sizeof path, "%s/history.db", dir);
    ck_assert_int_eq(history_open_read(path, &h, &err), 0);
    ck_assert_msg(history_runs(h, &all, collect, NULL, &err) == 0, "%s", err.text);
    history_close(h);
    return seen;
}

static struct trouble trouble(void)
{
    char path[128];
    struct trouble t;
    int fd = -1;
    (void)snprintf(path, sizeof path, "%s/%s", dir, TROUBLE_FILE);
    ck_assert_int_eq(trouble_open(path, &fd, &err), 0);
    ck_assert_int_ge(trouble_read(fd, &t, &err), 0);
    fd_drop(&fd);
    return t;
}

START_TEST(well)
{
    ended(begun("shop", "due"), HISTORY_OK, "", "{}");
    struct history_run skip = {
        .job = "blog", .reason = "late", .due = 5, .count = 2, .verdict = HISTORY_SKIPPED
    };
    ledger_skip(l, &skip, NULL);
    ck_assert_str_eq(runs(), "2 blog skipped late  0\n1 shop ok due  2\n");
    ck_assert_int_eq(trouble().since, 0);
    ck_assert_int_eq(ledger_wake(l), INT64_MAX);
    ck_assert_str_eq(alarms, "");
}
END_TEST

/* The end of one run, all of another, a due time that passed: in order, under the numbers that were told. */
START_TEST(written_later)
{
    struct history_run first = begun("shop", "due");
    struct history_job job;
    full(true);
    ended(first, HISTORY_FAILED, "no space", big);
    struct trouble t = trouble();
    ck_assert_int_eq(t.since, (int64_t)now);
    ck_assert_uint_eq(t.ends, 1);
    ck_assert_str_eq(t.newest, "shop: failed: no space");
    ck_assert_ptr_nonnull(strstr(t.why, "full"));
    ck_assert_ptr_nonnull(strstr(t.why, dir));
    ck_assert_str_eq(runs(), "1 shop running due  0\n");
    now += 3600;
    struct history_run second = begun("blog", big);
    ck_assert_int_eq(second.id, 2);
    ck_assert_uint_eq(trouble().more, 1);
    ended(second, HISTORY_OK, "", "{}");
    struct history_run skip = {
        .job = "late", .reason = big, .due = 5, .count = 2, .verdict = HISTORY_SKIPPED
    };
    ledger_skip(l, &skip, NULL);
    ck_assert_uint_eq(trouble().ends, 2);
    ck_assert_uint_eq(trouble().more, 1);
    ck_assert_int_eq(trouble().since, (int64_t)now - 3600);
    ck_assert_str_eq(runs(), "1 shop running due  0\n");
    ck_assert_uint_eq(ledger_errors(l), 2);
    /* Said once. */
    ck_assert_ptr_nonnull(strstr(alarms, "the history takes nothing"));
    ck_assert_ptr_null(strstr(strstr(alarms, "\n") + 1, "\n"));
    ck_assert_int_eq(ledger_job_read(l, "shop", &job, &err), 1);
    ck_assert_int_eq(job.last_due, first.due); /* the newest, not what the file has */
    full(false);
    ledger_look(l); /* not yet */
    ck_assert_uint_eq(trouble().ends, 2);
    ck_assert_int_eq(ledger_wake(l), (int64_t)now + LEDGER_PAUSE);
    now += LEDGER_PAUSE;
    ledger_look(l);
    ck_assert_str_eq(runs(),
                     "3 late skipped rrrrr  0\n2 blog ok rrrrr  2\n1 shop failed due no space 12288\n");
    ck_assert_int_eq(trouble().since, 0);
    ck_assert_int_eq(ledger_wake(l), INT64_MAX);
    ck_assert_int_eq(history_job_read(ledger_history(l), "shop", &job, &err), 1);
    ck_assert(!job.running);
    ck_assert_int_eq(begun("shop", "due").id, 4);
}
END_TEST

/* The next thing that is to be written brings along what waits. */
START_TEST(with_the_next)
{
    full(true);
    struct history_run r = begun("shop", big);
    full(false);
    ended(r, HISTORY_OK, "", "{}");
    ck_assert_str_eq(runs(), "1 shop ok rrrrr  2\n");
    ck_assert_int_eq(trouble().since, 0);
}
END_TEST

START_TEST(bounded)
{
    full(true);
    for (int i = 0; i < LEDGER_RUNS_MAX + 7; i++)
        (void)begun("shop", big);
    struct trouble t = trouble();
    ck_assert_uint_eq(t.more + t.lost, LEDGER_RUNS_MAX + 7);
    ck_assert_uint_ge(t.lost, 7);
    full(false);
    now += LEDGER_PAUSE;
    ledger_look(l);
    ck_assert_int_eq(trouble().since, 0);
    const struct history_filter all = { .limit = 5000 };
    seen[0] = '\0';
    ck_assert_int_eq(history_runs(ledger_history(l), &all, collect, NULL, &err), 0);
    ck_assert_int_eq(strncmp(seen, "1007 ", 5), 0);
}
END_TEST

/* An orderly end with something left, and the next daemon. */
START_TEST(left_behind)
{
    struct history_run first = begun("shop", "due");
    full(true);
    ended(first, HISTORY_FAILED, "no space", big);
    ledger_close(l);
    ck_assert_ptr_nonnull(strstr(alarms, "1 entry will not be in the history"));
    begin_again();
    ck_assert_ptr_nonnull(strstr(alarms, "could not write everything into its history"));
    ck_assert_ptr_nonnull(strstr(alarms, "1 end of runs"));
    ck_assert_ptr_nonnull(strstr(alarms, "shop: failed: no space"));
    ck_assert_int_eq(trouble().since, 0);
    ledger_close(l);
    begin_again();
    ck_assert_str_eq(alarms, "");
    full(true);
    first = begun("shop", big);
    full(false);
    ledger_close(l);
    ck_assert_ptr_null(strstr(alarms, "will not be"));
    begin_again();
    ck_assert_ptr_nonnull(strstr(runs(), "2 shop running"));
}
END_TEST

/* What somebody has asked for and is not stored: said while it waits, by the daemon that ends, and by the next one. */
START_TEST(stands)
{
    char says[TROUBLE_SAYS_MAX];
    struct history_job job;
    ledger_job(l, &(struct history_job){ .name = "shop", .paused = true });
    ledger_job(l, &(struct history_job){ .name = "late", .due = 5, .by_hand = true });
    ck_assert(ledger_is_stored(l, "shop"));
    ck_assert(ledger_is_stored(l, "nobody"));
    full(true);
    (void)begun("big", big);
    ledger_job(l, &(struct history_job){ .name = "shop" });
    ledger_job(l, &(struct history_job){ .name = "blog", .paused = true });
    ledger_job(l, &(struct history_job){ .name = "wiki", .due = 7, .by_hand = true });
    ledger_job(l, &(struct history_job){ .name = "late" });
    ledger_job(l, &(struct history_job){ .name = "mail", .last_due = 9 });
    ck_assert(!ledger_is_stored(l, "shop"));
    struct trouble t = trouble();
    ck_assert_uint_eq(t.more, 1);
    ck_assert_uint_eq(t.states, 5);
    static const char words[] = "shop is no longer paused, late is not to start any more, blog is paused, "
                                "wiki was started by hand and waits, where mail stands";
    ck_assert_str_eq(t.stands, words);
    ck_assert_ptr_nonnull(strstr(trouble_says(&t, says), words));
    alarms[0] = '\0';
    ledger_close(l);
    ck_assert_ptr_nonnull(strstr(alarms, "6 entries will not be in the history"));
    ck_assert_ptr_nonnull(strstr(alarms, words));
    begin_again();
    ck_assert_ptr_nonnull(strstr(alarms, "0 ends of runs and 6 other entries"));
    ck_assert_ptr_nonnull(strstr(alarms, words));
    ck_assert_int_eq(ledger_job_read(l, "shop", &job, &err), 1);
    ck_assert(job.paused);
    /* With room in time nothing is forgotten. */
    full(true);
    (void)begun("big", big);
    ledger_job(l, &(struct history_job){ .name = "shop" });
    full(false);
    now += LEDGER_PAUSE;
    ledger_look(l);
    ck_assert(ledger_is_stored(l, "shop"));
    ck_assert_uint_eq(trouble().states, 0);
    ck_assert_int_eq(history_job_read(ledger_history(l), "shop", &job, &err), 1);
    ck_assert(!job.paused);
}
END_TEST

/* More than the words have room for. */
START_TEST(many_stands)
{
    char name[HISTORY_NAME_MAX];
    full(true);
    (void)begun("big", big);
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "job-%d", i);
        ledger_job(l, &(struct history_job){ .name = name, .paused = true });
    }
    struct trouble t = trouble();
    ck_assert_uint_eq(t.states, 100);
    ck_assert_str_eq(t.stands + strlen(t.stands) - 5, ", ...");
}
END_TEST

/* It is put aside when that is noticed, and what is known goes into a new one, also where jobs stand that nothing happened to. */
START_TEST(damaged)
{
    const struct history_job paused = { .name = "blog", .paused = true };
    char path[128];
    char rubbish[4096];
    struct history_job job;
    struct history *h = NULL;
    struct stat st;
    ledger_job(l, &paused);
    struct history_run first = begun("shop", "due");
    ledger_close(l);
    begin_again();
    ck_assert_int_eq(ledger_job_read(l, "blog", &job, &err), 1);
    ck_assert_int_eq(history_execute(ledger_history(l), "PRAGMA wal_checkpoint(TRUNCATE)", &err), 0);
    (void)snprintf(path, sizeof path, "%s/history.db", dir);
    ck_assert_int_eq(stat(path, &st), 0);
    memset(rubbish, 0xff, sizeof rubbish);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    for (off_t at = 4096; at < st.st_size; at += 4096)
        ck_assert_int_eq(fd_pwrite_full(fd, rubbish, sizeof rubbish, (uint64_t)at, path, &err), 0);
    fd_drop(&fd);
    ck_assert_int_eq(history_execute(ledger_history(l), "PRAGMA shrink_memory", &err), 0);
    /* Who reads it is told what to do, in words. */
    const struct history_filter all = { .limit = 0 };
    ck_assert_int_eq(history_open_read(path, &h, &err), 0);
    ck_assert_int_eq(history_runs(h, &all, collect, NULL, &err), E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "the history is damaged ("));
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_ptr_nonnull(strstr(err.text, "Restart the daemon"));
    ck_assert_ptr_null(strstr(err.text, "SELECT"));
    history_close(h);
    ended(first, HISTORY_OK, "", "{}");
    ck_assert_str_eq(runs(), "1 shop ok due  2\n");
    ck_assert_ptr_nonnull(strstr(alarms, "was damaged and is now"));
    ck_assert_uint_eq(ledger_files(l), 1);
    ck_assert_int_eq(trouble().since, 0);
    ck_assert_int_eq(history_job_read(ledger_history(l), "blog", &job, &err), 1);
    ck_assert(job.paused);
    ck_assert_int_eq(begun("shop", "due").id, 2);
}
END_TEST

static void path_of(char out[128], const char *end)
{
    (void)snprintf(out, 128, "%s/history.db%s", dir, end);
}

/* Taken away while it is open, also with what belongs to it: all of it is in a new one, as soon as the loop is awake. */
START_TEST(removed)
{
    static const char *const which[][3] = { { "" }, { "-wal" }, { "", "-wal", "-shm" } };
    char path[128];
    struct history_job job;
    struct stat st;
    int64_t n = 0;
    for (size_t i = 0; i < sizeof which / sizeof which[0]; i++) {
        alarms[0] = '\0';
        ledger_job(l, &(struct history_job){ .name = "blog", .paused = true });
        struct history_run r = begun("shop", "due");
        ck_assert_int_eq(r.id, ++n);
        ledger_look(l);
        ck_assert_str_eq(alarms, "");
        for (size_t k = 0; k < 3 && which[i][k] != NULL; k++) {
            path_of(path, which[i][k]);
            ck_assert_int_eq(unlink(path), 0);
        }
        ledger_look(l);
        ck_assert_ptr_nonnull(strstr(alarms, "was removed or replaced while the daemon runs"));
        ck_assert_uint_eq(ledger_files(l), i + 1);
        ck_assert_int_eq(trouble().since, 0);
        path_of(path, "");
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_int_eq(st.st_mode & 0777, 0600);
        ck_assert_ptr_nonnull(strstr(runs(), "shop running"));
        ended(r, HISTORY_OK, "", "{}");
        ck_assert_int_eq(strncmp(strchr(runs(), ' '), " shop ok due", 12), 0);
        ck_assert_int_eq(history_job_read(ledger_history(l), "blog", &job, &err), 1);
        ck_assert(job.paused);
        path_of(path, ".new");
        ck_assert_int_lt(stat(path, &st), 0);
    }
    /* All of it, and it is whole for the next daemon. */
    ledger_close(l);
    begin_again();
    ck_assert_str_eq(runs(), "3 shop ok due  2\n2 shop ok due  2\n1 shop ok due  2\n");
}
END_TEST

/* Where there is no write-ahead log nothing of it is missing. */
START_TEST(without_a_log)
{
    char path[128];
    struct stat st;
    ck_assert_int_eq(history_execute(ledger_history(l), "PRAGMA journal_mode = DELETE", &err), 0);
    ended(begun("shop", "due"), HISTORY_OK, "", "{}");
    path_of(path, "-wal");
    ck_assert_int_lt(stat(path, &st), 0);
    ledger_look(l);
    ck_assert_str_eq(alarms, "");
    ck_assert_uint_eq(ledger_files(l), 0);
}
END_TEST

/* It cannot be made anew: what happens waits, and so does all that the open one holds. */
START_TEST(removed_without_room)
{
    char path[128];
    char in_the_way[128];
    struct history_run r = begun("shop", "due");
    path_of(path, "");
    ck_assert_int_eq(unlink(path), 0);
    path_of(in_the_way, ".new");
    ck_assert_int_eq(mkdir(in_the_way, 0700), 0);
    ledger_look(l);
    ck_assert_ptr_nonnull(strstr(trouble().why, "history.db is gone, and cannot be made anew: "));
    ended(r, HISTORY_OK, "", "{}");
    ck_assert_uint_eq(trouble().ends, 1);
    ck_assert_int_eq(rmdir(in_the_way), 0);
    now += LEDGER_PAUSE;
    ledger_look(l);
    ck_assert_int_eq(trouble().since, 0);
    ck_assert_str_eq(runs(), "1 shop ok due  2\n");
}
END_TEST

/* Another file under its name is somebody's, and stays. */
START_TEST(replaced)
{
    char path[128];
    (void)begun("shop", "due");
    path_of(path, "");
    ck_assert_int_eq(unlink(path), 0);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    fd_drop(&fd);
    ledger_close(l); /* looks once more */
    alarms[0] = '\0';
    begin_again();
    ck_assert_str_eq(alarms, "");
    ck_assert_str_eq(runs(), "1 shop running due  0\n");
    (void)snprintf(path, sizeof path, "%s/history.db.found-%llu", dir, (unsigned long long)now);
    ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

/* Removed while no daemon ran. */
START_TEST(missing)
{
    char path[128];
    ck_assert_str_eq(warnings, "");
    (void)begun("shop", "due");
    ledger_close(l);
    path_of(path, "");
    ck_assert_int_eq(unlink(path), 0);
    begin_again();
    ck_assert_ptr_nonnull(strstr(warnings, "the history begins anew: there was none"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ledger");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, well);
    tcase_add_test(t, written_later);
    tcase_add_test(t, with_the_next);
    tcase_add_test(t, bounded);
    tcase_add_test(t, left_behind);
    tcase_add_test(t, stands);
    tcase_add_test(t, many_stands);
    tcase_add_test(t, damaged);
    tcase_add_test(t, removed);
    tcase_add_test(t, without_a_log);
    tcase_add_test(t, removed_without_room);
    tcase_add_test(t, replaced);
    tcase_add_test(t, missing);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
