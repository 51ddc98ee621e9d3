/* The commit: catalog, last packs, snapshot object, record; published last. */
#include <stdlib.h>
#include <string.h>

#include "common/archive/catalog.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/base/writer.h"
#include "common/repo/names.h"
#include "common/repo/session_internal.h"
#include "common/repo/snap.h"
#include "common/sys/atomic_file.h"
#include "common/base/banned.h"

static int by_name(const void *a, const void *b)
{
    const struct tree *x = *(struct tree *const *)a;
    const struct tree *y = *(struct tree *const *)b;
    return strcmp(x->name, y->name);
}

struct catalog_sink {
    struct sink sink;
    struct stream_writer *stream;
};

static int catalog_sink_write(struct sink *sink, const void *data, size_t len, struct error *err)
{
    return stream_write(((struct catalog_sink *)sink)->stream, data, len, err);
}

static int catalog_sink_finish(struct sink *sink, struct error *err)
{
    (void)sink;
    (void)err;
    return 0;
}

static void catalog_sink_free(struct sink *sink)
{
    (void)sink; /* lives on the stack of session_write_catalog */
}

/* The body of a member: stream reference | u32 nfacts | facts. */
static int member_body(struct session *s, const struct tree *t, struct buf *out, struct error *err)
{
    struct stream_ref ref;
    size_t facts = t->facts != NULL ? strlen(t->facts) : 0;
    int rc = tree_reference(s, t, &ref, err);
    if (rc == 0)
        rc = stream_ref_encode(&ref, out, err);
    struct writer w = writer_of(out);
    writer_u32(&w, (uint32_t)facts);
    writer_bytes(&w, t->facts, facts);
    return rc < 0 ? rc : writer_end(&w, err);
}

/* Only files have bodies; plain streams have nothing but a mode. */
static struct catalog_entry member_entry(const struct tree *t, const struct buf *body)
{
    struct catalog_entry entry = { .path = t->name, .type = CATALOG_REGULAR, .mode = t->mode_bits };
    if (t->entry != NULL)
        entry = *t->entry;
    if (entry.type == CATALOG_REGULAR) {
        entry.body = body->data;
        entry.body_len = body->len;
    }
    return entry;
}

int session_write_catalog(struct session *s, struct stream_ref *out, struct error *err)
{
    struct catalog_sink sink = {
        .sink = { .write = catalog_sink_write, .finish = catalog_sink_finish, .free = catalog_sink_free }
    };
    struct session_stream_options o = { .name = ".catalog" };
    struct catalog_writer *catalog = NULL;
    struct buf body = BUF_INIT;
    size_t members = s->trees.len;
    vec_sort(&s->trees, by_name);
    uint64_t logical = s->logical; /* what people count is the source's bytes */
    uint64_t fresh = s->fresh;
    int rc = sample_stop(s->sample, err);
    if (rc == 0)
        rc = session_stream(s, &o, &sink.stream, err);
    struct tree *self = rc == 0 ? *(struct tree **)vec_at(&s->trees, members) : NULL;
    if (rc == 0) {
        catalog = catalog_writer_new(&sink.sink, err);
        rc = catalog != NULL ? 0 : E_NOMEM;
    }
    for (size_t i = 0; rc == 0 && i < members; i++) {
        const struct tree *t = *(struct tree **)vec_at(&s->trees, i);
        const struct tree *before = i > 0 ? *(struct tree **)vec_at(&s->trees, i - 1) : NULL;
        if (before != NULL && strcmp(before->name, t->name) == 0) {
            char shown[256];
            rc = error_set(err, E_INTERNAL, "two members are called '%s'",
                           str_printable(shown, sizeof shown, t->name));
            break;
        }
        buf_clear(&body);
        rc = member_body(s, t, &body, err);
        struct catalog_entry entry = member_entry(t, &body);
        if (rc == 0)
            rc = catalog_add(catalog, &entry, err);
    }
    if (rc == 0)
        rc = catalog_writer_finish(catalog, err);
    catalog_writer_free(catalog);
    if (rc == 0)
        rc = stream_finish(sink.stream, NULL, err);
    s->logical = logical;
    s->fresh = fresh;
    if (rc == 0)
        rc = forest_grow(s, err);
    if (rc == 0)
        rc = tree_reference(s, self, out, err);
    buf_free(&body);
    return rc;
}

