#include "restore/needs.h"

#include <string.h>

#include "common/base/banned.h"

/* ---- sessions ------------------------------------------------------------------------------------------ */

static int add(struct vec *sessions, const uint8_t writer_id[WRITER_ID_LEN], uint32_t session,
               struct error *err)
{
    struct request_session *s = vec_push(sessions, err);
    if (s == NULL)
        return E_NOMEM;
    memcpy(s->writer_id, writer_id, WRITER_ID_LEN);
    s->session = session;
    return 0;
}

int needs_of(const struct snap *snap, struct vec *sessions, struct error *err)
{
    const struct vec *packs = &snap->object->view.packs;
    uint32_t last = snap->record->rec.session;
    int rc = add(sessions, snap->writer->id, last, err);
    for (size_t i = 0; rc == 0 && i < packs->len; i++) { /* ascending by session */
        const struct pack_key *p = vec_at(packs, i);
        if (p->session == last)
            continue;
        last = p->session;
        rc = add(sessions, snap->writer->id, last, err);
    }
    return rc;
}

static int order(const void *a, const void *b)
{
    const struct request_session *x = a;
    const struct request_session *y = b;
    int c = memcmp(x->writer_id, y->writer_id, WRITER_ID_LEN);
    return c != 0 ? c : x->session < y->session ? -1 : x->session > y->session;
}

void needs_sort(struct vec *sessions)
{
    size_t kept = 0;
    vec_sort(sessions, order);
    for (size_t i = 0; i < sessions->len; i++) {
        if (kept > 0 && order(vec_at(sessions, kept - 1), vec_at(sessions, i)) == 0)
            continue;
        memmove(vec_at(sessions, kept), vec_at(sessions, i), sessions->item);
        kept++;
    }
    sessions->len = kept;
}

