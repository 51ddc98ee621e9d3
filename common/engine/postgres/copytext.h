/*
 * copytext.h - rows of COPY's text format for scripts and other programs.
 *
 * CSV is what the server itself writes for COPY ... (FORMAT csv, HEADER): NULL is
 * nothing, an empty text is "", quotes only where they are needed. Bytes stay in
 * the encoding of the database.
 *
 * COPYTEXT_COPY is the rows as they are, for a script: a line that begins with
 * "\.", which no server writes, would end them there, and psql would run what
 * follows as commands. It is refused before anything of its block is written.
 *
 *     struct copytext *t = copytext_new(kind, table, out, err);
 *     copytext_feed(t, data, len, err)...;       // cut anywhere
 *     rc = copytext_end(t, &rows, err);          // E_CORRUPT "postgres-copy" when the last row has no end
 *     copytext_free(t);
 *
 * Memory: the longest value of a row.
 */
#ifndef COMMON_ENGINE_POSTGRES_COPYTEXT_H
#define COMMON_ENGINE_POSTGRES_COPYTEXT_H

#include "common/engine/postgres/internal.h"

enum copytext_kind {
    COPYTEXT_CSV,
    COPYTEXT_CSV_ROWS /* without the header */,
    COPYTEXT_INSERTS,
    COPYTEXT_COPY
};

struct copytext;

/* The names of the columns are those of `table`; INSERTs go into `into`, SQL. Borrowed. */
struct copytext *copytext_new(enum copytext_kind kind, const struct pgsql_table *table, const char *into,
                              struct sink *out, struct error *err);
int copytext_feed(struct copytext *t, const void *data, size_t len, struct error *err);
int copytext_end(struct copytext *t, uint64_t *rows, struct error *err);
void copytext_free(struct copytext *t);

#endif
