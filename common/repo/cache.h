/*
 * cache.h - what a writer remembers of the chunks it has stored (format.md section 9).
 *
 * A sampled index with locality over an append-only journal. In RAM: one 20-byte slot per blob, hooks (chunks
 * by which a blob is found), and an LRU of chunk lists. Everything else is read back from the journal.
 *
 *     cache_open(dir, repo_id, writer_id, NULL, &c, err);
 *     cache_packs(...)  check that they are on the storage; cache_drop_pack() what is condemned or missing
 *     cache_session_begin(c, session, err);  cache_drain_begin(c, job, err);
 *       per stream:  cache_stream_begin; per chunk: cache_lookup, else cache_blob_chunk; cache_stream_use;
 *                    cache_stream_end
 *       per extent and node:  cache_drain_use
 *       per blob:    cache_blob_begin, cache_blob_chunk.., and when it is in a pack: cache_blob_place
 *       per pack:    cache_pack_confirm when the storage has it
 *     cache_drain_end(...)      what the next session of this job leaves behind
 *     cache_pending_packs(...)  what the record introduces
 *     cache_commit(c, session, seq, err) when the record is published, or cache_session_abort(c)
 *     cache_compact(c, err);    when the journal is mostly dead
 *     cache_close(c);
 *
 * One thread at a time. Durable when they return: cache_session_begin, cache_pack_confirm, cache_commit;
 * nothing else syncs. Whoever opens the cache must hold the writer's lock.
 *
 * Blob numbers are 32 bit, grow in the order of cache_blob_begin, and stay the same over restarts once the
 * pack is confirmed, until cache_compact gives new ones. Numbers of blobs that never were confirmed are given again.
 *
 * After a crash the torn tail of the journal is cut off (log event). Damage before the tail costs the damaged
 * entry (log alarm); cache_damaged() is then true, and drops, introductions and sessions may be forgotten.
 * Whoever opens the cache must therefore, in every session: drop all packs condemned in any retention record,
 * and mark all packs introduced that its own log introduces (at least when cache_last_seq() is not its head
 * or cache_damaged()). Both calls do nothing for what is known already.
 *
 * After a failed write or sync of the journal every later write fails too (E_IO): abort, close, open again.
 */
#ifndef COMMON_REPO_CACHE_H
#define COMMON_REPO_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/vec.h"
#include "common/crypto/hash.h"
#include "common/repo/format.h"

struct cache;

/* 0 in a field: the default. */
struct cache_limits {
    uint64_t lru_bytes; /* hooks and chunk lists in memory; default 48 MiB. Lists keep a quarter of it in any
                              case. Lists of unconfirmed blobs come on top */
    uint64_t exact_chunks; /* up to so many chunks each one is a hook; default 2.75 Mi. 1 forces sampling */
    unsigned sample_bits;  /* above: ids with so many low bits zero are hooks; default 7, at most 7 */
};

/* dir must exist. Makes or opens its file "journal" (0600). E_CONFLICT: it belongs to another repository or
 * writer. E_UNSUPPORTED: another version. E_CORRUPT: no journal; the caller may remove it and start empty. */
int cache_open(const char *dir, const uint8_t repo_id[REPO_ID_LEN], const uint8_t writer_id[WRITER_ID_LEN],
               const struct cache_limits *limits, struct cache **out, struct error *err);
void cache_close(struct cache *c);

bool cache_damaged(const struct cache *c);
/* The largest session number ever journalled, 0 if none. Own packs count too. */
uint32_t cache_last_session(const struct cache *c);
/* The seq of the last commit or mark, 0 if none. */
uint32_t cache_last_seq(const struct cache *c);

/* ---- finding duplicates ---- */

struct cache_hit {
    uint32_t blob;
    uint32_t offset;
    uint32_t length;
};

/* 1: a blob holds these bytes; 0: none known; or an error. Equal means equal id, length and kind. previous:
 * the extent before this chunk in the stream, or NULL: among copies the one that continues it wins, then one
 * that the last snapshot of this stream used, then the first. Hits may lie in blobs of the running session,
 * also the open one. `out` may equal `previous`. */
int cache_lookup(struct cache *c, const uint8_t id[CHUNK_ID_LEN], uint32_t len, enum blob_kind kind,
                 const struct cache_hit *previous, struct cache_hit *out, struct error *err);

/* Loads the blobs that the last snapshot of this name used, in a window that moves with the hits, and starts
 * to record what this one uses. One stream at a time. The name is not stored, only a 64-bit hash of it. */
int cache_stream_begin(struct cache *c, const char *name, struct error *err);
/* Each extent's blob, in the order of the stream (cheap for repetitions). */
int cache_stream_use(struct cache *c, uint32_t blob, struct error *err);
/* This stream may be wanted alone (after cache_stream_begin): when too little of what has to be fetched for it is its
 * own, some of its chunks are not found the next time, and stored anew (cache_sparse.c). Every extent is then told. */
int cache_stream_alone(struct cache *c, struct error *err);
int cache_stream_add(struct cache *c, uint32_t blob, uint32_t len, struct error *err);
/* The recorded list counts from the next commit on. */
int cache_stream_end(struct cache *c, struct error *err);

/* ---- leaving sparse blobs and packs behind (cache_drain.c) ----
 * What is used of each blob and pack is counted during a snapshot and acted on in the next one of the same job: chunks of
 * blobs, or of packs, of which less than half is used are not found, and so are stored anew; emptiest first, for at most
 * a twentieth of the snapshot's bytes, or 1 MiB. Used is what this snapshot uses, and the last one of each other job of the writer. */

