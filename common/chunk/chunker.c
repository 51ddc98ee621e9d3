#include "common/chunk/chunker.h"

#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/crypto/secret.h"
#include "common/base/banned.h"

enum {
    TABLE_SIZE = 256,
    NORMAL_SHIFT = 2, /* the threshold is 4 times stricter before the normal point, 4 times looser after it */
};

struct chunker {
    size_t page; /* 0: content mode */
    size_t min;
    size_t normal; /* where the threshold changes */
    size_t max;
    uint64_t strict; /* a cut where the hash is below it */
    uint64_t loose;
    uint64_t table[TABLE_SIZE];
};

static int check_params(const struct chunker_params *p, struct error *err)
{
    if (p->page_size != 0) {
        if (p->page_size < CHUNKER_PAGE_MIN || p->page_size > CHUNKER_PAGE_MAX)
            return error_set(err, E_USAGE, "page size %u is not %d..%d", p->page_size, CHUNKER_PAGE_MIN,
                             CHUNKER_PAGE_MAX);
        return 0;
    }
    if (p->avg < CHUNKER_AVG_MIN || p->avg > CHUNKER_AVG_MAX)
        return error_set(err, E_USAGE, "average chunk size %u is not %d..%d", p->avg, CHUNKER_AVG_MIN,
                         CHUNKER_AVG_MAX);
    if (p->min < CHUNKER_MIN_MIN || p->min >= p->avg || p->avg >= p->max || p->max > CHUNKER_MAX_MAX)
        return error_set(err, E_USAGE, "chunk sizes %u/%u/%u: must grow, within %d..%d", p->min, p->avg,
                         p->max, CHUNKER_MIN_MIN, CHUNKER_MAX_MAX);
    return 0;
}

/* Little-endian, so that every machine cuts alike. */
static int fill_table(struct chunker *c, const uint8_t *cdc_key, struct error *err)
{
    uint8_t stream[TABLE_SIZE * sizeof(uint64_t)];
    int rc = keystream(cdc_key, stream, sizeof stream, err);
    for (size_t i = 0; rc == 0 && i < TABLE_SIZE; i++) {
        const uint8_t *p = stream + i * sizeof(uint64_t);
        uint64_t v = 0;
        for (int b = 7; b >= 0; b--)
            v = v << 8 | p[b];
        c->table[i] = v;
    }
    secret_wipe(stream, sizeof stream);
    return rc;
}

struct chunker *chunker_new(const struct chunker_params *params, const uint8_t cdc_key[KEY_LEN],
                            struct error *err)
{
    if (check_params(params, err) < 0)
        return NULL;
    struct chunker *c = mem_alloc(1, sizeof *c, err);
    if (c == NULL)
        return NULL;
    c->page = params->page_size;
    c->max = params->page_size;
    if (c->page != 0)
        return c;
    c->min = params->min;
    c->max = params->max;
    /* With these thresholds the mean is avg when they change at 49/64 of the way from min to avg (solved for
     * min = avg/4, max = 4 avg; a test measures it). */
    c->normal = params->min + ((size_t)params->avg - params->min) * 49 / 64;
    c->strict = UINT64_MAX / params->avg >> NORMAL_SHIFT;
    c->loose = UINT64_MAX / params->avg << NORMAL_SHIFT;
    if (fill_table(c, cdc_key, err) < 0) {
        chunker_free(c);
        return NULL;
    }
    return c;
}

void chunker_free(struct chunker *c)
{
    if (c != NULL)
        secret_wipe(c, sizeof *c);
    free(c);
}

size_t chunker_max(const struct chunker *c)
{
    return c->max;
}

/* Hashes data[from..to) on from *hash; the position after the first byte that makes it fall below the limit,
 * or to + 1 when none does. Every second hash is computed from the one before the last: that halves the chain
 * of operations that wait for each other. The high bits decide: they depend on the most bytes. */
static size_t scan(const uint64_t *table, const uint8_t *data, size_t from, size_t to, uint64_t limit,
                   uint64_t *hash)
{
    uint64_t h = *hash;
    size_t i = from;
    for (; to - i >= 4; i += 4) {
        const uint8_t *p = data + i;
        uint64_t t0 = table[p[0]], t1 = table[p[1]] + 2 * t0;
        uint64_t t2 = table[p[2]], t3 = table[p[3]] + 2 * t2;
        uint64_t h0 = (h << 1) + t0, h1 = (h << 2) + t1;
        uint64_t h2 = (h1 << 1) + t2, h3 = (h1 << 2) + t3;
        if (h0 < limit)
            return i + 1;
        if (h1 < limit)
            return i + 2;
        if (h2 < limit)
            return i + 3;
        if (h3 < limit)
            return i + 4;
        h = h3;
    }
    for (; i < to; i++) {
        h = (h << 1) + table[data[i]];
        if (h < limit)
            return i + 1;
    }
    *hash = h;
    return to + 1;
}

static size_t content_next(const struct chunker *c, const uint8_t *data, size_t len, bool final)
{
    size_t end = len < c->max ? len : c->max;
    if (end > c->min) {
        uint64_t hash = 0;
        /* The window is full when the first position is judged, so every cut depends on 64 bytes of data
         * and not on where the chunk began. */
        for (size_t i = c->min - CHUNKER_MIN_MIN; i < c->min; i++)
            hash = (hash << 1) + c->table[data[i]];
        size_t normal = end < c->normal ? end : c->normal;
        size_t cut = scan(c->table, data, c->min, normal, c->strict, &hash);
        if (cut <= normal)
            return cut;
        if (normal < end) {
            cut = scan(c->table, data, normal, end, c->loose, &hash);
            if (cut <= end)
                return cut;
        }
    }
    return end == c->max || final ? end : 0;
}

size_t chunker_next(const struct chunker *c, const uint8_t *data, size_t len, bool final)
{
    if (c->page == 0)
        return content_next(c, data, len, final);
    if (len >= c->page)
        return c->page;
    return final ? len : 0;
}
