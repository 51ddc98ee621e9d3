/* The roles a dump names: are they there, and may we make those that are not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/postgres/name.h"
#include "common/engine/postgres/restore.h"
#include "common/engine/postgres/statement.h"

#include "common/base/banned.h"

enum { GLOBALS_MAX = 64 * 1024 * 1024, LIST_MAX = 400 };

static bool is_in(const struct vec *names, const char *name)
{
    for (size_t i = 0; name != NULL && i < names->len; i++)
        if (strcmp(*(char **)vec_at(names, i), name) == 0)
            return true;
    return false;
}

static int exists(struct pgsql *c, const char *name, bool *out, struct error *err)
{
    struct buf sql = BUF_INIT;
    int64_t n = 0;
    int rc = buf_printf(&sql, err, "SELECT pg_catalog.count(*) FROM pg_catalog.pg_roles WHERE rolname = ");
    if (rc == 0)
        rc = pgsql_literal(&sql, name, err);
    if (rc == 0)
        rc = buf_append(&sql, "", 1, err);
    if (rc == 0)
        rc = pgsql_number(c, (const char *)sql.data, &n, err);
    buf_free(&sql);
    *out = n > 0;
    return rc;
}

/* Quotes in a name are doubled where it is quoted. */
static bool mentions(const char *sql, const char *role)
{
    for (; *sql != '\0'; sql++) {
        const char *at = sql;
        const char *r = role;
        for (; *r != '\0' && *at == *r; r++, at++)
            at += *at == '"' && at[1] == '"';
        if (*r == '\0')
            return true;
    }
    return false;
}

/* Owner of something that is restored, or named in its rights. More than it is does no harm. */
static bool is_needed(const struct pgsql_plan *p, const char *role)
{
    const struct pgsql_schema *s = &p->schema;
    bool needed = s->subset.wanted == NULL;
    for (size_t i = 0; !needed && i < s->toc.entries.len; i++) {
        const struct toc_entry *e = toc_at(&s->toc, i);
        bool rights = toc_is(e, "ACL") || toc_is(e, "DEFAULT ACL") || toc_is(e, "POLICY");
        needed = s->subset.wanted[i] && !p->target->data_only &&
                 ((!p->target->no_owner && strcmp(e->owner, role) == 0) ||
                  (rights && (!p->target->no_owner || toc_is(e, "POLICY")) && mentions(e->sql, role)));
    }
    return needed;
}

int pgsql_roles_missing(struct pgsql *c, const struct pgsql_plan *p, struct vec *missing, struct error *err)
{
    struct vec needed = VEC_OF(char *);
    const char *key = p->target->no_owner ? "roles_named" : "roles";
    int rc = pgsql_fact_names(p->schema_facts, key, &needed, err);
    for (size_t i = 0; rc == 0 && i < needed.len; i++) {
        const char *name = *(char **)vec_at(&needed, i);
        bool there = !is_needed(p, name);
        if (!there)
            rc = exists(c, name, &there, err);
        if (rc < 0 || there)
            continue;
        char **slot = vec_push(missing, err);
        if (slot == NULL || (*slot = str_dup(name, err)) == NULL)
            rc = E_NOMEM;
    }
    pgsql_names_free(&needed);
    return rc;
}

const char *pgsql_roles_ways(const struct pgsql_plan *p)
{
    if (p->target->no_owner)
        return "they are named in policies or user mappings, so they must be there: make them, or say --create-roles";
    return p->globals
               ? "make them, or say --create-roles (as in the snapshot) or --no-owner (without owners and rights)"
               : "make them, or say --no-owner (without owners and rights)";
}

static int refuse_missing(const struct pgsql *c, const struct pgsql_plan *p, const struct vec *missing,
                          struct error *err)
{
    char list[LIST_MAX];
    return error_set(err, E_NOT_FOUND, "%s: the server has no role %s: %s; nothing was changed", c->where,
                     pgsql_names_text(missing, list, sizeof list), pgsql_roles_ways(p));
}

/* ---- making them ----------------------------------------------------------------------------------------- */

