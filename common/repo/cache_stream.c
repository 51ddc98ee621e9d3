#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/repo/cache_private.h"
#include "common/base/banned.h"

/* ENTRY_STREAM: u32 session | u64 key | u32 nruns | nruns x {u32 first, u32 count}: blob numbers in the order
 * of their use, `count` numbers from `first` on. */
enum { STREAM_HEAD = 16, RUN_LEN = 8 };

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

/* Expands the runs of an entry. */
static int read_runs(struct cache_stream *s, struct reader *r, uint32_t nruns, struct error *err)
{
    size_t n = 0;
    struct reader count = *r;
    for (uint32_t i = 0; i < nruns && n <= CACHE_USES_MAX; i++) {
        (void)reader_u32(&count);
        n += reader_u32(&count);
    }
    if (!reader_at_end(&count) || n > CACHE_USES_MAX)
        return error_corrupt(err, CACHE_BAD_JOURNAL, "a stream's list of %zu blobs", n);
    s->last = mem_alloc(n != 0 ? n : 1, sizeof *s->last, err);
    s->sorted = mem_alloc(n != 0 ? n : 1, sizeof *s->sorted, err);
    if (s->last == NULL || s->sorted == NULL)
        return E_NOMEM;
    for (uint32_t i = 0; i < nruns; i++) {
        uint32_t first = reader_u32(r);
        uint32_t many = reader_u32(r);
        for (uint32_t k = 0; k < many; k++) {
            s->sorted[s->nlast] = (struct stream_order){ .blob = first + k, .pos = (uint32_t)s->nlast };
            s->last[s->nlast++] = first + k;
        }
    }
    qsort(s->sorted, s->nlast, sizeof *s->sorted, compare_order);
    return 0;
}

static int load_last(struct cache *c, struct cache_stream *s, uint64_t at, struct error *err)
{
    struct buf entry = BUF_INIT;
    int rc = journal_read_entry(&c->journal, at, ENTRY_STREAM, &entry, err);
    if (rc == 0) {
        struct reader r = reader_of(entry.data, entry.len);
        (void)reader_bytes(&r, STREAM_HEAD - 4);
        uint32_t nruns = reader_u32(&r);
        rc = read_runs(s, &r, nruns, err);
    }
    buf_free(&entry);
    if (rc != E_CORRUPT)
        return rc;
    log_event(LOG_ALARM, "%s: a stream's list of blobs is damaged and not used", c->journal.path);
    error_clear(err);
    c->damaged = true;
    s->nlast = 0;
    return 0;
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
    const uint64_t *at = map_get(&c->streams, &s->key);
    int rc = at != NULL ? load_last(c, s, *at, err) : 0;
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

static int write_runs(struct cache *c, struct buf *out, struct error *err)
{
    const struct cache_stream *s = &c->stream;
    const uint32_t *use = s->uses.data;
    struct writer w = writer_of(out);
    writer_u32(&w, c->session);
    writer_u64(&w, s->key);
    writer_u32(&w, 0);
    uint32_t nruns = 0;
    for (size_t i = 0; i < s->uses.len; nruns++) {
        uint32_t count = 1;
        while (i + count < s->uses.len && use[i + count] == use[i] + count)
            count++;
        writer_u32(&w, use[i]);
        writer_u32(&w, count);
        i += count;
    }
    if (writer_end(&w, err) < 0)
        return E_NOMEM;
    store_u32(out->data + STREAM_HEAD - 4, nruns);
    return 0;
}

int stream_add_hint(struct cache *c, uint64_t key, uint64_t at, bool sparse, struct error *err)
{
    struct stream_hint *hint = vec_push(&c->hints, err);
    if (hint == NULL)
        return E_NOMEM;
    *hint = (struct stream_hint){ .key = key, .at = at, .sparse = sparse };
    return 0;
}

int cache_stream_end(struct cache *c, struct error *err)
{
    struct cache_stream *s = &c->stream;
    struct buf entry = BUF_INIT;
    int rc = 0;
    uint64_t at;
    if (!s->open)
        return error_set(err, E_INTERNAL, "no stream is open");
    /* The same list again needs no entry; neither does a nameless crowd of streams. */
    bool same = s->uses.len == s->nlast &&
                (s->nlast == 0 || memcmp(s->uses.data, s->last, s->nlast * sizeof *s->last) == 0);
    bool room = c->streams.len + c->hints.len < CACHE_STREAMS_MAX || map_get(&c->streams, &s->key) != NULL;
    if (!same && room && c->session != 0) {
        rc = write_runs(c, &entry, err);
        if (rc == 0)
            rc = journal_append(&c->journal, ENTRY_STREAM, &entry, &at, err);
        if (rc == 0)
            rc = stream_add_hint(c, s->key, at, false, err);
    }
    buf_free(&entry);
    rc = rc < 0 ? rc : sparse_end(c, err);
    stream_free(s);
    return rc;
}

/* ---- replay ---- */

int stream_apply(struct cache *c, uint64_t at, const uint8_t *payload, size_t len, struct error *err)
{
    struct reader r = reader_of(payload, len);
    uint32_t session = reader_u32(&r);
    uint64_t key = reader_u64(&r);
    uint32_t nruns = reader_u32(&r);
    if (!reader_ok(&r) || reader_left(&r) != (uint64_t)nruns * RUN_LEN)
        return error_corrupt(err, CACHE_BAD_JOURNAL, "a stream's list of %u runs", nruns);
    return session == c->session ? stream_add_hint(c, key, at, false, err) : 0;
}

int stream_apply_commit(struct cache *c, struct error *err)
{
    for (size_t i = 0; i < c->hints.len; i++) {
        const struct stream_hint *hint = vec_at(&c->hints, i);
        uint64_t *at = map_put(hint->sparse ? &c->sparse : &c->streams, &hint->key, NULL, err);
        if (at == NULL)
            return E_NOMEM;
        *at = hint->at;
    }
    vec_clear(&c->hints);
    return 0;
}
