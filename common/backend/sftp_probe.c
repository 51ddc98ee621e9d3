#include "common/backend/sftp_probe.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/sftp_internal.h"
#include "common/base/str.h"

#include "common/base/banned.h"

/* Of protocol 3 (draft-ietf-secsh-filexfer-02), which every server speaks. */
enum {
    SSH_INIT = 1,
    SSH_VERSION = 2,
    SSH_OPEN = 3,
    SSH_CLOSE = 4,
    SSH_SETSTAT = 9,
    SSH_FSETSTAT = 10,
    SSH_REMOVE = 13,
    SSH_MKDIR = 14,
    SSH_RMDIR = 15,
    SSH_RENAME = 18,
    SSH_SYMLINK = 20,
    SSH_STATUS = 101,
    SSH_HANDLE = 102,
    SSH_EXTENDED = 200,
    OPEN_READ = 1,
    OPEN_WRITE = 2,
    OPEN_CREAT = 8,
    OPEN_EXCL = 32,
    PACKET_MAX = 256 * 1024,
    PROTOCOL = 3,
};

struct conversation {
    struct sftp *s;
    LIBSSH2_CHANNEL *channel;
    struct buf out;
    struct buf in; /* the last packet, from its type on */
    uint32_t id;
    int rc; /* of what failed first: then nothing more is sent */
    struct error *err;
};

/* ---- packets --------------------------------------------------------------------------------------------- */

static void put_u32(struct conversation *c, uint32_t v)
{
    uint32_t wire = htonl(v);
    if (c->rc == 0)
        c->rc = buf_append(&c->out, &wire, sizeof wire, c->err);
}

static void put_string(struct conversation *c, const void *data, size_t len)
{
    put_u32(c, (uint32_t)len);
    if (c->rc == 0)
        c->rc = buf_append(&c->out, data, len, c->err);
}

static void put_text(struct conversation *c, const char *text)
{
    put_string(c, text, strlen(text));
}

static void begin(struct conversation *c, uint8_t type)
{
    buf_clear(&c->out);
    put_u32(c, 0); /* the length, when it is known */
    if (c->rc == 0)
        c->rc = buf_append(&c->out, &type, 1, c->err);
}

static void request(struct conversation *c, uint8_t type)
{
    begin(c, type);
    put_u32(c, ++c->id);
}

static uint32_t get_u32(const struct conversation *c, size_t at)
{
    uint32_t wire = 0;
    if (at + sizeof wire <= c->in.len)
        memcpy(&wire, c->in.data + at, sizeof wire);
    return ntohl(wire);
}

static int lost(struct conversation *c, ssize_t rc)
{
    return c->rc =
               sftp_fail(c->s, rc < 0 ? rc : LIBSSH2_ERROR_CHANNEL_CLOSED, "ask", "what is allowed", c->err);
}

static int send_all(struct conversation *c)
{
    uint32_t len = htonl((uint32_t)(c->out.len - sizeof len));
    memcpy(c->out.data, &len, sizeof len);
    for (size_t done = 0; done < c->out.len;) {
        ssize_t n;
        do
            n = libssh2_channel_write(c->channel, (const char *)c->out.data + done, c->out.len - done);
        while (sftp_again(c->s, n));
        if (n <= 0)
            return lost(c, n);
        done += (size_t)n;
    }
    return 0;
}

static int receive(struct conversation *c, size_t len)
{
    buf_clear(&c->in);
    if (buf_reserve(&c->in, len, c->err) < 0)
        return c->rc = E_NOMEM;
    while (c->in.len < len) {
        ssize_t n;
        do
            n = libssh2_channel_read(c->channel, (char *)c->in.data + c->in.len, len - c->in.len);
        while (sftp_again(c->s, n));
        if (n <= 0)
            return lost(c, n);
        c->in.len += (size_t)n;
    }
    return 0;
}

/* Sends what was put together and takes one packet. */
static int exchange(struct conversation *c)
{
    if (c->rc < 0 || send_all(c) < 0 || receive(c, sizeof(uint32_t)) < 0)
        return c->rc;
    uint32_t len = get_u32(c, 0);
    if (len == 0 || len > PACKET_MAX)
        return c->rc = error_set(c->err, E_UNSUPPORTED, "%s: a packet of %u bytes is not SFTP",
                                 c->s->base.where, (unsigned)len);
    return receive(c, len);
}

/* ---- asking ---------------------------------------------------------------------------------------------- */

