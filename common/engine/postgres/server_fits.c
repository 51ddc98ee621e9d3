/* Does the server have what a snapshot needs? */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "common/base/fact.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/postgres/fits.h"
#include "common/engine/postgres/name.h"

#include "common/base/banned.h"

enum { TEXT_MAX = 300, LIST_MAX = 600 };

/* One value for one name: the statement has a % where the name goes. NULL with rc 0: no row, or NULL. */
static int ask(const struct fits *f, const char *sql, const char *name, char **out, struct error *err)
{
    struct buf text = BUF_INIT;
    PGresult *r = NULL;
    int rc = 0;
    *out = NULL;
    for (const char *p = sql; rc == 0 && *p != '\0'; p++)
        rc = *p == '%' ? pgsql_literal(&text, name, err) : buf_append(&text, p, 1, err);
    if (rc == 0)
        rc = buf_append(&text, "", 1, err);
    if (rc == 0)
        rc = pgsql_query(f->c, (const char *)text.data, &r, err);
    if (rc == 0 && PQntuples(r) > 0 && !PQgetisnull(r, 0, 0) &&
        (*out = str_dup(PQgetvalue(r, 0, 0), err)) == NULL)
        rc = E_NOMEM;
    PQclear(r);
    buf_free(&text);
    return rc;
}

/* ---- versions ---------------------------------------------------------------------------------------------- */

static int tell_versions(const struct fits *f, struct error *err)
{
    struct pgsql_tool tool = { .path = NULL };
    struct error why = ERROR_INIT;
    char source[TEXT_MAX] = "?";
    char dump[TEXT_MAX] = "?";
    const char *here = PQparameterStatus(f->c->conn, "server_version");
    int major = PQserverVersion(f->c->conn) / 10000;
    (void)fact_get(f->p->target->facts, "server_version", source, sizeof source);
    (void)fact_get(f->p->target->facts, "pg_dump", dump, sizeof dump);
    if (strtol(source, NULL, 10) <= major) /* else it was refused already */
        fits_say(f, PLAN_FITS, NULL, "server %s, snapshot of %s", here != NULL ? here : "?", source);
    int rc = pgsql_restore_tool(f->c, f->p->target, &tool, &why);
    if (rc == E_NOMEM || rc == E_CANCELLED)
        return error_copy(err, &why);
    if (rc < 0)
        fits_say(f, PLAN_MISSING, NULL, "%s", why.text);
    else
        fits_say(f, PLAN_FITS, NULL, "%s of version %s, the snapshot was made with pg_dump %s", tool.path,
                 tool.version, dump);
    if (rc == 0 && tool.major > (unsigned)major)
        fits_say(f, PLAN_NOTE, NULL,
                 "pg_restore is newer than the server: settings that the server does not know (such as "
                 "transaction_timeout) would stop it");
    pgsql_tool_free(&tool);
    return 0;
}

/* ---- encodings and locales --------------------------------------------------------------------------------- */

static const char locale_sql[] =
    "SELECT CASE WHEN j->>'datlocprovider' = 'i' THEN 'ICU ' || coalesce(j->>'daticulocale', j->>'datlocale', '') "
    "ELSE 'libc' END || ', LC_COLLATE ' || d.datcollate || ', LC_CTYPE ' || d.datctype, coalesce(j->>'datcollversion', '') FROM pg_catalog.pg_database d, "
    "LATERAL (SELECT pg_catalog.to_jsonb(d) AS j) x WHERE d.datname = pg_catalog.current_database()";

