/* Where to, as whom, and what this side never does. */
#include <errmsg.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/engine/mariadb/internal.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum {
    CONNECT_S = 30,
    STACK = 256 * 1024, /* of the library's own context, which runs our callbacks for LOAD DATA */
    KEEP_IDLE_S = 30,
    KEEP_EVERY_S = 10,
    KEEP_TRIES = 3,
};
static const unsigned long packet_max = 1UL << 30; /* the protocol's largest */

bool maria_is_local(const struct maria_address *a)
{
    return a->host == NULL || strcmp(a->host, "localhost") == 0 || str_starts(a->host, "127.") ||
           strcmp(a->host, "::1") == 0;
}

int maria_check_private(const char *what, const char *path, struct error *err)
{
    struct stat st;
    if (path == NULL)
        return 0;
    if (stat(path, &st) < 0)
        return error_sys(err, "%s %s", what, path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, E_USAGE, "%s %s is not a regular file", what, path);
    if ((st.st_mode & 077) != 0)
        return error_set(err, E_DENIED, "%s %s can be read by others (mode %04o): chmod 0600 %s", what, path,
                         (unsigned)(st.st_mode & 07777), path);
    return access(path, R_OK) < 0 ? error_sys(err, "%s %s", what, path) : 0;
}

int maria_password(const char *path, struct buf *out, struct error *err)
{
    int rc = maria_check_private("password file", path, err);
    int fd = rc == 0 ? fd_open_read(path, err) : rc;
    if (fd < 0)
        return fd;
    /* In one block: a buffer that grows would leave copies behind. */
    rc = buf_reserve(out, MARIA_PASSWORD_MAX + 2, err);
    int64_t n = rc == 0 ? fd_read(fd, out->data, MARIA_PASSWORD_MAX + 1, path, err) : rc;
    fd_drop(&fd);
    if (n < 0)
        return (int)n;
    const uint8_t *end = n > 0 ? memchr(out->data, '\n', (size_t)n) : NULL;
    out->len = end != NULL ? (size_t)(end - out->data) : (size_t)n;
    if (out->len > 0 && out->data[out->len - 1] == '\r')
        out->len--;
    if (out->len > MARIA_PASSWORD_MAX || (out->len > 0 && memchr(out->data, '\0', out->len) != NULL))
        return error_set(err, E_USAGE,
                         "password file %s: its first line is no password (at most %d bytes, no NUL)", path,
                         MARIA_PASSWORD_MAX);
    return buf_append(out, "", 1, err);
}

/* ---- LOAD DATA LOCAL from memory ------------------------------------------------------------------------ */

static int load_begin(void **ptr, const char *name, void *arg)
{
    struct maria *c = arg;
    (void)name; /* whatever the server wants to see: it gets what was given to maria_load, or nothing */
    *ptr = c;
    return c->load == NULL;
}

static int load_read(void *ptr, char *out, unsigned int cap)
{
    struct maria *c = ptr;
    size_t n = c->load_left < cap ? c->load_left : cap;
    memcpy(out, c->load, n);
    c->load += n;
    c->load_left -= n;
    return (int)n;
}

static void load_end(void *ptr)
{
    (void)ptr;
}

static int load_error(void *ptr, char *text, unsigned int cap)
{
    (void)ptr;
    (void)snprintf(text, cap, "no file of this machine is sent to a server");
    return CR_UNKNOWN_ERROR;
}

/* ---- options --------------------------------------------------------------------------------------------- */

