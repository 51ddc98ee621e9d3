/* Sources at both ends of a readahead. */
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/engine/readahead.h"

#include "common/base/banned.h"

enum {
    BATCH = 128 * 1024, /* a lane tells of this much at once */
    BATCH_REST = 4096,  /* or a little less, so that rows are not cut */
};

int readahead_pass(struct readahead_lane *lane, struct source *bytes, struct error *err)
{
    for (;;) {
        size_t room = 0;
        size_t got = 0;
        int64_t n = 1;
        uint8_t *at = readahead_room(lane, &room, err);
        if (at == NULL)
            return E_CANCELLED;
        room = room < BATCH ? room : BATCH;
        while ((got == 0 || room - got >= BATCH_REST) &&
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
};

static int64_t units_read(struct source *base, void *data, size_t cap, struct error *err)
{
    struct units_source *s = (struct units_source *)base;
    while (s->unit < s->end) {
        int64_t n = readahead_read(s->r, s->unit, data, cap, err);
        int rc = n == 0 ? s->done(s->arg, s->unit++, err) : 0;
        if (n != 0 || rc < 0)
            return n != 0 ? n : rc;
    }
    return 0;
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
        .base = { .read = units_read, .free = units_free },
        .r = r,
        .unit = from,
        .end = to,
        .done = done,
        .arg = arg,
    };
    return &s->base;
}
