/*
 * rowtext.h - rows of a stream as CSV or as INSERT statements.
 *
 *     struct rowtext *t = rowtext_new(ROWTEXT_CSV, table, NULL, sink, err);
 *     rowtext_feed(t, data, len, err)...;        // cut anywhere
 *     rc = rowtext_end(t, &rows, err);           // E_CORRUPT "mariadb-rows" when a row has no end
 *     rowtext_free(t);
 *
 * CSV: RFC 4180 with a header line; NULL is nothing, an empty text is "". Text of
 * the character sets utf8mb4, utf8mb3 and ascii stays, latin1 becomes UTF-8;
 * every other column (blobs, bits, geometry, other character sets) is its bytes
 * as hexadecimal digits: rowtext_hex says which.
 *
 * INSERT: several rows a statement, about a MiB, or one. UTF-8 texts are literals
 * for SET NAMES utf8mb4 and a sql_mode without NO_BACKSLASH_ESCAPES; all other
 * bytes are x'...'. The mode is strict but for rows with the invalid value of an
 * ENUM, which strict servers refuse. Memory: as fields.h.
 */
#ifndef COMMON_ENGINE_MARIADB_ROWTEXT_H
#define COMMON_ENGINE_MARIADB_ROWTEXT_H

#include "common/engine/mariadb/internal.h"

enum rowtext_kind { ROWTEXT_CSV, ROWTEXT_BLOCKS, ROWTEXT_INSERTS };

/* The sql_mode of scripts, and around rows that it refuses. */
#define ROWTEXT_STRICT "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES"
#define ROWTEXT_LOOSE "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES"

struct rowtext;

/* `into` is SQL, for INSERTs. Borrowed. */
struct rowtext *rowtext_new(enum rowtext_kind kind, const struct maria_table *table, const char *into,
                            struct sink *out, struct error *err);
int rowtext_feed(struct rowtext *t, const void *data, size_t len, struct error *err);
int rowtext_end(struct rowtext *t, uint64_t *rows, struct error *err);
void rowtext_free(struct rowtext *t); /* NULL is fine */
/* CSV has this column as hexadecimal digits. */
bool rowtext_hex(const struct maria_column *col);

#endif