int session_note(struct session *s, const char *key, const char *value, struct error *err)
{
    char shown[128];
    size_t len = strlen(value);
    if (key[0] == '\0' || key[strspn(key, "abcdefghijklmnopqrstuvwxyz_")] != '\0' || len == 0 ||
        strchr(value, '\n') != NULL || !utf8_valid(value, len))
        return error_set(err, E_USAGE, "'%s' cannot be a note of a snapshot: one line of UTF-8 is needed",
                         str_printable(shown, sizeof shown, value));
    if (s->notes.len + strlen(key) + len + 2 > VIEW_NOTES_MAX)
        return error_set(err, E_USAGE, "a snapshot has at most %d bytes of notes", VIEW_NOTES_MAX);
    return buf_printf(&s->notes, err, "%s=%s\n", key, value);
}

/* Waits until the storage has every pack, and journals them all. */
static int finish_packs(struct session *s, struct error *err)
{
    int rc = pipeline_finish(s->pipeline, err);
    return rc < 0 ? rc : session_progress(s, err);
}

static uint64_t count_streams(const struct session *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i + 1 < s->trees.len; i++) {
        const struct tree *t = *(struct tree **)vec_at(&s->trees, i);
        n += t->entry == NULL || t->entry->type == CATALOG_REGULAR;
    }
    return n;
}

/* Whoever has to say something about this snapshot says it now. */
static int ask_judge(struct session *s, uint64_t again, struct error *err)
{
    struct session_numbers n = { .members = s->trees.len - 1, /* without the catalog */
                                 .logical = s->logical,
                                 .fresh = s->fresh > again ? s->fresh - again : 0,
                                 .stored = s->stored,
                                 .lost = s->lost };
    if (s->options.judge == NULL)
        return 0;
    n.streams = count_streams(s);
    sample_total(s->sample, &n.sampled, &n.packed);
    return s->options.judge(s->options.judge_arg, s, &n, err);
}

static int build_snap(struct session *s, const struct stream_ref *catalog, const char *facts, uint32_t seq,
                      uint64_t finished, struct buf *out, uint64_t *needed, struct error *err)
{
    struct object_author author = session_author(s);
    struct snap_view view = { .started = s->started,
                              .finished = finished,
                              .logical = s->logical,
                              .added = s->stored,
                              .packs = VEC_OF(struct pack_key) };
    struct snap_priv priv = { .catalog = *catalog };
    memcpy(view.label, s->options.label, strlen(s->options.label) + 1);
    priv.facts = str_dup(facts != NULL ? facts : "", err);
    view.notes = str_dup_len((const char *)s->notes.data, s->notes.len, err);
    int rc = priv.facts != NULL && view.notes != NULL ? session_packs_used(s, &view.packs, err) : E_NOMEM;
    if (rc == 0)
        rc = snap_build(&author, seq, secret_view(s->options.keys->v_w), &view, &priv, out, err);
    *needed = view.packs.len;
    snap_view_free(&view);
    snap_priv_free(&priv);
    return rc;
}

static int fill_record(struct session *s, struct record *r, uint32_t seq, const struct buf *snap,
                       uint8_t attempt, uint64_t finished, struct error *err)
{
    struct vec packs = VEC_OF(struct cache_pack);
    r->kind = RECORD_SNAPSHOT;
    r->snap_attempt = attempt;
    memcpy(r->repo_id, s->options.keys->repo_id, REPO_ID_LEN);
    memcpy(r->writer_id, s->options.keys->writer_id, WRITER_ID_LEN);
    r->seq = seq;
    r->session = s->number;
    r->charter = repo_charter(s->repo)->version;
    r->ack = s->ack;
    r->time = finished;
    memcpy(r->prev, repo_prev_hash(s->repo, s->writer), HASH_LEN);
    memcpy(r->ack_hash, s->ack_hash, HASH_LEN);
    record_hash(snap->data, snap->len, r->snap_hash);
    r->snap_size = snap->len;
    int rc = cache_pending_packs(s->cache, &packs, err);
    for (size_t i = 0; rc == 0 && i < packs.len; i++) {
        const struct cache_pack *p = vec_at(&packs, i);
        struct record_pack *slot = vec_push(&r->packs, err);
        if (slot == NULL) {
            rc = E_NOMEM;
            break;
        }
        *slot = (struct record_pack){
            .session = p->session, .idx = p->idx, .attempt = p->attempt, .size = p->size
        };
        memcpy(slot->hash, p->hash, HASH_LEN);
        s->adopted += p->session != s->number ? 1 : 0;
    }
    vec_free(&packs);
    return rc;
}

