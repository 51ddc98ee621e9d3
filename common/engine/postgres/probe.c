/* What would fail or be missed, and the cure, all of it in one go. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/option.h"
#include "common/engine/postgres/census.h"
#include "common/engine/postgres/internal.h"
#include "common/engine/postgres/name.h"

#include "common/base/banned.h"

enum { TEXT_MAX = 700 };

struct probe {
    struct pgsql *c;
    const struct pgsql_settings *s;
    engine_finding_fn *fn;
    void *arg;
    struct buf role; /* quoted, NUL-terminated */
    bool recovery;
    bool superuser;
    bool *matched; /* of the patterns, in all databases so far */
};

/* ---- the connection ------------------------------------------------------------------------------------ */

static const char *cure_of_connection(const struct pgsql *c, int code)
{
    if (pgsql_needs_password(c))
        return "name a password file with `passfile` (a line HOST:PORT:DATABASE:USER:PASSWORD, mode 0600), or let "
               "pg_hba.conf map this system user to the role (peer)";
    if (strcmp(c->state, "28P01") == 0)
        return "correct the password in `passfile`, and `user`";
    if (strcmp(c->state, "28000") == 0)
        return "a line in pg_hba.conf must let this role in: for a socket `local DATABASE ROLE peer`, with a line "
               "in pg_ident.conf when the system user has another name than the role; or correct `user`";
    if (strcmp(c->state, "3D000") == 0)
        return "correct `database`";
    if (strcmp(c->state, "42501") == 0)
        return "GRANT CONNECT ON DATABASE to the role";
    if (strcmp(c->state, "53300") == 0)
        return "wait, or raise max_connections or the role's CONNECTION LIMIT: a run needs two connections more than `connections` "
               "says";
    if (strcmp(c->state, "57P03") == 0)
        return "wait until the server has started";
    if (c->state[0] != '\0')
        return "see the message";
    return code == E_USAGE || code == E_DENIED || code == E_NOT_FOUND
               ? "see the message"
               : "check that the server runs, `host` (a name, or the directory of its socket) and `port`";
}

/* ---- findings by a query ------------------------------------------------------------------------------- */

/* A query of one row "count, example": the texts get them, and the role, in this order of %s. */
struct rule {
    bool fatal;
    const char *sql;
    const char *what; /* %s count, %s example */
    const char *cure; /* %s the role */
};

#define OWN_TABLES                                                                                           \
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace" PGSQL_EXTENSION_OF \
    "WHERE" PGSQL_USERS_OWN "AND" PGSQL_OWN_OR_CONFIG
#define COUNT_AND_NAME "SELECT pg_catalog.count(*), pg_catalog.min(n.nspname || '.' || c.relname) "

static const struct rule rules[] = {
    { true,
      COUNT_AND_NAME OWN_TABLES "AND c.relkind IN ('r', 'p', 'S') "
                                "AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND CASE c.relkind "
                                "WHEN 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT') "
                                "ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END)",
      "%s tables or sequences cannot be read (%s, ...)", "GRANT pg_read_all_data TO %s" },
    { true,
      COUNT_AND_NAME OWN_TABLES "AND c.relkind = 'r' AND c.relrowsecurity "
                                "AND pg_catalog.row_security_active(c.oid)",
      "row security would hide rows of %s tables (%s, ...)", "ALTER ROLE %s BYPASSRLS" },
    { true,
      "SELECT pg_catalog.count(*), pg_catalog.min(m.oid)::pg_catalog.text "
      "FROM pg_catalog.pg_largeobject_metadata m "
      "WHERE pg_catalog.current_setting('lo_compat_privileges') = 'off' "
      "AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) "
      "AND NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE') "
      "AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(m.lomacl) a WHERE a.privilege_type = 'SELECT' "
      "AND CASE WHEN a.grantee = 0 THEN true ELSE pg_catalog.pg_has_role(a.grantee, 'USAGE') END)",
      "%s large objects cannot be read (%s, ...); pg_read_all_data does not reach them",
      "as a superuser: ALTER ROLE %s SET lo_compat_privileges = on" },
    { true,
      COUNT_AND_NAME OWN_TABLES "AND c.relkind = 'r' AND c.relpersistence = 'u' "
                                "AND pg_catalog.pg_is_in_recovery()",
      "%s unlogged tables (%s, ...) do not exist on a standby: they would be missing",
      "back up the primary, or make them logged: ALTER TABLE ... SET LOGGED" },
    { false,
      "SELECT pg_catalog.count(*), pg_catalog.min(s.subname::pg_catalog.text) FROM pg_catalog.pg_subscription s "
      "WHERE s.subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) "
      "AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)",
      "%s subscriptions (%s, ...) are not backed up: only a superuser sees them",
      "use a superuser for this job, or note how they were made" },
    { false,
      "SELECT pg_catalog.count(*), pg_catalog.min(m.srvname::pg_catalog.text) FROM pg_catalog.pg_user_mappings m "
      "WHERE m.umoptions IS NULL AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)",
      "%s user mappings (of server %s, ...) are backed up without options and passwords, if they have some: only a "
      "superuser sees them",
      "use a superuser for this job, or note how they were made" },
    { false,
      "SELECT 'hot_standby_feedback = off', pg_catalog.current_setting('max_standby_streaming_delay') WHERE pg_catalog.pg_is_in_recovery() "
      "AND pg_catalog.current_setting('hot_standby_feedback') = 'off' "
      "AND pg_catalog.current_setting('max_standby_streaming_delay') <> '-1'",
      "this is a standby (%s) that cancels long reads after max_standby_streaming_delay = %s",
      "hot_standby_feedback = on there, or a larger max_standby_streaming_delay, or the primary" },
};

