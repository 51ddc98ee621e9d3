#include "backupd/job/assign.h"

#include <stdlib.h>
#include <string.h>

#include "backupd/host.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/repo/snapshot.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"
#include "common/sys/filelock.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum {
    FILE_LIMIT = 1024 * 1024,
    ID_HEX = 2 * WRITER_ID_LEN,
    LOCK_MS = 30000, /* a search in a far repository takes a while */
    LABEL_TRIES = 8, /* snapshots looked at in one log, newest first */
};

/* ---- the file ------------------------------------------------------------------------------------------ */

static bool parse_line(const char *line, size_t len, struct assignment *out)
{
    const char *space = memchr(line, ' ', len);
    size_t name = space != NULL ? (size_t)(space - line) : 0;
    if (name == 0 || name > CONF_NAME_MAX || len != name + 1 + ID_HEX)
        return false;
    memcpy(out->job, line, name);
    out->job[name] = '\0';
    return hex_decode(out->writer, WRITER_ID_LEN, space + 1);
}

static int parse(const struct buf *text, struct vec *out, struct error *err)
{
    size_t at = 0;
    while (at < text->len) {
        const char *line = (const char *)text->data + at;
        const char *end = memchr(line, '\n', text->len - at);
        struct assignment *a = vec_push(out, err);
        if (a == NULL)
            return E_NOMEM;
        if (end == NULL || !parse_line(line, (size_t)(end - line), a))
            return error_corrupt(err, "jobs-file",
                                 "a line is not \"JOB WRITER-ID\"; remove the file, and each job "
                                 "finds its writer again by its snapshots");
        at += (size_t)(end - line) + 1;
    }
    return 0;
}

int assign_load(const char *path, struct vec *out, struct error *err)
{
    struct buf text = BUF_INIT;
    struct error why = ERROR_INIT;
    int rc = file_read_small(path, FILE_LIMIT, &text, &why);
    if (rc == 0 && (rc = parse(&text, out, &why)) < 0)
        (void)error_wrap(&why, "%s", path);
    buf_free(&text);
    if (rc < 0 && rc != E_NOT_FOUND)
        return error_copy(err, &why);
    return 0;
}

int assign_save(const char *path, const struct vec *list, struct error *err)
{
    struct buf text = BUF_INIT;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < list->len; i++) {
        const struct assignment *a = vec_at(list, i);
        char hex[ID_HEX + 1];
        hex_encode(hex, a->writer, WRITER_ID_LEN);
        rc = buf_printf(&text, err, "%s %s\n", a->job, hex);
    }
    if (rc == 0)
        rc = file_write_atomic(path, text.data, text.len, 0600, FILE_REPLACE, err);
    buf_free(&text);
    return rc;
}

static const struct assignment *find_job(const struct vec *list, const char *job)
{
    for (size_t i = 0; i < list->len; i++)
        if (strcmp(((const struct assignment *)vec_at(list, i))->job, job) == 0)
            return vec_at(list, i);
    return NULL;
}

static bool is_taken(const struct vec *list, const uint8_t *id)
{
    for (size_t i = 0; i < list->len; i++)
        if (memcmp(((const struct assignment *)vec_at(list, i))->writer, id, WRITER_ID_LEN) == 0)
            return true;
    return false;
}

/* ---- the search ---------------------------------------------------------------------------------------- */

/* 1 when a recent snapshot of this writer carries the name, 0 when not. An unreadable one is no verdict. */
static int carries(const struct repo *repo, const struct repo_writer *w, const struct secret *v_w,
                   const char *job, struct error *err)
{
    size_t looked = 0;
    for (size_t i = w->records.len; i > 0 && looked < LABEL_TRIES; i--) {
        const struct repo_record *r = vec_at(&w->records, i - 1);
        struct snapshot *s = NULL;
        struct error why = ERROR_INIT;
        if (r->rec.kind != RECORD_SNAPSHOT || r->expired)
            continue;
        looked++;
        int rc = snapshot_load(repo, w, r, &s, &why);
        if (rc == 0)
            rc = snapshot_open_view(s, v_w, &why);
        bool match = rc == 0 && strcmp(s->view.label, job) == 0;
        snapshot_free(s);
        if (rc == 0)
            return match;
        if (rc != E_CORRUPT && rc != E_NOT_FOUND && rc != E_AUTH)
            return error_copy(err, &why);
    }
    return 0;
}

enum fit { FIT_NO, FIT_SPARE, FIT_SAME_JOB };

