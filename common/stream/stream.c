#include "common/stream/stream.h"

#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/banned.h"

enum { COPY_BLOCK = 256 * 1024 };

int64_t source_read(struct source *s, void *data, size_t cap, struct error *err)
{
    return s->read(s, data, cap, err);
}

int64_t source_lend(struct source *s, void *block, size_t cap, const void **data, struct error *err)
{
    if (s->lend != NULL)
        return s->lend(s, data, err);
    *data = block;
    return s->read(s, block, cap, err);
}

void source_free(struct source *s)
{
    if (s != NULL)
        s->free(s);
}

int sink_write(struct sink *s, const void *data, size_t len, struct error *err)
{
    return len != 0 ? s->write(s, data, len, err) : 0;
}

int sink_finish(struct sink *s, struct error *err)
{
    return s->finish(s, err);
}

void sink_free(struct sink *s)
{
    if (s != NULL)
        s->free(s);
}

int stream_copy(struct source *src, struct sink *snk, uint64_t *copied, struct error *err)
{
    uint64_t total = 0;
    int64_t n = 0;
    int rc = 0;
    uint8_t *block = mem_alloc(COPY_BLOCK, 1, err);
    if (block == NULL)
        return E_NOMEM;
    while (rc == 0 && (n = source_read(src, block, COPY_BLOCK, err)) > 0) {
        rc = sink_write(snk, block, (size_t)n, err);
        if (rc == 0)
            total += (uint64_t)n;
    }
    free(block);
    if (copied != NULL)
        *copied = total;
    return n < 0 ? (int)n : rc;
}

int source_read_full(struct source *s, void *data, size_t len, struct error *err)
{
    uint8_t *to = data;
    size_t got = 0;
    while (got < len) {
        int64_t n = source_read(s, to + got, len - got, err);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return error_corrupt(err, "short-stream", "the data ends after %zu of %zu bytes", got, len);
        got += (size_t)n;
    }
    return 0;
}
