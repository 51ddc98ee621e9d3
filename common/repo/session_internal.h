/*
 * session_internal.h - what the parts of a session share. Private to session*.c, forest.c, stream_writer.c.
 *
 *   session.c         begin and free: the order of things
 *   session_record.c  a record that was on its way, or is half there
 *   session_start.c   what the storage holds of ours, and the cache of it
 *   session_commit.c  catalog, last packs, snapshot object, record
 *   stream_writer.c   bytes -> chunks -> extents -> level-0 nodes
 *   forest.c          the trees of all streams, from level-0 nodes to one top each
 */
#ifndef COMMON_REPO_SESSION_INTERNAL_H
#define COMMON_REPO_SESSION_INTERNAL_H

#include "common/chunk/chunker.h"
#include "common/crypto/hash.h"
#include "common/repo/cache.h"
#include "common/repo/node.h"
#include "common/repo/pipeline.h"
#include "common/repo/repo.h"
#include "common/repo/sample.h"
#include "common/repo/session.h"
#include "common/sys/filelock.h"

enum { BLOB_TARGET = MIB }; /* plaintext of a blob; a chunk never makes it pass BLOB_PLAIN_MAX */

/* One child in a tree: a node that is, or will be, in a blob. */
struct tree_child {
    uint64_t len;
    uint32_t number; /* of its blob, once known */
    bool known;
    uint8_t cut_id[CHUNK_ID_LEN]; /* the chunk that ended it */
};

/* A stream on its way into the catalog, or a member without bytes: an empty one that was never open. */
struct tree {
    struct session *session;
    struct catalog_entry *entry; /* metadata, owned; or NULL */
    char *name;                  /* owned, unless there is an entry: then it is its path */
    char *facts;
    uint32_t mode_bits;
    uint32_t chunk_avg;
    uint64_t len;
    uint8_t check[CHECK_LEN];
    enum stream_form form;
    struct cache_hit direct; /* form direct */
    unsigned level;          /* of the nodes in children */
    struct vec children;     /* struct tree_child */
    bool ended;
    bool grown; /* children is the one top */
};

/* A node that waits for places. */
struct pending_node {
    struct node_plan plan;
    struct tree *tree;
    size_t child;
};

struct session {
    struct session_options options;
    struct filelock *lock;
    struct repo *repo;
    struct repo_writer *writer;
    struct marks marks;
    struct cache *cache;
    struct secret *derived; /* struct writer_derived */
    struct secret *key;     /* K_s */
    struct buf envelope;
    struct pipeline *pipeline;
    struct check_state *check;
    struct chunker *chunker; /* of the stream in progress */
    uint32_t chunker_page;
    uint32_t chunker_avg; /* when chunker_page is 0 */
    uint32_t number;      /* session */
    uint32_t ack;
    uint8_t ack_hash[HASH_LEN];
    uint64_t started;

    struct blob_job *open_blob; /* filling */
    bool open_dedup;
    struct vec trees;   /* struct tree * */
    struct vec pending; /* struct pending_node */
    struct vec used;    /* u64 bitmap of blob numbers */
    struct stream_writer *stream;

    struct buf notes; /* lines, without a NUL at the end */

    struct sample *sample; /* of the new bytes */
    struct session_stream_numbers last;
    uint64_t logical, fresh, stored, packs, adopted, lost;
    bool committed;
};

const struct writer_derived *session_keys(const struct session *s);
char *session_path(const struct session *s, const char *name, struct error *err);

/* What this session puts into its objects' headers. */
struct object_author session_author(const struct session *s);

/* session_start.c */
int session_settle_storage(struct session *s, struct error *err);

/* session_record.c */
#define SESSION_PENDING_RECORD "record.pending"
/* A torn record that this host does not know: perhaps somebody is writing it right now. E_BUSY for a while. */
int session_wait_for_torn(struct session *s, struct error *err);
/* Sends a journalled record, if there is one; then the marks and the cache know it. */
int session_settle_record(struct session *s, struct error *err);
int session_record_published(struct session *s, const struct record *r, struct error *err);

/* forest.c */
int session_use_blob(struct session *s, uint32_t number, struct error *err);
/* Takes events from the pipeline and sends on the nodes that have become possible. */
int session_progress(struct session *s, struct error *err);
/* A finished level-0 node (or higher) of a tree; takes the plan. */
int forest_add_node(struct tree *t, struct node_plan *plan, const uint8_t cut_id[CHUNK_ID_LEN],
                    struct error *err);
/* Ends the blob that is being filled. */
int session_close_blob(struct session *s, struct error *err);
/* Until every ended tree has its top and everything has its place. */
int forest_grow(struct session *s, struct error *err);
int tree_reference(struct session *s, const struct tree *t, struct stream_ref *out, struct error *err);
/* The packs that the used blobs are in, sorted; all of them confirmed. */
int session_packs_used(struct session *s, struct vec *out, struct error *err);
void tree_free(struct tree *t);

/* stream_writer.c */
/* E_USAGE for a name that no catalog may hold. `entry` may be NULL. */
int session_check_name(const struct session *s, const char *name, const struct catalog_entry *entry,
                       struct error *err);
struct tree *session_add_tree(struct session *s, const char *name, const struct catalog_entry *entry,
                              struct error *err);
void stream_writer_free(struct stream_writer *w);
/* The catalog over all trees, as the last stream. */
int session_write_catalog(struct session *s, struct stream_ref *out, struct error *err);

#endif
