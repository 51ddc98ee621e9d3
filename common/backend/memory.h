/*
 * memory.h - a backend in memory, for tests.
 *
 * Clones share the same store, which lives until the last handle is closed and
 * is safe to use from several threads (one handle per thread). A torn upload
 * leaves its bytes behind, as real storage does. memory_tamper gives a test the
 * stored bytes of one file to change in place (NULL when absent);
 * memory_replace sets the content of a file (data NULL: removes it).
 */
#ifndef COMMON_BACKEND_MEMORY_H
#define COMMON_BACKEND_MEMORY_H

#include "common/backend/backend.h"

struct backend *backend_memory(struct error *err);
uint8_t *memory_tamper(struct backend *b, const char *name, size_t *len);
int memory_replace(struct backend *b, const char *name, const void *data, size_t len, struct error *err);

#endif
