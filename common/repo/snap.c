#include "common/repo/snap.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/reader.h"
#include "common/base/str.h"
#include "common/base/writer.h"
#include "common/crypto/secret.h"
#include "common/repo/node.h"
#include "common/base/banned.h"

int pack_key_compare(const void *a, const void *b)
{
    const struct pack_key *x = a;
    const struct pack_key *y = b;
    if (x->session != y->session)
        return x->session < y->session ? -1 : 1;
    return x->idx < y->idx ? -1 : x->idx > y->idx;
}

bool snap_view_has(const struct snap_view *v, uint32_t session, uint32_t idx)
{
    struct pack_key key = { .session = session, .idx = idx };
    return v->packs.len != 0 &&
           bsearch(&key, v->packs.data, v->packs.len, sizeof key, pack_key_compare) != NULL;
}

/* Zero-pads to the Padme length, seals, and appends u32 length and the sealed bytes. */
static int append_sealed(struct buf *out, struct buf *plain, const uint8_t key[KEY_LEN], const char *label,
                         size_t header_len, struct error *err)
{
    uint8_t size[4];
    size_t target = (size_t)padme(plain->len);
    int rc = buf_zeros(plain, target - plain->len, err);
    store_u32(size, (uint32_t)(target + SEAL_OVERHEAD));
    if (rc == 0)
        rc = buf_append(out, size, sizeof size, err);
    /* seal() reads the header out of the buffer it appends to: make room first so that it cannot move. */
    if (rc == 0)
        rc = buf_reserve(out, target + SEAL_OVERHEAD, err);
    if (rc == 0)
        rc = seal(key, label, out->data, header_len, plain->data, plain->len, out, err);
    return rc;
}

static int encode_view(const struct snap_view *view, struct buf *out, struct error *err)
{
    size_t label_len = strlen(view->label);
    size_t notes_len = view->notes != NULL ? strlen(view->notes) : 0;
    if (view->packs.len > VIEW_REFS_MAX)
        return error_set(err, E_UNSUPPORTED, "a snapshot of %zu packs (limit %d)", view->packs.len,
                         VIEW_REFS_MAX);
    if (notes_len > VIEW_NOTES_MAX)
        return error_set(err, E_UNSUPPORTED, "notes of %zu bytes (limit %d)", notes_len, VIEW_NOTES_MAX);
    struct writer w = writer_of(out);
    writer_u64(&w, view->started);
    writer_u64(&w, view->finished);
    writer_u64(&w, view->logical);
    writer_u64(&w, view->added);
    writer_u32(&w, (uint32_t)view->packs.len);
    writer_u32(&w, (uint32_t)label_len);
    writer_u32(&w, (uint32_t)notes_len);
    for (size_t i = 0; i < view->packs.len; i++) {
        const struct pack_key *p = vec_at(&view->packs, i);
        writer_u32(&w, p->session);
        writer_u32(&w, p->idx);
    }
    writer_bytes(&w, view->label, label_len);
    writer_bytes(&w, view->notes, notes_len);
    return writer_end(&w, err);
}

static int encode_priv(const struct snap_priv *priv, struct buf *out, struct error *err)
{
    size_t len = priv->facts != NULL ? strlen(priv->facts) : 0;
    if (len > PRIV_FACTS_MAX)
        return error_set(err, E_UNSUPPORTED, "facts of %zu bytes (limit %d)", len, PRIV_FACTS_MAX);
    int rc = stream_ref_encode(&priv->catalog, out, err);
    if (rc < 0)
        return rc;
    struct writer w = writer_of(out);
    writer_u32(&w, (uint32_t)len);
    writer_bytes(&w, priv->facts, len);
    return writer_end(&w, err);
}

int snap_build(const struct object_author *author, uint32_t seq, const uint8_t view_key[KEY_LEN],
               const struct snap_view *view, const struct snap_priv *priv, struct buf *out, struct error *err)
{
    uint8_t key[KEY_LEN];
    struct buf plain_view = BUF_INIT;
    struct buf plain_priv = BUF_INIT;
    int rc = object_header_build(OBJECT_SNAP, author, seq, out, key, err);
    size_t header_len = out->len;
    if (rc == 0)
        rc = encode_view(view, &plain_view, err);
    if (rc == 0)
        rc = encode_priv(priv, &plain_priv, err);
    if (rc == 0)
        rc = append_sealed(out, &plain_view, view_key, "snap view", header_len, err);
    if (rc == 0)
        rc = append_sealed(out, &plain_priv, key, "snap priv", header_len, err);
    secret_wipe(key, sizeof key);
    buf_wipe(&plain_view);
    buf_wipe(&plain_priv);
    return rc;
}

int snap_parse(const void *data, size_t len, struct snap_parts *out, struct error *err)
{
    int rc = object_header_parse(OBJECT_SNAP, data, len, &out->header, err);
    if (rc < 0)
        return rc;
    struct reader r = reader_of(data, len);
    (void)reader_bytes(&r, out->header.len);
    out->view_len = reader_u32(&r);
    out->view = reader_bytes(&r, out->view_len);
    out->priv_len = reader_u32(&r);
    out->priv = reader_bytes(&r, out->priv_len);
    if (!reader_at_end(&r))
        return error_corrupt(err, ERR_SNAP_HEADER, "the parts do not fill the file");
    return 0;
}

