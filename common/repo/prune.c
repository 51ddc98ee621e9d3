#include "common/repo/prune.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/repo/prune_internal.h"
#include "common/sys/dirs.h"
#include "common/base/banned.h"

/* ---- small things ----------------------------------------------------------------------------------- */

char *prune_path(const struct prune *p, const char *name, struct error *err)
{
    return path_join(p->options.state_dir, name, err);
}

int prune_alarm(struct prune *p, const uint8_t *writer, const char *name, struct error *err, const char *fmt,
                ...)
{
    va_list args;
    struct prune_alarm *a = vec_push(&p->alarms, err);
    if (a == NULL)
        return E_NOMEM;
    *a = (struct prune_alarm){ .name = name != NULL ? name : "ALARM", .has_writer = writer != NULL };
    if (writer != NULL)
        memcpy(a->writer, writer, WRITER_ID_LEN);
    va_start(args, fmt);
    (void)vsnprintf(a->text, sizeof a->text, fmt, args);
    va_end(args);
    return 0;
}

struct prune_writer *prune_writer_at(const struct prune *p, size_t i)
{
    return vec_at(&p->writers, i);
}

struct prune_snapshot *prune_snapshot_at(const struct prune *p, size_t i)
{
    return vec_at(&p->snapshots, i);
}

uint32_t prune_head_session(const struct prune_writer *pw)
{
    const struct repo_record *r = repo_record_at(pw->w, pw->head);
    return r != NULL ? r->rec.session : 0;
}

bool prune_writer_blocked(const struct prune *p, const struct prune_writer *pw)
{
    for (size_t i = pw->first; i < pw->first + pw->count; i++) {
        const struct prune_snapshot *s = prune_snapshot_at(p, i);
        if (!s->readable && prune_lives_after(s))
            return true;
    }
    return pw->log_bad;
}

/* ---- asking ----------------------------------------------------------------------------------------- */

const struct repo *prune_repo(const struct prune *p)
{
    return p->repo;
}

const struct vec *prune_snapshots(const struct prune *p)
{
    return &p->snapshots;
}

const struct vec *prune_jobs(const struct prune *p)
{
    return &p->jobs;
}

const struct vec *prune_alarms(const struct prune *p)
{
    return &p->alarms;
}

bool prune_blocked(const struct prune *p, const uint8_t writer[WRITER_ID_LEN])
{
    for (size_t i = 0; i < p->writers.len; i++)
        if (memcmp(prune_writer_at(p, i)->w->id, writer, WRITER_ID_LEN) == 0)
            return prune_writer_blocked(p, prune_writer_at(p, i));
    return true;
}

uint64_t prune_time(const struct prune *p)
{
    return p->time;
}

bool prune_clock_trusted(const struct prune *p)
{
    return p->clock_trusted;
}

/* ---- opening ---------------------------------------------------------------------------------------- */

static int take_lock(struct prune *p, struct error *err)
{
    int rc = dir_make_private(p->options.state_dir, err);
    char *path = rc == 0 ? prune_path(p, "lock", err) : NULL;
    if (path == NULL)
        return rc < 0 ? rc : E_NOMEM;
    struct error why = ERROR_INIT;
    p->lock = filelock_take(path, &why);
    free(path);
    return p->lock != NULL ? 0 : error_copy(err, &why);
}

static int load_marks(struct prune *p, struct error *err)
{
    struct error why = ERROR_INIT;
    char *path = prune_path(p, "marks", err);
    int rc = path != NULL ? marks_load(path, &p->marks, &why) : E_NOMEM;
    free(path);
    return rc == 0 || rc == E_NOT_FOUND ? 0 : error_copy(err, &why);
}

int prune_save_marks(struct prune *p, struct error *err)
{
    char *path = prune_path(p, "marks", err);
    int rc = path != NULL ? repo_marks_raise(p->repo, &p->marks, err) : E_NOMEM;
    rc = rc < 0 ? rc : marks_save(path, &p->marks, err);
    free(path);
    return rc;
}

