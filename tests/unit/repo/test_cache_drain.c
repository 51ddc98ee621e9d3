/* What a job leaves behind: what counts as used, how much of it a night takes, and when not. */
#include "tests/unit/repo/cache_help.h"

#include "common/base/banned.h"

enum { PACK = 3000, BIG = 60000 }; /* contents; about 6 MiB, and 120 MiB */

static struct help *h;
static uint64_t *rows;

static void setup(void)
{
    h = help_new(NULL);
    h->blob_limit = 512 * 1024;
    rows = calloc(BIG, sizeof *rows);
    ck_assert_ptr_nonnull(rows);
    for (size_t i = 0; i < BIG; i++)
        rows[i] = i + 1;
}

static void teardown(void)
{
    free(rows);
    help_free(h);
}

struct seen { /* of one night */
    uint64_t fresh, logical;
    struct cache_again again;
    struct map packs; /* session -> nothing */
};

static struct seen night_begin(const char *job)
{
    help_reopen(h); /* what counts comes from the journal */
    help_begin(h);
    OK(cache_drain_begin(h->c, job, err));
    return (struct seen){ .fresh = h->sent, .packs = MAP_OF(sizeof(uint32_t), sizeof(bool)) };
}

static void put(struct seen *s, const uint64_t *contents, size_t n)
{
    OK(cache_stream_begin(h->c, "rows", err));
    h->has_last = false;
    for (size_t i = 0; i < n; i++) {
        struct cache_pack_name in = { .session = h->session };
        help_put(h, contents[i]);
        OK(cache_drain_use(h->c, &h->last, err));
        (void)cache_pack_of(h->c, h->last.blob, &in);
        MUST(map_put(&s->packs, &in.session, NULL, NULL) != NULL);
        s->logical += h->last.length;
    }
    OK(cache_stream_end(h->c, err));
}

static void night_end(struct seen *s, uint32_t seq)
{
    help_flush_blob(h);
    help_flush_pack(h);
    s->again = cache_stored_again(h->c);
    OK(cache_drain_end(h->c, s->logical, err));
    help_commit(h, seq);
    s->fresh = h->sent - s->fresh;
}

static struct seen night(const char *job, uint32_t seq, const uint64_t *contents, size_t n)
{
    struct seen s = night_begin(job);
    put(&s, contents, n);
    night_end(&s, seq);
    return s;
}

static bool uses(struct seen *s, uint32_t session)
{
    return map_get(&s->packs, &session) != NULL;
}

static uint64_t length_of(const uint64_t *contents, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += help_len(contents[i]);
    return sum;
}

START_TEST(one_live_chunk_drains_and_the_pack_is_free)
{
    struct seen first = night("job", 1, rows, PACK);
    ck_assert(uses(&first, 1));
    for (size_t i = 1; i < PACK; i++) /* all but one */
        rows[i] += 1000000;
    struct seen second = night("job", 2, rows, PACK);
    ck_assert(uses(&second, 1));
    ck_assert_uint_eq(second.again.drain, 0);
    struct seen third = night("job", 3, rows, PACK);
    ck_assert(!uses(&third, 1));
    ck_assert_uint_eq(third.again.drain, help_len(rows[0]));
    ck_assert_uint_eq(third.fresh, help_len(rows[0]));
    struct seen fourth = night("job", 4, rows, PACK);
    ck_assert(!uses(&fourth, 1));
    ck_assert_uint_eq(fourth.fresh, 0);
    map_free(&first.packs);
    map_free(&second.packs);
    map_free(&third.packs);
    map_free(&fourth.packs);
}
END_TEST

START_TEST(more_than_half_stays)
{
    struct seen s = night("job", 1, rows, PACK);
    for (size_t i = 0; i < PACK; i += 3) /* a third changes, all over the blobs */
        rows[i] += 1000000;
    for (uint32_t n = 2; n <= 4; n++) {
        map_free(&s.packs);
        s = night("job", n, rows, PACK);
        ck_assert(uses(&s, 1));
        ck_assert_uint_eq(s.again.drain, 0);
    }
    map_free(&s.packs);
}
END_TEST

