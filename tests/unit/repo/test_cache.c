/* The cache call by call: which copy is found, numbers and places, sessions, packs, streams. */
#include "tests/unit/repo/cache_help.h"

#include "common/base/banned.h"

static struct help *h;
static struct error failure;

static void setup(void)
{
    h = help_new(NULL);
    error_clear(&failure);
}

static void teardown(void)
{
    help_free(h);
}

/* Contents from..to as one stream. */
static void stream(const char *name, uint64_t from, uint64_t to)
{
    h->has_last = false;
    OK(cache_stream_begin(h->c, name, err));
    for (uint64_t i = from; i < to; i++)
        help_put(h, i);
    OK(cache_stream_end(h->c, err));
}

/* Blob with these contents, whatever the cache knows already; placed in the next pack. */
static uint32_t blob_of(const uint64_t *contents, size_t n)
{
    struct cache_hit hit;
    uint32_t limit = h->blob_limit;
    h->blob_limit = UINT32_MAX;
    for (size_t i = 0; i < n; i++)
        help_store(h, contents[i], &hit);
    help_flush_blob(h);
    h->blob_limit = limit;
    return hit.blob;
}

START_TEST(a_match_is_id_length_and_kind)
{
    struct cache_hit hit;
    uint8_t id[CHUNK_ID_LEN];
    uint32_t node;
    help_begin(h);
    ck_assert_int_eq(help_find(h, 1, &hit), 0);
    help_store(h, 1, &hit);
    for (int round = 0; round < 2; round++) { /* in the open blob, and after a restart */
        help_id(1, id);
        ck_assert_int_eq(help_find(h, 1, &hit), 1);
        ck_assert_int_eq(cache_lookup(h->c, id, help_len(1) + 1, BLOB_DATA, NULL, &hit, &failure), 0);
        ck_assert_int_eq(cache_lookup(h->c, id, help_len(1), BLOB_NODE, NULL, &hit, &failure), 0);
        for (size_t i = 0; i < CHUNK_ID_LEN; i++) {
            id[i] ^= 1;
            ck_assert_int_eq(cache_lookup(h->c, id, help_len(1), BLOB_DATA, NULL, &hit, &failure), 0);
            id[i] ^= 1;
        }
        if (round == 0) {
            help_commit(h, 1);
            help_reopen(h);
        }
    }
    help_begin(h);
    OK(cache_blob_begin(h->c, BLOB_NODE, &node, err));
    OK(cache_blob_chunk(h->c, node, id, NODE_PLAIN_MAX, err));
    ck_assert_int_eq(cache_lookup(h->c, id, NODE_PLAIN_MAX, BLOB_NODE, NULL, &hit, &failure), 1);
    ck_assert_uint_eq(hit.blob, node);
    ck_assert_int_eq(cache_lookup(h->c, id, NODE_PLAIN_MAX, BLOB_DATA, NULL, &hit, &failure), 0);
    cache_session_abort(h->c);
}
END_TEST

