/* The cache where things go wrong: imports, limits, wrong calls, a full disk, no memory. */
#include "tests/unit/repo/cache_help.h"

#include <signal.h>
#include <sys/resource.h>

#include "common/base/alloc.h"
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

START_TEST(importing_trailers)
{
    struct cache_chunk chunks[40];
    struct cache_import blobs[4];
    uint8_t hash[HASH_LEN] = { 7 };
    struct cache_hit hit;
    struct blob_ref ref;
    memset(blobs, 0, sizeof blobs);
    for (uint32_t i = 0; i < 40; i++) {
        help_id(i, chunks[i].id);
        chunks[i].len = help_len(i);
    }
    for (uint32_t i = 0; i < 4; i++) {
        blobs[i] = (struct cache_import){ .kind = i == 3 ? BLOB_NODE : BLOB_DATA,
                                          .nchunks = i == 3 ? 1 : 10,
                                          .chunks = chunks + 10 * (size_t)i };
        uint32_t plen = 0;
        for (uint32_t k = 0; k < blobs[i].nchunks; k++)
            plen += blobs[i].chunks[k].len;
        blobs[i].ref = help_place(3, 1, i, plen);
    }
    OK(cache_import_pack(h->c, 3, 1, 4, 70000, hash, blobs, 4, err));
    ck_assert_int_eq(cache_import_pack(h->c, 3, 1, 4, 70000, hash, blobs, 4, &failure), E_EXISTS);
    for (int round = 0; round < 2; round++) {
        const struct cache_pack *p = cache_pack_find(h->c, 3, 1);
        ck_assert(p != NULL && p->introduced && p->attempt == 4 && p->size == 70000 && p->hash[0] == 7);
        ck_assert_uint_eq(cache_last_session(h->c), 3);
        for (uint32_t i = 0; i < 31; i++) {
            enum blob_kind kind = i == 30 ? BLOB_NODE : BLOB_DATA;
            ck_assert_int_eq(cache_lookup(h->c, chunks[i].id, chunks[i].len, kind, NULL, &hit, &failure), 1);
            ck_assert_int_eq(cache_ref(h->c, hit.blob, &ref, &failure), 1);
            ck_assert(load_u32(ref.id) == i / 10 && ref.idx == 1);
        }
        help_reopen(h);
    }
    /* What replay would refuse does not get in. */
    struct cache_stats before, after;
    cache_get_stats(h->c, &before);
    blobs[0].ref.plen++;
    for (uint32_t i = 0; i < 4; i++)
        blobs[i].ref.idx = 2;
    ck_assert_int_eq(cache_import_pack(h->c, 3, 2, 0, 70000, hash, blobs, 4, &failure), E_CORRUPT);
    blobs[0].ref.plen--;
    ck_assert_int_eq(cache_import_pack(h->c, 3, 2, 0, 0, hash, blobs, 4, &failure), E_CORRUPT);
    ck_assert_int_eq(cache_import_pack(h->c, 0, 2, 0, 70000, hash, NULL, 0, &failure), E_CORRUPT);
    blobs[2].ref.session = 4;
    ck_assert_int_eq(cache_import_pack(h->c, 3, 2, 0, 70000, hash, blobs, 4, &failure), E_INTERNAL);
    blobs[2].ref.session = 3;
    blobs[1].nchunks = BLOB_CHUNKS_MAX + 1;
    ck_assert_int_eq(cache_import_pack(h->c, 3, 2, 0, 70000, hash, blobs, 4, &failure), E_INTERNAL);
    cache_get_stats(h->c, &after);
    ck_assert_uint_eq(before.journal, after.journal);
    ck_assert_ptr_null(cache_pack_find(h->c, 3, 2));
}
END_TEST

