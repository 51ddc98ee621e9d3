/* The queue of notices: order, limits, what has been told, files that are damaged. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/state/notices.h"
#include "common/base/banned.h"

static char dir[64];
static char path[96];
static struct notices *q;
static struct error err = ERROR_INIT;

static void setup(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/notices-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/notices.db", dir);
    ck_assert_msg(notices_open(path, &q, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    notices_close(q);
    static const char *const ends[] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < 3; i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)unlink(name);
    }
    (void)rmdir(dir);
}

static uint64_t put(const char *channel, const char *job, const char *text, int64_t at)
{
    uint64_t dropped = 0;
    const struct notice n = { .uid = "00",
                              .channel = channel,
                              .event = "failure",
                              .job = job,
                              .subject = "s",
                              .text = text,
                              .body = "{}",
                              .created = at };
    ck_assert_msg(notices_put(q, &n, &dropped, &err) == 0, "%s", err.text);
    return dropped;
}

struct seen {
    size_t n;
    int64_t id[16];
    char text[256];
    char error[64];
    unsigned tries;
};

static int collect(const struct notice *n, void *arg)
{
    struct seen *s = arg;
    size_t used = strlen(s->text);
    if (s->n < 16)
        s->id[s->n] = n->id;
    s->n++;
    s->tries = n->tries;
    (void)snprintf(s->error, sizeof s->error, "%s", n->error);
    (void)snprintf(s->text + used, sizeof s->text - used, "%s ", n->text);
    return 0;
}

static struct seen listed(const char *channel, int64_t now)
{
    struct seen s = { 0 };
    ck_assert_msg(notices_list(q, channel, now, collect, &s, &err) == 0, "%s", err.text);
    return s;
}

static int64_t wake(const char *channel)
{
    int64_t at = 0;
    ck_assert_int_eq(notices_wake(q, channel, &at, &err), 0);
    return at;
}

START_TEST(order)
{
    put("a", "x", "one", 100);
    put("a", "x", "two", 101);
    put("b", "x", "other", 102);
    struct seen s = listed("a", 100);
    ck_assert_str_eq(s.text, "one two ");
    ck_assert_uint_eq(listed(NULL, 102).n, 3);
    ck_assert_int_eq(wake("a"), 100);
    ck_assert_int_eq(wake("c"), INT64_MAX);
    /* The channel fails: nothing of it is due before, and the next one does not overtake. */
    ck_assert_int_eq(notices_failed(q, s.id[0], 500, false, "down", &err), 0);
    ck_assert_int_eq(wake("a"), 500);
    put("a", "x", "three", 200);
    ck_assert_int_eq(wake("a"), 200);
    s = listed("a", 200);
    ck_assert_str_eq(s.text, "one two three ");
    ck_assert_int_eq(wake("b"), 102);
    /* One that is refused waits by itself. */
    ck_assert_int_eq(notices_failed(q, s.id[0], 900, true, "no", &err), 0);
    ck_assert_str_eq(listed("a", 200).text, "two three ");
    ck_assert_str_eq(listed("a", 900).text, "one two three ");
    /* What works wakes the others. */
    ck_assert_int_eq(notices_sent(q, s.id[2], 300, &err), 0);
    ck_assert_int_eq(wake("a"), 300);
    ck_assert_int_eq(notices_defer(q, "a", 1000, &err), 0);
    ck_assert_int_eq(wake("a"), 1000);
    ck_assert_int_eq(notices_no_later(q, 1001, &err), 0);
    ck_assert_int_eq(wake("a"), 1000);
    ck_assert_int_eq(notices_no_later(q, 700, &err), 0);
    ck_assert_int_eq(wake("a"), 700);
    struct seen one = { 0 };
    ck_assert_int_eq(notices_get(q, s.id[0], collect, &one, &err), 0);
    ck_assert_uint_eq(one.tries, 2);
    ck_assert_str_eq(one.error, "no");
    struct seen gone = { 0 };
    ck_assert_int_eq(notices_get(q, s.id[2], collect, &gone, &err), 0);
    ck_assert_uint_eq(gone.n, 0);
}
END_TEST