bool needs_has(const struct vec *sessions, const uint8_t writer_id[WRITER_ID_LEN], uint32_t session)
{
    struct request_session want = { .session = session };
    size_t low = 0;
    size_t high = sessions->len;
    memcpy(want.writer_id, writer_id, WRITER_ID_LEN);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = order(vec_at(sessions, mid), &want);
        if (c == 0)
            return true;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

/* ---- headers ------------------------------------------------------------------------------------------- */

static int keep(enum object_kind kind, const struct station *st, const struct repo_writer *w,
                uint32_t session, uint32_t second, struct session_header *out, struct error *err)
{
    struct buf head = BUF_INIT;
    int rc = object_header_parse(kind, out->bytes.data, out->bytes.len, &out->header, err);
    rc = rc < 0 ? rc
                : object_header_expect(kind, &out->header, st->repo->repo_id, w->id, session, second, err);
    rc = rc < 0 ? rc : buf_append(&head, out->bytes.data, out->header.len, err); /* a pack may be 256 MiB */
    buf_free(&out->bytes);
    out->bytes = head;
    rc = rc < 0 ? rc : object_header_parse(kind, out->bytes.data, out->bytes.len, &out->header, err);
    return rc < 0 ? rc : envelope_parse(out->header.envelope, out->header.envelope_len, &out->envelope, err);
}

/* The record whose snapshot object is of this session, or NULL. */
static const struct repo_record *record_of(const struct repo_writer *w, uint32_t session)
{
    for (size_t i = w->records.len; i > 0; i--) {
        const struct repo_record *r = vec_at(&w->records, i - 1);
        if (r->rec.session == session && r->rec.kind == RECORD_SNAPSHOT)
            return r;
        if (r->rec.session < session)
            return NULL;
    }
    return NULL;
}

static int from_snapshot(const struct station *st, const struct repo_writer *w, const struct repo_record *r,
                         struct session_header *out, struct error *err)
{
    struct snapshot *s = NULL;
    int rc = snapshot_load(st->repo, w, r, &s, err);
    rc = rc < 0 ? rc : buf_append(&out->bytes, s->parts.header.bytes, s->parts.header.len, err);
    rc = rc < 0 ? rc : keep(OBJECT_SNAP, st, w, r->rec.session, r->rec.seq, out, err);
    snapshot_free(s);
    return rc;
}

/* The smallest one: it may have to be read whole. */
static const struct record_pack *pack_of(const struct station *st, const struct repo_writer *w,
                                         uint32_t session)
{
    const struct record_pack *best = NULL;
    for (size_t i = 0; i < w->records.len; i++) {
        const struct repo_record *r = vec_at(&w->records, i);
        for (size_t k = 0; k < r->rec.packs.len; k++) {
            const struct record_pack *p = vec_at(&r->rec.packs, k);
            if (p->session == session && (best == NULL || p->size < best->size) &&
                repo_item_find(st->repo, w->id, p->session, p->idx, p->attempt).deleted == 0)
                best = p;
        }
    }
    return best;
}

static int from_pack(const struct station *st, const struct repo_writer *w, const struct record_pack *p,
                     bool as_signed, struct session_header *out, struct error *err)
{
    char name[NAME_TEXT_MAX];
    uint8_t hash[HASH_LEN];
    int rc;
    name_pack(name, w->id, p->session, p->idx, p->attempt);
    buf_clear(&out->bytes);
    if (as_signed) {
        rc = backend_read_all(st->repo->backend, name, p->size, &out->bytes, err);
        file_hash(out->bytes.data, out->bytes.len, hash);
        if (rc == 0 && memcmp(hash, p->hash, HASH_LEN) != 0)
            rc = error_corrupt(err, ERR_PACK_HASH, "%s is not what its writer signed", name);
    } else {
        rc = buf_reserve(&out->bytes, HEADER_MAX, err);
        rc = rc < 0 ? rc : backend_read(st->repo->backend, name, 0, out->bytes.data, HEADER_MAX, err);
        out->bytes.len = rc == 0 ? HEADER_MAX : 0;
    }
    rc = rc < 0 ? rc : keep(OBJECT_PACK, st, w, p->session, p->idx, out, err);
    return rc < 0 ? error_wrap(err, "session %u", p->session) : 0;
}

int session_header_load(const struct station *st, const struct repo_writer *w, uint32_t session,
                        bool as_signed, struct session_header *out, struct error *err)
{
    struct error why = ERROR_INIT;
    const struct repo_record *r = record_of(w, session);
    *out = (struct session_header){ .bytes = BUF_INIT };
    int rc = r != NULL ? from_snapshot(st, w, r, out, &why) : E_NOT_FOUND;
    if (rc == 0)
        return 0;
    if (rc != E_NOT_FOUND && rc != E_CORRUPT)
        return error_copy(err, &why);
    const struct record_pack *p = pack_of(st, w, session);
    if (p == NULL && why.code != 0)
        return error_copy(err, &why);
    if (p == NULL)
        return error_set(err, E_NOT_FOUND, "session %u of this writer has neither a snapshot nor a pack",
                         session);
    return from_pack(st, w, p, as_signed, out, err);
}

void session_header_free(struct session_header *h)
{
    buf_free(&h->bytes);
}

bool envelope_group_has(const struct envelope_group *g, const uint8_t (*rids)[RID_LEN], size_t n)
{
    for (size_t k = 0; k < n; k++) {
        bool found = false;
        for (unsigned i = 0; i < g->n; i++)
            found |= memcmp(g->share[i].rid, rids[k], RID_LEN) == 0;
        if (!found)
            return false;
    }
    return true;
}

/* ---- copies ---------------------------------------------------------------------------------------------- */

int boxes_note(struct map *boxes, const uint8_t writer_id[WRITER_ID_LEN], uint32_t session,
               const struct envelope *env, struct error *err)
{
    for (unsigned g = 0; g < env->n; g++) {
        for (unsigned i = 0; i < env->group[g].n; i++) {
            uint8_t id[BOX_ID_LEN];
            bool fresh = false;
            box_id(env->group[g].share[i].box, env->box_len, id);
            struct box_place *p = map_put(boxes, id, &fresh, err);
            if (p == NULL)
                return E_NOMEM;
            if (!fresh && (p->session != session || memcmp(p->writer_id, writer_id, WRITER_ID_LEN) != 0))
                return error_corrupt(err, ERR_ENVELOPE_COPY,
                                     "sessions %u and %u have the same share sealed: opening one opens the "
                                     "other. Somebody tampers with a writer; nothing was opened",
                                     p->session, session);
            p->session = session;
            memcpy(p->writer_id, writer_id, WRITER_ID_LEN);
        }
    }
    return 0;
}