static int tell_locale(const struct fits *f, struct error *err)
{
    char source[4 * TEXT_MAX] = "";
    char version[TEXT_MAX] = "";
    char provider[TEXT_MAX] = "";
    char collate[TEXT_MAX] = "";
    char ctype[TEXT_MAX] = "";
    char icu[TEXT_MAX] = "";
    char encoding[TEXT_MAX] = "";
    PGresult *r = NULL;
    if (!f->exists)
        return 0;
    (void)fact_get(f->p->schema_facts, "collation_provider", provider, sizeof provider);
    (void)fact_get(f->p->schema_facts, "collate", collate, sizeof collate);
    (void)fact_get(f->p->schema_facts, "ctype", ctype, sizeof ctype);
    (void)fact_get(f->p->schema_facts, "icu_locale", icu, sizeof icu);
    bool is_icu = strcmp(provider, "i") == 0;
    (void)snprintf(source, sizeof source, "%s%s, LC_COLLATE %s, LC_CTYPE %s", is_icu ? "ICU " : "libc",
                   is_icu ? icu : "", collate, ctype);
    (void)fact_get(f->p->schema_facts, "collation_version", version, sizeof version);
    (void)fact_get(f->p->schema_facts, "encoding", encoding, sizeof encoding);
    int rc = pgsql_query(f->c, locale_sql, &r, err);
    if (rc == 0 && PQntuples(r) == 1) {
        const char *here = PQgetvalue(r, 0, 0);
        const char *now = PQgetvalue(r, 0, 1);
        if (strcmp(here, source) != 0)
            fits_say(f, PLAN_NOTE, NULL,
                     "text is sorted otherwise here: %s instead of %s; unique keys and "
                     "partitions by range of text may not take all rows",
                     here, source);
        else
            fits_say(f, PLAN_FITS, NULL, "encoding %s, locale %s", encoding, here);
        if (strcmp(here, source) == 0 && strcmp(now, version) != 0)
            fits_say(
                f, PLAN_HANDLED, NULL,
                "collations are of version %s here, of %s there: indexes are built anew, so no REINDEX is needed",
                now[0] != '\0' ? now : "none", version[0] != '\0' ? version : "none");
    }
    PQclear(r);
    return rc;
}

/* ---- what others must have made ----------------------------------------------------------------------------- */

static int tell_extensions(const struct fits *f, struct error *err)
{
    const struct pgsql_toc *toc = &f->p->schema.toc;
    char cure[TEXT_MAX];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < toc->entries.len; i++) {
        const struct toc_entry *e = toc_at(toc, i);
        char *version = NULL;
        if (!toc_is(e, "EXTENSION") || !fits_wanted(f, i))
            continue;
        rc = ask(f, "SELECT default_version FROM pg_catalog.pg_available_extensions WHERE name = %", e->tag,
                 &version, err);
        (void)snprintf(cure, sizeof cure,
                       "install it on the server (a package such as postgresql-%d-NAME), or restore "
                       "tables that do without it",
                       PQserverVersion(f->c->conn) / 10000);
        if (rc == 0 && version == NULL)
            fits_say(f, PLAN_MISSING, cure, "the server has no extension %s", e->tag);
        else if (rc == 0)
            fits_say(f, PLAN_FITS, NULL, "extension %s: version %s is available", e->tag, version);
        free(version);
    }
    return rc;
}

static bool seen_before(const struct fits *f, size_t i)
{
    const char *name = toc_at(&f->p->schema.toc, i)->tablespace;
    for (size_t j = 0; j < i; j++)
        if (fits_wanted(f, j) && strcmp(toc_at(&f->p->schema.toc, j)->tablespace, name) == 0)
            return true;
    return false;
}

static int tell_tablespaces(const struct fits *f, struct error *err)
{
    const struct pgsql_toc *toc = &f->p->schema.toc;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < toc->entries.len; i++) {
        const char *name = toc_at(toc, i)->tablespace;
        char *there = NULL;
        if (name[0] == '\0' || !fits_wanted(f, i) || seen_before(f, i))
            continue;
        if (f->p->target->no_tablespaces) {
            fits_say(f, PLAN_HANDLED, NULL,
                     "what was in tablespace %s goes into that of the database (--no-tablespaces)", name);
            continue;
        }
        rc = ask(f, "SELECT spcname FROM pg_catalog.pg_tablespace WHERE spcname = %", name, &there, err);
        if (rc == 0 && there == NULL)
            fits_say(f, PLAN_MISSING, "CREATE TABLESPACE ... LOCATION ..., or say --no-tablespaces",
                     "the server has no tablespace %s", name);
        else if (rc == 0)
            fits_say(f, PLAN_FITS, NULL, "tablespace %s is there", name);
        free(there);
    }
    return rc;
}

