/* What needs a recipient's key: LK (headers) and L3 (everything). */
#include <stdlib.h>
#include <string.h>

#include "common/archive/gaps.h"
#include "common/base/alloc.h"
#include "common/base/map.h"
#include "common/base/str.h"
#include "common/chunk/blob.h"
#include "common/crypto/hash.h"
#include "common/repo/check_internal.h"
#include "common/repo/names.h"
#include "common/repo/node.h"
#include "common/repo/pack.h"
#include "common/sys/interrupt.h"
#include "common/base/banned.h"

/* ---- one pack, every byte and every blob ------------------------------------------------------------------ */
struct deep_pack {
    struct check_writer *w;
    struct buf bytes;
    struct object_header header;
    struct pack_tail tail;
    struct pack_trailer trailer;
    uint8_t key[KEY_LEN];
};

static int read_whole(struct deep_pack *d, const struct record_pack *pack, struct error *why)
{
    char name[NAME_TEXT_MAX];
    uint8_t hash[HASH_LEN];
    struct check *c = d->w->check;
    if (pack->size > PACK_SIZE_MAX)
        return error_corrupt(why, ERR_PACK_SIZE, "%llu bytes are no pack", (unsigned long long)pack->size);
    name_pack(name, d->w->writer->id, pack->session, pack->idx, pack->attempt);
    int rc = buf_reserve(&d->bytes, (size_t)pack->size, why);
    for (uint64_t at = 0; rc == 0 && at < pack->size; at += MIB) {
        size_t n = pack->size - at < MIB ? (size_t)(pack->size - at) : MIB;
        rc = backend_read(c->repo->backend, name, at, d->bytes.data + at, n, why);
        d->bytes.len += n;
        check_progress(c, n);
    }
    if (rc < 0)
        return rc;
    file_hash(d->bytes.data, d->bytes.len, hash);
    if (memcmp(hash, pack->hash, HASH_LEN) != 0)
        return error_corrupt(why, ERR_PACK_HASH, "it does not have the hash its writer signed");
    return 0;
}

static int open_structure(struct deep_pack *d, const struct record_pack *pack, struct error *why)
{
    struct check_writer *w = d->w;
    const uint8_t *session_key = NULL;
    const uint8_t *trail_key = fetcher_keys(w->fetcher)->trail_key;
    int rc = object_header_parse(OBJECT_PACK, d->bytes.data, d->bytes.len, &d->header, why);
    if (rc == 0)
        rc = object_header_expect(OBJECT_PACK, &d->header, w->check->repo->repo_id, w->writer->id,
                                  pack->session, pack->idx, why);
    if (rc == 0)
        rc = fetcher_session_key(w->fetcher, &d->header, &session_key, why);
    if (rc == 0)
        rc = object_header_key(OBJECT_PACK, &d->header, session_key, d->key, why);
    if (rc == 0)
        rc = pack_tail_open(&d->header, trail_key, d->bytes.data + d->bytes.len - PACK_TAIL_LEN, d->bytes.len,
                            &d->tail, why);
    if (rc == 0)
        rc = pack_trailer_open(&d->header, trail_key, &d->tail, d->bytes.data + d->tail.trailer_off,
                               &d->trailer, why);
    return rc;
}

/* The chunk ids of the trailer are the writer's memory: wrong ones would poison its next backups. */
static int check_chunks(struct deep_pack *d, const struct trailer_blob *b, const uint8_t *plain,
                        struct error *why)
{
    const uint8_t *chunk_key = fetcher_keys(d->w->fetcher)->chunk_key;
    size_t at = 0;
    for (uint32_t i = 0; i < b->nchunks; i++) {
        const struct chunk_entry *c = vec_at(&d->trailer.chunks, b->first_chunk + i);
        uint8_t id[CHUNK_ID_LEN];
        int rc = hash_keyed(b->kind == BLOB_NODE ? PERSON_TREE : PERSON_CHUNK, chunk_key, KEY_LEN, plain + at,
                            c->len, id, sizeof id, why);
        if (rc < 0)
            return rc;
        if (memcmp(id, c->id, sizeof id) != 0)
            return error_corrupt(why, ERR_PACK_TRAILER, "a chunk id does not fit its bytes (blob at %u)",
                                 b->off);
        at += c->len;
    }
    return 0;
}

