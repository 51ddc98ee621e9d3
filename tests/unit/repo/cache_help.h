/* A small writer for the tests of the cache: contents are numbers, a model knows what each blob holds. */
#ifndef TESTS_UNIT_REPO_CACHE_HELP_H
#define TESTS_UNIT_REPO_CACHE_HELP_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/map.h"
#include "common/base/reader.h"
#include "common/crypto/secret.h"
#include "common/repo/cache.h"

static const uint8_t help_repo[REPO_ID_LEN] = { 1, 2, 3 };
static const uint8_t help_writer[WRITER_ID_LEN] = { 4, 5 };

enum { PACK_BLOBS = 6, HELP_BLOBS = 1 << 16 };

struct model_chunk {
    uint64_t content;
    uint32_t offset;
    uint32_t len;
};

struct help {
    char dir[64];
    char path[96];
    struct cache *c;
    struct cache_limits limits;
    uint32_t session;
    uint32_t idx;
    uint32_t blob_limit; /* bytes of plaintext at which a blob is closed */
    /* the open blob, and closed ones that wait for their pack */
    bool open;
    uint32_t blob;
    uint32_t blob_len;
    uint32_t waiting[PACK_BLOBS];
    size_t nwaiting;
    struct cache_hit last;
    bool has_last;
    /* the model */
    struct vec blobs[HELP_BLOBS]; /* struct model_chunk */
    struct map exact;             /* content -> nothing: what an exact index would know */
    uint64_t total, sent, exact_sent;
};

static inline uint64_t help_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static inline void help_id(uint64_t content, uint8_t id[CHUNK_ID_LEN])
{
    store_u64(id, help_mix(content));
    store_u64(id + 8, help_mix(content ^ 0x5555555555555555u));
}

static inline uint32_t help_len(uint64_t content)
{
    return 512 + (uint32_t)(help_mix(content ^ 0x77) % 3072);
}

