/* What a swap meets: which database is meant, who uses the two, and what else notices it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/postgres/swap.h"

#include "common/base/banned.h"

enum { NAMED_MAX = 100 };

void pgsql_tell(const struct pgsql_swap *s, enum engine_plan_kind kind, const char *cure, const char *fmt,
                ...)
{
    char text[1024];
    char shown[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    s->fn(kind, str_printable(shown, sizeof shown, text), cure, s->arg);
}

/* ---- which one ---------------------------------------------------------------------------------------------- */

/* Its mark says so; where the live one is gone, its name, too. Never one of somebody else, who may mark what he
 * likes. */
static bool is_meant(const struct pgsql_swap *s, const struct pgsql_db *d)
{
    enum pgsql_mark wanted = s->want->undo ? MARK_KEPT : MARK_READY;
    if (d->mark != wanted)
        return false;
    if (s->live.oid != 0)
        return d->marked_oid == s->live.oid && strcmp(d->owner, s->live.owner) == 0;
    return str_starts(d->name, s->live.name) &&
           str_starts(d->name + strlen(s->live.name), s->want->undo ? "_before_restore_" : "_restored_");
}

static int none_found(const struct pgsql_swap *s, const struct vec *all, struct error *err)
{
    char shown[200];
    for (size_t i = 0; i < all->len; i++) {
        const struct pgsql_db *d = vec_at(all, i);
        if (d->mark == MARK_NOT_READY && d->marked_oid == s->live.oid)
            return error_set(
                err, E_NOT_FOUND,
                "%s: the restore into %s beside %s did not end: there is nothing to put into its place",
                s->b.where, str_printable(shown, sizeof shown, d->name), s->live.name);
    }
    return error_set(err, E_NOT_FOUND,
                     s->want->undo
                         ? "%s: nothing was kept when %s was put into its place; name another one with --from"
                         : "%s: nothing lies ready for %s (restore database SNAPSHOT --to ... --beside makes "
                           "it); or name the database with --from",
                     s->b.where, s->live.name);
}

static int find_fresh(struct pgsql_swap *s, struct error *err)
{
    struct vec all;
    struct pgsql_db *found = NULL;
    size_t n = 0;
    char shown[200];
    char other[200];
    int rc = pgsql_db_marked(&s->b, s->live.name, &all, err);
    for (size_t i = 0; rc == 0 && i < all.len; i++) {
        struct pgsql_db *d = vec_at(&all, i);
        if (!is_meant(s, d))
            continue;
        if (++n > 1)
            rc = error_set(err, E_USAGE, "%s: %s and %s both could take the place of %s: choose with --from",
                           s->b.where, str_printable(shown, sizeof shown, found->name),
                           str_printable(other, sizeof other, d->name), s->live.name);
        found = d;
    }
    if (rc == 0 && found == NULL)
        rc = none_found(s, &all, err);
    if (rc == 0) {
        s->fresh = *found;
        *found = (struct pgsql_db){ .oid = 0 };
    }
    pgsql_dbs_free(&all);
    return rc;
}

static int named_fresh(struct pgsql_swap *s, struct error *err)
{
    const char *name = s->want->fresh;
    int rc = pgsql_db_find(&s->b, name, &s->fresh, err);
    if (rc < 0)
        return rc;
    if (s->fresh.oid == 0)
        return error_set(err, E_NOT_FOUND, "%s: there is no database %s", s->b.where, name);
    if (s->fresh.oid == s->live.oid)
        return error_set(err, E_USAGE, "--from names the live database itself");
    if (s->fresh.mark == MARK_NOT_READY || str_starts(s->fresh.comment, "NOT COMPLETE"))
        return error_set(err, E_CORRUPT,
                         "database %s is not whole, as its comment says: a restore into it did not end",
                         name);
    if (s->live.oid != 0 && s->fresh.mark != MARK_NONE && s->fresh.marked_oid != s->live.oid)
        pgsql_tell(s, PLAN_NOTE, NULL,
                   "%s was made for another database than the one that is %s now: its comment says \"%s\"",
                   name, s->live.name, s->fresh.comment);
    return 0;
}

