/*
 * format.h - the numbers and names of repository format bk1, each exactly once.
 *
 * docs/format.md is the contract for the outside world; this file is its list of
 * magics, sizes, limits and error names. Nothing here depends on code.
 */
#ifndef COMMON_REPO_FORMAT_H
#define COMMON_REPO_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- identities ------------------------------------------------------------------------------------- */
enum {
    REPO_ID_LEN = 16,
    WRITER_ID_LEN = 8,
    BLOB_ID_LEN = 32,
    CHUNK_ID_LEN = 16,
    KID_LEN = 32,
    COMMIT_LEN = 32,
};

/* ---- magics (8 bytes, no NUL) ----------------------------------------------------------------------- */
#define MAGIC_PACK "BK1PACK\n"
#define MAGIC_SNAP "BK1SNAP\n"
#define MAGIC_RECORD "BK1LOGR\n"
#define MAGIC_RETENTION "BK1RETR\n"
#define MAGIC_GRANT "BK1GRNT\n"
/* Files that two people exchange (format.md, "Requests and approvals"). */
#define MAGIC_REQUEST "BK1RQST\n"
#define MAGIC_APPROVAL "BK1APPR\n"
#define MAGIC_REQUEST_STATE "BK1RQSK\n"
enum { MAGIC_LEN = 8 };

/* ---- limits (format.md, section "Limits") ----------------------------------------------------------- */
enum {
    MIB = 1024 * 1024,
    BLOB_PLAIN_MAX = 2 * MIB,            /* plaintext of one blob */
    BLOB_FRAME_MAX = BLOB_PLAIN_MAX + 1, /* codec byte + payload; larger than raw is stored raw */
    BLOB_CIPHER_MAX = BLOB_FRAME_MAX + 16,
    CHUNK_MAX = 65536, /* bytes of a data chunk */
    BLOB_CHUNKS_MAX = 4096,
    NODE_PLAIN_MAX = MIB,
    NODE_LEVEL_MAX = 4,
    NODE_BLOBS_MAX = 4096,
    NODE_ITEMS_MAX = 65536,
    PACK_SIZE_MIN = 16 * MIB,
    PACK_SIZE_MAX = 256 * MIB,
    PACK_SIZE_DEFAULT = 16 * MIB,
    PACK_SHORT_MIN = 65536, /* smallest last pack */
    PACK_TAIL_LEN = 56,     /* SEAL of four u32 */
    HEADER_FIXED_LEN = 64,  /* of packs and snaps, before the envelope */
    HEADER_MAX = 8192,      /* hdr_len */
    ENVELOPE_GROUPS_MAX = 16,
    ENVELOPE_SHARES_MAX = 8,
    ENVELOPE_BOXES_MAX = 64,
    SHARE_LEN = 32,
    BOX_LEN = 80,
    RECORD_MAX = 64 * MIB,
    CHARTER_MAX = MIB,
    SNAP_MAX = 64 * MIB,
    GRANT_MAX = 64 * MIB,
    GRANTS_TOTAL_MAX = 256 * MIB, /* that a reader keeps */
    GRANT_BOX_LEN = 96,           /* a box of a grant: share, place */
    GRANT_PLACE_LEN = 16,
    GRANT_FILES_MAX = 1024, /* of one recipient */
    REQUEST_MAX = 8 * MIB,
    REQUEST_SNAPSHOTS_MAX = 4096,
    REQUEST_SESSIONS_MAX = 65536,
    REQUEST_BY_MAX = 255,
    REQUEST_REASON_MAX = 1000,
    REQUEST_VALID_MAX = 30 * 86400, /* seconds */
    APPROVAL_MAX = 8 * MIB,
    APPROVAL_SHARES_MAX = 65536,
    BOX_ID_LEN = 16, /* names a box: the beginning of its hash */
    VIEW_REFS_MAX = 1 << 21,
    LABEL_MAX = 255,
    VIEW_NOTES_MAX = 16384,
    PRIV_FACTS_MAX = 65536,
    MEMBER_FACTS_MAX = 65536,
    RETENTION_NOTE_MAX = 4136,
    ATTEMPTS = 256,
    SESSION_JUNK_GAP = 1000, /* file names further above are ignored */
    NAME_MAX_LEN = 64,       /* names in a charter */
};
#define STREAM_LEN_MAX ((uint64_t)1 << 50)
#define CATALOG_STREAMS_MAX ((uint64_t)1 << 26)
#define SESSION_MAX 0x7fffffffu
#define SEQ_MAX 0x7fffffffu
#define IDX_MAX 0xfffffeu  /* packs: idx < 0xffffff */
#define IDX_SNAP 0xffffffu /* in condemned and deleted lists: the snap object */

/* ---- structures that several modules share ---------------------------------------------------------- */
enum blob_kind { BLOB_DATA = 0, BLOB_NODE = 1 };

/* A physical blob reference, 52 bytes on disk. */
struct blob_ref {
    uint8_t id[BLOB_ID_LEN];
    uint32_t session;
    uint32_t idx;
    uint32_t off;
    uint32_t clen; /* ciphertext bytes = frame + 16 */
    uint32_t plen; /* plaintext bytes */
};
enum { BLOB_REF_LEN = 52 };

enum stream_form { STREAM_EMPTY = 0, STREAM_DIRECT = 1, STREAM_TREE = 2 };

