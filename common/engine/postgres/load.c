/* Streams of a snapshot into the target. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/engine/postgres/name.h"
#include "common/engine/postgres/restore.h"
#include "common/engine/postgres/statement.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { BLOCK = 1 << 18, SCRIPT_MAX = 256 * 1024 * 1024 };

/* ---- pg_restore ------------------------------------------------------------------------------------------ */

/* Until the child's verdict: to the end of the stream, whose own check comes last, even when the child has read
 * enough; but not for one that failed. */
static int feed(struct child *child, struct source *s, struct pgsql_plan *p, struct error *err)
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
        pgsql_plan_progress(p, (uint64_t)n);
    }
    free(block);
    rc = rc == 0 && n < 0 ? (int)n : rc;
    return rc == 0 && wants ? pgsql_tool_finish(child, "pg_restore", err) : rc;
}

int pgsql_load_objects(struct pgsql *c, struct pgsql_plan *p, const struct pgsql_tool *tool,
                       struct error *err)
{
    bool bare = p->target->no_owner;
    const char *const args[] = { "--exit-on-error", "--section=data", bare ? "--no-owner" : NULL,
                                 "--no-privileges", NULL };
    struct child *child = NULL;
    struct source *s = pgsql_plan_open(p, true, "largeobjects.pgdump", err);
    int rc = s != NULL ? 0 : pgsql_failed(err);
    if (rc == 0 && (child = pgsql_tool_start(tool, c, "-d", args, true, err)) == NULL)
        rc = pgsql_failed(err);
    if (rc == 0)
        rc = feed(child, s, p, err);
    child_free(child);
    source_free(s);
    return rc < 0 ? error_wrap(err, "largeobjects.pgdump") : 0;
}

int pgsql_may_be_replica(struct pgsql *c, bool *out, struct error *err)
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

/* The value of a sequence that is restored. */
static int sets_wanted(const struct pgsql_plan *p, const struct statement *s, bool *out, struct error *err)
{
    enum { NAME_AT = 5 }; /* select pg_catalog . setval ( 'NAME' */
    const struct pgsql_schema *schema = &p->schema;
    const struct word *name = vec_at(&s->words, NAME_AT);
    int rc = 0;
    *out = schema->subset.wanted == NULL;
    for (size_t i = 0; rc == 0 && !*out && i < schema->toc.entries.len; i++) {
        const struct toc_entry *e = toc_at(&schema->toc, i);
        struct buf literal = BUF_INIT;
        if (!schema->subset.wanted[i] || !toc_is(e, "SEQUENCE"))
            continue;
        char *sql = pgsql_qualified(e->schema, e->tag, err);
        rc = sql != NULL ? pgsql_literal(&literal, sql, err) : E_NOMEM;
        if (rc == 0)
            rc = buf_append(&literal, "", 1, err);
        *out = rc == 0 && strcmp((const char *)literal.data, name->text) == 0;
        buf_free(&literal);
        free(sql);
    }
    return rc;
}

static uint64_t sequences_wanted(const struct pgsql_plan *p, bool *known)
{
    const struct pgsql_schema *schema = &p->schema;
    uint64_t n = 0;
    *known = true;
    if (schema->subset.wanted == NULL)
        *known = fact_number(p->script_facts, "sequences", &n);
    for (size_t i = 0; schema->subset.wanted != NULL && i < schema->toc.entries.len; i++)
        n += schema->subset.wanted[i] && toc_is(toc_at(&schema->toc, i), "SEQUENCE");
    return n;
}

int pgsql_load_sequences(struct pgsql *c, const struct pgsql_plan *p, struct error *err)
{
    struct buf script = BUF_INIT;
    bool known = false;
    uint64_t expected = sequences_wanted(p, &known);
    uint64_t done = 0;
    int rc = pgsql_plan_read(p, true, "load.sql", SCRIPT_MAX, &script, err);
    struct statements all = statements_of((const char *)script.data, script.len > 0 ? script.len - 1 : 0);
    while (rc == 0) {
        struct statement s;
        rc = statement_next(&all, &s, err);
        if (rc <= 0)
            break;
        bool wanted = false;
        rc = pgsql_is_setval(&s) ? sets_wanted(p, &s, &wanted, err) : 0;
        if (rc == 0 && wanted) {
            char *sql = str_dup_len(s.text, s.len, err);
            rc = sql != NULL ? pgsql_exec_one(c, sql, err) : E_NOMEM;
            free(sql);
            done++;
        }
        statement_free(&s);
    }
    buf_free(&script);
    if (rc == 0 && (!known || expected != done))
        rc = error_corrupt(err, "postgres-facts", "load.sql sets %llu of %llu sequences",
                           (unsigned long long)done, (unsigned long long)expected);
    return rc < 0 ? error_wrap(err, "sequences") : 0;
}