static int open_blobs(struct deep_pack *d, struct blob_codec *codec, struct error *why)
{
    uint8_t *plain = mem_alloc(BLOB_PLAIN_MAX, 1, why);
    int rc = plain != NULL ? 0 : E_NOMEM;
    for (size_t i = 0; rc == 0 && i < d->trailer.blobs.len; i++) {
        const struct trailer_blob *b = vec_at(&d->trailer.blobs, i);
        rc = blob_open(codec, d->key, fetcher_keys(d->w->fetcher)->id_key,
                       b->kind == BLOB_NODE ? BLOB_KIND_NODE : BLOB_KIND_DATA, b->id, d->bytes.data + b->off,
                       b->clen, plain, b->plen, why);
        if (rc == 0)
            rc = check_chunks(d, b, plain, why);
        if (rc < 0)
            rc = error_wrap(why, "blob at %u", b->off);
        d->w->check->result->blobs++;
    }
    if (plain != NULL)
        secret_wipe(plain, BLOB_PLAIN_MAX);
    free(plain);
    return rc;
}

int check_pack_deep(struct check_writer *w, const struct record_pack *pack, struct error *why)
{
    struct deep_pack d = { .w = w, .bytes = BUF_INIT };
    struct blob_codec *codec = NULL;
    d.trailer.blobs = (struct vec)VEC_OF(struct trailer_blob);
    d.trailer.chunks = (struct vec)VEC_OF(struct chunk_entry);
    int rc = read_whole(&d, pack, why);
    if (rc == 0)
        rc = open_structure(&d, pack, why);
    if (rc == 0) {
        codec = blob_codec_new(why);
        rc = codec != NULL ? open_blobs(&d, codec, why) : E_NOMEM;
    }
    blob_codec_free(codec);
    pack_trailer_free(&d.trailer);
    secret_wipe(d.key, sizeof d.key);
    buf_free(&d.bytes);
    return rc;
}

/* ---- LK: headers only ------------------------------------------------------------------------------------- */
static int open_header(struct check_writer *w, const struct record_pack *pack, struct error *why)
{
    char name[NAME_TEXT_MAX];
    uint8_t head[HEADER_MAX];
    uint8_t key[KEY_LEN];
    struct object_header h;
    const uint8_t *session_key = NULL;
    name_pack(name, w->writer->id, pack->session, pack->idx, pack->attempt);
    int rc = backend_read(w->check->repo->backend, name, 0, head, sizeof head, why);
    if (rc == 0)
        rc = object_header_parse(OBJECT_PACK, head, sizeof head, &h, why);
    if (rc == 0)
        rc = object_header_expect(OBJECT_PACK, &h, w->check->repo->repo_id, w->writer->id, pack->session,
                                  pack->idx, why);
    if (rc == 0)
        rc = fetcher_session_key(w->fetcher, &h, &session_key, why);
    if (rc == 0)
        rc = object_header_key(OBJECT_PACK, &h, session_key, key, why);
    secret_wipe(key, sizeof key);
    return rc;
}

/* Grants for these keys: how many, and the files that are none. Once, not for each writer. */
static int check_grants(struct check_writer *w, struct error *err)
{
    struct check *c = w->check;
    const struct grant_set *g = NULL;
    if (c->grants_seen)
        return 0;
    c->grants_seen = true;
    int rc = fetcher_grants(w->fetcher, &g, err);
    if (rc < 0)
        return rc;
    c->result->grants = g->entries.len;
    for (size_t i = 0; i < g->damage.len; i++) {
        const struct grant_damage *d = vec_at(&g->damage, i);
        struct check_finding f = { .name = d->why.name != NULL ? d->why.name : error_code_name(d->why.code),
                                   .where = d->where,
                                   .text = d->why.text };
        check_report(c, &f);
    }
    return 0;
}

