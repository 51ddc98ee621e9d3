/* A script of the person who restores: the last thing that happens to a target. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/postgres/restore.h"
#include "common/engine/postgres/statement.h"

#include "common/base/banned.h"

enum { SHOWN_MAX = 200 };

static const char *name_of(const struct engine_target *t)
{
    return t->after_name != NULL ? t->after_name : "the script";
}

static size_t line_of(const char *script, const char *at)
{
    size_t n = 1;
    for (const char *p = script; p < at; p++)
        n += *p == '\n';
    return n;
}

/* What would end the transaction that all of it runs in, or read rows from the script. */
static bool is_refused(const struct statement *s)
{
    static const char *const words[] = { "begin", "commit", "end", "abort", "start", NULL };
    for (size_t i = 0; words[i] != NULL; i++)
        if (statement_is(s, 0, words[i]))
            return true;
    if (statement_is(s, 0, "rollback"))
        return !statement_is(s, 1, "to") && !statement_is(s, 2, "to");
    return (statement_is(s, 0, "prepare") && statement_is(s, 1, "transaction")) || statement_is(s, 0, "copy");
}

/* The splitter passes over lines of psql; here they are a mistake. */
static const char *psql_line(const char *from, const char *to)
{
    for (const char *p = from; p < to; p++)
        if (*p == '\\' && (p == from || p[-1] == '\n' || p[-1] == ';'))
            return p;
    return NULL;
}

int pgsql_after_check(const struct engine_target *target, struct error *err)
{
    const char *script = target->after_sql;
    int rc = script != NULL ? 1 : 0;
    struct statements all = statements_of(script, script != NULL ? strlen(script) : 0);
    while (rc == 1) {
        struct statement s;
        const char *from = all.at;
        struct error why = ERROR_INIT;
        rc = statement_next(&all, &s, &why);
        if (rc < 0)
            return error_set(err, E_USAGE, "%s: %s", name_of(target), why.text);
        const char *psql = psql_line(from, rc == 1 ? s.text : all.end);
        bool refused = rc == 1 && is_refused(&s);
        size_t line = line_of(script, psql != NULL || rc == 0 ? psql != NULL ? psql : all.end : s.text);
        char shown[SHOWN_MAX];
        char first[SHOWN_MAX];
        const char *at = psql != NULL ? psql : s.text;
        (void)snprintf(first, sizeof first, "%.*s", at != NULL ? (int)strcspn(at, "\n;") : 0,
                       at != NULL ? at : "");
        (void)str_printable(shown, sizeof shown, first);
        if (rc == 1)
            statement_free(&s);
        if (psql != NULL)
            return error_set(
                err, E_USAGE,
                "%s, line %zu: %s is a command of psql: the script is given to the server as it is, so it "
                "may hold SQL only",
                name_of(target), line, shown);
        if (refused)
            return error_set(
                err, E_USAGE,
                "%s, line %zu: %s: the whole script is one transaction, without COPY and without its own "
                "BEGIN and COMMIT",
                name_of(target), line, shown);
    }
    return 0;
}

/* All results of the script; the first failure is the news. */
static int take_results(struct pgsql *c, const struct engine_target *t, uint64_t *statements,
                        struct error *err)
{
    struct error why = ERROR_INIT;
    PGresult *r = NULL;
    int rc = 0;
    while (rc == 0 && (rc = pgsql_result(c, &r, err)) == 0 && r != NULL) {
        ExecStatusType status = PQresultStatus(r);
        const char *position = PQresultErrorField(r, PG_DIAG_STATEMENT_POSITION);
        size_t at = position != NULL ? (size_t)strtoull(position, NULL, 10) : 0;
        if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY) {
            *statements += status != PGRES_EMPTY_QUERY;
        } else if (why.code == 0) {
            (void)pgsql_error(c, r, &why, "");
            if (at > 0 && at <= strlen(t->after_sql))
                (void)error_wrap(&why, "near line %zu", line_of(t->after_sql, t->after_sql + at - 1));
            else
                (void)error_wrap(&why, "statement %llu", (unsigned long long)*statements + 1);
        }
        PQclear(r);
    }
    return rc == 0 && why.code != 0 ? error_copy(err, &why) : rc;
}

static int run(struct pgsql *c, const struct engine_target *t, uint64_t *statements, struct error *err)
{
    int rc = pgsql_exec(c, "BEGIN", err);
    if (rc == 0 && PQsendQuery(c->conn, t->after_sql) == 0)
        rc = pgsql_error(c, NULL, err, "the connection was lost");
    if (rc == 0)
        rc = take_results(c, t, statements, err);
    if (rc == 0 && PQtransactionStatus(c->conn) != PQTRANS_INTRANS)
        rc = error_set(err, E_USAGE, "it ended the transaction that it runs in");
    return rc == 0 ? pgsql_exec(c, "COMMIT", err) : rc;
}

/* In a session of its own, with the search_path that the role has here. */
int pgsql_after(struct pgsql *c, const struct engine_target *target, struct error *err)
{
    struct pgsql own;
    uint64_t statements = 0;
    int rc = pgsql_target_again(c, &own, err);
    if (rc == 0)
        rc = pgsql_exec(&own, "RESET ALL", err);
    if (rc == 0)
        rc = pgsql_exec(&own, "SET statement_timeout = 0", err);
    if (rc == 0 && utf8_valid(target->after_sql, strlen(target->after_sql)) &&
        PQsetClientEncoding(own.conn, "UTF8") != 0)
        rc = pgsql_error(&own, NULL, err, "set the client encoding");
    if (rc == 0)
        rc = run(&own, target, &statements, err);
    pgsql_close(&own);
    if (rc < 0)
        return error_wrap(err, "%s", name_of(target));
    if (target->after_statements != NULL)
        *target->after_statements = statements;
    return 0;
}
