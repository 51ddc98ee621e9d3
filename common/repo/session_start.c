/* What the storage holds of ours, and the cache of it, before the first byte (docs/format.md, "Writing"). */
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/map.h"
#include "common/crypto/secret.h"
#include "common/repo/names.h"
#include "common/repo/packfile.h"
#include "common/repo/session_internal.h"
#include "common/base/banned.h"

/* ---- what the storage holds of ours -------------------------------------------------------------------- */
struct listing {
    struct session *session;
    struct map sizes; /* struct file_key -> u64: of packs in the cache, however many names there are */
    uint32_t known;   /* largest session without the names */
    uint32_t highest; /* with them */
};

struct file_key {
    uint32_t session;
    uint32_t idx;
    uint32_t attempt;
};

static uint32_t known_sessions(const struct session *s)
{
    uint32_t known = cache_last_session(s->cache);
    uint32_t logs = repo_session_max(s->repo, s->options.keys->writer_id);
    return known > logs ? known : logs;
}

static int on_entry(const char *entry, const struct backend_stat *st, void *arg, struct error *err)
{
    struct listing *l = arg;
    struct name n;
    if (!name_parse(NAME_PACK, l->session->options.keys->writer_id, entry, &n))
        return 0;
    /* Names far above what is known are junk: an intruder must not be able to use up the numbers. */
    if (n.session > l->highest && n.session - l->known <= SESSION_JUNK_GAP)
        l->highest = n.session;
    const struct cache_pack *p = cache_pack_find(l->session->cache, n.session, n.idx);
    if (p == NULL || p->attempt != n.attempt)
        return 0;
    struct file_key key = { .session = n.session, .idx = n.idx, .attempt = n.attempt };
    uint64_t *size = map_put(&l->sizes, &key, NULL, err);
    if (size == NULL)
        return E_NOMEM;
    *size = st->size;
    return 0;
}

static int drop(struct session *s, const struct cache_pack *p, const char *why, struct error *err)
{
    log_event_of(LOG_ALARM, SESSION_LOST_KIND,
                 "pack %08x-%06x %s: what the source still has of it is stored again", p->session, p->idx,
                 why);
    s->lost++;
    return cache_drop_pack(s->cache, p->session, p->idx, err);
}

static int check_cached_packs(struct session *s, const struct listing *l, struct error *err)
{
    struct vec known = VEC_OF(struct cache_pack);
    const struct cache_pack *p = NULL;
    int rc = 0;
    for (size_t pos = 0; (p = cache_packs(s->cache, &pos)) != NULL;) {
        struct cache_pack *slot = vec_push(&known, err);
        if (slot == NULL) {
            rc = E_NOMEM;
            break;
        }
        *slot = *p;
    }
    for (size_t i = 0; rc == 0 && i < known.len; i++) {
        p = vec_at(&known, i);
        struct file_key key = { .session = p->session, .idx = p->idx, .attempt = p->attempt };
        const uint64_t *size = map_get(&l->sizes, &key);
        struct repo_item item =
            repo_item_find(s->repo, s->options.keys->writer_id, p->session, p->idx, p->attempt);
        if (item.condemned != 0)
            rc = cache_drop_pack(s->cache, p->session, p->idx, err);
        else if (size == NULL)
            rc = drop(s, p, "is missing on the storage", err);
        else if (*size != p->size)
            rc = drop(s, p, "has another size on the storage", err);
    }
    vec_free(&known);
    return rc;
}

static int scrub_one(struct session *s, struct error *err)
{
    size_t n = 0;
    uint32_t pick = 0;
    const struct cache_pack *p = NULL;
    for (size_t pos = 0; cache_packs(s->cache, &pos) != NULL;)
        n++;
    if (n == 0)
        return 0;
    random_bytes(&pick, sizeof pick);
    size_t pos = 0;
    for (size_t i = 0; i <= pick % n; i++)
        p = cache_packs(s->cache, &pos);
    struct packfile f = {
        .backend = s->options.backend,
        .pack = { .session = p->session, .idx = p->idx, .attempt = p->attempt, .size = p->size }
    };
    memcpy(f.repo_id, s->options.keys->repo_id, REPO_ID_LEN);
    memcpy(f.writer_id, s->options.keys->writer_id, WRITER_ID_LEN);
    memcpy(f.pack.hash, p->hash, HASH_LEN);
    struct cache_pack copy = *p;
    int rc = packfile_hash(&f, NULL, NULL, err);
    if (rc != E_CORRUPT)
        return rc;
    error_clear(err);
    return drop(s, &copy, "is damaged on the storage", err);
}

