/* A restore into a new database next to the live one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/postgres/restore.h"
#include "common/engine/postgres/swap.h"

#include "common/base/banned.h"

enum { LOCALE_MAX = 512 };

struct beside {
    struct pgsql c; /* to another database of the server */
    char *live_name;
    struct pgsql_db live;
    struct pgsql_db made;
    char shown[200]; /* the name of the new one, for messages */
};

static void beside_close(struct beside *b)
{
    pgsql_close(&b->c);
    free(b->live_name);
    pgsql_db_free(&b->live);
    pgsql_db_free(&b->made);
}

static int beside_open(struct beside *b, const struct engine_target *t, struct error *err)
{
    *b = (struct beside){ .live_name = NULL };
    int rc = pgsql_via_open(t->to, t->via, &b->c, &b->live_name, err);
    if (rc == 0)
        rc = pgsql_db_find(&b->c, b->live_name, &b->live, err);
    if (rc == 0 && b->live.oid == 0)
        rc = error_set(
            err, E_NOT_FOUND,
            "%s: there is no database %s to restore beside: make an empty one (createdb -T template0 "
            "NAME) and restore into it, without --beside",
            b->c.where, b->live_name);
    return rc == 0 ? pgsql_may_rename(&b->c, &b->live, NULL, err) : rc;
}

/* What an earlier one left is not in the way, but it takes room. */
static int tell_leftovers(struct beside *b, struct error *err)
{
    struct vec found;
    char shown[200];
    int rc = pgsql_db_marked(&b->c, b->live.name, &found, err);
    for (size_t i = 0; rc == 0 && i < found.len; i++) {
        const struct pgsql_db *d = vec_at(&found, i);
        if (d->mark == MARK_NOT_READY ? d->marked_oid == b->live.oid : d->mark == MARK_NONE)
            log_event(
                LOG_WARN,
                "database %s is of a restore that did not end; when none is running: DROP DATABASE \"%s\";",
                str_printable(shown, sizeof shown, d->name), shown);
    }
    pgsql_dbs_free(&found);
    return rc;
}

/* What takes the place of a whole database must be one. */
static int refuse_part(const struct engine_target *t, struct error *err)
{
    const struct engine_selection *part = t->select;
    if (part == NULL || (part->nschemas == 0 && part->ntables == 0))
        return 0;
    return error_set(
        err, E_USAGE,
        "--beside makes a whole database that can take the place of the live one: restore a part of it "
        "into an empty one (createdb -T template0 NAME)");
}

int pgsql_beside_look(const struct engine_target *target, struct error *err)
{
    struct beside b = { .live_name = NULL };
    int rc = refuse_part(target, err);
    if (rc == 0)
        rc = beside_open(&b, target, err);
    if (rc == 0)
        rc = tell_leftovers(&b, err);
    beside_close(&b);
    return rc;
}

/* ---- making it ---------------------------------------------------------------------------------------------- */

static int add_locale(const struct beside *b, const char *facts, struct buf *sql, struct error *err)
{
    char provider[8] = "c";
    char text[LOCALE_MAX];
    int rc = 0;
    (void)fact_get(facts, "collation_provider", provider, sizeof provider);
    if (PQserverVersion(b->c.conn) >= 150000)
        rc = pgsql_sqlf(sql, err, " LOCALE_PROVIDER %s",
                        provider[0] == 'i'   ? "icu"
                        : provider[0] == 'b' ? "builtin"
                                             : "libc");
    if (rc == 0 && fact_get(facts, "collate", text, sizeof text))
        rc = pgsql_sqlf(sql, err, " LC_COLLATE %L", text);
    if (rc == 0 && fact_get(facts, "ctype", text, sizeof text))
        rc = pgsql_sqlf(sql, err, " LC_CTYPE %L", text);
    if (rc == 0 && provider[0] != 'c' && fact_get(facts, "icu_locale", text, sizeof text))
        rc = pgsql_sqlf(sql, err, provider[0] == 'i' ? " ICU_LOCALE %L" : " BUILTIN_LOCALE %L", text);
    return rc;
}

