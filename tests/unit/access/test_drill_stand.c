/* How drills stand: never made, failing, stale, could not run; which there should be. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/access/drill_stand.h"
#include "common/base/banned.h"

enum { DAY = 86400 };
#define NOW INT64_C(1795867200)

static char dir[64];
static struct drills *drills;
static struct conf_job jobs[2];
static struct conf_drill wanted[2];
static struct conf conf;
static struct error err = ERROR_INIT;
static int made;

static void setup(void)
{
    char path[128];
    (void)snprintf(dir, sizeof dir, "/tmp/stand-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/" DRILLS_FILE, dir);
    ck_assert_int_eq(drills_open(path, &drills, &err), 0);
    jobs[0] = (struct conf_job){ .name = "shop", .repository = "main" };
    jobs[1] = (struct conf_job){ .name = "blog", .repository = "main" };
    wanted[0] = (struct conf_drill){ .name = "week", .job = "shop", .every_ms = UINT64_C(7) * DAY * 1000 };
    wanted[1] = (struct conf_drill){ .name = "far", .job = "elsewhere" };
    conf = (struct conf){ .jobs = jobs, .njobs = 2, .drills = wanted, .ndrills = 2 };
}

static void teardown(void)
{
    static const char *const names[] = { "", "-wal", "-shm" };
    drills_close(drills);
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/" DRILLS_FILE "%s", dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

static void drilled(const char *job, const char *drill, enum drills_verdict verdict, int days)
{
    char id[32];
    (void)snprintf(id, sizeof id, "id%d", made++);
    const struct drills_row row = { .id = id,
                                    .repository = "main",
                                    .job = job,
                                    .drill = drill,
                                    .snapshot = "",
                                    .record = "",
                                    .engine = "",
                                    .server = "",
                                    .reason = "reasons",
                                    .verdict = verdict,
                                    .finished = NOW - (int64_t)days * DAY - 60 };
    ck_assert_int_eq(drills_add(drills, &row, &err), 0);
}

static struct vec stands(bool as_status, struct drills *d)
{
    struct vec list;
    const struct drill_stand_options options = {
        .conf = &conf, .drills = d, .now = NOW, .jobs = as_status, .others = !as_status
    };
    ck_assert_msg(drill_stands(&options, &list, &err) == 0, "%s", err.text);
    return list;
}

static enum drill_trouble week(void)
{
    struct vec list = stands(false, drills);
    enum drill_trouble t = ((const struct drill_stand *)vec_at(&list, 0))->trouble;
    drill_stands_free(&list);
    return t;
}

START_TEST(one_after_the_other)
{
    struct vec list = stands(false, NULL);
    ck_assert_uint_eq(list.len, 2);
    const struct drill_stand *s = vec_at(&list, 0);
    ck_assert_int_eq(s->trouble, DRILL_NEVER);
    ck_assert_str_eq(s->repository, "main");
    ck_assert_uint_eq(s->every, 7 * DAY);
    s = vec_at(&list, 1);
    ck_assert_str_eq(s->repository, "");
    ck_assert_uint_eq(s->every, DRILL_STAND_EVERY);
    drill_stands_free(&list);
    drilled("shop", "week", DRILLS_COULD_NOT_RUN, 20);
    ck_assert_int_eq(week(), DRILL_NEVER);
    drilled("shop", "week", DRILLS_PASS, 10);
    ck_assert_int_eq(week(), DRILL_STALE);
    drilled("shop", "week", DRILLS_PASS, 6);
    ck_assert_int_eq(week(), DRILL_WELL);
    drilled("shop", "week", DRILLS_COULD_NOT_RUN, 5);
    ck_assert_int_eq(week(), DRILL_NOT_RUN);
    drilled("shop", "", DRILLS_PASS, 4); /* by hand: another drill of the same job */
    ck_assert_int_eq(week(), DRILL_NOT_RUN);
    drilled("shop", "week", DRILLS_FAIL, 3);
    ck_assert_int_eq(week(), DRILL_FAILING);
}
END_TEST

START_TEST(which_there_should_be)
{
    drilled("hand", "", DRILLS_PASS, 400);
    struct vec list = stands(false, drills);
    ck_assert_uint_eq(list.len, 3);
    const struct drill_stand *s = vec_at(&list, 2);
    ck_assert_str_eq(s->job, "hand");
    ck_assert(s->drill == NULL && s->every == 0);
    ck_assert_int_eq(s->trouble, DRILL_WELL); /* nobody said how often */
    drill_stands_free(&list);
    list = stands(true, drills);
    ck_assert_uint_eq(list.len, 2);
    drill_stands_free(&list);
    conf.ndrills = 0;
    list = stands(true, drills);
    ck_assert_uint_eq(list.len, 3);
    ck_assert_int_eq(((const struct drill_stand *)vec_at(&list, 0))->trouble, DRILL_NEVER);
    ck_assert_int_eq(((const struct drill_stand *)vec_at(&list, 2))->trouble, DRILL_STALE);
    drill_stands_free(&list);
    list = stands(false, drills);
    ck_assert_uint_eq(list.len, 1);
    drill_stands_free(&list);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("access/drill_stand");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, one_after_the_other);
    tcase_add_test(all, which_there_should_be);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
