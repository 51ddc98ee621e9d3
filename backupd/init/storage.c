#include "backupd/init/storage.h"

#include <stdlib.h>
#include <string.h>

#include "common/repo/names.h"
#include "common/repo/repo.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

enum { DIR_MODE = 0750 };

static int ignore(const char *name, const struct backend_stat *st, void *arg, struct error *err)
{
    (void)name;
    (void)st;
    (void)arg;
    (void)err;
    return 0;
}

/* The way out of E_DENIED. */
static int denied(const struct init_request *r, const struct backend *b, int rc, struct error *err)
{
    if (rc != E_DENIED)
        return rc;
    if (r->setup.type == CONF_STORAGE_LOCAL)
        return error_wrap(err, "this user may not set up %s", backend_where(b));
    (void)error_wrap(
        err,
        "the account %s may not make directories at %s. That is as it should be for an account that "
        "writes backups; name one that may, used only this once: --setup-user USER --setup-key FILE%s",
        r->setup.user, backend_where(b), r->other_setup ? " (this one may not either)" : "");
    return rc;
}

/* The repository's own directory on an SFTP server, through the one above it. */
static int make_root_sftp(const struct init_request *r, struct error *err)
{
    struct conf_storage above = r->setup;
    struct backend *b = NULL;
    char *dir = path_dir(r->setup.path, err);
    int rc = E_NOMEM;
    if (dir == NULL)
        return rc;
    above.path = dir;
    b = access_storage(&above, err);
    rc = b != NULL ? backend_make_dir(b, path_base(r->setup.path), DIR_MODE, err) : E_NOMEM;
    backend_close(b);
    free(dir);
    return rc == E_EXISTS ? 0 : rc;
}

static int open_local(const struct init_request *r, struct backend **out, struct error *err)
{
    struct error why = ERROR_INIT;
    *out = access_storage(&r->setup, &why);
    if (*out != NULL)
        return 0;
    if (why.code != E_NOT_FOUND)
        return error_copy(err, &why);
    int rc = dir_make_private(r->setup.path, err);
    if (rc == 0 && (*out = access_storage(&r->setup, err)) == NULL)
        rc = E_IO;
    return rc;
}

int init_storage_open(const struct init_request *r, struct backend **out, struct error *err)
{
    struct error why = ERROR_INIT;
    if (r->setup.type == CONF_STORAGE_LOCAL)
        return open_local(r, out, err);
    *out = access_storage(&r->setup, &why);
    int rc = *out != NULL ? backend_list(*out, "", ignore, NULL, &why) : why.code;
    if (rc == E_NOT_FOUND && *out != NULL) {
        error_clear(&why);
        rc = denied(r, *out, make_root_sftp(r, &why), &why);
    }
    return rc < 0 ? error_copy(err, &why) : 0;
}

/* ---- is there one already? ----------------------------------------------------------------------------- */

struct search {
    struct vec found; /* struct name */
};

static int on_charter(const char *entry, const struct backend_stat *st, void *arg, struct error *err)
{
    struct search *s = arg;
    struct name n;
    (void)st;
    if (!name_parse(NAME_CHARTER, NULL, entry, &n))
        return 0;
    struct name *slot = vec_push(&s->found, err);
    if (slot == NULL)
        return E_NOMEM;
    *slot = n;
    return 0;
}

/* The remains of an upload that was cut are no repository. */
static int judge(struct backend *b, const struct name *n, struct error *err)
{
    char text[NAME_TEXT_MAX];
    struct buf bytes = BUF_INIT;
    int rc = backend_read_all(b, name_format(text, n), CHARTER_MAX, &bytes, err);
    if (rc == 0 && !charter_is_torn(bytes.data, bytes.len))
        rc = error_set(
            err, E_EXISTS,
            "there is a repository at %s already (%s): nothing was changed. Choose another path, or copy "
            "the keys of that repository to this host",
            backend_where(b), text);
    buf_free(&bytes);
    return rc;
}

int init_storage_empty(struct backend *b, struct error *err)
{
    struct search s = { .found = VEC_OF(struct name) };
    struct error why = ERROR_INIT;
    int rc = backend_list(b, "charter", on_charter, &s, &why);
    if (rc == E_NOT_FOUND)
        rc = 0;
    for (size_t i = 0; rc == 0 && i < s.found.len; i++)
        rc = judge(b, vec_at(&s.found, i), &why);
    vec_free(&s.found);
    return rc < 0 ? error_copy(err, &why) : 0;
}

/* ---- making it ----------------------------------------------------------------------------------------- */

/* On a server where directories are its owner's matter (`storage setup-script`): those of all roles are there, and
 * those of the writers follow when the writers are known. */
static bool prepared(struct backend *b, const struct charter *c, size_t *unmade)
{
    static const char *const roles[] = { "charter", "ret", "grant", "w" };
    char name[NAME_TEXT_MAX];
    struct backend_stat st;
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (backend_stat(b, roles[i], &st, NULL) < 0 || !st.is_dir)
            return false;
    for (size_t i = 0; i < c->writers.len; i++) {
        const struct charter_writer *w = vec_at(&c->writers, i);
        *unmade += backend_stat(b, name_writer_dir(name, w->id), &st, NULL) < 0;
    }
    return true;
}

int init_storage_dirs(const struct init_request *r, struct backend *b, const struct charter *c,
                      size_t *unmade, struct error *err)
{
    struct error why = ERROR_INIT;
    int rc = repo_create_dirs(b, c, &why);
    *unmade = 0;
    if (rc == E_DENIED && prepared(b, c, unmade))
        return 0;
    if (rc < 0)
        return denied(r, b, rc, &why) < 0 ? error_copy(err, &why) : rc;
    return 0;
}

int init_storage_publish(struct backend *b, const struct buf *charter, bool *maybe, struct error *err)
{
    struct error why = ERROR_INIT;
    char name[NAME_TEXT_MAX];
    struct backend_stat st;
    int rc = repo_publish_charter(b, NULL, charter->data, charter->len, NULL, err);
    *maybe = rc < 0 && backend_stat(b, name_charter(name, 1, 0), &st, &why) != E_NOT_FOUND;
    return rc;
}

int init_storage_verify(const struct init_request *r, const struct access_root *pin, struct error *err)
{
    struct repo *repo = NULL;
    struct repo_options options = { .writer = NULL };
    uint8_t none[WRITER_ID_LEN] = { 0 };
    struct error why = ERROR_INIT;
    options.writer = none; /* the charter and the retention log are enough */
    struct backend *b = access_storage(&r->repository->storage, &why);
    int rc = b != NULL ? repo_open(b, pin->root_pk, &options, &repo, &why) : why.code;
    repo_close(repo);
    backend_close(b);
    return rc < 0 ? error_copy(err, &why) : 0;
}