START_TEST(limits)
{
    uint64_t dropped = 0;
    ck_assert_int_eq(notices_begin(q, &err), 0);
    for (int64_t i = 0; i < NOTICES_MAX + 3; i++)
        dropped += put("a", "x", i < 3 ? "old" : "new", i);
    put("b", "x", "other", 0);
    ck_assert_int_eq(notices_end(q, 0, &err), 0);
    ck_assert_uint_eq(dropped, 3);
    struct seen s = listed("a", INT64_MAX);
    ck_assert_uint_eq(s.n, NOTICES_MAX);
    ck_assert_ptr_null(strstr(s.text, "old"));
    ck_assert_int_eq(notices_expire(q, "a", "start", 100, &err), 0);
    ck_assert_int_eq(notices_expire(q, "a", NULL, 100, &err), 97);
    ck_assert_uint_eq(listed("b", 0).n, 1);
    char *big = mem_alloc(NOTICES_BODY_MAX + 2, 1, NULL);
    memset(big, 'x', NOTICES_BODY_MAX + 1);
    const struct notice n = {
        .uid = "", .channel = "b", .event = "", .job = "", .subject = "", .text = "", .body = big
    };
    ck_assert_int_eq(notices_put(q, &n, &dropped, &err), E_USAGE);
    free(big);
    ck_assert_int_eq(notices_supersede(q, "b", "y", &err), 0);
    ck_assert_uint_eq(listed("b", 0).n, 1);
    ck_assert_int_eq(notices_supersede(q, "b", "x", &err), 0);
    ck_assert_uint_eq(listed("b", 0).n, 0);
    static const char *const known[] = { "b", "c" };
    ck_assert_int_eq(notices_only(q, known, 2, &err), NOTICES_MAX - 97);
    ck_assert_int_eq(notices_only(q, known, 2, &err), 0);
}
END_TEST

static int see(const char *reason, int64_t now, struct notice_told *told)
{
    const struct notice_seen seen = {
        .channel = "a", .job = "x", .kind = "trouble", .reason = reason, .now = now, .repeat_after = 100
    };
    return notices_seen(q, &seen, told, &err);
}

START_TEST(told)
{
    struct notice_told t;
    ck_assert_int_eq(see("no answer after 31 s", 1000, &t), 1);
    ck_assert_int_eq(t.since, 1000);
    ck_assert_int_eq(see("no answer after 7 s", 1050, &t), 0);
    ck_assert_uint_eq(t.count, 2);
    ck_assert_int_eq(see("another", 1051, &t), 1);
    ck_assert_int_eq(see("no answer after 31 s", 1099, &t), 0);
    ck_assert_int_eq(see("no answer after 31 s", 1100, &t), 1);
    ck_assert_int_eq(t.since, 1000);
    ck_assert_uint_eq(t.count, 4);
    /* A clock that was set back silences nobody. */
    ck_assert_int_eq(see("no answer after 31 s", 500, &t), 1);
    ck_assert_int_eq(notices_over(q, "b", "x", "trouble", &t, &err), 0);
    ck_assert_int_eq(notices_over(q, "a", "x", "trouble", &t, &err), 1);
    ck_assert_int_eq(t.since, 1000);
    ck_assert_uint_eq(t.count, 6);
    ck_assert_int_eq(notices_over(q, "a", "x", "trouble", &t, &err), 0);
    ck_assert_int_eq(see("no answer after 31 s", 501, &t), 1);
    /* Nothing of what is begun and fails. */
    ck_assert_int_eq(notices_begin(q, &err), 0);
    ck_assert_int_eq(see("third", 600, &t), 1);
    ck_assert_int_eq(notices_end(q, E_IO, &err), E_IO);
    ck_assert_int_eq(see("third", 601, &t), 1);
    ck_assert_uint_eq(t.count, 1);
}
END_TEST

/* A program that fails in a new way each time does not fill the disk. */
START_TEST(many_reasons)
{
    struct notice_told t;
    char reason[64];
    ck_assert_int_eq(notices_begin(q, &err), 0);
    for (int i = 0; i < NOTICES_TOLD_MAX + 5; i++) {
        for (int k = 0; k < 20; k++)
            reason[k] = (char)('a' + ((i >> k) & 1));
        reason[20] = '\0';
        ck_assert_int_eq(see(reason, 1000 + i, &t), 1);
    }
    ck_assert_int_eq(notices_end(q, 0, &err), 0);
    ck_assert_int_eq(notices_over(q, "a", "x", "trouble", &t, &err), 1);
    ck_assert_uint_eq(t.count, NOTICES_TOLD_MAX);
    ck_assert_int_eq(t.since, 1005);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state/notices");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_set_timeout(all, 120);
    tcase_add_test(all, order);
    tcase_add_test(all, limits);
    tcase_add_test(all, told);
    tcase_add_test(all, many_reasons);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
