/*
 * gaps.h - ranges of zeros that a stream leaves out (docs/format.md, "Catalog").
 *
 *     struct gaps g;
 *     gaps_parse(member.facts, member.ref.len, &g, err);   // without the fact: no gaps, size is the length
 *     src = gaps_fill(stream, &g, err);                    // the file's bytes, zeros included; takes the stream
 *     gaps_free(&g);
 *
 * gaps_fill borrows g. E_CORRUPT when the fact is not as it must be.
 */
#ifndef COMMON_ARCHIVE_GAPS_H
#define COMMON_ARCHIVE_GAPS_H

#include <stdint.h>

#include "common/base/error.h"
#include "common/base/vec.h"
#include "common/stream/stream.h"

struct gap {
    uint64_t offset; /* in the file */
    uint64_t length;
};

struct gaps {
    struct vec list; /* struct gap, ascending, apart */
    uint64_t size;   /* of the file */
};

int gaps_parse(const char *facts, uint64_t stream_len, struct gaps *out, struct error *err);
void gaps_free(struct gaps *g);
struct source *gaps_fill(struct source *stream, const struct gaps *g, struct error *err);

#endif
