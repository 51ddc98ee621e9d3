/* Requests: see approval.h. */
#include <stdio.h>
#include <string.h>

#include "common/base/reader.h"
#include "common/base/str.h"
#include "common/base/writer.h"
#include "common/repo/approval.h"

#include "common/base/banned.h"

enum { LEN_AT = 8, FUTURE_MAX = 86400, CODE_BYTES = 8, CODE_GROUP = 4 };

void request_init(struct request *q)
{
    *q = (struct request){ .snapshots = VEC_OF(struct request_snapshot),
                           .sessions = VEC_OF(struct request_session),
                           .macs = VEC_OF(struct request_mac),
                           .head = BUF_INIT };
}

void request_free(struct request *q)
{
    vec_free(&q->snapshots);
    vec_free(&q->sessions);
    vec_free(&q->macs);
    buf_free(&q->head);
}

const char *request_code(const struct request *q, char out[REQUEST_CODE_MAX])
{
    char hex[2 * CODE_BYTES + 1];
    size_t n = 0;
    hex_encode(hex, q->id, CODE_BYTES);
    for (size_t i = 0; hex[i] != '\0'; i++) {
        if (i > 0 && i % CODE_GROUP == 0)
            out[n++] = '-';
        out[n++] = hex[i];
    }
    out[n] = '\0';
    return out;
}

/* ---- orders -------------------------------------------------------------------------------------------- */

static int compare(const uint8_t *w, uint32_t n, const uint8_t *other_w, uint32_t other_n)
{
    int c = memcmp(w, other_w, WRITER_ID_LEN);
    return c != 0 ? c : n < other_n ? -1 : n > other_n;
}

static int by_seq(const void *a, const void *b)
{
    const struct request_snapshot *x = a;
    const struct request_snapshot *y = b;
    return compare(x->writer_id, x->seq, y->writer_id, y->seq);
}

static int by_session(const void *a, const void *b)
{
    const struct request_session *x = a;
    const struct request_session *y = b;
    return compare(x->writer_id, x->session, y->writer_id, y->session);
}

static int by_rid(const void *a, const void *b)
{
    return memcmp(a, b, RID_LEN); /* rid is the first field */
}

static void sort_once(struct vec *v, int (*order)(const void *, const void *))
{
    size_t kept = 0;
    vec_sort(v, order);
    for (size_t i = 0; i < v->len; i++) {
        if (kept > 0 && order(vec_at(v, kept - 1), vec_at(v, i)) == 0)
            continue;
        memmove(vec_at(v, kept), vec_at(v, i), v->item);
        kept++;
    }
    v->len = kept;
}

const struct request_session *request_session_find(const struct request *q,
                                                   const uint8_t writer_id[WRITER_ID_LEN], uint32_t session)
{
    size_t low = 0;
    size_t high = q->sessions.len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct request_session *s = vec_at(&q->sessions, mid);
        int c = compare(s->writer_id, s->session, writer_id, session);
        if (c == 0)
            return s;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* ---- authentication: between two recipients ------------------------------------------------------------ */

static int mac_of(const struct request *q, const struct secret *sk, const uint8_t pk[BOX_PK_LEN],
                  uint8_t mac[HASH_LEN], struct error *err)
{
    struct secret *dh = box_shared(sk, pk, err);
    int rc = dh != NULL ? hash_keyed(PERSON_REQUEST, secret_view(dh), secret_len(dh), q->head.data,
                                     q->head.len, mac, HASH_LEN, err)
                        : E_AUTH;
    secret_free(dh);
    return rc;
}

static int add_macs(struct request *q, const struct secret *r, const struct charter_recipient *to, size_t n,
                    struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct request_mac *m = vec_push(&q->macs, err);
        if (m == NULL)
            return E_NOMEM;
        memcpy(m->rid, to[i].rid, RID_LEN);
        rc = mac_of(q, r, to[i].pk, m->mac, err);
    }
    sort_once(&q->macs, by_rid);
    return rc;
}

/* ---- writing ------------------------------------------------------------------------------------------- */

static int check_counts(const struct request *q, size_t n, struct error *err)
{
    if (q->snapshots.len < 1 || q->snapshots.len > REQUEST_SNAPSHOTS_MAX)
        return error_set(err, E_USAGE, "a request names 1 to %d snapshots, not %zu", REQUEST_SNAPSHOTS_MAX,
                         q->snapshots.len);
    if (q->sessions.len < 1 || q->sessions.len > REQUEST_SESSIONS_MAX)
        return error_set(err, E_USAGE, "a request names 1 to %d sessions, not %zu: ask for fewer snapshots",
                         REQUEST_SESSIONS_MAX, q->sessions.len);
    if (n < 1 || n > CHARTER_RECIPIENTS_MAX)
        return error_set(err, E_USAGE, "there is nobody else who could approve");
    if (q->expires <= q->created || q->expires - q->created > REQUEST_VALID_MAX)
        return error_set(err, E_USAGE, "a request is valid for at most %d days", REQUEST_VALID_MAX / 86400);
    return 0;
}

