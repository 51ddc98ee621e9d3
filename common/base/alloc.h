/*
 * alloc.h - memory with a checked size and a reported failure.
 *
 * mem_alloc() zeroes. mem_grow() keeps the old block on failure, as realloc
 * does. Everything is freed with free(). Sizes are multiplied with an overflow
 * check. mem_settle() is called once, before threads start, by programs that
 * hold packs: without it glibc moves its limit between heap and mapped blocks
 * up to the size of the largest block ever freed, packs end up in the heap, and
 * what lies above them keeps their memory. mem_fail_after(n) makes the n-th following call fail (tests only;
 * 0 switches it off, 1 fails the next call); the counter is process-wide.
 */
#ifndef COMMON_BASE_ALLOC_H
#define COMMON_BASE_ALLOC_H

#include <stddef.h>

#include "common/base/error.h"

void mem_settle(void);
void *mem_alloc(size_t count, size_t size, struct error *err);
void *mem_grow(void *old, size_t count, size_t size, struct error *err);
void *mem_copy(const void *from, size_t size, struct error *err);
void mem_fail_after(unsigned long calls);

#endif
