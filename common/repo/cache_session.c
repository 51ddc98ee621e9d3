/* A session: its new blobs, its begin and its end. */
#include <string.h>

#include "common/repo/cache_private.h"
#include "common/repo/node.h"
#include "common/base/banned.h"

/* ---- new blobs ---- */

int cache_blob_begin(struct cache *c, enum blob_kind kind, uint32_t *number, struct error *err)
{
    if (c->session == 0)
        return error_set(err, E_INTERNAL, "a blob without a session");
    if (c->slots.len > CACHE_NUMBER_MAX)
        return error_set(err, E_UNSUPPORTED, "the cache has no numbers left: start an empty one");
    struct blob_slot *slot = vec_push(&c->slots, err);
    if (slot == NULL)
        return E_NOMEM;
    slot->kind = (uint8_t)kind;
    slot->state = SLOT_FRESH;
    *number = (uint32_t)c->slots.len - 1;
    if (list_begin(c, *number, (uint8_t)kind, err) == NULL) {
        c->slots.len--;
        return E_NOMEM;
    }
    c->fresh++;
    return 0;
}

static struct chunk_list *fresh_list(const struct cache *c, uint32_t number)
{
    const struct blob_slot *slot = slot_at(c, number);
    return slot != NULL && slot->state == SLOT_FRESH ? list_of(c, number) : NULL;
}

int cache_blob_chunk(struct cache *c, uint32_t number, const uint8_t id[CHUNK_ID_LEN], uint32_t len,
                     struct error *err)
{
    struct chunk_list *list = fresh_list(c, number);
    if (list == NULL || list->placed)
        return error_set(err, E_INTERNAL, "blob %u takes no chunks", number);
    bool node = list->kind == BLOB_NODE;
    if (len < 1 || len > (node ? NODE_PLAIN_MAX : CHUNK_MAX) || list->n >= (node ? 1 : BLOB_CHUNKS_MAX) ||
        list->len + len > BLOB_PLAIN_MAX)
        return error_set(err, E_INTERNAL, "a chunk of %u bytes as number %u of a blob", len, list->n);
    bool starts = !node && c->stream.open && c->stream.first;
    int rc = list_add(c, list, id, len, starts, err);
    if (rc == 0 && !node) {
        c->stream.first = false;
        c->stream.sparse.fresh += c->refused != REFUSED_NOT ? 0 : len;
    }
    if (rc == 0)
        drain_stored(c, len);
    return rc;
}

int cache_blob_place(struct cache *c, uint32_t number, const struct blob_ref *ref, struct error *err)
{
    struct chunk_list *list = fresh_list(c, number);
    if (list == NULL || (list->n != 0 && list->len != ref->plen))
        return error_set(err, E_INTERNAL, "blob %u is placed with a length of %u", number, ref->plen);
    list->ref = *ref;
    list->placed = true;
    return 0;
}

int cache_ref(struct cache *c, uint32_t number, struct blob_ref *ref, struct error *err)
{
    const struct blob_slot *slot = slot_at(c, number);
    if (slot_live(c, slot) && slot->state == SLOT_KNOWN) {
        int rc = list_touch(c, number, err);
        if (rc < 0)
            return rc;
    }
    if (slot != NULL && slot->state == SLOT_DAMAGED)
        return error_corrupt(err, CACHE_BAD_JOURNAL, "%s: blob %u is damaged", c->journal.path, number);
    if (!slot_live(c, slot))
        return error_set(err, E_INTERNAL, "blob %u is not in the cache", number);
    const struct chunk_list *list = list_of(c, number);
    if (!list->placed)
        return 0;
    *ref = list->ref;
    return 1;
}

int cache_pack_of(const struct cache *c, uint32_t number, struct cache_pack_name *out)
{
    const struct blob_slot *slot = slot_at(c, number);
    if (!slot_live(c, slot) || slot->state != SLOT_KNOWN)
        return 0;
    const struct cache_pack *p = vec_at(&c->packs, slot->pack);
    *out = (struct cache_pack_name){ .session = p->session, .idx = p->idx };
    return 1;
}

