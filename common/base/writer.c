#include "common/base/writer.h"

#include "common/base/reader.h"
#include "common/base/banned.h"

struct writer writer_of(struct buf *out)
{
    struct writer w = { .out = out, .failed = false };
    return w;
}

void writer_bytes(struct writer *w, const void *data, size_t len)
{
    if (!w->failed && buf_append(w->out, data, len, NULL) < 0)
        w->failed = true;
}

void writer_zeros(struct writer *w, size_t len)
{
    if (!w->failed && buf_zeros(w->out, len, NULL) < 0)
        w->failed = true;
}

void writer_u8(struct writer *w, uint8_t v)
{
    writer_bytes(w, &v, 1);
}

void writer_u16(struct writer *w, uint16_t v)
{
    uint8_t raw[2];
    store_u16(raw, v);
    writer_bytes(w, raw, sizeof raw);
}

void writer_u32(struct writer *w, uint32_t v)
{
    uint8_t raw[4];
    store_u32(raw, v);
    writer_bytes(w, raw, sizeof raw);
}

void writer_u64(struct writer *w, uint64_t v)
{
    uint8_t raw[8];
    store_u64(raw, v);
    writer_bytes(w, raw, sizeof raw);
}

int writer_end(const struct writer *w, struct error *err)
{
    return w->failed ? error_set(err, E_NOMEM, "out of memory while building a record") : 0;
}
