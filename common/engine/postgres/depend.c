/* Whether what patterns leave in can be restored without what they leave out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/option.h"
#include "common/engine/postgres/internal.h"

#include "common/base/banned.h"

enum { TEXT_MAX = 700 };

static int oid_list(const struct vec *relations, bool all, struct buf *out, struct error *err)
{
    int rc = buf_printf(out, err, "ARRAY[0");
    for (size_t i = 0; rc == 0 && i < relations->len; i++) {
        const struct pgsql_relation *r = vec_at(relations, i);
        if (all || r->left_out)
            rc = buf_printf(out, err, ",%lu", (unsigned long)r->oid);
    }
    if (rc == 0)
        rc = buf_printf(out, err, "]::pg_catalog.oid[]");
    return rc == 0 ? buf_append(out, "", 1, err) : rc;
}

/* These come with their extension, which stays. */
#define NOT_OF_EXTENSION(class)                                                                  \
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.deptype = 'e' AND e.classid = " \
    "'pg_catalog." class "'::pg_catalog.regclass AND e.objid = pg_catalog." class ".oid) "

/* What stays (a table, a view) and what it needs (a relation, a type, a function) of what does not. */
static const char needs_sql[] =
    "WITH lost(classid, objid, name) AS ("
    "SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, oid, oid::pg_catalog.regclass::pg_catalog.text "
    "FROM pg_catalog.pg_class WHERE oid = ANY (%s) "
    "UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, oid, 'type ' || oid::pg_catalog.regtype::pg_catalog.text "
    "FROM pg_catalog.pg_type WHERE typnamespace = ANY (%s) AND typrelid = 0 " NOT_OF_EXTENSION(
        "pg_type") "UNION ALL SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, oid, 'function ' || oid::pg_catalog.regproc::pg_catalog.text "
                   "FROM pg_catalog.pg_proc WHERE pronamespace = ANY (%s)" NOT_OF_EXTENSION(
                       "pg_proc") ") "
                                  "SELECT DISTINCT k.name, l.name FROM pg_catalog.pg_depend d JOIN lost l ON l.classid = d.refclassid "
                                  "AND l.objid = d.refobjid "
                                  "LEFT JOIN pg_catalog.pg_rewrite w ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND w.oid = d.objid "
                                  "LEFT JOIN pg_catalog.pg_constraint x ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND x.oid = d.objid "
                                  "LEFT JOIN pg_catalog.pg_attrdef a ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND a.oid = d.objid "
                                  "LEFT JOIN pg_catalog.pg_trigger t ON d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND t.oid = d.objid "
                                  "AND NOT t.tgisinternal "
                                  "LEFT JOIN pg_catalog.pg_policy p ON d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND p.oid = d.objid "
                                  "CROSS JOIN LATERAL (SELECT c.oid, c.oid::pg_catalog.regclass::pg_catalog.text AS name FROM pg_catalog.pg_class c "
                                  "WHERE c.oid = coalesce(w.ev_class, nullif(x.conrelid, 0), a.adrelid, t.tgrelid, p.polrelid, "
                                  "CASE WHEN d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass THEN d.objid END) "
                                  "AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.oid <> ALL (%s) AND c.relnamespace <> ALL (%s)) k "
                                  "WHERE k.oid <> d.refobjid "
                                  "UNION SELECT 'extension ' || e.extname, 'schema ' || n.nspname FROM pg_catalog.pg_extension e "
                                  "JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE n.oid = ANY (%s) "
                                  "AND n.nspname <> 'public' " /* which every database has */
                                  "ORDER BY 1, 2";

/* References from rows that stay to rows that do not. */
static const char rows_sql[] =
    "SELECT DISTINCT x.conrelid::pg_catalog.regclass::pg_catalog.text, x.confrelid::pg_catalog.regclass::pg_catalog.text "
    "FROM pg_catalog.pg_constraint x WHERE x.contype = 'f' AND x.confrelid = ANY (%s) AND x.conrelid <> ALL (%s) "
    "AND x.confrelid <> ALL (%s) ORDER BY 1, 2";

struct texts {
    const char *what;
    const char *cure;
};