static enum probe_answer close_handle(struct conversation *c)
{
    struct buf handle = BUF_INIT;
    uint32_t len = get_u32(c, 5);
    if (len > c->in.len - 9) /* the type, the id, the length */
        return PROBE_UNKNOWN;
    c->rc = buf_append(&handle, c->in.data + 9, len, c->err);
    request(c, SSH_CLOSE);
    put_string(c, handle.data, len);
    buf_free(&handle);
    (void)exchange(c);
    return PROBE_ALLOWED;
}

/* "No such file", "failure" or success: the server went on to do it. */
static enum probe_answer ask(struct conversation *c)
{
    if (exchange(c) < 0 || c->in.len < 9)
        return PROBE_UNKNOWN;
    if (c->in.data[0] == SSH_HANDLE)
        return close_handle(c);
    if (c->in.data[0] != SSH_STATUS)
        return PROBE_ALLOWED;
    uint32_t status = get_u32(c, 5);
    return status == LIBSSH2_FX_PERMISSION_DENIED || status == LIBSSH2_FX_OP_UNSUPPORTED ||
                   status == LIBSSH2_FX_WRITE_PROTECT
               ? PROBE_REFUSED
               : PROBE_ALLOWED;
}

/* One that is allowed is enough. */
static void add(enum probe_answer *all, enum probe_answer one)
{
    if (one > *all)
        *all = one;
}

static void ask_open(struct conversation *c, const char *path, uint32_t flags, enum probe_answer *out)
{
    request(c, SSH_OPEN);
    put_text(c, path);
    put_u32(c, flags);
    put_u32(c, 0);
    add(out, ask(c));
}

static void ask_path(struct conversation *c, uint8_t type, const char *path, enum probe_answer *out)
{
    request(c, type);
    put_text(c, path);
    if (type == SSH_MKDIR || type == SSH_SETSTAT)
        put_u32(c, 0); /* no attributes */
    add(out, ask(c));
}

static void ask_two(struct conversation *c, const char *extension, uint8_t type, const char *path,
                    const char *second, enum probe_answer *out)
{
    request(c, type);
    if (extension != NULL)
        put_text(c, extension);
    put_text(c, path);
    put_text(c, second);
    add(out, ask(c));
}

static void ask_lsetstat(struct conversation *c, const char *path, enum probe_answer *out)
{
    request(c, SSH_EXTENDED);
    put_text(c, "lsetstat@openssh.com");
    put_text(c, path);
    put_u32(c, 0);
    add(out, ask(c));
}

/* On a handle that reads, with nothing to set. */
static void ask_fsetstat(struct conversation *c, const char *path, enum probe_answer *out)
{
    struct buf opened = BUF_INIT;
    request(c, SSH_OPEN);
    put_text(c, path);
    put_u32(c, OPEN_READ);
    put_u32(c, 0);
    if (exchange(c) < 0 || c->in.len < 9 || c->in.data[0] != SSH_HANDLE || get_u32(c, 5) > c->in.len - 9)
        return;
    c->rc = buf_append(&opened, c->in.data, c->in.len, c->err);
    uint32_t len = get_u32(c, 5);
    request(c, SSH_FSETSTAT);
    put_string(c, opened.len > 0 ? opened.data + 9 : NULL, opened.len > 0 ? len : 0);
    put_u32(c, 0);
    add(out, ask(c));
    request(c, SSH_CLOSE);
    put_string(c, opened.len > 0 ? opened.data + 9 : NULL, opened.len > 0 ? len : 0);
    (void)exchange(c);
    buf_free(&opened);
}

/* ---- the conversation ------------------------------------------------------------------------------------ */

static bool names(const struct conversation *c, const char *extension)
{
    size_t len = strlen(extension);
    for (size_t at = 5; at + sizeof(uint32_t) <= c->in.len;) {
        uint32_t n = get_u32(c, at);
        if (n > c->in.len - at - sizeof n)
            return false;
        if (n == len && memcmp(c->in.data + at + sizeof n, extension, len) == 0)
            return true;
        at += sizeof n + n;
    }
    return false;
}

static int greet(struct conversation *c, struct sftp_probe *out)
{
    begin(c, SSH_INIT);
    put_u32(c, PROTOCOL);
    if (exchange(c) < 0)
        return c->rc;
    if (c->in.data[0] != SSH_VERSION || c->in.len < 5)
        return c->rc = error_set(c->err, E_UNSUPPORTED, "%s does not begin as SFTP does", c->s->base.where);
    out->fsync = names(c, "fsync@openssh.com");
    out->statvfs = names(c, "statvfs@openssh.com");
    out->limits = names(c, "limits@openssh.com");
    return 0;
}