static int make(struct beside *b, const char *name, const char *facts, struct error *err)
{
    struct buf sql = BUF_INIT;
    char encoding[64];
    int rc = fact_get(facts, "encoding", encoding, sizeof encoding)
                 ? 0
                 : error_set(err, E_UNSUPPORTED, "the snapshot does not say which encoding it has");
    if (rc == 0)
        rc = pgsql_sqlf(&sql, err, "CREATE DATABASE %I TEMPLATE template0 OWNER %I ENCODING %L", name,
                        b->live.owner, encoding);
    /* Naming the default takes a right of its own. */
    if (rc == 0 && strcmp(b->live.tablespace, "pg_default") != 0)
        rc = pgsql_sqlf(&sql, err, " TABLESPACE %I", b->live.tablespace);
    rc = rc == 0 ? add_locale(b, facts, &sql, err) : rc;
    rc = rc == 0 ? buf_append(&sql, "", 1, err) : rc;
    rc = rc == 0 ? pgsql_exec(&b->c, (const char *)sql.data, err) : rc;
    buf_free(&sql);
    return rc < 0 ? error_wrap(err, "make database %s", name) : 0;
}

/* A mark first; nobody else gets in meanwhile; and whatever is refused at the end is refused now. */
static int prepare(struct beside *b, const struct engine_target *t, struct error *err)
{
    struct buf text = BUF_INIT;
    int rc = pgsql_mark_text(MARK_NOT_READY, b->live.oid, b->live.name, t->snapshot, &text, err);
    rc = rc == 0 ? buf_append(&text, "", 1, err) : rc;
    if (rc == 0)
        rc = pgsql_runf(&b->c, err, "COMMENT ON DATABASE %I IS %L", b->made.name, (const char *)text.data);
    if (rc == 0)
        rc = pgsql_runf(&b->c, err, "REVOKE ALL ON DATABASE %I FROM PUBLIC", b->made.name);
    if (rc == 0)
        rc = pgsql_exec(&b->c, "BEGIN", err);
    if (rc == 0)
        rc = pgsql_properties_copy(&b->c, &b->live, &b->made, err);
    if (rc == 0)
        rc = pgsql_exec(&b->c, "ROLLBACK", err);
    buf_free(&text);
    return rc;
}

/* The database's own things as they are now, and the word that it is ready, in one transaction. */
static int complete(struct beside *b, const struct engine_target *t, struct error *err)
{
    struct buf text = BUF_INIT;
    struct buf differ = BUF_INIT;
    int rc = pgsql_mark_text(MARK_READY, b->live.oid, b->live.name, t->snapshot, &text, err);
    rc = rc == 0 ? buf_append(&text, "", 1, err) : rc;
    rc = rc == 0 ? pgsql_exec(&b->c, "BEGIN", err) : rc;
    if (rc == 0)
        rc = pgsql_properties_copy(&b->c, &b->live, &b->made, err);
    if (rc == 0)
        rc = pgsql_runf(&b->c, err, "COMMENT ON DATABASE %I IS %L", b->made.name, (const char *)text.data);
    if (rc == 0)
        rc = pgsql_exec(&b->c, "COMMIT", err);
    if (rc == 0)
        rc = pgsql_properties_differ(&b->c, &b->live, &b->made, &differ, err);
    if (rc == 0 && differ.len > 0)
        log_event(LOG_WARN, "database %s is not in everything like %s: %.*s", b->shown, b->live.name,
                  (int)differ.len, (const char *)differ.data);
    else if (rc == 0 && t->checked != NULL)
        rc = buf_printf(t->checked, err, "%sowner, settings and rights of the database equal to those of %s",
                        t->checked->len > 0 ? ", " : "", b->live.name);
    if (rc == 0 && t->drop != NULL)
        rc = pgsql_sqlf(t->drop, err, "DROP DATABASE %I;", b->made.name);
    if (rc == 0 && t->drop != NULL)
        rc = buf_append(t->drop, "", 1, err);
    buf_free(&text);
    buf_free(&differ);
    return rc;
}

