/* The journal without what is dead: entries of dropped packs, notes that were replaced or speak of dropped packs only.
 *
 * What lives is written to "journal.new", under new blob numbers without gaps, in the old order; flushed, read back as a cache and
 * compared with this one; then it takes the journal's name. Until then the old one is untouched, so a crash leaves one or
 * the other. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/repo/cache_compact.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"
#include "common/base/banned.h"

enum {
    WORTH_FROM = MIB, /* smaller journals stay as they are */
    INTRODUCED_AT = 9 /* of a pack's payload, see cache_entry.c */
};

/* ---- whether ---- */

static uint64_t live_bytes(const struct cache *c)
{
    uint64_t live = JOURNAL_HEADER_LEN;
    const struct cache_pack *pack;
    const struct note_place *place;
    for (size_t pos = 0; (pack = cache_packs(c, &pos)) != NULL;)
        live += JOURNAL_FRAME_LEN + (uint64_t)pack->len;
    for (int kind = 0; kind < NOTE_KINDS; kind++)
        for (size_t pos = 0; (place = map_next(&c->notes[kind], &pos, NULL)) != NULL;)
            live += JOURNAL_FRAME_LEN + (uint64_t)place->len;
    return live;
}

uint64_t compact_dead(const struct cache *c)
{
    uint64_t live = live_bytes(c);
    return live < c->journal.end ? c->journal.end - live : 0;
}

static bool pays(const struct cache *c)
{
    return c->damaged || (c->journal.end > WORTH_FROM && compact_dead(c) > c->journal.end / 2);
}

/* ---- packs ---- */

static int number_blobs(struct compaction *k, struct error *err)
{
    const struct cache *c = k->c;
    uint32_t next = 0;
    k->numbers = mem_alloc(c->slots.len != 0 ? c->slots.len : 1, sizeof *k->numbers, err);
    if (k->numbers == NULL)
        return E_NOMEM;
    for (uint32_t i = 0; i < c->slots.len; i++) {
        const struct blob_slot *slot = slot_at(c, i);
        bool live = slot->state == SLOT_KNOWN && slot_live(c, slot);
        k->numbers[i] = live ? next++ : NO_NUMBER;
    }
    return 0;
}

/* The new numbers of a pack's blobs, and their checks. */
static int renumber(const struct compaction *k, struct buf *entry, struct error *err)
{
    struct reader r = reader_of(entry->data, entry->len);
    struct cache_pack pack;
    int rc = entry_read_pack(&r, &pack, err);
    for (uint32_t i = 0; rc == 0 && i < pack.nblobs; i++) {
        struct pack_blob b;
        rc = entry_read_blob(&r, &pack, &b, err);
        if (rc == 0 && (b.number >= k->c->slots.len || k->numbers[b.number] == NO_NUMBER))
            rc = entry_bad_pack(err, "a blob that nobody knows");
        if (rc < 0)
            return rc;
        size_t len = CACHE_BLOB_HEAD + (size_t)b.nchunks * CACHE_CHUNK_LEN;
        store_u32(entry->data + b.at, k->numbers[b.number]);
        store_u64(entry->data + b.at + len, check64(entry->data + b.at, len));
    }
    return rc;
}

static int write_packs(struct compaction *k, bool introduced, struct error *err)
{
    struct buf entry = BUF_INIT;
    const struct cache_pack *pack;
    int rc = 0;
    for (size_t pos = 0; rc == 0 && (pack = cache_packs(k->c, &pos)) != NULL;) {
        if (pack->introduced != introduced)
            continue;
        rc = journal_read_entry(&k->c->journal, pack->at, ENTRY_PACK, &entry, err);
        if (rc == 0)
            rc = renumber(k, &entry, err);
        if (rc == 0) {
            entry.data[INTRODUCED_AT] = introduced;
            rc = journal_append(&k->out, ENTRY_PACK, &entry, NULL, err);
        }
        k->packs++;
    }
    buf_free(&entry);
    return rc;
}

int compact_numbers(struct compaction *k, enum cache_entry_type type, uint32_t a, uint32_t b, size_t n,
                    struct error *err)
{
    struct buf entry = BUF_INIT;
    struct writer w = writer_of(&entry);
    writer_u32(&w, a);
    if (n > 1)
        writer_u32(&w, b);
    int rc = writer_end(&w, err);
    rc = rc < 0 ? rc : journal_append(&k->out, type, &entry, NULL, err);
    buf_free(&entry);
    return rc;
}

