#include "common/engine/postgres/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum { CONNECT_MS = 30000, POLL_MS = 200, TICK_MS = 1000, SQL_MAX = 4096, HINT_MAX = 300 };

/* ---- errors -------------------------------------------------------------------------------------------- */

int pgsql_code_of(const char *state)
{
    static const struct {
        const char *prefix;
        int code;
    } codes[] = {
        { "08", E_RETRY },        { "57P01", E_RETRY },     { "57P02", E_RETRY },    { "57P03", E_RETRY },
        { "57P05", E_RETRY },     { "25P03", E_RETRY },     { "55P03", E_RETRY },    { "40", E_RETRY },
        { "53300", E_RETRY },     { "28", E_DENIED },       { "42501", E_DENIED },   { "3D000", E_NOT_FOUND },
        { "42P01", E_NOT_FOUND }, { "3F000", E_NOT_FOUND }, { "53100", E_NO_SPACE }, { "53200", E_NOMEM },
        { "XX001", E_CORRUPT },   { "XX002", E_CORRUPT },   { "0A", E_UNSUPPORTED }, { "54", E_UNSUPPORTED },
        { "55006", E_BUSY },
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (str_starts(state, codes[i].prefix))
            return codes[i].code;
    return E_IO;
}

/* Messages of a failed connect carry "SEVERITY:  SQLSTATE: text" lines and a LOCATION line (verbosity). */
static const char *connect_message(struct pgsql *c, char *out, size_t cap)
{
    char text[ERROR_TEXT_MAX];
    (void)snprintf(text, sizeof text, "%s", PQerrorMessage(c->conn));
    char *location = strstr(text, "\nLOCATION:");
    if (location != NULL)
        *location = '\0';
    for (char *p = strstr(text, ":  "); p != NULL && c->state[0] == '\0'; p = strstr(p + 1, ":  ")) {
        size_t n = strspn(p + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (n == 5 && p[8] == ':') {
            (void)snprintf(c->state, sizeof c->state, "%.5s", p + 3);
            memmove(p + 3, p + 10, strlen(p + 10) + 1); /* "56789: " is for programs */
        }
    }
    for (char *p = text; *p != '\0'; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' ';
    while (text[0] != '\0' && text[strlen(text) - 1] == ' ')
        text[strlen(text) - 1] = '\0';
    return str_printable(out, cap, text);
}

/* A standby that needs what we read cancels the statement, and says so; or it ends the session, and can say nothing while
 * rows are on their way. */
static void standby_advice(const struct pgsql *c, char advice[HINT_MAX])
{
    static const char cure[] =
        "set hot_standby_feedback = on or a larger max_standby_streaming_delay there, or back up the primary";
    const char *standby = PQparameterStatus(c->conn, "in_hot_standby");
    if (strcmp(c->state, "40001") == 0) /* ours only read: nothing else conflicts */
        (void)snprintf(advice, HINT_MAX, "on a standby: %s", cure);
    else if (c->state[0] == '\0' && PQstatus(c->conn) != CONNECTION_OK && standby != NULL &&
             strcmp(standby, "on") == 0)
        (void)snprintf(advice, HINT_MAX, "perhaps a conflict with recovery; on a standby: %s", cure);
}

int pgsql_error(struct pgsql *c, const PGresult *result, struct error *err, const char *what)
{
    char message[ERROR_TEXT_MAX];
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *primary = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *hint = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_HINT) : NULL;
    const char *context = result != NULL ? PQresultErrorField(result, PG_DIAG_CONTEXT) : NULL;
    const char *colon = what[0] != '\0' ? ": " : "";
    char advice[HINT_MAX] = "";
    (void)snprintf(c->state, sizeof c->state, "%s", state != NULL ? state : "");
    if (context != NULL)
        (void)snprintf(c->context, sizeof c->context, "%s", context);
    if (primary != NULL)
        (void)str_printable(message, sizeof message, primary);
    else
        (void)connect_message(c, message, sizeof message);
    if (hint != NULL)
        (void)str_printable(advice, sizeof advice, hint);
    if (advice[0] == '\0')
        standby_advice(c, advice);
    int code = c->state[0] != '\0'                  ? pgsql_code_of(c->state)
               : PQstatus(c->conn) != CONNECTION_OK ? E_RETRY
                                                    : E_IO;
    return error_set(err, code, "%s: %s%s%s%s%s%s", c->where, what, colon, message,
                     advice[0] != '\0' ? " (" : "", advice, advice[0] != '\0' ? ")" : "");
}

int pgsql_failed(const struct error *err)
{
    return err != NULL && err->code < 0 ? err->code : E_IO;
}

static void on_notice(void *arg, const PGresult *result)
{
    char shown[512];
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    (void)arg;
    log_event(LOG_DEBUG, "postgres: %s", str_printable(shown, sizeof shown, text != NULL ? text : "?"));
}

/* ---- connecting ---------------------------------------------------------------------------------------- */

static int refuse_passwords(const char *const *keys, const char *const *values, struct error *err)
{
    static const char way_out[] =
        "put it into a password file (host:port:database:user:password, mode 0600) and name that file";
    for (size_t i = 0; keys[i] != NULL; i++)
        if (strstr(keys[i], "password") != NULL && values[i] != NULL && values[i][0] != '\0')
            return error_set(err, E_USAGE, "a password is not taken from here, where others can see it: %s",
                             way_out);
    if (getenv("PGPASSWORD") != NULL)
        return error_set(err, E_USAGE,
                         "PGPASSWORD is set; a password in the environment is not used: %s with `passfile` "
                         "or PGPASSFILE",
                         way_out);
    return 0;
}

static int wait_fd(int fd, short events, int timeout, struct error *err)
{
    struct pollfd p = { .fd = fd, .events = events };
    int n = poll(&p, 1, timeout);
    if (n < 0 && errno != EINTR)
        return error_sys(err, "wait for the server");
    int rc = interrupt_check(err);
    return rc < 0 ? rc : n > 0;
}

static int finish_connect(struct pgsql *c, struct error *err)
{
    uint64_t end = clock_mono_ms() + CONNECT_MS;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state == PGRES_POLLING_WRITING || state == PGRES_POLLING_READING) {
        short events = state == PGRES_POLLING_WRITING ? POLLOUT : POLLIN;
        int rc = wait_fd(PQsocket(c->conn), events, POLL_MS, err);
        if (rc < 0)
            return rc;
        if (rc > 0)
            state = PQconnectPoll(c->conn);
        else if (clock_mono_ms() > end)
            return error_set(err, E_RETRY, "%s: no answer within %d seconds", c->where, CONNECT_MS / 1000);
    }
    return state == PGRES_POLLING_OK ? 0 : pgsql_error(c, NULL, err, "");
}

static void name_it(struct pgsql *c)
{
    char db[PGSQL_WHERE_MAX / 2];
    char host[PGSQL_WHERE_MAX / 2 - 32];
    (void)str_printable(db, sizeof db, PQdb(c->conn) != NULL ? PQdb(c->conn) : "?");
    (void)str_printable(host, sizeof host, PQhost(c->conn) != NULL ? PQhost(c->conn) : "");
    (void)snprintf(c->where, sizeof c->where, "database %s at %s", db, host[0] != '\0' ? host : "?");
}

int pgsql_open(struct pgsql *c, const char *const *keys, const char *const *values, struct error *err)
{
    *c = (struct pgsql){ .conn = NULL, .where = "PostgreSQL" };
    int rc = refuse_passwords(keys, values, err);
    if (rc < 0)
        return rc;
    c->conn = PQconnectStartParams(keys, values, 0);
    if (c->conn == NULL)
        return error_set(err, E_NOMEM, "out of memory (connection)");
    (void)PQsetErrorVerbosity(c->conn, PQERRORS_VERBOSE); /* messages of the connect get their SQLSTATE */
    (void)PQsetNoticeReceiver(c->conn, on_notice, NULL);
    name_it(c);
    rc = PQstatus(c->conn) == CONNECTION_BAD ? pgsql_error(c, NULL, err, "") : finish_connect(c, err);
    if (rc == 0)
        name_it(c);
    return rc;
}

void pgsql_close(struct pgsql *c)
{
    PQfinish(c->conn);
    c->conn = NULL;
}

bool pgsql_needs_password(const struct pgsql *c)
{
    return c->conn != NULL && PQconnectionNeedsPassword(c->conn) != 0;
}

/* ---- waiting and asking -------------------------------------------------------------------------------- */

/* Also when the server is quick and there is never nothing to read: tick keeps its own time. */
static int take_in(struct pgsql *c, struct error *err)
{
    if (PQconsumeInput(c->conn) == 0)
        return pgsql_error(c, NULL, err, "the connection was lost");
    return c->tick != NULL ? c->tick(c->tick_arg, err) : 0;
}

int pgsql_arrived(struct pgsql *c, struct error *err)
{
    int rc = interrupt_check(err);
    return rc < 0 ? rc : take_in(c, err);
}

int pgsql_wait(struct pgsql *c, struct error *err)
{
    uint64_t end = clock_mono_ms() + TICK_MS;
    int rc = 0;
    while (rc == 0 && clock_mono_ms() < end)
        rc = wait_fd(PQsocket(c->conn), POLLIN, POLL_MS, err);
    return rc < 0 ? rc : take_in(c, err);
}

int pgsql_result(struct pgsql *c, PGresult **out, struct error *err)
{
    while (PQisBusy(c->conn) != 0) {
        int rc = pgsql_wait(c, err);
        if (rc < 0)
            return rc;
    }
    *out = PQgetResult(c->conn);
    return 0;
}

int pgsql_drain(struct pgsql *c, int rc, struct error *err)
{
    struct error why = ERROR_INIT;
    PGresult *rest = NULL;
    int end;
    while ((end = pgsql_result(c, &rest, &why)) == 0 && rest != NULL)
        PQclear(rest);
    return rc < 0 || end == 0 ? rc : error_copy(err, &why);
}

/* What a statement that was sent gives. */
static int collect(struct pgsql *c, PGresult **out, struct error *err)
{
    PGresult *kept = NULL;
    PGresult *next = NULL;
    int rc;
    while ((rc = pgsql_result(c, &next, err)) == 0 && next != NULL) {
        ExecStatusType status = PQresultStatus(next);
        bool bad = kept != NULL && PQresultStatus(kept) != PGRES_COMMAND_OK &&
                   PQresultStatus(kept) != PGRES_TUPLES_OK;
        if (bad) {
            PQclear(next); /* the first failure is the news */
            continue;
        }
        PQclear(kept);
        kept = next;
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
            break;
    }
    if (rc == 0 && kept == NULL)
        rc = pgsql_error(c, NULL, err, "the connection was lost");
    ExecStatusType status = PQresultStatus(kept);
    if (rc == 0 && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_COPY_IN &&
        status != PGRES_COPY_OUT)
        rc = pgsql_error(c, kept, err, "");
    if (rc < 0 || out == NULL) {
        PQclear(kept);
        kept = NULL;
    }
    if (out != NULL)
        *out = kept;
    return rc;
}

int pgsql_query(struct pgsql *c, const char *sql, PGresult **out, struct error *err)
{
    if (PQsendQuery(c->conn, sql) == 0)
        return pgsql_error(c, NULL, err, "the connection was lost");
    return collect(c, out, err);
}

int pgsql_exec_one(struct pgsql *c, const char *sql, struct error *err)
{
    if (PQsendQueryParams(c->conn, sql, 0, NULL, NULL, NULL, NULL, 0) == 0)
        return pgsql_error(c, NULL, err, "the connection was lost");
    return collect(c, NULL, err);
}

int pgsql_exec(struct pgsql *c, const char *sql, struct error *err)
{
    return pgsql_query(c, sql, NULL, err);
}

int pgsql_execf(struct pgsql *c, struct error *err, const char *fmt, ...)
{
    char sql[SQL_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(sql, sizeof sql, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof sql)
        return error_set(err, E_INTERNAL, "a statement is too long");
    return pgsql_exec(c, sql, err);
}

char *pgsql_text(struct pgsql *c, const char *sql, struct error *err)
{
    PGresult *r = NULL;
    char *text = NULL;
    if (pgsql_query(c, sql, &r, err) < 0)
        return NULL;
    if (PQntuples(r) < 1 || PQgetisnull(r, 0, 0))
        (void)error_set(err, E_INTERNAL, "%s: no answer to: %s", c->where, sql);
    else
        text = str_dup(PQgetvalue(r, 0, 0), err);
    PQclear(r);
    return text;
}

int pgsql_number(struct pgsql *c, const char *sql, int64_t *out, struct error *err)
{
    char *text = pgsql_text(c, sql, err);
    if (text == NULL)
        return pgsql_failed(err);
    char *end = NULL;
    errno = 0;
    *out = strtoll(text, &end, 10);
    int rc = errno != 0 || end == text || *end != '\0'
                 ? error_set(err, E_INTERNAL, "%s: \"%s\" is no number", c->where, text)
                 : 0;
    free(text);
    return rc;
}