/* Journal, publish, look at what is there, remember. */
static int publish(struct session *s, const struct record *r, char receipt[RECEIPT_LEN + 1],
                   struct error *err)
{
    struct buf bytes = BUF_INIT;
    uint8_t hash[HASH_LEN];
    char *path = session_path(s, SESSION_PENDING_RECORD, err);
    int rc = path != NULL ? record_encode(r, s->options.keys->seed, &bytes, err) : E_NOMEM;
    if (rc == 0)
        rc = file_write_atomic(path, bytes.data, bytes.len, 0600, FILE_REPLACE, err);
    if (rc == 0)
        rc = repo_publish_record(s->repo, bytes.data, bytes.len, NULL, err);
    if (rc == 0) {
        record_hash(bytes.data, bytes.len, hash);
        record_receipt(hash, receipt);
        rc = repo_reload(s->repo, err);
        s->writer = rc == 0 ? repo_writer_find(s->repo, s->options.keys->writer_id) : s->writer;
    }
    if (rc == 0)
        rc = cache_commit(s->cache, s->number, r->seq, err);
    if (rc == 0)
        rc = session_record_published(s, r, err);
    if (rc == 0 && repo_fence(s->writer) > r->ack)
        rc = error_set(err, E_RETRY,
                       "record %u is unconfirmed: retention went on while this run was under way; run "
                       "it again (it will be quick)",
                       r->seq);
    buf_free(&bytes);
    free(path);
    return rc;
}

static int store_snap(struct session *s, const struct buf *snap, uint8_t *attempt, struct error *err)
{
    struct name n = { .kind = NAME_SNAP, .session = s->number };
    memcpy(n.writer, s->options.keys->writer_id, WRITER_ID_LEN);
    if (snap->len > SNAP_MAX)
        return error_set(err, E_UNSUPPORTED, "a snapshot object of %zu bytes", snap->len);
    int rc = publish_object(s->options.backend, &n, snap->data, snap->len, NULL, NULL, err);
    *attempt = n.attempt;
    return rc < 0 ? error_wrap(err, "snapshot object %u", s->number) : 0;
}

static void report(const struct session *s, const struct record *r, uint64_t finished,
                   struct session_result *out)
{
    out->session = s->number;
    out->seq = r->seq;
    out->charter = r->charter;
    out->retention = r->ack;
    out->started = s->started;
    out->finished = finished;
    out->members = s->trees.len - 1; /* without the catalog */
    out->streams = count_streams(s);
    out->logical = s->logical;
    out->fresh = s->fresh;
    out->stored = s->stored;
    out->packs = s->packs;
    out->adopted = s->adopted;
}

/* The snapshot is there; a journal that stays large is none of its business. */
static void compact(struct session *s)
{
    struct error err = ERROR_INIT;
    if (cache_compact(s->cache, &err) < 0)
        log_event(LOG_WARN, "the cache journal was not made smaller: %s", err.text);
}

int session_commit(struct session *s, const char *facts, struct session_result *result, struct error *err)
{
    struct stream_ref catalog;
    struct buf snap = BUF_INIT;
    struct record r;
    uint8_t attempt = 0;
    record_init(&r);
    memset(result, 0, sizeof *result);
    const struct repo_record *head = repo_head(s->writer);
    uint32_t seq = head != NULL ? head->rec.seq + 1 : 1;
    if (s->stream != NULL || s->committed)
        return error_set(err, E_INTERNAL, "a session with an open stream, or committed before");
    int rc = forest_grow(s, err);
    if (rc == 0)
        rc = session_write_catalog(s, &catalog, err);
    if (rc == 0)
        rc = finish_packs(s, err);
    struct cache_again again = cache_stored_again(s->cache);
    if (rc == 0 && !s->options.scattered)
        rc = cache_drain_end(s->cache, s->logical, err);
    if (rc == 0)
        rc = ask_judge(s, again.alone + again.drain, err);
    uint64_t finished = clock_wall();
    if (rc == 0)
        rc = build_snap(s, &catalog, facts, seq, finished, &snap, &result->needed, err);
    /* After a failure the pipeline's threads may still be at work with it; session_free stops them first. */
    if (rc == 0) {
        secret_free(s->key);
        s->key = NULL;
    }
    if (rc == 0)
        rc = store_snap(s, &snap, &attempt, err);
    if (rc == 0)
        rc = fill_record(s, &r, seq, &snap, attempt, finished, err);
    if (rc == 0)
        rc = publish(s, &r, result->receipt, err);
    if (rc == 0) {
        s->committed = true;
        report(s, &r, finished, result);
        result->gathered = again.alone;
        result->drained = again.drain;
        compact(s);
    }
    record_free(&r);
    buf_free(&snap);
    return rc;
}
