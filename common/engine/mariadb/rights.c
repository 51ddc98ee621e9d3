/* Which rights are missing, and the statement that grants them. The stock tools leave out what they may not see. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/mariadb/grants.h"
#include "common/engine/mariadb/internal.h"
#include "common/engine/mariadb/sql.h"

#include "common/base/banned.h"

enum { TEXT_MAX = 700, ROUTINE_RIGHT_SINCE = 110300 };

struct rights {
    struct maria *c;
    const struct maria_settings *s;
    engine_finding_fn *fn;
    void *arg;
    struct grants grants;
    char *account; /* `user`@`host` */
};

int maria_grants(struct maria *c, struct grants *g, struct error *err)
{
    MYSQL_RES *r = NULL;
    MYSQL_ROW row;
    int rc = maria_query(c, "SHOW GRANTS", &r, err);
    while (rc == 0 && (row = mysql_fetch_row(r)) != NULL)
        rc = grants_add(g, row[0] != NULL ? row[0] : "", err);
    mysql_free_result(r);
    return rc;
}

char *maria_account(struct maria *c, struct error *err)
{
    char *text = maria_text(c, "SELECT CURRENT_USER()", err);
    char *at = text != NULL ? strrchr(text, '@') : NULL;
    struct buf sql = BUF_INIT;
    if (at != NULL)
        *at = '\0';
    int rc = text != NULL ? maria_quote(&sql, text, err) : maria_failed(err);
    if (rc == 0)
        rc = buf_append(&sql, "@", 1, err);
    if (rc == 0)
        rc = maria_quote(&sql, at != NULL ? at + 1 : "%", err);
    if (rc == 0)
        rc = buf_append(&sql, "", 1, err);
    free(text);
    if (rc == 0)
        return (char *)sql.data;
    buf_free(&sql);
    return NULL;
}

/* "A, B" of those that are missing; "" none. */
static const char *missing_of(const struct rights *r, const char *database, bool locks, char out[TEXT_MAX])
{
    static const struct {
        unsigned right;
        const char *name;
    } needed[] = { { RIGHT_SELECT, "SELECT" },
                   { RIGHT_SHOW_VIEW, "SHOW VIEW" },
                   { RIGHT_TRIGGER, "TRIGGER" },
                   { RIGHT_EVENT, "EVENT" },
                   { RIGHT_LOCK, "LOCK TABLES" } };
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof needed / sizeof needed[0] - !locks; i++)
        if (!grants_has(&r->grants, needed[i].right, database, NULL))
            used +=
                (size_t)snprintf(out + used, TEXT_MAX - used, "%s%s", used == 0 ? "" : ", ", needed[i].name);
    return out;
}

static int check_database(const struct rights *r, const char *database, bool locks, struct error *err)
{
    char list[TEXT_MAX];
    char what[TEXT_MAX + 200];
    char shown[200];
    struct buf cure = BUF_INIT;
    if (missing_of(r, database, locks, list)[0] == '\0')
        return 0;
    char *quoted = maria_quoted_text(database, err);
    (void)snprintf(
        what, sizeof what,
        "database %s: the account has no right %s, and the server hides what it covers (tables, views, "
        "triggers, events) without a word",
        str_printable(shown, sizeof shown, database), list);
    int rc =
        quoted != NULL ? buf_printf(&cure, err, "GRANT %s ON %s.* TO %s", list, quoted, r->account) : E_NOMEM;
    if (rc == 0)
        rc = buf_append(&cure, "", 1, err);
    if (rc == 0)
        r->fn(true, what, (const char *)cure.data, r->arg);
    free(quoted);
    buf_free(&cure);
    return rc;
}

static void tell(const struct rights *r, bool fatal, const char *what, const char *grant)
{
    char cure[TEXT_MAX];
    (void)snprintf(cure, sizeof cure, "GRANT %s TO %s", grant, r->account);
    r->fn(fatal, what, cure, r->arg);
}

