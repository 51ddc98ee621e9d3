#include "common/engine/mariadb/conn.h"

#include <errno.h>
#include <errmsg.h>
#include <mysqld_error.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum { TICK_MS = 1000 };

/* ---- errors --------------------------------------------------------------------------------------------- */

int maria_code_of(unsigned number)
{
    static const struct {
        unsigned number;
        int code;
    } codes[] = {
        { CR_CONNECTION_ERROR, E_RETRY },
        { CR_CONN_HOST_ERROR, E_RETRY },
        { CR_UNKNOWN_HOST, E_RETRY },
        { CR_SERVER_GONE_ERROR, E_RETRY },
        { CR_SERVER_LOST, E_RETRY },
        { CR_SERVER_LOST_EXTENDED, E_RETRY },
        { CR_OUT_OF_MEMORY, E_NOMEM },
        { CR_SSL_CONNECTION_ERROR, E_AUTH },
        { ER_CON_COUNT_ERROR, E_RETRY },
        { ER_TOO_MANY_USER_CONNECTIONS, E_RETRY },
        { ER_USER_LIMIT_REACHED, E_RETRY },
        { ER_SERVER_SHUTDOWN, E_RETRY },
        { ER_LOCK_WAIT_TIMEOUT, E_RETRY },
        { ER_LOCK_DEADLOCK, E_RETRY },
        { ER_QUERY_INTERRUPTED, E_RETRY },
        { ER_NEW_ABORTING_CONNECTION, E_RETRY },
        { ER_CONNECTION_KILLED, E_RETRY },
        { ER_STATEMENT_TIMEOUT, E_RETRY },
        { ER_TABLE_DEF_CHANGED, E_RETRY },
        { ER_NET_READ_ERROR, E_RETRY },
        { ER_NET_READ_INTERRUPTED, E_RETRY },
        { ER_NET_ERROR_ON_WRITE, E_RETRY },
        { ER_NET_WRITE_INTERRUPTED, E_RETRY },
        { ER_ACCESS_DENIED_ERROR, E_DENIED },
        { ER_ACCESS_DENIED_NO_PASSWORD_ERROR, E_DENIED },
        { ER_DBACCESS_DENIED_ERROR, E_DENIED },
        { ER_TABLEACCESS_DENIED_ERROR, E_DENIED },
        { ER_COLUMNACCESS_DENIED_ERROR, E_DENIED },
        { ER_SPECIFIC_ACCESS_DENIED_ERROR, E_DENIED },
        { ER_PROCACCESS_DENIED_ERROR, E_DENIED },
        { ER_HOST_NOT_PRIVILEGED, E_DENIED },
        { ER_BAD_DB_ERROR, E_NOT_FOUND },
        { ER_NO_SUCH_TABLE, E_NOT_FOUND },
        { ER_DISK_FULL, E_NO_SPACE },
        { ER_RECORD_FILE_FULL, E_NO_SPACE },
        { ER_OUTOFMEMORY, E_NOMEM },
        { ER_OUT_OF_RESOURCES, E_NOMEM },
        { ER_CRASHED_ON_USAGE, E_CORRUPT },
        { ER_CRASHED_ON_REPAIR, E_CORRUPT },
        { ER_NOT_KEYFILE, E_CORRUPT },
        { ER_NOT_SUPPORTED_YET, E_UNSUPPORTED },
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].number == number)
            return codes[i].code;
    return E_IO;
}

int maria_error(struct maria *c, const char *what, struct error *err)
{
    char message[ERROR_TEXT_MAX];
    c->number = mysql_errno(c->conn);
    (void)str_printable(message, sizeof message, mysql_error(c->conn));
    return error_set(err, maria_code_of(c->number), "%s: %s%s%s", c->where, what, what[0] != '\0' ? ": " : "",
                     message[0] != '\0' ? message : "the server gave no reason");
}

int maria_failed(const struct error *err)
{
    return err != NULL && err->code < 0 ? err->code : E_IO;
}

/* ---- waiting -------------------------------------------------------------------------------------------- */

