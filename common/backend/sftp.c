#include "common/backend/sftp_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"

#include "common/base/banned.h"

enum {
    DEFAULT_PORT = 22,
    DEFAULT_STALL_MS = 30 * 1000,
    DEFAULT_DEADLINE_MS = 30 * 60 * 1000,
    DEFAULT_RETRIES = 3,
    FIRST_PAUSE_MS = 100,
    LONGEST_PAUSE_MS = 5000,
};

struct sftp *sftp_of(struct backend *b)
{
    return (struct sftp *)(void *)b;
}

char *sftp_path(const struct sftp *s, const char *name, struct error *err)
{
    if (name[0] == '\0')
        return str_dup(s->options.path, err);
    return str_printf(err, "%s%s%s", s->options.path, str_ends(s->options.path, "/") ? "" : "/", name);
}

int sftp_close_handle(struct sftp *s, LIBSSH2_SFTP_HANDLE **handle)
{
    int rc;
    if (*handle == NULL)
        return 0;
    do
        rc = libssh2_sftp_close_handle(*handle);
    while (sftp_again(s, rc));
    if (rc != LIBSSH2_ERROR_EAGAIN) /* else it still exists, and sftp_drop frees it */
        *handle = NULL;
    return rc;
}

/* ---- repeating ----------------------------------------------------------------------------------------- */

static void rest(unsigned attempt)
{
    unsigned ms = FIRST_PAUSE_MS;
    for (unsigned i = 0; i < attempt && ms < LONGEST_PAUSE_MS; i++)
        ms *= 4;
    if (ms > LONGEST_PAUSE_MS)
        ms = LONGEST_PAUSE_MS;
    struct timespec t = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000L };
    (void)nanosleep(&t, NULL);
}

int sftp_repeat(struct sftp *s, sftp_op *op, void *arg, struct error *err)
{
    sftp_clock_start(s);
    for (unsigned attempt = 0;; attempt++) {
        struct error cause = ERROR_INIT;
        sftp_settle(s, NULL);
        int rc = s->channel != NULL ? 0 : sftp_connect(s, &cause);
        if (rc == 0)
            rc = op(s, arg, &cause);
        if (rc >= 0)
            return rc;
        if (rc != E_RETRY || attempt >= s->options.retries || clock_mono_ms() >= s->deadline)
            return error_copy(err, &cause);
        log_event(LOG_INFO, "%s; trying again", cause.text);
        rest(attempt);
    }
}

/* ---- stat, space --------------------------------------------------------------------------------------- */

struct backend_stat sftp_stat_of(const LIBSSH2_SFTP_ATTRIBUTES *a)
{
    return (struct backend_stat){
        .size = a->flags & LIBSSH2_SFTP_ATTR_SIZE ? a->filesize : 0,
        .mtime = a->flags & LIBSSH2_SFTP_ATTR_ACMODTIME ? a->mtime : 0,
        .is_dir = (a->flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) && LIBSSH2_SFTP_S_ISDIR(a->permissions),
    };
}

int sftp_stat_once(struct sftp *s, const char *name, struct backend_stat *st, struct error *err)
{
    char *path = sftp_path(s, name, err);
    if (path == NULL)
        return E_NOMEM;
    LIBSSH2_SFTP_ATTRIBUTES a;
    int rc;
    do
        rc = libssh2_sftp_stat_ex(s->channel, path, (unsigned)strlen(path), LIBSSH2_SFTP_LSTAT, &a);
    while (sftp_again(s, rc));
    free(path);
    if (rc < 0)
        return sftp_fail(s, rc, "stat", name, err);
    if (!(a.flags & LIBSSH2_SFTP_ATTR_SIZE))
        return error_set(err, E_UNSUPPORTED, "stat %s: %s tells no sizes", name, s->base.where);
    *st = sftp_stat_of(&a);
    return 0;
}

struct stat_args {
    const char *name;
    struct backend_stat *st;
};

static int stat_op(struct sftp *s, void *arg, struct error *err)
{
    const struct stat_args *a = arg;
    return sftp_stat_once(s, a->name, a->st, err);
}

int sftp_stat(struct backend *b, const char *name, struct backend_stat *st, struct error *err)
{
    struct stat_args args = { .name = name, .st = st };
    return sftp_repeat(sftp_of(b), stat_op, &args, err);
}

int sftp_space_once(struct sftp *s, struct backend_space *space, struct error *err)
{
    const char *path = s->options.path;
    LIBSSH2_SFTP_STATVFS st;
    int rc;
    do
        rc = libssh2_sftp_statvfs(s->channel, path, strlen(path), &st);
    while (sftp_again(s, rc));
    unsigned long status = sftp_status(s, rc);
    if (status == LIBSSH2_FX_OP_UNSUPPORTED || status == LIBSSH2_FX_PERMISSION_DENIED) {
        s->base.caps &= ~(unsigned)BACKEND_SPACE;
        return error_set(err, E_UNSUPPORTED, "%s does not tell its free space", s->base.where);
    }
    if (rc < 0)
        return sftp_fail(s, rc, "ask for the free space of", path, err);
    uint64_t unit = st.f_frsize != 0 ? st.f_frsize : st.f_bsize;
    *space = (struct backend_space){ .total = unit * st.f_blocks, .available = unit * st.f_bavail };
    return 0;
}

