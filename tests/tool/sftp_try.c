/*
 * sftp_try - one raw SFTP request with libssh2; prints what the server said.
 *
 *     sftp_try PORT USER KEYFILE OPERATION PATH [ARGUMENT]
 *
 * Operations: create write-existing truncate append rename remove mkdir rmdir chmod settime setsize symlink
 * read stat list statvfs exec shell forward.  Prints one line: "ok", "status N" (an SFTP status) or "error N"
 * (of libssh2). Exit status: 0 ok, 1 refused by the server, 2 anything else. The host key is not checked: it
 * is for loopback tests.
 */
#include <arpa/inet.h>
#include <libssh2.h>
#include <libssh2_sftp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/number.h"

#include "common/base/banned.h"

struct attempt {
    LIBSSH2_SESSION *session;
    LIBSSH2_SFTP *sftp;
    const char *path;
    const char *argument;
    unsigned long status; /* of a request before the last one */
};

static unsigned length(const char *s)
{
    return (unsigned)strlen(s);
}

/* open, write "x", close: the first that fails is the answer. */
static int open_and(struct attempt *t, unsigned long flags, const char *data)
{
    LIBSSH2_SFTP_HANDLE *h =
        libssh2_sftp_open_ex(t->sftp, t->path, length(t->path), flags, 0644, LIBSSH2_SFTP_OPENFILE);
    if (h == NULL)
        return libssh2_session_last_errno(t->session);
    ssize_t n = 0;
    if (data != NULL)
        n = libssh2_sftp_write(h, data, strlen(data));
    if (n < 0)
        t->status = libssh2_sftp_last_error(t->sftp);
    int rc = libssh2_sftp_close_handle(h);
    return n < 0 ? (int)n : rc;
}

static int try_create(struct attempt *t)
{
    return open_and(t, LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_EXCL,
                    t->argument != NULL ? t->argument : "new");
}

static int try_write_existing(struct attempt *t)
{
    return open_and(t, LIBSSH2_FXF_WRITE, "overwritten");
}

static int try_truncate(struct attempt *t)
{
    return open_and(t, LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC, NULL);
}

static int try_append(struct attempt *t)
{
    return open_and(t, LIBSSH2_FXF_WRITE | LIBSSH2_FXF_APPEND, "appended");
}

static int try_read(struct attempt *t)
{
    char byte;
    LIBSSH2_SFTP_HANDLE *h =
        libssh2_sftp_open_ex(t->sftp, t->path, length(t->path), LIBSSH2_FXF_READ, 0, LIBSSH2_SFTP_OPENFILE);
    if (h == NULL)
        return libssh2_session_last_errno(t->session);
    ssize_t n = libssh2_sftp_read(h, &byte, 1);
    (void)libssh2_sftp_close_handle(h);
    return n < 0 ? (int)n : 0;
}

static int try_rename(struct attempt *t)
{
    return libssh2_sftp_rename_ex(t->sftp, t->path, length(t->path), t->argument, length(t->argument),
                                  LIBSSH2_SFTP_RENAME_OVERWRITE | LIBSSH2_SFTP_RENAME_ATOMIC |
                                      LIBSSH2_SFTP_RENAME_NATIVE);
}

static int try_remove(struct attempt *t)
{
    return libssh2_sftp_unlink_ex(t->sftp, t->path, length(t->path));
}

static int try_mkdir(struct attempt *t)
{
    return libssh2_sftp_mkdir_ex(t->sftp, t->path, length(t->path), 0755);
}

static int try_rmdir(struct attempt *t)
{
    return libssh2_sftp_rmdir_ex(t->sftp, t->path, length(t->path));
}

static int set(struct attempt *t, LIBSSH2_SFTP_ATTRIBUTES *a)
{
    return libssh2_sftp_stat_ex(t->sftp, t->path, length(t->path), LIBSSH2_SFTP_SETSTAT, a);
}

static int try_chmod(struct attempt *t)
{
    LIBSSH2_SFTP_ATTRIBUTES a = { .flags = LIBSSH2_SFTP_ATTR_PERMISSIONS, .permissions = 0666 };
    return set(t, &a);
}

