/* Questions to a scratch server, for drills. */
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/postgres/restore.h"

#include "common/base/banned.h"

enum { FIELDS_MAX = 4096 };

static int give_rows(const PGresult *r, engine_row_fn *fn, void *arg, struct error *err)
{
    const char *fields[FIELDS_MAX];
    int n = PQnfields(r);
    int rc = n <= FIELDS_MAX ? 0 : error_set(err, E_UNSUPPORTED, "an answer with %d columns", n);
    for (int i = 0; rc == 0 && i < PQntuples(r); i++) {
        for (int k = 0; k < n; k++)
            fields[k] = PQgetisnull(r, i, k) ? NULL : PQgetvalue(r, i, k);
        rc = fn(fields, (size_t)n, arg, err);
    }
    return rc;
}

/* The server takes several statements in one text; the first failure is the news. */
static int run_script(struct pgsql *c, const char *sql, struct error *err)
{
    struct error why = ERROR_INIT;
    PGresult *r = NULL;
    int rc = PQsendQuery(c->conn, sql) != 0 ? 0 : pgsql_error(c, NULL, err, "the connection was lost");
    while (rc == 0 && (rc = pgsql_result(c, &r, err)) == 0 && r != NULL) {
        ExecStatusType status = PQresultStatus(r);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY &&
            why.code == 0)
            (void)pgsql_error(c, r, &why, "");
        PQclear(r);
    }
    return rc == 0 && why.code != 0 ? error_copy(err, &why) : rc;
}

/* With the search_path that the role has there. */
int pgsql_ask(const char *to, const char *sql, bool script, engine_row_fn *fn, void *arg, struct error *err)
{
    struct pgsql c = { .conn = NULL };
    PGresult *r = NULL;
    int rc = pgsql_target_connect(to, &c, err);
    if (rc == 0)
        rc = pgsql_exec(&c, "SET statement_timeout = 0", err);
    if (rc == 0 && utf8_valid(sql, strlen(sql)) && PQsetClientEncoding(c.conn, "UTF8") != 0)
        rc = pgsql_error(&c, NULL, err, "set the client encoding");
    if (rc == 0)
        rc = script ? run_script(&c, sql, err) : pgsql_query(&c, sql, &r, err);
    if (rc == 0 && r != NULL && fn != NULL)
        rc = give_rows(r, fn, arg, err);
    PQclear(r);
    pgsql_close(&c);
    return rc;
}