/* Every chunk of the third that is left, three times: each byte counts once. */
START_TEST(what_is_used_often_counts_once)
{
    struct seen s = night("job", 1, rows, PACK);
    map_free(&s.packs);
    uint64_t third[PACK / 3];
    for (size_t i = 0; i < PACK / 3; i++)
        third[i] = rows[i * 3 + 1];
    s = night_begin("job");
    for (int i = 0; i < 3; i++)
        put(&s, third, PACK / 3);
    night_end(&s, 2);
    ck_assert_uint_eq(s.fresh, 0);
    map_free(&s.packs);
    s = night("job", 3, third, PACK / 3);
    ck_assert_uint_gt(s.again.drain, 0);
    ck_assert_uint_eq(s.again.drain, s.fresh);
    map_free(&s.packs);
}
END_TEST

START_TEST(in_any_order)
{
    struct seen s = night("job", 1, rows, PACK);
    map_free(&s.packs);
    uint64_t mixed[PACK];
    for (size_t i = 0; i < PACK; i++)
        mixed[i] = rows[i * 1009 % PACK]; /* all of them, from all blobs at once */
    for (uint32_t n = 2; n <= 3; n++) {
        s = night("job", n, mixed, PACK);
        ck_assert_uint_eq(s.fresh, 0);
        map_free(&s.packs);
    }
}
END_TEST

START_TEST(a_night_takes_a_twentieth)
{
    struct seen s = night("job", 1, rows, BIG);
    map_free(&s.packs);
    for (size_t i = 0; i < BIG; i++) /* 40 % of it is left in every blob */
        if (i % 5 < 3)
            rows[i] += 1000000;
    s = night("job", 2, rows, BIG);
    map_free(&s.packs);
    uint64_t moved = 0;
    for (uint32_t n = 3; n <= 10; n++) {
        s = night("job", n, rows, BIG);
        ck_assert_uint_eq(s.fresh, s.again.drain);
        ck_assert_uint_le(s.again.drain, s.logical / 20);
        ck_assert_uint_gt(s.again.drain, s.logical / 25);
        moved += s.again.drain;
        map_free(&s.packs);
    }
    for (uint32_t n = 11; n <= 14; n++) { /* and it ends */
        s = night("job", n, rows, BIG);
        moved += s.again.drain;
        map_free(&s.packs);
    }
    ck_assert_uint_eq(s.fresh, 0);
    uint64_t left = 0;
    for (size_t i = 0; i < BIG; i++)
        left += rows[i] <= BIG ? help_len(rows[i]) : 0;
    ck_assert_uint_le(moved, left);
    ck_assert_uint_gt(moved, left / 10 * 9);
}
END_TEST

/* The first half of the blobs has 45 % left, the second 10 %. */
START_TEST(the_emptiest_go_first)
{
    struct seen s = night("job", 1, rows, BIG);
    map_free(&s.packs);
    for (size_t i = 0; i < BIG; i++)
        if (i % 100 >= (i < BIG / 2 ? 45 : 10))
            rows[i] += 1000000;
    s = night("job", 2, rows, BIG);
    map_free(&s.packs);
    struct cache_hit before[BIG / 100];
    for (size_t i = 0; i < BIG / 100; i++)
        ck_assert_int_eq(help_find(h, rows[i * 100], &before[i]), 1);
    s = night("job", 3, rows, BIG);
    map_free(&s.packs);
    s = night_begin("job");
    size_t moved[2] = { 0, 0 };
    for (size_t i = 0; i < BIG / 100; i++) {
        struct cache_hit now;
        /* Not found: it is what night 4 leaves behind. */
        if (help_find(h, rows[i * 100], &now) == 1)
            moved[i < BIG / 200 ? 0 : 1] += now.blob != before[i].blob;
    }
    map_free(&s.packs);
    cache_session_abort(h->c);
    ck_assert_uint_gt(moved[1], BIG / 200 / 10 * 9);
    ck_assert_uint_lt(moved[0], BIG / 200 / 10);
}
END_TEST