int check_keys(struct check_writer *w, struct error *err)
{
    int rc = check_grants(w, err);
    for (size_t i = 0; rc == 0 && i < w->packs.len; i++) {
        const struct record_pack *p = vec_at(&w->packs, i);
        struct error why = ERROR_INIT;
        rc = open_header(w, p, &why);
        if (rc == 0)
            w->check->result->sessions_opened++;
        else if (check_is_verdict(rc))
            rc = check_pack_finding(w, p, &why, err);
        else
            (void)error_copy(err, &why);
    }
    for (size_t i = 0; rc == 0 && i < w->snapshots.len; i++) {
        struct snapshot *s = *(struct snapshot **)vec_at(&w->snapshots, i);
        struct error why = ERROR_INIT;
        rc = s->has_view ? snapshot_open(s, w->fetcher, &why) : 0;
        if (check_is_verdict(rc))
            rc = check_snapshot_finding(w, s, s->record, NULL, &why);
        else if (rc < 0)
            (void)error_copy(err, &why);
    }
    return rc;
}

/* ---- L3: catalogs and streams ----------------------------------------------------------------------------- */
struct stream_check {
    struct check_writer *w;
    struct snapshot *snapshot;
    struct map *done;  /* stream references that were read whole -> u32 index into reach */
    struct vec *reach; /* struct vec of struct pack_key: the packs they need */
    uint64_t total;    /* of the snapshot's streams so far */
};

/* Another night's snapshot may share a stream and yet not list its packs: then retention would delete them. */
static int remember_reach(struct stream_check *sc, const struct stream_ref *ref, const uint8_t id[HASH_LEN],
                          struct error *why)
{
    struct vec packs = VEC_OF(struct pack_key);
    int rc = check_reach(sc->w->fetcher, &sc->snapshot->view, ref, &packs, why);
    struct vec *slot = rc == 0 ? vec_push(sc->reach, why) : NULL;
    if (slot == NULL) {
        vec_free(&packs);
        return rc < 0 ? rc : E_NOMEM;
    }
    *slot = packs;
    uint32_t *index = map_put(sc->done, id, NULL, why);
    if (index == NULL)
        return E_NOMEM;
    *index = (uint32_t)sc->reach->len - 1;
    return 0;
}

/* Reads one stream to its end; equal references of other nights are the same bytes. */
static int read_stream(struct stream_check *sc, const struct stream_ref *ref, struct error *why)
{
    struct buf encoded = BUF_INIT;
    uint8_t id[HASH_LEN];
    uint8_t *block = NULL;
    struct source *src = NULL;
    int rc = stream_ref_encode(ref, &encoded, why);
    if (rc == 0) {
        file_hash(encoded.data, encoded.len, id);
        const uint32_t *known = map_get(sc->done, id);
        if (known != NULL) {
            rc = check_in_view(vec_at(sc->reach, *known), &sc->snapshot->view, why);
            goto out;
        }
        block = mem_alloc(MIB, 1, why);
        src = block != NULL ? snapshot_stream(sc->snapshot, sc->w->fetcher, ref, why) : NULL;
        rc = src != NULL ? 0 : why->code < 0 ? why->code : E_NOMEM;
    }
    for (int64_t n = 1; rc == 0 && n > 0;) {
        n = interrupt_check(why) < 0 ? E_CANCELLED : source_read(src, block, MIB, why);
        if (n < 0)
            rc = (int)n;
        else
            sc->w->check->result->stream_bytes += (uint64_t)n;
        if (n > 0 && sc->w->check->options->progress != NULL)
            sc->w->check->options->progress(sc->w->check->options->arg, (uint64_t)n);
    }
    if (rc == 0)
        rc = remember_reach(sc, ref, id, why);
    sc->w->check->result->streams += rc == 0 ? 1 : 0;
out:
    source_free(src);
    free(block);
    buf_free(&encoded);
    return rc;
}

