/* One file, read while others may write to it. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/archive/catalog.h"
#include "common/engine/files/internal.h"

#include "common/base/banned.h"

enum {
    PAUSES = 3,
    SMALL = 1 << 20,
    TRIES = 2,
    STAT_BLOCK = 512,
    TICK_NS = 20 * 1000 * 1000,
    NS_PER_S = 1000 * 1000 * 1000
};

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static ssize_t read_at(int fd, void *data, size_t cap, uint64_t offset)
{
    ssize_t n;
    do
        n = pread(fd, data, cap, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n;
}

/* The file as it was at the end: unlike the beginning, nobody can take it away any more. `whole`: it had just as
 * many bytes as its size says; some network file systems and FUSE programs have more, or fewer, at the same size. */
static void compare(struct content *c, bool whole)
{
    struct stat now;
    c->changed = c->busy || !whole || fstat(c->fd, &now) < 0 || !same(&c->st, &now);
}

static bool is_young(const struct stat *st)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) < 0)
        return false;
    int64_t age = (int64_t)(now.tv_sec - st->st_ctim.tv_sec) * NS_PER_S + now.tv_nsec - st->st_ctim.tv_nsec;
    return age >= 0 && age < TICK_NS;
}

/* The kernel stamps files with a clock that ticks every few milliseconds: a write in the tick of the last one leaves
 * the same time. So a file that was written to just now is left alone for a moment; one that is written to all the
 * time counts as changed. */
static void let_tick(struct content *c)
{
    const struct timespec pause = { .tv_nsec = TICK_NS };
    c->busy = is_young(&c->st);
    for (unsigned i = 0; c->busy && i < PAUSES; i++) {
        struct stat st;
        (void)nanosleep(&pause, NULL);
        if (fstat(c->fd, &st) == 0)
            c->st = st;
        c->busy = is_young(&c->st);
    }
}

/* False when there were other than c->size bytes: one more is asked for. */
static bool slurp(struct content *c)
{
    size_t want = (size_t)c->size + 1;
    buf_clear(&c->small);
    while (c->small.len < want) {
        size_t left = want - c->small.len;
        ssize_t n = read_at(c->fd, c->small.data + c->small.len, left, c->small.len);
        if (n < 0)
            c->broken = errno;
        c->small.len += n > 0 ? (size_t)n : 0;
        if (n <= 0 || (n < (ssize_t)left && c->small.len == c->size))
            break;
    }
    bool whole = c->small.len == c->size || c->broken != 0;
    if (c->small.len > c->size)
        c->small.len = (size_t)c->size;
    return whole;
}

/* Whole into memory; once more when somebody wrote meanwhile. */
static int read_small(struct content *c, struct error *err)
{
    int rc = 0;
    c->in_memory = true;
    for (unsigned i = 0; rc == 0 && i < TRIES; i++) {
        if (i > 0 && fstat(c->fd, &c->st) < 0)
            break;
        if (i > 0)
            let_tick(c);
        if (c->st.st_size > SMALL) /* last of all: it may have grown during the wait */
            break;
        c->size = (uint64_t)c->st.st_size;
        c->broken = 0;
        rc = buf_reserve(&c->small, (size_t)c->size + 1, err);
        if (rc == 0)
            compare(c, slurp(c));
        if (!c->changed)
            break;
    }
    c->size = c->small.len;
    return rc;
}

int content_begin(struct content *c, int fd, const struct stat *st, struct error *err)
{
    c->fd = fd;
    c->st = *st;
    c->at = 0;
    c->gap = 0;
    let_tick(c);
    c->size = (uint64_t)c->st.st_size;
    c->in_memory = c->changed = false;
    c->broken = 0;
    if (c->size > CATALOG_FILE_MAX) { /* it grew since the walk looked at it */
        c->size = CATALOG_FILE_MAX;
        c->broken = EFBIG;
    }
    if (c->gaps.item == 0)
        c->gaps = (struct vec)VEC_OF(struct gap);
    vec_clear(&c->gaps);
    int rc = 0;
    if ((uint64_t)c->st.st_blocks * STAT_BLOCK < c->size)
        rc = gaps_find(fd, c->size, &c->gaps, err);
    return rc == 0 && c->gaps.len == 0 && c->size <= SMALL ? read_small(c, err) : rc;
}

static bool has_more(const struct content *c)
{
    uint8_t byte;
    return read_at(c->fd, &byte, sizeof byte, c->size) > 0;
}

/* Nothing more comes: what was planned behind this place is not in the file. */
static int64_t end_here(struct content *c, bool whole)
{
    c->size = c->at;
    c->gaps.len = c->gap;
    compare(c, whole);
    return 0;
}

int64_t content_read(struct content *c, void *data, size_t cap)
{
    const struct gap *next = c->gap < c->gaps.len ? vec_at(&c->gaps, c->gap) : NULL;
    while (next != NULL && c->at == next->offset) {
        c->at += next->length;
        c->gap++;
        next = c->gap < c->gaps.len ? vec_at(&c->gaps, c->gap) : NULL;
    }
    uint64_t left = (next != NULL ? next->offset : c->size) - c->at;
    if (left == 0)
        return c->in_memory ? 0 : end_here(c, !has_more(c));
    size_t n = left < cap ? (size_t)left : cap;
    if (c->in_memory) {
        memcpy(data, c->small.data + c->at, n);
        c->at += n;
        return (int64_t)n;
    }
    ssize_t got = read_at(c->fd, data, n, c->at);
    if (got < 0)
        c->broken = errno;
    if (got <= 0)
        return end_here(c, got < 0);
    c->at += (uint64_t)got;
    return got;
}

uint64_t content_length(const struct content *c)
{
    uint64_t left = c->size;
    for (size_t i = 0; i < c->gaps.len; i++)
        left -= ((const struct gap *)vec_at(&c->gaps, i))->length;
    return left;
}

int content_facts(const struct content *c, struct buf *out, struct error *err)
{
    int rc = gaps_facts(&c->gaps, out, err);
    if (rc == 0 && c->changed)
        rc = buf_printf(out, err, "changed=yes\n");
    if (rc == 0 && c->broken != 0)
        rc = buf_printf(out, err, "incomplete=yes\n");
    return rc;
}

void content_free(struct content *c)
{
    vec_free(&c->gaps);
    buf_free(&c->small);
}
