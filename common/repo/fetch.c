#include "common/repo/fetch.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/map.h"
#include "common/chunk/blob.h"
#include "common/repo/blob_lru.h"
#include "common/repo/envelope.h"
#include "common/repo/names.h"
#include "common/repo/node.h"
#include "common/base/banned.h"

enum {
    RANGE_MAX = 4 * MIB,        /* one read */
    RANGE_GAP_MAX = 256 * 1024, /* read through rather than ask again */
    SLAB_KEYS = 128,
};

struct open_pack {
    struct record_pack pack;
    uint32_t header_len;
    uint32_t key; /* index into the slabs */
};

struct fetcher {
    const struct repo *repo;
    const struct repo_writer *writer;
    struct opener opener;
    struct unlock unlock;
    struct secret *derived; /* struct writer_derived */
    struct map sessions;    /* u32 session -> u32 key index */
    struct map packs;       /* struct pack_key -> struct open_pack */
    struct vec slabs;       /* struct secret *, SLAB_KEYS keys each */
    uint32_t nkeys;
    struct blob_codec *codec;
    struct blob_lru *lru;
    struct buf range;
    uint64_t bytes_read;
    uint64_t waited_us;
};

struct fetcher *fetcher_new(const struct repo *repo, const struct repo_writer *writer,
                            const struct opener *opener, size_t cache_bytes, struct error *err)
{
    struct fetcher *f = mem_alloc(1, sizeof *f, err);
    if (f == NULL)
        return NULL;
    f->repo = repo;
    f->writer = writer;
    f->opener = *opener;
    unlock_init(&f->unlock, repo, &f->opener);
    f->sessions = (struct map)MAP_OF(sizeof(uint32_t), sizeof(uint32_t));
    f->packs = (struct map)MAP_OF(sizeof(struct pack_key), sizeof(struct open_pack));
    f->slabs = (struct vec)VEC_OF(struct secret *);
    f->lru = lru_new(cache_bytes != 0 ? cache_bytes : FETCH_CACHE_DEFAULT, err);
    f->codec = f->lru != NULL ? blob_codec_new(err) : NULL;
    struct secret *w_w = NULL;
    if (f->codec != NULL)
        w_w = opener_root(opener, writer->id, err);
    if (w_w != NULL)
        f->derived = writer_derive(w_w, err);
    secret_free(w_w);
    if (f->derived == NULL) {
        fetcher_free(f);
        return NULL;
    }
    return f;
}

void fetcher_free(struct fetcher *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; i < f->slabs.len; i++)
        secret_free(*(struct secret **)vec_at(&f->slabs, i));
    vec_free(&f->slabs);
    map_free(&f->sessions);
    map_free(&f->packs);
    blob_codec_free(f->codec);
    lru_free(f->lru);
    unlock_free(&f->unlock);
    buf_free(&f->range);
    secret_free(f->derived);
    free(f);
}

const struct writer_derived *fetcher_keys(const struct fetcher *f)
{
    return writer_derived_of(f->derived);
}

uint64_t fetcher_bytes_read(const struct fetcher *f)
{
    return f->bytes_read;
}

uint64_t fetcher_waited_us(const struct fetcher *f)
{
    return f->waited_us;
}

static int timed_read(struct fetcher *f, const char *name, uint64_t off, void *data, size_t len,
                      struct error *err)
{
    uint64_t began = clock_mono_us();
    int rc = backend_read(f->repo->backend, name, off, data, len, err);
    f->waited_us += clock_mono_us() - began;
    return rc;
}

static uint8_t *key_at(const struct fetcher *f, uint32_t index)
{
    struct secret *slab = *(struct secret **)vec_at(&f->slabs, index / SLAB_KEYS);
    return secret_data(slab) + (size_t)(index % SLAB_KEYS) * KEY_LEN;
}

/* Room for one more key on guarded memory. */
static int new_key(struct fetcher *f, uint32_t *index, struct error *err)
{
    if (f->nkeys == f->slabs.len * SLAB_KEYS) {
        struct secret *slab = secret_new((size_t)SLAB_KEYS * KEY_LEN, err);
        struct secret **slot = slab != NULL ? vec_push(&f->slabs, err) : NULL;
        if (slot == NULL) {
            secret_free(slab);
            return E_NOMEM;
        }
        *slot = slab;
    }
    *index = f->nkeys++;
    return 0;
}

static struct session_name name_of(const struct object_header *h)
{
    struct session_name name = { .session = h->session };
    memcpy(name.repo_id, h->repo_id, REPO_ID_LEN);
    memcpy(name.writer_id, h->writer_id, WRITER_ID_LEN);
    return name;
}

/* s may be NULL. */
static int open_session(struct fetcher *f, const struct object_header *h, const struct envelope *env,
                        uint8_t *key, uint8_t *s, struct error *err)
{
    const struct session_name name = name_of(h);
    return unlock_session(&f->unlock, env, fetcher_keys(f)->mix_key, &name, key, s, err);
}

