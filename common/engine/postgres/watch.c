/* Holds the snapshot, and lets go of it when others wait too long. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/postgres/internal.h"

#include "common/base/banned.h"

enum { ASK_MS = 5000, ASK_MIN_MS = 250, PARTS = 4, WHO_MAX = 600 };

struct pgsql_watch {
    struct pgsql_origin *o;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t end;
    bool running;
    bool ending;
    struct error failure; /* code 0: none */
    struct child *child;  /* pg_dump, which has a session and locks of its own; below the lock */
    /* Copies of the sockets' descriptors: libpq may close its own at any time. */
    int fds[PGSQL_READERS_MAX + 1];
    unsigned nfds;
    /* of the thread */
    struct buf sql;
    bool told;
    uint64_t every_ms;
};

/* ---- one look -------------------------------------------------------------------------------------------- */

/* From pg_locks, which every role sees whole. */
static int make_question(struct pgsql_watch *w, struct error *err)
{
    const struct pgsql_origin *o = w->o;
    int rc = buf_printf(
        &w->sql, err,
        "SELECT l.pid, coalesce(nullif(a.application_name, ''), 'unnamed'), coalesce(a.usename::pg_catalog.text, '?'), "
        "coalesce(l.relation::pg_catalog.regclass::pg_catalog.text, l.locktype), "
        "(1000 * extract(epoch FROM pg_catalog.clock_timestamp() - coalesce((pg_catalog.to_jsonb(l)->>'waitstart')"
        "::pg_catalog.timestamptz, a.query_start, pg_catalog.clock_timestamp())))::pg_catalog.int8 AS waits "
        "FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
        "WHERE NOT l.granted AND pg_catalog.pg_blocking_pids(l.pid) && ARRAY[%d",
        PQbackendPID(o->main.conn));
    for (unsigned i = 0; rc == 0 && i < o->nreaders; i++)
        rc = buf_printf(&w->sql, err, ",%d", PQbackendPID(o->readers[i].conn));
    if (rc == 0)
        rc = buf_printf(&w->sql, err, "] ORDER BY waits DESC, l.pid");
    return rc == 0 ? buf_append(&w->sql, "", 1, err) : rc;
}

static const char *who_waits(const PGresult *r, char out[WHO_MAX])
{
    char table[200];
    char name[160];
    char role[100];
    (void)snprintf(out, WHO_MAX, "process %s of the server (application %s, role %s) waits for %s",
                   PQgetvalue(r, 0, 0), str_printable(name, sizeof name, PQgetvalue(r, 0, 1)),
                   str_printable(role, sizeof role, PQgetvalue(r, 0, 2)),
                   str_printable(table, sizeof table, PQgetvalue(r, 0, 3)));
    return out;
}

static int judge(struct pgsql_watch *w, const PGresult *r, struct error *err)
{
    const struct pgsql_origin *o = w->o;
    char who[WHO_MAX];
    if (PQtransactionStatus(o->main.conn) != PQTRANS_INTRANS)
        return error_set(err, E_RETRY, "%s: the transaction that holds the snapshot ended", o->main.where);
    if (PQntuples(r) == 0)
        return 0;
    uint64_t waits = strtoull(PQgetvalue(r, 0, 4), NULL, 10);
    if (o->max_blocked_ms != 0 && waits >= o->max_blocked_ms)
        return error_set(
            err, E_RETRY,
            "%s: %s since %llu s, because this backup holds it, and others may wait behind it; the "
            "backup gave way (max_blocked). Change tables at another hour, or raise max_blocked",
            o->main.where, who_waits(r, who), (unsigned long long)(waits / 1000));
    if (!w->told)
        log_event(LOG_WARN,
                  "%s: %s until this backup ends (sessions that wait: %d); others may wait behind it",
                  o->main.where, who_waits(r, who), PQntuples(r));
    w->told = true;
    return 0;
}

static int ask(struct pgsql_watch *w, struct error *err)
{
    PGresult *r = NULL;
    int rc = pgsql_query(&w->o->main, (const char *)w->sql.data, &r, err);
    if (rc < 0)
        return error_wrap(err, "the snapshot's connection");
    rc = judge(w, r, err);
    PQclear(r);
    return rc;
}

/* ---- the thread ------------------------------------------------------------------------------------------ */

/* The server ends a session that nobody listens to any more, and its locks with it: when it next has something to say.
 */
static void hang_up(struct pgsql_watch *w)
{
    for (unsigned i = 0; i < w->nfds; i++)
        (void)shutdown(w->fds[i], SHUT_RDWR);
    (void)pthread_mutex_lock(&w->lock);
    if (w->child != NULL)
        child_kill(w->child);
    (void)pthread_mutex_unlock(&w->lock);
}

