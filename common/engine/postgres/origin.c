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
    TRIES = 5,           /* tables came or went while they were locked */
    STARTING_MS = 30000, /* a server that recovers from a crash */
    PAUSE_US = 300000,
    OTHERS = 2,
    CATALOG = 30, /* locks of a session beside those of the tables */
};

/* That hold locks: also main and pg_dump. */
#define SESSIONS(o) ((o)->nreaders + OTHERS)

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

/* A reader takes over the snapshot, with locks of its own: it must not queue behind somebody who waits for the first
 * connection. */
static int join(struct pgsql_origin *o, struct pgsql *c, const struct vec *locks, struct error *err)
{
    struct error why = ERROR_INIT;
    int rc = pgsql_exec(c, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", err);
    if (rc < 0)
        return rc;
    rc = pgsql_execf(c, &why, "SET TRANSACTION SNAPSHOT '%s'", o->snapshot);
    if (rc < 0 && rc != E_RETRY && rc != E_CANCELLED)
        return error_set(
            err, E_UNSUPPORTED,
            "%s. The second connection does not know the snapshot of the first one: this is what a "
            "connection pooler does (PgBouncer and the like). Give the job the `host` and `port` of "
            "the server itself",
            why.text);
    return rc == 0 ? pgsql_lock_all(c, locks, SESSIONS(o), &o->main, err) : error_copy(err, &why);
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
    int rc = pgsql_list_locks(&o->readers[0], o->set, &locks, err);
    if (rc == 0)
        rc = pgsql_exec(&o->main, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", err);
    if (rc == 0) {
        rc = pgsql_lock_all(&o->main, &locks, SESSIONS(o), &o->readers[0], err);
        *again = rc == E_NOT_FOUND;
    }
    if (rc == 0 &&
        (o->snapshot = pgsql_text(&o->main, "SELECT pg_catalog.pg_export_snapshot()", err)) == NULL)
        rc = pgsql_failed(err);
    if (rc == 0)
        rc = pgsql_list_locks(&o->main, o->set, &now, err);
    if (rc == 0)
        *again = !all_locked(&locks, &now);
    for (unsigned i = 0; rc == 0 && !*again && i < o->nreaders; i++)
        rc = join(o, &o->readers[i], &now, err);
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

static int settle(struct pgsql *c, const struct pgsql_settings *s, struct error *err)
{
    int rc = pgsql_refuse_pooler(c, err);
    return rc == 0 ? pgsql_session(c, s->lock_ms, NULL, err) : rc;
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
            return rc < 0 ? error_copy(err, &why) : settle(c, s, err);
        pgsql_close(c);
        (void)usleep(PAUSE_US);
    }
}

/* Rows of a range of pages must come as those of the whole table would: in the order of the heap, by one process. */
static int connect_reader(const struct pgsql_settings *s, const char *database, struct pgsql *c,
                          struct error *err)
{
    int rc = connect_one(s, database, c, err);
    return rc == 0 ? pgsql_exec(
                         c,
                         "SET max_parallel_workers_per_gather = 0; SET jit = off; SET enable_tidscan = on; "
                         "SET enable_indexscan = off; SET enable_indexonlyscan = off; "
                         "SET enable_bitmapscan = off",
                         err)
                   : rc;
}

/* Each reader locks every table: not more of them than the server has room for. */
static int room_for_readers(struct pgsql_origin *o, const struct pgsql_settings *s, unsigned *out,
                            struct error *err)
{
    struct vec locks = VEC_OF(struct pgsql_table);
    int64_t room = 0;
    *out = s->connections;
    int rc = pgsql_list_locks(&o->main, s, &locks, err);
    if (rc == 0)
        rc = pgsql_number(&o->main,
                          "SELECT pg_catalog.current_setting('max_locks_per_transaction')::pg_catalog.int8 * "
                          "(pg_catalog.current_setting('max_connections')::pg_catalog.int8 + "
                          "pg_catalog.current_setting('max_prepared_transactions')::pg_catalog.int8)",
                          &room, err);
    while (*out > 1 && (*out + OTHERS) * (locks.len + CATALOG) > (uint64_t)room)
        (*out)--;
    if (rc == 0 && *out < s->connections)
        log_event(LOG_INFO,
                  "%s: rows are read by %u connections of %u: the server has no room for the locks of more "
                  "(max_locks_per_transaction)",
                  o->main.where, *out, s->connections);
    pgsql_tables_free(&locks);
    return rc;
}

/* ---- patterns -------------------------------------------------------------------------------------------- */

struct doubts {
    struct error first;
};

static void on_doubt(bool fatal, const char *what, const char *cure, void *arg)
{
    struct doubts *d = arg;
    if (!fatal)
        log_event(LOG_INFO, "%s", what);
    else if (d->first.code == 0)
        (void)error_set(&d->first, E_UNSUPPORTED, "%s (%s)", what, cure);
}

/* In the snapshot, so that pg_dump sees the same. */
static int choose(struct pgsql_origin *o, struct error *err)
{
    struct doubts d = { .first = ERROR_INIT };
    int rc = pgsql_choose(o->set, &o->main, &o->chosen, err);
    if (rc == 0)
        rc = pgsql_chosen_args(o->set, &o->chosen, err);
    if (rc == 0)
        rc = pgsql_chosen_check(&o->chosen, &o->main, on_doubt, &d, err);
    if (rc == 0)
        pgsql_chosen_tell(&o->chosen, on_doubt, &d);
    return rc == 0 && d.first.code != 0 ? error_copy(err, &d.first) : rc;
}

/* ---- open and close -------------------------------------------------------------------------------------- */

int pgsql_origin_open(struct pgsql_origin *o, const struct pgsql_settings *s, const char *database,
                      struct error *err)
{
    *o = (struct pgsql_origin){ .tables = VEC_OF(struct pgsql_table),
                                .sequences = VEC_OF(struct pgsql_sequence),
                                .max_blocked_ms = s->max_blocked_ms,
                                .set = s };
    unsigned readers = 0;
    int rc = connect_one(s, database, &o->main, err);
    if (rc == 0)
        rc = room_for_readers(o, s, &readers, err);
    for (; rc == 0 && o->nreaders < readers; o->nreaders++)
        rc = connect_reader(s, database, &o->readers[o->nreaders], err);
    if (rc == 0)
        rc = begin_steady(o, err);
    if (rc == 0)
        rc = choose(o, err);
    if (rc == 0)
        rc = pgsql_list_tables(&o->main, &o->chosen, &o->tables, err);
    if (rc == 0)
        rc = pgsql_list_sequences(&o->main, &o->chosen, &o->sequences, err);
    if (rc == 0)
        rc = pgsql_origin_facts(o, err);
    for (unsigned i = 0; i < o->nreaders; i++) {
        o->readers[i].tick = pgsql_watch_tick;
        o->readers[i].tick_arg = o;
    }
    if (rc == 0)
        rc = pgsql_watch_start(o, err);
    if (rc < 0)
        pgsql_origin_close(o);
    return rc;
}

void pgsql_origin_close(struct pgsql_origin *o)
{
    pgsql_watch_stop(o, true);
    for (unsigned i = 0; i < PGSQL_READERS_MAX; i++)
        pgsql_close(&o->readers[i]);
    pgsql_close(&o->main);
    free(o->snapshot);
    pgsql_chosen_free(&o->chosen);
    pgsql_tables_free(&o->tables);
    pgsql_sequences_free(&o->sequences);
    free(o->identity);
    free(o->oid);
    buf_free(&o->about);
    buf_free(&o->facts);
    *o = (struct pgsql_origin){ .snapshot = NULL };
}