/* Not ck_assert in what runs millions of times: each one is reported to Check's parent process. */
#define MUST(condition)                     \
    do {                                    \
        if (!(condition))                   \
            ck_abort_msg("%s", #condition); \
    } while (0)

#define OK(call)                                        \
    do {                                                \
        struct error ok_err = ERROR_INIT;               \
        struct error *err = &ok_err;                    \
        if ((call) < 0)                                 \
            ck_abort_msg("%s: %s", #call, ok_err.text); \
    } while (0)

static inline struct help *help_new(const struct cache_limits *limits)
{
    struct help *h = calloc(1, sizeof *h);
    ck_assert_ptr_nonnull(h);
    ck_assert_int_eq(crypto_init(NULL), 0);
    const char *base = getenv("TMPDIR");
    ck_assert_int_lt(snprintf(h->dir, sizeof h->dir, "%s/cache-XXXXXX", base != NULL ? base : "/tmp"),
                     (int)sizeof h->dir);
    ck_assert_ptr_nonnull(mkdtemp(h->dir));
    (void)snprintf(h->path, sizeof h->path, "%s/journal", h->dir);
    if (limits != NULL)
        h->limits = *limits;
    h->blob_limit = 64 * 1024;
    h->exact = (struct map)MAP_OF(sizeof(uint64_t), 1);
    for (size_t i = 0; i < HELP_BLOBS; i++)
        h->blobs[i] = (struct vec)VEC_OF(struct model_chunk);
    OK(cache_open(h->dir, help_repo, help_writer, &h->limits, &h->c, err));
    return h;
}

static inline void help_free(struct help *h)
{
    cache_close(h->c);
    (void)unlink(h->path);
    (void)rmdir(h->dir);
    for (size_t i = 0; i < HELP_BLOBS; i++)
        vec_free(&h->blobs[i]);
    map_free(&h->exact);
    free(h);
}

static inline void help_reopen(struct help *h)
{
    cache_close(h->c);
    h->c = NULL;
    OK(cache_open(h->dir, help_repo, help_writer, &h->limits, &h->c, err));
    h->open = false;
    h->nwaiting = 0;
    h->has_last = false;
}

static inline struct blob_ref help_place(uint32_t session, uint32_t idx, uint32_t number, uint32_t plen)
{
    struct blob_ref ref = { .session = session, .idx = idx, .off = 1000 + number, .clen = 18, .plen = plen };
    store_u32(ref.id, number);
    return ref;
}

static inline void help_begin(struct help *h)
{
    h->session = cache_last_session(h->c) + 1;
    h->idx = 0;
    OK(cache_session_begin(h->c, h->session, err));
}

static inline void help_flush_pack(struct help *h)
{
    uint8_t hash[HASH_LEN] = { (uint8_t)h->idx, (uint8_t)h->session };
    if (h->nwaiting == 0)
        return;
    OK(cache_pack_confirm(h->c, h->session, h->idx, 0, 65536 + h->idx, hash, h->waiting, h->nwaiting, err));
    h->idx++;
    h->nwaiting = 0;
}

static inline void help_flush_blob(struct help *h)
{
    if (!h->open)
        return;
    struct blob_ref ref = help_place(h->session, h->idx, h->blob, h->blob_len);
    OK(cache_blob_place(h->c, h->blob, &ref, err));
    h->waiting[h->nwaiting++] = h->blob;
    h->open = false;
    if (h->nwaiting == PACK_BLOBS)
        help_flush_pack(h);
}

static inline void help_commit(struct help *h, uint32_t seq)
{
    help_flush_blob(h);
    help_flush_pack(h);
    OK(cache_commit(h->c, h->session, seq, err));
}

/* What the cache says is true: the model holds this content at this place. */
static inline void help_check_hit(const struct help *h, const struct cache_hit *hit, uint64_t content)
{
    MUST(hit->blob < HELP_BLOBS);
    const struct vec *blob = &h->blobs[hit->blob];
    size_t low = 0, high = blob->len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct model_chunk *m = vec_at(blob, mid);
        if (m->offset < hit->offset)
            low = mid + 1;
        else
            high = mid;
    }
    MUST(low < blob->len);
    const struct model_chunk *m = vec_at(blob, low);
    if (m->offset != hit->offset || m->content != content || m->len != hit->length)
        ck_abort_msg("blob %u does not hold this at %u", hit->blob, hit->offset);
}

static inline int help_find(struct help *h, uint64_t content, struct cache_hit *hit)
{
    uint8_t id[CHUNK_ID_LEN];
    struct error err = ERROR_INIT;
    help_id(content, id);
    int rc = cache_lookup(h->c, id, help_len(content), BLOB_DATA, NULL, hit, &err);
    if (rc < 0)
        ck_abort_msg("%s", err.text);
    if (rc == 1)
        help_check_hit(h, hit, content);
    return rc;
}

static inline void help_store(struct help *h, uint64_t content, struct cache_hit *hit)
{
    uint8_t id[CHUNK_ID_LEN];
    uint32_t len = help_len(content);
    if (!h->open) {
        OK(cache_blob_begin(h->c, BLOB_DATA, &h->blob, err));
        MUST(h->blob < HELP_BLOBS);
        vec_clear(&h->blobs[h->blob]);
        h->blob_len = 0;
        h->open = true;
    }
    help_id(content, id);
    OK(cache_blob_chunk(h->c, h->blob, id, len, err));
    struct model_chunk *m = vec_push(&h->blobs[h->blob], NULL);
    MUST(m != NULL);
    *m = (struct model_chunk){ .content = content, .offset = h->blob_len, .len = len };
    *hit = (struct cache_hit){ .blob = h->blob, .offset = h->blob_len, .length = len };
    h->blob_len += len;
    h->sent += len;
    if (h->blob_len >= h->blob_limit)
        help_flush_blob(h);
}

static inline void help_put(struct help *h, uint64_t content)
{
    uint8_t id[CHUNK_ID_LEN];
    struct cache_hit hit = { 0 };
    uint32_t len = help_len(content);
    bool added;
    help_id(content, id);
    int rc = cache_lookup(h->c, id, len, BLOB_DATA, h->has_last ? &h->last : NULL, &hit, NULL);
    MUST(rc >= 0);
    if (rc == 1)
        help_check_hit(h, &hit, content);
    else
        help_store(h, content, &hit);
    OK(cache_stream_use(h->c, hit.blob, err));
    h->last = hit;
    h->has_last = true;
    MUST(map_put(&h->exact, &content, &added, NULL) != NULL);
    h->exact_sent += added ? len : 0;
    h->total += len;
}

static inline void help_stream(struct help *h, const char *name, const uint64_t *contents, size_t n)
{
    h->has_last = false;
    OK(cache_stream_begin(h->c, name, err));
    for (size_t i = 0; i < n; i++)
        help_put(h, contents[i]);
    OK(cache_stream_end(h->c, err));
}

#endif