static int run(struct pgsql *c, const struct statement *s, struct error *err)
{
    char *sql = str_dup_len(s->text, s->len, err);
    int rc = sql != NULL ? pgsql_exec_one(c, sql, err) : E_NOMEM;
    free(sql);
    return rc;
}

/* GRANT group TO member: without the grantor, who need not exist here. */
static int grant(struct pgsql *c, const struct statement *s, struct error *err)
{
    struct buf sql = BUF_INIT;
    bool there = false;
    bool admin = statement_is(s, 4, "with") && statement_is(s, 5, "admin");
    int rc = exists(c, statement_name(s, 1), &there, err);
    if (rc == 0 && !there) {
        char shown[2][200];
        log_event(LOG_WARN, "role %s is not made a member of %s, which does not exist here",
                  str_printable(shown[0], sizeof shown[0], statement_name(s, 3)),
                  str_printable(shown[1], sizeof shown[1], statement_name(s, 1)));
        return 0;
    }
    if (rc == 0)
        rc = buf_printf(&sql, err, "GRANT ");
    if (rc == 0)
        rc = pgsql_quote(&sql, statement_name(s, 1), err);
    if (rc == 0)
        rc = buf_printf(&sql, err, " TO ");
    if (rc == 0)
        rc = pgsql_quote(&sql, statement_name(s, 3), err);
    if (rc == 0)
        rc = buf_append(&sql, admin ? " WITH ADMIN OPTION" : "", admin ? 19 : 1, err);
    if (rc == 0)
        rc = pgsql_exec(c, (const char *)sql.data, err);
    buf_free(&sql);
    return rc;
}

static int apply(struct pgsql *c, const struct statement *s, const struct vec *missing, struct error *err)
{
    bool role = statement_is(s, 1, "role");
    if (role && (statement_is(s, 0, "create") || statement_is(s, 0, "alter")) &&
        is_in(missing, statement_name(s, 2)) && !statement_is(s, 3, "in"))
        return run(c, s, err);
    if (statement_is(s, 0, "comment") && statement_is(s, 2, "role") && is_in(missing, statement_name(s, 3)))
        return run(c, s, err);
    if (statement_is(s, 0, "grant") && statement_is(s, 2, "to") && is_in(missing, statement_name(s, 3)) &&
        statement_name(s, 1) != NULL)
        return grant(c, s, err);
    return 0;
}

static int create(struct pgsql *c, const struct pgsql_plan *p, const struct vec *missing, struct error *err)
{
    struct buf globals = BUF_INIT;
    char list[LIST_MAX];
    int rc = pgsql_plan_read(p, false, "globals.sql", GLOBALS_MAX, &globals, err);
    if (rc == 0)
        rc = pgsql_exec(c, "BEGIN", err);
    struct statements all = statements_of((const char *)globals.data, globals.len > 0 ? globals.len - 1 : 0);
    while (rc == 0) {
        struct statement s;
        rc = statement_next(&all, &s, err);
        if (rc <= 0)
            break;
        rc = apply(c, &s, missing, err);
        statement_free(&s);
    }
    if (rc == 0)
        rc = pgsql_exec(c, "COMMIT", err);
    else if (PQtransactionStatus(c->conn) != PQTRANS_IDLE)
        (void)pgsql_exec(c, "ROLLBACK", NULL);
    buf_free(&globals);
    if (rc == 0)
        log_event(LOG_INFO, "%s: made the roles %s", c->where, pgsql_names_text(missing, list, sizeof list));
    return rc < 0 ? error_wrap(err, "make the missing roles") : 0;
}

int pgsql_roles_settle(struct pgsql *c, const struct pgsql_plan *p, struct error *err)
{
    struct vec missing = VEC_OF(char *);
    struct vec still = VEC_OF(char *);
    int rc = pgsql_roles_missing(c, p, &missing, err);
    if (rc == 0 && missing.len > 0 && p->target->create_roles && p->globals)
        rc = create(c, p, &missing, err);
    if (rc == 0 && missing.len > 0)
        rc = pgsql_roles_missing(c, p, &still, err);
    if (rc == 0 && still.len > 0)
        rc = refuse_missing(c, p, &still, err);
    pgsql_names_free(&missing);
    pgsql_names_free(&still);
    return rc;
}
