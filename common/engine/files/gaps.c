/* Holes of a sparse file. */
#include <errno.h>
#include <unistd.h>

#include "common/engine/files/internal.h"

#include "common/base/banned.h"

/* At most 40 digits and signs each: they fit into a member's 64 KiB of facts with room for others. */
enum { GAPS_MAX = 1400, GAP_MIN = 4096 };

/* Keeps those of at least `least` bytes. */
static void keep(struct vec *gaps, uint64_t least)
{
    size_t kept = 0;
    for (size_t i = 0; i < gaps->len; i++) {
        struct gap g = *(struct gap *)vec_at(gaps, i);
        if (g.length >= least)
            *(struct gap *)vec_at(gaps, kept++) = g;
    }
    gaps->len = kept;
}

/* One more hole. A file with very many keeps the large ones; the others are read as zeros. */
static int add(struct vec *gaps, uint64_t offset, uint64_t length, uint64_t *least, struct error *err)
{
    if (length < *least)
        return 0;
    struct gap *g = vec_push(gaps, err);
    if (g == NULL)
        return E_NOMEM;
    *g = (struct gap){ .offset = offset, .length = length };
    while (gaps->len > GAPS_MAX) {
        *least *= 2;
        keep(gaps, *least);
    }
    return 0;
}

int gaps_find(int fd, uint64_t size, struct vec *out, struct error *err)
{
    uint64_t least = GAP_MIN;
    vec_clear(out);
    for (uint64_t at = 0; at < size;) {
        off_t hole = lseek(fd, (off_t)at, SEEK_HOLE);
        if (hole < 0 || (uint64_t)hole >= size)
            return 0; /* no more, or the file system does not say */
        off_t data = lseek(fd, hole, SEEK_DATA);
        uint64_t end = data < 0 ? size : (uint64_t)data;
        if (data < 0 && errno != ENXIO)
            return 0;
        if (end > size)
            end = size;
        if (end <= (uint64_t)hole)
            return 0; /* it changes right now */
        int rc = add(out, (uint64_t)hole, end - (uint64_t)hole, &least, err);
        if (rc < 0)
            return rc;
        at = end;
    }
    return 0;
}

int gaps_facts(const struct vec *gaps, struct buf *out, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < gaps->len; i++) {
        const struct gap *g = vec_at(gaps, i);
        rc = buf_printf(out, err, "%s%llu:%llu", i == 0 ? "gaps=" : ",", (unsigned long long)g->offset,
                        (unsigned long long)g->length);
    }
    return rc == 0 && gaps->len != 0 ? buf_append(out, "\n", 1, err) : rc;
}
