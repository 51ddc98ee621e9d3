/* A session end to end over the memory backend: round trips, dedup, faults at every operation, lost caches. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/backend/fault.h"
#include "common/backend/memory.h"
#include "tests/support/world.h"

enum { BIG = 40 * 1000 * 1000 };

static uint8_t *bytes(size_t len, uint64_t seed, bool text)
{
    uint8_t *p = malloc(len + 1);
    ck_assert_ptr_nonnull(p);
    world_fill(p, len, seed, text);
    return p;
}

static void backup(struct world *w, const struct world_stream *streams, size_t n, struct session_result *r)
{
    struct error err = ERROR_INIT;
    int rc = world_backup(w, 0, streams, n, r, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
}

static void expect_equal(struct world *w, const struct world_stream *s)
{
    struct error err = ERROR_INIT;
    struct buf got = BUF_INIT;
    int rc = world_read(w, 0, s->name, &got, &err);
    ck_assert_msg(rc == 0, "%s: %s", s->name, err.text);
    ck_assert_uint_eq(got.len, s->len);
    ck_assert(s->len == 0 || memcmp(got.data, s->data, s->len) == 0);
    buf_free(&got);
}

static void expect_clean(struct world *w)
{
    struct error err = ERROR_INIT;
    char names[512];
    int rc = world_verify(w, CHECK_L3, names, sizeof names, &err);
    ck_assert_msg(rc == 0, "verify: %d %s %s", rc, names, err.text);
}

START_TEST(round_trip)
{
    struct world w;
    struct session_result r;
    uint8_t *a = bytes(3000000, 1, true);
    uint8_t *b = bytes(5000, 2, false);
    uint8_t *c = bytes(4096 * 700, 3, true);
    struct world_stream s[] = {
        { "db/orders", a, 3000000, 0, false }, { "db/small", b, 5000, 0, false },
        { "db/empty", b, 0, 0, false },        { "pages.db", c, 4096 * 700, 4096, false },
        { "secret", b, 5000, 0, true },        { "one", b, 1, 0, false },
    };
    world_init(&w, backend_memory(NULL), 1);
    backup(&w, s, 6, &r);
    ck_assert_uint_eq(r.seq, 1);
    ck_assert_uint_eq(r.streams, 6);
    ck_assert_uint_eq(r.packs, 1);
    for (size_t i = 0; i < 6; i++)
        expect_equal(&w, &s[i]);
    expect_clean(&w);
    world_free(&w);
    free(a);
    free(b);
    free(c);
}
END_TEST

START_TEST(second_night_is_small)
{
    struct world w;
    struct session_result first, again, changed;
    uint8_t *a = bytes(BIG, 7, true);
    struct world_stream s[] = { { "a", a, BIG, 0, false }, { "b", a + 1000, 4096 * 2000, 4096, false } };
    world_init(&w, backend_memory(NULL), 1);
    backup(&w, s, 2, &first);
    backup(&w, s, 2, &again);
    ck_assert_uint_eq(again.fresh, 0);
    ck_assert_uint_le(again.stored, 2 * 65536);
    a[BIG / 2] ^= 1;
    backup(&w, s, 2, &changed);
    ck_assert_uint_le(changed.fresh, 20000);
    expect_equal(&w, &s[0]);
    expect_equal(&w, &s[1]);
    expect_clean(&w);
    world_free(&w);
    free(a);
}
END_TEST

/* Bytes that are new when 100 of a stream's bytes, all over it, are others. */
static uint64_t fresh_after_changes(struct world *w, const char *name, uint32_t chunk_avg, uint64_t seed)
{
    enum { LEN = 4000000, CHANGES = 100 };
    struct session_result r;
    uint8_t *a = bytes(LEN, seed, true);
    uint8_t *b = bytes(5000, seed + 1, true);
    struct world_stream s[] = { { "pages", b, 5000, 4096, false }, { name, a, LEN, 0, false } };
    w->chunk_avg = chunk_avg;
    backup(w, s, 2, &r);
    for (size_t i = 0; i < CHANGES; i++)
        a[i * (LEN / CHANGES) + 777] ^= 1;
    backup(w, s, 2, &r);
    expect_equal(w, &s[1]);
    expect_clean(w);
    free(a);
    free(b);
    return r.fresh;
}

