#include "tests/support/golden.h"

#include <stdio.h>
#include <string.h>

#include "common/base/banned.h"

/* ---- negatives: stored objects ------------------------------------------------------------------------- */

static void flip_negative(struct golden *g, const char *name, const char *expect, struct golden_path path,
                          size_t at)
{
    golden_negative(&g->out, name, expect);
    golden_flip(&g->out, path.text, at, 0x40);
    golden_negative_end(&g->out);
}

void golden_negative_objects(struct golden *g)
{
    enum { KID_AT = HEADER_FIXED_LEN, GROUPS_AT = KID_AT + KID_LEN, BOX_AT = GROUPS_AT + 1 + 1 + RID_LEN };
    struct golden_out *o = &g->out;
    const uint32_t last = g->forge.session;
    struct golden_path pack = golden_pack_path(g, SHOP, last, 0);
    struct golden_path snap = golden_snap_path(g, SHOP, last);
    uint8_t head[HEADER_FIXED_LEN];
    struct buf bytes = BUF_INIT;
    golden_read(o, pack.text, &bytes);
    memcpy(head, bytes.data, sizeof head);
    size_t hdr_len = (size_t)head[8] | (size_t)head[9] << 8;
    size_t size = bytes.len;
    buf_free(&bytes);
    golden_negative(o, "pack-gone", "L0 pack-missing");
    golden_remove(o, pack.text);
    golden_negative_end(o);
    golden_negative(o, "pack-gone-restore", "restore pack-missing");
    golden_remove(o, pack.text);
    golden_negative_end(o);
    golden_negative(o, "pack-one-byte-short", "L0 pack-size");
    golden_cut(o, pack.text, size - 1);
    golden_negative_end(o);
    golden_negative(o, "pack-short-restore", "restore short-file");
    golden_cut(o, pack.text, 4000);
    golden_negative_end(o);
    flip_negative(g, "pack-padding", "L1 pack-hash", pack, 20000);
    flip_negative(g, "pack-magic", "restore pack-header", pack, 3);
    flip_negative(g, "pack-header-length", "restore pack-header", pack, 9);
    flip_negative(g, "pack-header-reserved", "restore pack-header", pack, 50);
    flip_negative(g, "pack-header-session", "restore pack-header", pack, 40);
    flip_negative(g, "pack-envelope-groups", "restore envelope-syntax", pack, GROUPS_AT);
    flip_negative(g, "pack-envelope-kid", "restore envelope-kid", pack, KID_AT);
    flip_negative(g, "pack-envelope-box", "restore pack-commit", pack, BOX_AT);
    flip_negative(g, "pack-commit-byte", "restore pack-commit", pack, hdr_len - 1);
    flip_negative(g, "blob-byte", "restore blob-auth", pack, hdr_len + 5);
    golden_negative(o, "one-member-alone", "alone AUTH");
    golden_negative_end(o);
    golden_negative(o, "snap-gone", "L0 snap-missing");
    golden_remove(o, snap.text);
    golden_negative_end(o);
    golden_negative(o, "snap-one-byte-short", "L0 snap-size");
    golden_cut(o, snap.text, 800);
    golden_negative_end(o);
    flip_negative(g, "snap-byte", "L0 snap-hash", snap, hdr_len + 60);
    flip_negative(g, "key-file-byte", "key key-file", (struct golden_path){ "keys/kit.key" }, 80);
    flip_negative(g, "key-text-digit", "key key-text", (struct golden_path){ "keys/kit.txt" }, 60);
    golden_negative(o, "key-file-as-kit", "key key-block");
    golden_copy(o, "keys/member-1.key", "keys/kit.key");
    golden_negative_end(o);
}

/* ---- negatives: forged sessions ------------------------------------------------------------------------ */

struct twisted {
    const char *name;
    const char *expect;
    enum twist twist;
};