static int tell_roles(const struct fits *f, struct error *err)
{
    struct vec missing = VEC_OF(char *);
    char list[LIST_MAX];
    int rc = pgsql_roles_missing(f->c, f->p, &missing, err);
    bool make = f->p->target->create_roles && f->p->globals;
    if (rc == 0 && missing.len != 0 && make)
        fits_say(f, PLAN_CREATE, NULL, "missing roles: %s", pgsql_names_text(&missing, list, sizeof list));
    else if (rc == 0 && missing.len != 0)
        fits_say(f, PLAN_MISSING, pgsql_roles_ways(f->p), "the server has no role %s",
                 pgsql_names_text(&missing, list, sizeof list));
    else if (rc == 0)
        fits_say(f, PLAN_FITS, NULL, "all roles that are needed are there%s",
                 f->p->target->create_roles ? "; existing ones stay as they are" : "");
    if (rc == 0 && missing.len != 0 && make)
        fits_say(f, PLAN_HANDLED, NULL,
                 "lines of psql in globals.sql (\\restrict) are passed over; existing roles stay as they "
                 "are");
    pgsql_names_free(&missing);
    return rc;
}

/* ---- rights ------------------------------------------------------------------------------------------------- */

static bool is_for_superusers(const struct toc_entry *e)
{
    static const char *const kinds[] = { "EVENT TRIGGER",  "FOREIGN DATA WRAPPER", "SUBSCRIPTION",
                                         "ACCESS METHOD",  "PROCEDURAL LANGUAGE",  "SHELL TYPE",
                                         "OPERATOR CLASS", "OPERATOR FAMILY" };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (toc_is(e, kinds[i]))
            return true;
    return toc_is(e, "FUNCTION") &&
           (strstr(e->sql, "LANGUAGE c ") != NULL || strstr(e->sql, "LANGUAGE internal ") != NULL);
}

static int tell_owners(const struct fits *f, struct error *err)
{
    struct vec roles = VEC_OF(char *);
    struct vec lacks = VEC_OF(char *);
    char list[LIST_MAX];
    int rc = f->p->target->no_owner ? 0 : pgsql_fact_names(f->p->schema_facts, "roles", &roles, err);
    for (size_t i = 0; rc == 0 && i < roles.len; i++) {
        char *may = NULL;
        rc = ask(f, "SELECT pg_catalog.pg_has_role(oid, 'MEMBER') FROM pg_catalog.pg_roles WHERE rolname = %",
                 *(char **)vec_at(&roles, i), &may, err);
        char **slot = rc == 0 && may != NULL && may[0] == 'f' ? vec_push(&lacks, err) : NULL;
        if (slot != NULL && (*slot = str_dup(*(char **)vec_at(&roles, i), err)) == NULL)
            rc = E_NOMEM;
        free(may);
    }
    if (rc == 0 && lacks.len != 0)
        fits_say(f, PLAN_MISSING, "restore as a superuser, or say --no-owner",
                 "this role may give nothing to %s", pgsql_names_text(&lacks, list, sizeof list));
    pgsql_names_free(&roles);
    pgsql_names_free(&lacks);
    return rc;
}

