/* Begin and end of a session: the order of things. */
#include "common/repo/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/repo/session_internal.h"
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

/* The last run was cut between its record and the marks: then the log is one record ahead, and rightly so. */
static bool was_publishing(const struct session *s)
{
    char *path = session_path(s, SESSION_PENDING_RECORD, NULL);
    bool there = path != NULL && access(path, F_OK) == 0;
    free(path);
    return there;
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
    if (s->writer == NULL || line == NULL)
        return error_set(
            err, E_DENIED,
            "the charter does not let this writer publish record %u: it was retired. A job that is "
            "to go on needs another writer: remove its line from the file `jobs` in the state "
            "directory, and it takes a spare one (or enrol one with the root key)",
            next);
    if (memcmp(line->pk, pk, sizeof pk) != 0)
        return error_set(
            err, E_DENIED,
            "the charter does not let this key publish record %u: the writer's key was rotated. Put "
            "its new key file into this host's key directory, or complete the rotation that was "
            "begun here",
            next);
    const struct mark *mark = marks_writer(&s->marks, keys->writer_id);
    uint32_t marked = mark != NULL ? mark->seq : 0;
    if (head != NULL && marked < head->rec.seq && !(marked + 1 == head->rec.seq && was_publishing(s)))
        log_event(
            LOG_ALARM,
            "the log is ahead of what this host remembers (record %u against %u), under this "
            "writer's own signature: this host was restored from an older image, or its key is used elsewhere",
            head->rec.seq, marked);
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
    return rc < 0 ? rc
                  : cache_open(s->options.state_dir, keys->repo_id, keys->writer_id, NULL, &s->cache, err);
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

struct object_author session_author(const struct session *s)
{
    struct object_author a = { .session = s->number,
                               .envelope = &s->envelope,
                               .session_key = secret_view(s->key) };
    memcpy(a.repo_id, s->options.keys->repo_id, REPO_ID_LEN);
    memcpy(a.writer_id, s->options.keys->writer_id, WRITER_ID_LEN);
    return a;
}

static int start_pipeline(struct session *s, struct error *err)
{
    struct pipeline_config config = {
        .author = session_author(s),
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
        rc = cache_drain_begin(s->cache, s->options.label, err);
    if (rc == 0)
        rc = make_key(s, err);
    if (rc == 0)
        rc = start_pipeline(s, err);
    if (rc == 0) {
        s->check = check_new(err);
        s->sample = s->check != NULL ? sample_new(err) : NULL;
        rc = s->sample != NULL ? 0 : E_NOMEM;
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
    sample_free(s->sample);
    chunker_free(s->chunker);
    buf_wipe(&s->envelope);
    buf_free(&s->notes);
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
