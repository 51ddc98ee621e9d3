/*
 * node.h - references to blobs, nodes (lists of extents or of child nodes), stream references: the codecs of
 * format.md section 7, and the builder that cuts a stream's extents into nodes.
 *
 * Reading: node_decode() checks every rule that a node can be judged by alone, and its level and length
 * against what the parent (or the stream reference) says. That a level-0 node lists data blobs and a higher
 * one node blobs is checked where they are opened: open the blobs of a level-0 node as BLOB_DATA, of others
 * as BLOB_NODE; the id does not match otherwise. That a reference lies in the snapshot's view is the reader's
 * check.
 *
 * Writing, one builder per level of the tree:
 *
 *     node_add_extent(&b, blob, offset, length, err);      // blob numbers of the cache; slices are merged
 *     if (node_cut_here(&b, chunk_id, avg)) {
 *         node_take(&b, &plan);                            // the builder is empty again
 *         ... later, when every blob of the plan has its place in a pack:
 *         node_encode(&plan, resolve, arg, &plain, err);
 *         node_plan_free(&plan);
 *     }
 *
 * and for the level above node_add_child(&b, number of the node's blob, plan.len, err).
 */
#ifndef COMMON_REPO_NODE_H
#define COMMON_REPO_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/map.h"
#include "common/base/reader.h"
#include "common/base/vec.h"
#include "common/base/writer.h"
#include "common/repo/format.h"

/* ---- blob references, 52 bytes ---- */

void blob_ref_write(struct writer *w, const struct blob_ref *ref);
/* Reads without judging: the reader may have failed, see blob_ref_check. */
void blob_ref_read(struct reader *r, struct blob_ref *ref);
/* Session, idx, off, clen and plen within what any pack allows; ERR_BLOB_REFERENCE. kind: a node is at most
 * NODE_PLAIN_MAX long. Whether it lies inside its pack's body is the pack's check. */
int blob_ref_check(const struct blob_ref *ref, enum blob_kind kind, struct error *err);
bool blob_ref_equal(const struct blob_ref *a, const struct blob_ref *b);

/* ---- stream references, 84 bytes ---- */

/* E_INTERNAL for a reference that stream_ref_decode would refuse. Appends STREAM_REF_LEN bytes. */
int stream_ref_encode(const struct stream_ref *ref, struct buf *out, struct error *err);
/* ERR_STREAM_REFERENCE or ERR_BLOB_REFERENCE. len must be STREAM_REF_LEN. */
int stream_ref_decode(const uint8_t *data, size_t len, struct stream_ref *out, struct error *err);

/* ---- reading nodes ---- */

enum { NODE_HEADER_LEN = 20, NODE_ITEM_LEN = 12 };

struct node_item {
    uint64_t len;
    uint32_t offset; /* level 0 only */
    uint32_t blob;   /* index into blobs */
};

struct node {
    uint8_t level;
    uint64_t len;
    uint32_t nblobs;
    uint32_t nitems;
    struct blob_ref *blobs;
    struct node_item *items;
};

/* ERR_NODE_SYNTAX, ERR_NODE_LENGTH (lengths do not add up to what the node or its parent says),
 * ERR_BLOB_REFERENCE. On success the caller frees with node_free; on failure out is empty. */
int node_decode(const uint8_t *plain, size_t plen, unsigned level, uint64_t len, struct node *out,
                struct error *err);
void node_free(struct node *n);

/* ---- building nodes ---- */

/* How level-0 nodes are cut, in bytes of stream. */
enum {
    NODE_CUT_MIN = 1 * MIB,
    NODE_CUT_AVG = 4 * MIB,
    NODE_CUT_MAX = 16 * MIB,
    NODE_FAN_MIN = 32, /* children of higher nodes */
    NODE_FAN_AVG = 256,
    NODE_FAN_MAX = 2048,
};

struct plan_item {
    uint64_t len;
    uint32_t offset;
    uint32_t blob; /* index into blobs */
};

/* A node before its blobs have places. */
struct node_plan {
    unsigned level;
    uint64_t len;
    struct vec blobs; /* uint32_t blob numbers, in order of first use */
    struct vec items; /* struct plan_item */
};

struct node_builder {
    struct node_plan plan;
    struct map known; /* blob number -> index */
};

/* level 0..NODE_LEVEL_MAX. Owns memory from the first add on: node_builder_free. */
void node_builder_init(struct node_builder *b, unsigned level);
void node_builder_free(struct node_builder *b);
bool node_builder_empty(const struct node_builder *b);

/* Level 0. A slice that continues the last one in the same blob is merged. E_INTERNAL when the node is full:
 * cut whenever node_cut_here() says so and it never is. */
int node_add_extent(struct node_builder *b, uint32_t blob, uint32_t offset, uint32_t length,
                    struct error *err);
/* Higher levels: a child node by the number of its blob. */
int node_add_child(struct node_builder *b, uint32_t blob, uint64_t len, struct error *err);

/* Ask after every add: true when the node should end here. chunk_id: of the chunk just added (for a higher
 * level: of the chunk that ended the child), so that equal data is cut at equal places every night; NULL (a
 * stream without chunk ids) cuts at the average. avg_chunk: the stream's average chunk size in bytes. */
bool node_cut_here(const struct node_builder *b, const uint8_t chunk_id[CHUNK_ID_LEN], uint32_t avg_chunk);

/* Moves what is built into out (node_plan_free) and empties the builder. */
void node_take(struct node_builder *b, struct node_plan *out);
void node_plan_free(struct node_plan *p);

/* The place of a blob; a negative code when it has none yet (that is a fault of the caller). */
typedef int node_resolve_fn(void *arg, uint32_t blob, struct blob_ref *ref, struct error *err);
/* Appends the node's plaintext (at most NODE_PLAIN_MAX) to out. */
int node_encode(const struct node_plan *p, node_resolve_fn *resolve, void *arg, struct buf *out,
                struct error *err);

#endif