START_TEST(which_copy_is_found)
{
    static const uint64_t first[] = { 1, 2, 3, 4 }, second[] = { 9, 2, 3, 8 }, third[] = { 2, 3, 2, 4 };
    struct cache_hit hit, next;
    uint8_t id[CHUNK_ID_LEN];
    help_begin(h);
    uint32_t a = blob_of(first, 4), b = blob_of(second, 4), c = blob_of(third, 4);
    OK(cache_stream_begin(h->c, "s", err));
    OK(cache_stream_use(h->c, b, err));
    OK(cache_stream_end(h->c, err));
    help_commit(h, 1);
    for (int round = 0; round < 2; round++) {
        /* The first, without anything else to say. */
        ck_assert_int_eq(help_find(h, 2, &hit), 1);
        ck_assert_uint_eq(hit.blob, a);
        /* The one that continues the previous extent. */
        static const uint64_t contents[] = { 1, 9, 2 };
        const uint32_t blobs[] = { a, b, c };
        for (size_t i = 0; i < 3; i++) {
            help_id(2, id);
            struct cache_hit before = { .blob = blobs[i], .offset = 0, .length = help_len(contents[i]) };
            if (i == 2)
                before.length = 0;
            ck_assert_int_eq(cache_lookup(h->c, id, help_len(2), BLOB_DATA, &before, &next, &failure), 1);
            ck_assert_uint_eq(next.blob, blobs[i]);
            help_check_hit(h, &next, 2);
            help_id(3, id);
            ck_assert_int_eq(cache_lookup(h->c, id, help_len(3), BLOB_DATA, &next, &next, &failure), 1);
            ck_assert_uint_eq(next.blob, blobs[i]);
            help_check_hit(h, &next, 3);
        }
        /* Twice in one blob: the second one, if that continues. */
        help_id(2, id);
        ck_assert_int_eq(cache_lookup(h->c, id, help_len(2), BLOB_DATA, &next, &hit, &failure), 1);
        ck_assert_uint_eq(hit.offset, help_len(2) + help_len(3));
        /* The one of the stream's last snapshot. */
        OK(cache_stream_begin(h->c, "s", err));
        ck_assert_int_eq(help_find(h, 2, &hit), 1);
        ck_assert_uint_eq(hit.blob, b);
        OK(cache_stream_end(h->c, err));
        OK(cache_stream_begin(h->c, "other", err));
        ck_assert_int_eq(help_find(h, 2, &hit), 1);
        ck_assert_uint_eq(hit.blob, a);
        OK(cache_stream_end(h->c, err));
        if (round == 0) {
            help_reopen(h);
            for (uint64_t i = 1; i < 10; i += 7) /* so that all three are in memory, as before */
                ck_assert_int_eq(help_find(h, i, &hit), 1);
        }
    }
}
END_TEST

START_TEST(numbers_and_places)
{
    struct blob_ref ref;
    uint32_t n;
    help_begin(h);
    stream("a", 0, 200);
    ck_assert(h->open);
    ck_assert_int_eq(cache_ref(h->c, h->blob, &ref, &failure), 0); /* no place yet */
    n = h->blob;
    help_commit(h, 1);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i <= n; i++) {
            ck_assert_int_eq(cache_ref(h->c, i, &ref, &failure), 1);
            ck_assert_uint_eq(load_u32(ref.id), i);
            ck_assert_uint_eq(ref.off, 1000 + i);
            ck_assert_uint_eq(ref.session, 1);
            ck_assert_uint_eq(ref.idx, i / PACK_BLOBS);
        }
        ck_assert_int_eq(cache_ref(h->c, n + 1, &ref, &failure), E_INTERNAL);
        ck_assert_int_eq(cache_ref(h->c, UINT32_MAX, &ref, &failure), E_INTERNAL);
        help_reopen(h);
    }
    help_begin(h);
    OK(cache_blob_begin(h->c, BLOB_DATA, &h->blob, err));
    ck_assert_uint_eq(h->blob, n + 1);
    cache_session_abort(h->c);
}
END_TEST

START_TEST(blobs_without_chunks)
{
    struct blob_ref ref = help_place(1, 0, 0, 5000), back;
    uint8_t hash[HASH_LEN] = { 0 };
    uint32_t n;
    help_begin(h);
    OK(cache_blob_begin(h->c, BLOB_DATA, &n, err));
    OK(cache_blob_place(h->c, n, &ref, err));
    OK(cache_pack_confirm(h->c, 1, 0, 0, 65536, hash, &n, 1, err));
    OK(cache_commit(h->c, 1, 1, err));
    help_reopen(h);
    ck_assert_int_eq(cache_ref(h->c, n, &back, &failure), 1);
    ck_assert_uint_eq(back.plen, 5000);
}
END_TEST

