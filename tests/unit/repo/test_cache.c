/* The cache call by call: which copy is found, numbers and places, sessions, packs, streams, import, limits. */
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
    stream("a", 0, 600);
    help_flush_blob(h);
    help_flush_pack(h);
    uint32_t packs = h->idx;
    ck_assert_uint_ge(packs, 3);
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
        rc = cache_stream_begin(c, "s", &failure);
    for (uint64_t i = 0; i < 20 && rc >= 0; i++) { /* what an earlier night stored */
        help_id(i, id);
        rc = cache_lookup(c, id, help_len(i), BLOB_DATA, NULL, &hit, &failure);
        if (rc == 1)
            rc = cache_stream_use(c, hit.blob, &failure);
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
    OK(one_night(&limits));
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