static int apply(struct probe *p, const struct rule *rule, const char *left_out, struct error *err)
{
    PGresult *r = NULL;
    char what[TEXT_MAX];
    char cure[TEXT_MAX];
    char example[160];
    bool of_tables = str_starts(rule->sql, COUNT_AND_NAME);
    char *sql = str_printf(err, "%s%s", rule->sql, of_tables ? left_out : "");
    int rc = sql != NULL ? pgsql_query(p->c, sql, &r, err) : E_NOMEM;
    free(sql);
    if (rc == 0 && PQntuples(r) == 1 && strcmp(PQgetvalue(r, 0, 0), "0") != 0) {
        (void)str_printable(example, sizeof example, PQgetvalue(r, 0, 1));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(what, sizeof what, rule->what, PQgetvalue(r, 0, 0),
                       example); /* from the table above */
        (void)snprintf(cure, sizeof cure, rule->cure, (const char *)p->role.data);
#pragma GCC diagnostic pop
        p->fn(rule->fatal, what, cure, p->arg);
    }
    PQclear(r);
    return rc;
}

/* ---- version, tools, globals --------------------------------------------------------------------------- */

static void check_tool(struct probe *p, const char *name, unsigned major)
{
    struct error why = ERROR_INIT;
    struct pgsql_tool tool;
    char cure[TEXT_MAX];
    if (pgsql_tool_find(name, major, p->s->bin_dir, &tool, &why) < 0) {
        (void)snprintf(cure, sizeof cure, "apt-get install postgresql-client-%u", major);
        p->fn(true, why.text, cure, p->arg);
        return;
    }
    pgsql_tool_free(&tool);
}

static void check_version(struct probe *p, unsigned major)
{
    char what[TEXT_MAX];
    (void)snprintf(what, sizeof what,
                   "the server is of PostgreSQL %u, and this engine is tested with %d only", major,
                   PGSQL_MAJOR);
    if (major != PGSQL_MAJOR)
        p->fn(!p->s->allow_untested, what, "`allow_untested: yes` tries it all the same", p->arg);
    check_tool(p, "pg_dump", major);
    if (p->s->globals)
        check_tool(p, "pg_dumpall", major);
}

static int check_globals(struct probe *p, struct error *err)
{
    char cure[TEXT_MAX];
    if (!p->s->globals)
        return 0;
    char *may =
        pgsql_text(p->c, "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT')", err);
    if (may == NULL)
        return pgsql_failed(err);
    (void)snprintf(
        cure, sizeof cure,
        "as a superuser, in this database: GRANT SELECT ON pg_catalog.pg_authid TO %s; or accept it: restored roles need new "
        "passwords",
        (const char *)p->role.data);
    if (may[0] != 't')
        p->fn(false, "this role may not read pg_authid: globals.sql is made without the roles' passwords",
              cure, p->arg);
    free(may);
    return 0;
}

