/* The databases of a server, seen from another one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/engine/postgres/name.h"
#include "common/engine/postgres/restore.h"
#include "common/engine/postgres/swap.h"
#include "common/engine/stamp.h"

#include "common/base/banned.h"

enum { NAME_BYTES = 63, NAME_TRIES = 60, DATABASES_MAX = 10000 };

/* ---- connecting ------------------------------------------------------------------------------------------ */

int pgsql_to_database(const char *to, const char *database, struct buf *out, char **named, struct error *err)
{
    struct pgsql none = { .conn = NULL };
    bool plain = strchr(to, '=') == NULL && strstr(to, "://") == NULL;
    PQconninfoOption *all = plain ? NULL : PQconninfoParse(to, NULL);
    int rc = 0;
    /* Says what is wrong with it; a password must not get into the text that is made here. */
    bool bad = !plain && all == NULL;
    for (const PQconninfoOption *o = all; o != NULL && o->keyword != NULL; o++)
        bad = bad || (o->val != NULL && strstr(o->keyword, "password") != NULL);
    if (bad) {
        rc = pgsql_target_connect(to, &none, err);
        pgsql_close(&none);
        rc = rc < 0 ? rc : error_set(err, E_USAGE, "--to cannot be read as a connection string");
    }
    if (rc == 0 && plain && (*named = str_dup(to, err)) == NULL)
        rc = E_NOMEM;
    for (const PQconninfoOption *o = all; rc == 0 && o != NULL && o->keyword != NULL; o++) {
        if (o->val == NULL)
            continue;
        if (strcmp(o->keyword, "dbname") == 0) {
            rc = (*named = str_dup(o->val, err)) == NULL ? E_NOMEM : 0;
            continue;
        }
        rc = buf_printf(out, err, "%s=", o->keyword);
        rc = rc == 0 ? pgsql_conninfo_value(out, o->val, err) : rc;
        rc = rc == 0 ? buf_append(out, " ", 1, err) : rc;
    }
    PQconninfoFree(all);
    if (rc == 0 && (*named == NULL || (*named)[0] == '\0'))
        rc = error_set(err, E_USAGE, "--to must name the live database");
    rc = rc == 0 ? buf_printf(out, err, "dbname=") : rc;
    rc = rc == 0 ? pgsql_conninfo_value(out, database, err) : rc;
    return rc == 0 ? buf_append(out, "", 1, err) : rc;
}

int pgsql_via_open(const char *to, const char *via, struct pgsql *c, char **live, struct error *err)
{
    struct buf text = BUF_INIT;
    *c = (struct pgsql){ .conn = NULL };
    *live = NULL;
    via = via != NULL ? via : "postgres";
    int rc = to != NULL ? pgsql_to_database(to, via, &text, live, err)
                        : error_set(err, E_USAGE, "--to must name the live database");
    if (rc == 0 && strcmp(*live, via) == 0)
        rc = error_set(err, E_USAGE,
                       "this works from a database that is neither of the two, and %s is the one that --to "
                       "names: name another one with --via",
                       via);
    if (rc == 0) {
        rc = pgsql_target_connect((const char *)text.data, c, err);
        rc = rc == E_NOT_FOUND ? error_wrap(err, "name another database of the server with --via") : rc;
    }
    if (rc == 0)
        rc = pgsql_session(c, 30000, NULL, err);
    buf_free(&text);
    return rc;
}

/* ---- marks ------------------------------------------------------------------------------------------------ */

static const struct {
    enum pgsql_mark mark;
    const char *text;
} marks[] = {
    { MARK_NOT_READY, "NOT READY, do not use: restored beside database " },
    { MARK_READY, "ready to take the place of database " },
    { MARK_KEPT, "kept: its place was taken by database " },
};
enum { MARKS = sizeof marks / sizeof marks[0] };

