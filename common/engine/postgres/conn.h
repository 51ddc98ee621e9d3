/*
 * conn.h - one connection to a PostgreSQL server, which never waits beyond its due.
 *
 *     struct pgsql c;
 *     rc = pgsql_open(&c, keys, values, err);       // as PQconnectdbParams takes them; no password
 *     rc = pgsql_session(&c, lock_ms, NULL, err);   // the settings that make output the same everywhere
 *     rc = pgsql_query(&c, sql, &result, err);      // PQclear
 *     pgsql_close(&c);                              // a zeroed one is fine
 *
 * Every wait is a poll that looks for a requested stop (E_CANCELLED) and calls
 * `tick` when it ends, at least about once a second. Errors carry the server's message, this
 * connection's name, and a code by SQLSTATE: passing trouble (a lost
 * connection, a server that shuts down, a lock not obtained, a conflict with
 * recovery) is E_RETRY. Notices go to the log, for the curious.
 */
#ifndef COMMON_ENGINE_POSTGRES_CONN_H
#define COMMON_ENGINE_POSTGRES_CONN_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"

enum { PGSQL_WHERE_MAX = 200, PGSQL_STATE_MAX = 6, PGSQL_CONTEXT_MAX = 256 };

struct pgsql {
    PGconn *conn;
    char where[PGSQL_WHERE_MAX];     /* "database shop at /run/postgresql", printable */
    char state[PGSQL_STATE_MAX];     /* SQLSTATE of the last failure, or "" */
    char context[PGSQL_CONTEXT_MAX]; /* where the server met it, in its words; the caller clears it */
    int (*tick)(void *arg, struct error *err); /* while waiting, often; a failure ends the wait; or NULL */
    void *tick_arg;
    bool wide; /* libpq's buffer for what arrives was made large (copy.c) */
};

/* Connects within 30 seconds. A password in keys/values or in PGPASSWORD is refused. After a failure c->state
 * says why when the server spoke, pgsql_close is still due. */
int pgsql_open(struct pgsql *c, const char *const *keys, const char *const *values, struct error *err);
void pgsql_close(struct pgsql *c);
/* True when the server asked for a password and there was none. */
bool pgsql_needs_password(const struct pgsql *c);

/* E_UNSUPPORTED when a pooler (PgBouncer and the like) is between: it makes up the number of the process. What passes
 * the server's own number on is not found out here. First of all statements. */
int pgsql_refuse_pooler(struct pgsql *c, struct error *err);

/* Text of values is the same for every session that did this. encoding NULL: the server's own. */
int pgsql_session(struct pgsql *c, uint64_t lock_ms, const char *encoding, struct error *err);
/* What of it changes bytes, for a fact. */
const char *pgsql_session_text(void);

/* Takes what has arrived, without waiting; `tick` and a requested stop count as above. */
int pgsql_arrived(struct pgsql *c, struct error *err);
/* One statement that gives rows or nothing. */
int pgsql_query(struct pgsql *c, const char *sql, PGresult **out, struct error *err);
int pgsql_exec(struct pgsql *c, const char *sql, struct error *err);
/* For text that comes from a snapshot: the server refuses more than one statement in it. */
int pgsql_exec_one(struct pgsql *c, const char *sql, struct error *err);
int pgsql_execf(struct pgsql *c, struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The first field of the first row, for free(); NULL with err (E_INTERNAL when there is no row). */
char *pgsql_text(struct pgsql *c, const char *sql, struct error *err);
int pgsql_number(struct pgsql *c, const char *sql, int64_t *out, struct error *err);

/* The next result, waiting with polls; *out NULL: the statement is over. */
int pgsql_result(struct pgsql *c, PGresult **out, struct error *err);
/* Takes what results are left, after a COPY, so that the next statement may come. Returns rc, or its own failure. */
int pgsql_drain(struct pgsql *c, int rc, struct error *err);
/* Waits until something can be read, at most a second. */
int pgsql_wait(struct pgsql *c, struct error *err);
/* Records what went wrong with result (NULL: with the connection): "where: what: message". */
int pgsql_error(struct pgsql *c, const PGresult *result, struct error *err, const char *what);
/* The code in err, for calls that return a pointer. */
int pgsql_failed(const struct error *err);
/* The code that belongs to a SQLSTATE. */
int pgsql_code_of(const char *state);

/* put.c: rows to the server (COPY ... FROM STDIN), never blocked in a send: a stop that is requested is obeyed also
 * when the server takes nothing. end: how many rows it took. After an error the connection is of no use. */
int pgsql_put_begin(struct pgsql *c, const char *sql, struct error *err);
int pgsql_put(struct pgsql *c, const void *data, size_t len, struct error *err);
int pgsql_put_end(struct pgsql *c, uint64_t *rows, struct error *err);

/* How other programs reach the same database: a connection string without a password, and the password file
 * (NULL: none) for PGPASSFILE. For free(). */
int pgsql_for_children(const struct pgsql *c, char **conninfo, char **passfile, struct error *err);

#endif