static int report(struct pgsql *c, const char *sql, const struct texts *texts, engine_finding_fn *fn,
                  void *arg, struct error *err)
{
    char text[TEXT_MAX];
    char shown[2][200];
    PGresult *r = NULL;
    int rc = pgsql_query(c, sql, &r, err);
    for (int i = 0; rc == 0 && i < PQntuples(r); i++) {
        (void)snprintf(text, sizeof text, "%s %s %s, which the patterns leave out%s",
                       str_printable(shown[0], sizeof shown[0], PQgetvalue(r, i, 0)), texts->what,
                       str_printable(shown[1], sizeof shown[1], PQgetvalue(r, i, 1)),
                       ": it could not be restored");
        fn(true, text, texts->cure, arg);
    }
    PQclear(r);
    return rc;
}

int pgsql_chosen_check(const struct pgsql_chosen *ch, struct pgsql *c, engine_finding_fn *fn, void *arg,
                       struct error *err)
{
    static const struct texts needs = { "needs", "leave out both, or neither" };
    static const struct texts rows = { "refers to rows of", "exclude_table_data for both, or neither" };
    struct buf out = BUF_INIT;
    struct buf schemas = BUF_INIT;
    struct buf all = BUF_INIT;
    if (ch->relations.len == 0 && ch->schemas.len == 0)
        return 0;
    int rc = oid_list(&ch->relations, false, &out, err);
    if (rc == 0)
        rc = oid_list(&ch->schemas, true, &schemas, err);
    if (rc == 0)
        rc = oid_list(&ch->relations, true, &all, err);
    const char *o = (const char *)out.data;
    const char *s = (const char *)schemas.data;
    const char *a = (const char *)all.data;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    char *sql = rc == 0 ? str_printf(err, needs_sql, o, s, s, o, s, s) : NULL;
    char *sql2 = sql != NULL ? str_printf(err, rows_sql, a, a, o) : NULL;
#pragma GCC diagnostic pop
    if (rc == 0)
        rc = sql2 != NULL ? report(c, sql, &needs, fn, arg, err) : E_NOMEM;
    if (rc == 0)
        rc = report(c, sql2, &rows, fn, arg, err);
    free(sql);
    free(sql2);
    buf_free(&out);
    buf_free(&schemas);
    buf_free(&all);
    return rc;
}

/* ---- patterns that mean nothing -------------------------------------------------------------------------- */

static const char *const pattern_keys[] = { "schemas", "exclude_schemas", "tables", "exclude_tables",
                                            "exclude_table_data" };
enum { PATTERN_KEYS = sizeof pattern_keys / sizeof pattern_keys[0] };

size_t pgsql_select_patterns(const struct pgsql_settings *s)
{
    size_t n = 0;
    for (size_t k = 0; k < PATTERN_KEYS; k++)
        n += option_count(s->from, pattern_keys[k]);
    return n;
}

int pgsql_select_match(const struct pgsql_settings *s, struct pgsql *c, bool *matched, struct error *err)
{
    PGresult *r = NULL;
    if (!pgsql_select_any(s))
        return 0;
    int rc = pgsql_query(
        c,
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_class c "
        "ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') "
        "WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'",
        &r, err);
    for (size_t k = 0; rc == 0 && k < PATTERN_KEYS; k++) {
        bool schemas = strstr(pattern_keys[k], "schemas") != NULL;
        for (size_t i = 0; i < option_count(s->from, pattern_keys[k]); i++, matched++)
            for (int row = 0; row < PQntuples(r) && !*matched; row++)
                *matched = pgsql_pattern_matches(schemas, option_at(s->from, pattern_keys[k], i),
                                                 PQgetvalue(r, row, 0),
                                                 PQgetisnull(r, row, 1) ? NULL : PQgetvalue(r, row, 1));
    }
    PQclear(r);
    return rc;
}

void pgsql_select_idle(const struct pgsql_settings *s, const bool *matched, engine_finding_fn *fn, void *arg)
{
    char text[TEXT_MAX];
    char shown[300];
    for (size_t k = 0; k < PATTERN_KEYS; k++) {
        for (size_t i = 0; i < option_count(s->from, pattern_keys[k]); i++, matched++) {
            (void)snprintf(text, sizeof text, "the pattern `%s` of `%s` matches nothing",
                           str_printable(shown, sizeof shown, option_at(s->from, pattern_keys[k], i)),
                           pattern_keys[k]);
            if (!*matched)
                fn(false, text, "correct it, or take it away", arg);
        }
    }
}
