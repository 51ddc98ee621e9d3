/* What belongs to a database itself and is in no dump: from the live one to the one beside it. */
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/postgres/swap.h"

#include "common/base/banned.h"

#define ACL(d)                                                                           \
    "(SELECT pg_catalog.array_agg(i::pg_catalog.text ORDER BY i::pg_catalog.text) FROM " \
    "pg_catalog.unnest(coalesce(" d ".datacl, pg_catalog.acldefault('d', " d ".datdba))) i)"
#define SETTINGS(d)                                                                            \
    "(SELECT pg_catalog.array_agg(s.setrole || ' ' || v ORDER BY s.setrole || ' ' || v) FROM " \
    "pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) v WHERE s.setdatabase = " d ".oid)"

int pgsql_properties_differ(struct pgsql *c, const struct pgsql_db *a, const struct pgsql_db *b,
                            struct buf *out, struct error *err)
{
    PGresult *r = NULL;
    int rc = pgsql_queryf(
        c, &r, err,
        "SELECT pg_catalog.concat_ws(', ', "
        "CASE WHEN a.datdba <> b.datdba THEN 'owner' END, "
        "CASE WHEN " ACL("a") " IS DISTINCT FROM " ACL(
            "b") " THEN 'rights' END, "
                 "CASE WHEN " SETTINGS("a") " IS DISTINCT FROM " SETTINGS(
                     "b") " THEN 'settings' END, "
                          "CASE WHEN a.datconnlimit <> b.datconnlimit THEN 'connection limit' END, "
                          "CASE WHEN a.datallowconn <> b.datallowconn THEN 'whether connections are allowed' END, "
                          "CASE WHEN a.datistemplate <> b.datistemplate THEN 'whether it is a template' END, "
                          "CASE WHEN a.dattablespace <> b.dattablespace THEN 'tablespace' END) "
                          "FROM pg_catalog.pg_database a, pg_catalog.pg_database b WHERE a.oid = %u AND b.oid = %u",
        a->oid, b->oid);
    if (rc == 0 && PQntuples(r) == 1)
        rc = buf_append(out, PQgetvalue(r, 0, 0), strlen(PQgetvalue(r, 0, 0)), err);
    PQclear(r);
    return rc;
}

/* ---- settings --------------------------------------------------------------------------------------------- */

/* Those whose value is a list of names, each of which the server quoted when it was set. */
static bool is_list(const char *name)
{
    static const char *const lists[] = { "local_preload_libraries",   "search_path",
                                         "session_preload_libraries", "shared_preload_libraries",
                                         "temp_tablespaces",          "unix_socket_directories" };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (strcmp(lists[i], name) == 0)
            return true;
    return false;
}

/* One element of a list, without its quotes, into `out` (as long as the list); where it ended, or NULL. */
static const char *element(const char *at, char *out)
{
    bool quoted = *at == '"';
    at += quoted;
    while (*at != '\0' && (quoted || (*at != ',' && *at != ' '))) {
        if (quoted && *at == '"' && at[1] != '"')
            break;
        at += quoted && *at == '"';
        *out++ = *at++;
    }
    *out = '\0';
    if (quoted && *at++ != '"')
        return NULL;
    return at + strspn(at, " ");
}

/* Never the stored text itself: it is what somebody else once set. */
static int add_list(struct buf *sql, const char *value, struct error *err)
{
    char *one = str_dup(value, err);
    int rc = one != NULL ? 0 : E_NOMEM;
    size_t before = sql->len;
    for (const char *at = value; rc == 0 && at != NULL;) {
        const char *end = element(at, one);
        if (end == NULL || (*end != ',' && *end != '\0')) { /* not what the server writes: as one text */
            sql->len = before;
            rc = pgsql_sqlf(sql, err, "%L", value);
            break;
        }
        rc = pgsql_sqlf(sql, err, at == value ? "%L" : ", %L", one);
        at = *end == ',' ? end + 1 + strspn(end + 1, " ") : NULL;
    }
    free(one);
    return rc;
}

/* role "": for everybody. config is NAME=VALUE. */
static int set_one(struct pgsql *c, const char *database, const char *role, const char *config,
                   struct error *err)
{
    struct buf sql = BUF_INIT;
    const char *equals = strchr(config, '=');
    char *name = equals != NULL ? str_dup_len(config, (size_t)(equals - config), err) : str_dup("", err);
    int rc = name == NULL     ? E_NOMEM
             : equals == NULL ? error_set(err, E_UNSUPPORTED, "a setting without a value: %s", config)
             : role[0] != '\0'
                 ? pgsql_sqlf(&sql, err, "ALTER ROLE %I IN DATABASE %I SET %I TO ", role, database, name)
                 : pgsql_sqlf(&sql, err, "ALTER DATABASE %I SET %I TO ", database, name);
    if (rc == 0)
        rc = is_list(name) ? add_list(&sql, equals + 1, err) : pgsql_sqlf(&sql, err, "%L", equals + 1);
    rc = rc == 0 ? buf_append(&sql, "", 1, err) : rc;
    rc = rc == 0 ? pgsql_exec(c, (const char *)sql.data, err) : rc;
    free(name);
    buf_free(&sql);
    return rc;
}