/* After cache_session_begin. The name is not stored, only a 64-bit hash of it. */
int cache_drain_begin(struct cache *c, const char *job, struct error *err);
/* Each extent, in any order, as often as it occurs; and each node, whole. */
int cache_drain_use(struct cache *c, const struct cache_hit *hit, struct error *err);
/* When every blob is confirmed; `logical`: the snapshot's bytes. Counts from the commit on. */
int cache_drain_end(struct cache *c, uint64_t logical, struct error *err);

/* Of the running session: plaintext that was stored although an older blob holds it. */
struct cache_again {
    uint64_t alone; /* that tables stay cheap to fetch alone (cache_stream_alone) */
    uint64_t drain;
};
struct cache_again cache_stored_again(const struct cache *c);

/* ---- new blobs of the running session ---- */

int cache_blob_begin(struct cache *c, enum blob_kind kind, uint32_t *number, struct error *err);
/* The next chunk of an unplaced blob; found by lookups at once. None at all: the blob is never deduplicated.
 * */
int cache_blob_chunk(struct cache *c, uint32_t number, const uint8_t id[CHUNK_ID_LEN], uint32_t len,
                     struct error *err);
/* Its place in a pack. plen must be the sum of the chunks' lengths, if it has any. A pack that is sealed anew
 * under another idx may place its blobs again, until they are confirmed. */
int cache_blob_place(struct cache *c, uint32_t number, const struct blob_ref *ref, struct error *err);
/* 1 and *ref; 0 when it has no place yet; or an error: E_INTERNAL for an unknown or dropped blob, E_CORRUPT
 * when the journal is damaged where it is described. */
int cache_ref(struct cache *c, uint32_t number, struct blob_ref *ref, struct error *err);

/* ---- sessions and packs ---- */

int cache_session_begin(struct cache *c, uint32_t session, struct error *err);
/* The pack is on the storage: journals it with its blobs (all placed in it) and their chunks. */
int cache_pack_confirm(struct cache *c, uint32_t session, uint32_t idx, uint8_t attempt, uint64_t size,
                       const uint8_t hash[HASH_LEN], const uint32_t *numbers, size_t n, struct error *err);
/* The record `seq` of `session` is published: it introduced every pending pack. E_INTERNAL when blobs of the
 * session are not confirmed. */
int cache_commit(struct cache *c, uint32_t session, uint32_t seq, struct error *err);
/* Forgets the blobs that are not confirmed, and the recorded streams. Confirmed packs stay pending. */
void cache_session_abort(struct cache *c);

struct cache_pack {
    uint32_t session;
    uint32_t idx;
    uint64_t size;
    uint8_t hash[HASH_LEN];
    uint8_t attempt;
    bool introduced;
    bool dropped;
    /* private: */
    uint64_t at; /* of its entry's payload in the journal */
    uint32_t nblobs;
    uint32_t nchunks;
    uint32_t len;   /* of its payload */
    uint64_t plain; /* plaintext of its blobs */
};

/* Appends the packs that are confirmed and neither introduced nor dropped, sorted by (session, idx), to a vec
 * of struct cache_pack. */
int cache_pending_packs(const struct cache *c, struct vec *out, struct error *err);
/* All known packs that are not dropped, in journal order: start with *pos = 0; NULL at the end. The pointer
 * lives until the next call that adds a pack. */
const struct cache_pack *cache_packs(const struct cache *c, size_t *pos);
const struct cache_pack *cache_pack_find(const struct cache *c, uint32_t session, uint32_t idx); /* or NULL */

/* Which pack, for a list. */
struct cache_pack_name {
    uint32_t session;
    uint32_t idx;
};
/* 1 and the confirmed pack that holds a blob, from memory alone; 0: it is in no confirmed pack. */
int cache_pack_of(const struct cache *c, uint32_t number, struct cache_pack_name *out);
/* Record `seq` was found published with these packs (after a crash). Unknown packs are passed over. */
int cache_mark_introduced(struct cache *c, uint32_t seq, const struct cache_pack_name *packs, size_t n,
                          struct error *err);
/* Its blobs never match again. Nothing happens when it is unknown or dropped already. */
int cache_drop_pack(struct cache *c, uint32_t session, uint32_t idx, struct error *err);

/* ---- rebuilding a lost cache from trailers ---- */

struct cache_chunk {
    uint8_t id[CHUNK_ID_LEN];
    uint32_t len;
};
/* A trailer's entry; session and idx of ref must be those of the pack. */
struct cache_import {
    struct blob_ref ref;
    enum blob_kind kind;
    uint32_t nchunks;
    const struct cache_chunk *chunks;
};
/* An introduced pack, from its verified trailer. E_EXISTS when it is known (also as dropped). */
int cache_import_pack(struct cache *c, uint32_t session, uint32_t idx, uint8_t attempt, uint64_t size,
                      const uint8_t hash[HASH_LEN], const struct cache_import *blobs, size_t n,
                      struct error *err);

/* ---- the journal's size ---- */

/* Between sessions: writes the journal anew without what is dead (entries of dropped packs, lists that were replaced), when
 * that is more than half of it and above 1 MiB, or when it is damaged and a session has repaired what it could. 1: done, 0: not worth it, or
 * an error: then the old one is in place, or the new one. A crash leaves either, whole, and perhaps a file "journal.new". */
int cache_compact(struct cache *c, struct error *err);

/* ---- measuring ---- */

struct cache_stats {
    uint64_t blobs;  /* live */
    uint64_t chunks; /* live */
    uint64_t hooks;
    uint64_t memory;     /* bytes of tables and lists, about */
    uint64_t lists_read; /* from the journal since it was opened */
    uint64_t journal;    /* bytes */
    uint64_t dead;       /* of them */
    bool sampled;
};
void cache_get_stats(const struct cache *c, struct cache_stats *out);

#endif
