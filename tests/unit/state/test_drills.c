/* The history of drills: what comes back, the last of each job, when one last passed. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/state/drills.h"

#include "common/base/banned.h"

static char dir[64];
static char path[128];

static void setup(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/test-drills-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/%s", dir, DRILLS_FILE);
}

static void teardown(void)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < 3; i++) {
        char name[160];
        (void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)unlink(name);
    }
    (void)rmdir(dir);
}

static struct drills_row row(const char *id, const char *job, enum drills_verdict v, int64_t finished)
{
    return (struct drills_row){ .id = id,
                                .repository = "main",
                                .job = job,
                                .verdict = v,
                                .finished = finished,
                                .rto_ms = 4200,
                                .check_ms = 17,
                                .rpo_seconds = -1,
                                .failed = 3,
                                .whole = true,
                                .signed_ = true };
}

static int first(const struct drills_row *r, void *arg)
{
    char *out = arg;
    (void)snprintf(out + strlen(out), 200 - strlen(out), "%s:%s:%s:%d:%d:%d%d%d ", r->id, r->job,
                   drills_verdict_name(r->verdict), (int)r->check_ms, (int)r->failed, r->whole, r->signed_,
                   r->stored);
    return 0;
}

START_TEST(comes_back)
{
    struct drills *d = NULL;
    struct error err = ERROR_INIT;
    char seen[200] = "";
    int64_t when = 0;
    ck_assert_int_eq(drills_open_read(path, &d, &err), E_NOT_FOUND);
    ck_assert_int_eq(drills_open(path, &d, &err), 0);
    struct drills_row a = row("a", "shop", DRILLS_PASS, 10);
    struct drills_row b = row("b", "shop", DRILLS_FAIL, 20);
    struct drills_row c = row("c", "web", DRILLS_COULD_NOT_RUN, 15);
    ck_assert_int_eq(drills_add(d, &a, &err), 0);
    ck_assert_int_eq(drills_add(d, &b, &err), 0);
    ck_assert_int_eq(drills_add(d, &c, &err), 0);
    ck_assert_int_eq(drills_add(d, &c, &err), 0);
    ck_assert_int_eq(drills_stored(d, "a", &err), 0);
    drills_close(d);
    ck_assert_int_eq(drills_open_read(path, &d, &err), 0);
    ck_assert_int_eq(drills_each(d, &(struct drills_filter){ .limit = 9 }, first, seen, &err), 0);
    ck_assert_str_eq(seen, "b:shop:fail:17:3:110 c:web:could_not_run:17:3:110 a:shop:pass:17:3:111 ");
    seen[0] = '\0';
    ck_assert_int_eq(drills_each(d, &(struct drills_filter){ .job = "shop", .limit = 1 }, first, seen, &err),
                     0);
    ck_assert_str_eq(seen, "b:shop:fail:17:3:110 ");
    seen[0] = '\0';
    ck_assert_int_eq(drills_last_per_job(d, first, seen, &err), 0);
    ck_assert_str_eq(seen, "b:shop:fail:17:3:110 c:web:could_not_run:17:3:110 ");
    ck_assert_int_eq(drills_last_pass(d, "main", "shop", NULL, &when, &err), 0);
    ck_assert_int_eq(when, 10);
    ck_assert_int_eq(drills_last_pass(d, "main", "web", NULL, &when, &err), 0);
    ck_assert_int_eq(when, 0);
    drills_close(d);
}
END_TEST

static int old(const struct drills_row *r, bool proof, void *arg)
{
    char *out = arg;
    (void)snprintf(out + strlen(out), 200 - strlen(out), "%s%s ", r->id, proof ? "!" : "");
    return 0;
}

START_TEST(old_ones_go)
{
    struct drills *d = NULL;
    struct error err = ERROR_INIT;
    char seen[200] = "";
    ck_assert_int_eq(drills_open(path, &d, &err), 0);
    struct drills_row rows[] = {
        row("a", "shop", DRILLS_PASS, 10), row("b", "shop", DRILLS_PASS, 20),
        row("c", "shop", DRILLS_FAIL, 30), row("d", "shop", DRILLS_PASS, 40),
        row("e", "web", DRILLS_PASS, 50),
    };
    rows[0].record = rows[1].record = rows[2].record = "one";
    rows[3].record = "two";
    rows[3].whole = false;
    rows[4].record = "three";
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(drills_add(d, &rows[i], &err), 0);
    ck_assert_int_eq(drills_old(d, 35, 100, old, seen, &err), 0);
    ck_assert_str_eq(seen, "a b! c ");
    seen[0] = '\0';
    ck_assert_int_eq(drills_old(d, 0, 2, old, seen, &err), 0);
    ck_assert_str_eq(seen, "a b! c ");
    seen[0] = '\0';
    ck_assert_int_eq(drills_old(d, 100, 100, old, seen, &err), 0);
    ck_assert_str_eq(seen, "a b! c d e! ");
    ck_assert_int_eq(drills_remove(d, "c", &err), 0);
    ck_assert_int_eq(drills_remove(d, "nothing", &err), 0);
    seen[0] = '\0';
    ck_assert_int_eq(drills_old(d, 100, 100, old, seen, &err), 0);
    ck_assert_str_eq(seen, "a b! d e! ");
    drills_close(d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("drills");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, comes_back);
    tcase_add_test(t, old_ones_go);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
