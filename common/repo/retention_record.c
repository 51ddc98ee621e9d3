#include "common/repo/retention_record.h"

#include <string.h>

#include "common/base/reader.h"
#include "common/base/str.h"
#include "common/crypto/seal.h"

#include "common/base/banned.h"

enum { RETENTION_MIN = RETENTION_HEADER_LEN + 4 + SIG_LEN };

static const uint8_t zeros[HASH_LEN];

void retention_init(struct retention_record *r)
{
    *r = (struct retention_record){ .heads = VEC_OF(struct retention_head),
                                    .ops = VEC_OF(struct retention_op),
                                    .condemned = VEC_OF(struct retention_item),
                                    .deleted = VEC_OF(struct retention_item) };
}

void retention_free(struct retention_record *r)
{
    vec_free(&r->heads);
    vec_free(&r->ops);
    vec_free(&r->condemned);
    vec_free(&r->deleted);
    retention_init(r);
}

int retention_head_order(const void *a, const void *b)
{
    const struct retention_head *x = a;
    const struct retention_head *y = b;
    return memcmp(x->writer, y->writer, WRITER_ID_LEN);
}

int retention_op_order(const void *a, const void *b)
{
    const struct retention_op *x = a;
    const struct retention_op *y = b;
    int c = memcmp(x->writer, y->writer, WRITER_ID_LEN);
    if (c != 0)
        return c;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

int retention_item_order(const void *a, const void *b)
{
    const struct retention_item *x = a;
    const struct retention_item *y = b;
    int c = memcmp(x->writer, y->writer, WRITER_ID_LEN);
    if (c != 0)
        return c;
    if (x->session != y->session)
        return x->session < y->session ? -1 : 1;
    if (x->idx != y->idx)
        return x->idx < y->idx ? -1 : 1;
    return (int)x->attempt - (int)y->attempt;
}

/* ---- reading ----------------------------------------------------------------------------------------- */

/* Size of everything before note_len. */
static uint64_t body_size(uint64_t heads, uint64_t items)
{
    return RETENTION_HEADER_LEN + heads * RETENTION_HEAD_LEN + items * RETENTION_ITEM_LEN;
}

struct counts {
    uint32_t len, heads, ops, condemned, deleted;
};

static void take_header(struct reader *r, struct retention_record *out, struct counts *n)
{
    const uint8_t *magic = reader_bytes(r, MAGIC_LEN);
    if (magic == NULL || memcmp(magic, MAGIC_RETENTION, MAGIC_LEN) != 0)
        reader_fail(r);
    n->len = reader_u32(r);
    reader_zeros(r, 4);
    reader_copy(r, out->repo_id, REPO_ID_LEN);
    out->seq = reader_u32(r);
    out->charter = reader_u32(r);
    out->time = reader_u64(r);
    reader_copy(r, out->prev, HASH_LEN);
    n->heads = reader_u32(r);
    n->ops = reader_u32(r);
    n->condemned = reader_u32(r);
    n->deleted = reader_u32(r);
}

static uint64_t stated_body(const struct counts *n)
{
    return body_size(n->heads, (uint64_t)n->ops + n->condemned + n->deleted);
}

static int take_heads(struct reader *r, uint32_t n, struct vec *out, struct error *err)
{
    for (uint32_t i = 0; i < n; i++) {
        struct retention_head *h = vec_push(out, err);
        if (h == NULL)
            return E_NOMEM;
        reader_copy(r, h->writer, WRITER_ID_LEN);
        h->head = reader_u32(r);
        h->fence = reader_u32(r);
        reader_copy(r, h->hash, HASH_LEN);
        if (h->head > SEQ_MAX || h->fence > SEQ_MAX ||
            (h->head == 0 && memcmp(h->hash, zeros, HASH_LEN) != 0) ||
            (i > 0 && retention_head_order(h - 1, h) >= 0))
            return error_corrupt(err, ERR_RETENTION_SYNTAX, "retention record: head %u is malformed", i);
    }
    return 0;
}

static int take_ops(struct reader *r, uint32_t n, struct vec *out, struct error *err)
{
    for (uint32_t i = 0; i < n; i++) {
        struct retention_op *op = vec_push(out, err);
        if (op == NULL)
            return E_NOMEM;
        reader_copy(r, op->writer, WRITER_ID_LEN);
        op->seq = reader_u32(r);
        op->op = reader_u32(r);
        if (op->seq < 1 || op->seq > SEQ_MAX || op->op > RETENTION_RELEASE ||
            (i > 0 && retention_op_order(op - 1, op) >= 0))
            return error_corrupt(err, ERR_RETENTION_SYNTAX, "retention record: operation %u is malformed", i);
    }
    return 0;
}

static int take_items(struct reader *r, uint32_t n, struct vec *out, struct error *err)
{
    for (uint32_t i = 0; i < n; i++) {
        struct retention_item *item = vec_push(out, err);
        if (item == NULL)
            return E_NOMEM;
        reader_copy(r, item->writer, WRITER_ID_LEN);
        item->session = reader_u32(r);
        uint32_t idx = reader_u32(r);
        item->idx = idx & IDX_SNAP;
        item->attempt = (uint8_t)(idx >> 24);
        if (item->session < 1 || item->session > SESSION_MAX ||
            (i > 0 && retention_item_order(item - 1, item) >= 0))
            return error_corrupt(err, ERR_RETENTION_SYNTAX, "retention record: list entry %u is malformed",
                                 i);
    }
    return 0;
}

static bool take_note(struct reader *r, bool *has_note)
{
    uint32_t n = reader_u32(r);
    *has_note = n != 0;
    return reader_ok(r) && (n == 0 || (n >= SEAL_OVERHEAD && n <= RETENTION_NOTE_MAX)) && reader_left(r) == n;
}

int retention_decode(const void *data, size_t len, struct retention_record *out, struct error *err)
{
    struct counts n;
    retention_init(out);
    if (len < RETENTION_MIN || len > RECORD_MAX)
        return error_corrupt(err, ERR_RETENTION_SYNTAX, "retention record of %zu bytes", len);
    struct reader r = reader_of(data, len - SIG_LEN);
    take_header(&r, out, &n);
    int rc = 0;
    if (!reader_ok(&r) || n.len != len || stated_body(&n) + 4 > len - SIG_LEN)
        rc = error_corrupt(err, ERR_RETENTION_SYNTAX,
                           "retention record: magic, length or reserved bytes are wrong");
    else if (out->seq < 1 || out->seq > SEQ_MAX || out->charter < 1 || out->charter > SEQ_MAX)
        rc = error_corrupt(err, ERR_RETENTION_SYNTAX, "retention record: seq or charter is out of range");
    rc = rc < 0 ? rc : take_heads(&r, n.heads, &out->heads, err);
    rc = rc < 0 ? rc : take_ops(&r, n.ops, &out->ops, err);
    rc = rc < 0 ? rc : take_items(&r, n.condemned, &out->condemned, err);
    rc = rc < 0 ? rc : take_items(&r, n.deleted, &out->deleted, err);
    if (rc == 0 && !take_note(&r, &out->has_note))
        rc = error_corrupt(err, ERR_RETENTION_SYNTAX, "retention record %u: the note is malformed", out->seq);
    if (rc < 0)
        retention_free(out);
    return rc;
}

int retention_note(const void *data, size_t len, const struct secret *v, struct buf *out, struct error *err)
{
    struct retention_record unused;
    struct counts n;
    struct reader r = reader_of(data, len);
    size_t start = out->len;
    retention_init(&unused);
    take_header(&r, &unused, &n);
    uint64_t body = stated_body(&n);
    if (!reader_ok(&r) || body > len)
        return error_corrupt(err, ERR_RETENTION_SYNTAX, "retention record is cut");
    r.pos = (size_t)body;
    uint32_t note_len = reader_u32(&r);
    const uint8_t *note = reader_bytes(&r, note_len);
    if (note == NULL && note_len != 0)
        return error_corrupt(err, ERR_RETENTION_SYNTAX, "retention record is cut");
    if (note_len == 0)
        return 0;
    int rc = seal_open(secret_view(v), RETENTION_NOTE_LABEL, data, (size_t)body, note, note_len, out, err);
    if (rc == 0 && !utf8_valid((const char *)out->data + start, out->len - start)) {
        rc = error_corrupt(err, ERR_RETENTION_SYNTAX, "the note of a retention record is not UTF-8");
        out->len = start;
    }
    return rc;
}

/* ---- judging ----------------------------------------------------------------------------------------- */

int retention_place(const struct retention_record *r, const uint8_t repo_id[REPO_ID_LEN], uint32_t seq,
                    struct error *err)
{
    if (memcmp(r->repo_id, repo_id, REPO_ID_LEN) != 0 || r->seq != seq)
        return error_corrupt(err, ERR_RETENTION_IDENTITY,
                             "the retention record at seq %u is of another repository or seq (%u)", seq,
                             r->seq);
    return 0;
}

int retention_verify(const void *data, size_t len, const uint8_t pk[SIGN_PK_LEN], struct error *err)
{
    const uint8_t *p = data;
    if (len < SIG_LEN || !sign_verify(pk, SIGN_RETENTION, p, len - SIG_LEN, p + len - SIG_LEN))
        return error_corrupt(err, ERR_RETENTION_SIGNATURE,
                             "retention record: not signed by the retention key");
    return 0;
}

/* A head never falls and keeps its hash while it stands still; a fence never falls. */
static bool heads_follow(const struct retention_record *prev, const struct retention_record *r)
{
    for (size_t i = 0; i < prev->heads.len; i++) {
        const struct retention_head *old = vec_at(&prev->heads, i);
        const struct retention_head *now = retention_head_of(r, old->writer);
        if (now == NULL ? old->head != 0 || old->fence != 0
                        : now->head < old->head || now->fence < old->fence)
            return false;
        if (now != NULL && now->head == old->head && memcmp(now->hash, old->hash, HASH_LEN) != 0)
            return false;
    }
    return true;
}

int retention_follows(const struct retention_record *prev, const uint8_t prev_hash[HASH_LEN],
                      const struct retention_record *r, struct error *err)
{
    if (r->seq != (prev != NULL ? prev->seq + 1 : 1) || memcmp(r->prev, prev_hash, HASH_LEN) != 0)
        return error_corrupt(err, ERR_RETENTION_CHAIN,
                             "retention record %u does not continue the one before it", r->seq);
    if (prev != NULL && r->charter < prev->charter)
        return error_corrupt(err, ERR_RETENTION_CHARTER, "retention record %u: charter %u after charter %u",
                             r->seq, r->charter, prev->charter);
    for (size_t i = 0; i < r->heads.len; i++)
        if (((const struct retention_head *)vec_at(&r->heads, i))->fence > r->seq - 1)
            return error_corrupt(err, ERR_RETENTION_HEADS,
                                 "retention record %u: a fence above the record before", r->seq);
    if (prev != NULL && !heads_follow(prev, r))
        return error_corrupt(err, ERR_RETENTION_HEADS, "retention record %u: a head or a fence falls",
                             r->seq);
    return 0;
}

const struct retention_head *retention_head_of(const struct retention_record *r,
                                               const uint8_t writer[WRITER_ID_LEN])
{
    size_t lo = 0;
    size_t hi = r->heads.len;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct retention_head *h = vec_at(&r->heads, mid);
        int c = memcmp(h->writer, writer, WRITER_ID_LEN);
        if (c == 0)
            return h;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

uint64_t retention_clock(uint32_t seq, uint64_t before, uint64_t time)
{
    if (seq <= 1)
        return time;
    uint64_t limit = before > UINT64_MAX - RETENTION_CLOCK_STEP ? UINT64_MAX : before + RETENTION_CLOCK_STEP;
    uint64_t next = time < limit ? time : limit;
    return next > before ? next : before;
}
