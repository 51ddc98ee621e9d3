/*
 * golden_forge.h - one session of the golden repository, built byte by byte, so that one thing in it can
 * be wrong.
 *
 * The session has one pack, a snapshot object and a record. Its catalog holds d, d/direct, d/leer, d/link,
 * d/tall, d/tree and d/zweit. With TWIST_NONE it is valid; every other twist breaks one rule and signs and
 * seals everything above it again. Two forgeries differ only where they must: randomness and padding are
 * the same.
 */
#ifndef TESTS_SUPPORT_GOLDEN_FORGE_H
#define TESTS_SUPPORT_GOLDEN_FORGE_H

#include "common/repo/envelope.h"
#include "common/repo/keys.h"
#include "common/repo/record.h"

enum twist {
    TWIST_NONE,
    /* pack */
    PACK_TAIL_PLACES,
    PACK_TAIL_SEAL,
    PACK_TRAILER_TWICE,
    PACK_TRAILER_SUM,
    PACK_TRAILER_MORE,
    PACK_TRAILER_CHUNK_ID,
    PACK_TRAILER_KIND,
    PACK_OTHER_IDX,
    PACK_COMMIT,
    /* blobs */
    BLOB_OTHER_KIND,
    BLOB_OTHER_ID,
    BLOB_CODEC,
    BLOB_RAW_SHORT,
    BLOB_ZSTD_TAIL,
    BLOB_ZSTD_SKIPPABLE,
    BLOB_ZSTD_NO_SIZE,
    BLOB_REF_OUTSIDE,
    BLOB_REF_LENGTH,
    BLOB_REF_NODE,
    /* nodes */
    NODE_RESERVED,
    NODE_LEVEL,
    NODE_UNUSED,
    NODE_TWICE,
    NODE_INDEX,
    NODE_MORE,
    NODE_SUM,
    NODE_EMPTY_ITEM,
    NODE_BEHIND,
    NODE_LEN,
    NODE_DATA_AS_NODE,
    /* streams */
    STREAM_FORM,
    STREAM_OUTSIDE,
    STREAM_EMPTY_NOT_ZERO,
    STREAM_LEVEL,
    STREAM_CHECK,
    STREAM_TREE_LEN,
    /* snapshot object */
    SNAP_OTHER_SEQ,
    SNAP_MORE,
    SNAP_COMMIT,
    SNAP_VIEW_SEAL,
    SNAP_VIEW_ORDER,
    SNAP_VIEW_PADDING,
    SNAP_VIEW_LABEL,
    SNAP_VIEW_NOTES,
    SNAP_VIEW_NOTES_NUL,
    SNAP_PRIV_SEAL,
    SNAP_PRIV_NUL,
    SNAP_PRIV_PADDING,
    SNAP_ENVELOPE_TWICE,
    ENVELOPE_OTHER_SHARE,
    ENVELOPE_BROKEN_BOX,
    VIEW_WITHOUT,
    VIEW_UNKNOWN,
    /* catalog */
    LIST_DUPLICATE,
    LIST_PATH,
    LIST_TYPE,
    LIST_LINK,
    LIST_BODY,
    LIST_TRUNCATED,
    LIST_TRAILING,
    LIST_HEADER,
    LIST_LIMIT,
    /* record */
    RECORD_CHAIN,
    RECORD_SESSION,
    RECORD_ACK_FALLS,
    RECORD_ACK_OTHER,
    RECORD_ACK_AHEAD,
    RECORD_CHARTER_FALLS,
    RECORD_CHARTER_AHEAD,
    RECORD_PACKS_ORDER,
    RECORD_PACKS_TWICE,
    RECORD_PACKS_SIZE,
    RECORD_FOREIGN_KEY,
    RECORD_OTHER_TIME, /* valid: another record of the same seq */
};

struct forge_base {
    const struct writer_keys *keys;
    const struct recipients *to;
    const uint8_t *random; /* seed, 32 bytes */
    uint32_t session;
    uint32_t seq;
    uint32_t charter;
    uint32_t ack;
    uint8_t ack_hash[HASH_LEN];
    uint8_t prev[HASH_LEN];
    struct record_pack known; /* a pack that an earlier record introduced */
    uint32_t ack_before;      /* something smaller than ack, and its hash */
    uint8_t ack_before_hash[HASH_LEN];
    uint64_t time;
};

struct forged {
    struct buf pack;
    struct buf snap;
    struct buf record;
};

/* What a reader must get. */
struct forged_stream {
    const char *path;
    struct buf bytes;
};
enum { FORGED_STREAMS = 4 };

/* Ends the program when it fails. */
void forge_session(const struct forge_base *base, enum twist twist, struct forged *out);
void forged_free(struct forged *f);
/* Of its view: every note there is, a tag twice, one that nobody knows, and no LF at the end. */
#define FORGED_NOTES "tag=monthly\ntag=größe\nincomplete=1\nanomaly=half of it is gone\nunknown=?"
/* FORGED_STREAMS items, in the order of their paths (d/zweit is a hard link to d/direct). */
void forge_expected(struct forged_stream *out);

#endif
