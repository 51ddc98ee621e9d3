/* Begin, commit, free: the order of things. */
#include "common/repo/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/base/writer.h"
#include "common/archive/catalog.h"
#include "common/repo/names.h"
#include "common/repo/session_internal.h"
#include "common/repo/snap.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"
#include "common/base/banned.h"

const struct writer_derived *session_keys(const struct session *s)
{
    return writer_derived_of(s->derived);
}

char *session_path(const struct session *s, const char *name, struct error *err)
{
    return path_join(s->options.state_dir, name, err);
}

uint32_t session_number(const struct session *s)
{
    return s->number;
}

/* ---- begin --------------------------------------------------------------------------------------------- */
static int lock_state(struct session *s, struct error *err)
{
    int rc = dir_make_private(s->options.state_dir, err);
    char *path = rc == 0 ? session_path(s, "lock", err) : NULL;
    if (path != NULL)
        s->lock = filelock_take(path, err);
    free(path);
    if (rc == 0 && s->lock == NULL)
        rc = err != NULL ? err->code : E_IO;
    return rc;
}

static int load_marks(struct session *s, struct error *err)
{
    char *path = session_path(s, "marks", err);
    if (path == NULL)
        return E_NOMEM;
    int rc = marks_load(path, &s->marks, err);
    free(path);
    if (rc != E_NOT_FOUND)
        return rc;
    error_clear(err);
    marks_init(&s->marks);
    return 0;
}

/* Findings about our own log or the retention log end the run; nothing may be built on a picture with a hole. */
static int judge_findings(struct session *s, struct error *err)
{
    for (size_t i = 0; i < s->repo->findings.len; i++) {
        const struct repo_finding *f = vec_at(&s->repo->findings, i);
        if (f->note || (f->name != NULL && strcmp(f->name, ERR_LOG_LATE) == 0)) {
            log_event(f->note ? LOG_DEBUG : LOG_INFO, "%s: %s", f->where, f->text);
            continue;
        }
        bool ours = f->has_writer && memcmp(f->writer, s->options.keys->writer_id, WRITER_ID_LEN) == 0;
        bool retention_fork = !f->has_writer && s->repo->retention_forked;
        log_event(LOG_ALARM, "%s: %s (%s)", f->where, f->text,
                  f->name != NULL ? f->name : error_code_name(f->code));
        if (ours || (!f->has_writer && !retention_fork)) {
            int code = f->code;
            (void)error_corrupt(err, f->name, "%s: %s", f->where[0] != '\0' ? f->where : "log", f->text);
            if (err != NULL)
                err->code = code;
            return code;
        }
    }
    return 0;
}

static int open_log(struct session *s, struct error *err)
{
    const struct writer_keys *keys = s->options.keys;
    struct repo_options o = { .writer = keys->writer_id, .marks = &s->marks, .now = clock_wall() };
    int rc = repo_open(s->options.backend, keys->root_pk, &o, &s->repo, err);
    if (rc < 0)
        return rc;
    if (memcmp(s->repo->repo_id, keys->repo_id, REPO_ID_LEN) != 0)
        return error_set(err, E_CONFLICT, "%s holds another repository than this host's keys are for",
                         backend_where(s->options.backend));
    rc = judge_findings(s, err);
    if (rc < 0)
        return rc;
    s->writer = repo_writer_find(s->repo, keys->writer_id);
    const struct repo_record *head = s->writer != NULL ? repo_head(s->writer) : NULL;
    uint32_t next = head != NULL ? head->rec.seq + 1 : 1;
    uint8_t pk[SIGN_PK_LEN];
    rc = sign_public(keys->seed, pk, err);
    if (rc < 0)
        return rc;
    const struct charter_writer *line = charter_writer_at(repo_charter(s->repo), keys->writer_id, next);
    if (s->writer == NULL || line == NULL || memcmp(line->pk, pk, sizeof pk) != 0)
        return error_set(err, E_DENIED, "the charter does not let this writer publish record %u: it was retired, or "
                         "its key was rotated", next);
    const struct mark *mark = marks_writer(&s->marks, keys->writer_id);
    if (head != NULL && (mark == NULL || mark->seq < head->rec.seq))
        log_event(LOG_ALARM, "the log is ahead of what this host remembers (record %u against %u), under this "
                  "writer's own signature: this host was restored from an older image, or its key is used elsewhere",
                  head->rec.seq, mark != NULL ? mark->seq : 0);
    return 0;
}

/* A journal that is lost or unreadable costs only time: it is set aside and rebuilt from the storage. */
static int open_cache(struct session *s, struct error *err)
{
    const struct writer_keys *keys = s->options.keys;
    int rc = cache_open(s->options.state_dir, keys->repo_id, keys->writer_id, NULL, &s->cache, err);
    if (rc != E_CORRUPT)
        return rc;
    log_event(LOG_ALARM, "the cache journal is unreadable and set aside as journal.damaged: %s",
              err != NULL ? err->text : "");
    error_clear(err);
    char *from = session_path(s, "journal", err);
    char *to = session_path(s, "journal.damaged", err);
    rc = from == NULL || to == NULL ? E_NOMEM : rename(from, to) == 0 ? 0 : error_sys(err, "rename %s", from);
    free(from);
    free(to);
    return rc < 0 ? rc : cache_open(s->options.state_dir, keys->repo_id, keys->writer_id, NULL, &s->cache, err);
}

