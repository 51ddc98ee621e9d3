#include "common/repo/retention_record.h"

#include <string.h>

#include "common/base/str.h"
#include "common/base/writer.h"
#include "common/crypto/seal.h"

#include "common/base/banned.h"

static void put_header(struct writer *w, const struct retention_record *r, uint32_t len)
{
    writer_bytes(w, MAGIC_RETENTION, MAGIC_LEN);
    writer_u32(w, len);
    writer_zeros(w, 4);
    writer_bytes(w, r->repo_id, REPO_ID_LEN);
    writer_u32(w, r->seq);
    writer_u32(w, r->charter);
    writer_u64(w, r->time);
    writer_bytes(w, r->prev, HASH_LEN);
    writer_u32(w, (uint32_t)r->heads.len);
    writer_u32(w, (uint32_t)r->ops.len);
    writer_u32(w, (uint32_t)r->condemned.len);
    writer_u32(w, (uint32_t)r->deleted.len);
}

static void put_items(struct writer *w, const struct vec *items)
{
    for (size_t i = 0; i < items->len; i++) {
        const struct retention_item *item = vec_at(items, i);
        writer_bytes(w, item->writer, WRITER_ID_LEN);
        writer_u32(w, item->session);
        writer_u32(w, (item->idx & IDX_SNAP) | (uint32_t)item->attempt << 24);
    }
}

static void put_body(struct writer *w, const struct retention_record *r)
{
    for (size_t i = 0; i < r->heads.len; i++) {
        const struct retention_head *h = vec_at(&r->heads, i);
        writer_bytes(w, h->writer, WRITER_ID_LEN);
        writer_u32(w, h->head);
        writer_u32(w, h->fence);
        writer_bytes(w, h->hash, HASH_LEN);
    }
    for (size_t i = 0; i < r->ops.len; i++) {
        const struct retention_op *op = vec_at(&r->ops, i);
        writer_bytes(w, op->writer, WRITER_ID_LEN);
        writer_u32(w, op->seq);
        writer_u32(w, op->op);
    }
    put_items(w, &r->condemned);
    put_items(w, &r->deleted);
}

/* note_len and the note; sealed with all bytes so far as additional data. */
static int put_note(struct buf *out, const struct secret *v, const char *note, struct error *err)
{
    struct buf sealed = BUF_INIT;
    int rc = 0;
    if (note != NULL)
        rc =
            seal(secret_view(v), RETENTION_NOTE_LABEL, out->data, out->len, note, strlen(note), &sealed, err);
    if (rc == 0) {
        struct writer w = writer_of(out);
        writer_u32(&w, (uint32_t)sealed.len);
        writer_bytes(&w, sealed.data, sealed.len);
        rc = writer_end(&w, err);
    }
    buf_free(&sealed);
    return rc;
}

/* What was built must be readable; what is not is the caller's mistake. */
static int check_built(const struct buf *out, struct error *err)
{
    struct retention_record again;
    struct error why = ERROR_INIT;
    int rc = retention_decode(out->data, out->len, &again, &why);
    if (rc == E_CORRUPT)
        return error_set(err, E_USAGE, "%s", why.text);
    if (rc < 0)
        return error_copy(err, &why);
    retention_free(&again);
    return 0;
}

int retention_encode(struct retention_record *r, const struct secret *seed, const struct secret *v,
                     const char *note, struct buf *out, struct error *err)
{
    uint8_t sig[SIG_LEN];
    uint64_t note_len = note != NULL ? strlen(note) + SEAL_OVERHEAD : 0;
    uint64_t len = RETENTION_HEADER_LEN + (uint64_t)r->heads.len * RETENTION_HEAD_LEN +
                   ((uint64_t)r->ops.len + r->condemned.len + r->deleted.len) * RETENTION_ITEM_LEN + 4 +
                   note_len + SIG_LEN;
    if (len > RECORD_MAX || note_len > RETENTION_NOTE_MAX)
        return error_set(err, E_USAGE, "a retention record of %llu bytes with a note of %llu",
                         (unsigned long long)len, (unsigned long long)note_len);
    if (note != NULL && (v == NULL || secret_len(v) != KEY_LEN || !utf8_valid(note, strlen(note))))
        return error_set(err, E_USAGE, "a retention note needs the view key and UTF-8 text");
    vec_sort(&r->heads, retention_head_order);
    vec_sort(&r->ops, retention_op_order);
    vec_sort(&r->condemned, retention_item_order);
    vec_sort(&r->deleted, retention_item_order);
    r->has_note = note != NULL;
    struct writer w = writer_of(out);
    put_header(&w, r, (uint32_t)len);
    put_body(&w, r);
    int rc = writer_end(&w, err);
    rc = rc < 0 ? rc : put_note(out, v, note, err);
    rc = rc < 0 ? rc : sign_detached(seed, SIGN_RETENTION, out->data, out->len, sig, err);
    rc = rc < 0 ? rc : buf_append(out, sig, SIG_LEN, err);
    rc = rc < 0 ? rc : check_built(out, err);
    if (rc < 0)
        buf_clear(out);
    return rc;
}