/* Zeros up to the Padme length of what was read, nothing else. */
static void expect_padding(struct reader *r)
{
    size_t used = r->pos;
    size_t total = r->len;
    reader_zeros(r, reader_left(r));
    if (padme(used) != total)
        reader_fail(r);
}

static int decode_view(struct reader *r, struct snap_view *out, struct error *err)
{
    out->started = reader_u64(r);
    out->finished = reader_u64(r);
    out->logical = reader_u64(r);
    out->added = reader_u64(r);
    uint32_t n = reader_u32(r);
    uint32_t label_len = reader_u32(r);
    uint32_t notes_len = reader_u32(r);
    if (!reader_ok(r) || n > VIEW_REFS_MAX || label_len > LABEL_MAX || notes_len > VIEW_NOTES_MAX ||
        (uint64_t)n * 8 > reader_left(r))
        return error_corrupt(err, ERR_SNAP_VIEW,
                             "the view breaks the limits (%u packs, label of %u, notes of %u)", n, label_len,
                             notes_len);
    for (uint32_t i = 0; i < n; i++) {
        struct pack_key *p = vec_push(&out->packs, err);
        if (p == NULL)
            return E_NOMEM;
        p->session = reader_u32(r);
        p->idx = reader_u32(r);
        bool sorted = i == 0 || pack_key_compare(p - 1, p) < 0;
        if (p->session == 0 || p->session > SESSION_MAX || p->idx > IDX_MAX || !sorted)
            return error_corrupt(err, ERR_SNAP_VIEW, "pack %u of the view (%u-%u) is out of order or range",
                                 i, p->session, p->idx);
    }
    reader_copy(r, out->label, label_len);
    out->label[label_len] = '\0';
    const char *notes = (const char *)reader_bytes(r, notes_len);
    expect_padding(r);
    if (!reader_ok(r) || strlen(out->label) != label_len || !utf8_valid(out->label, label_len) ||
        memchr(notes, '\0', notes_len) != NULL || !utf8_valid(notes, notes_len))
        return error_corrupt(err, ERR_SNAP_VIEW, "label, notes or padding of the view are wrong");
    out->notes = str_dup_len(notes, notes_len, err);
    return out->notes != NULL ? 0 : E_NOMEM;
}

int snap_view_open(const struct snap_parts *snap, const uint8_t view_key[KEY_LEN], struct snap_view *out,
                   struct error *err)
{
    struct buf plain = BUF_INIT;
    *out = (struct snap_view){ .packs = VEC_OF(struct pack_key) };
    int rc = seal_open(view_key, "snap view", snap->header.bytes, snap->header.len, snap->view,
                       snap->view_len, &plain, err);
    if (rc == E_AUTH)
        rc = error_corrupt(err, ERR_SNAP_VIEW, "the view does not open");
    if (rc == 0) {
        struct reader r = reader_of(plain.data, plain.len);
        rc = decode_view(&r, out, err);
    }
    buf_wipe(&plain);
    if (rc < 0)
        snap_view_free(out);
    return rc;
}

static int decode_priv(struct reader *r, struct snap_priv *out, struct error *err)
{
    const uint8_t *ref = reader_bytes(r, STREAM_REF_LEN);
    uint32_t n = reader_u32(r);
    if (!reader_ok(r) || n > PRIV_FACTS_MAX)
        return error_corrupt(err, ERR_SNAP_PRIV, "the private part breaks the limits");
    int rc = stream_ref_decode(ref, STREAM_REF_LEN, &out->catalog, err);
    if (rc < 0)
        return rc;
    const uint8_t *facts = reader_bytes(r, n);
    expect_padding(r);
    if (!reader_ok(r) || !utf8_valid((const char *)facts, n) || memchr(facts, '\0', n) != NULL)
        return error_corrupt(err, ERR_SNAP_PRIV, "the facts or the padding are wrong");
    out->facts = str_dup_len((const char *)facts, n, err);
    return out->facts != NULL ? 0 : E_NOMEM;
}

int snap_priv_open(const struct snap_parts *snap, const uint8_t snap_key[KEY_LEN], struct snap_priv *out,
                   struct error *err)
{
    struct buf plain = BUF_INIT;
    *out = (struct snap_priv){ .facts = NULL };
    int rc = seal_open(snap_key, "snap priv", snap->header.bytes, snap->header.len, snap->priv,
                       snap->priv_len, &plain, err);
    if (rc == E_AUTH)
        rc = error_corrupt(err, ERR_SNAP_PRIV, "the private part does not open");
    if (rc == 0) {
        struct reader r = reader_of(plain.data, plain.len);
        rc = decode_priv(&r, out, err);
    }
    buf_wipe(&plain);
    if (rc < 0)
        snap_priv_free(out);
    return rc;
}

void snap_view_free(struct snap_view *v)
{
    vec_free(&v->packs);
    free(v->notes);
    v->notes = NULL;
}

void snap_priv_free(struct snap_priv *p)
{
    free(p->facts);
    p->facts = NULL;
}