static int try_settime(struct attempt *t)
{
    LIBSSH2_SFTP_ATTRIBUTES a = { .flags = LIBSSH2_SFTP_ATTR_ACMODTIME, .atime = 1, .mtime = 1 };
    return set(t, &a);
}

static int try_setsize(struct attempt *t)
{
    LIBSSH2_SFTP_ATTRIBUTES a = { .flags = LIBSSH2_SFTP_ATTR_SIZE, .filesize = 0 };
    return set(t, &a);
}

/* setstat on the handle of a file opened for reading: no name is checked there. */
static int try_fchmod(struct attempt *t)
{
    LIBSSH2_SFTP_ATTRIBUTES a = { .flags = LIBSSH2_SFTP_ATTR_PERMISSIONS, .permissions = 0666 };
    LIBSSH2_SFTP_HANDLE *h =
        libssh2_sftp_open_ex(t->sftp, t->path, length(t->path), LIBSSH2_FXF_READ, 0, LIBSSH2_SFTP_OPENFILE);
    if (h == NULL)
        return libssh2_session_last_errno(t->session);
    int rc = libssh2_sftp_fstat_ex(h, &a, 1);
    if (rc < 0)
        t->status = libssh2_sftp_last_error(t->sftp);
    (void)libssh2_sftp_close_handle(h);
    return rc;
}

/* libssh2 1.10 answers 0 whatever the server said: look for the link. */
static int try_symlink(struct attempt *t)
{
    char target[256];
    LIBSSH2_SFTP_ATTRIBUTES a;
    (void)snprintf(target, sizeof target, "%s", t->argument);
    int rc = libssh2_sftp_symlink_ex(t->sftp, t->path, length(t->path), target, length(target),
                                     LIBSSH2_SFTP_SYMLINK);
    return rc < 0 ? rc : libssh2_sftp_stat_ex(t->sftp, target, length(target), LIBSSH2_SFTP_LSTAT, &a);
}

static int try_stat(struct attempt *t)
{
    LIBSSH2_SFTP_ATTRIBUTES a;
    return libssh2_sftp_stat_ex(t->sftp, t->path, length(t->path), LIBSSH2_SFTP_STAT, &a);
}

static int try_list(struct attempt *t)
{
    LIBSSH2_SFTP_HANDLE *h =
        libssh2_sftp_open_ex(t->sftp, t->path, length(t->path), 0, 0, LIBSSH2_SFTP_OPENDIR);
    if (h == NULL)
        return libssh2_session_last_errno(t->session);
    return libssh2_sftp_close_handle(h);
}

static int try_statvfs(struct attempt *t)
{
    LIBSSH2_SFTP_STATVFS st;
    return libssh2_sftp_statvfs(t->sftp, t->path, strlen(t->path), &st);
}

/* A forced command answers "yes" to exec and shell and runs itself instead; what counts is that the command
 * did not run, so its words must not come back. */
static int run(struct attempt *t, const char *request, const char *command)
{
    LIBSSH2_CHANNEL *c = libssh2_channel_open_session(t->session);
    if (c == NULL)
        return libssh2_session_last_errno(t->session);
    int rc = libssh2_channel_process_startup(c, request, length(request), command,
                                             command != NULL ? length(command) : 0);
    if (rc == 0) {
        static const char words[] = "echo escaped-$((40+2))\nexit\n";
        char out[4096];
        size_t used = 0;
        (void)libssh2_channel_write(c, words, sizeof words - 1);
        (void)libssh2_channel_send_eof(c);
        ssize_t n;
        while (used < sizeof out - 1 && (n = libssh2_channel_read(c, out + used, sizeof out - 1 - used)) > 0)
            used += (size_t)n;
        out[used] = '\0';
        rc = strstr(out, "escaped-42") != NULL ? 0 : LIBSSH2_ERROR_REQUEST_DENIED;
    }
    (void)libssh2_channel_free(c);
    return rc;
}

static int try_exec(struct attempt *t)
{
    return run(t, "exec", "echo escaped-$((40+2))");
}

