/* The members of the snapshot, with a clock: who waits for whom. */
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "restore/drill/mask.h"

#include "common/base/banned.h"

struct timed {
    struct source base;
    struct source *inner;
    struct drill *d;
};

/* After all was loaded nothing counts as part of it. */
static void add(struct drill *d, uint64_t took, uint64_t waited)
{
    if (d->loaded != 0)
        return;
    d->fetched_us += waited;
    d->opening_us += took > waited ? took - waited : 0;
}

static int64_t timed_read(struct source *s, void *data, size_t cap, struct error *err)
{
    struct timed *t = (struct timed *)s;
    const struct fetcher *f = t->d->db.c.fetcher;
    uint64_t began = clock_mono_us();
    uint64_t waited = fetcher_waited_us(f);
    int64_t n = source_read(t->inner, data, cap, err);
    add(t->d, clock_mono_us() - began, fetcher_waited_us(f) - waited);
    if (n > 0 && t->d->loaded == 0)
        t->d->bytes += (uint64_t)n;
    t->d->read_failed = t->d->read_failed || n < 0;
    return n;
}

static void timed_free(struct source *s)
{
    struct timed *t = (struct timed *)s;
    source_free(t->inner);
    free(t);
}

static int each(void *arg, engine_stream_fn *fn, void *fn_arg, struct error *err)
{
    struct engine_streams all = members_streams(&((struct drill *)arg)->db.m);
    return all.each(all.arg, fn, fn_arg, err);
}

static struct source *open_timed(void *arg, const char *name, struct error *err)
{
    struct drill *d = arg;
    struct engine_streams all = members_streams(&d->db.m);
    struct timed *t = mem_alloc(1, sizeof *t, err);
    if (t == NULL)
        return NULL;
    uint64_t began = clock_mono_us();
    uint64_t waited = fetcher_waited_us(d->db.c.fetcher);
    t->base = (struct source){ .read = timed_read, .free = timed_free };
    t->d = d;
    t->inner = all.open(all.arg, name, err);
    add(d, clock_mono_us() - began, fetcher_waited_us(d->db.c.fetcher) - waited);
    if (t->inner != NULL)
        return drill_mask_rows(d, name, &t->base, err);
    d->read_failed = true;
    free(t);
    return NULL;
}

struct engine_streams drill_streams(struct drill *d)
{
    return (struct engine_streams){ .each = each, .open = open_timed, .arg = d };
}