START_TEST(limits_of_blobs)
{
    uint8_t id[CHUNK_ID_LEN] = { 1 };
    uint32_t n, node;
    struct blob_ref ref = help_place(1, 0, 0, 10);
    ck_assert_int_eq(cache_blob_begin(h->c, BLOB_DATA, &n, &failure), E_INTERNAL); /* no session */
    help_begin(h);
    OK(cache_blob_begin(h->c, BLOB_DATA, &n, err));
    ck_assert_int_eq(cache_blob_chunk(h->c, n, id, 0, &failure), E_INTERNAL);
    ck_assert_int_eq(cache_blob_chunk(h->c, n, id, CHUNK_MAX + 1, &failure), E_INTERNAL);
    ck_assert_int_eq(cache_blob_chunk(h->c, n + 1, id, 1, &failure), E_INTERNAL);
    for (uint32_t i = 0; i < BLOB_CHUNKS_MAX; i++) /* all of them the same chunk */
        if (cache_blob_chunk(h->c, n, id, 1, &failure) != 0)
            ck_abort_msg("%s", failure.text);
    ck_assert_int_eq(cache_blob_chunk(h->c, n, id, 1, &failure), E_INTERNAL);
    ck_assert_int_eq(cache_blob_place(h->c, n, &ref, &failure), E_INTERNAL); /* another length */
    ref.plen = BLOB_CHUNKS_MAX;
    OK(cache_blob_place(h->c, n, &ref, err));
    ck_assert_int_eq(cache_blob_chunk(h->c, n, id, 1, &failure), E_INTERNAL); /* placed */
    OK(cache_blob_begin(h->c, BLOB_DATA, &n, err));
    for (uint32_t i = 0; i < BLOB_PLAIN_MAX / CHUNK_MAX; i++)
        OK(cache_blob_chunk(h->c, n, id, CHUNK_MAX, err));
    ck_assert_int_eq(cache_blob_chunk(h->c, n, id, 1, &failure), E_INTERNAL);
    OK(cache_blob_begin(h->c, BLOB_NODE, &node, err));
    ck_assert_int_eq(cache_blob_chunk(h->c, node, id, NODE_PLAIN_MAX + 1, &failure), E_INTERNAL);
    OK(cache_blob_chunk(h->c, node, id, NODE_PLAIN_MAX, err));
    ck_assert_int_eq(cache_blob_chunk(h->c, node, id, 1, &failure), E_INTERNAL);
    cache_session_abort(h->c);
}
END_TEST

START_TEST(confirming_the_wrong_thing)
{
    uint8_t hash[HASH_LEN] = { 0 };
    struct cache_hit hit;
    uint32_t unplaced;
    ck_assert_int_eq(cache_pack_confirm(h->c, 1, 0, 0, 100, hash, NULL, 0, &failure), E_INTERNAL);
    help_begin(h);
    ck_assert_int_eq(cache_session_begin(h->c, 2, &failure), E_INTERNAL); /* one is running */
    help_store(h, 1, &hit);
    uint32_t n[2] = { h->blob, h->blob };
    help_flush_blob(h);
    h->nwaiting = 0;
    OK(cache_blob_begin(h->c, BLOB_DATA, &unplaced, err));
    ck_assert_int_eq(cache_pack_confirm(h->c, 2, 0, 0, 100, hash, n, 1, &failure), E_INTERNAL); /* session */
    ck_assert_int_eq(cache_pack_confirm(h->c, 1, 1, 0, 100, hash, n, 1, &failure), E_INTERNAL); /* idx */
    ck_assert_int_eq(cache_pack_confirm(h->c, 1, 0, 0, 100, hash, n, 2, &failure), E_INTERNAL); /* twice */
    ck_assert_int_eq(cache_pack_confirm(h->c, 1, 0, 0, 100, hash, &unplaced, 1, &failure), E_INTERNAL);
    ck_assert_int_eq(cache_pack_confirm(h->c, 1, 0, 0, (uint64_t)PACK_SIZE_MAX + 1, hash, n, 1, &failure),
                     E_CORRUPT);
    OK(cache_pack_confirm(h->c, 1, 0, 0, 100, hash, n, 1, err));
    ck_assert_int_eq(cache_pack_confirm(h->c, 1, 0, 0, 100, hash, n, 1, &failure), E_INTERNAL); /* again */
    ck_assert_int_eq(cache_commit(h->c, 1, 1, &failure), E_INTERNAL); /* a blob is left */
    ck_assert_int_eq(cache_commit(h->c, 2, 1, &failure), E_INTERNAL);
    cache_session_abort(h->c);
    ck_assert_int_eq(cache_commit(h->c, 1, 1, &failure), E_INTERNAL);
    ck_assert_int_eq(cache_session_begin(h->c, 1, &failure), E_INTERNAL); /* used */
    ck_assert_int_eq(cache_session_begin(h->c, SESSION_MAX + 1, &failure), E_INTERNAL);
    OK(cache_session_begin(h->c, SESSION_MAX, err));
    ck_assert_int_eq(cache_commit(h->c, SESSION_MAX, 0, &failure), E_INTERNAL);
    OK(cache_commit(h->c, SESSION_MAX, 1, err));
    help_reopen(h);
    ck_assert_uint_eq(cache_last_session(h->c), SESSION_MAX);
}
END_TEST

