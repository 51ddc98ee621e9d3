/*
 * buffer.h - bytes that grow.
 *
 * Start with BUF_INIT (or buf_init), append, use data/len, buf_free. A buffer
 * may be reused after buf_clear, which keeps the memory. buf_wipe zeroes the
 * memory first: use it for buffers that ever held a secret that has no better
 * home. Growth doubles; `data` moves when it grows.
 */
#ifndef COMMON_BASE_BUFFER_H
#define COMMON_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

struct buf {
    uint8_t *data;
    size_t len;
    size_t cap;
};

#define BUF_INIT                         \
    {                                    \
        .data = NULL, .len = 0, .cap = 0 \
    }

void buf_init(struct buf *b);
/* Room for at least `more` bytes after len. */
int buf_reserve(struct buf *b, size_t more, struct error *err);
int buf_append(struct buf *b, const void *data, size_t len, struct error *err);
/* Appends len zero bytes. */
int buf_zeros(struct buf *b, size_t len, struct error *err);
int buf_printf(struct buf *b, struct error *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Drops the first n bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);
void buf_clear(struct buf *b);
void buf_free(struct buf *b);
void buf_wipe(struct buf *b);

#endif