/* A reader that has nothing to say for minutes (a look for long rows) would keep its locks as long. */
static void end_readers(struct pgsql_watch *w)
{
    const struct pgsql_origin *o = w->o;
    struct buf sql = BUF_INIT;
    int rc =
        buf_printf(&sql, NULL, "SELECT pg_catalog.pg_terminate_backend(u.pid) FROM pg_catalog.unnest(ARRAY[");
    for (unsigned i = 0; rc == 0 && i < o->nreaders; i++)
        rc = buf_printf(&sql, NULL, "%s%d", i == 0 ? "" : ",", PQbackendPID(o->readers[i].conn));
    if (rc == 0)
        rc = buf_printf(&sql, NULL, "]) AS u (pid)");
    if (rc == 0 && buf_append(&sql, "", 1, NULL) == 0)
        (void)pgsql_exec(&w->o->main, (const char *)sql.data, NULL);
    buf_free(&sql);
}

static bool pause_unless_ending(struct pgsql_watch *w)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(w->every_ms / 1000);
    until.tv_nsec += (long)(w->every_ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int rc = 0;
    (void)pthread_mutex_lock(&w->lock);
    while (!w->ending && rc == 0)
        rc = pthread_cond_timedwait(&w->end, &w->lock, &until);
    bool ending = w->ending;
    (void)pthread_mutex_unlock(&w->lock);
    return !ending;
}

static void *work(void *arg)
{
    struct pgsql_watch *w = arg;
    int rc = 0;
    while (rc == 0 && pause_unless_ending(w)) {
        struct error why = ERROR_INIT;
        rc = ask(w, &why);
        if (rc == 0)
            continue;
        (void)pthread_mutex_lock(&w->lock);
        (void)error_copy(&w->failure, &why);
        (void)pthread_mutex_unlock(&w->lock);
        if (PQtransactionStatus(w->o->main.conn) == PQTRANS_INTRANS)
            end_readers(w);
        hang_up(w);
    }
    return NULL;
}

static int start(struct pgsql_watch *w, struct error *err)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's matter */
    int rc = pthread_create(&w->thread, NULL, work, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    w->running = rc == 0;
    return rc == 0 ? 0 : error_set(err, E_NOMEM, "cannot start a thread");
}

static int keep_fd(struct pgsql_watch *w, const struct pgsql *c, struct error *err)
{
    int fd = fcntl(PQsocket(c->conn), F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return error_sys(err, "keep a connection");
    w->fds[w->nfds++] = fd;
    return 0;
}

int pgsql_watch_start(struct pgsql_origin *o, struct error *err)
{
    pthread_condattr_t monotonic;
    struct pgsql_watch *w = mem_alloc(1, sizeof *w, err);
    if (w == NULL)
        return E_NOMEM;
    o->watch = w;
    w->o = o;
    w->every_ms =
        o->max_blocked_ms != 0 && o->max_blocked_ms / PARTS < ASK_MS ? o->max_blocked_ms / PARTS : ASK_MS;
    w->every_ms = w->every_ms < ASK_MIN_MS ? ASK_MIN_MS : w->every_ms;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->end, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    int rc = make_question(w, err);
    if (rc == 0)
        rc = keep_fd(w, &o->main, err);
    for (unsigned i = 0; rc == 0 && i < o->nreaders; i++)
        rc = keep_fd(w, &o->readers[i], err);
    return rc == 0 ? start(w, err) : rc;
}

int pgsql_watch_tick(void *origin, struct error *err)
{
    const struct pgsql_origin *o = origin;
    struct pgsql_watch *w = o->watch;
    if (w == NULL)
        return 0;
    (void)pthread_mutex_lock(&w->lock);
    int rc = w->failure.code != 0 ? error_copy(err, &w->failure) : 0;
    (void)pthread_mutex_unlock(&w->lock);
    return rc;
}

void pgsql_watch_child(struct pgsql_origin *o, struct child *child)
{
    struct pgsql_watch *w = o->watch;
    if (w == NULL)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->child = child;
    if (child != NULL && w->failure.code != 0)
        child_kill(child);
    (void)pthread_mutex_unlock(&w->lock);
}

void pgsql_watch_hang_up(struct pgsql_origin *o)
{
    if (o->watch != NULL)
        hang_up(o->watch);
}

static void join(struct pgsql_watch *w, bool at_once)
{
    if (!w->running)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->ending = true;
    (void)pthread_cond_signal(&w->end);
    (void)pthread_mutex_unlock(&w->lock);
    if (at_once)
        hang_up(w);
    (void)pthread_join(w->thread, NULL);
    w->running = false;
}

void pgsql_watch_stop(struct pgsql_origin *o, bool at_once)
{
    struct pgsql_watch *w = o->watch;
    if (w == NULL)
        return;
    join(w, at_once);
    for (unsigned i = 0; i < w->nfds; i++)
        (void)close(w->fds[i]);
    (void)pthread_cond_destroy(&w->end);
    (void)pthread_mutex_destroy(&w->lock);
    buf_free(&w->sql);
    free(w);
    o->watch = NULL;
}

int pgsql_watch_end(struct pgsql_origin *o, struct error *err)
{
    if (o->watch == NULL)
        return error_set(err, E_INTERNAL, "the snapshot was not watched");
    join(o->watch, false);
    int rc = pgsql_watch_tick(o, err);
    if (rc == 0)
        rc = ask(o->watch, err);
    pgsql_watch_stop(o, false);
    return rc;
}