/* A restore needs more than the stream: what its facts say must fit it. */
static int check_gaps(const struct member *m, struct error *why)
{
    struct gaps gaps;
    int rc = gaps_parse(m->facts, m->ref.len, &gaps, why);
    if (rc == 0)
        gaps_free(&gaps);
    return rc;
}

static int on_member(const struct member *m, void *arg, struct error *err)
{
    struct stream_check *sc = arg;
    char shown[200];
    struct error why = ERROR_INIT;
    if (m->entry.type != CATALOG_REGULAR)
        return 0;
    int rc = read_stream(sc, &m->ref, &why);
    if (rc == 0)
        rc = check_gaps(m, &why);
    if (rc < 0 && !check_is_verdict(rc))
        return error_copy(err, &why);
    if (rc < 0)
        return check_snapshot_finding(sc->w, sc->snapshot, sc->snapshot->record,
                                      str_printable(shown, sizeof shown, m->entry.path), &why);
    /* restore refuses such a snapshot, so it is not whole. Said once, when the limit is passed. */
    bool within = sc->total <= sc->snapshot->view.logical;
    sc->total = m->ref.len > UINT64_MAX - sc->total ? UINT64_MAX : sc->total + m->ref.len;
    if (within && sc->total > sc->snapshot->view.logical) {
        (void)error_corrupt(&why, ERR_STREAM_LENGTH,
                            "the streams are longer than the %llu bytes it announces",
                            (unsigned long long)sc->snapshot->view.logical);
        return check_snapshot_finding(sc->w, sc->snapshot, sc->snapshot->record, "catalog", &why);
    }
    return 0;
}

/* "w/.../snap/...", and whether its streams are to be read. */
static bool is_wanted(const struct check_writer *w, const struct snapshot *s, char name[NAME_TEXT_MAX])
{
    const struct check_options *o = w->check->options;
    (void)name_snap(name, w->writer->id, s->record->rec.session, s->record->rec.snap_attempt);
    return o->wanted == NULL || o->wanted(o->arg, name);
}

int check_streams(struct check_writer *w, struct error *err)
{
    const struct check_options *o = w->check->options;
    char name[NAME_TEXT_MAX];
    struct map done = MAP_OF(HASH_LEN, sizeof(uint32_t));
    struct vec reach = VEC_OF(struct vec);
    int rc = 0;
    for (size_t i = 0; i < w->snapshots.len; i++) {
        const struct snapshot *s = *(struct snapshot **)vec_at(&w->snapshots, i);
        if (o->total != NULL && s->has_view && is_wanted(w, s, name))
            o->total(o->arg, s->view.logical);
    }
    for (size_t i = 0; rc == 0 && i < w->snapshots.len; i++) {
        struct stream_check sc = {
            .w = w, .snapshot = *(struct snapshot **)vec_at(&w->snapshots, i), .done = &done, .reach = &reach
        };
        struct error why = ERROR_INIT;
        uint64_t findings = w->check->result->findings;
        if (!sc.snapshot->has_view || (o->session != 0 && sc.snapshot->record->rec.session != o->session) ||
            !is_wanted(w, sc.snapshot, name))
            continue;
        rc = snapshot_members(sc.snapshot, w->fetcher, on_member, &sc, &why);
        if (check_is_verdict(rc))
            rc = check_snapshot_finding(w, sc.snapshot, sc.snapshot->record, "catalog", &why);
        else if (rc < 0)
            (void)error_copy(err, &why);
        if (rc == 0 && o->looked != NULL)
            o->looked(o->arg, name, w->check->result->findings == findings);
    }
    for (size_t i = 0; i < reach.len; i++)
        vec_free(vec_at(&reach, i));
    vec_free(&reach);
    map_free(&done);
    return rc;
}
