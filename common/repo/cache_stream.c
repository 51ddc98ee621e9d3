#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/repo/cache_private.h"
#include "common/base/banned.h"

/* NOTE_STREAM: items {u32 first, u32 count}: blob numbers in the order of their use, `count` numbers from `first` on. */
enum { RUN_LEN = 8 };

void stream_free(struct cache_stream *s)
{
    free(s->last);
    free(s->sorted);
    vec_free(&s->uses);
    sparse_free(&s->sparse);
    struct cache_sparse sparse = s->sparse;
    *s = (struct cache_stream){ .uses = VEC_OF(uint32_t), .sparse = sparse };
}

static int compare_order(const void *a, const void *b)
{
    const struct stream_order *x = a;
    const struct stream_order *y = b;
    if (x->blob != y->blob)
        return x->blob < y->blob ? -1 : 1;
    return x->pos < y->pos ? -1 : x->pos > y->pos;
}

/* Expands the runs of a note. A list that is too long is not used: it is written by nobody. */
static int read_runs(struct cache_stream *s, const struct buf *items, struct error *err)
{
    size_t nruns = items->len / RUN_LEN;
    size_t n = 0;
    for (size_t i = 0; i < nruns && n <= CACHE_USES_MAX; i++)
        n += load_u32(items->data + i * RUN_LEN + 4);
    if (n > CACHE_USES_MAX)
        return 0;
    s->last = mem_alloc(n != 0 ? n : 1, sizeof *s->last, err);
    s->sorted = mem_alloc(n != 0 ? n : 1, sizeof *s->sorted, err);
    if (s->last == NULL || s->sorted == NULL)
        return E_NOMEM;
    for (size_t i = 0; i < nruns; i++) {
        uint32_t first = load_u32(items->data + i * RUN_LEN);
        uint32_t many = load_u32(items->data + i * RUN_LEN + 4);
        for (uint32_t k = 0; k < many; k++) {
            s->sorted[s->nlast] = (struct stream_order){ .blob = first + k, .pos = (uint32_t)s->nlast };
            s->last[s->nlast++] = first + k;
        }
    }
    qsort(s->sorted, s->nlast, sizeof *s->sorted, compare_order);
    return 0;
}

static int load_last(struct cache *c, struct cache_stream *s, struct error *err)
{
    struct buf items = BUF_INIT;
    int rc = note_read(c, NOTE_STREAM, s->key, &items, err);
    if (rc == 0 && items.len != 0)
        rc = read_runs(s, &items, err);
    buf_free(&items);
    return rc;
}

/* Loads the lists of last[window, to). */
static int load_until(struct cache *c, size_t to, struct error *err)
{
    struct cache_stream *s = &c->stream;
    for (; s->window < to && s->window < s->nlast; s->window++) {
        uint32_t blob = s->last[s->window];
        const struct blob_slot *slot = slot_at(c, blob);
        if (slot == NULL || slot->state != SLOT_KNOWN || slot->nchunks == 0 || !slot_live(c, slot))
            continue;
        int rc = list_touch(c, blob, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

bool stream_used(const struct cache_stream *s, uint32_t blob, size_t *pos)
{
    /* The first place at or behind the window's start; it only moves forward. */
    size_t from = s->window > CACHE_WINDOW ? s->window - CACHE_WINDOW : 0;
    struct stream_order key = { .blob = blob, .pos = (uint32_t)from };
    size_t low = 0, high = s->nlast;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (compare_order(&s->sorted[mid], &key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == s->nlast || s->sorted[low].blob != blob) {
        if (low == 0 || s->sorted[low - 1].blob != blob)
            return false;
        low--;
    }
    *pos = s->sorted[low].pos;
    return true;
}

int stream_hit(struct cache *c, uint32_t blob, struct error *err)
{
    struct cache_stream *s = &c->stream;
    size_t pos;
    if (!s->open || !stream_used(s, blob, &pos))
        return 0;
    if (pos + CACHE_WINDOW < s->window || pos > s->window)
        s->window = pos; /* a jump */
    return load_until(c, pos + 1 + CACHE_WINDOW, err);
}

int cache_stream_begin(struct cache *c, const char *name, struct error *err)
{
    struct cache_stream *s = &c->stream;
    if (s->open)
        return error_set(err, E_INTERNAL, "two streams at once");
    stream_free(s);
    s->key = check64(name, strlen(name));
    int rc = load_last(c, s, err);
    if (rc == 0)
        rc = load_until(c, CACHE_WINDOW, err);
    s->open = rc == 0;
    s->first = true;
    c->last_hit = 0;
    return rc;
}

int cache_stream_use(struct cache *c, uint32_t blob, struct error *err)
{
    struct cache_stream *s = &c->stream;
    if (!s->open)
        return error_set(err, E_INTERNAL, "no stream is open");
    size_t n = s->nrecent < CACHE_RECENT ? s->nrecent : CACHE_RECENT;
    if (n != 0 && s->recent[(s->nrecent - 1) % CACHE_RECENT] == blob)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (s->recent[i] == blob)
            return 0;
    if (s->uses.len >= CACHE_USES_MAX)
        return 0;
    uint32_t *use = vec_push(&s->uses, err);
    if (use == NULL)
        return E_NOMEM;
    *use = blob;
    s->recent[s->nrecent++ % CACHE_RECENT] = blob;
    return 0;
}

static int write_runs(const struct cache_stream *s, struct buf *out, struct error *err)
{
    const uint32_t *use = s->uses.data;
    struct writer w = writer_of(out);
    for (size_t i = 0; i < s->uses.len;) {
        uint32_t count = 1;
        while (i + count < s->uses.len && use[i + count] == use[i] + count)
            count++;
        writer_u32(&w, use[i]);
        writer_u32(&w, count);
        i += count;
    }
    return writer_end(&w, err);
}

int cache_stream_end(struct cache *c, struct error *err)
{
    struct cache_stream *s = &c->stream;
    struct buf items = BUF_INIT;
    int rc = 0;
    if (!s->open)
        return error_set(err, E_INTERNAL, "no stream is open");
    /* The same list again needs no entry; neither does a nameless crowd of streams. */
    bool same = s->uses.len == s->nlast &&
                (s->nlast == 0 || memcmp(s->uses.data, s->last, s->nlast * sizeof *s->last) == 0);
    if (!same && note_has_room(c, NOTE_STREAM, s->key)) {
        rc = write_runs(s, &items, err);
        rc = rc < 0 ? rc : note_put(c, NOTE_STREAM, s->key, &items, err);
    }
    buf_free(&items);
    rc = rc < 0 ? rc : sparse_end(c, err);
    stream_free(s);
    return rc;
}