static int make_key(struct session *s, struct error *err)
{
    const struct writer_keys *keys = s->options.keys;
    struct session_name name = { .session = s->number };
    struct recipients to;
    uint8_t kid[KID_LEN];
    memcpy(name.repo_id, keys->repo_id, REPO_ID_LEN);
    memcpy(name.writer_id, keys->writer_id, WRITER_ID_LEN);
    struct secret *secret = secret_random(SHARE_LEN, err);
    s->key = secret != NULL ? secret_new(KEY_LEN, err) : NULL;
    int rc = s->key != NULL ? charter_recipients(repo_charter(s->repo), clock_wall(), &to, err) : E_NOMEM;
    if (rc == 0)
        rc = session_key(session_keys(s)->mix_key, &name, secret_view(secret), secret_data(s->key), err);
    if (rc == 0)
        rc = session_kid(secret_view(s->key), kid, err);
    if (rc == 0)
        rc = envelope_build(secret_view(secret), &to, kid, &s->envelope, err);
    secret_free(secret);
    return rc;
}

static struct object_author author_of(const struct session *s)
{
    struct object_author a = { .session = s->number, .envelope = &s->envelope, .session_key = secret_view(s->key) };
    memcpy(a.repo_id, s->options.keys->repo_id, REPO_ID_LEN);
    memcpy(a.writer_id, s->options.keys->writer_id, WRITER_ID_LEN);
    return a;
}

static int start_pipeline(struct session *s, struct error *err)
{
    struct pipeline_config config = {
        .author = author_of(s),
        .id_key = session_keys(s)->id_key,
        .trail_key = session_keys(s)->trail_key,
        .backend = s->options.backend,
        .pack_size = repo_charter(s->repo)->pack_size,
        .workers = s->options.workers,
        .uploads = s->options.uploads,
        .level = s->options.level != 0 ? s->options.level : 3,
        .uploaded = s->options.uploaded,
        .uploaded_arg = s->options.arg,
    };
    s->pipeline = pipeline_new(&config, err);
    return s->pipeline != NULL ? 0 : E_NOMEM;
}

static int begin(struct session *s, struct error *err)
{
    int rc = lock_state(s, err);
    if (rc == 0) {
        s->derived = writer_derive(s->options.keys->w_w, err);
        rc = s->derived != NULL ? load_marks(s, err) : E_NOMEM;
    }
    if (rc == 0)
        rc = open_log(s, err);
    if (rc == 0)
        rc = open_cache(s, err);
    if (rc == 0)
        rc = session_settle_record(s, err);
    if (rc == 0)
        rc = session_settle_storage(s, err);
    if (rc < 0)
        return rc;
    const struct repo_retention *seen = repo_retention_head(s->repo);
    s->ack = seen != NULL ? seen->rec.seq : 0;
    if (seen != NULL)
        memcpy(s->ack_hash, seen->hash, HASH_LEN);
    s->started = clock_wall();
    rc = cache_session_begin(s->cache, s->number, err);
    if (rc == 0)
        rc = make_key(s, err);
    if (rc == 0)
        rc = start_pipeline(s, err);
    if (rc == 0) {
        s->check = check_new(err);
        rc = s->check != NULL ? 0 : E_NOMEM;
    }
    return rc;
}

