/*
 * record.h - one record of a writer's log.
 *
 *     0 "BK1LOGR\n" | 8 u32 len | 12 u8 kind | 13 u8 snap_attempt | 14 0[2] | 16 repo_id 16 | 32 writer_id 8
 *     40 u32 seq | 44 u32 session | 48 u32 charter | 52 u32 ack | 56 u64 time | 64 prev 32 | 96 ack_hash 32
 *     128 snap_hash 32 | 160 u64 snap_size | 168 u32 n | 172 u32 0
 *     176 n x 48 {u32 session, u32 idx|attempt<<24, u64 size, file hash 32} | sig 64
 *
 * len is the size of the file. prev is BLAKE2b-256 of the file of seq-1 (of charter 1 for seq 1). The packs
 * are those this record introduces, strictly ascending by (session, idx). kind 2 (ack only) has no snapshot
 * and no packs.
 *
 *     record_init(&r); fill; record_encode(&r, seed, &bytes, err); record_hash(bytes.data, bytes.len, hash)
 *     record_decode(data, len, &r, err); record_place(...); record_verify(...); record_follows(...)
 *
 * What needs the other logs (ack_hash, void, packs introduced twice) is checked in repo.h.
 */
#ifndef COMMON_REPO_RECORD_H
#define COMMON_REPO_RECORD_H

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

enum record_kind { RECORD_SNAPSHOT = 1, RECORD_ACK = 2 };

enum {
    RECORD_HEADER_LEN = 176,
    RECORD_PACK_LEN = 48,
    RECORD_PACKS_MAX = (RECORD_MAX - RECORD_HEADER_LEN - 64) / RECORD_PACK_LEN,
    RECEIPT_LEN = 20, /* hex digits */
};

struct record_pack {
    uint32_t session;
    uint32_t idx;
    uint8_t attempt;
    uint64_t size; /* of the file: 64 KiB..256 MiB */
    uint8_t hash[HASH_LEN];
};
struct record {
    uint8_t kind; /* enum record_kind */
    uint8_t snap_attempt;
    uint8_t repo_id[REPO_ID_LEN];
    uint8_t writer_id[WRITER_ID_LEN];
    uint32_t seq;
    uint32_t session;
    uint32_t charter;
    uint32_t ack;  /* retention record read before the session; 0: none */
    uint64_t time; /* seconds since 1970, as the writer claims */
    uint8_t prev[HASH_LEN];
    uint8_t ack_hash[HASH_LEN];
    uint8_t snap_hash[HASH_LEN];
    uint64_t snap_size;
    struct vec packs; /* struct record_pack */
};

void record_init(struct record *r);
void record_free(struct record *r);

/* Appends the signed record to out (empty before). E_USAGE: the content breaks the syntax. */
int record_encode(const struct record *r, const struct secret *seed, struct buf *out, struct error *err);
/* Syntax only ("record-syntax", "record-packs"); not the signature. On failure `out` is empty. */
int record_decode(const void *data, size_t len, struct record *out, struct error *err);
/* "record-identity" */
int record_place(const struct record *r, const uint8_t repo_id[REPO_ID_LEN],
                 const uint8_t writer_id[WRITER_ID_LEN], uint32_t seq, struct error *err);
/* "record-signature" */
int record_verify(const void *data, size_t len, const uint8_t pk[SIGN_PK_LEN], struct error *err);
/* Whether r may follow prev (NULL for seq 1) whose file hash (of charter 1 for seq 1) is prev_hash:
 * "record-chain", "record-session", "record-ack", "record-charter". */
int record_follows(const struct record *prev, const uint8_t prev_hash[HASH_LEN], const struct record *r,
                   struct error *err);
/* BLAKE2b-256 of the file's bytes. */
void record_hash(const void *data, size_t len, uint8_t hash[HASH_LEN]);
/* The receipt of a head: the first 20 hex digits of its hash. */
const char *record_receipt(const uint8_t hash[HASH_LEN], char out[RECEIPT_LEN + 1]);
/* True when a record (of either log) ends before its own length says: an upload that was cut. */
bool record_is_torn(const void *data, size_t len);

#endif
