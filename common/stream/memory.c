/* Streams over memory, and the sink that drops everything. */
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/stream/stream.h"
#include "common/base/banned.h"

struct memory_source {
    struct source base;
    const uint8_t *data;
    size_t left;
};

static int64_t memory_read(struct source *s, void *data, size_t cap, struct error *err)
{
    struct memory_source *m = (struct memory_source *)s;
    size_t n = m->left < cap ? m->left : cap;
    (void)err;
    if (n == 0)
        return 0;
    memcpy(data, m->data, n);
    m->data += n;
    m->left -= n;
    return (int64_t)n;
}

static void memory_free(struct source *s)
{
    free(s);
}

struct source *source_memory(const void *data, size_t len, struct error *err)
{
    struct memory_source *m = mem_alloc(1, sizeof *m, err);
    if (m == NULL)
        return NULL;
    m->base = (struct source){ .read = memory_read, .free = memory_free };
    m->data = data;
    m->left = len;
    return &m->base;
}

struct buffer_sink {
    struct sink base;
    struct buf *out;
};

static int buffer_write(struct sink *s, const void *data, size_t len, struct error *err)
{
    struct buffer_sink *b = (struct buffer_sink *)s;
    return buf_append(b->out, data, len, err);
}

static int nothing_to_finish(struct sink *s, struct error *err)
{
    (void)s;
    (void)err;
    return 0;
}

static void plain_free(struct sink *s)
{
    free(s);
}

struct sink *sink_buffer(struct buf *out, struct error *err)
{
    struct buffer_sink *b = mem_alloc(1, sizeof *b, err);
    if (b == NULL)
        return NULL;
    b->base = (struct sink){ .write = buffer_write, .finish = nothing_to_finish, .free = plain_free };
    b->out = out;
    return &b->base;
}

static int null_write(struct sink *s, const void *data, size_t len, struct error *err)
{
    (void)s;
    (void)data;
    (void)len;
    (void)err;
    return 0;
}

struct sink *sink_null(struct error *err)
{
    struct sink *s = mem_alloc(1, sizeof *s, err);
    if (s != NULL)
        *s = (struct sink){ .write = null_write, .finish = nothing_to_finish, .free = plain_free };
    return s;
}
