#include "common/backend/sftp_internal.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/activity.h"
#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"

#include "common/base/banned.h"

/* OpenSSH's channel window is 2 MiB: more on the wire brings nothing. While the caller prepares the next
 * block, the second half of the window is still under way. */
enum {
    WINDOW = 2 * 1024 * 1024,
    WINDOW_REST = WINDOW / 2,
    PENDING_MAX = WINDOW + WINDOW_REST,
    FILE_MODE =
        0444, /* the account's umask takes away more; charters and the retention log are for all roles */
    SPACE_CHECK_FROM = 1024 * 1024, /* below this a round trip to ask costs more than it saves */
};

static struct sftp_upload *upload_of(struct upload *base)
{
    return (struct sftp_upload *)(void *)base;
}

static bool in_flight(const struct sftp_upload *u)
{
    return u->handle != NULL && u->asked > u->done;
}

/* ---- create -------------------------------------------------------------------------------------------- */

static int too_little(const struct sftp *s, const char *name, uint64_t available, struct error *err)
{
    char text[NUMBER_TEXT_MAX];
    return error_set(err, E_NO_SPACE, "write %s: no space left in %s (%s free)", name, s->base.where,
                     size_format(text, available));
}

struct create_args {
    struct sftp_upload *upload;
    uint64_t expect;
};

/* SFTP has one status for "exists", "no space" and the rest: ask what it was. */
static int create_failed(struct sftp *s, const char *name, int rc, struct error *err)
{
    struct backend_stat st;
    struct backend_space space;
    if (sftp_status(s, rc) != LIBSSH2_FX_FAILURE)
        return sftp_fail(s, rc, "create", name, err);
    struct error refusal = ERROR_INIT;
    int code = sftp_fail(s, rc, "create", name, &refusal);
    int found = sftp_stat_once(s, name, &st, err);
    if (found == 0)
        return error_set(err, E_EXISTS, "%s exists already in %s; nothing is ever overwritten", name,
                         s->base.where);
    if (found == E_RETRY)
        return found;
    if (sftp_space_once(s, &space, err) == 0 && space.available < SPACE_CHECK_FROM)
        return too_little(s, name, space.available, err);
    if (err != NULL)
        *err = refusal;
    return code;
}

static int create_once(struct sftp *s, void *arg, struct error *err)
{
    struct create_args *a = arg;
    const char *name = a->upload->name;
    struct backend_space space;
    if (a->expect >= SPACE_CHECK_FROM && (s->base.caps & BACKEND_SPACE)) {
        int asked = sftp_space_once(s, &space, err);
        if (asked == E_RETRY)
            return asked;
        if (asked == 0 && space.available < a->expect)
            return too_little(s, name, space.available, err);
    }
    char *path = sftp_path(s, name, err);
    if (path == NULL)
        return E_NOMEM;
    LIBSSH2_SFTP_HANDLE *h;
    int rc;
    do {
        h = libssh2_sftp_open_ex(s->channel, path, (unsigned)strlen(path),
                                 LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_EXCL, FILE_MODE,
                                 LIBSSH2_SFTP_OPENFILE);
        rc = h != NULL ? 0 : libssh2_session_last_errno(s->session);
    } while (h == NULL && sftp_again(s, rc));
    free(path);
    if (h == NULL)
        return create_failed(s, name, rc, err);
    a->upload->handle = h;
    return 0;
}

struct upload *sftp_create(struct backend *b, const char *name, uint64_t expect, struct error *err)
{
    struct sftp *s = sftp_of(b);
    struct sftp_upload *u = mem_alloc(1, sizeof *u, err);
    if (u == NULL)
        return NULL;
    u->base.backend = b;
    u->name = str_dup(name, err);
    struct create_args args = { .upload = u, .expect = expect };
    if (u->name == NULL || sftp_repeat(s, create_once, &args, err) < 0) {
        free(u->name);
        free(u);
        return NULL;
    }
    u->next = s->uploads;
    s->uploads = u;
    return &u->base;
}

/* ---- write --------------------------------------------------------------------------------------------- */

static int gone(const struct sftp_upload *u, struct error *err)
{
    return error_set(err, E_RETRY, "write %s: the connection to %s was lost and this upload with it", u->name,
                     u->base.backend->where);
}

/* After a refused write the stream may stand in the middle of a packet: the session is of no use any more. */
static int write_failed(struct sftp *s, struct sftp_upload *u, ssize_t rc, struct error *err)
{
    bool refused = sftp_status(s, rc) == LIBSSH2_FX_FAILURE;
    int code = sftp_fail(s, rc, "write", u->name, err);
    sftp_drop(s);
    struct backend_space space;
    if (refused && sftp_space(&s->base, &space, NULL) == 0 && space.available < SPACE_CHECK_FROM)
        code = too_little(s, u->name, space.available, err);
    return code;
}

