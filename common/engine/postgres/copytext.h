/*
 * copytext.h - rows of COPY's text format as CSV or as INSERT statements.
 *
 * CSV is what the server itself writes for COPY ... (FORMAT csv, HEADER): NULL is
 * nothing, an empty text is "", quotes only where they are needed. Bytes stay in
 * the encoding of the database.
 *
 *     struct copytext *t = copytext_new(kind, table, out, err);
 *     copytext_feed(t, data, len, err)...;       // cut anywhere
 *     rc = copytext_end(t, &rows, err);          // E_CORRUPT "postgres-copy" when a row has no end
 *     copytext_free(t);
 *
 * Memory: the longest value of a row.
 */
#ifndef COMMON_ENGINE_POSTGRES_COPYTEXT_H
#define COMMON_ENGINE_POSTGRES_COPYTEXT_H

#include "common/engine/postgres/internal.h"

enum copytext_kind { COPYTEXT_CSV, COPYTEXT_INSERTS };

struct copytext;

/* The names of the columns are those of `table`; INSERTs go into `into`, SQL. Borrowed. */
struct copytext *copytext_new(enum copytext_kind kind, const struct pgsql_table *table, const char *into,
                              struct sink *out, struct error *err);
int copytext_feed(struct copytext *t, const void *data, size_t len, struct error *err);
int copytext_end(struct copytext *t, uint64_t *rows, struct error *err);
void copytext_free(struct copytext *t);

#endif