static int try_shell(struct attempt *t)
{
    return run(t, "shell", NULL);
}

/* To our own SSH port: somebody listens there. */
static int try_forward(struct attempt *t)
{
    uint64_t port = 0;
    struct error err = ERROR_INIT;
    if (number_parse(t->argument, 1, 65535, &port, &err) < 0)
        return LIBSSH2_ERROR_INVAL;
    LIBSSH2_CHANNEL *c = libssh2_channel_direct_tcpip_ex(t->session, "127.0.0.1", (int)port, "127.0.0.1", 1);
    if (c == NULL)
        return libssh2_session_last_errno(t->session);
    (void)libssh2_channel_free(c);
    return 0;
}

static const struct operation {
    const char *name;
    int (*run)(struct attempt *t);
    bool argument;
    bool plain; /* without an SFTP channel */
} operations[] = {
    { "create", try_create, false, false },     { "write-existing", try_write_existing, false, false },
    { "truncate", try_truncate, false, false }, { "append", try_append, false, false },
    { "read", try_read, false, false },         { "rename", try_rename, true, false },
    { "remove", try_remove, false, false },     { "mkdir", try_mkdir, false, false },
    { "rmdir", try_rmdir, false, false },       { "chmod", try_chmod, false, false },
    { "fchmod", try_fchmod, false, false },     { "settime", try_settime, false, false },
    { "setsize", try_setsize, false, false },   { "symlink", try_symlink, true, false },
    { "stat", try_stat, false, false },         { "list", try_list, false, false },
    { "statvfs", try_statvfs, false, false },   { "exec", try_exec, false, true },
    { "shell", try_shell, false, true },        { "forward", try_forward, true, true },
};

static int complain(const char *what, int rc)
{
    (void)fprintf(stderr, "sftp_try: %s (%d)\n", what, rc);
    return 2;
}

static int dial(const char *text)
{
    uint64_t port = 0;
    struct error err = ERROR_INIT;
    if (number_parse(text, 1, 65535, &port, &err) < 0)
        return -1;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)(const void *)&a, sizeof a) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int report(const struct attempt *t, int rc)
{
    if (rc >= 0) {
        printf("ok\n");
        return 0;
    }
    if (rc == LIBSSH2_ERROR_SFTP_PROTOCOL && t->sftp != NULL)
        printf("status %lu\n", t->status != 0 ? t->status : libssh2_sftp_last_error(t->sftp));
    else
        printf("error %d\n", rc);
    return 1;
}

int main(int argc, char **argv)
{
    const struct operation *op = NULL;
    for (size_t i = 0; argc >= 6 && i < sizeof operations / sizeof operations[0]; i++)
        if (strcmp(argv[4], operations[i].name) == 0)
            op = &operations[i];
    if (op == NULL || (op->argument && argc < 7))
        return complain("usage: sftp_try PORT USER KEYFILE OPERATION PATH [ARGUMENT]", 0);
    struct attempt t = { .path = argv[5], .argument = argc > 6 ? argv[6] : NULL };
    int fd = dial(argv[1]);
    if (fd < 0 || libssh2_init(0) != 0)
        return complain("no connection", fd);
    int status;
    t.session = libssh2_session_init_ex(NULL, NULL, NULL, NULL);
    int rc = t.session != NULL ? libssh2_session_handshake(t.session, fd) : -1;
    if (rc == 0)
        rc = libssh2_userauth_publickey_fromfile_ex(t.session, argv[2], length(argv[2]), NULL, argv[3], NULL);
    if (rc == 0 && !op->plain && (t.sftp = libssh2_sftp_init(t.session)) == NULL)
        rc = libssh2_session_last_errno(t.session);
    if (rc != 0)
        status = complain("no SFTP session", rc);
    else
        status = report(&t, op->run(&t));
    if (t.sftp != NULL)
        (void)libssh2_sftp_shutdown(t.sftp);
    if (t.session != NULL)
        (void)libssh2_session_free(t.session);
    (void)close(fd);
    libssh2_exit();
    return status;
}