START_TEST(another_jobs_share_counts)
{
    struct seen s = night("a", 1, rows, PACK);
    map_free(&s.packs);
    uint64_t *fourth = rows, *rest = rows + PACK;
    size_t nfourth = 0, nrest = 0;
    for (size_t i = 0; i < PACK; i++) { /* 2 of 5 stay with a, 3 are used by b */
        uint64_t content = i + 1;
        if (i % 5 < 2)
            fourth[nfourth++] = content;
        else
            rest[nrest++] = content;
    }
    s = night("b", 2, rest, nrest);
    map_free(&s.packs);
    for (uint32_t n = 3; n <= 5; n++) {
        s = night("a", n, fourth, nfourth);
        ck_assert_uint_eq(s.fresh, 0);
        map_free(&s.packs);
    }
    /* b has left: now it is sparse, for a alone. */
    s = night("b", 6, rest, 1);
    map_free(&s.packs);
    s = night("a", 7, fourth, nfourth);
    map_free(&s.packs);
    s = night("a", 8, fourth, nfourth);
    ck_assert_uint_gt(s.again.drain, 0);
    map_free(&s.packs);
    s = night("c", 9, fourth, nfourth); /* whoever left nothing behind finds either copy */
    ck_assert_uint_eq(s.fresh, 0);
    map_free(&s.packs);
}
END_TEST

START_TEST(a_night_without_a_commit_changes_nothing)
{
    struct seen s = night("job", 1, rows, PACK);
    map_free(&s.packs);
    s = night_begin("job");
    put(&s, rows, 1);
    OK(cache_drain_end(h->c, s.logical, err));
    cache_session_abort(h->c);
    map_free(&s.packs);
    s = night("job", 2, rows, PACK);
    ck_assert_uint_eq(s.fresh, 0);
    map_free(&s.packs);
}
END_TEST

/* A node is used as a whole; what is sparse is the pack. */
START_TEST(nodes_leave_packs_that_are_hardly_used)
{
    enum { NODES = 6, LEN = 1000 };
    uint8_t id[CHUNK_ID_LEN];
    for (uint32_t n = 1; n <= 3; n++) {
        struct seen s = night_begin("job");
        uint64_t stored = 0;
        for (uint64_t i = 0; i < (n == 1 ? NODES : 1); i++) {
            struct cache_hit hit = { .length = LEN };
            help_id(5000 + i, id);
            int rc = cache_lookup(h->c, id, LEN, BLOB_NODE, NULL, &hit, NULL);
            ck_assert_int_ge(rc, 0);
            if (rc == 0) {
                OK(cache_blob_begin(h->c, BLOB_NODE, &hit.blob, err));
                OK(cache_blob_chunk(h->c, hit.blob, id, LEN, err));
                struct blob_ref ref = help_place(h->session, h->idx, hit.blob, LEN);
                OK(cache_blob_place(h->c, hit.blob, &ref, err));
                h->waiting[h->nwaiting++] = hit.blob;
                stored += LEN;
            }
            OK(cache_drain_use(h->c, &(struct cache_hit){ .blob = hit.blob, .length = LEN }, err));
            s.logical += LEN;
        }
        night_end(&s, n);
        ck_assert_uint_eq(stored, n == 1 ? NODES * LEN : n == 2 ? 0 : LEN);
        map_free(&s.packs);
    }
}
END_TEST

START_TEST(sampled_too)
{
    help_free(h);
    h = help_new(&(struct cache_limits){ .exact_chunks = 1 });
    h->blob_limit = 512 * 1024;
    struct seen s = night("job", 1, rows, PACK);
    map_free(&s.packs);
    for (size_t i = 0; i < PACK; i++)
        if (i % 10 != 0)
            rows[i] += 1000000;
    uint64_t left = 0;
    for (size_t i = 0; i < PACK; i += 10)
        left += help_len(rows[i]);
    for (uint32_t n = 2; n <= 3; n++) {
        s = night("job", n, rows, PACK);
        map_free(&s.packs);
    }
    s = night("job", 4, rows, PACK);
    ck_assert(!uses(&s, 1));
    ck_assert_uint_eq(s.fresh, 0);
    ck_assert_uint_gt(h->sent, length_of(rows, PACK) + left);
    map_free(&s.packs);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo/cache_drain");
    TCase *tc = tcase_create("drain");
    tcase_set_timeout(tc, 300);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, one_live_chunk_drains_and_the_pack_is_free);
    tcase_add_test(tc, more_than_half_stays);
    tcase_add_test(tc, what_is_used_often_counts_once);
    tcase_add_test(tc, in_any_order);
    tcase_add_test(tc, a_night_takes_a_twentieth);
    tcase_add_test(tc, the_emptiest_go_first);
    tcase_add_test(tc, another_jobs_share_counts);
    tcase_add_test(tc, a_night_without_a_commit_changes_nothing);
    tcase_add_test(tc, nodes_leave_packs_that_are_hardly_used);
    tcase_add_test(tc, sampled_too);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
