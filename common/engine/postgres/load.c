/* Streams of a snapshot into the target. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/engine/postgres/restore.h"
#include "common/engine/postgres/statement.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { BLOCK = 1 << 18, SCRIPT_MAX = 256 * 1024 * 1024 };

/* ---- pg_restore ------------------------------------------------------------------------------------------ */

/* Until the child's verdict: to the end of the stream, whose own check comes last, even when the child has read
 * enough; but not for one that failed. */
static int feed(struct child *child, struct source *s, struct pgsql_plan *p, bool count, struct error *err)
{
    int64_t n = 0;
    bool wants = true;
    uint8_t *block = mem_alloc(1, BLOCK, err);
    int rc = block != NULL ? 0 : E_NOMEM;
    while (rc == 0 && (n = source_read(s, block, BLOCK, err)) > 0) {
        struct error why = ERROR_INIT;
        if (wants && fd_write_full(child_stdin(child), block, (size_t)n, "pg_restore", &why) < 0) {
            wants = false;
            rc = why.sys == EPIPE ? pgsql_tool_finish(child, "pg_restore", err) : error_copy(err, &why);
        }
        if (count)
            pgsql_plan_progress(p, (uint64_t)n);
    }
    free(block);
    rc = rc == 0 && n < 0 ? (int)n : rc;
    return rc == 0 && wants ? pgsql_tool_finish(child, "pg_restore", err) : rc;
}

int pgsql_load_dump(struct pgsql *c, struct pgsql_plan *p, const struct pgsql_tool *tool, const char *rest,
                    const char *section, struct error *err)
{
    bool bare = p->target->no_owner;
    const char *const args[] = { "--exit-on-error", section, bare ? "--no-owner" : NULL, "--no-privileges",
                                 NULL };
    struct child *child = NULL;
    struct source *s = pgsql_plan_open(p, true, rest, err);
    int rc = s != NULL ? 0 : pgsql_failed(err);
    if (rc == 0 && (child = pgsql_tool_start(tool, c, "-d", args, true, err)) == NULL)
        rc = pgsql_failed(err);
    if (rc == 0)
        rc = feed(child, s, p, strcmp(section, "--section=post-data") != 0, err);
    child_free(child);
    source_free(s);
    return rc < 0 ? error_wrap(err, "%s", rest) : 0;
}

/* ---- rows ------------------------------------------------------------------------------------------------- */

static int put(struct pgsql *c, struct source *s, struct pgsql_plan *p, struct error *err)
{
    int64_t n = 0;
    uint8_t *block = mem_alloc(1, BLOCK, err);
    int rc = block != NULL ? 0 : E_NOMEM;
    while (rc == 0 && (n = source_read(s, block, BLOCK, err)) > 0) {
        if (PQputCopyData(c->conn, (const char *)block, (int)n) != 1)
            rc = pgsql_error(c, NULL, err, "send rows");
        pgsql_plan_progress(p, (uint64_t)n);
    }
    rc = rc == 0 && n < 0 ? (int)n : rc;
    free(block);
    return rc;
}

static int ended(struct pgsql *c, const struct pgsql_load *l, struct error *err)
{
    PGresult *r = NULL;
    int rc = pgsql_result(c, &r, err);
    if (rc == 0 && (r == NULL || PQresultStatus(r) != PGRES_COMMAND_OK))
        rc = pgsql_error(c, r, err, "");
    else if (rc == 0 && strtoull(PQcmdTuples(r), NULL, 10) != l->t.rows)
        rc = error_corrupt(err, "facts-differ", "the server took %s rows of %llu", PQcmdTuples(r),
                           (unsigned long long)l->t.rows);
    PQclear(r);
    return pgsql_drain(c, rc, err);
}

static int load_rows(struct pgsql *c, struct pgsql_plan *p, const struct pgsql_load *l, struct error *err)
{
    struct buf sql = BUF_INIT;
    PGresult *r = NULL;
    struct source *s = pgsql_plan_open(p, true, l->stream + strlen(p->prefix), err);
    int rc = s != NULL ? pgsql_copy_sql(&l->t, false, &sql, err) : pgsql_failed(err);
    if (rc == 0)
        rc = pgsql_query(c, (const char *)sql.data, &r, err);
    if (rc == 0 && PQresultStatus(r) != PGRES_COPY_IN)
        rc = error_set(err, E_INTERNAL, "COPY takes no rows");
    PQclear(r);
    if (rc == 0)
        rc = put(c, s, p, err);
    /* Without the end the server takes nothing of it. */
    if (rc == 0 && PQputCopyEnd(c->conn, NULL) != 1)
        rc = pgsql_error(c, NULL, err, "send rows");
    if (rc == 0)
        rc = ended(c, l, err);
    buf_free(&sql);
    source_free(s);
    return rc;
}

