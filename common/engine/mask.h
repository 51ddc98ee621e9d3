/*
 * mask.h - values of columns that nobody is to see: replaced by null, by a constant or by a keyed hash.
 *
 *     struct mask_hash *h = mask_hash_new(err);              // a random key of its own, which nobody ever sees
 *     mask_hash_limit(h, length);                            // of the shortest column
 *     mask_hash_begin(h); mask_hash_add(h, data, len)...; mask_hash_text(h, text);
 *     mask_hash_free(h);
 *
 * A hash is MASK_HASH_MAX characters of a-z and 2-7 (130 bits), or fewer for columns that have no room: the same number
 * in all columns, so that equal values stay equal wherever they stand, and different ones different. The key dies
 * with the object: nobody can find out later whether a guess was right.
 *
 * mask_rows() does it to rows of text on their way into a database (fields.h says what such rows are). What is not
 * masked passes byte for byte. On the way it takes the fingerprint of the rows as they came, which is that of the backup,
 * and of the rows as they went, which is what has to be found in the database afterwards:
 *
 *     struct mask_table t = { .columns = ..., ... };
 *     struct source *s = mask_rows(inner, &t, h, seed, err); // takes inner, also when it fails; borrows t
 *     ... read it to its end: t.ended, t.rows, t.before, t.after, and `changed` of each column
 *
 * Memory: a block, whatever the rows are. Nothing here is thread-safe.
 */
#ifndef COMMON_ENGINE_MASK_H
#define COMMON_ENGINE_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/vec.h"
#include "common/engine/fingerprint.h"
#include "common/stream/stream.h"

enum { MASK_HASH_MAX = 26, MASK_HASH_MIN = 12, MASK_PAD_MAX = 1 << 20 };

enum mask_rule { MASK_NULL = 0, MASK_CONSTANT, MASK_HASH };

struct mask_column {
    char *name;
    char *sql;  /* as SQL writes it */
    char *type; /* the same */
    enum mask_rule rule;
    char *constant; /* MASK_CONSTANT: as the database writes it back */
    size_t width;   /* the hash is filled up with blanks to so many characters: char(n); 0: it is not */
    bool blanks;    /* blanks at the end of a value do not count: char(n) */
    size_t at;      /* in the rows, from 0 */
    size_t order;   /* of its rule: the first that fits counts */
    uint64_t changed;
};

/* How rows are written: what stands for a byte behind a backslash, as in fields.h. */
struct mask_escapes {
    const char *letters;
    const char *bytes;
    size_t n;
    const char *violation; /* name of what is corrupt */
};
extern const struct mask_escapes mask_escapes_postgres, mask_escapes_mariadb;

struct mask_table {
    char *schema; /* or NULL */
    char *name;
    char *sql;          /* as SQL writes it */
    char *stream;       /* that its rows come from, or NULL */
    struct vec columns; /* struct mask_column: those that are masked */
    size_t fields;      /* of a row */
    const struct mask_escapes *escapes;
    /* filled while the rows pass */
    bool ended;
    uint64_t rows;
    char before[FINGERPRINT_TEXT_MAX];
    char after[FINGERPRINT_TEXT_MAX];
};
void mask_table_free(struct mask_table *t);

struct mask_hash;

struct mask_hash *mask_hash_new(struct error *err);
/* Another one with the same key and limit. */
struct mask_hash *mask_hash_again(const struct mask_hash *h, struct error *err);
/* At most so many characters; MASK_HASH_MIN..MASK_HASH_MAX. */
void mask_hash_limit(struct mask_hash *h, size_t length);
size_t mask_hash_length(const struct mask_hash *h);
void mask_hash_begin(struct mask_hash *h);
void mask_hash_add(struct mask_hash *h, const void *data, size_t len);
/* With a NUL. */
void mask_hash_text(struct mask_hash *h, char out[MASK_HASH_MAX + 1]);
void mask_hash_free(struct mask_hash *h); /* NULL is fine */

struct source *mask_rows(struct source *inner, struct mask_table *t, const struct mask_hash *h, uint64_t seed,
                         struct error *err);

#endif
