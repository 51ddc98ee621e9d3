#include "common/repo/approval.h"

#include <string.h>

#include "common/base/reader.h"
#include "common/base/writer.h"
#include "common/crypto/seal.h"

#include "common/base/banned.h"

enum {
    LEN_AT = 8,
    BOX_AT = APPROVAL_HEAD_LEN - BOX_LEN,
    SHARE_ENTRY = WRITER_ID_LEN + 8 + BOX_ID_LEN + SHARE_LEN,
};
_Static_assert(BOX_AT == 112, "the head of an approval");

/* ka = H("bk1 approve", k, DH): only who has the request's key and is the requester comes to both. */
static int list_key(const uint8_t k[KEY_LEN], const struct secret *sk, const uint8_t pk[BOX_PK_LEN],
                    uint8_t key[KEY_LEN], struct error *err)
{
    struct secret *dh = box_shared(sk, pk, err);
    int rc = dh != NULL
                 ? hash_keyed(PERSON_APPROVE, k, KEY_LEN, secret_view(dh), secret_len(dh), key, KEY_LEN, err)
                 : E_AUTH;
    secret_free(dh);
    return rc;
}

/* ---- writing ------------------------------------------------------------------------------------------- */

static struct secret *list_of(const struct opened_shares *shares, struct error *err)
{
    struct secret *list = secret_new(4 + shares->list.len * SHARE_ENTRY, err);
    if (list == NULL)
        return NULL;
    uint8_t *p = secret_data(list);
    store_u32(p, (uint32_t)shares->list.len);
    p += 4;
    for (size_t i = 0; i < shares->list.len; i++, p += SHARE_ENTRY) {
        const struct opened_share *s = vec_at(&shares->list, i);
        memcpy(p, s->writer_id, WRITER_ID_LEN);
        store_u32(p + WRITER_ID_LEN, s->session);
        memcpy(p + WRITER_ID_LEN + 8, s->box_id, BOX_ID_LEN);
        memcpy(p + WRITER_ID_LEN + 8 + BOX_ID_LEN, shares_bytes(shares, s), SHARE_LEN);
    }
    return list;
}

static int write_head(const struct approval *a, const struct request *q, const uint8_t k[KEY_LEN],
                      size_t total, struct buf *out, struct error *err)
{
    uint8_t box[BOX_LEN];
    int rc = box_seal(q->e_pk, k, KEY_LEN, box, err);
    struct writer w = writer_of(out);
    writer_bytes(&w, MAGIC_APPROVAL, MAGIC_LEN);
    writer_u32(&w, (uint32_t)total);
    writer_zeros(&w, 4);
    writer_bytes(&w, a->repo_id, REPO_ID_LEN);
    writer_bytes(&w, a->request_id, HASH_LEN);
    writer_bytes(&w, a->approver, RID_LEN);
    writer_bytes(&w, a->requester, RID_LEN);
    writer_u64(&w, a->time);
    writer_u64(&w, a->expires);
    writer_bytes(&w, box, BOX_LEN);
    return rc < 0 ? rc : writer_end(&w, err);
}

static int identify(struct approval *a, const struct request *q, const struct secret *r, struct error *err)
{
    uint8_t pk[BOX_PK_LEN];
    memcpy(a->repo_id, q->repo_id, REPO_ID_LEN);
    memcpy(a->request_id, q->id, HASH_LEN);
    memcpy(a->requester, q->rid, RID_LEN);
    int rc = box_public(r, pk, err);
    return rc < 0 ? rc : box_rid(pk, a->approver, err);
}

