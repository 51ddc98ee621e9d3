#include "common/backend/sftp_internal.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"

#include "common/base/banned.h"

/* Nothing with SHA-1, nothing with CBC. Names that this libssh2 does not know are left out, so that a newer
 * one uses its better ones. aes128-ctr before aes256-ctr: it is faster, and the content is encrypted on its
 * own. */
static const char wanted_kex[] =
    "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"
    "diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group14-sha256,"
    "diffie-hellman-group-exchange-sha256";
static const char wanted_ciphers[] =
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr";
static const char wanted_macs[] =
    "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512";

enum { KEEPALIVE_IDLE_S = 30, KEEPALIVE_EVERY_S = 10, KEEPALIVE_COUNT = 3 };

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_rc;

static void library_init(void)
{
    library_rc = libssh2_init(0);
}

/* ---- socket -------------------------------------------------------------------------------------------- */

static void socket_options(int fd, unsigned stall_ms)
{
    const int on = 1;
    const int idle = KEEPALIVE_IDLE_S;
    const int every = KEEPALIVE_EVERY_S;
    const int count = KEEPALIVE_COUNT;
    /* All of these only help: a failure changes nothing that the stall timer does not catch. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &stall_ms, sizeof stall_ms);
}

/* Leaves the connected socket in s->fd, or returns -1 with errno. */
static int connect_one(struct sftp *s, const struct addrinfo *a)
{
    int error = 0;
    s->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (s->fd < 0)
        return -1;
    if (connect(s->fd, a->ai_addr, a->ai_addrlen) < 0)
        error = errno;
    if (error == EINPROGRESS || error == EINTR) {
        socklen_t size = sizeof error;
        if (sftp_wait_fd(s, POLLOUT) < 0)
            error = ETIMEDOUT;
        else if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
            error = errno;
    }
    if (error == 0) {
        socket_options(s->fd, s->options.stall_ms);
        return 0;
    }
    (void)close(s->fd);
    s->fd = -1;
    errno = error;
    return -1;
}

static int open_socket(struct sftp *s, struct error *err)
{
    char port[16];
    (void)snprintf(port, sizeof port, "%u", s->options.port);
    struct addrinfo hints = { .ai_family = AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICSERV };
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(s->options.host, port, &hints, &list);
    if (rc == EAI_AGAIN)
        return error_set(err, E_RETRY, "%s: the name server does not answer for %s", s->base.where,
                         s->options.host);
    if (rc != 0)
        return error_set(err, E_NOT_FOUND, "%s: host name %s: %s", s->base.where, s->options.host,
                         gai_strerror(rc));
    int last = ECONNREFUSED;
    for (const struct addrinfo *a = list; a != NULL && s->fd < 0; a = a->ai_next)
        if (connect_one(s, a) < 0)
            last = errno;
    freeaddrinfo(list);
    if (s->fd >= 0)
        return 0;
    s->trouble = SFTP_FINE;
    char text[128];
    return error_set(err, E_RETRY,
                     "%s: no connection to %s port %s: %s (is the SSH server running, the port right, "
                     "no firewall between?)",
                     s->base.where, s->options.host, port, strerror_r(last, text, sizeof text));
}

/* ---- handshake ----------------------------------------------------------------------------------------- */

static bool list_has(const char *const *list, int count, const char *name, size_t len)
{
    for (int i = 0; i < count; i++)
        if (strlen(list[i]) == len && memcmp(list[i], name, len) == 0)
            return true;
    return false;
}

void sftp_known_methods(LIBSSH2_SESSION *session, int method, const char *wanted, char out[SFTP_METHODS_MAX])
{
    const char **known = NULL;
    int count = libssh2_session_supported_algs(session, method, &known);
    size_t used = 0;
    out[0] = '\0';
    for (const char *p = wanted; count > 0 && *p != '\0';) {
        size_t len = strcspn(p, ",");
        if (list_has(known, count, p, len) && used + len + 2 < SFTP_METHODS_MAX) {
            if (used > 0)
                out[used++] = ',';
            memcpy(out + used, p, len);
            used += len;
            out[used] = '\0';
        }
        p += len + (p[len] == ',');
    }
    if (count > 0)
        libssh2_free(session, known);
}

static int prefer(struct sftp *s, int method, const char *wanted, struct error *err)
{
    char known[SFTP_METHODS_MAX];
    sftp_known_methods(s->session, method, wanted, known);
    if (known[0] == '\0' || libssh2_session_method_pref(s->session, method, known) < 0)
        return error_set(err, E_UNSUPPORTED, "%s: this SSH library (libssh2 %s) has none of: %s",
                         s->base.where, libssh2_version(0), wanted);
    return 0;
}

static int prefer_all(struct sftp *s, const char *types, struct error *err)
{
    static const struct {
        int method;
        const char *wanted;
    } rows[] = {
        { LIBSSH2_METHOD_KEX, wanted_kex },          { LIBSSH2_METHOD_CRYPT_CS, wanted_ciphers },
        { LIBSSH2_METHOD_CRYPT_SC, wanted_ciphers }, { LIBSSH2_METHOD_MAC_CS, wanted_macs },
        { LIBSSH2_METHOD_MAC_SC, wanted_macs },
    };
    char known[SFTP_METHODS_MAX];
    sftp_known_methods(s->session, LIBSSH2_METHOD_HOSTKEY, types, known);
    if (known[0] == '\0')
        return error_set(
            err, E_UNSUPPORTED,
            "%s: the only known host key is of a type (%s) that this SSH library can check with SHA-1 only; "
            "pin the server's ed25519 key or add it to known_hosts (ssh-keyscan -t ed25519 shows it)",
            s->base.where, types);
    int rc = prefer(s, LIBSSH2_METHOD_HOSTKEY, types, err);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && rc == 0; i++)
        rc = prefer(s, rows[i].method, rows[i].wanted, err);
    return rc;
}