START_TEST(each_stream_has_its_chunk_size)
{
    struct world w;
    struct error err = ERROR_INIT;
    struct session_result r;
    world_init(&w, backend_memory(NULL), 1);
    uint64_t usual = fresh_after_changes(&w, "usual", 0, 11);
    uint64_t two = fresh_after_changes(&w, "two", 2048, 21);
    uint64_t one = fresh_after_changes(&w, "one", 1024, 31);
    uint64_t eight = fresh_after_changes(&w, "eight", 8192, 41);
    ck_assert_msg(one * 10 < two * 7 && two * 2 < eight, "%llu, %llu, %llu", (unsigned long long)one,
                  (unsigned long long)two, (unsigned long long)eight);
    ck_assert_msg(usual * 10 < two * 13 && two * 10 < usual * 13, "%llu, %llu", (unsigned long long)usual,
                  (unsigned long long)two);
    struct world_stream bad = { "bad", (const uint8_t *)"x", 1, 0, false };
    w.chunk_avg = 100;
    ck_assert_int_lt(world_backup(&w, 0, &bad, 1, &r, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "average chunk size 100"));
    world_free(&w);
}
END_TEST

START_TEST(many_small_streams)
{
    enum { N = 3000 };
    struct world w;
    struct session_result r;
    char(*names)[16] = calloc(N, sizeof *names);
    struct world_stream *s = calloc(N, sizeof *s);
    uint8_t *a = bytes(N * 200, 5, true);
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(names[i], sizeof names[i], "t/%05zu", i);
        s[i] = (struct world_stream){ names[i], a + i * 200, 200, 0, false };
    }
    world_init(&w, backend_memory(NULL), 1);
    backup(&w, s, N, &r);
    expect_equal(&w, &s[0]);
    expect_equal(&w, &s[N - 1]);
    backup(&w, s, N, &r);
    ck_assert_uint_eq(r.fresh, 0);
    expect_clean(&w);
    world_free(&w);
    free(a);
    free(s);
    free(names);
}
END_TEST

/* Whatever operation fails, in whatever way: nothing false is published, and the next run succeeds. */
static void sweep(enum fault_kind kind, int code, unsigned long step)
{
    enum { LESS = 300000, ALL = 450000 };
    uint8_t *a = bytes(ALL, 11, true);
    uint8_t *b = bytes(ALL, 12, false);
    struct world_stream s[] = { { "a", a, ALL, 0, false }, { "b", b, ALL, 4096, false } };
    bool fired = true;
    for (unsigned long at = 1; fired && at < 400; at += step) {
        struct world w;
        struct error err = ERROR_INIT;
        struct session_result r;
        struct fault_plan plan = { .kind = kind, .at = at, .code = code };
        world_init(&w, backend_memory(NULL), 1);
        s[0].len = LESS;
        backup(&w, s, 1, &r);
        s[0].len = ALL;
        struct backend *faulty = backend_fault(backend_clone(w.backend, &err), &plan, &err);
        ck_assert_ptr_nonnull(faulty);
        int rc = world_backup_on(&w, faulty, 0, s, 2, &r, &err);
        backend_close(faulty);
        fired = plan.fired;
        if (kind != FAULT_LIE)
            expect_clean(&w);
        if (rc < 0)
            error_clear(&err);
        rc = world_backup(&w, 0, s, 2, &r, &err);
        ck_assert_msg(rc == 0, "fault %d at %lu: the next run failed: %s", (int)kind, at, err.text);
        expect_equal(&w, &s[0]);
        expect_equal(&w, &s[1]);
        world_free(&w);
    }
    ck_assert_msg(!fired, "the plan still fires after 400 operations");
    free(a);
    free(b);
}