static const struct twisted twisted[] = {
    { "pack-tail-places", "L3 pack-tail", PACK_TAIL_PLACES },
    { "pack-tail-seal", "L3 pack-tail", PACK_TAIL_SEAL },
    { "pack-trailer-same-id-twice", "L3 pack-trailer", PACK_TRAILER_TWICE },
    { "pack-trailer-chunk-sum", "L3 pack-trailer", PACK_TRAILER_SUM },
    { "pack-trailer-more-bytes", "L3 pack-trailer", PACK_TRAILER_MORE },
    { "pack-trailer-chunk-id", "L3 pack-trailer", PACK_TRAILER_CHUNK_ID },
    { "pack-trailer-kind", "L3 pack-trailer", PACK_TRAILER_KIND },
    { "pack-header-other-idx", "L3 pack-header", PACK_OTHER_IDX },
    { "pack-commit-signed", "L3 pack-commit", PACK_COMMIT },
    { "blob-id-of-other-kind", "L3 blob-id", BLOB_OTHER_KIND },
    { "blob-id-altered", "L3 blob-id", BLOB_OTHER_ID },
    { "blob-codec-2", "L3 blob-frame", BLOB_CODEC },
    { "blob-raw-short", "L3 blob-frame", BLOB_RAW_SHORT },
    { "blob-zstd-byte-after", "L3 blob-frame", BLOB_ZSTD_TAIL },
    { "blob-zstd-skippable", "L3 blob-frame", BLOB_ZSTD_SKIPPABLE },
    { "blob-zstd-no-size", "L3 blob-frame", BLOB_ZSTD_NO_SIZE },
    { "blob-reference-outside-pack", "L3 blob-reference", BLOB_REF_OUTSIDE },
    { "blob-reference-length", "L3 blob-reference", BLOB_REF_LENGTH },
    { "blob-reference-in-node", "L3 blob-reference", BLOB_REF_NODE },
    { "node-reserved", "L3 node-syntax", NODE_RESERVED },
    { "node-level", "L3 node-syntax", NODE_LEVEL },
    { "node-blob-unused", "L3 node-syntax", NODE_UNUSED },
    { "node-blob-twice", "L3 node-syntax", NODE_TWICE },
    { "node-blob-index", "L3 node-syntax", NODE_INDEX },
    { "node-more-bytes", "L3 node-syntax", NODE_MORE },
    { "node-items-too-short", "L3 node-length", NODE_SUM },
    { "node-empty-item", "L3 node-length", NODE_EMPTY_ITEM },
    { "node-extent-behind-blob", "L3 node-length", NODE_BEHIND },
    { "node-other-length", "L3 node-length", NODE_LEN },
    { "node-data-as-node", "L3 blob-id", NODE_DATA_AS_NODE },
    { "stream-form-3", "L3 stream-reference", STREAM_FORM },
    { "stream-outside-blob", "L3 stream-reference", STREAM_OUTSIDE },
    { "stream-empty-not-zero", "L3 stream-reference", STREAM_EMPTY_NOT_ZERO },
    { "stream-level-5", "L3 stream-reference", STREAM_LEVEL },
    { "stream-check", "L3 stream-check", STREAM_CHECK },
    { "stream-tree-length", "L3 node-length", STREAM_TREE_LEN },
    { "snap-header-other-seq", "L0 snap-header", SNAP_OTHER_SEQ },
    { "snap-more-bytes", "L0 snap-header", SNAP_MORE },
    { "snap-commit", "L3 snap-commit", SNAP_COMMIT },
    { "snap-view-seal", "L2 snap-view", SNAP_VIEW_SEAL },
    { "snap-view-order", "L2 snap-view", SNAP_VIEW_ORDER },
    { "snap-view-padding", "L2 snap-view", SNAP_VIEW_PADDING },
    { "snap-view-label", "L2 snap-view", SNAP_VIEW_LABEL },
    { "snap-priv-seal", "L3 snap-priv", SNAP_PRIV_SEAL },
    { "snap-priv-nul", "L3 snap-priv", SNAP_PRIV_NUL },
    { "snap-priv-padding", "L3 snap-priv", SNAP_PRIV_PADDING },
    { "snap-envelope-rid-twice", "L3 envelope-syntax", SNAP_ENVELOPE_TWICE },
    { "envelope-share-of-another-secret", "LK envelope-kid", ENVELOPE_OTHER_SHARE },
    { "envelope-broken-box", "LK envelope-kid", ENVELOPE_BROKEN_BOX },
    { "view-without-its-pack", "L3 view-incomplete", VIEW_WITHOUT },
    { "view-lists-unknown-pack", "L2 pack-missing", VIEW_UNKNOWN },
    { "catalog-duplicate", "L3 catalog-duplicate", LIST_DUPLICATE },
    { "catalog-path-up", "L3 catalog-path", LIST_PATH },
    { "catalog-device", "L3 catalog-type", LIST_TYPE },
    { "catalog-hardlink-to-nothing", "L3 catalog-link", LIST_LINK },
    { "catalog-body-short", "L3 catalog-body", LIST_BODY },
    { "catalog-no-end", "L3 catalog-truncated", LIST_TRUNCATED },
    { "catalog-bytes-after-end", "L3 catalog-trailing", LIST_TRAILING },
    { "catalog-body-too-large", "L3 catalog-limit", LIST_LIMIT },
    { "catalog-checksum", "L3 catalog-header", LIST_HEADER },
    { "record-prev", "L0 record-chain", RECORD_CHAIN },
    { "record-session-same", "L0 record-session", RECORD_SESSION },
    { "record-ack-falls", "L0 record-ack", RECORD_ACK_FALLS },
    { "record-ack-hash", "L0 record-ack", RECORD_ACK_OTHER },
    { "record-ack-ahead", "L0 log-gap", RECORD_ACK_AHEAD },
    { "record-charter-falls", "L0 record-charter", RECORD_CHARTER_FALLS },
    { "record-charter-unknown", "L0 record-charter", RECORD_CHARTER_AHEAD },
    { "record-packs-order", "L0 record-packs", RECORD_PACKS_ORDER },
    { "record-pack-introduced-twice", "L0 record-packs", RECORD_PACKS_TWICE },
    { "record-pack-too-small", "L0 record-packs", RECORD_PACKS_SIZE },
    { "record-foreign-key", "L0 record-signature", RECORD_FOREIGN_KEY },
    { "snap-view-notes", "L2 snap-view", SNAP_VIEW_NOTES },
    { "snap-view-notes-nul", "L2 snap-view", SNAP_VIEW_NOTES_NUL },
};

void golden_negative_forged(struct golden *g)
{
    struct golden_out *o = &g->out;
    struct golden_path pack = golden_pack_path(g, SHOP, g->forge.session, 0);
    struct golden_path snap = golden_snap_path(g, SHOP, g->forge.session);
    struct golden_path record = golden_record_path(g, SHOP, g->forge.seq, 0);
    struct forged f;
    for (size_t i = 0; i < sizeof twisted / sizeof twisted[0]; i++) {
        forge_session(&g->forge, twisted[i].twist, &f);
        golden_negative(o, twisted[i].name, twisted[i].expect);
        golden_change(o, pack.text, f.pack.data, f.pack.len);
        golden_change(o, snap.text, f.snap.data, f.snap.len);
        golden_change(o, record.text, f.record.data, f.record.len);
        golden_negative_end(o);
        forged_free(&f);
    }
    forge_session(&g->forge, RECORD_OTHER_TIME, &f);
    golden_negative(o, "record-fork", "L0 log-fork");
    golden_change(o, golden_record_path(g, SHOP, g->forge.seq, 1).text, f.record.data, f.record.len);
    golden_negative_end(o);
    forged_free(&f);
}
