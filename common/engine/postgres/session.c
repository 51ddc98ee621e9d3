/* What a connection is told first, and what other programs are told to reach the same place. */
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/postgres/conn.h"
#include "common/engine/postgres/name.h"
#include "common/engine/postgres/restore.h"

#include "common/base/banned.h"

/* ---- a session that is the same everywhere ------------------------------------------------------------- */

/* The text of floats, times, money, bytea and names depends on the first of these. */
#define SESSION_BYTES                                                                                 \
    "('datestyle','ISO'),('intervalstyle','postgres'),('extra_float_digits','3'),('timezone','UTC')," \
    "('bytea_output','hex'),('lc_monetary','C'),('search_path',''),('xmloption','content')"
#define SESSION_REST                                                                                        \
    "('synchronize_seqscans','off'),('statement_timeout','0'),('idle_in_transaction_session_timeout','0')," \
    "('idle_session_timeout','0'),('row_security','off'),('standard_conforming_strings','on'),"             \
    "('restrict_nonsystem_relation_kind','view, foreign-table')"

const char *pgsql_session_text(void)
{
    return "DateStyle=ISO IntervalStyle=postgres extra_float_digits=3 TimeZone=UTC bytea_output=hex "
           "lc_monetary=C search_path='' xmloption=content synchronize_seqscans=off row_security=off";
}

int pgsql_refuse_pooler(struct pgsql *c, struct error *err)
{
    int64_t process = 0;
    int rc = pgsql_number(c, "SELECT pg_catalog.pg_backend_pid()", &process, err);
    if (rc < 0 || process == PQbackendPID(c->conn))
        return rc;
    return error_set(
        err, E_UNSUPPORTED,
        "%s: this is a connection pooler (PgBouncer and the like), not the server: the process that "
        "answers is not the one that was connected to. What a backup needs (one snapshot for several "
        "sessions, settings, locks until its end) breaks there: give the job the `host` and `port` of the "
        "server itself",
        c->where);
}

int pgsql_session(struct pgsql *c, uint64_t lock_ms, const char *encoding, struct error *err)
{
    /* First of all: the role's own timeout may be shorter than what follows. */
    int rc = pgsql_exec(c, "SET statement_timeout = 0", err);
    /* pg_settings: some of these came with a minor release. */
    if (rc == 0)
        rc = pgsql_execf(c, err,
                         "SELECT pg_catalog.set_config(s.name, v.value, false) FROM (VALUES %s,%s,"
                         "('lock_timeout','%llu')) AS v(name, value) JOIN pg_catalog.pg_settings s "
                         "ON pg_catalog.lower(s.name) = v.name",
                         SESSION_BYTES, SESSION_REST, (unsigned long long)lock_ms);
    const char *own = PQparameterStatus(c->conn, "server_encoding");
    const char *wanted = encoding != NULL ? encoding : own != NULL ? own : "";
    if (rc == 0 && PQsetClientEncoding(c->conn, wanted) != 0)
        rc = pgsql_error(c, NULL, err, "set the client encoding");
    if (rc == 0)
        (void)PQsetErrorVerbosity(c->conn, PQERRORS_DEFAULT);
    return rc;
}

/* ---- for pg_dump and the like -------------------------------------------------------------------------- */

static bool for_children(const PQconninfoOption *o)
{
    static const char *const not [] = { "host",
                                        "hostaddr",
                                        "port",
                                        "passfile",
                                        "application_name",
                                        "fallback_application_name",
                                        "client_encoding",
                                        "service" };
    if (o->val == NULL || o->val[0] == '\0' || o->dispchar[0] == '*' || o->dispchar[0] == 'D' ||
        strstr(o->keyword, "password") != NULL)
        return false;
    for (size_t i = 0; i < sizeof not / sizeof not [0]; i++)
        if (strcmp(o->keyword, not [i]) == 0)
            return false;
    return true;
}

static int add_option(struct buf *out, const char *key, const char *value, struct error *err)
{
    if (value == NULL || value[0] == '\0')
        return 0;
    int rc = buf_printf(out, err, "%s%s=", out->len != 0 ? " " : "", key);
    return rc == 0 ? pgsql_conninfo_value(out, value, err) : rc;
}

int pgsql_for_children(const struct pgsql *c, char **conninfo, char **passfile, struct error *err)
{
    struct buf text = BUF_INIT;
    PQconninfoOption *all = PQconninfo(c->conn);
    int rc = all != NULL ? 0 : error_set(err, E_NOMEM, "out of memory (connection options)");
    *conninfo = *passfile = NULL;
    /* The host this connection reached, not the list it chose from. */
    if (rc == 0)
        rc = add_option(&text, "host", PQhost(c->conn), err);
    if (rc == 0)
        rc = add_option(&text, "port", PQport(c->conn), err);
    for (PQconninfoOption *o = all; rc == 0 && o != NULL && o->keyword != NULL; o++) {
        if (for_children(o))
            rc = add_option(&text, o->keyword, o->val, err);
        if (rc == 0 && strcmp(o->keyword, "passfile") == 0 && o->val != NULL && o->val[0] != '\0' &&
            (*passfile = str_dup(o->val, err)) == NULL)
            rc = E_NOMEM;
    }
    if (rc == 0)
        rc = add_option(&text, "application_name", "backupd", err);
    if (rc == 0)
        rc = buf_append(&text, "", 1, err);
    PQconninfoFree(all);
    if (rc == 0) {
        *conninfo = (char *)text.data;
        return 0;
    }
    buf_free(&text);
    free(*passfile);
    *passfile = NULL;
    return rc;
}

/* ---- the same place once more ------------------------------------------------------------------------------ */

enum { KEYS_MAX = 64 };

int pgsql_target_again(const struct pgsql *first, struct pgsql *c, struct error *err)
{
    const char *keys[KEYS_MAX + 2];
    const char *values[KEYS_MAX + 2];
    char *conninfo = NULL;
    char *passfile = NULL;
    char *message = NULL;
    size_t n = 0;
    *c = (struct pgsql){ .conn = NULL };
    int rc = pgsql_for_children(first, &conninfo, &passfile, err);
    PQconninfoOption *all = rc == 0 ? PQconninfoParse(conninfo, &message) : NULL;
    if (rc == 0 && all == NULL)
        rc = error_set(err, E_INTERNAL, "a connection cannot be made again");
    for (const PQconninfoOption *o = all; rc == 0 && o->keyword != NULL && n < KEYS_MAX; o++)
        if (o->val != NULL) {
            keys[n] = o->keyword;
            values[n++] = o->val;
        }
    if (passfile != NULL) {
        keys[n] = "passfile";
        values[n++] = passfile;
    }
    keys[n] = NULL;
    values[n] = NULL;
    if (rc == 0)
        rc = pgsql_open(c, keys, values, err);
    if (rc == 0)
        rc = pgsql_session(c, 0, NULL, err);
    PQfreemem(message);
    PQconninfoFree(all);
    free(conninfo);
    free(passfile);
    return rc;
}