/* ---- sessions ---- */

int replay_session(struct cache *c, const uint8_t *payload, size_t len, struct error *err)
{
    struct reader r = reader_of(payload, len);
    uint32_t session = reader_u32(&r);
    if (!reader_at_end(&r) || session < 1 || session > SESSION_MAX)
        return error_corrupt(err, CACHE_BAD_JOURNAL, "session %u", session);
    vec_clear(&c->hints); /* those of a session that did not commit */
    c->session = session;
    if (c->last_session < session)
        c->last_session = session;
    return 0;
}

int replay_commit(struct cache *c, const uint8_t *payload, size_t len, struct error *err)
{
    struct reader r = reader_of(payload, len);
    uint32_t session = reader_u32(&r);
    uint32_t seq = reader_u32(&r);
    if (!reader_at_end(&r) || seq < 1 || seq > SEQ_MAX)
        return error_corrupt(err, CACHE_BAD_JOURNAL, "commit of session %u", session);
    if (c->last_seq < seq)
        c->last_seq = seq;
    pack_apply_commit(c);
    int rc = session == c->session ? note_apply_commit(c, err) : 0;
    vec_clear(&c->hints);
    c->session = 0;
    return rc;
}

static int journal_numbers(struct cache *c, enum cache_entry_type type, const uint32_t *numbers, size_t n,
                           struct error *err)
{
    struct buf entry = BUF_INIT;
    struct writer w = writer_of(&entry);
    for (size_t i = 0; i < n; i++)
        writer_u32(&w, numbers[i]);
    int rc = writer_end(&w, err);
    if (rc == 0)
        rc = journal_append(&c->journal, type, &entry, NULL, err);
    if (rc == 0)
        rc = journal_sync(&c->journal, err);
    if (rc == 0)
        rc = type == ENTRY_SESSION ? replay_session(c, entry.data, entry.len, err)
                                   : replay_commit(c, entry.data, entry.len, err);
    buf_free(&entry);
    return rc;
}

int cache_session_begin(struct cache *c, uint32_t session, struct error *err)
{
    if (c->session != 0 || session <= c->last_session || session > SESSION_MAX)
        return error_set(err, E_INTERNAL, "session %u cannot begin after %u", session, c->last_session);
    return journal_numbers(c, ENTRY_SESSION, &session, 1, err);
}

int cache_commit(struct cache *c, uint32_t session, uint32_t seq, struct error *err)
{
    if (c->session == 0 || session != c->session || c->fresh != 0 || c->stream.open || seq < 1 ||
        seq > SEQ_MAX)
        return error_set(err, E_INTERNAL, "session %u cannot commit: %u blobs wait for their packs", session,
                         c->fresh);
    uint32_t numbers[2] = { session, seq };
    int rc = journal_numbers(c, ENTRY_COMMIT, numbers, 2, err);
    if (rc == 0)
        drain_free(c);
    return rc;
}

void cache_session_abort(struct cache *c)
{
    for (size_t i = 0; i < c->slots.len && c->fresh != 0; i++) {
        size_t number = c->slots.len - 1 - i;
        struct blob_slot *slot = vec_at(&c->slots, number);
        if (slot->state != SLOT_FRESH)
            continue;
        list_drop(c, list_of(c, (uint32_t)number));
        *slot = (struct blob_slot){ .state = SLOT_NONE };
        c->fresh--;
    }
    while (c->slots.len != 0 && slot_at(c, (uint32_t)c->slots.len - 1)->state == SLOT_NONE)
        c->slots.len--;
    stream_free(&c->stream);
    drain_free(c);
    vec_clear(&c->hints);
    memset(&c->cursor, 0, sizeof c->cursor);
    c->last_hit = 0;
    c->session = 0;
}
