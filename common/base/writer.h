/*
 * writer.h - builds a block of little-endian fields in a struct buf.
 *
 * Failure (only E_NOMEM is possible) is sticky: write the whole structure, ask
 * writer_end() once. The buffer belongs to the caller.
 */
#ifndef COMMON_BASE_WRITER_H
#define COMMON_BASE_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"

struct writer {
    struct buf *out;
    bool failed;
};

struct writer writer_of(struct buf *out);
void writer_u8(struct writer *w, uint8_t v);
void writer_u16(struct writer *w, uint16_t v);
void writer_u32(struct writer *w, uint32_t v);
void writer_u64(struct writer *w, uint64_t v);
void writer_bytes(struct writer *w, const void *data, size_t len);
void writer_zeros(struct writer *w, size_t len);
int writer_end(const struct writer *w, struct error *err);

#endif