/* A stream reference, 84 bytes on disk. */
struct stream_ref {
    uint64_t len;
    uint8_t form;    /* enum stream_form */
    uint8_t level;   /* tree: of the top node */
    uint32_t offset; /* direct: in the blob */
    uint8_t check[16];
    struct blob_ref blob;
};
enum { STREAM_REF_LEN = 84 };

/* ---- error names (struct error.name); docs/format.md explains each ---------------------------------- */
#define ERR_CHARTER_MISSING "charter-missing"
#define ERR_CHARTER_SYNTAX "charter-syntax"
#define ERR_CHARTER_SIGNATURE "charter-signature"
#define ERR_CHARTER_CHAIN "charter-chain" /* version or prev does not continue the one before */
#define ERR_CHARTER_REPO "charter-repo"   /* repo differs between versions or from what is expected */
#define ERR_CHARTER_ROOT "charter-root"   /* not the pinned root key */
#define ERR_CHARTER_RANGE "charter-range" /* key ranges overlap, or a closed one was altered */
#define ERR_RECORD_SYNTAX "record-syntax"
#define ERR_RECORD_IDENTITY "record-identity" /* repo, writer or seq is not that of its place */
#define ERR_RECORD_WRITER "record-writer"     /* no active key for this seq */
#define ERR_RECORD_SIGNATURE "record-signature"
#define ERR_RECORD_CHAIN "record-chain"     /* prev */
#define ERR_RECORD_SESSION "record-session" /* does not grow */
#define ERR_RECORD_ACK "record-ack"         /* falls, or ack_hash does not fit */
#define ERR_RECORD_CHARTER "record-charter" /* falls, or is above the newest */
#define ERR_RECORD_PACKS "record-packs"     /* not sorted, twice, or of a later session */
#define ERR_LOG_FORK "log-fork"
#define ERR_LOG_GAP "log-gap"
#define ERR_LOG_ROLLBACK "log-rollback" /* below a stored high-water mark */
#define ERR_LOG_LATE "log-late"         /* newest record older than the cadence */
#define ERR_RETENTION_SYNTAX "retention-syntax"
#define ERR_RETENTION_IDENTITY "retention-identity"
#define ERR_RETENTION_KEY "retention-key"
#define ERR_RETENTION_SIGNATURE "retention-signature"
#define ERR_RETENTION_CHAIN "retention-chain"
#define ERR_RETENTION_HEADS "retention-heads" /* heads or fences fall or do not match */
#define ERR_RETENTION_CHARTER "retention-charter"
#define ERR_RETENTION_LISTS "retention-lists"   /* condemned or deleted what it must not */
#define ERR_RETENTION_EXPIRE "retention-expire" /* expired, revived or held what it must not */
#define ERR_ENVELOPE_SYNTAX "envelope-syntax"
#define ERR_ENVELOPE_KID "envelope-kid"   /* a group yields another key */
#define ERR_ENVELOPE_COPY "envelope-copy" /* two sessions share a box: opening one would open the other */
#define ERR_PACK_MISSING "pack-missing"
#define ERR_PACK_SIZE "pack-size"
#define ERR_PACK_HASH "pack-hash"
#define ERR_PACK_HEADER "pack-header"
#define ERR_PACK_COMMIT "pack-commit"
#define ERR_PACK_TAIL "pack-tail"
#define ERR_PACK_TRAILER "pack-trailer"
#define ERR_BLOB_REFERENCE "blob-reference" /* place or length outside the limits of its pack */
#define ERR_BLOB_AUTH "blob-auth"           /* the AEAD does not open */
#define ERR_BLOB_ID "blob-id"
#define ERR_BLOB_FRAME "blob-frame" /* codec or compressed form */
#define ERR_NODE_SYNTAX "node-syntax"
#define ERR_NODE_LENGTH "node-length"
#define ERR_STREAM_REFERENCE "stream-reference"
#define ERR_STREAM_LENGTH "stream-length"
#define ERR_STREAM_CHECK "stream-check"
#define ERR_SNAP_MISSING "snap-missing"
#define ERR_SNAP_SIZE "snap-size"
#define ERR_SNAP_HASH "snap-hash"
#define ERR_SNAP_HEADER "snap-header"
#define ERR_SNAP_COMMIT "snap-commit"
#define ERR_SNAP_VIEW "snap-view"
#define ERR_SNAP_PRIV "snap-priv"
#define ERR_VIEW_INCOMPLETE "view-incomplete" /* a reference to a pack the view does not list */
#define ERR_GRANT_SYNTAX "grant-syntax"
#define ERR_GRANT_PLACE "grant-place" /* a share that was sealed for another session */
#define ERR_REQUEST_SYNTAX "request-syntax"
#define ERR_REQUEST_AUTH "request-auth" /* not by the recipient that it names, or altered */
#define ERR_REQUEST_EXPIRED "request-expired"
#define ERR_REQUEST_DIFFERS "request-differs" /* the repository says something else */
#define ERR_APPROVAL_SYNTAX "approval-syntax"
#define ERR_APPROVAL_AUTH "approval-auth" /* does not open: altered, or not for this request and kit */
#define ERR_APPROVAL_EXPIRED "approval-expired"
#define ERR_APPROVAL_REQUEST "approval-request"   /* for a request that was not made here */
#define ERR_APPROVAL_SESSIONS "approval-sessions" /* a share of a session that was not asked for */

#endif
