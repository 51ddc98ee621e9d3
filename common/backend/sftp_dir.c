#include "common/backend/sftp_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/backend/listing.h"
#include "common/base/str.h"

#include "common/base/banned.h"

enum { ENTRY_MAX = 4096 }; /* libssh2 1.10 loses an entry whose name does not fit */

/* ---- list ---------------------------------------------------------------------------------------------- */

struct list_args {
    const char *dir;
    struct listing listing;
};

static int list_open(struct sftp *s, const char *dir, struct error *err)
{
    char *path = sftp_path(s, dir, err);
    if (path == NULL)
        return E_NOMEM;
    int rc;
    do {
        s->list_handle =
            libssh2_sftp_open_ex(s->channel, path, (unsigned)strlen(path), 0, 0, LIBSSH2_SFTP_OPENDIR);
        rc = s->list_handle != NULL ? 0 : libssh2_session_last_errno(s->session);
    } while (s->list_handle == NULL && sftp_again(s, rc));
    free(path);
    return s->list_handle != NULL ? 0 : sftp_fail(s, rc, "list", dir, err);
}

static int list_read(struct sftp *s, struct list_args *a, struct error *err)
{
    char name[ENTRY_MAX];
    for (;;) {
        LIBSSH2_SFTP_ATTRIBUTES attributes = { 0 };
        int n;
        do
            n = libssh2_sftp_readdir_ex(s->list_handle, name, sizeof name - 1, NULL, 0, &attributes);
        while (sftp_again(s, n));
        if (n < 0)
            return sftp_fail(s, n, "list", a->dir, err);
        if (n == 0)
            return 0;
        name[n] = '\0';
        struct backend_stat st = sftp_stat_of(&attributes);
        int rc = listing_add(&a->listing, name, &st, err);
        if (rc < 0)
            return rc;
    }
}

static int list_op(struct sftp *s, void *arg, struct error *err)
{
    struct list_args *a = arg;
    listing_clear(&a->listing);
    int rc = list_open(s, a->dir, err);
    if (rc < 0)
        return rc;
    rc = list_read(s, a, err);
    int ssh = sftp_close_handle(s, &s->list_handle);
    if (ssh < 0 && rc == 0)
        rc = sftp_fail(s, ssh, "close the list of", a->dir, err);
    else if (ssh < 0)
        sftp_drop(s);
    return rc;
}

int sftp_list(struct backend *b, const char *dir, backend_list_fn *fn, void *arg, struct error *err)
{
    struct list_args args = { .dir = dir, .listing = LISTING_INIT };
    int rc = sftp_repeat(sftp_of(b), list_op, &args, err);
    if (rc == 0)
        rc = listing_report(&args.listing, fn, arg, err);
    listing_free(&args.listing);
    return rc;
}

/* ---- remove, make_dir ---------------------------------------------------------------------------------- */

struct change_args {
    const char *name;
    unsigned mode;
    bool sent; /* an earlier attempt may have done it although its answer was lost */
};

static int remove_op(struct sftp *s, void *arg, struct error *err)
{
    struct change_args *a = arg;
    int rc;
    if (s->read_handle != NULL && strcmp(s->read_name, a->name) == 0) {
        rc = sftp_close_handle(s, &s->read_handle);
        if (rc < 0)
            return sftp_fail(s, rc, "close", a->name, err);
    }
    char *path = sftp_path(s, a->name, err);
    if (path == NULL)
        return E_NOMEM;
    bool again = a->sent;
    a->sent = true;
    do
        rc = libssh2_sftp_unlink_ex(s->channel, path, (unsigned)strlen(path));
    while (sftp_again(s, rc));
    free(path);
    if (rc == 0 || (again && sftp_status(s, rc) == LIBSSH2_FX_NO_SUCH_FILE))
        return 0;
    return sftp_fail(s, rc, "remove", a->name, err);
}

int sftp_remove(struct backend *b, const char *name, struct error *err)
{
    struct change_args args = { .name = name, .mode = 0, .sent = false };
    return sftp_repeat(sftp_of(b), remove_op, &args, err);
}

static int make_dir_op(struct sftp *s, void *arg, struct error *err)
{
    struct change_args *a = arg;
    char *path = sftp_path(s, a->name, err);
    if (path == NULL)
        return E_NOMEM;
    bool again = a->sent;
    a->sent = true;
    int rc;
    do
        rc = libssh2_sftp_mkdir_ex(s->channel, path, (unsigned)strlen(path), (long)a->mode);
    while (sftp_again(s, rc));
    free(path);
    if (rc == 0)
        return 0;
    struct backend_stat st;
    bool failure = sftp_status(s, rc) == LIBSSH2_FX_FAILURE;
    int code = sftp_fail(s, rc, "make directory", a->name, err);
    if (!failure || sftp_stat_once(s, a->name, &st, NULL) < 0)
        return code;
    if (again && st.is_dir)
        return 0;
    return error_set(err, E_EXISTS, "%s exists already in %s", a->name, s->base.where);
}

int sftp_make_dir(struct backend *b, const char *name, unsigned mode, struct error *err)
{
    struct change_args args = { .name = name, .mode = mode, .sent = false };
    return sftp_repeat(sftp_of(b), make_dir_op, &args, err);
}