static int open_channel(struct conversation *c)
{
    static const char name[] = "subsystem";
    static const char which[] = "sftp";
    int rc;
    do {
        c->channel = libssh2_channel_open_session(c->s->session);
        rc = c->channel != NULL ? 0 : libssh2_session_last_errno(c->s->session);
    } while (c->channel == NULL && sftp_again(c->s, rc));
    if (c->channel == NULL)
        return lost(c, rc);
    do
        rc = libssh2_channel_process_startup(c->channel, name, sizeof name - 1, which, sizeof which - 1);
    while (sftp_again(c->s, rc));
    return rc < 0 ? lost(c, rc) : 0;
}

static void ask_all(struct conversation *c, const char *file, const char *none, const char *below,
                    struct sftp_probe *out)
{
    if (file != NULL) {
        ask_open(c, file, OPEN_WRITE, &out->overwrite);
        ask_fsetstat(c, file, &out->attributes);
    }
    /* Not of a file that exists: ProFTPD answers that with "permission denied". */
    ask_open(c, below, OPEN_WRITE | OPEN_CREAT | OPEN_EXCL, &out->create);
    ask_path(c, SSH_REMOVE, none, &out->remove);
    ask_two(c, NULL, SSH_RENAME, none, below, &out->rename);
    ask_two(c, "posix-rename@openssh.com", SSH_EXTENDED, none, below, &out->rename);
    ask_two(c, NULL, SSH_SYMLINK, below, below, &out->link); /* servers differ in which is the link */
    ask_two(c, "hardlink@openssh.com", SSH_EXTENDED, none, below, &out->link);
    ask_path(c, SSH_SETSTAT, none, &out->attributes);
    ask_lsetstat(c, none, &out->attributes);
    ask_path(c, SSH_MKDIR, below, &out->make_dir);
    ask_path(c, SSH_RMDIR, none, &out->make_dir);
}

int sftp_probe(struct backend *b, const char *file, const char *none, struct sftp_probe *out,
               struct error *err)
{
    char *paths[3] = { NULL, NULL, NULL };
    struct conversation c = { .s = NULL, .out = BUF_INIT, .in = BUF_INIT, .err = err };
    *out = (struct sftp_probe){ .overwrite = PROBE_UNKNOWN };
    int rc = sftp_connect_now(b, err);
    if (rc < 0)
        return rc;
    c.s = sftp_of(b);
    sftp_clock_start(c.s);
    sftp_settle(c.s, NULL);
    paths[0] = file != NULL ? sftp_path(c.s, file, err) : NULL;
    paths[1] = none != NULL ? sftp_path(c.s, none, err) : NULL;
    paths[2] = paths[1] != NULL ? str_printf(err, "%s/none", paths[1]) : NULL;
    if ((file != NULL && paths[0] == NULL) || (none != NULL && paths[2] == NULL))
        c.rc = E_NOMEM;
    else if (open_channel(&c) == 0 && greet(&c, out) == 0 && none != NULL)
        ask_all(&c, paths[0], paths[1], paths[2], out);
    if (c.channel != NULL && c.s->session != NULL) { /* else it went with the session */
        do
            rc = libssh2_channel_free(c.channel);
        while (sftp_again(c.s, rc));
    }
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        free(paths[i]);
    buf_free(&c.out);
    buf_free(&c.in);
    return c.rc;
}

/* ---- owners ---------------------------------------------------------------------------------------------- */

struct owner_args {
    const char *name;
    uint32_t uid;
};

static int owner_op(struct sftp *s, void *arg, struct error *err)
{
    struct owner_args *a = arg;
    char *path = sftp_path(s, a->name, err);
    LIBSSH2_SFTP_ATTRIBUTES attributes = { 0 };
    int rc;
    if (path == NULL)
        return E_NOMEM;
    do
        rc = libssh2_sftp_stat_ex(s->channel, path, (unsigned)strlen(path), LIBSSH2_SFTP_LSTAT, &attributes);
    while (sftp_again(s, rc));
    free(path);
    if (rc < 0)
        return sftp_fail(s, rc, "stat", a->name, err);
    if (!(attributes.flags & LIBSSH2_SFTP_ATTR_UIDGID))
        return error_set(err, E_UNSUPPORTED, "%s does not tell who owns %s", s->base.where, a->name);
    a->uid = (uint32_t)attributes.uid;
    return 0;
}

int sftp_owner(struct backend *b, const char *name, uint32_t *uid, struct error *err)
{
    struct owner_args args = { .name = name, .uid = 0 };
    int rc = sftp_connect_now(b, err);
    if (rc == 0)
        rc = sftp_repeat(sftp_of(b), owner_op, &args, err);
    if (rc == 0)
        *uid = args.uid;
    return rc;
}