/* Alarms of the charter and the retention log stop everything. */
static int take_findings(struct prune *p, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->repo->findings.len; i++) {
        const struct repo_finding *f = vec_at(&p->repo->findings, i);
        if (f->note)
            continue;
        p->halted |= !f->has_writer;
        rc = prune_alarm(p, f->has_writer ? f->writer : NULL, f->name, err, "%s%s%s", f->where,
                         f->where[0] != '\0' ? ": " : "", f->text);
    }
    return rc;
}

/* The charter must name our key for the next record. */
static int check_key(struct prune *p, struct error *err)
{
    uint8_t pk[SIGN_PK_LEN];
    uint32_t next = (uint32_t)p->repo->retention.len + 1;
    const uint8_t *named = charter_retention_key(repo_charter(p->repo), next);
    int rc = sign_public(p->options.keys->seed, pk, err);
    if (rc < 0 || (named != NULL && memcmp(named, pk, SIGN_PK_LEN) == 0))
        return rc;
    p->halted = true;
    return prune_alarm(p, NULL, ERR_RETENTION_KEY, err,
                       "the charter names another retention key than this host's for record %u", next);
}

static int add_writers(struct prune *p, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->repo->writers.len; i++) {
        struct repo_writer *w = vec_at(&p->repo->writers, i);
        struct prune_writer *pw = vec_push(&p->writers, err);
        if (pw == NULL)
            return E_NOMEM;
        *pw = (struct prune_writer){ .w = w,
                                     .head = (uint32_t)w->records.len,
                                     .files = VEC_OF(struct prune_file) };
        pw->log_bad = w->forked || w->behind || repo_alarms(p->repo, w->id) != 0;
        rc = prune_list_files(p, pw, err);
    }
    return rc;
}

static int look(struct prune *p, struct error *err)
{
    struct repo_options o = { .marks = &p->marks };
    int rc = repo_open(p->options.backend, p->options.keys->root_pk, &o, &p->repo, err);
    if (rc == 0 && memcmp(p->repo->repo_id, p->options.keys->repo_id, REPO_ID_LEN) != 0)
        rc = error_named(err, E_CONFLICT, ERR_CHARTER_REPO,
                         "%s is another repository than the retention key's",
                         backend_where(p->options.backend));
    rc = rc < 0 ? rc : prune_settle(p, err);
    rc = rc < 0 ? rc : take_findings(p, err);
    rc = rc < 0 ? rc : check_key(p, err);
    rc = rc < 0 ? rc : prune_clock_check(p, err);
    rc = rc < 0 ? rc : add_writers(p, err);
    rc = rc < 0 ? rc : prune_load_views(p, err);
    rc = rc < 0 ? rc : prune_account(p, err);
    if (rc == 0 && !p->halted && !p->options.dry_run && repo_alarms(p->repo, NULL) == 0)
        rc = prune_save_marks(p, err);
    return rc;
}

int prune_open(const struct prune_options *options, struct prune **out, struct error *err)
{
    struct prune *p = mem_alloc(1, sizeof *p, err);
    if (p == NULL)
        return E_NOMEM;
    *p = (struct prune){ .options = *options,
                         .writers = VEC_OF(struct prune_writer),
                         .snapshots = VEC_OF(struct prune_snapshot),
                         .jobs = VEC_OF(struct prune_job),
                         .alarms = VEC_OF(struct prune_alarm) };
    marks_init(&p->marks);
    int rc = take_lock(p, err);
    rc = rc < 0 ? rc : load_marks(p, err);
    rc = rc < 0 ? rc : look(p, err);
    if (rc < 0) {
        prune_close(p);
        return rc;
    }
    *out = p;
    return 0;
}

void prune_close(struct prune *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->snapshots.len; i++)
        prune_snapshot_free(prune_snapshot_at(p, i));
    for (size_t i = 0; i < p->writers.len; i++) {
        vec_free(&prune_writer_at(p, i)->files);
        secret_free(prune_writer_at(p, i)->view_key);
    }
    vec_free(&p->writers);
    vec_free(&p->snapshots);
    vec_free(&p->jobs);
    vec_free(&p->alarms);
    marks_free(&p->marks);
    repo_close(p->repo);
    filelock_free(p->lock);
    free(p);
}
