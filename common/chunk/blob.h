/*
 * blob.h - one blob: plaintext -> frame -> ciphertext, and back (format.md section 6).
 *
 *     blob_encode(codec, plain, plen, level, &frame, err);           // compress, or store raw
 *     blob_id(BLOB_KIND_DATA, id_key, frame.data, frame.len, id, err);
 *     blob_seal(pack_key, id, frame.data, frame.len, ct, err);       // ct: frame.len + AEAD_OVERHEAD
 *
 *     blob_open(codec, pack_key, id_key, kind, id, ct, clen, plain, plen, err);
 *
 * frame = u8 codec (0 raw, 1 one zstd frame) || payload; id = H("bk1 data"|"bk1 node", id_key, frame);
 * ciphertext = AEAD(pack_key, nonce = id[0..24), ad = id, frame). The nonce is derived from exactly what is
 * encrypted, so it repeats only with an identical message.
 *
 * A codec holds reused compression contexts and a scratch buffer: one per thread. Everything else is a pure
 * function of its arguments. No call takes part in I/O.
 */
#ifndef COMMON_CHUNK_BLOB_H
#define COMMON_CHUNK_BLOB_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/crypto/seal.h"

/* The format's numbers, on this floor; common/repo asserts that they equal those in common/repo/format.h. */
enum {
    BLOB_KIND_DATA = 0,
    BLOB_KIND_NODE = 1,
    BLOB_KEYED_ID_LEN = 32,
    BLOB_PLAIN_LIMIT = 2 * 1024 * 1024,
    BLOB_FRAME_LIMIT = BLOB_PLAIN_LIMIT + 1,
};

/* Names of violations, as in common/repo/format.h (a test compares them). */
#define BLOB_BAD_REFERENCE "blob-reference" /* lengths outside the limits */
#define BLOB_BAD_AUTH "blob-auth"           /* the AEAD does not open */
#define BLOB_BAD_ID "blob-id"
#define BLOB_BAD_FRAME "blob-frame" /* codec or compressed form */

struct blob_codec;

struct blob_codec *blob_codec_new(struct error *err);
void blob_codec_free(struct blob_codec *codec);

/* Replaces the content of frame. len is 1..BLOB_PLAIN_LIMIT; level as in zstd (3 is its default), E_USAGE
 * outside zstd's range. The frame is never longer than len + 1. */
int blob_encode(struct blob_codec *codec, const uint8_t *plain, size_t len, int level, struct buf *frame,
                struct error *err);

int blob_id(int kind, const uint8_t id_key[KEY_LEN], const uint8_t *frame, size_t len,
            uint8_t id[BLOB_KEYED_ID_LEN], struct error *err);

/* out holds len + AEAD_OVERHEAD bytes; out == frame is allowed. */
int blob_seal(const uint8_t pack_key[KEY_LEN], const uint8_t id[BLOB_KEYED_ID_LEN], const uint8_t *frame,
              size_t len, uint8_t *out, struct error *err);

/* Opens, recomputes the id in constant time, then decodes to exactly plen bytes in plain. E_CORRUPT with one
 * of the names above; what plain holds after a failure is undefined. */
int blob_open(struct blob_codec *codec, const uint8_t pack_key[KEY_LEN], const uint8_t id_key[KEY_LEN],
              int kind, const uint8_t id[BLOB_KEYED_ID_LEN], const uint8_t *ct, size_t clen, uint8_t *plain,
              size_t plen, struct error *err);

#endif