/* Findings of one of several databases say which. */
struct naming {
    engine_finding_fn *fn;
    void *arg;
    const char *database;                /* NULL: there is only one */
    bool others;                         /* not the first: what concerns the server was said */
    unsigned found[PGSQL_FRESHNESS_MAX]; /* databases that have the column */
    bool *matched;                       /* the patterns that fit something in one of the databases */
};

static void name_finding(bool fatal, const char *what, const char *cure, void *arg)
{
    const struct naming *n = arg;
    char text[TEXT_MAX + 200];
    char shown[160];
    (void)snprintf(text, sizeof text, "database %s: %s",
                   str_printable(shown, sizeof shown, n->database != NULL ? n->database : ""), what);
    n->fn(fatal, n->database != NULL ? text : what, cure, n->arg);
}

/* What a role of its own needs: SQL for a superuser. */
static int check_superuser(struct probe *p, struct error *err)
{
    int64_t super = 0;
    int rc = pgsql_number(
        p->c, "SELECT rolsuper::pg_catalog.int4 FROM pg_catalog.pg_roles WHERE rolname = current_user",
        &super, err);
    if (rc == 0 && super != 0)
        p->fn(false, "this job connects as a superuser, who may change everything; reading is enough",
              "CREATE ROLE backup LOGIN BYPASSRLS; GRANT pg_read_all_data TO backup; "
              "ALTER ROLE backup SET lo_compat_privileges = on;",
              p->arg);
    return rc;
}

/* What the patterns mean; left_out gets a condition for queries about tables. */
static int check_patterns(struct probe *p, struct pgsql_chosen *chosen, struct buf *left_out,
                          struct error *err)
{
    int rc = pgsql_choose(p->s, p->c, chosen, err);
    if (rc == 0)
        rc = pgsql_select_match(p->s, p->c, p->matched, err);
    if (rc == 0)
        rc = pgsql_chosen_check(chosen, p->c, p->fn, p->arg, err);
    if (rc == 0 && p->s->from->preflight)
        pgsql_chosen_tell(chosen, p->fn, p->arg);
    for (size_t i = 0; rc == 0 && i < chosen->relations.len; i++) {
        const struct pgsql_relation *r = vec_at(&chosen->relations, i);
        rc = buf_printf(left_out, err, "%s%lu", left_out->len == 0 ? " AND c.oid NOT IN (" : ",",
                        (unsigned long)r->oid);
    }
    if (rc == 0)
        rc = buf_append(left_out, left_out->len != 0 ? ")" : "", left_out->len != 0 ? 2 : 1, err);
    return rc;
}

/* Reads the sizes of long values, so only when somebody waits for the answer: a run looks by itself. */
static int check_long_rows(struct probe *p, const struct pgsql_chosen *chosen, struct error *err)
{
    struct vec tables = VEC_OF(struct pgsql_table);
    int rc = pgsql_exec(p->c, "BEGIN TRANSACTION READ ONLY", err);
    if (rc == 0)
        rc = pgsql_list_tables(p->c, chosen, &tables, err);
    for (size_t i = 0; rc == 0 && i < tables.len; i++) {
        struct error why = ERROR_INIT;
        bool binary = false;
        rc = pgsql_needs_binary(p->c, vec_at(&tables, i), &binary, &why);
        if (rc == E_UNSUPPORTED) {
            p->fn(true, why.text, "see the message", p->arg);
            rc = 0;
        } else if (rc == E_DENIED) {
            rc = pgsql_exec(p->c, "ROLLBACK TO SAVEPOINT backupd_look",
                            err); /* the rights are named elsewhere */
        } else if (rc < 0) {
            (void)error_copy(err, &why);
        }
    }
    pgsql_tables_free(&tables);
    return rc == 0 ? pgsql_exec(p->c, "ROLLBACK", err) : rc;
}