/* ---- the cache ------------------------------------------------------------------------------------------ */
static int import_pack(struct session *s, const struct packfile *f, struct error *err)
{
    struct pack_trailer t;
    struct vec blobs = VEC_OF(struct cache_import);
    _Static_assert(sizeof(struct chunk_entry) == sizeof(struct cache_chunk), "one layout for chunk entries");
    int rc = packfile_trailer(f, session_keys(s)->trail_key, &t, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < t.blobs.len; i++) {
        const struct trailer_blob *b = vec_at(&t.blobs, i);
        struct cache_import *slot = vec_push(&blobs, err);
        if (slot == NULL) {
            rc = E_NOMEM;
            break;
        }
        slot->ref = (struct blob_ref){
            .session = f->pack.session, .idx = f->pack.idx, .off = b->off, .clen = b->clen, .plen = b->plen
        };
        memcpy(slot->ref.id, b->id, BLOB_ID_LEN);
        slot->kind = b->kind;
        slot->nchunks = b->nchunks;
        const struct chunk_entry *first = b->nchunks != 0 ? vec_at(&t.chunks, b->first_chunk) : NULL;
        slot->chunks = (const struct cache_chunk *)(const void *)first;
    }
    if (rc == 0)
        rc = cache_import_pack(s->cache, f->pack.session, f->pack.idx, f->pack.attempt, f->pack.size,
                               f->pack.hash, blobs.data, blobs.len, err);
    vec_free(&blobs);
    pack_trailer_free(&t);
    return rc;
}

/* A pack that cannot be imported is only not reused; it stays a part of the snapshots that need it. */
static int rebuild(struct session *s, struct error *err)
{
    size_t done = 0;
    int rc = 0;
    struct packfile f = { .backend = s->options.backend };
    memcpy(f.repo_id, s->options.keys->repo_id, REPO_ID_LEN);
    memcpy(f.writer_id, s->options.keys->writer_id, WRITER_ID_LEN);
    for (size_t i = 0; rc == 0 && i < s->writer->records.len; i++) {
        const struct repo_record *r = vec_at(&s->writer->records, i);
        for (size_t k = 0; rc == 0 && k < r->rec.packs.len; k++) {
            f.pack = *(struct record_pack *)vec_at(&r->rec.packs, k);
            if (repo_item_find(s->repo, f.writer_id, f.pack.session, f.pack.idx, f.pack.attempt).condemned !=
                    0 ||
                cache_pack_find(s->cache, f.pack.session, f.pack.idx) != NULL)
                continue;
            rc = import_pack(s, &f, err);
            done += rc == 0 ? 1 : 0;
            if (rc == E_CORRUPT) {
                log_event(LOG_ALARM, "not reused: %s", err != NULL ? err->text : "a damaged pack");
                error_clear(err);
                rc = 0;
            }
        }
    }
    if (rc == 0)
        log_event(LOG_WARN, "the cache was lost or incomplete: rebuilt from the trailers of %zu %s", done,
                  plural(done, "pack", "packs"));
    return rc;
}

static int mark_log(struct session *s, struct error *err)
{
    uint32_t from = cache_damaged(s->cache) ? 0 : cache_last_seq(s->cache);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->writer->records.len; i++) {
        const struct repo_record *r = vec_at(&s->writer->records, i);
        if (r->rec.seq > from)
            rc = session_record_published(s, &r->rec, err);
    }
    return rc;
}

static bool cache_is_behind(const struct session *s)
{
    const struct repo_record *head = repo_head(s->writer);
    if (head == NULL)
        return false;
    return cache_damaged(s->cache) || cache_last_seq(s->cache) < head->rec.seq;
}

int session_settle_storage(struct session *s, struct error *err)
{
    char dir[NAME_TEXT_MAX];
    struct listing l = { .session = s, .sizes = MAP_OF(sizeof(struct file_key), sizeof(uint64_t)) };
    int rc = session_wait_for_torn(s, err);
    if (rc == 0 && cache_is_behind(s)) {
        rc = rebuild(s, err);
        if (rc == 0)
            rc = mark_log(s, err);
    }
    l.known = l.highest = known_sessions(s);
    if (rc == 0)
        rc = backend_list(s->options.backend, name_writer_sub(dir, s->options.keys->writer_id, "pack"),
                          on_entry, &l, err);
    if (rc == 0)
        rc = check_cached_packs(s, &l, err);
    if (rc == 0)
        s->number = 1 + l.highest;
    if (rc == 0 && s->number > SESSION_MAX)
        rc = error_set(err, E_UNSUPPORTED, "this writer has used up its session numbers: enrol a new one");
    map_free(&l.sizes);
    if (rc == 0 && s->options.scrub)
        rc = scrub_one(s, err);
    return rc;
}
