#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/postgres/internal.h"
#include "common/engine/postgres/name.h"

#include "common/base/banned.h"

static int add_name(struct buf *out, const char *key, const char *value, struct error *err)
{
    int rc = buf_printf(out, err, "%s=", key);
    if (rc == 0)
        rc = pgsql_encode(out, value, err);
    return rc == 0 ? buf_append(out, "\n", 1, err) : rc;
}

static int add_text(struct buf *out, const char *key, const char *value, struct error *err)
{
    char shown[512];
    return buf_printf(out, err, "%s=%s\n", key, str_printable(shown, sizeof shown, value));
}

/* What a hardened server does not show is left out. */
static int add_identifier(struct pgsql_origin *o, struct error *err)
{
    struct pgsql *c = &o->main;
    char *may = pgsql_text(
        c, "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')", err);
    if (may == NULL)
        return pgsql_failed(err);
    char *id = may[0] == 't'
                   ? pgsql_text(c, "SELECT system_identifier FROM pg_catalog.pg_control_system()", err)
                   : NULL;
    int rc = id != NULL      ? add_text(&o->about, "system_identifier", id, err)
             : may[0] == 't' ? pgsql_failed(err)
                             : 0;
    free(may);
    o->identity = id;
    return rc;
}

/* jsonb: the columns of pg_database differ between major releases. */
static const char about_database[] =
    "SELECT pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_version_num'), "
    "pg_catalog.pg_is_in_recovery(), "
    "pg_catalog.pg_encoding_to_char(d.encoding), coalesce(j->>'datlocprovider', 'c'), d.datcollate, d.datctype, "
    "coalesce(j->>'daticulocale', j->>'datlocale', ''), coalesce(j->>'datcollversion', ''), d.oid, "
    "(SELECT pg_catalog.count(*) FROM pg_catalog.pg_db_role_setting s WHERE s.setdatabase = d.oid) "
    "+ (d.datacl IS NOT NULL)::int + (pg_catalog.shobj_description(d.oid, 'pg_database') IS NOT NULL)::int, "
    "(SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata), "
    "pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT') "
    "FROM pg_catalog.pg_database d, LATERAL (SELECT pg_catalog.to_jsonb(d) AS j) x "
    "WHERE d.datname = pg_catalog.current_database()";

static int add_database(struct pgsql_origin *o, struct error *err)
{
    static const char *const keys[] = {
        "server_version", "server_version_num", "in_recovery", /* of the server */
        "encoding",       "collation_provider", "collate",      "ctype",
        "icu_locale",     "collation_version",  "database_oid", "database_settings"
    };
    enum {
        VERSION_NUM = 1,
        SERVERS = 3,
        OID = 9,
        KEYS = sizeof keys / sizeof keys[0],
        OBJECTS = KEYS,
        PASSWORDS
    };
    PGresult *r = NULL;
    int rc = pgsql_query(&o->main, about_database, &r, err);
    if (rc == 0 && PQntuples(r) != 1)
        rc = error_set(err, E_INTERNAL, "%s: pg_database does not list it", o->main.where);
    for (int i = 0; rc == 0 && i < KEYS; i++)
        if (PQgetvalue(r, 0, i)[0] != '\0')
            rc = add_text(i < SERVERS ? &o->about : &o->facts, keys[i], PQgetvalue(r, 0, i), err);
    if (rc == 0) {
        o->version_num = strtoll(PQgetvalue(r, 0, VERSION_NUM), NULL, 10);
        o->oid = str_dup(PQgetvalue(r, 0, OID), err);
        rc = o->oid != NULL ? 0 : E_NOMEM;
        o->large_objects = strtoll(PQgetvalue(r, 0, OBJECTS), NULL, 10);
        o->may_read_passwords = PQgetvalue(r, 0, PASSWORDS)[0] == 't';
    }
    PQclear(r);
    return rc;
}

int pgsql_origin_facts(struct pgsql_origin *o, struct error *err)
{
    const PGconn *c = o->main.conn;
    struct buf *out = &o->about;
    int rc = add_name(&o->facts, "database", PQdb(c), err);
    if (rc == 0)
        rc = add_text(out, "source_host", PQhost(c) != NULL ? PQhost(c) : "", err);
    if (rc == 0)
        rc = add_text(out, "source_port", PQport(c) != NULL ? PQport(c) : "", err);
    if (rc == 0)
        rc = add_name(out, "source_role", PQuser(c), err);
    if (rc == 0)
        rc = add_database(o, err);
    if (rc == 0)
        rc = add_identifier(o, err);
    if (rc == 0)
        rc = buf_printf(out, err, "settings=%s\n", pgsql_session_text());
    if (rc == 0)
        rc = buf_printf(&o->facts, err, "tables=%zu\nsequences=%zu\nlarge_objects=%lld\n", o->tables.len,
                        o->sequences.len, (long long)o->large_objects);
    return rc;
}

char *pgsql_identity(struct pgsql *c, struct error *err)
{
    return pgsql_text(
        c,
        "SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system()) || '/' || "
        "(SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())",
        err);
}

/*
 * pg_shdepend lists every role that something in this database refers to, but for the bootstrap superuser. Those
 * that objects name in their definition (policies, user mappings) are needed even without owners and rights.
 */
#define OWNED_BY_FIRST(catalog, column) \
    " OR EXISTS (SELECT FROM pg_catalog." catalog " WHERE " column " = 10 AND oid >= 16384)"
