#include "common/chunk/blob.h"

#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "common/base/alloc.h"
#include "common/base/reader.h"
#include "common/crypto/hash.h"
#include "common/crypto/secret.h"
#include "common/base/banned.h"

enum { CODEC_RAW = 0, CODEC_ZSTD = 1 };

_Static_assert((int)BLOB_KEYED_ID_LEN >= (int)AEAD_NONCE_LEN, "the nonce is cut from the id");
_Static_assert((int)BLOB_KEYED_ID_LEN == (int)HASH_LEN, "an id is a whole hash");

struct blob_codec {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
    struct buf frame; /* of blob_open */
};

struct blob_codec *blob_codec_new(struct error *err)
{
    struct blob_codec *codec = mem_alloc(1, sizeof *codec, err);
    if (codec == NULL)
        return NULL;
    buf_init(&codec->frame);
    codec->compress = ZSTD_createCCtx();
    codec->decompress = ZSTD_createDCtx();
    if (codec->compress == NULL || codec->decompress == NULL) {
        (void)error_set(err, E_NOMEM, "out of memory for compression");
        blob_codec_free(codec);
        return NULL;
    }
    return codec;
}

void blob_codec_free(struct blob_codec *codec)
{
    if (codec == NULL)
        return;
    (void)ZSTD_freeCCtx(codec->compress);
    (void)ZSTD_freeDCtx(codec->decompress);
    buf_free(&codec->frame);
    free(codec);
}

static int set_level(ZSTD_CCtx *ctx, int level, struct error *err)
{
    if (level < ZSTD_minCLevel() || level > ZSTD_maxCLevel())
        return error_set(err, E_USAGE, "compression level %d is not %d..%d", level, ZSTD_minCLevel(),
                         ZSTD_maxCLevel());
    /* A frame that did not fit its buffer leaves the context in the middle of it. */
    size_t rc = ZSTD_CCtx_reset(ctx, ZSTD_reset_session_only);
    if (!ZSTD_isError(rc))
        rc = ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, level);
    if (!ZSTD_isError(rc))
        rc = ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, 1);
    if (!ZSTD_isError(rc))
        rc = ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 0);
    return ZSTD_isError(rc) ? error_set(err, E_INTERNAL, "zstd: %s", ZSTD_getErrorName(rc)) : 0;
}

int blob_encode(struct blob_codec *codec, const uint8_t *plain, size_t len, int level, struct buf *frame,
                struct error *err)
{
    if (len < 1 || len > BLOB_PLAIN_LIMIT)
        return error_set(err, E_INTERNAL, "a blob of %zu bytes", len);
    int rc = set_level(codec->compress, level, err);
    buf_clear(frame);
    if (rc == 0)
        rc = buf_reserve(frame, len + 1, err);
    if (rc < 0)
        return rc;
    /* Room for one byte less than the plaintext: what does not fit is not worth decoding. */
    size_t n = ZSTD_compress2(codec->compress, frame->data + 1, len - 1, plain, len);
    if (ZSTD_isError(n)) {
        frame->data[0] = CODEC_RAW;
        memcpy(frame->data + 1, plain, len);
        n = len;
    } else {
        frame->data[0] = CODEC_ZSTD;
    }
    frame->len = n + 1;
    return 0;
}

int blob_id(int kind, const uint8_t id_key[KEY_LEN], const uint8_t *frame, size_t len,
            uint8_t id[BLOB_KEYED_ID_LEN], struct error *err)
{
    enum person person = kind == BLOB_KIND_NODE ? PERSON_NODE : PERSON_DATA;
    return hash_keyed(person, id_key, KEY_LEN, frame, len, id, BLOB_KEYED_ID_LEN, err);
}

int blob_seal(const uint8_t pack_key[KEY_LEN], const uint8_t id[BLOB_KEYED_ID_LEN], const uint8_t *frame,
              size_t len, uint8_t *out, struct error *err)
{
    return aead_encrypt(pack_key, id, id, BLOB_KEYED_ID_LEN, frame, len, out, err);
}

/* The payload must be one whole zstd frame that says it holds plen bytes. The magic is compared because the
 * library may also know skippable frames and those of its ancestors. */
static int decode_zstd(struct blob_codec *codec, const uint8_t *p, size_t len, uint8_t *plain, size_t plen,
                       struct error *err)
{
    if (len < 4 || load_u32(p) != ZSTD_MAGICNUMBER)
        return error_corrupt(err, BLOB_BAD_FRAME, "not a zstd frame");
    if (ZSTD_findFrameCompressedSize(p, len) != len)
        return error_corrupt(err, BLOB_BAD_FRAME, "not exactly one zstd frame");
    if (ZSTD_getFrameContentSize(p, len) != plen)
        return error_corrupt(err, BLOB_BAD_FRAME, "the zstd frame does not hold %zu bytes", plen);
    if (ZSTD_getDictID_fromFrame(p, len) != 0)
        return error_corrupt(err, BLOB_BAD_FRAME, "the zstd frame needs a dictionary");
    size_t n = ZSTD_decompressDCtx(codec->decompress, plain, plen, p, len);
    if (ZSTD_isError(n))
        return error_corrupt(err, BLOB_BAD_FRAME, "zstd: %s", ZSTD_getErrorName(n));
    if (n != plen)
        return error_corrupt(err, BLOB_BAD_FRAME, "%zu bytes instead of %zu", n, plen);
    return 0;
}

static int decode(struct blob_codec *codec, const uint8_t *frame, size_t len, uint8_t *plain, size_t plen,
                  struct error *err)
{
    const uint8_t *payload = frame + 1;
    size_t n = len - 1;
    switch (frame[0]) {
    case CODEC_RAW:
        if (n != plen)
            return error_corrupt(err, BLOB_BAD_FRAME, "%zu raw bytes instead of %zu", n, plen);
        memcpy(plain, payload, n);
        return 0;
    case CODEC_ZSTD:
        return decode_zstd(codec, payload, n, plain, plen, err);
    default:
        return error_corrupt(err, BLOB_BAD_FRAME, "unknown codec %d", frame[0]);
    }
}

int blob_open(struct blob_codec *codec, const uint8_t pack_key[KEY_LEN], const uint8_t id_key[KEY_LEN],
              int kind, const uint8_t id[BLOB_KEYED_ID_LEN], const uint8_t *ct, size_t clen, uint8_t *plain,
              size_t plen, struct error *err)
{
    if (plen < 1 || plen > BLOB_PLAIN_LIMIT || clen < 2 + AEAD_OVERHEAD || clen > plen + 1 + AEAD_OVERHEAD)
        return error_corrupt(err, BLOB_BAD_REFERENCE, "a blob of %zu bytes in %zu", plen, clen);
    size_t len = clen - AEAD_OVERHEAD;
    buf_clear(&codec->frame);
    int rc = buf_reserve(&codec->frame, len, err);
    if (rc < 0)
        return rc;
    uint8_t *frame = codec->frame.data;
    rc = aead_decrypt(pack_key, id, id, BLOB_KEYED_ID_LEN, ct, clen, frame, err);
    if (rc == E_AUTH)
        return error_corrupt(err, BLOB_BAD_AUTH, "the key does not open it, or it was altered");
    if (rc < 0)
        return rc;
    uint8_t again[BLOB_KEYED_ID_LEN];
    rc = blob_id(kind, id_key, frame, len, again, err);
    if (rc < 0)
        return rc;
    if (!secret_equal(again, id, sizeof again))
        return error_corrupt(err, BLOB_BAD_ID, "the content does not have this id");
    return decode(codec, frame, len, plain, plen, err);
}