static int set_options(struct maria *c, const struct maria_address *a, struct error *err)
{
    unsigned timeout = CONNECT_S;
    unsigned local = a->local_files ? 1 : 0;
    my_bool yes = 1;
    size_t stack = STACK;
    int bad = mysql_options(c->conn, MYSQL_OPT_NONBLOCK, &stack);
    bad |= mysql_options(c->conn, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
    bad |= mysql_options(c->conn, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet_max);
    bad |= mysql_options(c->conn, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (a->defaults_file != NULL)
        bad |= mysql_options(c->conn, MYSQL_READ_DEFAULT_FILE, a->defaults_file);
    if (a->defaults_file != NULL || a->own_defaults)
        bad |= mysql_options(c->conn, MYSQL_READ_DEFAULT_GROUP, "client");
    if (a->ssl_ca != NULL)
        bad |= mysql_options(c->conn, MYSQL_OPT_SSL_CA, a->ssl_ca);
    if (a->ssl_verify || a->ssl_ca != NULL)
        bad |= mysql_options(c->conn, MYSQL_OPT_SSL_ENFORCE, &yes);
    if (a->ssl_verify)
        bad |= mysql_options(c->conn, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    /* A file may say otherwise; load_begin gives nothing then. */
    bad |= mysql_options(c->conn, MYSQL_OPT_LOCAL_INFILE, &local);
    if (bad != 0)
        return error_set(err, E_INTERNAL, "%s: the MariaDB library refused an option", c->where);
    mysql_set_local_infile_handler(c->conn, load_begin, load_read, load_end, load_error, c);
    return 0;
}

static void name_place(struct maria *c, const struct maria_address *a)
{
    char shown[2][120];
    const char *place = a->host != NULL ? a->host : a->socket != NULL ? a->socket : "the default socket";
    (void)str_printable(shown[0], sizeof shown[0], place);
    (void)str_printable(shown[1], sizeof shown[1], a->database != NULL ? a->database : "");
    if (a->database != NULL)
        (void)snprintf(c->where, sizeof c->where, "database %s at %s", shown[1], shown[0]);
    else
        (void)snprintf(c->where, sizeof c->where, "MariaDB at %s", shown[0]);
}

/* A peer that vanished without a word is noticed within a minute. */
static void keep_alive(const struct maria *c)
{
    int fd = (int)mysql_get_socket(c->conn);
    int idle = KEEP_IDLE_S;
    int every = KEEP_EVERY_S;
    int tries = KEEP_TRIES;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
}

static int refuse_mysql(const struct maria *c, struct error *err)
{
    char shown[80];
    const char *version = mysql_get_server_info(c->conn);
    if (mariadb_connection(c->conn))
        return 0;
    return error_set(
        err, E_UNSUPPORTED,
        "%s: this server is MySQL (%s), not MariaDB. MySQL has no snapshots that are aligned without a "
        "lock; back it up with the engine `command` and its own mysqldump",
        c->where, str_printable(shown, sizeof shown, version != NULL ? version : "?"));
}

/* An option file may have said less, and the library takes the 1 of 1M for bytes. */
static void lift_limit(struct maria *c)
{
    c->conn->net.max_packet_size = packet_max;
    c->conn->options.max_allowed_packet = packet_max;
}

/* The library only asks for it, unless the certificate is verified, too. */
static int check_tls(const struct maria *c, const struct maria_address *a, struct error *err)
{
    if ((a->ssl_ca == NULL && !a->ssl_verify) || mysql_get_ssl_cipher(c->conn) != NULL)
        return 0;
    return error_set(err, E_AUTH, "%s: the server gave no TLS, which `ssl_ca` demands", c->where);
}

int maria_open(struct maria *c, const struct maria_address *a, struct error *err)
{
    struct buf password = BUF_INIT;
    *c = (struct maria){ .conn = NULL };
    name_place(c, a);
    int rc = a->password_file != NULL ? maria_password(a->password_file, &password, err) : 0;
    if (rc == 0 && getenv("MYSQL_PWD") != NULL)
        rc = error_set(
            err, E_USAGE,
            "MYSQL_PWD is set; a password in the environment is not used: put it into a file of mode "
            "0600 and name that with `password_file`");
    if (rc == 0 && (c->conn = mysql_init(NULL)) == NULL)
        rc = error_set(err, E_NOMEM, "out of memory (a connection)");
    if (rc == 0)
        rc = set_options(c, a, err);
    if (rc == 0)
        rc = maria_connect(c, a, password.len > 0 ? (const char *)password.data : NULL, err);
    buf_wipe(&password);
    if (rc == 0 && a->host != NULL)
        keep_alive(c);
    if (rc == 0)
        lift_limit(c);
    if (rc == 0)
        rc = check_tls(c, a, err);
    return rc == 0 ? refuse_mysql(c, err) : rc;
}

/* ---- a session that is the same everywhere --------------------------------------------------------------- */

/* The text of values depends on the first of these; what is read at all, on the second. A connection may wait for days
 * until the rows that others read were stored. */
#define SESSION_BYTES                                                                                        \
    "sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', time_zone='+00:00', character_set_results=NULL, " \
    "sql_quote_show_create=1, div_precision_increment=4, lc_time_names='en_US'"
#define SESSION_REST                                                                          \
    "sql_select_limit=18446744073709551615, max_statement_time=0, net_write_timeout=604800, " \
    "net_read_timeout=3600, wait_timeout=604800, idle_transaction_timeout=0, "                \
    "idle_readonly_transaction_timeout=0, group_concat_max_len=1073741824"

const char *maria_session_text(void)
{
    return "sql_mode=NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES time_zone=+00:00 character_set_results=NULL";
}

int maria_session(struct maria *c, uint64_t lock_ms, struct error *err)
{
    unsigned long long seconds = (unsigned long long)(lock_ms + 999) / 1000;
    int rc = maria_exec(c, "SET SESSION " SESSION_BYTES, err);
    if (rc == 0)
        rc = maria_exec(c, "SET SESSION " SESSION_REST, err);
    if (rc == 0 && lock_ms != 0)
        rc = maria_execf(c, err, "SET SESSION lock_wait_timeout=%llu, innodb_lock_wait_timeout=%llu", seconds,
                         seconds);
    return rc;
}