static const char roles_sql[] =
    "SELECT r.rolname, pg_catalog.bool_or(x.named) FROM ("
    "SELECT d.refobjid AS oid, d.deptype = 'r' OR d.classid = 'pg_catalog.pg_user_mapping'::pg_catalog.regclass "
    "AS named FROM pg_catalog.pg_shdepend d WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass "
    "AND d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) "
    "UNION ALL SELECT 10::pg_catalog.oid, false WHERE false" OWNED_BY_FIRST(
        "pg_class", "relowner") OWNED_BY_FIRST("pg_proc", "proowner") OWNED_BY_FIRST("pg_type", "typowner")
        OWNED_BY_FIRST("pg_namespace", "nspowner") OWNED_BY_FIRST(
            "pg_largeobject_metadata",
            "lomowner") OWNED_BY_FIRST("pg_operator",
                                       "oprowner") OWNED_BY_FIRST("pg_opclass",
                                                                  "opcowner") OWNED_BY_FIRST("pg_opfamily",
                                                                                             "opfowner")
            OWNED_BY_FIRST("pg_collation", "collowner") OWNED_BY_FIRST(
                "pg_conversion", "conowner") OWNED_BY_FIRST("pg_language",
                                                            "lanowner") OWNED_BY_FIRST("pg_foreign_server",
                                                                                       "srvowner")
                OWNED_BY_FIRST("pg_foreign_data_wrapper", "fdwowner") OWNED_BY_FIRST(
                    "pg_event_trigger",
                    "evtowner") OWNED_BY_FIRST("pg_publication",
                                               "pubowner") OWNED_BY_FIRST("pg_statistic_ext", "stxowner")
                    OWNED_BY_FIRST("pg_ts_config", "cfgowner") OWNED_BY_FIRST(
                        "pg_ts_dict",
                        "dictowner") ") x JOIN pg_catalog.pg_roles r ON r.oid = x.oid GROUP BY r.rolname ORDER BY r.rolname";

static int add_role(struct buf *list, const char *name, struct error *err)
{
    int rc = list->len != 0 ? buf_append(list, ",", 1, err) : 0;
    return rc == 0 ? pgsql_encode(list, name, err) : rc;
}

static int add_list(struct buf *out, const char *key, const struct buf *list, struct error *err)
{
    if (list->len > PGSQL_ROLES_TEXT_MAX)
        return buf_printf(out, err, "%s_omitted=yes\n", key);
    int rc = buf_printf(out, err, "%s=", key);
    if (rc == 0 && list->len != 0)
        rc = buf_append(out, list->data, list->len, err);
    return rc == 0 ? buf_append(out, "\n", 1, err) : rc;
}

int pgsql_role_facts(struct pgsql *c, struct buf *out, struct error *err)
{
    PGresult *r = NULL;
    struct buf all = BUF_INIT;
    struct buf named = BUF_INIT;
    int rc = pgsql_query(c, roles_sql, &r, err);
    for (int i = 0; rc == 0 && i < PQntuples(r); i++) {
        rc = add_role(&all, PQgetvalue(r, i, 0), err);
        if (rc == 0 && PQgetvalue(r, i, 1)[0] == 't')
            rc = add_role(&named, PQgetvalue(r, i, 0), err);
    }
    if (rc == 0)
        rc = add_list(out, "roles", &all, err);
    if (rc == 0)
        rc = add_list(out, "roles_named", &named, err);
    PQclear(r);
    buf_free(&all);
    buf_free(&named);
    return rc;
}

/* ---- of one table -------------------------------------------------------------------------------------- */

static int columns_fact(const struct pgsql_table *t, struct buf *out, struct error *err)
{
    char shown[200];
    size_t before = out->len;
    int rc = buf_printf(out, err, "columns=");
    for (size_t i = 0; rc == 0 && i < t->columns.len; i++) {
        rc = i == 0 ? 0 : buf_append(out, ",", 1, err);
        if (rc == 0)
            rc = pgsql_encode(out, *(char **)vec_at(&t->columns, i), err);
    }
    if (rc == 0 && out->len - before > PGSQL_COLUMNS_TEXT_MAX)
        rc = error_set(err, E_UNSUPPORTED,
                       "table %s: the names of its columns take more than %d bytes together; shorten them",
                       str_printable(shown, sizeof shown, t->sql), PGSQL_COLUMNS_TEXT_MAX);
    return rc == 0 ? buf_append(out, "\n", 1, err) : rc;
}

static int into_fact(const struct pgsql_table *t, struct buf *out, struct error *err)
{
    int rc = buf_printf(out, err, "load_into=");
    if (rc == 0)
        rc = pgsql_encode(out, t->into_schema, err);
    if (rc == 0)
        rc = buf_append(out, ",", 1, err);
    if (rc == 0)
        rc = pgsql_encode(out, t->into_name, err);
    return rc == 0 ? buf_append(out, "\n", 1, err) : rc;
}

int pgsql_table_facts(const struct pgsql_table *t, struct buf *out, struct error *err)
{
    int rc = add_name(out, "schema", t->schema, err);
    if (rc == 0)
        rc = add_name(out, "table", t->name, err);
    if (rc == 0)
        rc = columns_fact(t, out, err);
    if (rc == 0 && t->into != NULL)
        rc = into_fact(t, out, err);
    if (rc == 0 && t->condition != NULL)
        rc = add_name(out, "condition", t->condition, err);
    return rc == 0 ? buf_printf(out, err, "format=%s\nrows=%llu\nbytes=%llu\nfingerprint=%s\n",
                                t->binary ? "binary" : "text", (unsigned long long)t->rows,
                                (unsigned long long)t->copied, t->fingerprint)
                   : rc;
}