static void read_mark(struct pgsql_db *d)
{
    for (size_t i = 0; i < MARKS; i++) {
        char *end = NULL;
        if (!str_starts(d->comment, marks[i].text))
            continue;
        unsigned long oid = strtoul(d->comment + strlen(marks[i].text), &end, 10);
        if (*end == ' ' && oid > 0 && oid <= UINT32_MAX) {
            d->mark = marks[i].mark;
            d->marked_oid = (unsigned)oid;
        }
    }
}

int pgsql_mark_text(enum pgsql_mark mark, unsigned oid, const char *of, const char *from, struct buf *out,
                    struct error *err)
{
    char when[STAMP_MAX];
    const char *text = "";
    (void)stamp_text(when, clock_wall());
    for (size_t i = 0; i < MARKS; i++)
        text = marks[i].mark == mark ? marks[i].text : text;
    int rc = buf_printf(out, err, "%s%u (%s)", text, oid, of);
    if (rc == 0 && from != NULL)
        rc = buf_printf(out, err, "%s%s", mark == MARK_READY ? ": restored from " : " from ", from);
    return rc == 0 ? buf_printf(out, err, ", %s%s", mark == MARK_NOT_READY ? "begun " : "", when) : rc;
}

/* ---- the catalog ------------------------------------------------------------------------------------------ */

#define DB_SQL                                                                                                    \
    "SELECT d.oid, d.datname, pg_catalog.pg_get_userbyid(d.datdba), t.spcname, "                                  \
    "coalesce(pg_catalog.shobj_description(d.oid, 'pg_database'), ''), "                                          \
    "pg_catalog.pg_has_role(current_user, d.datdba, 'USAGE')::pg_catalog.int4, d.datistemplate::pg_catalog.int4 " \
    "FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace "

static int take(const PGresult *r, int row, struct pgsql_db *out, struct error *err)
{
    *out = (struct pgsql_db){ .oid = (unsigned)strtoul(PQgetvalue(r, row, 0), NULL, 10),
                              .owned = PQgetvalue(r, row, 5)[0] == '1',
                              .is_template = PQgetvalue(r, row, 6)[0] == '1' };
    out->name = str_dup(PQgetvalue(r, row, 1), err);
    out->owner = str_dup(PQgetvalue(r, row, 2), err);
    out->tablespace = str_dup(PQgetvalue(r, row, 3), err);
    out->comment = str_dup(PQgetvalue(r, row, 4), err);
    if (out->name == NULL || out->owner == NULL || out->tablespace == NULL || out->comment == NULL)
        return E_NOMEM;
    read_mark(out);
    return 0;
}

int pgsql_db_find(struct pgsql *c, const char *name, struct pgsql_db *out, struct error *err)
{
    PGresult *r = NULL;
    *out = (struct pgsql_db){ .oid = 0 };
    int rc = pgsql_queryf(c, &r, err, DB_SQL "WHERE d.datname = %L", name);
    if (rc == 0 && PQntuples(r) == 1)
        rc = take(r, 0, out, err);
    PQclear(r);
    return rc;
}

int pgsql_db_marked(struct pgsql *c, const char *live, struct vec *out, struct error *err)
{
    PGresult *r = NULL;
    *out = (struct vec)VEC_OF(struct pgsql_db);
    int rc = pgsql_query(c, DB_SQL "ORDER BY d.datname", &r, err);
    if (rc == 0 && PQntuples(r) > DATABASES_MAX)
        rc = error_set(err, E_UNSUPPORTED, "%s: the server has more than %d databases", c->where,
                       DATABASES_MAX);
    for (int i = 0; rc == 0 && i < PQntuples(r); i++) {
        struct pgsql_db d;
        rc = take(r, i, &d, err);
        size_t len = strlen(live);
        bool named = rc == 0 && strncmp(d.name, live, len) == 0 && str_starts(d.name + len, "_restored_");
        struct pgsql_db *slot = rc == 0 && (named || d.mark != MARK_NONE) ? vec_push(out, err) : NULL;
        if (slot != NULL) {
            *slot = d;
            continue;
        }
        rc = rc == 0 && (named || d.mark != MARK_NONE) ? E_NOMEM : rc;
        pgsql_db_free(&d);
    }
    PQclear(r);
    return rc;
}

