#include "common/base/reader.h"

#include <string.h>

#include "common/base/banned.h"

struct reader reader_of(const void *data, size_t len)
{
    static const uint8_t nothing; /* an empty block may come as NULL, which no pointer is added to */
    struct reader r = {
        .data = data != NULL ? data : &nothing, .len = data != NULL ? len : 0, .pos = 0, .failed = false
    };
    return r;
}

const uint8_t *reader_bytes(struct reader *r, size_t n)
{
    if (r->failed || n > r->len - r->pos) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->data + r->pos;
    r->pos += n;
    return p;
}

uint8_t reader_u8(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 1);
    return p != NULL ? p[0] : 0;
}

uint16_t reader_u16(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 2);
    return p != NULL ? load_u16(p) : 0;
}

uint32_t reader_u32(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 4);
    return p != NULL ? load_u32(p) : 0;
}

uint64_t reader_u64(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 8);
    return p != NULL ? load_u64(p) : 0;
}

void reader_copy(struct reader *r, void *to, size_t n)
{
    const uint8_t *p = reader_bytes(r, n);
    if (n == 0) /* `to` may be NULL then, which memcpy must not see */
        return;
    if (p != NULL)
        memcpy(to, p, n);
    else
        memset(to, 0, n);
}

void reader_zeros(struct reader *r, size_t n)
{
    const uint8_t *p = reader_bytes(r, n);
    if (p == NULL)
        return;
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= p[i];
    if (any != 0)
        r->failed = true;
}

void reader_fail(struct reader *r)
{
    r->failed = true;
}

size_t reader_left(const struct reader *r)
{
    return r->failed ? 0 : r->len - r->pos;
}

bool reader_ok(const struct reader *r)
{
    return !r->failed;
}

bool reader_at_end(const struct reader *r)
{
    return !r->failed && r->pos == r->len;
}

uint16_t load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (unsigned)p[1] << 8);
}

uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t load_u64(const uint8_t *p)
{
    return (uint64_t)load_u32(p) | (uint64_t)load_u32(p + 4) << 32;
}

void store_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

void store_u32(uint8_t *p, uint32_t v)
{
    store_u16(p, (uint16_t)v);
    store_u16(p + 2, (uint16_t)(v >> 16));
}

void store_u64(uint8_t *p, uint64_t v)
{
    store_u32(p, (uint32_t)v);
    store_u32(p + 4, (uint32_t)(v >> 32));
}
