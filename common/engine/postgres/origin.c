#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/postgres/internal.h"
#include "common/engine/postgres/name.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum {
    LOCKS_AT_ONCE = 200,
    TRIES = 5, /* tables came or went while they were locked */
    ALIVE_MS = 30000,
    STARTING_MS = 30000, /* a server that recovers from a crash */
    PAUSE_US = 300000,
};

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

static int no_room(const struct pgsql *c, const struct vec *locks, struct error *why)
{
    error_clear(why);
    return error_set(
        why, E_UNSUPPORTED,
        "%s: the server has no room for the locks of %zu tables (three sessions of this run hold "
        "them): raise max_locks_per_transaction, to more than %zu / max_connections, and start the "
        "server anew",
        c->where, locks->len, 2 * locks->len);
}

int pgsql_lock_all(struct pgsql *c, const struct vec *locks, struct pgsql *helper, struct error *err)
{
    for (size_t from = 0; from < locks->len; from += LOCKS_AT_ONCE) {
        size_t to = from + LOCKS_AT_ONCE < locks->len ? from + LOCKS_AT_ONCE : locks->len;
        struct error why = ERROR_INIT;
        int rc = lock_some(c, locks, from, to, &why);
        if (rc < 0 && strcmp(c->state, "55P03") == 0)
            rc = lock_failed(helper, locks, from, to, &why);
        else if (rc < 0 && strcmp(c->state, "53200") == 0)
            rc = no_room(c, locks, &why);
        if (rc < 0)
            return error_copy(err, &why);
    }
    return 0;
}

static bool is_locked(const struct vec *locks, const struct pgsql_table *t)
{
    for (size_t i = 0; i < locks->len; i++) {
        const struct pgsql_table *l = vec_at(locks, i);
        if (l->oid == t->oid)
            return strcmp(l->sql, t->sql) == 0;
    }
    return false;
}

static bool all_locked(const struct vec *locks, const struct vec *now)
{
    for (size_t i = 0; i < now->len; i++) {
        const struct pgsql_table *t = vec_at(now, i);
        /* Both lists come in the order of OIDs; a difference is rare. */
        const struct pgsql_table *l = i < locks->len ? vec_at(locks, i) : NULL;
        bool same = l != NULL && l->oid == t->oid && strcmp(l->sql, t->sql) == 0;
        if (!same && !is_locked(locks, t))
            return false;
    }
    return true;
}

/* The second connection takes over the snapshot, with locks of its own: it must not queue behind somebody who
 * waits for the first one. */
