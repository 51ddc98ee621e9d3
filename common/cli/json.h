/*
 * json.h - one JSON object per line for programs that read along.
 *
 *     struct jsonout *o = jsonout_new("snapshot");
 *     jsonout_str(o, "id", id);
 *     struct jsonout *tags = jsonout_array(o, "tags");     // borrowed, dies with o
 *     jsonout_str(tags, NULL, "nightly");                  // key NULL inside an array
 *     rc = jsonout_emit(o, &err);                          // prints, flushes, frees
 *
 * message_type comes first; keys keep their order. Types in use: status, log,
 * error, summary, snapshot, finding and what a verb documents. Strings that are
 * not UTF-8 get their bad bytes as the text "\xHH". Numbers above INT64_MAX
 * become strings. A failure is remembered and reported by jsonout_emit; every
 * function accepts NULL. Lines of several threads do not mix.
 */
#ifndef COMMON_CLI_JSON_H
#define COMMON_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/buffer.h"
#include "common/base/error.h"

struct jsonout;

struct jsonout *jsonout_new(const char *message_type);
void jsonout_str(struct jsonout *o, const char *key, const char *value); /* value NULL: null */
void jsonout_bytes(struct jsonout *o, const char *key, const void *data,
                   size_t len); /* text that may hold NUL */
void jsonout_u64(struct jsonout *o, const char *key, uint64_t value);
void jsonout_i64(struct jsonout *o, const char *key, int64_t value);
void jsonout_bool(struct jsonout *o, const char *key, bool value);
void jsonout_double(struct jsonout *o, const char *key, double value);   /* not finite: null */
void jsonout_time(struct jsonout *o, const char *key, uint64_t seconds); /* RFC 3339 in UTC; 0: null */
struct jsonout *jsonout_object(struct jsonout *o, const char *key);
struct jsonout *jsonout_array(struct jsonout *o, const char *key);

/* Prints one line to the JSON stream (stdout) and frees o. */
int jsonout_emit(struct jsonout *o, struct error *err);
/* Appends the object without a line end to `out` and frees o. */
int jsonout_text(struct jsonout *o, struct buf *out, struct error *err);
void jsonout_free(struct jsonout *o); /* without printing; only what jsonout_new returned */

/* Where lines go from now on, for verbs that write data to stdout: stderr then. NULL: stdout again. */
void jsonout_to(FILE *file);

#endif
