/* Reading requests, and the file of the one who asks: see approval.h. */
#include <string.h>

#include "common/base/reader.h"
#include "common/base/str.h"
#include "common/base/writer.h"
#include "common/repo/approval.h"
#include "common/repo/request_internal.h"

#include "common/base/banned.h"

static int syntax(const char *what, struct error *err)
{
    return error_corrupt(err, ERR_REQUEST_SYNTAX, "%s", what);
}

/* UTF-8 without NUL, exactly len bytes, into out (which has room for one more). */
static bool read_text(struct reader *r, size_t len, size_t max, char *out)
{
    const uint8_t *text = len <= max ? reader_bytes(r, len) : NULL;
    if (text == NULL || !utf8_valid((const char *)text, len) || memchr(text, '\0', len) != NULL)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

static int read_snapshots(struct reader *r, uint32_t n, struct request *q, struct error *err)
{
    if (n < 1 || n > REQUEST_SNAPSHOTS_MAX)
        return syntax("the number of its snapshots is impossible", err);
    for (uint32_t i = 0; i < n; i++) {
        struct request_snapshot *s = vec_push(&q->snapshots, err);
        if (s == NULL)
            return E_NOMEM;
        reader_copy(r, s->writer_id, WRITER_ID_LEN);
        s->seq = reader_u32(r);
        s->session = reader_u32(r);
        s->time = reader_u64(r);
        reader_copy(r, s->hash, HASH_LEN);
        size_t label = reader_u8(r);
        if (!reader_ok(r) || s->seq < 1 || s->seq > SEQ_MAX || s->session < 1 || s->session > SESSION_MAX ||
            !read_text(r, label, LABEL_MAX, s->label))
            return syntax("a snapshot's entry is malformed", err);
        if (i > 0 && request_by_seq(vec_at(&q->snapshots, i - 1), s) >= 0)
            return syntax("its snapshots are out of order", err);
    }
    return 0;
}

static int read_sessions(struct reader *r, uint32_t n, struct request *q, struct error *err)
{
    if (n < 1 || n > REQUEST_SESSIONS_MAX)
        return syntax("the number of its sessions is impossible", err);
    for (uint32_t i = 0; i < n; i++) {
        struct request_session *s = vec_push(&q->sessions, err);
        if (s == NULL)
            return E_NOMEM;
        reader_copy(r, s->writer_id, WRITER_ID_LEN);
        s->session = reader_u32(r);
        reader_zeros(r, 4);
        reader_copy(r, s->kid, KID_LEN);
        if (!reader_ok(r) || s->session < 1 || s->session > SESSION_MAX)
            return syntax("a session's entry is malformed", err);
        if (i > 0 && request_by_session(vec_at(&q->sessions, i - 1), s) >= 0)
            return syntax("its sessions are out of order", err);
    }
    return 0;
}

static int read_macs(struct reader *r, unsigned n, struct request *q, struct error *err)
{
    if (n < 1 || n > CHARTER_RECIPIENTS_MAX)
        return syntax("the number of those who may approve is impossible", err);
    for (unsigned i = 0; i < n; i++) {
        struct request_mac *m = vec_push(&q->macs, err);
        if (m == NULL)
            return E_NOMEM;
        reader_copy(r, m->rid, RID_LEN);
        reader_copy(r, m->mac, HASH_LEN);
        if (!reader_ok(r) || (i > 0 && request_by_rid(vec_at(&q->macs, i - 1), m) >= 0))
            return syntax("the list of those who may approve is malformed", err);
    }
    return reader_at_end(r) ? 0 : syntax("something follows its end", err);
}

int request_parse(const void *data, size_t len, struct request *q, struct error *err)
{
    struct reader r = reader_of(data, len);
    request_init(q);
    if (len < REQUEST_HEAD_LEN || len > REQUEST_MAX || memcmp(data, MAGIC_REQUEST, MAGIC_LEN) != 0)
        return syntax("this is no request, or it is cut", err);
    (void)reader_bytes(&r, MAGIC_LEN);
    uint32_t size = reader_u32(&r);
    uint32_t nsnap = reader_u32(&r);
    reader_copy(&r, q->repo_id, REPO_ID_LEN);
    reader_copy(&r, q->rid, RID_LEN);
    reader_copy(&r, q->e_pk, BOX_PK_LEN);
    q->created = reader_u64(&r);
    q->expires = reader_u64(&r);
    uint32_t nsess = reader_u32(&r);
    size_t by = reader_u16(&r);
    size_t reason = reader_u16(&r);
    unsigned nmacs = reader_u16(&r);
    reader_zeros(&r, 6);
    if (!reader_ok(&r) || size != len)
        return syntax("it does not have the length that it says", err);
    if (q->expires <= q->created || q->expires - q->created > REQUEST_VALID_MAX)
        return syntax("its times are impossible", err);
    int rc = read_snapshots(&r, nsnap, q, err);
    rc = rc < 0 ? rc : read_sessions(&r, nsess, q, err);
    if (rc == 0 &&
        (!read_text(&r, by, REQUEST_BY_MAX, q->by) || !read_text(&r, reason, REQUEST_REASON_MAX, q->reason)))
        rc = syntax("its texts are malformed", err);
    size_t head = r.pos;
    rc = rc < 0 ? rc : read_macs(&r, nmacs, q, err);
    rc = rc < 0 ? rc : buf_append(&q->head, data, head, err);
    if (rc == 0)
        file_hash(q->head.data, q->head.len, q->id);
    return rc;
}

/* ---- the requester's own file -------------------------------------------------------------------------- */

enum { STATE_HEAD = MAGIC_LEN + 8 + BOX_SK_LEN };

int request_state_encode(const struct secret *e_sk, const struct buf *request, struct buf *out,
                         struct error *err)
{
    int rc =
        buf_reserve(out, STATE_HEAD + request->len, err); /* at once: growing would leave copies behind */
    if (rc < 0)
        return rc;
    struct writer w = writer_of(out);
    writer_bytes(&w, MAGIC_REQUEST_STATE, MAGIC_LEN);
    writer_u32(&w, (uint32_t)(STATE_HEAD + request->len));
    writer_zeros(&w, 4);
    writer_bytes(&w, secret_view(e_sk), BOX_SK_LEN);
    writer_bytes(&w, request->data, request->len);
    return writer_end(&w, err);
}

int request_state_parse(const void *data, size_t len, struct secret **e_sk, struct request *q,
                        struct error *err)
{
    struct reader r = reader_of(data, len);
    request_init(q);
    *e_sk = NULL;
    if (len < STATE_HEAD || memcmp(data, MAGIC_REQUEST_STATE, MAGIC_LEN) != 0)
        return syntax("the file of a request's key is malformed", err);
    (void)reader_bytes(&r, MAGIC_LEN);
    uint32_t size = reader_u32(&r);
    reader_zeros(&r, 4);
    const uint8_t *key = reader_bytes(&r, BOX_SK_LEN);
    if (!reader_ok(&r) || size != len)
        return syntax("the file of a request's key is malformed", err);
    *e_sk = secret_copy(key, BOX_SK_LEN, err);
    return *e_sk != NULL ? request_parse((const uint8_t *)data + r.pos, reader_left(&r), q, err) : E_NOMEM;
}