static int space_op(struct sftp *s, void *arg, struct error *err)
{
    return sftp_space_once(s, arg, err);
}

int sftp_space(struct backend *b, struct backend_space *space, struct error *err)
{
    return sftp_repeat(sftp_of(b), space_op, space, err);
}

/* ---- open, close --------------------------------------------------------------------------------------- */

static void sftp_close(struct backend *b)
{
    struct sftp *s = sftp_of(b);
    if (s->session != NULL) /* a word of goodbye for the server's log; nobody waits for its arrival */
        (void)libssh2_session_disconnect(s->session, "done");
    sftp_drop(s);
    buf_free(&s->ahead);
    for (size_t i = 0; i < SFTP_STRINGS; i++)
        free(s->owned[i]);
    free(s);
}

static struct backend *sftp_clone(const struct backend *b, struct error *err)
{
    return backend_sftp(&((const struct sftp *)(const void *)b)->options, err);
}

static const struct backend_ops sftp_ops = {
    .clone = sftp_clone,
    .close = sftp_close,
    .create = sftp_create,
    .write = sftp_write,
    .finish = sftp_finish,
    .release = sftp_release,
    .read = sftp_read,
    .stat = sftp_stat,
    .list = sftp_list,
    .remove = sftp_remove,
    .make_dir = sftp_make_dir,
    .space = sftp_space,
};

static int copy_strings(struct sftp *s, struct error *err)
{
    struct sftp_options *o = &s->options;
    const char **fields[SFTP_STRINGS] = { &o->host,     &o->user,     &o->path,
                                          &o->key_file, &o->host_key, &o->known_hosts };
    for (size_t i = 0; i < SFTP_STRINGS; i++) {
        if (*fields[i] == NULL)
            continue;
        s->owned[i] = str_dup(*fields[i], err);
        if (s->owned[i] == NULL)
            return E_NOMEM;
        *fields[i] = s->owned[i];
    }
    return 0;
}

static void set_defaults(struct sftp_options *o)
{
    if (o->port == 0)
        o->port = DEFAULT_PORT;
    if (o->path[0] == '\0')
        o->path = ".";
    if (o->stall_ms == 0)
        o->stall_ms = DEFAULT_STALL_MS;
    if (o->deadline_ms == 0)
        o->deadline_ms = DEFAULT_DEADLINE_MS;
    if (o->retries == 0)
        o->retries = DEFAULT_RETRIES;
}

struct backend *backend_sftp(const struct sftp_options *options, struct error *err)
{
    if (options->host == NULL || options->host[0] == '\0' || options->user == NULL ||
        options->user[0] == '\0' || options->path == NULL || options->port > 65535) {
        (void)error_set(err, E_USAGE, "an SFTP storage needs a host, a user, a path, and a port up to 65535");
        return NULL;
    }
    struct sftp *s = mem_alloc(1, sizeof *s, err);
    if (s == NULL)
        return NULL;
    s->fd = -1;
    s->options = *options;
    set_defaults(&s->options);
    const struct sftp_options *o = &s->options;
    s->base.ops = &sftp_ops;
    s->base.caps = BACKEND_FSYNC | BACKEND_SPACE; /* until the server says otherwise */
    s->base.where = str_printf(err, "sftp://%s@%s:%u%s%s", o->user, o->host, o->port,
                               o->path[0] == '/' ? "" : "/~/", o->path);
    if (s->base.where == NULL || copy_strings(s, err) < 0) {
        backend_close(&s->base);
        return NULL;
    }
    return &s->base;
}

static int nothing(struct sftp *s, void *arg, struct error *err)
{
    (void)s;
    (void)arg;
    (void)err;
    return 0;
}

int sftp_connect_now(struct backend *b, struct error *err)
{
    if (b->ops != &sftp_ops)
        return error_set(err, E_USAGE, "%s is not an SFTP storage", b->where);
    return sftp_repeat(sftp_of(b), nothing, NULL, err);
}

int sftp_scan_host_key(const struct sftp_options *options, char **fingerprint, char **line, struct error *err)
{
    struct error cause = ERROR_INIT;
    struct backend *b = backend_sftp(options, &cause);
    if (b == NULL)
        return error_copy(err, &cause);
    struct sftp *s = sftp_of(b);
    char *print = NULL;
    char *text = NULL;
    sftp_clock_start(s);
    int rc = sftp_handshake(s, sftp_all_hostkey_types, err);
    if (rc < 0)
        goto out;
    print = sftp_hostkey_fingerprint(s, err);
    text = print != NULL ? sftp_hostkey_line(s, err) : NULL;
    if (text == NULL) {
        free(print);
        rc = E_UNSUPPORTED;
        goto out;
    }
    *fingerprint = print;
    *line = text;
out:
    backend_close(b);
    return rc;
}
