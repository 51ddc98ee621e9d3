/*
 * chunker.h - where a stream is cut into chunks, the unit of deduplication.
 *
 *     struct chunker_params p = CHUNKER_CONTENT_DEFAULT;        // or { .page_size = 4096 }
 *     struct chunker *c = chunker_new(&p, cdc_key, err);
 *     while ((n = chunker_next(c, data, len, final)) > 0)
 *         use(data, n), data += n, len -= n;
 *     // 0: keep the `len` bytes that are left, append more, ask again
 *
 * Content mode: a keyed 64-bit Gear hash over the last 64 bytes; a cut where it falls below a threshold,
 * stricter before about the average and looser after it. The mean over random data is `avg`. The cuts depend
 * on the bytes and the key alone, so they move with the data. Pages mode: every `page_size` bytes; the last
 * chunk may be shorter.
 *
 * chunker_next() keeps no state: one chunker may serve several streams and threads at once. Asking again with
 * more bytes searches again from the start of the chunk: offer at least `max` bytes where speed matters.
 */
#ifndef COMMON_CHUNK_CHUNKER_H
#define COMMON_CHUNK_CHUNKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/crypto/seal.h"

enum {
    CHUNKER_MIN_MIN = 64, /* the window of the hash */
    CHUNKER_AVG_MIN = 512,
    CHUNKER_AVG_MAX = 1024 * 1024,
    CHUNKER_MAX_MAX = 4 * 1024 * 1024,
    CHUNKER_PAGE_MIN = 512,
    CHUNKER_PAGE_MAX = 65536,
};

struct chunker_params {
    uint32_t page_size; /* pages mode: CHUNKER_PAGE_MIN..MAX; 0: content mode, with the three below */
    uint32_t min;       /* CHUNKER_MIN_MIN <= min < avg < max <= CHUNKER_MAX_MAX */
    uint32_t avg;
    uint32_t max;
};

#define CHUNKER_CONTENT_DEFAULT                              \
    {                                                        \
        .page_size = 0, .min = 512, .avg = 2048, .max = 8192 \
    }

struct chunker;

/* cdc_key is copied into the table and may be wiped after; it is not read in pages mode (may be NULL).
 * E_USAGE when the parameters are not as above. Free with chunker_free (wipes; NULL is fine). */
struct chunker *chunker_new(const struct chunker_params *params, const uint8_t cdc_key[KEY_LEN],
                            struct error *err);
void chunker_free(struct chunker *c);

/* The length of the chunk that starts at data, or 0: more data is needed to know. With `final` (the stream
 * ends after data) 0 is only given for len 0. */
size_t chunker_next(const struct chunker *c, const uint8_t *data, size_t len, bool final);

/* The longest chunk it will give. */
size_t chunker_max(const struct chunker *c);

#endif