/* In a transaction each, without triggers where this role may switch them off. */
static int load_table(struct pgsql *c, struct pgsql_plan *p, const struct pgsql_load *l, bool replica,
                      struct error *err)
{
    char shown[200];
    int rc = pgsql_exec(c, "BEGIN", err);
    if (rc == 0 && replica)
        rc = pgsql_exec(c, "SET LOCAL session_replication_role = replica", err);
    if (rc == 0)
        rc = load_rows(c, p, l, err);
    if (rc == 0)
        rc = pgsql_exec(c, "COMMIT", err);
    return rc < 0 ? error_wrap(err, "table %s", str_printable(shown, sizeof shown, l->t.sql)) : 0;
}

static int may_be_replica(struct pgsql *c, bool *out, struct error *err)
{
    const char *sql =
        PQserverVersion(c->conn) >= 150000
            ? "SELECT pg_catalog.has_parameter_privilege('session_replication_role', 'SET')::pg_catalog.int4"
            : "SELECT rolsuper::pg_catalog.int4 FROM pg_catalog.pg_roles WHERE rolname = current_user";
    int64_t may = 0;
    int rc = pgsql_number(c, sql, &may, err);
    *out = may != 0;
    return rc;
}

int pgsql_load_tables(struct pgsql *c, struct pgsql_plan *p, struct error *err)
{
    bool replica = false;
    int rc = may_be_replica(c, &replica, err);
    for (size_t i = 0; rc == 0 && i < p->loads.len; i++) {
        const struct pgsql_load *l = vec_at(&p->loads, i);
        pgsql_plan_phase(p, l->stream);
        rc = load_table(c, p, l, replica, err);
    }
    return rc;
}

/* ---- sequences --------------------------------------------------------------------------------------------- */

static bool is_number(const struct statement *s, size_t i)
{
    const char *text = statement_name(s, i);
    return text != NULL && text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* SELECT pg_catalog.setval('NAME', NUMBER, true); and nothing else, since it is a snapshot that says so. */
bool pgsql_is_setval(const struct statement *s)
{
    static const char *const before[] = { "select", "pg_catalog", ".", "setval", "(" };
    size_t n = sizeof before / sizeof before[0];
    for (size_t i = 0; i < n; i++)
        if (!statement_is(s, i, before[i]))
            return false;
    const struct word *name = n < s->words.len ? vec_at(&s->words, n) : NULL;
    size_t number = n + 2 + statement_is(s, n + 2, "-");
    return name != NULL && !name->quoted && name->text[0] == '\'' && statement_is(s, n + 1, ",") &&
           is_number(s, number) && statement_is(s, number + 1, ",") &&
           (statement_is(s, number + 2, "true") || statement_is(s, number + 2, "false")) &&
           statement_is(s, number + 3, ")") && s->words.len == number + 4;
}

int pgsql_load_sequences(struct pgsql *c, const struct pgsql_plan *p, struct error *err)
{
    struct buf script = BUF_INIT;
    uint64_t expected = 0;
    uint64_t done = 0;
    int rc = pgsql_plan_read(p, true, "load.sql", SCRIPT_MAX, &script, err);
    struct statements all = statements_of((const char *)script.data, script.len > 0 ? script.len - 1 : 0);
    while (rc == 0) {
        struct statement s;
        rc = statement_next(&all, &s, err);
        if (rc <= 0)
            break;
        rc = 0;
        if (pgsql_is_setval(&s)) {
            char *sql = str_dup_len(s.text, s.len, err);
            rc = sql != NULL ? pgsql_exec_one(c, sql, err) : E_NOMEM;
            free(sql);
            done++;
        }
        statement_free(&s);
    }
    buf_free(&script);
    if (rc == 0 && (!fact_number(p->script_facts, "sequences", &expected) || expected != done))
        rc = error_corrupt(err, "postgres-facts", "load.sql sets %llu sequences, the snapshot has %llu",
                           (unsigned long long)done, (unsigned long long)expected);
    return rc < 0 ? error_wrap(err, "sequences") : 0;
}