static int join(struct pgsql_origin *o, const struct vec *locks, struct error *err)
{
    struct error why = ERROR_INIT;
    int rc = pgsql_exec(&o->copy, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", err);
    if (rc < 0)
        return rc;
    rc = pgsql_execf(&o->copy, &why, "SET TRANSACTION SNAPSHOT '%s'", o->snapshot);
    if (rc < 0 && rc != E_RETRY && rc != E_CANCELLED)
        return error_set(
            err, E_UNSUPPORTED,
            "%s. The second connection does not know the snapshot of the first one: this is what a "
            "connection pooler does (PgBouncer and the like). Give the job the `host` and `port` of "
            "the server itself",
            why.text);
    return rc == 0 ? pgsql_lock_all(&o->copy, locks, &o->main, err) : error_copy(err, &why);
}

/*
 * The locks come before the snapshot: LOCK TABLE takes none, so what the snapshot shows afterwards is what is
 * locked, and nobody can change a definition in between. `again`: tables came or went meanwhile.
 */
static int begin(struct pgsql_origin *o, bool *again, struct error *err)
{
    struct vec locks = VEC_OF(struct pgsql_table);
    struct vec now = VEC_OF(struct pgsql_table);
    *again = false;
    int rc = pgsql_list_locks(&o->copy, &locks, err);
    if (rc == 0)
        rc = pgsql_exec(&o->main, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", err);
    if (rc == 0) {
        rc = pgsql_lock_all(&o->main, &locks, &o->copy, err);
        *again = rc == E_NOT_FOUND;
    }
    if (rc == 0 &&
        (o->snapshot = pgsql_text(&o->main, "SELECT pg_catalog.pg_export_snapshot()", err)) == NULL)
        rc = pgsql_failed(err);
    if (rc == 0)
        rc = pgsql_list_locks(&o->main, &now, err);
    if (rc == 0)
        *again = !all_locked(&locks, &now);
    if (rc == 0 && !*again)
        rc = join(o, &now, err);
    pgsql_tables_free(&locks);
    pgsql_tables_free(&now);
    return rc;
}

static int begin_steady(struct pgsql_origin *o, struct error *err)
{
    for (int i = 0;; i++) {
        struct error why = ERROR_INIT;
        bool again = false;
        int rc = begin(o, &again, &why);
        if (!again)
            return rc < 0 ? error_copy(err, &why) : 0;
        if (i + 1 == TRIES)
            return error_set(err, E_RETRY,
                             "%s: tables are made and dropped faster than they can be locked%s%s",
                             o->main.where, rc < 0 ? ": " : "", why.text);
        free(o->snapshot);
        o->snapshot = NULL;
        rc = pgsql_exec(&o->main, "ROLLBACK", err);
        if (rc < 0)
            return rc;
    }
}

/* A server that starts, or recovers from a crash, is worth a moment. */
static int connect_one(const struct pgsql_settings *s, const char *database, struct pgsql *c,
                       struct error *err)
{
    uint64_t end = clock_mono_ms() + STARTING_MS;
    for (;;) {
        struct error why = ERROR_INIT;
        int rc = pgsql_settings_connect(s, database, c, &why);
        bool starting = rc < 0 && strcmp(c->state, "57P03") == 0;
        if (!starting || clock_mono_ms() > end || interrupt_requested())
            return rc < 0 ? error_copy(err, &why) : pgsql_session(c, s->lock_ms, NULL, err);
        pgsql_close(c);
        (void)usleep(PAUSE_US);
    }
}

int pgsql_origin_open(struct pgsql_origin *o, const struct pgsql_settings *s, const char *database,
                      struct error *err)
{
    *o = (struct pgsql_origin){ .tables = VEC_OF(struct pgsql_table),
                                .sequences = VEC_OF(struct pgsql_sequence) };
    int rc = connect_one(s, database, &o->main, err);
    if (rc == 0)
        rc = connect_one(s, database, &o->copy, err);
    if (rc == 0)
        rc = begin_steady(o, err);
    if (rc == 0)
        rc = pgsql_list_tables(&o->main, &o->tables, err);
    if (rc == 0)
        rc = pgsql_list_sequences(&o->main, &o->sequences, err);
    if (rc == 0)
        rc = pgsql_origin_facts(o, err);
    o->checked_ms = clock_mono_ms();
    o->copy.tick = pgsql_origin_tick;
    o->copy.tick_arg = o;
    if (rc < 0)
        pgsql_origin_close(o);
    return rc;
}

/* One look at the server: that it is there, and that nobody waits for us. */
int pgsql_origin_alive(struct pgsql_origin *o, bool now, struct error *err)
{
    int64_t waiting = 0;
    char sql[256];
    if (!now && clock_mono_ms() - o->checked_ms < ALIVE_MS)
        return 0;
    (void)snprintf(
        sql, sizeof sql,
        "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE wait_event_type = 'Lock' "
        "AND pg_catalog.pg_blocking_pids(pid) && ARRAY[%d, %d]",
        PQbackendPID(o->main.conn), PQbackendPID(o->copy.conn));
    int rc = pgsql_number(&o->main, sql, &waiting, err);
    if (rc < 0)
        return error_wrap(err, "the snapshot's connection");
    if (PQtransactionStatus(o->main.conn) != PQTRANS_INTRANS)
        return error_set(err, E_RETRY, "%s: the transaction that holds the snapshot ended", o->main.where);
    if (waiting > 0 && !o->blocked) {
        o->blocked = true;
        log_event(LOG_WARN,
                  "%s: %lld sessions wait for this backup to end (they change tables); others may wait "
                  "behind them",
                  o->main.where, (long long)waiting);
    }
    o->checked_ms = clock_mono_ms();
    return 0;
}

int pgsql_origin_tick(void *origin, struct error *err)
{
    return pgsql_origin_alive(origin, false, err);
}

void pgsql_origin_close(struct pgsql_origin *o)
{
    pgsql_close(&o->copy);
    pgsql_close(&o->main);
    free(o->snapshot);
    pgsql_tables_free(&o->tables);
    pgsql_sequences_free(&o->sequences);
    free(o->identity);
    free(o->oid);
    buf_free(&o->about);
    buf_free(&o->facts);
    *o = (struct pgsql_origin){ .snapshot = NULL };
}
