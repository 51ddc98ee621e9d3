/*
 * retention_record.h - one record of the retention log.
 *
 *     0 "BK1RETR\n" | 8 u32 len | 12 0 | 16 repo_id | 32 u32 seq | 36 u32 charter | 40 u64 time | 48 prev 32
 *     80 u32 nw, nexp, ncond, ndel | 96 nw x 48 {writer 8, u32 head, u32 fence, head_hash 32}
 *     nexp x 16 {writer, u32 seq, u32 op} | (ncond, ndel) x 16 {writer, u32 session, u32 idx|attempt<<24}
 *     u32 note_len (0, or 40..4136) | note = SEAL(V, "ret note", all bytes before note_len, UTF-8) | sig 64
 *
 * Strictly ascending: heads by writer; operations by (writer, seq), so that one record has at most one;
 * condemned and deleted items by (writer, session, idx, attempt). A writer that is not listed has head 0 and
 * fence 0. Head 0 goes with a zero hash. idx IDX_SNAP names the snap object of the session.
 *
 *     retention_init(&r); fill; retention_encode(&r, seed, v, "text" or NULL, &bytes, err)
 *     retention_decode(data, len, &r, err); retention_place(...); retention_verify(...)
 *     retention_follows(...)
 *
 * What needs the writers' logs is checked in repo.h.
 */
#ifndef COMMON_REPO_RETENTION_RECORD_H
#define COMMON_REPO_RETENTION_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/vec.h"
#include "common/crypto/hash.h"
#include "common/crypto/secret.h"
#include "common/crypto/sign.h"
#include "common/repo/format.h"

enum {
    RETENTION_HEADER_LEN = 96,
    RETENTION_HEAD_LEN = 48,
    RETENTION_ITEM_LEN = 16,
    RETENTION_CLOCK_STEP = 7 * 86400, /* the policy clock runs at most this far in one record */
};

#define RETENTION_NOTE_LABEL "ret note" /* of SEAL */

enum retention_op_kind {
    RETENTION_EXPIRE = 0,
    RETENTION_REVIVE = 1,
    RETENTION_HOLD = 2,
    RETENTION_RELEASE = 3
};

struct retention_head {
    uint8_t writer[WRITER_ID_LEN];
    uint32_t head;
    uint32_t fence;
    uint8_t hash[HASH_LEN];
};
struct retention_op {
    uint8_t writer[WRITER_ID_LEN];
    uint32_t seq;
    uint32_t op; /* enum retention_op_kind */
};
struct retention_item {
    uint8_t writer[WRITER_ID_LEN];
    uint32_t session;
    uint32_t idx; /* of a pack, or IDX_SNAP */
    uint8_t attempt;
};
struct retention_record {
    uint8_t repo_id[REPO_ID_LEN];
    uint32_t seq;
    uint32_t charter;
    uint64_t time; /* seconds since 1970 */
    uint8_t prev[HASH_LEN];
    struct vec heads;     /* struct retention_head */
    struct vec ops;       /* struct retention_op */
    struct vec condemned; /* struct retention_item */
    struct vec deleted;   /* struct retention_item */
    bool has_note;        /* set by decode */
};

void retention_init(struct retention_record *r);
void retention_free(struct retention_record *r);

/* Sorts the lists, appends the signed record to out (empty before). note (UTF-8) needs v;
 * NULL: no note. E_USAGE: the content breaks the syntax. */
int retention_encode(struct retention_record *r, const struct secret *seed, const struct secret *v,
                     const char *note, struct buf *out, struct error *err);
/* Syntax only ("retention-syntax"); not the signature. On failure `out` is empty. */
int retention_decode(const void *data, size_t len, struct retention_record *out, struct error *err);
/* The note of a record's bytes, which decode has accepted: appends UTF-8 to out; nothing when there is none.
 * */
int retention_note(const void *data, size_t len, const struct secret *v, struct buf *out, struct error *err);
/* "retention-identity" */
int retention_place(const struct retention_record *r, const uint8_t repo_id[REPO_ID_LEN], uint32_t seq,
                    struct error *err);
/* "retention-signature" */
int retention_verify(const void *data, size_t len, const uint8_t pk[SIGN_PK_LEN], struct error *err);
/* Whether r may follow prev (NULL for seq 1) whose file hash (of charter 1 for seq 1) is prev_hash:
 * "retention-chain", "retention-charter", "retention-heads" (a head or a fence falls, or a fence is above seq
 * - 1). */
int retention_follows(const struct retention_record *prev, const uint8_t prev_hash[HASH_LEN],
                      const struct retention_record *r, struct error *err);
/* The head of a writer in this record, or NULL when it is not listed. */
const struct retention_head *retention_head_of(const struct retention_record *r,
                                               const uint8_t writer[WRITER_ID_LEN]);
/* The orders of the lists, for vec_sort. */
int retention_head_order(const void *a, const void *b);
int retention_op_order(const void *a, const void *b);
int retention_item_order(const void *a, const void *b);
/* The policy clock: T_1 = time; T_k = max(T_{k-1}, min(time, T_{k-1} + 7 days)). seq tells whether there is a
 * T_{k-1}. */
uint64_t retention_clock(uint32_t seq, uint64_t before, uint64_t time);

#endif