void pgsql_db_free(struct pgsql_db *d)
{
    free(d->name);
    free(d->owner);
    free(d->tablespace);
    free(d->comment);
    *d = (struct pgsql_db){ .oid = 0 };
}

void pgsql_dbs_free(struct vec *list)
{
    for (size_t i = 0; i < list->len; i++)
        pgsql_db_free(vec_at(list, i));
    vec_free(list);
}

/* ---- names ------------------------------------------------------------------------------------------------ */

/* How much of a name fits into `room` bytes, without half a character. */
static size_t fitting(const struct pgsql *c, const char *name, size_t room)
{
    size_t len = strlen(name);
    size_t used = 0;
    int encoding = PQclientEncoding(c->conn);
    while (used < len) {
        int n = PQmblenBounded(name + used, encoding);
        if (n < 1 || used + (size_t)n > room)
            break;
        used += (size_t)n;
    }
    return used;
}

int pgsql_db_name(struct pgsql *c, const char *live, const char *what, struct buf *out, struct error *err)
{
    uint64_t now = clock_wall();
    for (unsigned i = 0; i < NAME_TRIES; i++) {
        char when[STAMP_MAX];
        struct pgsql_db taken;
        (void)stamp_name(when, now + i);
        size_t tail = strlen(what) + strlen(when) + 2;
        buf_clear(out);
        int rc = buf_append(out, live, fitting(c, live, NAME_BYTES - tail), err);
        rc = rc == 0 ? buf_printf(out, err, "_%s_%s", what, when) : rc;
        rc = rc == 0 ? buf_append(out, "", 1, err) : rc;
        rc = rc == 0 ? pgsql_db_find(c, (const char *)out->data, &taken, err) : rc;
        if (rc < 0)
            return rc;
        bool is_free = taken.oid == 0;
        pgsql_db_free(&taken);
        if (is_free)
            return 0;
    }
    return error_set(err, E_EXISTS, "%s: names such as %s are taken; try again in a minute", c->where,
                     (const char *)out->data);
}

/* ---- rights ----------------------------------------------------------------------------------------------- */

int pgsql_may_rename(struct pgsql *c, const struct pgsql_db *a, const struct pgsql_db *b, struct error *err)
{
    struct buf cure = BUF_INIT;
    int64_t may = 0;
    const struct pgsql_db *both[] = { a, b };
    char *me = pgsql_text(c, "SELECT current_user", err);
    int rc = me != NULL ? 0 : pgsql_failed(err);
    if (rc == 0)
        rc = pgsql_number(
            c,
            "SELECT (rolsuper OR rolcreatedb)::pg_catalog.int4 FROM pg_catalog.pg_roles WHERE rolname "
            "= current_user",
            &may, err);
    if (rc == 0 && may == 0)
        rc = pgsql_sqlf(&cure, err, "ALTER ROLE %I CREATEDB; ", me);
    for (size_t i = 0; rc == 0 && i < 2; i++)
        if (both[i] != NULL && both[i]->oid != 0 && !both[i]->owned &&
            (i == 0 || both[0] == NULL || both[0]->owned || strcmp(both[0]->owner, both[i]->owner) != 0))
            rc = pgsql_sqlf(&cure, err, "GRANT %I TO %I; ", both[i]->owner, me);
    if (rc == 0 && cure.len > 0) {
        char shown[600];
        cure.len -= 2; /* "; " */
        rc = buf_append(&cure, "", 1, err);
        if (rc == 0)
            rc =
                error_set(err, E_DENIED,
                          "%s: role %s may not make or rename these databases; a superuser may allow it: %s;",
                          c->where, me, str_printable(shown, sizeof shown, (const char *)cure.data));
    }
    buf_free(&cure);
    free(me);
    return rc;
}