int pgsql_swap_choose(struct pgsql_swap *s, struct error *err)
{
    int rc = s->want->fresh != NULL ? named_fresh(s, err) : find_fresh(s, err);
    return rc == 0 ? pgsql_may_rename(&s->b, &s->live, &s->fresh, err) : rc;
}

/* ---- who uses them ------------------------------------------------------------------------------------------- */

/* pg_terminate_backend's own rules: of superusers only superusers, of others their members and pg_signal_backend. */
static const char connections_sql[] =
    "SELECT a.pid, a.datname, coalesce(a.usename, a.backend_type, '?'), coalesce(nullif(a.application_name, ''), "
    "a.backend_type, 'unknown'), coalesce(pg_catalog.host(a.client_addr), 'local'), "
    "coalesce(pg_catalog.to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), 'unknown'), "
    "me.rolsuper OR (NOT coalesce(u.rolsuper, true) AND (pg_catalog.pg_has_role(me.oid, u.oid, 'USAGE') OR "
    "pg_catalog.pg_has_role(me.oid, 'pg_signal_backend', 'USAGE'))), coalesce(u.rolsuper, true), me.rolname "
    "FROM pg_catalog.pg_stat_activity a LEFT JOIN pg_catalog.pg_roles u ON u.oid = a.usesysid, pg_catalog.pg_roles me "
    "WHERE me.rolname = current_user AND a.datid IN (%u, %u) AND a.leader_pid IS NULL AND a.backend_type IS DISTINCT FROM "
    "'autovacuum worker' ORDER BY a.datname, a.backend_start, a.pid";

int pgsql_swap_connections(struct pgsql_swap *s, struct error *err)
{
    enum { PID, DATABASE, ROLE, APPLICATION, HOST, SINCE, MAY, SUPER, ME };
    PGresult *r = NULL;
    char cure[200];
    int rc = pgsql_queryf(&s->b, &r, err, connections_sql, s->live.oid, s->fresh.oid);
    s->connections = rc == 0 ? (size_t)PQntuples(r) : 0;
    s->foreign = 0;
    for (int i = 0; rc == 0 && i < PQntuples(r); i++) {
        bool may = PQgetvalue(r, i, MAY)[0] == 't';
        char me[140];
        (void)str_printable(me, sizeof me, PQgetvalue(r, i, ME));
        s->foreign += !may;
        if (PQgetvalue(r, i, SUPER)[0] == 't')
            (void)snprintf(cure, sizeof cure, "only a superuser may end it");
        else
            (void)snprintf(cure, sizeof cure, "GRANT pg_signal_backend TO \"%s\";", me);
        if (i < NAMED_MAX)
            pgsql_tell(s, PLAN_CONNECTION,
                       !may                 ? cure
                       : s->want->terminate ? NULL
                                            : "--terminate ends it",
                       "process %s: role %s, application %s (%s), on %s since %s UTC", PQgetvalue(r, i, PID),
                       PQgetvalue(r, i, ROLE), PQgetvalue(r, i, APPLICATION), PQgetvalue(r, i, HOST),
                       PQgetvalue(r, i, DATABASE), PQgetvalue(r, i, SINCE));
        else if (i == NAMED_MAX)
            pgsql_tell(s, PLAN_CONNECTION, NULL, "and %d more", PQntuples(r) - i);
    }
    PQclear(r);
    return rc;
}

