/*
 * fields.h - rows of text as bulk loaders take them (COPY of PostgreSQL, LOAD DATA of MariaDB), field by field.
 *
 * Fields end with a tab, rows with a newline; \N is NULL; behind a backslash a
 * letter of `letters` is the byte at the same place of `bytes`, anything else is
 * itself. A table without columns has rows of one field, which is passed over.
 *
 *     struct fields *f = fields_new(&options, err);
 *     fields_feed(f, data, len, err)...;         // cut anywhere
 *     rc = fields_end(f, &rows, err);            // E_CORRUPT options.violation when a row has no end
 *     fields_free(f);
 *
 * What the callbacks add to `out` goes to the sink in large pieces. Memory: the
 * longest field of a row, and what a row adds.
 */
#ifndef COMMON_ENGINE_FIELDS_H
#define COMMON_ENGINE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/stream/stream.h"

struct fields_options {
    size_t columns;
    const char *letters;
    const char *bytes;
    size_t nletters;
    const char *violation; /* name of what is corrupt */
    struct sink *sink;
    /* value NULL: NULL. Column 0 begins a row. */
    int (*field)(void *arg, size_t column, const char *value, size_t len, struct buf *out, struct error *err);
    int (*row_end)(void *arg, struct buf *out, struct error *err);
    void *arg;
};

struct fields;

/* Borrows everything of the options. */
struct fields *fields_new(const struct fields_options *options, struct error *err);
/* For what stands in front of the rows. */
struct buf *fields_out(struct fields *f);
int fields_feed(struct fields *f, const void *data, size_t len, struct error *err);
/* Gives everything to the sink, which is not finished. */
int fields_end(struct fields *f, uint64_t *rows, struct error *err);
void fields_free(struct fields *f); /* NULL is fine */

/* A text between marks, which are doubled inside. */
int fields_put_marked(struct buf *out, const char *p, size_t len, char mark, struct error *err);
/* As RFC 4180 has it: quotes where they are needed, and around an empty text, since nothing is NULL. alone: the table has
 * one column (then "\." is quoted, too: PostgreSQL would end there). */
int fields_put_csv(struct buf *out, const char *p, size_t len, bool alone, struct error *err);

#endif