int approval_encode(struct approval *a, const struct request *q, const struct secret *r,
                    const uint8_t requester_pk[BOX_PK_LEN], struct opened_shares *shares, struct buf *out,
                    struct error *err)
{
    uint8_t k[KEY_LEN];
    uint8_t key[KEY_LEN];
    if (shares->list.len < 1 || shares->list.len > APPROVAL_SHARES_MAX || a->expires <= a->time)
        return error_set(err, E_USAGE, "an approval of %zu shares", shares->list.len);
    shares_sort(shares);
    random_bytes(k, sizeof k);
    size_t total = APPROVAL_HEAD_LEN + SEAL_OVERHEAD + 4 + shares->list.len * SHARE_ENTRY;
    struct secret *list = list_of(shares, err);
    int rc = list != NULL ? identify(a, q, r, err) : E_NOMEM;
    rc = rc < 0 ? rc : list_key(k, r, requester_pk, key, err);
    rc = rc < 0 ? rc : write_head(a, q, k, total, out, err);
    if (rc == 0) {
        struct buf sealed = BUF_INIT;
        rc = seal(key, "approval", out->data, out->len, secret_view(list), secret_len(list), &sealed, err);
        rc = rc < 0 ? rc : buf_append(out, sealed.data, sealed.len, err);
        buf_free(&sealed);
    }
    secret_free(list);
    secret_wipe(k, sizeof k);
    secret_wipe(key, sizeof key);
    return rc;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

int approval_parse(const void *data, size_t len, struct approval *a, struct error *err)
{
    struct reader r = reader_of(data, len);
    *a = (struct approval){ .data = data, .len = len };
    if (len < APPROVAL_HEAD_LEN + SEAL_OVERHEAD + 4 || len > APPROVAL_MAX ||
        memcmp(data, MAGIC_APPROVAL, MAGIC_LEN) != 0)
        return error_corrupt(err, ERR_APPROVAL_SYNTAX, "this is no approval, or it is cut");
    (void)reader_bytes(&r, MAGIC_LEN);
    uint32_t size = reader_u32(&r);
    reader_zeros(&r, 4);
    reader_copy(&r, a->repo_id, REPO_ID_LEN);
    reader_copy(&r, a->request_id, HASH_LEN);
    reader_copy(&r, a->approver, RID_LEN);
    reader_copy(&r, a->requester, RID_LEN);
    a->time = reader_u64(&r);
    a->expires = reader_u64(&r);
    if (!reader_ok(&r) || size != len || a->expires <= a->time)
        return error_corrupt(err, ERR_APPROVAL_SYNTAX, "the approval does not have the length that it says");
    return 0;
}

/* Whether entry a comes before b: writer, session, box. */
static bool before(const uint8_t *a, const uint8_t *b)
{
    int c = memcmp(a, b, WRITER_ID_LEN);
    uint32_t x = load_u32(a + WRITER_ID_LEN);
    uint32_t y = load_u32(b + WRITER_ID_LEN);
    if (c == 0 && x != y)
        c = x < y ? -1 : 1;
    return (c != 0 ? c : memcmp(a + WRITER_ID_LEN + 8, b + WRITER_ID_LEN + 8, BOX_ID_LEN)) < 0;
}

static int check_list(const struct request *q, const uint8_t *list, size_t len, struct error *err)
{
    const uint8_t *last = NULL;
    struct reader r = reader_of(list, len);
    uint32_t n = reader_u32(&r);
    if (n < 1 || n > APPROVAL_SHARES_MAX || reader_left(&r) != (size_t)n * SHARE_ENTRY)
        return error_corrupt(err, ERR_APPROVAL_SYNTAX, "the approval's list is malformed");
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *writer = reader_bytes(&r, WRITER_ID_LEN);
        uint32_t session = reader_u32(&r);
        reader_zeros(&r, 4);
        (void)reader_bytes(&r, BOX_ID_LEN + SHARE_LEN);
        if (!reader_ok(&r) || (last != NULL && !before(last, writer)))
            return error_corrupt(err, ERR_APPROVAL_SYNTAX, "the approval's list is malformed");
        last = writer;
        if (request_session_find(q, writer, session) == NULL)
            return error_corrupt(err, ERR_APPROVAL_SESSIONS,
                                 "the approval holds a share of session %u, which was not asked for",
                                 session);
    }
    return 0;
}

static int take_list(const struct approval *a, const uint8_t *list, size_t len, struct opened_shares *shares,
                     struct error *err)
{
    struct reader r = reader_of(list, len);
    uint32_t n = reader_u32(&r);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        const uint8_t *writer = reader_bytes(&r, WRITER_ID_LEN);
        uint32_t session = reader_u32(&r);
        reader_zeros(&r, 4);
        const uint8_t *id = reader_bytes(&r, BOX_ID_LEN);
        const uint8_t *share = reader_bytes(&r, SHARE_LEN);
        rc = shares_add(shares, writer, session, id, a->approver, share, err);
    }
    return rc;
}

static int unseal(const struct approval *a, const struct secret *e_sk, const struct secret *r,
                  const uint8_t approver_pk[BOX_PK_LEN], struct buf *list, struct error *err)
{
    uint8_t k[KEY_LEN];
    uint8_t key[KEY_LEN];
    int rc = box_open(e_sk, a->data + BOX_AT, BOX_LEN, k, NULL);
    rc = rc < 0 ? rc : list_key(k, r, approver_pk, key, NULL);
    rc = rc < 0 ? rc : buf_reserve(list, a->len, err);
    rc = rc < 0 ? rc
                : seal_open(key, "approval", a->data, APPROVAL_HEAD_LEN, a->data + APPROVAL_HEAD_LEN,
                            a->len - APPROVAL_HEAD_LEN, list, NULL);
    secret_wipe(k, sizeof k);
    secret_wipe(key, sizeof key);
    if (rc == E_AUTH)
        return error_corrupt(
            err, ERR_APPROVAL_AUTH,
            "the approval was altered on its way, or was not made by the person that it names");
    return rc;
}

int approval_open(const struct approval *a, const struct request *q, const struct secret *e_sk,
                  const struct secret *r, const uint8_t approver_pk[BOX_PK_LEN], uint64_t now,
                  struct opened_shares *shares, struct error *err)
{
    struct buf list = BUF_INIT;
    if (memcmp(a->request_id, q->id, HASH_LEN) != 0 || memcmp(a->requester, q->rid, RID_LEN) != 0 ||
        memcmp(a->repo_id, q->repo_id, REPO_ID_LEN) != 0)
        return error_named(err, E_CONFLICT, ERR_APPROVAL_REQUEST, "the approval is for another request");
    int rc = unseal(a, e_sk, r, approver_pk, &list, err);
    if (rc == 0 && (now >= a->expires || now >= q->expires))
        rc = error_named(err, E_CONFLICT, ERR_APPROVAL_EXPIRED,
                         "the approval is no longer valid: make a new request");
    rc = rc < 0 ? rc : check_list(q, list.data, list.len, err);
    rc = rc < 0 ? rc : take_list(a, list.data, list.len, shares, err);
    buf_wipe(&list);
    return rc;
}