static int prepared(struct pgsql_swap *s, struct error *err)
{
    PGresult *r = NULL;
    int rc = pgsql_queryf(
        &s->b, &r, err,
        "SELECT gid, owner, database, pg_catalog.to_char(prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD "
        "HH24:MI:SS') FROM pg_catalog.pg_prepared_xacts WHERE database IN (%L, %L) ORDER BY prepared",
        s->live.name, s->fresh.name);
    s->prepared = rc == 0 ? (size_t)PQntuples(r) : 0;
    for (int i = 0; rc == 0 && i < PQntuples(r) && i < NAMED_MAX; i++) {
        char cure[400];
        char gid[300];
        (void)snprintf(cure, sizeof cure, "COMMIT PREPARED '%s'; or ROLLBACK PREPARED, in that database",
                       str_printable(gid, sizeof gid, PQgetvalue(r, i, 0)));
        pgsql_tell(s, PLAN_MISSING, cure,
                   "the prepared transaction %s of role %s, since %s UTC, keeps %s from being renamed", gid,
                   PQgetvalue(r, i, 1), PQgetvalue(r, i, 3), PQgetvalue(r, i, 2));
    }
    PQclear(r);
    return rc;
}

/* ---- who else notices it -------------------------------------------------------------------------------------- */

static int bound(const struct pgsql_swap *s, struct pgsql *c, const char *sql, const char *what,
                 struct error *err)
{
    PGresult *r = NULL;
    int rc = pgsql_queryf(c, &r, err, sql, s->live.oid);
    for (int i = 0; rc == 0 && i < PQntuples(r) && i < NAMED_MAX; i++)
        pgsql_tell(s, PLAN_NOTE, NULL,
                   "%s %s stays with the database that becomes %s: the restored one has none", what,
                   PQgetvalue(r, i, 0), (const char *)s->kept.data);
    PQclear(r);
    return rc;
}

static int cron(const struct pgsql_swap *s, struct pgsql *c, struct error *err)
{
    char *name =
        pgsql_text(c, "SELECT coalesce(pg_catalog.current_setting('cron.database_name', true), '')", err);
    int rc = name != NULL ? 0 : pgsql_failed(err);
    if (rc == 0 && strcmp(name, s->live.name) == 0)
        pgsql_tell(s, PLAN_NOTE, NULL,
                   "pg_cron keeps its jobs in %s (cron.database_name): it reads those of the restored one",
                   s->live.name);
    free(name);
    return rc;
}

static int properties(struct pgsql_swap *s, struct error *err)
{
    struct buf differ = BUF_INIT;
    int rc = pgsql_properties_differ(&s->b, &s->live, &s->fresh, &differ, err);
    if (rc == 0 && differ.len > 0)
        pgsql_tell(s, PLAN_NOTE, NULL, "%s is not in everything like %s; it differs in: %.*s", s->fresh.name,
                   s->live.name, (int)differ.len, (const char *)differ.data);
    buf_free(&differ);
    return rc;
}

int pgsql_swap_survey(struct pgsql_swap *s, struct error *err)
{
    struct pgsql *c = &s->b;
    int rc = s->live.oid != 0 ? properties(s, err) : 0;
    if (rc == 0 && s->live.oid != 0)
        rc = bound(s, c, "SELECT slot_name FROM pg_catalog.pg_replication_slots WHERE datoid = %u ORDER BY 1",
                   "the logical replication slot", err);
    if (rc == 0 && s->live.oid != 0)
        rc = bound(s, c, "SELECT subname FROM pg_catalog.pg_subscription WHERE subdbid = %u ORDER BY 1",
                   "the subscription", err);
    if (rc == 0)
        rc = cron(s, c, err);
    if (rc == 0)
        pgsql_tell(
            s, PLAN_NOTE, NULL,
            "what finds %s by its name (applications, poolers, dblink, postgres_fdw, pg_hba.conf, the backup's own "
            "job) finds the other one from then on",
            s->live.name);
    if (rc == 0 && s->want->undo)
        pgsql_tell(s, PLAN_NOTE, NULL, "what was written to %s since the swap goes with it, into %s",
                   s->live.name, s->kept.data != NULL ? (const char *)s->kept.data : "nowhere");
    rc = rc == 0 ? prepared(s, err) : rc;
    return rc == 0 ? pgsql_swap_connections(s, err) : rc;
}
