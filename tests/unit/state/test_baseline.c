/* What the runs of each job looked like: kept, forgotten, accepted, damaged, several at once. */
#include <check.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/state/baseline.h"
#include "common/base/banned.h"

enum { DAY = 86400, START = 1767571200 };

static char dir[64];
static char path[96];
static char logged[512];

static void on_log(enum log_level level, const char *text, void *arg)
{
    (void)arg;
    if (level == LOG_ALARM)
        (void)snprintf(logged, sizeof logged, "%s", text);
}

static void setup(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/baseline-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/baseline.db", dir);
    logged[0] = '\0';
    log_to(on_log, NULL);
}

static void teardown(void)
{
    char all[96];
    glob_t found;
    (void)snprintf(all, sizeof all, "%s/*", dir);
    if (glob(all, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            (void)unlink(found.gl_pathv[i]);
        globfree(&found);
    }
    (void)rmdir(dir);
}

static struct baseline *opened(void)
{
    struct error err = ERROR_INIT;
    struct baseline *b = NULL;
    ck_assert_msg(baseline_open(path, &b, &err) == 0, "%s", err.text);
    return b;
}

static void add(struct baseline *b, const char *job, int64_t time, enum baseline_state state)
{
    struct error err = ERROR_INIT;
    const struct baseline_run run = { .state = state,
                                      .session = 7,
                                      .time = time,
                                      .duration_ms = 1000,
                                      .bytes = UINT64_MAX,
                                      .ratio = 250,
                                      .lost = 2,
                                      .lasting = true,
                                      .writer = "ab",
                                      .identity = "SHA256:x",
                                      .text = (char *)(uintptr_t) "found\n" };
    const struct baseline_subject subjects[] = { { .name = "b", .rows = 2, .bytes = -1, .ratio = -1 },
                                                 { .name = "a", .rows = 1, .schema = INT64_MAX } };
    ck_assert_msg(baseline_add(b, "main", job, &run, subjects, 2, &err) == 0, "%s", err.text);
}

static struct vec runs(struct baseline *b, const char *job)
{
    struct vec out = VEC_OF(struct baseline_run);
    ck_assert_int_eq(baseline_runs(b, "main", job, &out, NULL), 0);
    return out;
}

static size_t count(struct baseline *b, const char *job)
{
    struct vec r = runs(b, job);
    size_t n = r.len;
    baseline_runs_free(&r);
    return n;
}

struct seen {
    char text[256];
};

static int on_subject(const struct baseline_subject *s, void *arg)
{
    struct seen *seen = arg;
    size_t used = strlen(seen->text);
    (void)snprintf(seen->text + used, sizeof seen->text - used, "%s%lld/%lld ", s->name, (long long)s->run,
                   (long long)s->rows);
    return 0;
}

START_TEST(what_goes_in_comes_out)
{
    struct baseline *b = opened();
    struct seen seen = { "" };
    struct stat st;
    add(b, "shop", START, BASELINE_USUAL);
    add(b, "shop", START + DAY, BASELINE_SUSPICIOUS);
    add(b, "shop", START + 2 * DAY, BASELINE_USUAL);
    add(b, "other", START, BASELINE_USUAL);
    struct vec r = runs(b, "shop");
    ck_assert_uint_eq(r.len, 3);
    const struct baseline_run *one = vec_at(&r, 1);
    ck_assert_int_eq(one->state, BASELINE_SUSPICIOUS);
    ck_assert_uint_eq(one->bytes, INT64_MAX);
    ck_assert_int_eq(one->ratio, 250);
    ck_assert(one->lasting);
    ck_assert_str_eq(one->writer, "ab");
    ck_assert_str_eq(one->identity, "SHA256:x");
    ck_assert_str_eq(one->text, "found\n");
    baseline_runs_free(&r);
    ck_assert_int_eq(baseline_subjects(b, "main", "shop", on_subject, &seen, NULL), 0);
    ck_assert_str_eq(seen.text, "a1/1 a3/1 b1/2 b3/2 "); /* not those of the suspicious one */
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    baseline_close(b);
}
END_TEST

START_TEST(a_person_accepts)
{
    struct baseline *b = opened();
    add(b, "shop", START, BASELINE_SUSPICIOUS);
    add(b, "shop", START + DAY, BASELINE_USUAL);
    ck_assert_int_eq(baseline_accept(b, "main", "shop", NULL), 0);
    add(b, "shop", START + 2 * DAY, BASELINE_SUSPICIOUS);
    add(b, "shop", START + 3 * DAY, BASELINE_SUSPICIOUS);
    add(b, "other", START + 3 * DAY, BASELINE_SUSPICIOUS);
    ck_assert_int_eq(baseline_accept(b, "main", "shop", NULL), 2);
    ck_assert_int_eq(baseline_accept(b, "main", "shop", NULL), 0);
    struct vec r = runs(b, "shop");
    static const enum baseline_state expected[] = { BASELINE_SUSPICIOUS, BASELINE_USUAL, BASELINE_ACCEPTED,
                                                    BASELINE_ACCEPTED };
    for (size_t i = 0; i < r.len; i++)
        ck_assert_int_eq(((const struct baseline_run *)vec_at(&r, i))->state, expected[i]);
    baseline_runs_free(&r);
    baseline_close(b);
}
END_TEST

START_TEST(what_is_old_is_forgotten)
{
    struct baseline *b = opened();
    add(b, "nightly", START, BASELINE_ACCEPTED);
    for (int i = 1; i < 100; i++)
        add(b, "nightly", START + (int64_t)i * DAY, BASELINE_USUAL);
    ck_assert_uint_eq(count(b, "nightly"), BASELINE_RUNS + 1);
    for (int i = 0; i < 800; i++)
        add(b, "hourly", START + (int64_t)i * 3600, BASELINE_USUAL);
    ck_assert_uint_eq(count(b, "hourly"), 29 * 24 + 1);
    add(b, "nightly", START + (int64_t)500 * DAY, BASELINE_USUAL);
    ck_assert_uint_eq(count(b, "nightly"), BASELINE_RUNS); /* and what was accepted long ago */
    baseline_close(b);
}
END_TEST

START_TEST(a_damaged_one_begins_anew)
{
    struct baseline *b = opened();
    add(b, "shop", START, BASELINE_USUAL);
    baseline_close(b);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    for (int i = 0; i < 16; i++)
        ck_assert_int_eq(pwrite(fd, "rubbish rubbish rubbish", 23, 100 + i * 1000), 23);
    (void)close(fd);
    b = opened();
    ck_assert_uint_eq(count(b, "shop"), 0);
    ck_assert_ptr_nonnull(strstr(logged, "was damaged and is now"));
    add(b, "shop", START, BASELINE_USUAL);
    ck_assert_uint_eq(count(b, "shop"), 1);
    baseline_close(b);
}
END_TEST

/* Runs of several jobs end at the same time, and the file is not there yet. */
START_TEST(several_at_once)
{
    enum { PROCESSES = 6, EACH = 10 };
    pid_t pids[PROCESSES];
    for (int p = 0; p < PROCESSES; p++) {
        pids[p] = fork();
        ck_assert_int_ge(pids[p], 0);
        if (pids[p] == 0) {
            struct error err = ERROR_INIT;
            const struct baseline_run run = { .time = START, .ratio = -1 };
            int rc = 0;
            for (int i = 0; rc == 0 && i < EACH; i++) {
                struct baseline *b = NULL;
                rc = baseline_open(path, &b, &err);
                if (rc == 0)
                    rc = baseline_add(b, "main", "shop", &run, NULL, 0, &err);
                baseline_close(b);
            }
            if (rc < 0)
                (void)fprintf(stderr, "%s\n", err.text);
            _exit(rc == 0 ? 0 : 1);
        }
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status = 0;
        ck_assert_int_eq(waitpid(pids[p], &status, 0), pids[p]);
        ck_assert_int_eq(status, 0);
    }
    struct baseline *b = opened();
    ck_assert_uint_eq(count(b, "shop"), PROCESSES * EACH);
    baseline_close(b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state/baseline");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 300);
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, what_goes_in_comes_out);
    tcase_add_test(all, a_person_accepts);
    tcase_add_test(all, what_is_old_is_forgotten);
    tcase_add_test(all, a_damaged_one_begins_anew);
    tcase_add_test(all, several_at_once);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
