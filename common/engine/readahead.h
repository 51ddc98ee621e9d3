/*
 * readahead.h - units of bytes that several threads fetch at once and one reader takes in order.
 *
 *     struct readahead *r = readahead_start(&options, err);
 *     for (size_t u = 0; u < units; u++)
 *         while ((n = readahead_lend(r, u, &data, err)) > 0) use(data, n);
 *     readahead_free(r);
 *
 * Each lane is a thread with `buffer` bytes in blocks. A free lane takes the next
 * unit; it is ahead of the reader by at most its blocks, and waits when all are full
 * until its unit's turn has come. Memory: lanes x buffer. Bytes are not copied: the
 * reader gets blocks as they were filled, one at a time. The first failure ends
 * everything: the reader gets it, the lanes see E_CANCELLED at their next room.
 *
 * fetch(), in the thread of its lane, gives the bytes of one unit:
 *
 *     while ((room = readahead_room(lane, &len, err)) != NULL)
 *         readahead_filled(lane, n = at most len bytes at room);
 *
 * It returns 0 when the unit is whole. What it leaves at `arg` for its unit may be
 * read by the reader after readahead_lend gave 0 for it.
 */
#ifndef COMMON_ENGINE_READAHEAD_H
#define COMMON_ENGINE_READAHEAD_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/stream/stream.h"

enum {
    READAHEAD_LANES_MAX = 64,
    /* What suits rows: a reader passes on a block at once, and units of about a lane's buffer keep all lanes busy. */
    READAHEAD_BUFFER = 4 * 1024 * 1024,
    READAHEAD_BLOCK = 256 * 1024,
};

struct readahead;
struct readahead_lane;

struct readahead_options {
    unsigned lanes;
    size_t units;
    size_t buffer; /* bytes of a lane's blocks, rounded down */
    size_t block;
    int (*fetch)(void *arg, unsigned lane_number, size_t unit, struct readahead_lane *lane,
                 struct error *err);
    /* In the reader's thread, about once a second while it reads or waits; a failure ends it; or NULL. */
    int (*tick)(void *arg, struct error *err);
    /* The end has come before its time: whatever a fetch waits for must end now. Once, from the reader; or NULL. */
    void (*stop)(void *arg);
    void *arg;
};

/* Borrows what options.arg points to until readahead_free. */
struct readahead *readahead_start(const struct readahead_options *options, struct error *err);
/* The next bytes of a unit, at *data until the next call; 0 at its end, or a negative code, after which only free is
 * legal. Units in order, each to its end. */
int64_t readahead_lend(struct readahead *r, size_t unit, const void **data, struct error *err);
/* The bytes of the units from..to-1 as one source. done(), in the reader's thread, comes after each of them; its failure
 * is the source's. Borrows r. */
typedef int readahead_done_fn(void *arg, size_t unit, struct error *err);
struct source *readahead_source(struct readahead *r, size_t from, size_t to, readahead_done_fn *done,
                                void *arg, struct error *err);
/* Stops and waits for all threads. NULL is fine. */
void readahead_free(struct readahead *r);

/* For fetch: a block for the next bytes. Waits. NULL with E_CANCELLED when nobody wants more. */
void *readahead_room(struct readahead_lane *lane, size_t *len, struct error *err);
/* Passes the block on with its first len bytes, at least 1; the rest of it is not used. */
void readahead_filled(struct readahead_lane *lane, size_t len);
/* For fetch: all of a source, which is not freed. */
int readahead_pass(struct readahead_lane *lane, struct source *bytes, struct error *err);

#endif