int fetcher_session_secret(struct fetcher *f, const struct object_header *h, uint8_t *s, struct error *err)
{
    struct envelope env;
    uint8_t key[KEY_LEN];
    int rc = envelope_parse(h->envelope, h->envelope_len, &env, err);
    rc = rc < 0 ? rc : open_session(f, h, &env, key, s, err);
    secret_wipe(key, sizeof key);
    return rc;
}

int fetcher_session_share(const struct fetcher *f, const struct object_header *h, struct error *err)
{
    struct envelope env;
    const struct session_name name = name_of(h);
    int rc = envelope_parse(h->envelope, h->envelope_len, &env, err);
    return rc < 0 ? rc : unlock_share(&f->unlock, &env, &name, err);
}

uint64_t fetcher_granted(const struct fetcher *f)
{
    return f->unlock.by_grant;
}

int fetcher_grants(struct fetcher *f, const struct grant_set **out, struct error *err)
{
    return unlock_grants(&f->unlock, out, err);
}

int fetcher_session_key(struct fetcher *f, const struct object_header *h, const uint8_t **key,
                        struct error *err)
{
    struct envelope env;
    uint8_t kid[KID_LEN];
    int rc = envelope_parse(h->envelope, h->envelope_len, &env, err);
    if (rc < 0)
        return rc;
    uint32_t *index = map_get(&f->sessions, &h->session);
    if (index == NULL) {
        uint32_t fresh = 0;
        rc = new_key(f, &fresh, err);
        if (rc == 0 && (rc = open_session(f, h, &env, key_at(f, fresh), NULL, err)) < 0)
            f->nkeys--; /* a hostile storage must not use up the guarded memory by failing */
        index = rc == 0 ? map_put(&f->sessions, &h->session, NULL, err) : NULL;
        if (index == NULL)
            return rc < 0 ? rc : E_NOMEM;
        *index = fresh;
    }
    *key = key_at(f, *index);
    /* One session has one key: an envelope that names another is not of this session. */
    rc = session_kid(*key, kid, err);
    if (rc == 0 && memcmp(kid, env.kid, KID_LEN) != 0)
        rc = error_corrupt(err, ERR_ENVELOPE_KID, "the envelope is for another key than its session's");
    return rc;
}

static int open_pack(struct fetcher *f, const struct record_pack *introduced, struct open_pack *out,
                     struct error *err)
{
    char name[NAME_TEXT_MAX];
    uint8_t head[HEADER_MAX];
    struct object_header h;
    const uint8_t *session_key = NULL;
    name_pack(name, f->writer->id, introduced->session, introduced->idx, introduced->attempt);
    int rc = timed_read(f, name, 0, head, sizeof head, err);
    if (rc == E_NOT_FOUND)
        rc = error_corrupt(err, ERR_PACK_MISSING, "it is not there");
    f->bytes_read += sizeof head;
    if (rc == 0)
        rc = object_header_parse(OBJECT_PACK, head, sizeof head, &h, err);
    if (rc == 0)
        rc = object_header_expect(OBJECT_PACK, &h, f->repo->repo_id, f->writer->id, introduced->session,
                                  introduced->idx, err);
    if (rc == 0)
        rc = fetcher_session_key(f, &h, &session_key, err);
    if (rc == 0)
        rc = new_key(f, &out->key, err);
    if (rc == 0 && (rc = object_header_key(OBJECT_PACK, &h, session_key, key_at(f, out->key), err)) < 0)
        f->nkeys--;
    if (rc < 0)
        return error_wrap(err, "%s", name);
    out->pack = *introduced;
    out->header_len = h.len;
    return 0;
}

/* The pack a reference points to, opened. The pointer dies with the next call. */
static int find_pack(struct fetcher *f, const struct snap_view *view, const struct blob_ref *ref,
                     struct open_pack **out, struct error *err)
{
    struct pack_key key = { .session = ref->session, .idx = ref->idx };
    if (!snap_view_has(view, ref->session, ref->idx))
        return error_corrupt(err, ERR_VIEW_INCOMPLETE,
                             "a blob lies in pack %u-%06x, which the snapshot does not list", ref->session,
                             ref->idx);
    struct open_pack *p = map_get(&f->packs, &key);
    if (p == NULL) {
        const struct record_pack *introduced = repo_pack_find(f->writer, ref->session, ref->idx, NULL);
        struct open_pack fresh;
        if (introduced == NULL)
            return error_corrupt(err, ERR_PACK_MISSING, "no record introduces pack %u-%06x", ref->session,
                                 ref->idx);
        int rc = open_pack(f, introduced, &fresh, err);
        p = rc == 0 ? map_put(&f->packs, &key, NULL, err) : NULL;
        if (p == NULL)
            return rc < 0 ? rc : E_NOMEM;
        *p = fresh;
    }
    if (ref->off < p->header_len || (uint64_t)ref->off + ref->clen > p->pack.size - PACK_TAIL_LEN)
        return error_corrupt(err, ERR_BLOB_REFERENCE, "bytes %u+%u are outside of pack %u-%06x", ref->off,
                             ref->clen, ref->session, ref->idx);
    *out = p;
    return 0;
}