START_TEST(a_failed_write_stops_the_cache)
{
    struct rlimit limit, old;
    struct cache_stats stats;
    help_begin(h);
    stream("a", 0, 300);
    cache_get_stats(h->c, &stats);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = stats.journal + 50;
    ck_assert_ptr_ne((void *)signal(SIGXFSZ, SIG_IGN), (void *)SIG_ERR);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    help_flush_blob(h);
    uint8_t hash[HASH_LEN] = { 0 };
    int rc = cache_pack_confirm(h->c, 1, h->idx, 0, 100, hash, h->waiting, h->nwaiting, &failure);
    int later = cache_drop_pack(h->c, 1, 0, NULL);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    ck_assert_int_lt(rc, 0);
    ck_assert_int_lt(later, 0);
    ck_assert_int_eq(cache_drop_pack(h->c, 1, 0, &failure), E_IO); /* nobody knows what the file ends with */
    cache_session_abort(h->c);
    help_reopen(h);
    ck_assert(cache_damaged(h->c));
    help_begin(h);
    stream("a", 0, 300);
    help_commit(h, 1);
    help_reopen(h);
    ck_assert(!cache_damaged(h->c));
}
END_TEST

/* One short night; the first code that is not 0. */
static int one_night(struct cache_limits *limits)
{
    struct cache *c = NULL;
    uint8_t hash[HASH_LEN] = { 0 }, id[CHUNK_ID_LEN];
    uint32_t n = 0;
    struct cache_hit hit;
    int rc = cache_open(h->dir, help_repo, help_writer, limits, &c, &failure);
    uint32_t session = c != NULL ? cache_last_session(c) + 1 : 0;
    if (rc == 0)
        rc = cache_session_begin(c, session, &failure);
    if (rc == 0)
        rc = cache_drain_begin(c, "job", &failure);
    if (rc == 0)
        rc = cache_stream_begin(c, "s", &failure);
    for (uint64_t i = 0; i < 20 && rc >= 0; i++) { /* what an earlier night stored */
        help_id(i, id);
        rc = cache_lookup(c, id, help_len(i), BLOB_DATA, NULL, &hit, &failure);
        if (rc == 1)
            rc = cache_stream_use(c, hit.blob, &failure);
        if (rc == 0 && i % 2 != 0) /* with gaps */
            rc = cache_drain_use(c, &hit, &failure);
    }
    if (rc == 0)
        rc = cache_blob_begin(c, BLOB_DATA, &n, &failure);
    for (uint64_t i = 0; i < 200 && rc == 0; i++) {
        help_id((uint64_t)session * 1000 + i, id);
        rc = cache_blob_chunk(c, n, id, 1, &failure);
    }
    struct blob_ref ref = help_place(session, 0, n, 200);
    if (rc == 0)
        rc = cache_blob_place(c, n, &ref, &failure);
    if (rc == 0)
        rc = cache_stream_use(c, n, &failure);
    if (rc == 0)
        rc = cache_stream_end(c, &failure);
    if (rc == 0)
        rc = cache_pack_confirm(c, session, 0, 0, 100, hash, &n, 1, &failure);
    if (rc == 0)
        rc = cache_drain_end(c, 1000, &failure);
    if (rc == 0)
        rc = cache_commit(c, session, session, &failure);
    cache_close(c);
    return rc;
}

START_TEST(out_of_memory_anywhere)
{
    struct cache_limits limits = { .lru_bytes = 1, .exact_chunks = _i == 0 ? 0 : 1 };
    help_begin(h);
    stream("s", 0, 20);
    help_commit(h, 1);
    unsigned long failures = 0;
    for (unsigned long n = 1; n < 10000; n++) {
        mem_fail_after(n);
        int rc = one_night(&limits);
        mem_fail_after(0);
        if (rc == 0)
            break;
        ck_assert_int_eq(rc, E_NOMEM);
        failures++;
    }
    ck_assert_uint_gt(failures, 30);
    ck_assert_int_eq(one_night(&limits), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo/cache_limits");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, importing_trailers);
    tcase_add_test(all, limits_of_blobs);
    tcase_add_test(all, confirming_the_wrong_thing);
    tcase_add_test(all, a_failed_write_stops_the_cache);
    tcase_add_loop_test(all, out_of_memory_anywhere, 0, 2);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