static int look_up(struct maria *c, struct error *err)
{
    int rc = interrupt_check(err);
    if (rc == 0 && c->tick != NULL)
        rc = c->tick(c->tick_arg, err);
    return rc;
}

static short events_of(int status)
{
    return (short)((status & MYSQL_WAIT_READ ? POLLIN : 0) | (status & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
                   (status & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
}

/* What the library waits for in `status`, as much of it as happened: for its _cont calls. */
static int status_of(short events, int status)
{
    if (events & (POLLERR | POLLHUP | POLLNVAL))
        return status & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE);
    return (events & POLLIN ? MYSQL_WAIT_READ : 0) | (events & POLLOUT ? MYSQL_WAIT_WRITE : 0) |
           (events & POLLPRI ? MYSQL_WAIT_EXCEPT : 0);
}

/* A positive status for the _cont call, or a negative code; then the library still waits, for ever. */
static int wait_for(struct maria *c, int status, struct error *err)
{
    uint64_t now = clock_mono_ms();
    uint64_t end = status & MYSQL_WAIT_TIMEOUT ? now + mysql_get_timeout_value_ms(c->conn) : UINT64_MAX;
    for (;; now = clock_mono_ms()) {
        struct pollfd p = { .fd = mysql_get_socket(c->conn), .events = events_of(status) };
        uint64_t left = end > now ? end - now : 0;
        int n = poll(&p, 1, left < TICK_MS ? (int)left : TICK_MS);
        int rc = n < 0 && errno != EINTR ? error_sys(err, "wait for the server") : look_up(c, err);
        if (rc < 0) {
            c->broken = true;
            return rc;
        }
        if (n > 0)
            return status_of(p.revents, status);
        if (left == 0)
            return MYSQL_WAIT_TIMEOUT;
    }
}

/* start and cont are calls of the library that say what they wait for. */
#define WAITING(c, err, rc, start, cont)                                     \
    do {                                                                     \
        int waiting_ = (start);                                              \
        (rc) = 0;                                                            \
        while (waiting_ != 0 && ((rc) = wait_for((c), waiting_, (err))) > 0) \
            waiting_ = (cont);                                               \
        (rc) = (rc) < 0 ? (rc) : 0;                                          \
    } while (0)

static int refuse_broken(const struct maria *c, struct error *err)
{
    return c->broken || c->conn == NULL
               ? error_set(err, E_INTERNAL, "%s: asked after its connection was given up", c->where)
               : 0;
}

int maria_connect(struct maria *c, const struct maria_address *a, const char *password, struct error *err)
{
    MYSQL *done = NULL;
    int rc;
    WAITING(c, err, rc,
            mysql_real_connect_start(&done, c->conn, a->host, a->user, password, a->database, a->port,
                                     a->socket, 0),
            mysql_real_connect_cont(&done, c->conn, rc));
    if (rc < 0)
        return rc;
    return done != NULL ? 0 : maria_error(c, "", err);
}

static void hang_up(const struct maria *c)
{
    int fd = c->conn != NULL ? (int)mysql_get_socket(c->conn) : -1;
    if (fd >= 0)
        (void)shutdown(fd, SHUT_RDWR);
}

void maria_abandon(struct maria *c, MYSQL_RES *result)
{
    if (result == NULL)
        return;
    hang_up(c);
    c->broken = true;
    mysql_free_result(result);
}

void maria_close(struct maria *c)
{
    if (c->conn == NULL)
        return;
    hang_up(c); /* no farewell may keep us */
    mysql_close(c->conn);
    c->conn = NULL;
}

/* ---- statements ----------------------------------------------------------------------------------------- */

static int run(struct maria *c, const char *sql, size_t len, struct error *err)
{
    int failed = 0;
    int rc = refuse_broken(c, err);
    if (rc < 0)
        return rc;
    c->number = 0;
    WAITING(c, err, rc, mysql_real_query_start(&failed, c->conn, sql, len),
            mysql_real_query_cont(&failed, c->conn, rc));
    if (rc < 0)
        return rc;
    return failed == 0 ? 0 : maria_error(c, "", err);
}

int maria_query(struct maria *c, const char *sql, MYSQL_RES **out, struct error *err)
{
    *out = NULL;
    int rc = run(c, sql, strlen(sql), err);
    if (rc < 0 || mysql_field_count(c->conn) == 0)
        return rc;
    WAITING(c, err, rc, mysql_store_result_start(out, c->conn), mysql_store_result_cont(out, c->conn, rc));
    if (rc < 0)
        return rc;
    return *out != NULL ? 0 : maria_error(c, "", err);
}

int maria_exec_len(struct maria *c, const char *sql, size_t len, struct error *err)
{
    MYSQL_RES *result = NULL;
    int rc = run(c, sql, len, err);
    if (rc < 0 || mysql_field_count(c->conn) == 0)
        return rc;
    WAITING(c, err, rc, mysql_store_result_start(&result, c->conn),
            mysql_store_result_cont(&result, c->conn, rc));
    if (rc == 0 && result == NULL)
        rc = maria_error(c, "", err);
    mysql_free_result(result);
    return rc;
}

int maria_exec(struct maria *c, const char *sql, struct error *err)
{
    return maria_exec_len(c, sql, strlen(sql), err);
}

__attribute__((format(printf, 1, 0))) static char *format(const char *fmt, va_list args, struct error *err)
{
    char *text = NULL;
    if (vasprintf(&text, fmt, args) >= 0)
        return text;
    (void)error_set(err, E_NOMEM, "out of memory (a statement)");
    return NULL;
}

int maria_execf(struct maria *c, struct error *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *sql = format(fmt, args, err);
    va_end(args);
    int rc = sql != NULL ? maria_exec(c, sql, err) : E_NOMEM;
    free(sql);
    return rc;
}

int maria_queryf(struct maria *c, MYSQL_RES **out, struct error *err, const char *fmt, ...)
{
    va_list args;
    *out = NULL;
    va_start(args, fmt);
    char *sql = format(fmt, args, err);
    va_end(args);
    int rc = sql != NULL ? maria_query(c, sql, out, err) : E_NOMEM;
    free(sql);
    return rc;
}

char *maria_text(struct maria *c, const char *sql, struct error *err)
{
    MYSQL_RES *result = NULL;
    char *text = NULL;
    if (maria_query(c, sql, &result, err) < 0)
        return NULL;
    MYSQL_ROW row = result != NULL ? mysql_fetch_row(result) : NULL;
    if (row != NULL)
        text = str_dup(row[0] != NULL ? row[0] : "", err);
    else
        (void)error_set(err, E_NOT_FOUND, "%s: the server gave no row", c->where);
    mysql_free_result(result);
    return text;
}

int maria_number(struct maria *c, const char *sql, int64_t *out, struct error *err)
{
    char *text = maria_text(c, sql, err);
    if (text == NULL)
        return maria_failed(err);
    *out = strtoll(text, NULL, 10);
    free(text);
    return 0;
}

int maria_start(struct maria *c, const char *sql, MYSQL_RES **out, struct error *err)
{
    *out = NULL;
    int rc = run(c, sql, strlen(sql), err);
    if (rc == 0 && (*out = mysql_use_result(c->conn)) == NULL)
        rc = maria_error(c, "", err);
    return rc;
}

int maria_row(struct maria *c, MYSQL_RES *result, MYSQL_ROW *out, struct error *err)
{
    int rc;
    WAITING(c, err, rc, mysql_fetch_row_start(out, result), mysql_fetch_row_cont(out, result, rc));
    if (rc == 0 && *out == NULL && mysql_errno(c->conn) != 0)
        rc = maria_error(c, "", err);
    return rc;
}

int maria_load(struct maria *c, const char *sql, const void *data, size_t len, struct error *err)
{
    c->load = data;
    c->load_left = len;
    int rc = maria_exec(c, sql, err);
    if (rc == 0 && c->load_left != 0)
        rc = error_set(err, E_IO, "%s: the server did not take all rows", c->where);
    c->load = NULL;
    c->load_left = 0;
    return rc;
}
