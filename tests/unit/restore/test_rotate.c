/* Nights of a verification that rotates: nothing waits longer than it may, and no night reads much more than its share. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "restore/rotate.h"

#include "common/base/banned.h"

enum { NAMES = 300, DAY = 86400, NIGHTS = 150 };

static char directory[64];
static char path[96];
static const uint8_t repo_id[REPO_ID_LEN] = { 1, 2, 3 };

static void setup(void)
{
    (void)snprintf(directory, sizeof directory, "%s", "/tmp/test_rotate.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(path, sizeof path, "%s/state", directory);
}

static void teardown(void)
{
    (void)unlink(path);
    ck_assert_int_eq(rmdir(directory), 0);
}

static uint64_t draw_state = 7;
static uint32_t draw(uint32_t n)
{
    draw_state = draw_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(draw_state >> 33) % n;
}

static void name_of(size_t i, char out[32])
{
    (void)snprintf(out, 32, "w/ab/pack/%08zx", i);
}

static struct rotation load(uint64_t every, uint64_t now)
{
    struct rotation r;
    struct error err = ERROR_INIT;
    ck_assert_msg(rotation_load(&r, path, repo_id, every, now, &err) == 0, "%s", err.text);
    return r;
}

static void save(struct rotation *r)
{
    ck_assert_int_eq(rotation_save(r, NULL), 0);
    rotation_free(r);
}

START_TEST(nothing_waits_too_long)
{
    static uint64_t last[NAMES];
    const uint64_t every = 30 * DAY;
    uint64_t now = UINT64_C(1800000000);
    uint64_t longest = DAY;
    char name[32];
    for (size_t i = 0; i < NAMES; i++)
        last[i] = now;
    for (int night = 0; night < NIGHTS; night++) {
        struct rotation r = load(every, now);
        size_t n = 0;
        for (size_t i = 0; i < NAMES; i++) {
            name_of(i, name);
            if (!rotation_wants(&r, name))
                continue;
            n++;
            rotation_looked(&r, name, true);
            ck_assert_msg(now - last[i] <= every + longest, "%s waited for %llu days", name,
                          (unsigned long long)(now - last[i]) / DAY);
            last[i] = now;
        }
        ck_assert_uint_lt(n, NAMES / 4);
        save(&r);
        /* A night that is late, and now and then one that is missed. */
        now += DAY - 1800 + draw(3600) + (draw(20) == 0 ? DAY : 0);
        longest = 2 * DAY + 3600;
    }
    for (size_t i = 0; i < NAMES; i++)
        ck_assert_uint_le(now - last[i], every + longest);
}
END_TEST

/* With nights that are the same, the promise is exact. */
START_TEST(even_nights_keep_the_promise)
{
    uint64_t now = UINT64_C(1800000000);
    uint64_t last[64] = { 0 };
    char name[32];
    for (int night = 0; night < 100; night++, now += DAY) {
        struct rotation r = load(7 * DAY, now);
        for (size_t i = 0; i < 64; i++) {
            name_of(i, name);
            if (!rotation_wants(&r, name))
                continue;
            if (last[i] != 0)
                ck_assert_uint_le(now - last[i], 7 * DAY);
            last[i] = now;
        }
        save(&r);
    }
    for (size_t i = 0; i < 64; i++)
        ck_assert_uint_ne(last[i], 0);
}
END_TEST

START_TEST(broken_ones_are_read_each_time)
{
    uint64_t now = UINT64_C(1800000000);
    struct rotation r = load(3600, now);
    ck_assert(rotation_wants(&r, "bad") && rotation_wants(&r, "good"));
    rotation_looked(&r, "bad", false);
    rotation_looked(&r, "good", true);
    save(&r);
    r = load(1000 * (uint64_t)DAY, now + 1);
    ck_assert_double_lt(rotation_share(&r), 0.001);
    ck_assert(rotation_wants(&r, "bad"));
    rotation_looked(&r, "bad", true);
    save(&r);
    r = load(1000 * (uint64_t)DAY, now + 2);
    ck_assert_uint_eq(r.broken.len, 0);
    rotation_free(&r);
}
END_TEST

static void write_text(const char *text)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(a_file_that_is_no_good_begins_anew)
{
    static const char *const bad[] = {
        "",
        "{}",
        "nonsense",
        "{\"version\":1,\"repository\":\"\",\"seed\":\"\",\"position\":1,\"time\":1}",
        "{\"version\":2}",
        "[1,2]"
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_text(bad[i]);
        struct rotation r = load(30 * DAY, UINT64_C(1800000000));
        ck_assert_double_lt(rotation_share(&r), 0.04);
        ck_assert_double_gt(rotation_share(&r), 0.03);
        save(&r);
    }
    /* Another repository's, and a clock that went back. */
    static const uint8_t other[REPO_ID_LEN] = { 9 };
    struct rotation r;
    ck_assert_int_eq(rotation_load(&r, path, other, 30 * DAY, UINT64_C(1800000000), NULL), 0);
    ck_assert_uint_eq(r.broken.len, 0);
    rotation_free(&r);
    r = load(30 * DAY, UINT64_C(1700000000));
    ck_assert_double_lt(rotation_share(&r), 0.04);
    rotation_free(&r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rotate");
    TCase *t = tcase_create("rotate");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, nothing_waits_too_long);
    tcase_add_test(t, even_nights_keep_the_promise);
    tcase_add_test(t, broken_ones_are_read_each_time);
    tcase_add_test(t, a_file_that_is_no_good_begins_anew);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
