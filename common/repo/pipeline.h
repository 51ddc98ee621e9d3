/*
 * pipeline.h - from plaintext blobs to packs on the storage, in parallel.
 *
 *   put -> [compress, id: worker threads] -> [lanes, one at a time, in order]
 *       -> [upload: one thread and one connection each] -> events
 *
 * Bounds: at most `workers` * 2 + 2 blobs and `uploads` finished packs are in
 * flight besides the two open ones, so memory does not grow with the data. put
 * blocks when they are reached. A pack stays in memory until its upload is
 * confirmed; a torn one goes out again under the next attempt.
 *
 * Calling sequence, all from one thread:
 *     pipeline_put()... pipeline_take() now and then; pipeline_settle() waits until every
 *     blob has its place; pipeline_finish() until every pack is confirmed; pipeline_free().
 * The first failure anywhere ends everything: the next call returns it.
 */
#ifndef COMMON_REPO_PIPELINE_H
#define COMMON_REPO_PIPELINE_H

#include "common/backend/backend.h"
#include "common/base/vec.h"
#include "common/crypto/hash.h"
#include "common/repo/pack.h"

struct blob_job {
    uint32_t number; /* the cache's number for it */
    enum blob_kind kind;
    struct buf plain;
    struct vec chunks; /* struct chunk_entry; empty: never deduplicated */
    /* the rest belongs to the pipeline */
    struct buf frame;
    uint8_t id[BLOB_ID_LEN];
    int state;
    struct blob_job *next;
};

struct placed_blob {
    uint32_t number;
    struct blob_ref ref;
};

struct stored_pack {
    uint32_t session;
    uint32_t idx;
    uint8_t attempt;
    uint64_t size;
    uint8_t hash[HASH_LEN];
    struct vec blobs; /* u32 numbers; owned by whoever takes the event */
};

struct pipeline_config {
    struct object_author author;
    const uint8_t *id_key;    /* KEY_LEN, borrowed */
    const uint8_t *trail_key; /* KEY_LEN, borrowed */
    const struct backend *backend;
    uint32_t pack_size;
    unsigned workers;                            /* 0: as many as processors, at most 4 */
    unsigned uploads;                            /* 0: 2 */
    int level;                                   /* zstd */
    void (*uploaded)(void *arg, uint64_t bytes); /* progress, from an upload thread; may be NULL */
    void *uploaded_arg;
};

struct pipeline;

struct pipeline *pipeline_new(const struct pipeline_config *config, struct error *err);
struct blob_job *blob_job_new(uint32_t number, enum blob_kind kind, struct error *err);
void blob_job_free(struct blob_job *job);
/* Takes the job, also on failure. */
int pipeline_put(struct pipeline *p, struct blob_job *job, struct error *err);
/* Moves what happened since the last call to the ends of both vectors (struct placed_blob, struct stored_pack). */
int pipeline_take(struct pipeline *p, struct vec *placed, struct vec *stored, struct error *err);
int pipeline_settle(struct pipeline *p, struct error *err);
int pipeline_finish(struct pipeline *p, struct error *err);
/* Stops the threads, whatever they do, and frees. */
void pipeline_free(struct pipeline *p);

#endif
