/* The notes of a compacted journal: the same lists, in the new numbers, without dropped blobs. */
#include <string.h>

#include "common/repo/cache_compact.h"
#include "common/base/banned.h"

/* The next of `*count` blobs from `*first` on that follow each other also under their new numbers: how many; 0 at the end. */
static uint32_t next_run(const struct compaction *k, uint32_t *first, uint32_t *count, uint32_t *to)
{
    uint32_t limit = (uint32_t)k->c->slots.len;
    uint32_t run = 0;
    while (*count != 0 && *first < limit && k->numbers[*first] == NO_NUMBER) {
        (*first)++;
        (*count)--;
    }
    if (*count == 0 || *first >= limit)
        return 0;
    *to = k->numbers[*first];
    while (run < *count && *first + run < limit && k->numbers[*first + run] == *to + run)
        run++;
    *first += run;
    *count -= run;
    return run;
}

static void translate_runs(const struct compaction *k, const struct buf *items, struct writer *w)
{
    for (size_t at = 0; at < items->len; at += 8) {
        uint32_t first = load_u32(items->data + at);
        uint32_t count = load_u32(items->data + at + 4);
        uint32_t run, to;
        while ((run = next_run(k, &first, &count, &to)) != 0) {
            writer_u32(w, to);
            writer_u32(w, run);
        }
    }
}

/* The same with a u16 count and a u16 that stays. */
static void translate_usage(const struct compaction *k, const struct buf *items, struct writer *w)
{
    for (size_t at = 0; at < items->len; at += 8) {
        uint32_t first = load_u32(items->data + at);
        uint32_t count = load_u16(items->data + at + 4);
        uint32_t run, to;
        while ((run = next_run(k, &first, &count, &to)) != 0) {
            writer_u32(w, to);
            writer_u16(w, (uint16_t)run);
            writer_u16(w, load_u16(items->data + at + 6));
        }
    }
}

static void translate_numbers(const struct compaction *k, const struct buf *items, struct writer *w)
{
    for (size_t at = 0; at < items->len; at += 4) {
        uint32_t number = load_u32(items->data + at);
        if (number < k->c->slots.len && k->numbers[number] != NO_NUMBER)
            writer_u32(w, k->numbers[number]);
    }
}

/* Nothing when none of its blobs is left. */
static int write_note(struct compaction *k, const struct note_hint *note, struct error *err)
{
    struct buf items = BUF_INIT;
    struct buf entry = BUF_INIT;
    struct writer w = writer_of(&entry);
    int rc = note_read(k->c, note->kind, note->key, &items, err);
    note_write_head(&w, note->place.session, note->key);
    if (rc == 0 && note->kind == NOTE_STREAM)
        translate_runs(k, &items, &w);
    else if (rc == 0 && note->kind == NOTE_USAGE)
        translate_usage(k, &items, &w);
    else if (rc == 0)
        translate_numbers(k, &items, &w);
    rc = rc < 0 ? rc : writer_end(&w, err);
    if (rc == 0 && entry.len > NOTE_HEAD) {
        note_set_count(&entry, note->kind);
        rc = journal_append(&k->out, note_type(note->kind), &entry, NULL, err);
    }
    buf_free(&items);
    buf_free(&entry);
    return rc;
}

static int by_session(const void *a, const void *b)
{
    const struct note_hint *x = a;
    const struct note_hint *y = b;
    if (x->place.session != y->place.session)
        return x->place.session < y->place.session ? -1 : 1;
    return x->place.at < y->place.at ? -1 : x->place.at > y->place.at;
}

static int collect_notes(const struct cache *c, struct vec *out, struct error *err)
{
    for (int kind = 0; kind < NOTE_KINDS; kind++) {
        const struct note_place *place;
        const void *key = NULL;
        for (size_t pos = 0; (place = map_next(&c->notes[kind], &pos, &key)) != NULL;) {
            struct note_hint *note = vec_push(out, err);
            if (note == NULL)
                return E_NOMEM;
            *note = (struct note_hint){ .kind = (enum note_kind)kind, .place = *place };
            memcpy(&note->key, key, sizeof note->key);
        }
    }
    vec_sort(out, by_session);
    return 0;
}

/* Each between its session's begin and commit: that says how old it is. */
int compact_notes(struct compaction *k, struct error *err)
{
    struct vec notes = VEC_OF(struct note_hint);
    uint32_t open = 0;
    int rc = collect_notes(k->c, &notes, err);
    for (size_t i = 0; rc == 0 && i < notes.len; i++) {
        const struct note_hint *note = vec_at(&notes, i);
        if (open != 0 && open != note->place.session)
            rc = compact_numbers(k, ENTRY_COMMIT, open, k->c->last_seq, 2, err);
        if (rc == 0 && open != note->place.session)
            rc = compact_numbers(k, ENTRY_SESSION, note->place.session, 0, 1, err);
        open = note->place.session;
        rc = rc < 0 ? rc : write_note(k, note, err);
    }
    if (rc == 0 && open != 0)
        rc = compact_numbers(k, ENTRY_COMMIT, open, k->c->last_seq, 2, err);
    vec_free(&notes);
    return rc;
}