static int tell_superuser_things(const struct fits *f, struct error *err)
{
    const struct pgsql_toc *toc = &f->p->schema.toc;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < toc->entries.len; i++) {
        const struct toc_entry *e = toc_at(toc, i);
        char *trusted = NULL;
        if (!fits_wanted(f, i))
            continue;
        if (is_for_superusers(e))
            fits_say(f, PLAN_MISSING, "restore as a superuser", "only a superuser makes %s %s", e->desc,
                     e->tag);
        if (!toc_is(e, "EXTENSION"))
            continue;
        rc = ask(
            f,
            "SELECT pg_catalog.bool_or(trusted OR NOT superuser) FROM pg_catalog.pg_available_extension_versions "
            "WHERE name = %",
            e->tag, &trusted, err);
        if (rc == 0 && trusted != NULL && trusted[0] == 'f')
            fits_say(f, PLAN_MISSING,
                     "restore as a superuser, or let one make it (CREATE EXTENSION) and say --into-nonempty",
                     "only a superuser makes EXTENSION %s", e->tag);
        free(trusted);
    }
    return rc;
}

static int tell_rights(const struct fits *f, struct error *err)
{
    int64_t super = 0;
    int64_t may = 1;
    int rc = pgsql_number(
        f->c, "SELECT rolsuper::pg_catalog.int4 FROM pg_catalog.pg_roles WHERE rolname = current_user",
        &super, err);
    if (rc == 0 && super != 0) {
        fits_say(f, PLAN_FITS, NULL, "role %s is a superuser", PQuser(f->c->conn));
        return 0;
    }
    if (rc == 0 && f->exists)
        rc = pgsql_number(f->c,
                          "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')"
                          "::pg_catalog.int4",
                          &may, err);
    if (rc == 0 && may == 0)
        fits_say(f, PLAN_MISSING,
                 "let it own the database (ALTER DATABASE ... OWNER TO ...), or restore as a superuser",
                 "permission denied: role %s may make nothing in this database", PQuser(f->c->conn));
    if (rc == 0)
        rc = tell_owners(f, err);
    return rc == 0 ? tell_superuser_things(f, err) : rc;
}

/* ---- room --------------------------------------------------------------------------------------------------- */

/* Only a superuser is told where the data is, and only a local one can be asked for its disk. */
static int tell_room(const struct fits *f, struct error *err)
{
    char n[2][NUMBER_TEXT_MAX];
    struct statvfs fs;
    char *dir = NULL;
    const char *host = PQhost(f->c->conn);
    bool local = host == NULL || host[0] == '/' || host[0] == '\0';
    uint64_t bytes = 0;
    for (size_t i = 0; i < f->p->loads.len; i++)
        bytes += ((const struct pgsql_load *)vec_at(&f->p->loads, i))->len;
    int rc = local ? ask(f,
                         "SELECT CASE WHEN pg_catalog.pg_has_role('pg_read_all_settings', 'MEMBER') THEN "
                         "pg_catalog.current_setting('data_directory') END",
                         "", &dir, err)
                   : 0;
    if (rc == 0 && dir != NULL && statvfs(dir, &fs) == 0 && fs.f_frsize != 0) {
        uint64_t have = (uint64_t)fs.f_bavail * fs.f_frsize;
        if (have < bytes)
            fits_say(f, PLAN_MISSING, "make room, or restore to another server",
                     "the rows are %s as text, and only %s are free at %s", size_format(n[0], bytes),
                     size_format(n[1], have), dir);
        else
            fits_say(f, PLAN_FITS, NULL, "%s are free at %s; the rows are %s as text, indexes come on top",
                     size_format(n[1], have), dir, size_format(n[0], bytes));
    } else if (rc == 0) {
        fits_say(f, PLAN_NOTE, NULL,
                 "how much room the server has is not visible from here; the rows are %s as text, indexes "
                 "come on top",
                 size_format(n[0], bytes));
    }
    free(dir);
    return rc;
}

int fits_server(const struct fits *f, struct error *err)
{
    int rc = tell_versions(f, err);
    if (rc == 0)
        rc = tell_locale(f, err);
    if (rc == 0)
        rc = tell_extensions(f, err);
    if (rc == 0)
        rc = tell_roles(f, err);
    if (rc == 0)
        rc = tell_tablespaces(f, err);
    if (rc == 0)
        rc = tell_rights(f, err);
    return rc == 0 ? tell_room(f, err) : rc;
}
