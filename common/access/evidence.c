#include "common/access/evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/access/access.h"
#include "common/base/str.h"
#include "common/repo/drill_cert.h"

#include "common/base/banned.h"

/* ---- not inside a repository --------------------------------------------------------------------------- */

/* Whether `inner` is `outer` or lies below it; both without a slash at the end. */
static bool below(const char *inner, const char *outer)
{
    size_t n = strlen(outer);
    return strncmp(inner, outer, n) == 0 && (inner[n] == '\0' || inner[n] == '/');
}

static bool local_within(const char *path, const char *repository)
{
    char *a = realpath(path, NULL);
    char *b = realpath(repository, NULL);
    bool in = a != NULL && b != NULL && below(a, b);
    free(a);
    free(b);
    return in;
}

/* "./a//b/" as "a/b" */
static void tidy(char *out, size_t cap, const char *path)
{
    size_t n = 0;
    if (path[0] == '/' && n + 1 < cap)
        out[n++] = '/';
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        bool keep = len > 0 && !(len == 1 && path[0] == '.');
        if (keep && n > 0 && out[n - 1] != '/' && n + 1 < cap)
            out[n++] = '/';
        for (size_t i = 0; keep && i < len && n + 1 < cap; i++)
            out[n++] = path[i];
        path += len + (path[len] == '/');
    }
    out[n] = '\0';
}

/* Of two accounts on one server only full paths can be compared. */
static bool sftp_within(const struct conf_storage *e, const struct conf_storage *r)
{
    char a[4096];
    char b[4096];
    tidy(a, sizeof a, e->path);
    tidy(b, sizeof b, r->path);
    bool same_base = strcmp(e->user, r->user) == 0 || (a[0] == '/' && b[0] == '/');
    return strcasecmp(e->host, r->host) == 0 && e->port == r->port && same_base &&
           (b[0] == '\0' || below(a, b));
}

static int refuse(const struct conf *conf, const struct conf_repository *r, struct error *err)
{
    return error_set(
        err, E_USAGE,
        "%s:%u: drills.evidence lies in the repository %s: evidence must be kept where the repository's "
        "accounts cannot write it, and nothing foreign belongs into a repository",
        conf->evidence_place.file, conf->evidence_place.line, r->name);
}

static int apart(const struct conf *conf, struct error *err)
{
    const struct conf_storage *e = &conf->evidence;
    for (size_t i = 0; i < conf->nrepositories; i++) {
        const struct conf_repository *r = &conf->repositories[i];
        if (r->storage.type != e->type)
            continue;
        if (e->type == CONF_STORAGE_LOCAL ? local_within(e->path, r->storage.path)
                                          : sftp_within(e, &r->storage))
            return refuse(conf, r, err);
    }
    return 0;
}

/* A repository that this configuration does not name, or reaches by another way. */
static int looks_like_none(struct backend *b, struct error *err)
{
    struct backend_stat st;
    struct error why = ERROR_INIT;
    int rc = backend_stat(b, "charter", &st, &why);
    if (rc == 0)
        return error_set(err, E_USAGE,
                         "%s looks like a repository (it holds a charter): evidence needs a place of its own",
                         backend_where(b));
    return rc == E_NOT_FOUND ? 0 : error_copy(err, &why);
}

struct backend *access_evidence(const struct conf *conf, struct error *err)
{
    if (!conf->has_evidence) {
        (void)error_set(err, E_NOT_FOUND,
                        "%s says nothing of where the evidence of drills is kept (drills: evidence: ...)",
                        conf->file);
        return NULL;
    }
    if (apart(conf, err) < 0)
        return NULL;
    struct backend *b = access_storage(&conf->evidence, err);
    if (b != NULL && looks_like_none(b, err) < 0) {
        (void)error_wrap(err, "drills.evidence");
        backend_close(b);
        return NULL;
    }
    return b;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

const char *evidence_name(char out[EVIDENCE_NAME_MAX], const char *id, const char *ending)
{
    (void)snprintf(out, EVIDENCE_NAME_MAX, "%.40s%s", id, ending);
    return out;
}

struct listing {
    struct vec *ids;
};

static int take(const char *name, const struct backend_stat *st, void *arg, struct error *err)
{
    struct listing *l = arg;
    char id[EVIDENCE_NAME_MAX];
    size_t n = strlen(name);
    enum { END = sizeof EVIDENCE_CERTIFICATE - 1 };
    if (st->is_dir || n <= END || n - END >= sizeof id || strcmp(name + n - END, EVIDENCE_CERTIFICATE) != 0)
        return 0;
    memcpy(id, name, n - END);
    id[n - END] = '\0';
    if (!drill_cert_id_good(id))
        return 0;
    char *slot = vec_push(l->ids, err);
    if (slot == NULL)
        return E_NOMEM;
    memcpy(slot, id, sizeof id);
    return 0;
}

static int newest_first(const void *a, const void *b)
{
    return strcmp(b, a);
}

int access_evidence_ids(struct backend *b, struct vec *out, struct error *err)
{
    struct listing l = { .ids = out };
    *out = (struct vec){ .item = EVIDENCE_NAME_MAX };
    int rc = backend_list(b, "", take, &l, err);
    if (rc == 0) {
        vec_sort(out, newest_first);
        out->len = out->len > EVIDENCE_DRILLS_MAX ? EVIDENCE_DRILLS_MAX : out->len;
    }
    return rc;
}

int access_evidence_read(struct backend *b, const char *id, const char *ending, struct buf *out,
                         struct error *err)
{
    char name[EVIDENCE_NAME_MAX];
    bool certificate = strcmp(ending, EVIDENCE_CERTIFICATE) == 0;
    return backend_read_all(b, evidence_name(name, id, ending),
                            certificate ? DRILL_CERT_MAX : EVIDENCE_FILE_MAX, out, err);
}

int access_evidence_each(struct backend *b, evidence_fn *fn, void *arg, struct error *err)
{
    struct vec ids;
    struct buf bytes = BUF_INIT;
    int rc = access_evidence_ids(b, &ids, err);
    for (size_t i = 0; rc >= 0 && i < ids.len; i++) {
        const char *id = vec_at(&ids, i);
        struct error why = ERROR_INIT;
        buf_clear(&bytes);
        rc = access_evidence_read(b, id, EVIDENCE_CERTIFICATE, &bytes, &why);
        if (rc == E_CORRUPT) { /* too large */
            buf_clear(&bytes);
            rc = 0;
        }
        rc = rc < 0 ? error_copy(err, &why) : fn(id, bytes.data, bytes.len, arg, err);
    }
    buf_free(&bytes);
    vec_free(&ids);
    return rc < 0 ? rc : 0;
}