/* ---- the file ---- */

static int write_all(struct compaction *k, const char *dir, struct error *err)
{
    const struct cache *c = k->c;
    int rc = number_blobs(k, err);
    if (rc == 0)
        rc = journal_open(dir, JOURNAL_NEW_NAME, c->repo_id, c->writer_id, &k->out, err);
    if (rc == 0)
        rc = write_packs(k, true, err);
    if (rc == 0)
        rc = compact_notes(k, err);
    if (rc == 0 && c->last_session != 0)
        rc = compact_numbers(k, ENTRY_SESSION, c->last_session, 0, 1, err);
    if (rc == 0 && c->last_seq != 0)
        rc = compact_numbers(k, ENTRY_COMMIT, c->last_session, c->last_seq, 2, err);
    if (rc == 0)
        rc = write_packs(k, false, err); /* behind the commit: they wait for theirs */
    return rc < 0 ? rc : journal_sync(&k->out, err);
}

static size_t pending(const struct cache *c)
{
    size_t n = 0;
    const struct cache_pack *pack;
    for (size_t pos = 0; (pack = cache_packs(c, &pos)) != NULL;)
        n += !pack->introduced;
    return n;
}

/* What was written, read back, is what was to be written. */
static int compare(const struct compaction *k, const struct cache *fresh, struct error *err)
{
    const struct cache *c = k->c;
    if (fresh->damaged || fresh->nblobs != c->nblobs || fresh->nchunks != c->nchunks ||
        fresh->packs.len != k->packs || fresh->last_session != c->last_session ||
        fresh->last_seq != c->last_seq || pending(fresh) != pending(c))
        return error_corrupt(err, CACHE_BAD_JOURNAL, "%s, read back, is another cache", fresh->journal.path);
    return 0;
}

/* Its tables would be in memory twice. */
static void forget_tables(struct cache *c)
{
    while (c->newest != NULL)
        list_drop(c, c->newest);
    tagmap_free(&c->hooks);
    tagmap_init(&c->hooks, CACHE_SAME_HOOKS);
}

static int take_over(struct compaction *k, const char *dir, struct error *err)
{
    struct cache *c = k->c;
    struct cache *fresh = NULL;
    uint64_t before = c->journal.end;
    forget_tables(c);
    int rc = cache_open_file(dir, JOURNAL_NEW_NAME, c->repo_id, c->writer_id, &c->limits, &fresh, err);
    if (rc == 0)
        rc = compare(k, fresh, err);
    if (rc == 0)
        rc = file_publish(fresh->journal.path, c->journal.path, FILE_REPLACE, err);
    if (rc < 0) {
        c->journal.broken = true; /* without its tables it serves no session */
        cache_close(fresh);
        return rc;
    }
    struct cache old = *c;
    char *path = old.journal.path;
    old.journal.path = fresh->journal.path;
    *c = *fresh;
    c->journal.path = path;
    *fresh = old;
    cache_close(fresh);
    log_event(LOG_DEBUG, "%s: %llu of %llu bytes were dead and are gone", c->journal.path,
              (unsigned long long)(before - c->journal.end), (unsigned long long)before);
    return 0;
}

int compact_clean(const char *dir, struct error *err)
{
    char *path = path_join(dir, JOURNAL_NEW_NAME, err);
    if (path == NULL)
        return E_NOMEM;
    (void)unlink(path);
    free(path);
    return 0;
}

int cache_compact(struct cache *c, struct error *err)
{
    if (c->session != 0)
        return error_set(err, E_INTERNAL, "a session is running");
    if (c->journal.broken || !pays(c))
        return 0;
    struct compaction k = { .c = c, .out = { .fd = -1 } };
    char *dir = path_dir(c->journal.path, err);
    if (dir == NULL)
        return E_NOMEM;
    int rc = compact_clean(dir, err);
    rc = rc < 0 ? rc : write_all(&k, dir, err);
    journal_close(&k.out);
    if (rc == 0)
        rc = take_over(&k, dir, err);
    if (rc < 0)
        (void)compact_clean(dir, NULL);
    free(k.numbers);
    free(dir);
    return rc < 0 ? rc : 1;
}
