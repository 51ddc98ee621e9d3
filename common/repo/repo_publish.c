#include "common/repo/repo_internal.h"

#include <string.h>

#include "common/base/banned.h"

enum { DIR_MODE = 0750 };

/* What publish_object asks about an attempt that is there already. */
static bool is_valid(const uint8_t *data, size_t len, void *arg)
{
    return repo_expect_check(arg, data, len, NULL) == 0;
}

/* Bytes that do not fit the picture are a mistake of this program, not damage. */
static int misfit(const struct error *why, struct error *err)
{
    if (why->code != E_CORRUPT)
        return error_copy(err, why);
    return error_set(err, E_INTERNAL, "about to publish what readers would refuse: %s", why->text);
}

static int publish(struct backend *b, struct repo_expect *e, const void *data, size_t len, uint8_t *attempt,
                   struct error *err)
{
    struct name n = { .kind = e->kind, .seq = e->seq };
    if (e->writer != NULL)
        memcpy(n.writer, e->writer, WRITER_ID_LEN);
    int rc = publish_object(b, &n, data, len, is_valid, e, err);
    if (rc == 0 && attempt != NULL)
        *attempt = n.attempt;
    return rc;
}

/* ---- the three kinds ----------------------------------------------------------------------------------- */

static int check_record(const struct repo *repo, const struct repo_writer *w, const struct record *r,
                        struct error *err)
{
    const struct repo_record *head = repo_head(w);
    int rc = record_follows(head != NULL ? &head->rec : NULL, repo_prev_hash(repo, w), r, err);
    if (rc == 0 && r->charter > repo_charter(repo)->version)
        rc = error_corrupt(err, ERR_RECORD_CHARTER, "record %u names an unknown charter", r->seq);
    return rc;
}

int repo_publish_record(const struct repo *repo, const void *data, size_t len, uint8_t *attempt,
                        struct error *err)
{
    struct record r;
    struct error why = ERROR_INIT;
    if (record_decode(data, len, &r, &why) < 0)
        return misfit(&why, err);
    const struct repo_writer *w = repo_writer_find(repo, r.writer_id);
    const struct charter_writer *line = charter_writer_at(repo_charter(repo), r.writer_id, r.seq);
    struct repo_expect e = {
        .kind = NAME_RECORD, .repo_id = repo->repo_id, .writer = r.writer_id, .seq = r.seq
    };
    int rc;
    if (w == NULL || line == NULL) {
        rc = error_set(err, E_AUTH, "the charter names no key of this writer for record %u", r.seq);
    } else if (w->forked) {
        rc = error_named(err, E_CONFLICT, ERR_LOG_FORK, "this writer's log forks at %u: it must stop", r.seq);
    } else {
        e.pk = line->pk;
        rc = repo_expect_check(&e, data, len, &why);
        rc = rc < 0 ? rc : check_record(repo, w, &r, &why);
        rc = rc < 0 ? misfit(&why, err) : publish(repo->backend, &e, data, len, attempt, err);
    }
    record_free(&r);
    return rc;
}

int repo_publish_retention(const struct repo *repo, const void *data, size_t len, uint8_t *attempt,
                           struct error *err)
{
    struct retention_record r;
    struct error why = ERROR_INIT;
    if (retention_decode(data, len, &r, &why) < 0)
        return misfit(&why, err);
    const struct repo_retention *head = repo_retention_head(repo);
    struct repo_expect e = { .kind = NAME_RETENTION,
                             .repo_id = repo->repo_id,
                             .pk = charter_retention_key(repo_charter(repo), r.seq),
                             .seq = r.seq };
    int rc;
    if (e.pk == NULL) {
        rc = error_set(err, E_AUTH, "the charter names no retention key for record %u", r.seq);
    } else if (repo->retention_forked) {
        rc = error_named(err, E_CONFLICT, ERR_LOG_FORK, "the retention log forks at %u: retention must stop",
                         r.seq);
    } else {
        rc = repo_expect_check(&e, data, len, &why);
        rc = rc < 0
                 ? rc
                 : retention_follows(head != NULL ? &head->rec : NULL, repo_prev_hash(repo, NULL), &r, &why);
        rc = rc < 0 ? misfit(&why, err) : publish(repo->backend, &e, data, len, attempt, err);
    }
    retention_free(&r);
    return rc;
}

int repo_publish_charter(struct backend *b, const struct charter *prev, const void *data, size_t len,
                         uint8_t *attempt, struct error *err)
{
    struct charter c;
    struct error why = ERROR_INIT;
    if (charter_parse(data, len, &c, &why) < 0)
        return misfit(&why, err);
    struct repo_expect e = { .kind = NAME_CHARTER,
                             .pk = prev != NULL ? prev->root_pk : NULL,
                             .seq = c.version };
    int rc = repo_expect_check(&e, data, len, &why);
    rc = rc < 0 ? rc : charter_follows(prev, &c, &why);
    rc = rc < 0 ? misfit(&why, err) : publish(b, &e, data, len, attempt, err);
    charter_free(&c);
    return rc;
}

/* ---- directories --------------------------------------------------------------------------------------- */

static int make_dir(struct backend *b, const char *name, struct error *err)
{
    struct error why = ERROR_INIT;
    struct backend_stat st;
    int rc = backend_make_dir(b, name, DIR_MODE, &why);
    /* An account that may make none is told so also where it is there already. */
    if (rc == E_DENIED && backend_stat(b, name, &st, NULL) == 0 && st.is_dir)
        return 0;
    return rc == 0 || rc == E_EXISTS ? 0 : error_copy(err, &why);
}

int repo_create_dirs(struct backend *b, const struct charter *c, struct error *err)
{
    static const char *const top[] = { "charter", "ret", "grant", "w" };
    static const char *const sub[] = { "log", "snap", "pack" };
    char name[NAME_TEXT_MAX];
    int rc = 0;
    for (size_t i = 0; i < sizeof top / sizeof top[0] && rc == 0; i++)
        rc = make_dir(b, top[i], err);
    for (size_t i = 0; i < c->writers.len && rc == 0; i++) {
        const struct charter_writer *w = vec_at(&c->writers, i);
        rc = make_dir(b, name_writer_dir(name, w->id), err);
        for (size_t k = 0; k < sizeof sub / sizeof sub[0] && rc == 0; k++)
            rc = make_dir(b, name_writer_sub(name, w->id, sub[k]), err);
    }
    return rc;
}