/* libssh2 only says "-5"; what was agreed until then tells which class has nothing in common. */
static int no_common(const struct sftp *s, const char *types, struct error *err)
{
    static const struct {
        int method;
        const char *class;
        const char *wanted;
        const char *keyword;
    } rows[] = {
        { LIBSSH2_METHOD_KEX, "key exchange", wanted_kex, "KexAlgorithms" },
        { LIBSSH2_METHOD_HOSTKEY, "host key type", NULL, "HostKey" },
        { LIBSSH2_METHOD_CRYPT_CS, "cipher", wanted_ciphers, "Ciphers" },
        { LIBSSH2_METHOD_CRYPT_SC, "cipher", wanted_ciphers, "Ciphers" },
        { LIBSSH2_METHOD_MAC_CS, "MAC", wanted_macs, "MACs" },
        { LIBSSH2_METHOD_MAC_SC, "MAC", wanted_macs, "MACs" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (libssh2_session_methods(s->session, rows[i].method) != NULL)
            continue;
        char offer[SFTP_METHODS_MAX];
        bool first = rows[i].method == LIBSSH2_METHOD_KEX; /* agreed together with the host key type */
        sftp_known_methods(s->session, rows[i].method, rows[i].wanted != NULL ? rows[i].wanted : types,
                           offer);
        return error_set(
            err, E_UNSUPPORTED,
            "%s: no %s%s in common with the server. We offer %s%s%s. The server's log names what is missing; "
            "in its sshd_config (%s) allow for this account: curve25519-sha256, an ed25519 host key, "
            "aes128-ctr or aes256-ctr, hmac-sha2-256",
            s->base.where, rows[i].class, first ? " or host key type" : "", offer,
            first ? "; host keys " : "", first ? types : "", rows[i].keyword);
    }
    return sftp_lost(s, LIBSSH2_ERROR_SOCKET_DISCONNECT, "key exchange", err);
}

int sftp_session_new(struct sftp *s, struct error *err)
{
    (void)pthread_once(&library_once, library_init);
    if (library_rc != 0)
        return error_set(err, E_INTERNAL, "libssh2 does not start (%d)", library_rc);
    s->session = libssh2_session_init_ex(NULL, NULL, NULL, NULL);
    return s->session != NULL ? 0 : error_set(err, E_NOMEM, "out of memory for an SSH session");
}

int sftp_handshake(struct sftp *s, const char *types, struct error *err)
{
    int rc = open_socket(s, err);
    if (rc == 0)
        rc = sftp_session_new(s, err);
    if (rc < 0) {
        sftp_drop(s);
        return rc;
    }
    libssh2_session_set_blocking(s->session, 0);
    rc = prefer_all(s, types, err);
    if (rc == 0) {
        int ssh;
        do
            ssh = libssh2_session_handshake(s->session, s->fd);
        while (sftp_again(s, ssh));
        if (ssh == LIBSSH2_ERROR_KEX_FAILURE)
            rc = no_common(s, types, err);
        else if (ssh < 0)
            rc = sftp_lost(s, ssh, "handshake", err);
    }
    if (rc < 0)
        sftp_drop(s);
    return rc;
}

/* ---- session ------------------------------------------------------------------------------------------- */

bool sftp_peer_gone(const struct sftp *s)
{
    char byte;
    ssize_t n = recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static int open_channel(struct sftp *s, struct error *err)
{
    int rc;
    do {
        s->channel = libssh2_sftp_init(s->session);
        rc = s->channel != NULL ? 0 : libssh2_session_last_errno(s->session);
    } while (s->channel == NULL && sftp_again(s, rc));
    if (s->channel != NULL)
        return 0;
    if (s->trouble == SFTP_FINE && !sftp_peer_gone(s))
        return error_set(
            err, E_DENIED,
            "%s: logged in, but the server opens no SFTP (subsystem sftp missing, command= line wrong, or "
            "MaxSessions reached)",
            s->base.where);
    /* libssh2 1.10 waits on although the program behind the login has ended. */
    return sftp_lost(
        s, rc, "logged in, but SFTP does not start (login shell or command= line of the account wrong?)",
        err);
}

/* The directory must be there; and does the server know its free space? */
static int probe(struct sftp *s, struct error *err)
{
    const char *path = s->options.path;
    LIBSSH2_SFTP_ATTRIBUTES a;
    int rc;
    do
        rc = libssh2_sftp_stat_ex(s->channel, path, (unsigned)strlen(path), LIBSSH2_SFTP_STAT, &a);
    while (sftp_again(s, rc));
    unsigned long status = sftp_status(s, rc);
    bool is_dir =
        rc == 0 && (!(a.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) || LIBSSH2_SFTP_S_ISDIR(a.permissions));
    if (status == LIBSSH2_FX_NO_SUCH_FILE || status == LIBSSH2_FX_NO_SUCH_PATH || (rc == 0 && !is_dir))
        return error_set(
            err, E_NOT_FOUND,
            "%s: logged in as %s, but there is no directory '%s' (a path without leading / starts at the "
            "account's home); create it on the server",
            s->base.where, s->options.user, path);
    if (rc < 0)
        return sftp_fail(s, rc, "look at", path, err);
    struct backend_space space;
    struct error ignored = ERROR_INIT;
    rc = sftp_space_once(s, &space, &ignored);
    return rc == E_RETRY ? error_copy(err, &ignored) : 0;
}

/* A host name or a key file that is not there: nobody may take it for the storage saying that it does not have something. */
static int not_reached(struct error *err)
{
    if (err != NULL)
        err->code = E_IO;
    return E_IO;
}

int sftp_connect(struct sftp *s, struct error *err)
{
    char types[SFTP_METHODS_MAX];
    int rc = sftp_hostkey_types(s, types, err);
    if (rc == 0)
        rc = sftp_handshake(s, types, err);
    if (rc == 0)
        rc = sftp_hostkey_check(s, err);
    if (rc == 0)
        rc = sftp_authenticate(s, err);
    if (rc == 0)
        rc = open_channel(s, err);
    if (rc == E_NOT_FOUND)
        rc = not_reached(err);
    if (rc == 0)
        rc = probe(s, err);
    if (rc < 0)
        sftp_drop(s);
    return rc;
}

/* The socket is shut first: then nothing below waits for a server that may be gone, and libssh2 frees all it
 * has. */
void sftp_drop(struct sftp *s)
{
    if (s->fd >= 0)
        (void)shutdown(s->fd, SHUT_RDWR);
    for (struct sftp_upload *u = s->uploads; u != NULL; u = u->next) {
        if (u->handle != NULL)
            (void)libssh2_sftp_close_handle(u->handle);
        u->handle = NULL;
    }
    if (s->read_handle != NULL)
        (void)libssh2_sftp_close_handle(s->read_handle);
    s->read_handle = NULL;
    if (s->list_handle != NULL)
        (void)libssh2_sftp_close_handle(s->list_handle);
    s->list_handle = NULL;
    if (s->channel != NULL)
        (void)libssh2_sftp_shutdown(s->channel);
    s->channel = NULL;
    if (s->session != NULL)
        for (int i = 0; i < 100 && libssh2_session_free(s->session) == LIBSSH2_ERROR_EAGAIN; i++)
            continue;
    s->session = NULL;
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
    s->trouble = SFTP_FINE;
}
