/*
 * reader.h - the only way to look at bytes from outside.
 *
 * A cursor over a block of memory with sticky failure: after the first read
 * past the end every later read gives 0 or NULL and reader_ok() is false, so a
 * parser reads a whole header and asks once. Integers are little-endian.
 *
 *     struct reader r = reader_of(data, len);
 *     uint32_t n = reader_u32(&r);
 *     if (!reader_ok(&r) || n > LIMIT) return error_corrupt(...);
 *     ...
 *     if (!reader_at_end(&r)) return error_corrupt(...);   // trailing bytes are an error
 *
 * The memory is borrowed and must outlive the reader and every pointer that
 * reader_bytes() returned.
 */
#ifndef COMMON_BASE_READER_H
#define COMMON_BASE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
    const uint8_t *data;
    size_t len;
    size_t pos;
    bool failed;
};

struct reader reader_of(const void *data, size_t len);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
/* The next n bytes in place, or NULL. */
const uint8_t *reader_bytes(struct reader *r, size_t n);
/* Copies the next n bytes to `to`; zeroes `to` when they are not there. */
void reader_copy(struct reader *r, void *to, size_t n);
/* Skips n bytes that must be zero; anything else is a failure. */
void reader_zeros(struct reader *r, size_t n);
/* Marks the reader failed; for a check made by the caller. */
void reader_fail(struct reader *r);
size_t reader_left(const struct reader *r);
bool reader_ok(const struct reader *r);
/* True when nothing failed and nothing is left. */
bool reader_at_end(const struct reader *r);

/* Little-endian loads and stores for fixed places in a block whose size is known. */
uint16_t load_u16(const uint8_t *p);
uint32_t load_u32(const uint8_t *p);
uint64_t load_u64(const uint8_t *p);
void store_u16(uint8_t *p, uint16_t v);
void store_u32(uint8_t *p, uint32_t v);
void store_u64(uint8_t *p, uint64_t v);

#endif