START_TEST(fails_anywhere)
{
    sweep(FAULT_FAIL, E_IO, 1);
}
END_TEST

START_TEST(no_space_anywhere)
{
    sweep(FAULT_FAIL, E_NO_SPACE, 1);
}
END_TEST

START_TEST(cut_anywhere)
{
    sweep(FAULT_CUT, E_RETRY, 1);
}
END_TEST

START_TEST(lost_acknowledgement_anywhere)
{
    sweep(FAULT_LOST_ACK, E_RETRY, 1);
}
END_TEST

START_TEST(dies_anywhere)
{
    sweep(FAULT_DEAD, E_IO, 1);
}
END_TEST

START_TEST(lost_cache_is_rebuilt)
{
    struct world w;
    struct session_result r;
    uint8_t *a = bytes(4000000, 21, true);
    struct world_stream s[] = { { "a", a, 4000000, 0, false } };
    world_init(&w, backend_memory(NULL), 1);
    backup(&w, s, 1, &r);
    world_forget_state(&w, 0);
    backup(&w, s, 1, &r);
    ck_assert_uint_eq(r.fresh, 0);
    expect_equal(&w, &s[0]);
    expect_clean(&w);
    world_free(&w);
    free(a);
}
END_TEST

START_TEST(missing_pack_is_stored_again)
{
    struct world w;
    struct session_result r;
    struct error err = ERROR_INIT;
    char name[NAME_TEXT_MAX];
    char names[256];
    uint8_t *a = bytes(4000000, 22, true);
    struct world_stream s[] = { { "a", a, 4000000, 0, false } };
    world_init(&w, backend_memory(NULL), 1);
    backup(&w, s, 1, &r);
    name_pack(name, w.writers[0].writer_id, r.session, 0, 0);
    ck_assert_int_eq(memory_replace(w.backend, name, NULL, 0, &err), 0);
    ck_assert_int_gt(world_verify(&w, CHECK_L0, names, sizeof names, &err), 0);
    ck_assert_str_eq(names, ERR_PACK_MISSING);
    backup(&w, s, 1, &r);
    ck_assert_uint_eq(r.fresh, 4000000);
    expect_equal(&w, &s[0]);
    world_free(&w);
    free(a);
}
END_TEST

START_TEST(one_session_at_a_time)
{
    struct world w;
    char state[WORLD_PATH_MAX];
    struct error err = ERROR_INIT;
    struct session *first = NULL, *second = NULL;
    world_init(&w, backend_memory(NULL), 1);
    struct session_options o = {
        .backend = w.backend, .keys = &w.writers[0], .state_dir = world_state(&w, 0, state), .label = "job"
    };
    ck_assert_int_eq(session_begin(&o, &first, &err), 0);
    ck_assert_int_eq(session_begin(&o, &second, &err), E_BUSY);
    session_free(first);
    ck_assert_int_eq(session_begin(&o, &second, &err), 0);
    session_free(second);
    world_free(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo session");
    TCase *tc = tcase_create("session");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, round_trip);
    tcase_add_test(tc, second_night_is_small);
    tcase_add_test(tc, each_stream_has_its_chunk_size);
    tcase_add_test(tc, many_small_streams);
    tcase_add_test(tc, lost_cache_is_rebuilt);
    tcase_add_test(tc, missing_pack_is_stored_again);
    tcase_add_test(tc, one_session_at_a_time);
    tcase_add_test(tc, fails_anywhere);
    tcase_add_test(tc, no_space_anywhere);
    tcase_add_test(tc, cut_anywhere);
    tcase_add_test(tc, lost_acknowledgement_anywhere);
    tcase_add_test(tc, dies_anywhere);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
