/* The database that is restored into: what it is, and whether it may be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/base/number.h"
#include "common/engine/option.h"
#include "common/engine/postgres/name.h"
#include "common/engine/postgres/restore.h"
#include "common/engine/postgres/swap.h"

#include "common/base/banned.h"

enum { KEYS_MAX = 64 };

static bool is_conninfo(const char *to)
{
    return str_starts(to, "postgresql://") || str_starts(to, "postgres://") || strchr(to, '=') != NULL;
}

/* Texts here must not show `to`: it may hold a password. */
static int connect_conninfo(const char *to, struct pgsql *c, struct error *err)
{
    const char *keys[KEYS_MAX + 1];
    const char *values[KEYS_MAX + 1];
    char *message = NULL;
    size_t n = 0;
    int rc = 0;
    PQconninfoOption *all = PQconninfoParse(to, &message);
    PQfreemem(message);
    if (all == NULL)
        return error_set(err, E_USAGE,
                         "--to cannot be read as a connection string: give the name of a database, "
                         "postgresql://USER@HOST:PORT/DATABASE, or \"host=HOST dbname=DATABASE\"");
    for (const PQconninfoOption *o = all; rc == 0 && o->keyword != NULL && n + 1 < KEYS_MAX; o++) {
        if (o->val == NULL)
            continue;
        if (strstr(o->keyword, "password") != NULL)
            rc =
                error_set(err, E_USAGE,
                          "--to holds a password, and everybody on this machine can read a command line: put "
                          "it into a file (HOST:PORT:DATABASE:USER:PASSWORD, mode 0600) and name that with "
                          "passfile=FILE or the environment variable PGPASSFILE");
        keys[n] = o->keyword;
        values[n++] = o->val;
    }
    keys[n] = "fallback_application_name";
    values[n++] = "restore";
    keys[n] = NULL;
    values[n] = NULL;
    rc = rc == 0 ? pgsql_open(c, keys, values, err) : rc;
    PQconninfoFree(all);
    return rc;
}

int pgsql_target_connect(const char *to, struct pgsql *c, struct error *err)
{
    *c = (struct pgsql){ .conn = NULL };
    if (to == NULL || to[0] == '\0')
        return error_set(err, E_USAGE, "--to must name the database to restore into");
    if (is_conninfo(to))
        return connect_conninfo(to, c, err);
    const char *const keys[] = { "dbname", "fallback_application_name", NULL };
    const char *const values[] = { to, "restore", NULL };
    return pgsql_open(c, keys, values, err);
}

/* ---- refusals ------------------------------------------------------------------------------------------- */

int pgsql_target_older(const struct engine_target *t, struct pgsql *c, struct error *err)
{
    uint64_t source = 0;
    int here = PQserverVersion(c->conn) / 10000;
    if (!fact_number(t->facts, "server_version_num", &source))
        return error_set(err, E_UNSUPPORTED,
                         "the snapshot does not say which version of PostgreSQL it is of");
    if ((uint64_t)here >= source / 10000)
        return 0;
    return error_set(
        err, E_UNSUPPORTED,
        "%s: the server is of PostgreSQL %d, the snapshot of %llu: restore to that release or a newer "
        "one",
        c->where, here, (unsigned long long)(source / 10000));
}

int pgsql_target_fits(const struct pgsql_plan *p, const struct pgsql *c, struct error *err)
{
    char encoding[64];
    const char *here = PQparameterStatus(c->conn, "server_encoding");
    if (!fact_get(p->schema_facts, "encoding", encoding, sizeof encoding))
        return error_set(err, E_UNSUPPORTED, "the snapshot does not say which encoding it has");
    if (here != NULL && strcmp(here, encoding) == 0)
        return 0;
    return error_set(err, E_UNSUPPORTED,
                     "%s: its encoding is %s, that of the snapshot %s: createdb -T template0 -E %s NAME",
                     c->where, here != NULL ? here : "unknown", encoding, encoding);
}

static int refuse_readonly(const struct engine_target *t, struct pgsql *c, struct error *err)
{
    (void)t;
    int64_t standby = 0;
    int rc = pgsql_number(c, "SELECT pg_catalog.pg_is_in_recovery()::pg_catalog.int4", &standby, err);
    if (rc == 0 && standby != 0)
        return error_set(err, E_UNSUPPORTED,
                         "%s: this server is a standby, which only its primary writes to: restore there",
                         c->where);
    char *only = rc == 0 ? pgsql_text(c, "SHOW transaction_read_only", err) : NULL;
    if (rc == 0 && only == NULL)
        rc = pgsql_failed(err);
    if (rc == 0 && strcmp(only, "off") != 0)
        rc = error_set(err, E_UNSUPPORTED,
                       "%s: sessions here are read-only: ALTER DATABASE or ALTER ROLE ... SET "
                       "default_transaction_read_only = off, or look for it in postgresql.conf",
                       c->where);
    free(only);
    return rc;
}

#define HOLDS(catalog, column) \
    "(SELECT pg_catalog.count(*) FROM pg_catalog." catalog " WHERE oid >= 16384" column ")"
