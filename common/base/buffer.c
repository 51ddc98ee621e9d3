#include "common/base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/banned.h"

enum { BUF_FIRST = 256 };

void buf_init(struct buf *b)
{
    *b = (struct buf)BUF_INIT;
}

int buf_reserve(struct buf *b, size_t more, struct error *err)
{
    if (b->cap - b->len >= more)
        return 0;
    if (more > SIZE_MAX / 2 - b->len)
        return error_set(err, E_NOMEM, "buffer of %zu + %zu bytes", b->len, more);
    size_t want = b->len + more;
    size_t cap = b->cap != 0 ? b->cap : BUF_FIRST;
    while (cap < want)
        cap *= 2;
    uint8_t *data = mem_grow(b->data, cap, 1, err);
    if (data == NULL)
        return E_NOMEM;
    b->data = data;
    b->cap = cap;
    return 0;
}

int buf_append(struct buf *b, const void *data, size_t len, struct error *err)
{
    if (len == 0)
        return 0;
    int rc = buf_reserve(b, len, err);
    if (rc < 0)
        return rc;
    memcpy(b->data + b->len, data, len);
    b->len += len;
    return 0;
}

int buf_zeros(struct buf *b, size_t len, struct error *err)
{
    if (len == 0)
        return 0;
    int rc = buf_reserve(b, len, err);
    if (rc < 0)
        return rc;
    memset(b->data + b->len, 0, len);
    b->len += len;
    return 0;
}

int buf_printf(struct buf *b, struct error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int need = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (need < 0)
        return error_set(err, E_INTERNAL, "unprintable format");
    size_t len = (size_t)need;
    int rc = buf_reserve(b, len + 1, err);
    if (rc < 0)
        return rc;
    va_start(ap, fmt);
    (void)vsnprintf((char *)b->data + b->len, len + 1, fmt, ap);
    va_end(ap);
    b->len += len;
    return 0;
}

void buf_consume(struct buf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
        return;
    }
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf)BUF_INIT;
}

void buf_wipe(struct buf *b)
{
    if (b->data != NULL)
        explicit_bzero(b->data, b->cap);
    buf_free(b);
}
