/* Lists of blobs in the journal, by key: of streams and of jobs. They change only which copy is found, and how fast. */
#include "common/base/log.h"
#include "common/repo/cache_private.h"
#include "common/base/banned.h"

/* A note: u32 session | u64 key | u32 n | n items. The items stand where they are written. */

static const struct {
    enum cache_entry_type type;
    size_t item;
    const char *name;
} kinds[NOTE_KINDS] = {
    [NOTE_STREAM] = { ENTRY_STREAM, 8, "a stream's list of blobs" },
    [NOTE_SPARSE] = { ENTRY_SPARSE, 4, "a stream's list of sparse blobs" },
    [NOTE_LEFT] = { ENTRY_LEFT, 4, "a job's list of blobs that it leaves behind" },
    [NOTE_USAGE] = { ENTRY_USAGE, 8, "a job's list of what it uses" },
};

size_t note_item(enum note_kind kind)
{
    return kinds[kind].item;
}

enum cache_entry_type note_type(enum note_kind kind)
{
    return kinds[kind].type;
}

int note_kind_of(uint32_t type)
{
    for (int i = 0; i < NOTE_KINDS; i++)
        if (kinds[i].type == type)
            return i;
    return -1;
}

const struct note_place *note_find(const struct cache *c, enum note_kind kind, uint64_t key)
{
    return map_get(&c->notes[kind], &key);
}

int note_read(struct cache *c, enum note_kind kind, uint64_t key, struct buf *items, struct error *err)
{
    const struct note_place *place = note_find(c, kind, key);
    buf_clear(items);
    if (place == NULL)
        return 0;
    int rc = journal_read_entry(&c->journal, place->at, kinds[kind].type, items, err);
    if (rc == 0 &&
        (items->len < NOTE_HEAD ||
         items->len != NOTE_HEAD + (uint64_t)load_u32(items->data + NOTE_HEAD - 4) * kinds[kind].item))
        rc = error_corrupt(err, CACHE_BAD_JOURNAL, "%s is cut", kinds[kind].name);
    if (rc == 0)
        buf_consume(items, NOTE_HEAD);
    if (rc != E_CORRUPT)
        return rc;
    log_event(LOG_ALARM, "%s: %s is damaged and not used", c->journal.path, kinds[kind].name);
    error_clear(err);
    buf_clear(items);
    c->damaged = true;
    return 0;
}

bool note_has_room(const struct cache *c, enum note_kind kind, uint64_t key)
{
    return note_find(c, kind, key) != NULL ||
           c->notes[NOTE_STREAM].len + c->notes[NOTE_SPARSE].len + c->hints.len < CACHE_STREAMS_MAX;
}

static int add_hint(struct cache *c, enum note_kind kind, uint64_t key, uint64_t at, size_t len,
                    struct error *err)
{
    struct note_hint *hint = vec_push(&c->hints, err);
    if (hint == NULL)
        return E_NOMEM;
    *hint = (struct note_hint){ .kind = kind,
                                .key = key,
                                .place = { .at = at, .len = (uint32_t)len, .session = c->session } };
    return 0;
}

void note_write_head(struct writer *w, uint32_t session, uint64_t key)
{
    writer_u32(w, session);
    writer_u64(w, key);
    writer_u32(w, 0);
}

void note_set_count(struct buf *entry, enum note_kind kind)
{
    store_u32(entry->data + NOTE_HEAD - 4, (uint32_t)((entry->len - NOTE_HEAD) / kinds[kind].item));
}

int note_put(struct cache *c, enum note_kind kind, uint64_t key, const struct buf *items, struct error *err)
{
    if (c->session == 0)
        return 0;
    struct buf entry = BUF_INIT;
    struct writer w = writer_of(&entry);
    uint64_t at = 0;
    note_write_head(&w, c->session, key);
    writer_bytes(&w, items->data, items->len);
    int rc = writer_end(&w, err);
    if (rc == 0)
        note_set_count(&entry, kind);
    rc = rc < 0 ? rc : journal_append(&c->journal, kinds[kind].type, &entry, &at, err);
    rc = rc < 0 ? rc : add_hint(c, kind, key, at, entry.len, err);
    buf_free(&entry);
    return rc;
}

int note_apply(struct cache *c, enum note_kind kind, uint64_t at, const uint8_t *payload, size_t len,
               struct error *err)
{
    struct reader r = reader_of(payload, len);
    uint32_t session = reader_u32(&r);
    uint64_t key = reader_u64(&r);
    uint32_t n = reader_u32(&r);
    if (!reader_ok(&r) || reader_left(&r) != (uint64_t)n * kinds[kind].item)
        return error_corrupt(err, CACHE_BAD_JOURNAL, "%s, of %u", kinds[kind].name, n);
    return session == c->session ? add_hint(c, kind, key, at, len, err) : 0;
}

int note_apply_commit(struct cache *c, struct error *err)
{
    for (size_t i = 0; i < c->hints.len; i++) {
        const struct note_hint *hint = vec_at(&c->hints, i);
        struct note_place *place = map_put(&c->notes[hint->kind], &hint->key, NULL, err);
        if (place == NULL)
            return E_NOMEM;
        *place = hint->place;
    }
    vec_clear(&c->hints);
    return 0;
}