/* Loading may take hours, in which an idle connection would be lost. */
static int again(struct beside *b, const struct engine_target *t, struct error *err)
{
    struct pgsql_db now = { .oid = 0 };
    pgsql_close(&b->c);
    free(b->live_name);
    int rc = pgsql_via_open(t->to, t->via, &b->c, &b->live_name, err);
    if (rc == 0)
        rc = pgsql_db_find(&b->c, b->live_name, &now, err);
    if (rc == 0 && now.oid != b->live.oid)
        rc = error_set(err, E_CONFLICT,
                       "database %s was replaced by another one while it was restored beside it",
                       b->live.name);
    pgsql_db_free(&now);
    return rc;
}

/* ---- after a failure ---------------------------------------------------------------------------------------- */

/* Away with it while it is empty; what holds something may be looked at. */
static int failed(struct beside *b, const struct engine_target *target, const struct engine_target *inner,
                  struct error *err)
{
    struct error why = ERROR_INIT;
    struct pgsql c = { .conn = NULL };
    bool empty = inner->to != NULL && pgsql_target_open(inner, &c, &why) == 0;
    pgsql_close(&c);
    if (empty && again(b, target, &why) == 0 &&
        pgsql_runf(&b->c, &why, "DROP DATABASE %I", b->made.name) == 0)
        return error_wrap(err, "database %s is untouched", b->live.name);
    return error_wrap(
        err,
        "database %s is untouched; what was restored beside it is in %s and not ready: DROP DATABASE "
        "\"%s\";",
        b->live.name, b->shown, b->shown);
}

static int fill(struct beside *b, const struct engine_streams *streams, const struct engine_target *target,
                struct error *err)
{
    struct engine_target inner = *target;
    struct buf to = BUF_INIT;
    char *was = NULL;
    inner.beside = false;
    inner.into_source = true; /* on the server that was backed up, whose every database may be the job's */
    inner.to = NULL;
    int rc = pgsql_to_database(target->to, b->made.name, &to, &was, err);
    if (rc == 0) {
        inner.to = (const char *)to.data;
        rc = prepare(b, target, err);
    }
    if (rc == 0)
        rc = pgsql_restore_into(streams, &inner, false, err);
    if (rc == 0)
        rc = again(b, target, err);
    if (rc == 0)
        rc = complete(b, target, err);
    if (rc < 0)
        rc = failed(b, target, &inner, err);
    free(was);
    buf_free(&to);
    return rc;
}

/* What the server lacks is known before anything is made on it. */
static int server_fits(struct beside *b, struct pgsql_plan *p, struct error *err)
{
    int rc = pgsql_session(&b->c, 0, NULL, err);
    if (rc == 0)
        rc = pgsql_target_older(p->target, &b->c, err);
    if (rc == 0)
        rc = pgsql_schema_fetch(p, err);
    if (rc == 0)
        rc = pgsql_schema_select(p, NULL, err);
    return rc == 0 ? pgsql_fits_or_fail(&b->c, p, false, err) : rc;
}

int pgsql_beside(const struct engine_streams *streams, const struct engine_target *target, struct error *err)
{
    struct beside b = { .live_name = NULL };
    struct buf name = BUF_INIT;
    struct pgsql_plan plan = { .streams = NULL };
    int rc = refuse_part(target, err);
    if (rc == 0)
        rc = pgsql_plan_make(&plan, streams, target, err);
    if (rc == 0)
        rc = beside_open(&b, target, err);
    if (rc == 0)
        rc = server_fits(&b, &plan, err);
    if (rc == 0)
        rc = pgsql_db_name(&b.c, b.live.name, "restored", &name, err);
    if (rc == 0)
        rc = make(&b, (const char *)name.data, plan.schema_facts, err);
    if (rc == 0)
        rc = pgsql_db_find(&b.c, (const char *)name.data, &b.made, err);
    if (rc == 0 && b.made.oid == 0)
        rc = error_set(err, E_CONFLICT, "database %s is gone again", (const char *)name.data);
    if (rc == 0) {
        (void)str_printable(b.shown, sizeof b.shown, b.made.name);
        if (target->made != NULL)
            rc = buf_append(target->made, b.made.name, strlen(b.made.name) + 1, err);
        rc = rc == 0 ? fill(&b, streams, target, err) : rc;
    }
    buf_free(&name);
    pgsql_plan_free(&plan);
    beside_close(&b);
    return rc;
}