/* What one writer of this host is to this job; enum fit or an error. */
static int judge(struct cli_context *cli, const struct conf_repository *repository, struct backend *backend,
                 const uint8_t *id, const char *job, struct error *err)
{
    struct writer_keys keys = { .w_w = NULL };
    struct repo *repo = NULL;
    int fit = FIT_NO;
    int rc = access_writer_keys(repository, id, &keys, err);
    if (rc == 0)
        rc = host_open(cli, repository, backend, id, &repo, err);
    const struct repo_writer *w = rc == 0 ? repo_writer_find(repo, id) : NULL;
    if (w != NULL && !w->stopped && !w->forked &&
        charter_writer_at(repo_charter(repo), id, (uint32_t)w->records.len + 1) != NULL) {
        if (w->records.len == 0)
            fit = !w->behind && w->torn_next == 0 ? FIT_SPARE : FIT_NO;
        else if ((rc = carries(repo, w, keys.v_w, job, err)) > 0)
            fit = FIT_SAME_JOB;
    }
    repo_close(repo);
    writer_keys_free(&keys);
    return rc < 0 ? rc : fit;
}

static int search(struct cli_context *cli, const struct conf_repository *repository, struct backend *backend,
                  const char *job, const struct vec *taken, uint8_t id[WRITER_ID_LEN], struct error *err)
{
    struct vec ids = { .item = WRITER_ID_LEN };
    int best = FIT_NO;
    int rc = access_writer_ids(repository, &ids, err);
    for (size_t i = 0; rc >= 0 && best < FIT_SAME_JOB && i < ids.len; i++) {
        const uint8_t *one = vec_at(&ids, i);
        if (is_taken(taken, one))
            continue;
        rc = interrupt_check(err);
        if (rc == 0)
            rc = judge(cli, repository, backend, one, job, err);
        if (rc > best) {
            best = rc;
            memcpy(id, one, WRITER_ID_LEN);
        }
    }
    vec_free(&ids);
    if (rc < 0)
        return rc;
    if (best == FIT_NO)
        return error_set(
            err, E_NOT_FOUND,
            "no spare writer is left for job %s in %s: enrol one with the root key (`backupd key add-writer`) and put its file there",
            job, repository->keys);
    log_event(LOG_INFO,
              best == FIT_SAME_JOB ? "job %s goes on with the writer of its earlier snapshots"
                                   : "job %s gets a spare writer",
              job);
    return 0;
}

/* ---- both ---------------------------------------------------------------------------------------------- */

static int assign_new(struct cli_context *cli, const struct conf_repository *repository,
                      struct backend *backend, const char *path, const char *job, uint8_t id[WRITER_ID_LEN],
                      struct error *err)
{
    struct vec list = VEC_OF(struct assignment);
    struct assignment *added = NULL;
    const struct assignment *known = NULL;
    int rc = assign_load(path, &list, err); /* again, now under the lock */
    if (rc == 0 && (known = find_job(&list, job)) != NULL) {
        memcpy(id, known->writer, WRITER_ID_LEN);
        goto out;
    }
    if (rc == 0)
        rc = search(cli, repository, backend, job, &list, id, err);
    if (rc == 0 && (added = vec_push(&list, err)) == NULL)
        rc = E_NOMEM;
    if (rc == 0) {
        memcpy(added->job, job, strlen(job) + 1);
        memcpy(added->writer, id, WRITER_ID_LEN);
        rc = assign_save(path, &list, err);
    }
out:
    vec_free(&list);
    return rc;
}

int assign_writer(struct cli_context *cli, const struct conf *conf, const struct conf_repository *repository,
                  const char *job, struct backend *backend, uint8_t id[WRITER_ID_LEN], struct error *err)
{
    struct vec list = VEC_OF(struct assignment);
    struct filelock *held = NULL;
    char *path = NULL;
    char *lock_path = NULL;
    const struct assignment *known = NULL;
    int rc = E_NOMEM;
    if (strlen(job) > CONF_NAME_MAX)
        return error_set(err, E_USAGE, "the name of job %s is too long", job);
    struct error why = ERROR_INIT;
    char *state = host_state(conf, repository, &why);
    if (state == NULL || (path = path_join(state, "jobs", &why)) == NULL ||
        (lock_path = path_join(state, "jobs.lock", &why)) == NULL) {
        rc = error_copy(err, &why);
        goto out;
    }
    rc = assign_load(path, &list, err);
    known = rc == 0 ? find_job(&list, job) : NULL;
    if (known != NULL)
        memcpy(id, known->writer, WRITER_ID_LEN);
    if (rc < 0 || known != NULL)
        goto out;
    held = filelock_wait(lock_path, LOCK_MS, &why);
    rc = held != NULL ? assign_new(cli, repository, backend, path, job, id, err) : error_copy(err, &why);
out:
    filelock_free(held);
    vec_free(&list);
    free(lock_path);
    free(path);
    free(state);
    return rc;
}
