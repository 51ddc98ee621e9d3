#include "common/backend/sftp_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/activity.h"
#include "common/base/banned.h"

enum {
    READ_PIECE = 1024 * 1024, /* libssh2 asks four times this ahead */
    AHEAD_FIRST = 64 * 1024,
};

struct read_args {
    const char *name;
    uint64_t offset;
    char *data;
    size_t len;
};

static int read_open(struct sftp *s, const char *name, struct error *err)
{
    if (s->read_handle != NULL && strcmp(s->read_name, name) == 0)
        return 0;
    int rc = sftp_close_handle(s, &s->read_handle);
    if (rc < 0 && sftp_status(s, rc) == LIBSSH2_FX_OK)
        return sftp_fail(s, rc, "close", s->read_name, err);
    char *path = sftp_path(s, name, err);
    if (path == NULL)
        return E_NOMEM;
    do {
        s->read_handle = libssh2_sftp_open_ex(s->channel, path, (unsigned)strlen(path), LIBSSH2_FXF_READ, 0,
                                              LIBSSH2_SFTP_OPENFILE);
        rc = s->read_handle != NULL ? 0 : libssh2_session_last_errno(s->session);
    } while (s->read_handle == NULL && sftp_again(s, rc));
    free(path);
    if (s->read_handle == NULL)
        return sftp_fail(s, rc, "open", name, err);
    (void)snprintf(s->read_name, sizeof s->read_name, "%s", name);
    s->read_at = 0;
    s->read_next = UINT64_MAX;
    s->ahead.len = 0;
    s->ahead_size = 0;
    return 0;
}

/* What is left over from reading ahead. */
static size_t take_ahead(struct sftp *s, uint64_t at, char *out, size_t len)
{
    if (at < s->ahead_at || at - s->ahead_at >= s->ahead.len)
        return 0;
    size_t skip = (size_t)(at - s->ahead_at);
    size_t n = s->ahead.len - skip < len ? s->ahead.len - skip : len;
    memcpy(out, s->ahead.data + skip, n);
    return n;
}

static ssize_t fetch(struct sftp *s, uint64_t at, void *out, size_t len)
{
    if (s->read_at != at) /* else what libssh2 asked for in advance is kept */
        libssh2_sftp_seek64(s->read_handle, at);
    s->read_at = at;
    ssize_t n;
    do
        n = libssh2_sftp_read(s->read_handle, out, len < READ_PIECE ? len : READ_PIECE);
    while (sftp_again(s, n));
    if (n > 0)
        s->read_at += (uint64_t)n;
    activity_add(n > 0 ? (uint64_t)n : 0);
    return n;
}

/* Small reads one after the other would each wait for a round trip, so from the second on more is fetched,
 * and each time twice as much: somebody who only looks at two neighbouring fields does not pay for a
 * megabyte. */
static int fill_ahead(struct sftp *s, const char *name, uint64_t at, size_t need, struct error *err)
{
    s->ahead.len = 0;
    s->ahead_at = at;
    s->ahead_size = s->ahead_size < AHEAD_FIRST ? AHEAD_FIRST : 2 * s->ahead_size;
    if (s->ahead_size > READ_PIECE)
        s->ahead_size = READ_PIECE;
    size_t size = s->ahead_size > need ? s->ahead_size : need;
    int rc = buf_reserve(&s->ahead, size, err);
    if (rc < 0)
        return rc;
    while (s->ahead.len < need) {
        ssize_t n = fetch(s, at + s->ahead.len, s->ahead.data + s->ahead.len, size - s->ahead.len);
        if (n < 0)
            return sftp_fail(s, n, "read", name, err);
        if (n == 0)
            break; /* the caller finds out */
        s->ahead.len += (size_t)n;
    }
    return 0;
}

static int read_range(struct sftp *s, const struct read_args *a, struct error *err)
{
    size_t got = take_ahead(s, a->offset, a->data, a->len);
    bool follows = a->offset == s->read_next && a->len <= READ_PIECE / 4;
    if (!follows && got == 0)
        s->ahead_size = 0;
    if (follows && got < a->len) {
        int rc = fill_ahead(s, a->name, a->offset + got, a->len - got, err);
        if (rc < 0)
            return rc;
        got += take_ahead(s, a->offset + got, a->data + got, a->len - got);
    }
    while (got < a->len) {
        ssize_t n = fetch(s, a->offset + got, a->data + got, a->len - got);
        if (n < 0)
            return sftp_fail(s, n, "read", a->name, err);
        if (n == 0)
            return error_corrupt(err, "short-file", "%s in %s ends at %llu, wanted %zu bytes at %llu",
                                 a->name, s->base.where, (unsigned long long)a->offset + got, a->len,
                                 (unsigned long long)a->offset);
        got += (size_t)n;
    }
    s->read_next = a->offset + got;
    return 0;
}

static int read_op(struct sftp *s, void *arg, struct error *err)
{
    const struct read_args *a = arg;
    int rc = read_open(s, a->name, err);
    if (rc < 0)
        return rc;
    rc = read_range(s, a, err);
    /* A handle that failed stands nowhere in particular. */
    if (rc < 0 && sftp_close_handle(s, &s->read_handle) < 0)
        sftp_drop(s);
    return rc;
}

int sftp_read(struct backend *b, const char *name, uint64_t offset, void *data, size_t len, struct error *err)
{
    struct read_args args = { .name = name, .offset = offset, .data = data, .len = len };
    return sftp_repeat(sftp_of(b), read_op, &args, err);
}
