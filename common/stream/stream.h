/*
 * stream.h - bytes that flow: source (pull) and sink (push).
 *
 * A source is read until it gives 0. A sink is written, then either finished
 * (it took everything, durably where that applies) or aborted; then freed.
 * Implementations put one of these structs first in their own.
 *
 *     int64_t n;
 *     while ((n = source_read(src, block, sizeof block, err)) > 0)
 *         if ((rc = sink_write(snk, block, (size_t)n, err)) < 0) ...
 *     rc = sink_finish(snk, err);
 *     sink_free(snk); source_free(src);
 *
 * A sink that was freed without a successful finish must leave nothing that
 * looks complete. After an error the only legal call is free. Not thread-safe.
 */
#ifndef COMMON_STREAM_STREAM_H
#define COMMON_STREAM_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

struct source {
    /* 1..cap bytes, 0 at the end, or a negative error code. */
    int64_t (*read)(struct source *s, void *data, size_t cap, struct error *err);
    void (*free)(struct source *s);
    /* The same bytes where they are, good until the next call: for a source that has them in memory. May be NULL. */
    int64_t (*lend)(struct source *s, const void **data, struct error *err);
};

struct sink {
    int (*write)(struct sink *s, const void *data, size_t len, struct error *err); /* all of it */
    int (*finish)(struct sink *s, struct error *err);
    void (*free)(struct sink *s);
};

int64_t source_read(struct source *s, void *data, size_t cap, struct error *err);
/* The next bytes without a copy where that can be: *data is memory of the source, or `block` with what was read. Good
 * until the next call. */
int64_t source_lend(struct source *s, void *block, size_t cap, const void **data, struct error *err);
void source_free(struct source *s); /* NULL is fine */
int sink_write(struct sink *s, const void *data, size_t len, struct error *err);
int sink_finish(struct sink *s, struct error *err);
void sink_free(struct sink *s);

/* Everything from src into snk, without finishing it; *copied (may be NULL) gets the bytes. */
int stream_copy(struct source *src, struct sink *snk, uint64_t *copied, struct error *err);
/* Fills data with exactly len bytes; E_CORRUPT when the source ends early. */
int source_read_full(struct source *s, void *data, size_t len, struct error *err);

/* A source over borrowed memory. */
struct source *source_memory(const void *data, size_t len, struct error *err);
/* A source over a file descriptor; `owned` closes it on free (not when this call fails). `name` (copied)
 * is for errors. */
struct source *source_fd(int fd, int owned, const char *name, struct error *err);
/* A sink that collects into a struct buf the caller owns. */
struct buf;
struct sink *sink_buffer(struct buf *out, struct error *err);
/* A sink into a file descriptor; finish does fsync when `sync` and the descriptor is a regular file, and
 * closes it when `owned` (free does, without a finish). Removing an unfinished file is up to who made it. */
struct sink *sink_fd(int fd, int owned, int sync, const char *name, struct error *err);
/* A sink that drops everything. */
struct sink *sink_null(struct error *err);

#endif
