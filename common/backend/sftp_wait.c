#include "common/backend/sftp_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "common/base/clock.h"

#include "common/base/banned.h"

void sftp_clock_start(struct sftp *s)
{
    s->deadline = clock_mono_ms() + s->options.deadline_ms;
    s->trouble = SFTP_FINE;
}

/* Each wait has the whole stall time again: what counts is silence, not slowness. Slowness meets the
 * deadline. */
int sftp_wait_fd(struct sftp *s, short events)
{
    uint64_t start = clock_mono_ms();
    for (;;) {
        uint64_t now = clock_mono_ms();
        uint64_t silence_end = start + s->options.stall_ms;
        uint64_t end = silence_end < s->deadline ? silence_end : s->deadline;
        if (now >= end) {
            s->trouble = now >= s->deadline ? SFTP_LATE : SFTP_STALLED;
            return -1;
        }
        struct pollfd p = { .fd = s->fd, .events = events, .revents = 0 };
        uint64_t wait = end - now;
        int n = poll(&p, 1, wait > 60000 ? 60000 : (int)wait);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR) {
            s->trouble = SFTP_POLL_FAILED;
            return -1;
        }
    }
}

bool sftp_again(struct sftp *s, ssize_t rc)
{
    if (rc != LIBSSH2_ERROR_EAGAIN)
        return false;
    int directions = libssh2_session_block_directions(s->session);
    short events = 0;
    if (directions & LIBSSH2_SESSION_BLOCK_OUTBOUND)
        events |= POLLOUT;
    if ((directions & LIBSSH2_SESSION_BLOCK_INBOUND) || events == 0)
        events |= POLLIN;
    return sftp_wait_fd(s, events) == 0;
}

static const char *rc_text(ssize_t rc)
{
    switch (rc) {
    case LIBSSH2_ERROR_SOCKET_SEND:
    case LIBSSH2_ERROR_SOCKET_RECV:
    case LIBSSH2_ERROR_SOCKET_DISCONNECT:
    case LIBSSH2_ERROR_SOCKET_NONE:
    case LIBSSH2_ERROR_CHANNEL_CLOSED:
    case LIBSSH2_ERROR_CHANNEL_EOF_SENT:
    case LIBSSH2_ERROR_CHANNEL_FAILURE:
    case LIBSSH2_ERROR_AUTHENTICATION_FAILED:
    case LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED:
        return "the server or the network closed the connection";
    case LIBSSH2_ERROR_BANNER_RECV:
    case LIBSSH2_ERROR_BANNER_SEND:
        return "no SSH server answered there";
    case LIBSSH2_ERROR_INVALID_MAC:
    case LIBSSH2_ERROR_DECRYPT:
    case LIBSSH2_ERROR_PROTO:
    case LIBSSH2_ERROR_SFTP_PROTOCOL:
    case LIBSSH2_ERROR_OUT_OF_BOUNDARY:
        return "damaged data arrived";
    default:
        return "the SSH library gave up";
    }
}

int sftp_lost(const struct sftp *s, ssize_t rc, const char *what, struct error *err)
{
    const char *where = s->base.where;
    switch (s->trouble) {
    case SFTP_STALLED:
        return error_set(err, E_RETRY,
                         "%s: %s: no byte for %u s; server or network hang (setting: stall time)", where,
                         what, (s->options.stall_ms + 999) / 1000);
    case SFTP_LATE:
        return error_set(err, E_RETRY, "%s: %s: not done after %u s (setting: deadline)", where, what,
                         (s->options.deadline_ms + 999) / 1000);
    case SFTP_POLL_FAILED:
        return error_set(err, E_RETRY, "%s: %s: poll on the connection failed", where, what);
    case SFTP_FINE:
    default:
        return error_set(err, E_RETRY, "%s: %s: %s (libssh2 %d)", where, what, rc_text(rc), (int)rc);
    }
}

unsigned long sftp_status(const struct sftp *s, ssize_t rc)
{
    return rc == LIBSSH2_ERROR_SFTP_PROTOCOL && s->channel != NULL ? libssh2_sftp_last_error(s->channel)
                                                                   : LIBSSH2_FX_OK;
}

static int status_error(const struct sftp *s, unsigned long status, const char *what, const char *name,
                        struct error *err)
{
    const char *where = s->base.where;
    switch (status) {
    case LIBSSH2_FX_NO_SUCH_FILE:
    case LIBSSH2_FX_NO_SUCH_PATH:
        return error_set(err, E_NOT_FOUND, "%s %s: it, or its directory, does not exist in %s", what, name,
                         where);
    case LIBSSH2_FX_PERMISSION_DENIED:
    case LIBSSH2_FX_WRITE_PROTECT:
        return error_set(err, E_DENIED,
                         "%s %s: permission denied in %s (by the file system, or by the requests that this "
                         "account's command= line allows)",
                         what, name, where);
    case LIBSSH2_FX_OP_UNSUPPORTED:
        return error_set(err, E_UNSUPPORTED, "%s %s: %s cannot do that", what, name, where);
    case LIBSSH2_FX_FILE_ALREADY_EXISTS:
        return error_set(err, E_EXISTS, "%s %s: it exists already in %s", what, name, where);
    case LIBSSH2_FX_NO_SPACE_ON_FILESYSTEM:
    case LIBSSH2_FX_QUOTA_EXCEEDED:
        return error_set(err, E_NO_SPACE, "%s %s: disk full or quota reached in %s", what, name, where);
    default:
        return error_set(err, E_IO,
                         "%s %s: %s said failure (status %lu): disk full, quota or policy; its log knows",
                         what, name, where, status);
    }
}

int sftp_fail(struct sftp *s, ssize_t rc, const char *what, const char *name, struct error *err)
{
    unsigned long status = sftp_status(s, rc);
    if (status != LIBSSH2_FX_OK && status != LIBSSH2_FX_NO_CONNECTION && status != LIBSSH2_FX_CONNECTION_LOST)
        return status_error(s, status, what, name, err);
    int code;
    if (rc == LIBSSH2_ERROR_ALLOC)
        code = error_set(err, E_NOMEM, "%s: %s %s: out of memory", s->base.where, what, name);
    else if (rc == LIBSSH2_ERROR_BUFFER_TOO_SMALL)
        code = error_set(err, E_UNSUPPORTED, "%s: %s %s: a file name there is too long", s->base.where, what,
                         name);
    else {
        char text[BACKEND_NAME_MAX + 32];
        (void)snprintf(text, sizeof text, "%s %s", what, name);
        code = sftp_lost(s, rc, text, err);
    }
    sftp_drop(s);
    return code;
}
