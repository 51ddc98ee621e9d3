#include "common/repo/record.h"

#include <string.h>

#include "common/base/reader.h"
#include "common/base/str.h"
#include "common/base/writer.h"

#include "common/base/banned.h"

enum {
    LEN_AT = MAGIC_LEN, /* of both kinds of log records */
    RECORD_MIN = RECORD_HEADER_LEN + SIG_LEN,
};

static const uint8_t zeros[HASH_LEN];

void record_init(struct record *r)
{
    *r = (struct record){ .kind = RECORD_SNAPSHOT, .packs = VEC_OF(struct record_pack) };
}

void record_free(struct record *r)
{
    vec_free(&r->packs);
    record_init(r);
}

/* ---- writing ----------------------------------------------------------------------------------------- */

static void put_header(struct writer *w, const struct record *r)
{
    uint32_t n = (uint32_t)r->packs.len;
    writer_bytes(w, MAGIC_RECORD, MAGIC_LEN);
    writer_u32(w, RECORD_MIN + n * RECORD_PACK_LEN);
    writer_u8(w, r->kind);
    writer_u8(w, r->snap_attempt);
    writer_zeros(w, 2);
    writer_bytes(w, r->repo_id, REPO_ID_LEN);
    writer_bytes(w, r->writer_id, WRITER_ID_LEN);
    writer_u32(w, r->seq);
    writer_u32(w, r->session);
    writer_u32(w, r->charter);
    writer_u32(w, r->ack);
    writer_u64(w, r->time);
    writer_bytes(w, r->prev, HASH_LEN);
    writer_bytes(w, r->ack_hash, HASH_LEN);
    writer_bytes(w, r->snap_hash, HASH_LEN);
    writer_u64(w, r->snap_size);
    writer_u32(w, n);
    writer_zeros(w, 4);
}

static void put_packs(struct writer *w, const struct record *r)
{
    for (size_t i = 0; i < r->packs.len; i++) {
        const struct record_pack *p = vec_at(&r->packs, i);
        writer_u32(w, p->session);
        writer_u32(w, (p->idx & IDX_SNAP) | (uint32_t)p->attempt << 24);
        writer_u64(w, p->size);
        writer_bytes(w, p->hash, HASH_LEN);
    }
}

/* What was built must be readable; what is not is the caller's mistake. */
static int check_built(const struct buf *out, struct error *err)
{
    struct record again;
    struct error why = ERROR_INIT;
    int rc = record_decode(out->data, out->len, &again, &why);
    if (rc == E_CORRUPT)
        return error_set(err, E_USAGE, "%s", why.text);
    if (rc < 0)
        return error_copy(err, &why);
    record_free(&again);
    return 0;
}

int record_encode(const struct record *r, const struct secret *seed, struct buf *out, struct error *err)
{
    uint8_t sig[SIG_LEN];
    if (r->packs.len > RECORD_PACKS_MAX)
        return error_set(err, E_USAGE, "a record of %zu packs; at most %d are possible", r->packs.len,
                         RECORD_PACKS_MAX);
    struct writer w = writer_of(out);
    put_header(&w, r);
    put_packs(&w, r);
    int rc = writer_end(&w, err);
    rc = rc < 0 ? rc : sign_detached(seed, SIGN_WRITER, out->data, out->len, sig, err);
    rc = rc < 0 ? rc : buf_append(out, sig, SIG_LEN, err);
    rc = rc < 0 ? rc : check_built(out, err);
    if (rc < 0)
        buf_clear(out);
    return rc;
}

/* ---- reading ----------------------------------------------------------------------------------------- */

static void take_header(struct reader *r, struct record *out, uint32_t *len, uint32_t *n)
{
    const uint8_t *magic = reader_bytes(r, MAGIC_LEN);
    if (magic == NULL || memcmp(magic, MAGIC_RECORD, MAGIC_LEN) != 0)
        reader_fail(r);
    *len = reader_u32(r);
    out->kind = reader_u8(r);
    out->snap_attempt = reader_u8(r);
    reader_zeros(r, 2);
    reader_copy(r, out->repo_id, REPO_ID_LEN);
    reader_copy(r, out->writer_id, WRITER_ID_LEN);
    out->seq = reader_u32(r);
    out->session = reader_u32(r);
    out->charter = reader_u32(r);
    out->ack = reader_u32(r);
    out->time = reader_u64(r);
    reader_copy(r, out->prev, HASH_LEN);
    reader_copy(r, out->ack_hash, HASH_LEN);
    reader_copy(r, out->snap_hash, HASH_LEN);
    out->snap_size = reader_u64(r);
    *n = reader_u32(r);
    reader_zeros(r, 4);
}

static bool in_range(uint32_t v)
{
    return v >= 1 && v <= SEQ_MAX;
}

static bool kind_ok(const struct record *r, uint32_t n)
{
    if (r->kind == RECORD_SNAPSHOT)
        return r->snap_size >= 1 && r->snap_size <= SNAP_MAX;
    return r->kind == RECORD_ACK && r->snap_attempt == 0 && r->snap_size == 0 && n == 0 &&
           memcmp(r->snap_hash, zeros, HASH_LEN) == 0;
}