static void check_server(const struct rights *r)
{
    const struct grants *g = &r->grants;
    bool routines = grants_has(g, RIGHT_SELECT, "mysql", "proc") || grants_has(g, RIGHT_ROUTINE, NULL, NULL);
    bool newer = mysql_get_server_version(r->c->conn) >= ROUTINE_RIGHT_SINCE;
    if (!routines)
        tell(
            r, true,
            "the account may not see procedures and functions of others: they would be missing, and the server does "
            "not say how many there are",
            newer ? "SHOW CREATE ROUTINE ON *.*" : "SELECT ON mysql.proc");
    if (r->s->users && !grants_has(g, RIGHT_SELECT, "mysql", NULL))
        tell(r, true, "the account may not read the accounts of the server (or say `users: no`)",
             "SELECT ON mysql.*");
    if (r->s->readers > 1 && !grants_has(g, RIGHT_RELOAD, NULL, NULL))
        tell(r, false,
             "`connections`: one reads, because the snapshots of several need a moment without commits",
             "RELOAD ON *.*");
    if (r->s->all_databases && !grants_has(g, RIGHT_SELECT, NULL, NULL))
        tell(r, true, "all_databases: the account does not see databases that it has no right in",
             "SELECT, SHOW VIEW, TRIGGER, EVENT ON *.*");
}

/* Only for somebody who reads the findings now. */
static void advise(const struct rights *r, bool locks)
{
    char cure[TEXT_MAX];
    if (!grants_has(&r->grants, RIGHT_ALL, NULL, NULL))
        return;
    (void)snprintf(
        cure, sizeof cure,
        "an account for backups alone: CREATE USER backupd@localhost IDENTIFIED VIA unix_socket; GRANT "
        "SELECT, SHOW VIEW, TRIGGER, EVENT, RELOAD%s ON *.* TO backupd@localhost",
        locks ? ", LOCK TABLES" : "");
    r->fn(false, "the account may do everything, and a backup only needs to read", cure, r->arg);
}

/* The account list cannot be dumped when it names hosts that the server does not look up. */
static int check_hosts(const struct rights *r, struct error *err)
{
    char what[TEXT_MAX];
    if (!r->s->users || !grants_has(&r->grants, RIGHT_SELECT, "mysql", NULL))
        return 0;
    char *found = maria_text(r->c,
                             "SELECT coalesce(min(concat(user, '@', host)), '') FROM mysql.global_priv "
                             "WHERE @@skip_name_resolve = 1 AND host NOT IN ('', 'localhost') "
                             "AND host NOT REGEXP '^[0-9.:%_/a-fA-F]*$'",
                             err);
    if (found == NULL)
        return maria_failed(err);
    if (found[0] != '\0') {
        char shown[200];
        (void)snprintf(
            what, sizeof what,
            "the account %s is of a host name, and this server runs with skip_name_resolve: mariadb-dump "
            "cannot dump it",
            str_printable(shown, sizeof shown, found));
        r->fn(true, what, "DROP USER for it, which nobody can use here, or `users: no`", r->arg);
    }
    free(found);
    return 0;
}

int maria_rights(struct maria *c, const struct maria_settings *s, const struct vec *databases, bool locks,
                 engine_finding_fn *fn, void *arg, struct error *err)
{
    struct rights r = { .c = c, .s = s, .fn = fn, .arg = arg, .grants = GRANTS_INIT };
    int rc = maria_grants(c, &r.grants, err);
    if (rc == 0 && (r.account = maria_account(c, err)) == NULL)
        rc = maria_failed(err);
    for (size_t i = 0; rc == 0 && i < databases->len; i++)
        rc = check_database(&r, ((struct maria_database *)vec_at(databases, i))->name, locks, err);
    if (rc == 0)
        check_server(&r);
    if (rc == 0)
        rc = check_hosts(&r, err);
    if (rc == 0 && s->job->preflight)
        advise(&r, locks);
    free(r.account);
    grants_free(&r.grants);
    return rc;
}

int maria_may_reload(struct maria *c, bool *out, struct error *err)
{
    struct grants g = GRANTS_INIT;
    int rc = maria_grants(c, &g, err);
    *out = grants_has(&g, RIGHT_RELOAD, NULL, NULL);
    grants_free(&g);
    return rc;
}
