#include "common/archive/gaps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/archive/catalog.h"
#include "common/base/alloc.h"
#include "common/base/str.h"

#include "common/base/banned.h"

static int bad(struct error *err)
{
    return error_corrupt(err, CATALOG_E_BODY, "its fact gaps is not a list of ascending ranges");
}

/* A decimal number that ends with one of `ends`; *at moves behind that character unless it ends the line. */
static bool number(const char **at, const char *ends, uint64_t *out)
{
    char *end = NULL;
    if (**at < '0' || **at > '9')
        return false;
    errno = 0;
    unsigned long long v = strtoull(*at, &end, 10);
    if (errno != 0 || v > CATALOG_FILE_MAX || *end == '\0' || strchr(ends, *end) == NULL)
        return false;
    *out = v;
    *at = *end == '\n' ? end : end + 1;
    return true;
}

static int add(struct gaps *g, uint64_t offset, uint64_t length, uint64_t *end, struct error *err)
{
    const struct gap *last = g->list.len != 0 ? vec_at(&g->list, g->list.len - 1) : NULL;
    if (length == 0 || (last != NULL && offset <= last->offset + last->length) ||
        offset + length > CATALOG_FILE_MAX || g->size + length > CATALOG_FILE_MAX)
        return bad(err);
    struct gap *slot = vec_push(&g->list, err);
    if (slot == NULL)
        return E_NOMEM;
    *slot = (struct gap){ .offset = offset, .length = length };
    g->size += length;
    *end = offset + length;
    return 0;
}

int gaps_parse(const char *facts, uint64_t stream_len, struct gaps *out, struct error *err)
{
    static const char key[] = "gaps=";
    *out = (struct gaps){ .list = VEC_OF(struct gap), .size = stream_len };
    const char *at = facts;
    while (at != NULL && !str_starts(at, key)) {
        at = strchr(at, '\n');
        at = at != NULL ? at + 1 : NULL;
    }
    if (at == NULL)
        return 0;
    uint64_t end = 0;
    int rc = 0;
    at += sizeof key - 1;
    bool more = true;
    while (rc == 0 && more) {
        uint64_t offset = 0;
        uint64_t length = 0;
        bool good = number(&at, ":", &offset) && number(&at, ",\n", &length);
        rc = good ? add(out, offset, length, &end, err) : bad(err);
        more = good && at[-1] == ',';
    }
    if (rc == 0 && end > out->size)
        rc = bad(err); /* the stream has not what must lie before it */
    if (rc < 0)
        gaps_free(out);
    return rc;
}

void gaps_free(struct gaps *g)
{
    vec_free(&g->list);
}

/* ---- filling ------------------------------------------------------------------------------------------- */

struct filled {
    struct source base;
    struct source *inner;
    const struct gaps *gaps;
    size_t next; /* gap */
    uint64_t at; /* in the file */
};

static int64_t filled_read(struct source *s, void *data, size_t cap, struct error *err)
{
    struct filled *f = (struct filled *)s;
    const struct gap *g = f->next < f->gaps->list.len ? vec_at(&f->gaps->list, f->next) : NULL;
    int64_t n = 0;
    if (g != NULL && f->at >= g->offset) {
        uint64_t left = g->offset + g->length - f->at;
        n = (int64_t)(left < cap ? left : cap);
        memset(data, 0, (size_t)n);
        f->next += (uint64_t)n == left;
    } else {
        if (g != NULL && cap > g->offset - f->at)
            cap = (size_t)(g->offset - f->at);
        n = source_read(f->inner, data, cap, err);
        if (n == 0 && g != NULL)
            return error_corrupt(err, CATALOG_E_BODY, "its stream ends before its last gap");
    }
    f->at += n > 0 ? (uint64_t)n : 0;
    return n;
}

static void filled_free(struct source *s)
{
    struct filled *f = (struct filled *)s;
    source_free(f->inner);
    free(f);
}

struct source *gaps_fill(struct source *stream, const struct gaps *g, struct error *err)
{
    if (g->list.len == 0)
        return stream;
    struct filled *f = mem_alloc(1, sizeof *f, err);
    if (f == NULL) {
        source_free(stream);
        return NULL;
    }
    *f = (struct filled){ .base = { .read = filled_read, .free = filled_free }, .inner = stream, .gaps = g };
    return &f->base;
}
