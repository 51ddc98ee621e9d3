/* ACCESS SHARE on every table, and who is in the way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/postgres/internal.h"

#include "common/base/banned.h"

enum { LOCKS_AT_ONCE = 200 };

/* Text, for messages, of a relation and who holds it. */
static int blocker(struct pgsql *helper, const char *oids, char *out, size_t cap, struct error *err)
{
    struct buf sql = BUF_INIT;
    PGresult *r = NULL;
    char table[160];
    char who[160];
    out[0] = '\0';
    int rc = buf_printf(
        &sql, err,
        "SELECT n.nspname || '.' || c.relname, l.pid, coalesce(nullif(a.application_name, ''), 'unnamed'), "
        "coalesce(a.usename, '?') FROM pg_catalog.pg_locks l "
        "JOIN pg_catalog.pg_class c ON c.oid = l.relation "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
        "WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.relation IN (%s) "
        "AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) "
        "ORDER BY l.granted DESC, l.pid LIMIT 1",
        oids);
    if (rc == 0)
        rc = buf_append(&sql, "", 1, err);
    if (rc == 0)
        rc = pgsql_query(helper, (const char *)sql.data, &r, err);
    if (rc == 0 && PQntuples(r) == 1)
        (void)snprintf(out, cap, "%s is locked by process %s of the server (application %s, role %s)",
                       str_printable(table, sizeof table, PQgetvalue(r, 0, 0)), PQgetvalue(r, 0, 1),
                       str_printable(who, sizeof who, PQgetvalue(r, 0, 2)), PQgetvalue(r, 0, 3));
    PQclear(r);
    buf_free(&sql);
    return rc;
}

static int lock_failed(struct pgsql *helper, const struct vec *locks, size_t from, size_t to,
                       struct error *why)
{
    struct buf oids = BUF_INIT;
    char text[512];
    char first[160];
    const struct pgsql_table *t = vec_at(locks, from);
    int rc = 0;
    for (size_t i = from; rc == 0 && i < to; i++)
        rc = buf_printf(&oids, NULL, "%s%lu", i == from ? "" : ",",
                        (unsigned long)((struct pgsql_table *)vec_at(locks, i))->oid);
    if (rc < 0 || buf_append(&oids, "", 1, NULL) < 0 ||
        blocker(helper, (const char *)oids.data, text, sizeof text, NULL) < 0 || text[0] == '\0')
        (void)snprintf(text, sizeof text, "%s or one of the next %zu tables is locked",
                       str_printable(first, sizeof first, t->name), to - from - 1);
    buf_free(&oids);
    error_clear(why);
    return error_set(
        why, E_RETRY,
        "no lock within lock_timeout: %s. Let that end, run the backup at another hour, or raise "
        "lock_timeout",
        text);
}

static int lock_some(struct pgsql *c, const struct vec *locks, size_t from, size_t to, struct error *err)
{
    struct buf sql = BUF_INIT;
    int rc = buf_printf(&sql, err, "LOCK TABLE ");
    for (size_t i = from; rc == 0 && i < to; i++) {
        const struct pgsql_table *t = vec_at(locks, i);
        rc = buf_printf(&sql, err, "%sONLY %s", i == from ? "" : ", ", t->sql);
    }
    if (rc == 0)
        rc = buf_printf(&sql, err, " IN ACCESS SHARE MODE");
    if (rc == 0)
        rc = buf_append(&sql, "", 1, err);
    if (rc == 0)
        rc = pgsql_exec(c, (const char *)sql.data, err);
    buf_free(&sql);
    return rc;
}

static int no_room(const struct pgsql *c, const struct vec *locks, unsigned sessions, struct error *why)
{
    error_clear(why);
    return error_set(
        why, E_UNSUPPORTED,
        "%s: the server has no room for the locks of %zu tables (%u sessions of this run hold "
        "them): lower `connections`, or raise max_locks_per_transaction, to more than %zu / max_connections, and "
        "start the server anew",
        c->where, locks->len, sessions, sessions * locks->len);
}

int pgsql_lock_all(struct pgsql *c, const struct vec *locks, unsigned sessions, struct pgsql *helper,
                   struct error *err)
{
    for (size_t from = 0; from < locks->len; from += LOCKS_AT_ONCE) {
        size_t to = from + LOCKS_AT_ONCE < locks->len ? from + LOCKS_AT_ONCE : locks->len;
        struct error why = ERROR_INIT;
        int rc = lock_some(c, locks, from, to, &why);
        if (rc < 0 && strcmp(c->state, "55P03") == 0)
            rc = lock_failed(helper, locks, from, to, &why);
        else if (rc < 0 && strcmp(c->state, "53200") == 0)
            rc = no_room(c, locks, sessions, &why);
        if (rc < 0)
            return error_copy(err, &why);
    }
    return 0;
}