START_TEST(abort_forgets_what_is_not_confirmed)
{
    struct cache_hit hit;
    uint32_t again;
    help_begin(h);
    stream("a", 0, 400); /* several packs confirmed, a rest not */
    ck_assert(h->open || h->nwaiting != 0);
    uint64_t sent = h->sent;
    ck_assert_int_eq(help_find(h, 399, &hit), 1);
    cache_session_abort(h->c);
    cache_session_abort(h->c);
    h->open = false;
    h->nwaiting = 0;
    ck_assert_int_eq(help_find(h, 399, &hit), 0);
    ck_assert_int_eq(help_find(h, 0, &hit), 1);
    struct vec pending = VEC_OF(struct cache_pack);
    OK(cache_pending_packs(h->c, &pending, err));
    ck_assert_uint_gt(pending.len, 0);
    size_t confirmed = pending.len;
    help_begin(h);
    ck_assert_uint_eq(h->session, 2);
    OK(cache_blob_begin(h->c, BLOB_DATA, &again, err));
    ck_assert_uint_eq(again, confirmed * PACK_BLOBS); /* the numbers are given again */
    cache_session_abort(h->c);
    /* The next session finds and introduces what the first one stored. */
    help_reopen(h);
    help_begin(h);
    h->sent = 0;
    stream("a", 0, 400);
    ck_assert_uint_lt(h->sent, sent / 2);
    help_commit(h, 1);
    vec_clear(&pending);
    OK(cache_pending_packs(h->c, &pending, err));
    ck_assert_uint_eq(pending.len, 0);
    vec_free(&pending);
}
END_TEST

START_TEST(dropped_packs_never_match)
{
    struct cache_hit hit;
    struct cache_stats stats;
    struct blob_ref ref;
    help_begin(h);
    stream("a", 0, 600);
    help_commit(h, 1);
    cache_get_stats(h->c, &stats);
    uint64_t chunks = stats.chunks, found = 0;
    ck_assert_uint_eq(chunks, 600);
    OK(cache_drop_pack(h->c, 1, 1, err));
    OK(cache_drop_pack(h->c, 1, 1, err));
    OK(cache_drop_pack(h->c, 77, 1, err)); /* unknown */
    for (int round = 0; round < 2; round++) {
        cache_get_stats(h->c, &stats);
        found = 0;
        for (uint64_t i = 0; i < 600; i++) {
            if (help_find(h, i, &hit) == 1) {
                ck_assert_uint_ne(hit.blob / PACK_BLOBS, 1);
                found++;
            }
        }
        ck_assert_uint_eq(found, stats.chunks);
        ck_assert_uint_lt(found, 600);
        ck_assert_int_eq(cache_ref(h->c, PACK_BLOBS, &ref, &failure), E_INTERNAL);
        ck_assert(cache_pack_find(h->c, 1, 1)->dropped);
        size_t n = 0;
        const struct cache_pack *p;
        for (size_t pos = 0; (p = cache_packs(h->c, &pos)) != NULL; n++)
            ck_assert_uint_ne(p->idx, 1);
        ck_assert_uint_eq(n, h->idx - 1);
        help_reopen(h);
    }
    ck_assert_uint_eq(stats.hooks, found); /* forgotten with the restart */
    help_begin(h);
    h->sent = 0;
    stream("a", 0, 600); /* stored again */
    ck_assert_uint_gt(h->sent, 0);
    help_commit(h, 2);
    for (uint64_t i = 0; i < 600; i++)
        MUST(help_find(h, i, &hit) == 1);
}
END_TEST