static int take_packs(struct reader *r, uint32_t n, struct record *out, struct error *err)
{
    uint64_t before = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct record_pack *p = vec_push(&out->packs, err);
        if (p == NULL)
            return E_NOMEM;
        p->session = reader_u32(r);
        uint32_t idx = reader_u32(r);
        p->idx = idx & IDX_SNAP;
        p->attempt = (uint8_t)(idx >> 24);
        p->size = reader_u64(r);
        reader_copy(r, p->hash, HASH_LEN);
        uint64_t place = (uint64_t)p->session << 32 | p->idx;
        if (p->session < 1 || p->session > out->session || p->idx > IDX_MAX || place <= before ||
            p->size < PACK_SHORT_MIN || p->size > PACK_SIZE_MAX)
            return error_corrupt(err, ERR_RECORD_PACKS,
                                 "record %u: pack entry %u is out of order or outside the limits", out->seq,
                                 i);
        before = place;
    }
    return 0;
}

int record_decode(const void *data, size_t len, struct record *out, struct error *err)
{
    uint32_t stated = 0;
    uint32_t n = 0;
    record_init(out);
    if (len < RECORD_MIN || len > RECORD_MAX)
        return error_corrupt(err, ERR_RECORD_SYNTAX, "record of %zu bytes", len);
    struct reader r = reader_of(data, len - SIG_LEN);
    take_header(&r, out, &stated, &n);
    int rc = 0;
    if (!reader_ok(&r) || stated != len || reader_left(&r) != (uint64_t)n * RECORD_PACK_LEN)
        rc = error_corrupt(err, ERR_RECORD_SYNTAX, "record: magic, length or reserved bytes are wrong");
    else if (!in_range(out->seq) || !in_range(out->session) || !in_range(out->charter) || out->ack > SEQ_MAX)
        rc = error_corrupt(err, ERR_RECORD_SYNTAX, "record: seq, session, charter or ack is out of range");
    else if (!kind_ok(out, n))
        rc = error_corrupt(err, ERR_RECORD_SYNTAX, "record %u: kind %u does not go with its snap", out->seq,
                           out->kind);
    else if (out->ack == 0 && memcmp(out->ack_hash, zeros, HASH_LEN) != 0)
        rc = error_corrupt(err, ERR_RECORD_SYNTAX, "record %u: a hash without an acknowledged record",
                           out->seq);
    else
        rc = take_packs(&r, n, out, err);
    if (rc < 0)
        record_free(out);
    return rc;
}

/* ---- judging ----------------------------------------------------------------------------------------- */

int record_place(const struct record *r, const uint8_t repo_id[REPO_ID_LEN],
                 const uint8_t writer_id[WRITER_ID_LEN], uint32_t seq, struct error *err)
{
    if (memcmp(r->repo_id, repo_id, REPO_ID_LEN) != 0 ||
        memcmp(r->writer_id, writer_id, WRITER_ID_LEN) != 0 || r->seq != seq)
        return error_corrupt(err, ERR_RECORD_IDENTITY,
                             "the record at seq %u is of another repository, writer or seq (%u)", seq,
                             r->seq);
    return 0;
}

int record_verify(const void *data, size_t len, const uint8_t pk[SIGN_PK_LEN], struct error *err)
{
    const uint8_t *p = data;
    if (len < SIG_LEN || !sign_verify(pk, SIGN_WRITER, p, len - SIG_LEN, p + len - SIG_LEN))
        return error_corrupt(err, ERR_RECORD_SIGNATURE, "record: not signed by this writer's key");
    return 0;
}

int record_follows(const struct record *prev, const uint8_t prev_hash[HASH_LEN], const struct record *r,
                   struct error *err)
{
    if (r->seq != (prev != NULL ? prev->seq + 1 : 1) || memcmp(r->prev, prev_hash, HASH_LEN) != 0)
        return error_corrupt(err, ERR_RECORD_CHAIN, "record %u does not continue the record before it",
                             r->seq);
    if (prev == NULL)
        return 0;
    if (r->session <= prev->session)
        return error_corrupt(err, ERR_RECORD_SESSION, "record %u: session %u after session %u", r->seq,
                             r->session, prev->session);
    if (r->ack < prev->ack)
        return error_corrupt(err, ERR_RECORD_ACK, "record %u: acknowledges %u after %u", r->seq, r->ack,
                             prev->ack);
    if (r->charter < prev->charter)
        return error_corrupt(err, ERR_RECORD_CHARTER, "record %u: charter %u after charter %u", r->seq,
                             r->charter, prev->charter);
    return 0;
}

void record_hash(const void *data, size_t len, uint8_t hash[HASH_LEN])
{
    file_hash(data, len, hash);
}

const char *record_receipt(const uint8_t hash[HASH_LEN], char out[RECEIPT_LEN + 1])
{
    hex_encode(out, hash, RECEIPT_LEN / 2);
    return out;
}

bool record_is_torn(const void *data, size_t len)
{
    struct reader r = reader_of(data, len);
    (void)reader_bytes(&r, LEN_AT);
    uint32_t stated = reader_u32(&r);
    return !reader_ok(&r) || stated > len;
}
