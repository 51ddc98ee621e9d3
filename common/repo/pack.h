/*
 * pack.h - one pack file: built in memory, read from its end.
 *
 * Writing
 *     struct pack_build *p = pack_build_new(&author, trail_key, idx, pack_size, err);
 *     if (pack_build_fits(p, frame_len, nchunks)) pack_build_add(p, &blob, &ref, err);
 *     pack_build_finish(p, PACK_FULL or PACK_SHORT, err);  -> p->bytes is the file
 * A full pack has exactly pack_size bytes; a short one max(64 KiB, Padme).
 * The same blob id is stored once: adding it again gives the first place.
 *
 * Reading
 *     pack_tail_open() on the header and the last PACK_TAIL_LEN bytes gives the places,
 *     pack_trailer_open() the list of blobs. Both need only trail_key. A blob is
 *     opened with chunk/blob.h under the key from object_header_key().
 */
#ifndef COMMON_REPO_PACK_H
#define COMMON_REPO_PACK_H

#include "common/base/map.h"
#include "common/base/vec.h"
#include "common/repo/format.h"
#include "common/repo/object.h"

struct chunk_entry {
    uint8_t id[CHUNK_ID_LEN];
    uint32_t len;
};

/* ---- writing ---------------------------------------------------------------------------------------- */
struct pack_blob {
    uint8_t id[BLOB_ID_LEN];
    enum blob_kind kind;
    const uint8_t *frame;
    uint32_t frame_len;
    uint32_t plen;
    const struct chunk_entry *chunks; /* nchunks 0: never deduplicated */
    uint32_t nchunks;
};

struct pack_build {
    uint32_t session;
    uint32_t idx;
    uint32_t pack_size;
    uint32_t header_len;
    uint32_t nblobs;
    uint8_t key[KEY_LEN];
    uint8_t trail_key[KEY_LEN];
    struct buf bytes;   /* the file so far; complete after finish */
    struct buf entries; /* plaintext of the trailer */
    struct map places;  /* id -> off, clen, plen */
};

enum pack_end { PACK_FULL, PACK_SHORT };

struct pack_build *pack_build_new(const struct object_author *author, const uint8_t trail_key[KEY_LEN],
                                  uint32_t idx, uint32_t pack_size, struct error *err);
bool pack_build_fits(const struct pack_build *p, size_t frame_len, size_t nchunks);
/* Bytes of the file that a blob would take, its trailer entry included. */
size_t pack_blob_cost(size_t frame_len, size_t nchunks);
/* Bytes taken so far, trailer and tail included. */
size_t pack_build_used(const struct pack_build *p);
int pack_build_add(struct pack_build *p, const struct pack_blob *blob, struct blob_ref *ref,
                   struct error *err);
int pack_build_finish(struct pack_build *p, enum pack_end end, struct error *err);
void pack_build_free(struct pack_build *p); /* wipes the keys; NULL is fine */

/* ---- reading ---------------------------------------------------------------------------------------- */
struct pack_tail {
    uint32_t body_end;
    uint32_t trailer_off;
    uint32_t trailer_len;
    uint32_t nblobs;
};

struct trailer_blob {
    uint8_t id[BLOB_ID_LEN];
    uint32_t off;
    uint32_t clen;
    uint32_t plen;
    enum blob_kind kind;
    uint32_t nchunks;
    uint32_t first_chunk; /* index into pack_trailer.chunks */
};

struct pack_trailer {
    struct vec blobs;  /* struct trailer_blob */
    struct vec chunks; /* struct chunk_entry */
};

int pack_tail_open(const struct object_header *h, const uint8_t trail_key[KEY_LEN],
                   const uint8_t tail[PACK_TAIL_LEN], uint64_t file_size, struct pack_tail *out,
                   struct error *err);
/* `sealed` is the trailer as stored (tail->trailer_len bytes). */
int pack_trailer_open(const struct object_header *h, const uint8_t trail_key[KEY_LEN],
                      const struct pack_tail *tail, const void *sealed, struct pack_trailer *out,
                      struct error *err);
void pack_trailer_free(struct pack_trailer *t);

#endif
