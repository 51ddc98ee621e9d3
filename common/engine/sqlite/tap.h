/*
 * tap.h - a VFS over the system's that remembers page 1.
 *
 *     struct tap *t = tap_new(err);
 *     sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, tap_vfs(t));
 *     ... begin a transaction, read anything ...
 *     page = tap_page1(t, &size);      // what SQLite holds as page 1 in this transaction
 *     sqlite3_close(db); tap_free(t);  // in this order
 *
 * Every call goes through to the system's VFS unchanged. A read of a whole page
 * at offset 0 of the database, or of the content of a log frame that says it is
 * page 1, is copied. SQLite reads page 1 at the start of a transaction and keeps
 * it, so the last copy is the page of the open transaction. Memory mapping is
 * hidden from SQLite: it would bypass the reads.
 */
#ifndef COMMON_ENGINE_SQLITE_TAP_H
#define COMMON_ENGINE_SQLITE_TAP_H

#include <stdint.h>

#include "common/base/error.h"

struct tap;

struct tap *tap_new(struct error *err);
const char *tap_vfs(const struct tap *t);
/* Borrowed until the next read; NULL when no page 1 was read yet. */
const uint8_t *tap_page1(const struct tap *t, uint32_t *size);
/* The first 100 bytes of the file, which SQLite reads when it opens it, before any other file; or NULL. */
const uint8_t *tap_header(const struct tap *t);
void tap_free(struct tap *t);

#endif