static int copy_settings(struct pgsql *c, const struct pgsql_db *from, const struct pgsql_db *to,
                         struct error *err)
{
    PGresult *r = NULL;
    int rc = pgsql_queryf(c, &r, err,
                          "SELECT coalesce(g.rolname, ''), v FROM pg_catalog.pg_db_role_setting s LEFT JOIN "
                          "pg_catalog.pg_roles g ON g.oid = s.setrole, pg_catalog.unnest(s.setconfig) WITH "
                          "ORDINALITY AS u (v, n) WHERE s.setdatabase = %u ORDER BY 1, n",
                          from->oid);
    for (int i = 0; rc == 0 && i < PQntuples(r); i++)
        rc = set_one(c, to->name, PQgetvalue(r, i, 0), PQgetvalue(r, i, 1), err);
    PQclear(r);
    return rc;
}

/* ---- rights ------------------------------------------------------------------------------------------------ */

static int grant(struct pgsql *c, const PGresult *r, int row, const char *database, struct error *err)
{
    enum { GRANTEE, PRIVILEGE, GRANTABLE, GRANTOR, BY_OWNER };
    const char *grantee = PQgetvalue(r, row, GRANTEE);
    bool by_owner = PQgetvalue(r, row, BY_OWNER)[0] == 't';
    const char *option = PQgetvalue(r, row, GRANTABLE)[0] == 't' ? " WITH GRANT OPTION" : "";
    int rc = by_owner ? 0 : pgsql_runf(c, err, "SET LOCAL ROLE %I", PQgetvalue(r, row, GRANTOR));
    if (rc == 0 && grantee[0] == '\0')
        rc = pgsql_runf(c, err, "GRANT %s ON DATABASE %I TO PUBLIC%s", PQgetvalue(r, row, PRIVILEGE),
                        database, option);
    else if (rc == 0)
        rc = pgsql_runf(c, err, "GRANT %s ON DATABASE %I TO %I%s", PQgetvalue(r, row, PRIVILEGE), database,
                        grantee, option);
    return rc == 0 && !by_owner ? pgsql_exec(c, "SET LOCAL ROLE NONE", err) : rc;
}

static int copy_rights(struct pgsql *c, const struct pgsql_db *from, const struct pgsql_db *to,
                       struct error *err)
{
    PGresult *r = NULL;
    int rc = pgsql_runf(c, err, "REVOKE ALL ON DATABASE %I FROM PUBLIC, %I", to->name, to->owner);
    if (rc == 0)
        rc = pgsql_queryf(
            c, &r, err,
            "SELECT CASE WHEN x.grantee = 0 THEN '' ELSE pg_catalog.pg_get_userbyid(x.grantee) END, "
            "x.privilege_type, x.is_grantable, pg_catalog.pg_get_userbyid(x.grantor), "
            "x.grantor = d.datdba FROM pg_catalog.pg_database d, pg_catalog.aclexplode(coalesce("
            "d.datacl, pg_catalog.acldefault('d', d.datdba))) x WHERE d.oid = %u ORDER BY 5 DESC",
            from->oid);
    for (int i = 0; rc == 0 && i < PQntuples(r); i++)
        rc = grant(c, r, i, to->name, err);
    PQclear(r);
    return rc;
}

/* ---- all of it --------------------------------------------------------------------------------------------- */

static int copy_options(struct pgsql *c, const struct pgsql_db *from, const struct pgsql_db *to,
                        struct error *err)
{
    PGresult *r = NULL;
    int rc =
        pgsql_queryf(c, &r, err,
                     "SELECT a.datconnlimit, a.datistemplate, a.datistemplate <> b.datistemplate FROM "
                     "pg_catalog.pg_database a, pg_catalog.pg_database b WHERE a.oid = %u AND b.oid = %u",
                     from->oid, to->oid);
    if (rc == 0 && PQntuples(r) != 1)
        rc = error_set(err, E_CONFLICT, "%s: database %s is gone", c->where, from->name);
    if (rc == 0)
        rc = pgsql_runf(c, err, "ALTER DATABASE %I CONNECTION LIMIT %s", to->name, PQgetvalue(r, 0, 0));
    if (rc == 0 && PQgetvalue(r, 0, 2)[0] == 't')
        rc = pgsql_runf(c, err, "ALTER DATABASE %I IS_TEMPLATE %s", to->name,
                        PQgetvalue(r, 0, 1)[0] == 't' ? "true" : "false");
    PQclear(r);
    return rc;
}

int pgsql_properties_copy(struct pgsql *c, const struct pgsql_db *from, const struct pgsql_db *to,
                          struct error *err)
{
    int rc = copy_options(c, from, to, err);
    if (rc == 0)
        rc = copy_rights(c, from, to, err);
    if (rc == 0)
        rc = copy_settings(c, from, to, err);
    return rc < 0
               ? error_wrap(err,
                            "the settings, rights and limits of database %s itself cannot be given to %s (a "
                            "superuser may)",
                            from->name, to->name)
               : 0;
}
