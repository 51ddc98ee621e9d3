/*
 * name.h - names of databases, tables and columns in streams and facts, and back.
 *
 * A name is percent-encoded: letters and digits of ASCII, '_', '-' (not in
 * front) and UTF-8 beyond ASCII stay; every other byte becomes %XX with
 * upper-case digits. So are bytes that are not UTF-8 (databases in other
 * encodings), control characters and invisible marks of Unicode (U+0080-009F,
 * U+2000-206F, U+FEFF). A name of n bytes becomes at most 3n, without '.', '/',
 * ',' or '='. No name has two spellings.
 *
 * A list of names is a fact: encoded names with commas between them. In memory
 * it is a struct vec of char *.
 */
#ifndef COMMON_ENGINE_NAME_H
#define COMMON_ENGINE_NAME_H

#include <stddef.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/vec.h"

/* Appends, without a NUL. */
int name_encode(struct buf *out, const char *name, struct error *err);
/* The name behind the first `len` bytes of text, for free(); NULL with E_CORRUPT `violation` when they are not what
 * name_encode gives. */
char *name_decode(const char *text, size_t len, const char *violation, struct error *err);

/* "key=NAME\n" */
int name_fact(struct buf *out, const char *key, const char *name, struct error *err);
/* A text fact, for free(); NULL with E_CORRUPT `violation`, which names `of`, when there is none. */
char *name_fact_text(const char *facts, const char *key, const char *of, const char *violation,
                     struct error *err);

/* The names of a fact, added to out; a missing fact is empty. */
int names_of_fact(const char *facts, const char *key, const char *violation, struct vec *out,
                  struct error *err);
int names_add(struct vec *names, const char *name, struct error *err); /* copies */
void names_free(struct vec *names);
/* "a, b, c and 4 more", printable. Returns out. */
const char *names_text(const struct vec *names, char *out, size_t cap);

#endif