static int probe_rights(struct pgsql *c, const struct pgsql_settings *s, struct naming *n, struct error *err)
{
    struct probe p = {
        .c = c, .s = s, .fn = name_finding, .arg = n, .matched = n->matched, .role = BUF_INIT
    };
    struct buf left_out = BUF_INIT;
    struct pgsql_chosen chosen = { .relations = VEC_OF(struct pgsql_relation) };
    char *role = pgsql_text(c, "SELECT current_user", err);
    int rc = role != NULL ? pgsql_quote(&p.role, role, err) : pgsql_failed(err);
    if (rc == 0)
        rc = buf_append(&p.role, "", 1, err);
    if (rc == 0 && !n->others)
        check_version(&p, (unsigned)(PQserverVersion(c->conn) / 10000));
    if (rc == 0 && !n->others)
        rc = check_globals(&p, err);
    if (rc == 0 && !n->others && s->from->preflight)
        rc = check_superuser(&p, err);
    if (rc == 0)
        rc = check_patterns(&p, &chosen, &left_out, err);
    for (size_t i = 0; rc == 0 && i < sizeof rules / sizeof rules[0]; i++)
        rc = apply(&p, &rules[i], (const char *)left_out.data, err);
    if (rc == 0 && s->from->preflight)
        rc = check_long_rows(&p, &chosen, err);
    if (rc == 0)
        rc = pgsql_newest_probe(c, s, n->found, name_finding, n, err);
    free(role);
    buf_free(&p.role);
    buf_free(&left_out);
    pgsql_chosen_free(&chosen);
    return rc;
}

/* A column of `freshness` that no database has. */
static void tell_missing_columns(const struct pgsql_settings *s, const struct naming *n)
{
    for (size_t i = 0; i < option_count(s->from, "freshness"); i++) {
        char what[TEXT_MAX];
        char shown[160];
        (void)snprintf(what, sizeof what, "freshness: there is no column %s",
                       str_printable(shown, sizeof shown, option_at(s->from, "freshness", i)));
        if (n->found[i] == 0)
            n->fn(false, what, "correct it: SCHEMA.TABLE.COLUMN, with quotes as in SQL where names need them",
                  n->arg);
    }
}

static int probe_one(const struct pgsql_settings *s, const char *database, struct naming *n,
                     struct error *why)
{
    struct pgsql c = { .conn = NULL };
    int rc = pgsql_settings_connect(s, database, &c, why);
    if (rc < 0 && rc != E_USAGE)
        n->fn(true, why->text, cure_of_connection(&c, rc), n->arg); /* its text names the database */
    else if (rc == 0 &&
             ((rc = pgsql_refuse_pooler(&c, why)) < 0 ||
              (rc = pgsql_session(&c, s->lock_ms, NULL, why)) < 0 || (rc = probe_rights(&c, s, n, why)) < 0))
        name_finding(true, why->text, "see the message", n);
    pgsql_close(&c);
    return rc;
}

int pgsql_probe(const struct engine_job *job, engine_finding_fn *fn, void *arg, struct error *err)
{
    struct pgsql_settings s;
    struct pgsql c = { .conn = NULL };
    struct vec databases = VEC_OF(char *);
    struct naming n = { .fn = fn, .arg = arg, .database = NULL };
    struct error why = ERROR_INIT;
    int rc = pgsql_settings_read(job, &s, &why);
    if (rc == 0)
        rc = pgsql_databases(&s, &c, &databases, &why);
    if (rc < 0 && rc != E_USAGE && rc != E_NOMEM && rc != E_CANCELLED)
        fn(true, why.text, cure_of_connection(&c, rc), arg);
    pgsql_close(&c);
    if (rc == 0 && (n.matched = mem_alloc(pgsql_select_patterns(&s) + 1, sizeof *n.matched, &why)) == NULL)
        rc = E_NOMEM;
    for (size_t i = 0;
         n.matched != NULL && i < databases.len && rc != E_USAGE && rc != E_NOMEM && rc != E_CANCELLED; i++) {
        const char *name = *(char **)vec_at(&databases, i);
        n.database = databases.len > 1 ? name : NULL;
        n.others = i > 0;
        error_clear(&why);
        rc = probe_one(&s, name, &n, &why);
    }
    if (rc == 0) {
        tell_missing_columns(&s, &n);
        pgsql_select_idle(&s, n.matched, fn, arg);
    }
    free(n.matched);
    pgsql_names_free(&databases);
    return rc == E_USAGE || rc == E_NOMEM || rc == E_CANCELLED ? error_copy(err, &why) : 0;
}