static void write_head(const struct request *q, size_t len, size_t nmacs, struct writer *w)
{
    writer_bytes(w, MAGIC_REQUEST, MAGIC_LEN);
    writer_u32(w, (uint32_t)len);
    writer_u32(w, (uint32_t)q->snapshots.len);
    writer_bytes(w, q->repo_id, REPO_ID_LEN);
    writer_bytes(w, q->rid, RID_LEN);
    writer_bytes(w, q->e_pk, BOX_PK_LEN);
    writer_u64(w, q->created);
    writer_u64(w, q->expires);
    writer_u32(w, (uint32_t)q->sessions.len);
    writer_u16(w, (uint16_t)strlen(q->by));
    writer_u16(w, (uint16_t)strlen(q->reason));
    writer_u16(w, (uint16_t)nmacs);
    writer_zeros(w, 6);
}

static void write_lists(const struct request *q, struct writer *w)
{
    for (size_t i = 0; i < q->snapshots.len; i++) {
        const struct request_snapshot *s = vec_at(&q->snapshots, i);
        writer_bytes(w, s->writer_id, WRITER_ID_LEN);
        writer_u32(w, s->seq);
        writer_u32(w, s->session);
        writer_u64(w, s->time);
        writer_bytes(w, s->hash, HASH_LEN);
        writer_u8(w, (uint8_t)strlen(s->label));
        writer_bytes(w, s->label, strlen(s->label));
    }
    for (size_t i = 0; i < q->sessions.len; i++) {
        const struct request_session *s = vec_at(&q->sessions, i);
        writer_bytes(w, s->writer_id, WRITER_ID_LEN);
        writer_u32(w, s->session);
        writer_zeros(w, 4);
        writer_bytes(w, s->kid, KID_LEN);
    }
    writer_bytes(w, q->by, strlen(q->by));
    writer_bytes(w, q->reason, strlen(q->reason));
}

/* The number of macs is in the bytes that they cover, so doubles must not be dropped afterwards. */
int request_encode(struct request *q, const struct secret *r, const struct charter_recipient *to, size_t n,
                   struct buf *out, struct error *err)
{
    sort_once(&q->snapshots, by_seq);
    sort_once(&q->sessions, by_session);
    int rc = check_counts(q, n, err);
    if (rc < 0)
        return rc;
    buf_clear(&q->head);
    vec_clear(&q->macs);
    struct writer w = writer_of(&q->head);
    write_head(q, 0, n, &w);
    write_lists(q, &w);
    rc = writer_end(&w, err);
    if (rc < 0)
        return rc;
    size_t total = q->head.len + n * sizeof(struct request_mac);
    store_u32(q->head.data + LEN_AT, (uint32_t)total);
    rc = add_macs(q, r, to, n, err);
    if (rc == 0 && q->macs.len != n)
        rc = error_set(err, E_USAGE, "a recipient stands twice in the list of those who may approve");
    if (rc < 0)
        return rc;
    file_hash(q->head.data, q->head.len, q->id);
    w = writer_of(out);
    writer_bytes(&w, q->head.data, q->head.len);
    for (size_t i = 0; i < q->macs.len; i++) {
        const struct request_mac *m = vec_at(&q->macs, i);
        writer_bytes(&w, m->rid, RID_LEN);
        writer_bytes(&w, m->mac, HASH_LEN);
    }
    return writer_end(&w, err);
}

/* ---- reading ------------------------------------------------------------------------------------------- */

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
        if (i > 0 && by_seq(vec_at(&q->snapshots, i - 1), s) >= 0)
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
        if (i > 0 && by_session(vec_at(&q->sessions, i - 1), s) >= 0)
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
        if (!reader_ok(r) || (i > 0 && by_rid(vec_at(&q->macs, i - 1), m) >= 0))
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

static int check_time(const struct request *q, uint64_t now, struct error *err)
{
    if (now >= q->expires)
        return error_named(err, E_CONFLICT, ERR_REQUEST_EXPIRED,
                           "the request is no longer valid: let it be made anew");
    if (q->created > now && q->created - now > FUTURE_MAX)
        return error_named(err, E_CONFLICT, ERR_REQUEST_EXPIRED,
                           "the request was made in the future: one of the two clocks is wrong");
    return 0;
}

int request_verify(const struct request *q, const struct secret *r, const uint8_t requester_pk[BOX_PK_LEN],
                   uint64_t now, struct error *err)
{
    uint8_t pk[BOX_PK_LEN];
    uint8_t rid[RID_LEN];
    uint8_t mac[HASH_LEN];
    const struct request_mac *mine = NULL;
    int rc = box_public(r, pk, err);
    rc = rc < 0 ? rc : box_rid(pk, rid, err);
    rc = rc < 0 ? rc : mac_of(q, r, requester_pk, mac, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; mine == NULL && i < q->macs.len; i++) {
        const struct request_mac *m = vec_at(&q->macs, i);
        mine = memcmp(m->rid, rid, RID_LEN) == 0 ? m : NULL;
    }
    if (mine == NULL)
        return error_set(err, E_AUTH, "the request is not addressed to this kit");
    if (!secret_equal(mine->mac, mac, HASH_LEN))
        return error_corrupt(
            err, ERR_REQUEST_AUTH,
            "the request was altered on its way, or does not come from the person that it names");
    return check_time(q, now, err);
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