/* Sends until at most `leave` bytes are unacknowledged. libssh2 gets the same bytes again from the first
 * unacknowledged one, plus what was appended since. */
static int pump(struct sftp *s, struct sftp_upload *u, size_t leave, struct error *err)
{
    while (u->pending.len - u->done > leave) {
        if (u->handle == NULL)
            return gone(u, err);
        size_t left = u->pending.len - u->done;
        size_t ask = left < WINDOW ? left : WINDOW;
        ssize_t n;
        do {
            if (u->asked < u->done + ask)
                u->asked = u->done + ask;
            n = libssh2_sftp_write(u->handle, (const char *)u->pending.data + u->done, ask);
        } while (sftp_again(s, n) || (n == 0 && sftp_wait_fd(s, POLLIN) == 0));
        if (n <= 0)
            return write_failed(s, u, n, err);
        u->done += (size_t)n;
        activity_add((uint64_t)n);
    }
    buf_consume(&u->pending, u->done);
    u->asked -= u->done < u->asked ? u->done : u->asked;
    u->done = 0;
    return 0;
}

void sftp_settle(struct sftp *s, const struct sftp_upload *except)
{
    for (struct sftp_upload *u = s->uploads; u != NULL; u = u->next) {
        if (u == except || !in_flight(u))
            continue;
        int rc = pump(s, u, 0, NULL);
        if (rc < 0)
            u->base.failed = rc;
    }
}

static int append(struct sftp_upload *u, const uint8_t **p, size_t *len, struct error *err)
{
    size_t room = PENDING_MAX - u->pending.len;
    size_t n = *len < room ? *len : room;
    int rc = buf_append(&u->pending, *p, n, err);
    if (rc < 0)
        return rc;
    *p += n;
    *len -= n;
    u->written += n;
    return 0;
}

int sftp_write(struct upload *base, const void *data, size_t len, struct error *err)
{
    struct sftp_upload *u = upload_of(base);
    struct sftp *s = sftp_of(base->backend);
    const uint8_t *p = data;
    sftp_clock_start(s);
    while (len > 0) {
        if (u->handle == NULL)
            return gone(u, err);
        int rc = append(u, &p, &len, err);
        if (rc == 0 && u->pending.len >= WINDOW) {
            sftp_settle(s, u);
            rc = pump(s, u, WINDOW_REST, err);
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- finish -------------------------------------------------------------------------------------------- */

static int sync_file(struct sftp *s, struct sftp_upload *u, struct error *err)
{
    if (s->no_fsync)
        return 0;
    int rc;
    do
        rc = libssh2_sftp_fsync(u->handle);
    while (sftp_again(s, rc));
    unsigned long status = sftp_status(s, rc);
    if (status == LIBSSH2_FX_OP_UNSUPPORTED || status == LIBSSH2_FX_PERMISSION_DENIED) {
        s->no_fsync = true;
        s->base.caps &= ~(unsigned)BACKEND_FSYNC;
        log_event(LOG_WARN, "%s has no fsync: a power cut there may lose files it said were stored",
                  s->base.where);
        return 0;
    }
    return rc < 0 ? sftp_fail(s, rc, "fsync", u->name, err) : 0;
}

int sftp_finish(struct upload *base, struct error *err)
{
    struct sftp_upload *u = upload_of(base);
    struct sftp *s = sftp_of(base->backend);
    sftp_clock_start(s);
    if (u->handle == NULL)
        return gone(u, err);
    sftp_settle(s, u);
    int rc = pump(s, u, 0, err);
    if (rc < 0)
        return rc;
    if (u->handle == NULL)
        return gone(u, err);
    rc = sync_file(s, u, err);
    if (rc < 0)
        return rc;
    int ssh = sftp_close_handle(s, &u->handle);
    if (ssh < 0)
        return sftp_fail(s, ssh, "close", u->name, err);
    struct backend_stat st;
    rc = sftp_stat(base->backend, u->name, &st, err);
    if (rc == 0 && st.size != u->written)
        rc = error_set(err, E_IO,
                       "%s has %llu bytes in %s after writing %llu: disk full, or somebody else writes there",
                       u->name, (unsigned long long)st.size, s->base.where, (unsigned long long)u->written);
    return rc;
}

void sftp_release(struct upload *base)
{
    struct sftp_upload *u = upload_of(base);
    struct sftp *s = sftp_of(base->backend);
    if (u->handle != NULL) {
        sftp_clock_start(s);
        /* Closing with a packet half sent would garble the stream. */
        if (in_flight(u) || sftp_close_handle(s, &u->handle) < 0)
            sftp_drop(s);
    }
    struct sftp_upload **at = &s->uploads;
    while (*at != NULL && *at != u)
        at = &(*at)->next;
    if (*at == u)
        *at = u->next;
    buf_free(&u->pending);
    free(u->name);
    free(u);
}
