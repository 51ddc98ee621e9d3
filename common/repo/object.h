/*
 * object.h - the header that packs and snapshot objects share.
 *
 *   0 magic 8 | 8 u32 hdr_len | 12 0 | 16 repo_id 16 | 32 writer_id 8 |
 *   40 u32 session | 44 u32 second (pack: idx, snap: seq) | 48 0[16] |
 *   64 envelope | hdr_len-32 commit 32
 *
 * key || commit = H("bk1 pack" or "bk1 snap", K_s, header bytes [0, hdr_len-32), 64).
 * A reader recomputes commit before it decrypts anything under the key; as
 * additional data of SEAL, "header" means all hdr_len bytes, commit included.
 *
 * Writing: object_header_build(). Reading: object_header_parse() on the first
 * bytes of the file (HEADER_MAX are enough), envelope_open() for K_s, then
 * object_header_key().
 */
#ifndef COMMON_REPO_OBJECT_H
#define COMMON_REPO_OBJECT_H

#include "common/base/buffer.h"
#include "common/crypto/seal.h"
#include "common/repo/format.h"

enum object_kind { OBJECT_PACK, OBJECT_SNAP };

struct object_header {
    uint8_t repo_id[REPO_ID_LEN];
    uint8_t writer_id[WRITER_ID_LEN];
    uint32_t session;
    uint32_t second;      /* idx of a pack, seq of a snap */
    const uint8_t *bytes; /* the whole header, borrowed */
    uint32_t len;         /* hdr_len */
    const uint8_t *envelope;
    uint32_t envelope_len;
};

/* Who writes: fixed for a session. */
struct object_author {
    uint8_t repo_id[REPO_ID_LEN];
    uint8_t writer_id[WRITER_ID_LEN];
    uint32_t session;
    const struct buf *envelope;
    const uint8_t *session_key; /* K_s, KEY_LEN bytes, borrowed */
};

/* Appends the header to out (which must be empty) and gives the object's key. */
int object_header_build(enum object_kind kind, const struct object_author *author, uint32_t second,
                        struct buf *out, uint8_t key[KEY_LEN], struct error *err);

/* Parses the first bytes of an object; `data` may be longer than the header. */
int object_header_parse(enum object_kind kind, const void *data, size_t len, struct object_header *out,
                        struct error *err);

/* Refuses a header that is not at its place. */
int object_header_expect(enum object_kind kind, const struct object_header *h,
                         const uint8_t repo_id[REPO_ID_LEN], const uint8_t writer_id[WRITER_ID_LEN],
                         uint32_t session, uint32_t second, struct error *err);

/* The object's key from K_s, after comparing commit. */
int object_header_key(enum object_kind kind, const struct object_header *h,
                      const uint8_t session_key[KEY_LEN], uint8_t key[KEY_LEN], struct error *err);

/* Padme length: hides a length at a cost of at most 12 % for small and 3 % for large sizes
 * (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", 2019). */
uint64_t padme(uint64_t len);

#endif