/* Also what would change what is made: rights by default, event triggers. */
/* clang-format off */
static const char contents_sql[] =
    "SELECT " HOLDS("pg_class", " AND relnamespace NOT IN (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname "
                    "~ '^pg_(toast|temp)') AND relkind <> 'i'")
    " + " HOLDS("pg_proc", "")
    " + " HOLDS("pg_type", " AND typrelid = 0 AND typelem = 0")
    " + " HOLDS("pg_namespace", " AND nspname !~ '^pg_(toast_)?temp'")
    " + " HOLDS("pg_largeobject_metadata", "")
    " + " HOLDS("pg_extension", "")
    " + " HOLDS("pg_default_acl", "")
    " + " HOLDS("pg_event_trigger", "");
/* clang-format on */

static int refuse_nonempty(const struct engine_target *t, struct pgsql *c, struct error *err)
{
    int64_t objects = 0;
    if (t->into_nonempty || t->data_only)
        return 0;
    int rc = pgsql_number(c, contents_sql, &objects, err);
    if (rc == 0 && objects != 0)
        rc = error_set(
            err, E_EXISTS,
            "%s is not empty (it holds %lld objects): restore into a new one (createdb -T template0 "
            "NAME), or say --into-nonempty",
            c->where, (long long)objects);
    return rc;
}

static bool same_text(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static bool names_database(const struct engine_job *job, const char *name)
{
    const char *all = engine_option(job, "all_databases");
    for (size_t i = 0; i < option_count(job, "database"); i++)
        if (same_text(option_at(job, "database", i), name))
            return true;
    return all != NULL && option_count(job, "database") == 0;
}

/* The same connection as that of the configured job, as far as its text tells. */
static bool is_job(const struct engine_target *t, const struct pgsql *c)
{
    if (t->source == NULL)
        return false;
    const char *host = engine_option(t->source, "host");
    const char *port = engine_option(t->source, "port");
    const char *here = PQhost(c->conn);
    bool same_host = host == NULL ? here == NULL || here[0] == '/' : same_text(host, here);
    return same_host && names_database(t->source, PQdb(c->conn)) &&
           same_text(port != NULL ? port : "5432", PQport(c->conn));
}

static bool is_listed(const char *list, const char *oid)
{
    for (const char *at = list; *at != '\0';) {
        size_t len = strcspn(at, ",");
        if (len == strlen(oid) && strncmp(at, oid, len) == 0)
            return true;
        at += len + (at[len] == ',');
    }
    return false;
}

static int is_recorded(const struct engine_target *t, struct pgsql *c, bool *same, struct error *err)
{
    char cluster[NUMBER_TEXT_MAX];
    char *oids = pgsql_fact(t->facts, "database_oids", "", NULL);
    *same = false;
    int rc = 0;
    if (oids != NULL && fact_get(t->facts, "system_identifier", cluster, sizeof cluster)) {
        char *here = pgsql_identity(c, err); /* "CLUSTER/OID" */
        const char *slash = here != NULL ? strchr(here, '/') : NULL;
        rc = here != NULL ? 0 : pgsql_failed(err);
        *same = slash != NULL && strlen(cluster) == (size_t)(slash - here) &&
                strncmp(cluster, here, strlen(cluster)) == 0 && is_listed(oids, slash + 1);
        free(here);
    }
    free(oids);
    return rc;
}

static int refuse_source(const struct engine_target *t, struct pgsql *c, struct error *err)
{
    bool same = false;
    if (t->into_source)
        return 0;
    int rc = is_recorded(t, c, &same, err);
    if (rc == 0 && (same || is_job(t, c)))
        rc = error_set(
            err, E_EXISTS,
            "%s is the database that was backed up: --beside restores into a new one next to it, which can then "
            "take its place (restore swap); or say --into-source",
            c->where);
    return rc;
}

/* In this order. Its own encoding is used; pgsql_target_fits says whether that is the snapshot's. */
static const struct {
    int (*refuse)(const struct engine_target *t, struct pgsql *c, struct error *err);
    bool of_database;
} refusals[] = {
    { pgsql_target_older, false },
    { refuse_readonly, true },
    { refuse_source, true },
    { refuse_nonempty, true },
};
enum { REFUSALS = sizeof refusals / sizeof refusals[0] };

int pgsql_target_open(const struct engine_target *target, struct pgsql *c, struct error *err)
{
    int rc = pgsql_target_connect(target->to, c, err);
    rc = rc == 0 ? pgsql_session(c, 0, NULL, err) : rc;
    if (rc == E_NOT_FOUND)
        return error_wrap(err, "the database must exist (createdb -T template0 NAME)");
    for (size_t i = 0; rc == 0 && i < REFUSALS; i++)
        rc = refusals[i].refuse(target, c, err);
    return rc;
}

int pgsql_target_findings(const struct engine_target *target, struct pgsql *c, bool exists,
                          engine_plan_fn *fn, void *arg, struct error *err)
{
    for (size_t i = 0; i < REFUSALS; i++) {
        struct error why = ERROR_INIT;
        if (refusals[i].of_database && !exists)
            continue;
        int rc = refusals[i].refuse(target, c, &why);
        if (rc != E_EXISTS && rc != E_UNSUPPORTED && rc < 0)
            return error_copy(err, &why);
        if (rc < 0)
            fn(PLAN_MISSING, why.text, NULL, arg);
    }
    return 0;
}

int pgsql_look(const struct engine_target *target, struct error *err)
{
    struct pgsql c;
    if (target->beside)
        return pgsql_beside_look(target, err);
    int rc = pgsql_target_open(target, &c, err);
    pgsql_close(&c);
    return rc;
}
