/* Requests: see approval.h. */
#include <stdio.h>
#include <string.h>

#include "common/base/str.h"
#include "common/base/writer.h"
#include "common/repo/approval.h"
#include "common/repo/request_internal.h"

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

int request_by_seq(const void *a, const void *b)
{
    const struct request_snapshot *x = a;
    const struct request_snapshot *y = b;
    return compare(x->writer_id, x->seq, y->writer_id, y->seq);
}

int request_by_session(const void *a, const void *b)
{
    const struct request_session *x = a;
    const struct request_session *y = b;
    return compare(x->writer_id, x->session, y->writer_id, y->session);
}

int request_by_rid(const void *a, const void *b)
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
    sort_once(&q->macs, request_by_rid);
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
    sort_once(&q->snapshots, request_by_seq);
    sort_once(&q->sessions, request_by_session);
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

/* ---- is it of that person, and in time ------------------------------------------------------------------------ */

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
