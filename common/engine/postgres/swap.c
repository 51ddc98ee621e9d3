/*
 * Two databases exchange their names.
 *
 * PostgreSQL renames databases inside a transaction, so both renames and the
 * comments are one: whatever is killed leaves the names as they were. RENAME
 * first locks the database, then waits up to five seconds for its connections
 * to end. They are ended in that time, from a second connection: new ones wait
 * at the lock, so none comes back in between.
 */
#include "common/engine/postgres/swap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/postgres/name.h"
#include "common/engine/postgres/restore.h"

#include "common/base/banned.h"

enum { SETTLE_TRIES = 100 };

/* ---- ending connections --------------------------------------------------------------------------------------- */

static int end_connections(void *arg, struct error *err)
{
    struct pgsql_swap *s = arg;
    if (!s->want->terminate)
        return 0;
    PGresult *r = NULL;
    int rc = pgsql_queryf(
        &s->b, &r, err,
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datid IN (%u, "
        "%u) AND backend_type IS DISTINCT FROM 'autovacuum worker'",
        s->live.oid, s->fresh.oid);
    PQclear(r);
    return rc < 0 ? error_wrap(err, "end the connections") : 0;
}

/* ---- the transaction ------------------------------------------------------------------------------------------ */

static int rename_one(struct pgsql_swap *s, const struct pgsql_db *d, const char *from, const char *to,
                      struct error *err)
{
    int rc = pgsql_runf(&s->a, err, "ALTER DATABASE %I RENAME TO %I", from, to);
    if (rc < 0)
        return rc;
    /* By its number: between the look and the lock somebody may have put another one under this name. */
    struct pgsql_db now;
    rc = pgsql_db_find(&s->a, to, &now, err);
    if (rc == 0 && now.oid != d->oid)
        rc = error_set(err, E_CONFLICT,
                       "%s: database %s was replaced by another one just now; nothing was changed",
                       s->a.where, from);
    pgsql_db_free(&now);
    return rc;
}

static int comment(struct pgsql_swap *s, const char *name, const char *text, struct error *err)
{
    return text[0] != '\0' ? pgsql_runf(&s->a, err, "COMMENT ON DATABASE %I IS %L", name, text)
                           : pgsql_runf(&s->a, err, "COMMENT ON DATABASE %I IS NULL", name);
}

/* The comment of the name stays with it; who becomes the other one gets the mark that leads back. */
static int comments(struct pgsql_swap *s, struct error *err)
{
    struct buf mark = BUF_INIT;
    bool own = s->fresh.mark == MARK_NONE && s->fresh.comment[0] != '\0';
    int rc = 0;
    if (s->live.oid == 0) /* nothing to hand over */
        return own ? 0 : comment(s, s->live.name, "", err);
    const char *text = s->live.mark == MARK_NONE ? s->live.comment : "";
    if (text[0] != '\0' || !own)
        rc = comment(s, s->live.name, text, err);
    if (rc == 0)
        rc = pgsql_mark_text(s->want->undo ? MARK_READY : MARK_KEPT, s->fresh.oid, s->live.name, NULL, &mark,
                             err);
    rc = rc == 0 ? buf_append(&mark, "", 1, err) : rc;
    rc = rc == 0 ? comment(s, (const char *)s->kept.data, (const char *)mark.data, err) : rc;
    buf_free(&mark);
    return rc;
}

/* After a COMMIT whose answer was lost: which of the two it was, once the session that was asked is over. */
static int settled(struct pgsql_swap *s, unsigned pid, struct error *err)
{
    struct pgsql_db now = { .oid = 0 };
    struct error why = ERROR_INIT;
    PGresult *r = NULL;
    int rc = 0;
    bool over = false;
    for (int i = 0; rc == 0 && !over && i < SETTLE_TRIES; i++) {
        rc = pgsql_queryf(
            &s->b, &r, &why,
            "SELECT pg_catalog.pg_sleep(0.2), (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity "
            "WHERE pid = %u)",
            pid);
        over = rc == 0 && PQgetvalue(r, 0, 1)[0] == '0';
        PQclear(r);
        r = NULL;
    }
    if (!over || pgsql_db_find(&s->b, s->live.name, &now, &why) < 0)
        return error_wrap(err, "whether the names were exchanged is not known (restore swap --plan tells)");
    bool done = now.oid == s->fresh.oid;
    pgsql_db_free(&now);
    return done ? 0 : error_wrap(err, "nothing was changed");
}

static int in_use(struct pgsql_swap *s, struct error *err)
{
    struct error why = ERROR_INIT;
    if (s->prepared > 0)
        return error_named(err, E_BUSY, ENGINE_IN_USE,
                           "%s: prepared transactions are in the way (%zu); nothing was changed", s->b.where,
                           s->prepared);
    if (s->connections == 0)
        (void)pgsql_swap_connections(s, &why); /* it came after the look */
    return error_named(err, E_BUSY, ENGINE_IN_USE,
                       "%s: connections are in the way (%zu): %s; nothing was changed", s->b.where,
                       s->connections,
                       s->want->terminate ? "they did not end within the server's five seconds"
                                          : "stop what holds them, or end them with --terminate");
}

static int exchange(struct pgsql_swap *s, struct error *err)
{
    unsigned pid = (unsigned)PQbackendPID(s->a.conn);
    int rc = end_connections(s, err);
    s->a.tick = end_connections;
    s->a.tick_arg = s;
    if (rc == 0)
        rc = pgsql_exec(&s->a, "BEGIN", err);
    if (rc == 0 && s->live.oid != 0)
        rc = rename_one(s, &s->live, s->live.name, (const char *)s->kept.data, err);
    if (rc == 0)
        rc = rename_one(s, &s->fresh, s->fresh.name, s->live.name, err);
    s->a.tick = NULL;
    if (rc == 0)
        rc = comments(s, err);
    if (rc == 0 && (rc = pgsql_exec(&s->a, "COMMIT", err)) < 0)
        return settled(s, pid, err);
    bool held = rc == E_BUSY || (rc == E_RETRY && strcmp(s->a.state, "55P03") == 0);
    if (rc < 0)
        pgsql_close(&s->a); /* rolls back before anything is told */
    s->connections = 0;     /* of before */
    return held ? in_use(s, err) : rc;
}

/* ---- the whole ------------------------------------------------------------------------------------------------ */

static int look(struct pgsql_swap *s, struct error *err)
{
    char *name = NULL;
    int rc = pgsql_via_open(s->want->live, s->want->via, &s->b, &name, err);
    if (rc == 0)
        rc = pgsql_db_find(&s->b, name, &s->live, err);
    if (rc == 0 && s->live.oid == 0 && (s->live.name = str_dup(name, err)) == NULL)
        rc = E_NOMEM;
    free(name);
    if (rc == 0)
        rc = pgsql_swap_choose(s, err);
    if (rc == 0 && s->live.oid != 0)
        rc = pgsql_db_name(&s->b, s->live.name, s->want->undo ? "restored" : "before_restore", &s->kept, err);
    return rc;
}

static void tell_names(const struct pgsql_swap *s)
{
    if (s->live.oid == 0)
        pgsql_tell(s, PLAN_NOTE, NULL, "there is no database %s: it was dropped or renamed by somebody",
                   s->live.name);
    else
        pgsql_tell(s, PLAN_DROP, NULL, "database %s becomes %s, and is kept", s->live.name,
                   (const char *)s->kept.data);
    pgsql_tell(s, PLAN_CREATE, NULL, "database %s becomes %s", s->fresh.name, s->live.name);
    if (s->fresh.mark == MARK_NONE && s->fresh.comment[0] != '\0' && s->live.comment != NULL &&
        s->live.comment[0] != '\0')
        pgsql_tell(s, PLAN_NOTE, NULL, "it gets the comment of %s instead of its own (\"%s\")", s->live.name,
                   s->fresh.comment);
}

static int may_go(struct pgsql_swap *s, struct error *err)
{
    if (s->prepared > 0)
        return in_use(s, err);
    if (s->connections > 0 && !s->want->terminate)
        return in_use(s, err);
    if (s->foreign > 0)
        return error_set(err, E_DENIED,
                         "%s: %zu of the %zu connections may not be ended by this role (GRANT "
                         "pg_signal_backend; those of superusers only by a superuser); nothing was changed",
                         s->b.where, s->foreign, s->connections);
    return 0;
}

static int answer(const struct pgsql_swap *s, struct error *err)
{
    int rc = 0;
    if (s->kept.len == 0)
        return 0;
    if (s->want->kept != NULL)
        rc = buf_append(s->want->kept, s->kept.data, s->kept.len, err);
    if (rc == 0 && s->want->drop != NULL)
        rc = pgsql_sqlf(s->want->drop, err, "DROP DATABASE %I;", (const char *)s->kept.data);
    return rc == 0 && s->want->drop != NULL ? buf_append(s->want->drop, "", 1, err) : rc;
}

int pgsql_swap(const struct engine_swap *swap, engine_plan_fn *fn, void *arg, struct error *err)
{
    struct pgsql_swap s = { .want = swap, .fn = fn, .arg = arg };
    char *name = NULL;
    int rc = look(&s, err);
    if (rc == 0) {
        tell_names(&s);
        rc = pgsql_swap_survey(&s, err);
    }
    if (rc == 0 && !swap->look_only) {
        rc = may_go(&s, err);
        if (rc == 0)
            rc = pgsql_via_open(swap->live, swap->via, &s.a, &name, err);
        if (rc == 0)
            rc = exchange(&s, err);
    }
    if (rc == 0)
        rc = answer(&s, err);
    free(name);
    pgsql_close(&s.a);
    pgsql_close(&s.b);
    pgsql_db_free(&s.live);
    pgsql_db_free(&s.fresh);
    buf_free(&s.kept);
    return rc;
}