START_TEST(pending_and_introduced)
{
    struct vec pending = VEC_OF(struct cache_pack);
    help_begin(h);
    stream("a", 0, 1000);
    help_flush_blob(h);
    help_flush_pack(h);
    uint32_t packs = h->idx;
    ck_assert_uint_ge(packs, 4);
    OK(cache_drop_pack(h->c, 1, 2, err));
    OK(cache_pending_packs(h->c, &pending, err));
    ck_assert_uint_eq(pending.len, packs - 1);
    const struct cache_pack *p = vec_at(&pending, 1);
    ck_assert_uint_eq(p->idx, 1);
    ck_assert_uint_eq(p->size, 65537);
    ck_assert_uint_eq(p->hash[0], 1);
    ck_assert(!p->introduced);
    /* A crash: the record turns out to be published, with two of the packs. */
    help_reopen(h);
    ck_assert_uint_eq(cache_last_seq(h->c), 0);
    static const struct cache_pack_name two[] = { { 1, 0 }, { 9, 9 }, { 1, 1 } };
    OK(cache_mark_introduced(h->c, 5, two, 3, err));
    OK(cache_mark_introduced(h->c, 5, two, 3, err));
    ck_assert_uint_eq(cache_last_seq(h->c), 5);
    help_reopen(h);
    ck_assert_uint_eq(cache_last_seq(h->c), 5);
    vec_clear(&pending);
    OK(cache_pending_packs(h->c, &pending, err));
    ck_assert_uint_eq(pending.len, packs - 3);
    ck_assert(cache_pack_find(h->c, 1, 1)->introduced);
    ck_assert(!cache_pack_find(h->c, 1, 3)->introduced);
    OK(cache_mark_introduced(h->c, 6, NULL, 0, err)); /* a record without packs */
    help_begin(h);
    OK(cache_commit(h->c, 2, 7, err));
    help_reopen(h);
    ck_assert_uint_eq(cache_last_seq(h->c), 7);
    vec_clear(&pending);
    OK(cache_pending_packs(h->c, &pending, err));
    ck_assert_uint_eq(pending.len, 0);
    vec_free(&pending);
}
END_TEST

START_TEST(streams_count_from_the_commit)
{
    struct cache_hit hit;
    static const uint64_t one[] = { 1, 2 }, two[] = { 1, 3 };
    help_begin(h);
    uint32_t a = blob_of(one, 2), b = blob_of(two, 2);
    help_commit(h, 1);
    /* Recorded, and aborted. */
    help_begin(h);
    OK(cache_stream_begin(h->c, "s", err));
    OK(cache_stream_use(h->c, b, err));
    OK(cache_stream_end(h->c, err));
    cache_session_abort(h->c);
    for (int round = 0; round < 3; round++) {
        help_begin(h);
        OK(cache_stream_begin(h->c, "s", err));
        ck_assert_int_eq(help_find(h, 1, &hit), 1);
        ck_assert_uint_eq(hit.blob, round == 0 ? a : b);
        OK(cache_stream_use(h->c, b, err));
        OK(cache_stream_use(h->c, b, err));
        OK(cache_stream_end(h->c, err));
        OK(cache_commit(h->c, h->session, 2 + (uint32_t)round, err));
        if (round == 1)
            help_reopen(h);
    }
    struct cache_stats before, after;
    cache_get_stats(h->c, &before);
    help_begin(h);
    OK(cache_stream_begin(h->c, "s", err));
    OK(cache_stream_use(h->c, b, err));
    OK(cache_stream_end(h->c, err)); /* the same list: no entry */
    cache_get_stats(h->c, &after);
    ck_assert_uint_eq(after.journal, before.journal + 4 + 16);
    OK(cache_stream_begin(h->c, "t", err));
    ck_assert_int_eq(cache_stream_begin(h->c, "u", &failure), E_INTERNAL);
    ck_assert_int_eq(cache_commit(h->c, h->session, 9, &failure), E_INTERNAL); /* while a stream is open */
    cache_session_abort(h->c);
    ck_assert_int_eq(cache_stream_use(h->c, b, &failure), E_INTERNAL);
    ck_assert_int_eq(cache_stream_end(h->c, &failure), E_INTERNAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo/cache");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, a_match_is_id_length_and_kind);
    tcase_add_test(all, which_copy_is_found);
    tcase_add_test(all, numbers_and_places);
    tcase_add_test(all, blobs_without_chunks);
    tcase_add_test(all, abort_forgets_what_is_not_confirmed);
    tcase_add_test(all, dropped_packs_never_match);
    tcase_add_test(all, pending_and_introduced);
    tcase_add_test(all, streams_count_from_the_commit);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