static int decode(struct fetcher *f, const struct open_pack *p, enum blob_kind kind,
                  const struct blob_ref *ref, const uint8_t *cipher, const uint8_t **data, struct error *err)
{
    uint8_t *plain = mem_alloc(ref->plen, 1, err);
    if (plain == NULL)
        return E_NOMEM;
    int rc = blob_open(f->codec, key_at(f, p->key), fetcher_keys(f)->id_key,
                       kind == BLOB_NODE ? BLOB_KIND_NODE : BLOB_KIND_DATA, ref->id, cipher, ref->clen, plain,
                       ref->plen, err);
    if (rc < 0) {
        free(plain);
        return error_wrap(err, "pack %u-%06x, bytes %u+%u", ref->session, ref->idx, ref->off, ref->clen);
    }
    *data = lru_put(f->lru, kind, ref, plain, err);
    return *data != NULL ? 0 : E_NOMEM;
}

static int read_range(struct fetcher *f, const struct open_pack *p, uint64_t off, size_t len,
                      struct error *err)
{
    char name[NAME_TEXT_MAX];
    buf_clear(&f->range);
    int rc = buf_reserve(&f->range, len, err);
    if (rc == 0) {
        name_pack(name, f->writer->id, p->pack.session, p->pack.idx, p->pack.attempt);
        rc = timed_read(f, name, off, f->range.data, len, err);
        f->range.len = len;
        f->bytes_read += len;
        if (rc == E_NOT_FOUND)
            rc = error_corrupt(err, ERR_PACK_MISSING, "%s is not there", name);
    }
    return rc;
}

int fetcher_blob(struct fetcher *f, const struct snap_view *view, enum blob_kind kind,
                 const struct blob_ref *ref, const uint8_t **data, struct error *err)
{
    struct open_pack *p = NULL;
    int rc = blob_ref_check(ref, kind, err);
    if (rc == 0)
        rc = find_pack(f, view, ref, &p, err);
    if (rc < 0)
        return rc;
    *data = lru_get(f->lru, kind, ref);
    if (*data != NULL)
        return 0;
    rc = read_range(f, p, ref->off, ref->clen, err);
    return rc < 0 ? rc : decode(f, p, kind, ref, f->range.data, data, err);
}

static int by_place(const void *a, const void *b)
{
    const struct blob_ref *x = a;
    const struct blob_ref *y = b;
    if (x->session != y->session)
        return x->session < y->session ? -1 : 1;
    if (x->idx != y->idx)
        return x->idx < y->idx ? -1 : 1;
    return x->off < y->off ? -1 : x->off > y->off;
}

/* How many of the sorted references from `first` on one read takes. */
static size_t run_length(const struct blob_ref *refs, size_t first, size_t n)
{
    size_t end = first + 1;
    while (end < n && refs[end].session == refs[first].session && refs[end].idx == refs[first].idx) {
        uint64_t stop = (uint64_t)refs[end - 1].off + refs[end - 1].clen;
        bool near = refs[end].off >= stop && refs[end].off - stop <= RANGE_GAP_MAX;
        if (!near || (uint64_t)refs[end].off + refs[end].clen - refs[first].off > RANGE_MAX)
            break;
        end++;
    }
    return end - first;
}

static int fetch_run(struct fetcher *f, const struct snap_view *view, enum blob_kind kind,
                     const struct blob_ref *refs, size_t n, struct error *err)
{
    struct open_pack *p = NULL;
    const uint8_t *data = NULL;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = find_pack(f, view, &refs[i], &p, err);
    uint64_t first = refs[0].off;
    if (rc == 0)
        rc = read_range(f, p, first, (size_t)(refs[n - 1].off + (uint64_t)refs[n - 1].clen - first), err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = decode(f, p, kind, &refs[i], f->range.data + (refs[i].off - first), &data, err);
    return rc;
}

int fetcher_prefetch(struct fetcher *f, const struct snap_view *view, enum blob_kind kind,
                     const struct blob_ref *refs, size_t n, struct error *err)
{
    struct vec want = VEC_OF(struct blob_ref);
    size_t budget = lru_limit(f->lru) / 2;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (lru_get(f->lru, kind, &refs[i]) != NULL || refs[i].plen > budget ||
            blob_ref_check(&refs[i], kind, NULL) < 0)
            continue;
        struct blob_ref *slot = vec_push(&want, err);
        if (slot == NULL)
            rc = E_NOMEM;
        else
            *slot = refs[i];
        budget -= refs[i].plen;
    }
    vec_sort(&want, by_place);
    for (size_t i = 0; rc == 0 && i < want.len;) {
        const struct blob_ref *first = vec_at(&want, i);
        size_t run = run_length(want.data, i, want.len);
        /* What fails here fails again, with its name, when the blob itself is asked for. */
        (void)fetch_run(f, view, kind, first, run, NULL);
        i += run;
    }
    vec_free(&want);
    return rc;
}