int session_begin(const struct session_options *options, struct session **out, struct error *err)
{
    size_t label = strlen(options->label);
    if (label == 0 || label > LABEL_MAX || !utf8_valid(options->label, label))
        return error_set(err, E_USAGE, "a job's name has 1 to %d bytes of UTF-8", LABEL_MAX);
    struct session *s = mem_alloc(1, sizeof *s, err);
    if (s == NULL)
        return E_NOMEM;
    s->options = *options;
    s->trees = (struct vec)VEC_OF(struct tree *);
    s->pending = (struct vec)VEC_OF(struct pending_node);
    s->used = (struct vec)VEC_OF(uint64_t);
    int rc = begin(s, err);
    if (rc < 0) {
        session_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

/* ---- commit -------------------------------------------------------------------------------------------- */
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
    int rc = session_stream(s, &o, &sink.stream, err);
    struct tree *self = rc == 0 ? *(struct tree **)vec_at(&s->trees, members) : NULL;
    if (rc == 0) {
        catalog = catalog_writer_new(&sink.sink, err);
        rc = catalog != NULL ? 0 : E_NOMEM;
    }
    for (size_t i = 0; rc == 0 && i < members; i++) {
        const struct tree *t = *(struct tree **)vec_at(&s->trees, i);
        const struct tree *before = i > 0 ? *(struct tree **)vec_at(&s->trees, i - 1) : NULL;
        if (before != NULL && strcmp(before->name, t->name) == 0) {
            rc = error_set(err, E_INTERNAL, "two streams are called '%s'", t->name);
            break;
        }
        buf_clear(&body);
        rc = member_body(s, t, &body, err);
        struct catalog_entry entry = {
            .path = t->name, .type = CATALOG_REGULAR, .mode = t->mode_bits, .body = body.data, .body_len = body.len
        };
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

/* Waits until the storage has every pack, and journals them all. */
static int finish_packs(struct session *s, struct error *err)
{
    int rc = pipeline_finish(s->pipeline, err);
    return rc < 0 ? rc : session_progress(s, err);
}

static int build_snap(struct session *s, const struct stream_ref *catalog, const char *facts, uint32_t seq,
                      uint64_t finished, struct buf *out, uint64_t *needed, struct error *err)
{
    struct object_author author = author_of(s);
    struct snap_view view = { .started = s->started, .finished = finished, .logical = s->logical, .added = s->stored,
                              .packs = VEC_OF(struct pack_key) };
    struct snap_priv priv = { .catalog = *catalog };
    memcpy(view.label, s->options.label, strlen(s->options.label) + 1);
    priv.facts = str_dup(facts != NULL ? facts : "", err);
    int rc = priv.facts != NULL ? session_packs_used(s, &view.packs, err) : E_NOMEM;
    if (rc == 0)
        rc = snap_build(&author, seq, secret_view(s->options.keys->v_w), &view, &priv, out, err);
    *needed = view.packs.len;
    snap_view_free(&view);
    snap_priv_free(&priv);
    return rc;
}

static int fill_record(struct session *s, struct record *r, uint32_t seq, const struct buf *snap, uint8_t attempt,
                       uint64_t finished, struct error *err)
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
        *slot = (struct record_pack){ .session = p->session, .idx = p->idx, .attempt = p->attempt, .size = p->size };
        memcpy(slot->hash, p->hash, HASH_LEN);
        s->adopted += p->session != s->number ? 1 : 0;
    }
    vec_free(&packs);
    return rc;
}

/* Journal, publish, look at what is there, remember. */
static int publish(struct session *s, const struct record *r, char receipt[RECEIPT_LEN + 1], struct error *err)
{
    struct buf bytes = BUF_INIT;
    uint8_t hash[HASH_LEN];
    char *path = session_path(s, "record.pending", err);
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
        rc = error_set(err, E_RETRY, "record %u is unconfirmed: retention went on while this run was under way; run "
                       "it again (it will be quick)", r->seq);
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

static void report(const struct session *s, const struct record *r, uint64_t finished, struct session_result *out)
{
    out->session = s->number;
    out->seq = r->seq;
    out->charter = r->charter;
    out->retention = r->ack;
    out->started = s->started;
    out->finished = finished;
    out->streams = s->trees.len - 1; /* without the catalog */
    out->logical = s->logical;
    out->fresh = s->fresh;
    out->stored = s->stored;
    out->packs = s->packs;
    out->adopted = s->adopted;
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
    uint64_t finished = clock_wall();
    if (rc == 0)
        rc = build_snap(s, &catalog, facts, seq, finished, &snap, &result->needed, err);
    secret_free(s->key);
    s->key = NULL;
    if (rc == 0)
        rc = store_snap(s, &snap, &attempt, err);
    if (rc == 0)
        rc = fill_record(s, &r, seq, &snap, attempt, finished, err);
    if (rc == 0)
        rc = publish(s, &r, result->receipt, err);
    if (rc == 0) {
        s->committed = true;
        report(s, &r, finished, result);
    }
    record_free(&r);
    buf_free(&snap);
    return rc;
}

void session_free(struct session *s)
{
    if (s == NULL)
        return;
    /* What was uploaded is worth remembering also when the run failed. */
    if (s->pipeline != NULL && s->cache != NULL && !s->committed)
        (void)session_progress(s, NULL);
    pipeline_free(s->pipeline);
    blob_job_free(s->open_blob);
    stream_writer_free(s->stream);
    for (size_t i = 0; i < s->pending.len; i++)
        node_plan_free(&((struct pending_node *)vec_at(&s->pending, i))->plan);
    vec_free(&s->pending);
    for (size_t i = 0; i < s->trees.len; i++)
        tree_free(*(struct tree **)vec_at(&s->trees, i));
    vec_free(&s->trees);
    vec_free(&s->used);
    check_free(s->check);
    chunker_free(s->chunker);
    buf_wipe(&s->envelope);
    secret_free(s->key);
    secret_free(s->derived);
    if (s->cache != NULL)
        cache_session_abort(s->cache);
    cache_close(s->cache);
    marks_free(&s->marks);
    repo_close(s->repo);
    filelock_free(s->lock);
    free(s);
}
