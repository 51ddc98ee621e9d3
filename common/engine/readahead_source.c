/* Sources at both ends of a readahead. */
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/engine/readahead.h"

#include "common/base/banned.h"

enum { BLOCK_REST = 4096 }; /* of a block may stay empty, so that rows are not cut */

int readahead_pass(struct readahead_lane *lane, struct source *bytes, struct error *err)
{
    for (;;) {
        size_t room = 0;
        size_t got = 0;
        int64_t n = 1;
        uint8_t *at = readahead_room(lane, &room, err);
        if (at == NULL)
            return E_CANCELLED;
        while ((got == 0 || room - got >= BLOCK_REST) &&
               (n = source_read(bytes, at + got, room - got, err)) > 0)
            got += (size_t)n;
        if (got > 0)
            readahead_filled(lane, got);
        if (n <= 0)
            return (int)n;
    }
}

struct units_source {
    struct source base;
    struct readahead *r;
    size_t unit;
    size_t end;
    readahead_done_fn *done;
    void *arg;
    const void *at; /* for read: what was lent, and how much of it is left */
    size_t left;
};

static int64_t units_lend(struct source *base, const void **data, struct error *err)
{
    struct units_source *s = (struct units_source *)base;
    if (s->left > 0) {
        int64_t rest = (int64_t)s->left;
        *data = s->at;
        s->left = 0;
        return rest;
    }
    while (s->unit < s->end) {
        int64_t n = readahead_lend(s->r, s->unit, data, err);
        int rc = n == 0 ? s->done(s->arg, s->unit++, err) : 0;
        if (n != 0 || rc < 0)
            return n != 0 ? n : rc;
    }
    return 0;
}

static int64_t units_read(struct source *base, void *data, size_t cap, struct error *err)
{
    struct units_source *s = (struct units_source *)base;
    if (s->left == 0) {
        int64_t n = units_lend(base, &s->at, err);
        if (n <= 0)
            return n;
        s->left = (size_t)n;
    }
    size_t n = s->left < cap ? s->left : cap;
    memcpy(data, s->at, n);
    s->at = (const uint8_t *)s->at + n;
    s->left -= n;
    return (int64_t)n;
}

static void units_free(struct source *base)
{
    free(base);
}

struct source *readahead_source(struct readahead *r, size_t from, size_t to, readahead_done_fn *done,
                                void *arg, struct error *err)
{
    struct units_source *s = mem_alloc(1, sizeof *s, err);
    if (s == NULL)
        return NULL;
    *s = (struct units_source){
        .base = { .read = units_read, .free = units_free, .lend = units_lend },
        .r = r,
        .unit = from,
        .end = to,
        .done = done,
        .arg = arg,
    };
    return &s->base;
}
