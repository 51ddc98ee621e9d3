/* Rows to the server, and a server that takes none. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "common/engine/postgres/conn.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum { POLL_MS = 200, PIECE = 1 << 20 };

/* Until libpq has nothing left to send. What the server says meanwhile is taken, or neither side would go on. */
static int flush(struct pgsql *c, struct error *err)
{
    for (;;) {
        int left = PQflush(c->conn);
        if (left == 0)
            return 0;
        struct pollfd p = { .fd = PQsocket(c->conn), .events = POLLIN | POLLOUT };
        if (left < 0)
            return pgsql_error(c, NULL, err, "send rows");
        if (poll(&p, 1, POLL_MS) < 0 && errno != EINTR)
            return error_sys(err, "wait for the server");
        int rc = interrupt_check(err);
        if (rc == 0 && c->tick != NULL)
            rc = c->tick(c->tick_arg, err);
        if (rc < 0)
            return rc;
        if ((p.revents & ~POLLOUT) != 0 && PQconsumeInput(c->conn) == 0)
            return pgsql_error(c, NULL, err, "the connection was lost");
    }
}

int pgsql_put_begin(struct pgsql *c, const char *sql, struct error *err)
{
    PGresult *r = NULL;
    int rc = pgsql_query(c, sql, &r, err);
    if (rc == 0 && PQresultStatus(r) != PGRES_COPY_IN)
        rc = error_set(err, E_INTERNAL, "COPY takes no rows");
    PQclear(r);
    if (rc == 0 && PQsetnonblocking(c->conn, 1) != 0)
        rc = pgsql_error(c, NULL, err, "send rows");
    return rc;
}

/* In pieces: libpq copies what it cannot send at once. */
int pgsql_put(struct pgsql *c, const void *data, size_t len, struct error *err)
{
    const char *at = data;
    while (len > 0) {
        size_t n = len < PIECE ? len : PIECE;
        int put = PQputCopyData(c->conn, at, (int)n);
        if (put < 0)
            return pgsql_error(c, NULL, err, "send rows");
        int rc = flush(c, err);
        if (rc < 0)
            return rc;
        at += put != 0 ? n : 0;
        len -= put != 0 ? n : 0;
    }
    return 0;
}

int pgsql_put_end(struct pgsql *c, uint64_t *rows, struct error *err)
{
    PGresult *r = NULL;
    int put;
    int rc = 0;
    while (rc == 0 && (put = PQputCopyEnd(c->conn, NULL)) != 1)
        rc = put < 0 ? pgsql_error(c, NULL, err, "send rows") : flush(c, err);
    if (rc == 0)
        rc = flush(c, err);
    if (rc == 0 && PQsetnonblocking(c->conn, 0) != 0)
        rc = pgsql_error(c, NULL, err, "send rows");
    if (rc == 0)
        rc = pgsql_result(c, &r, err);
    if (rc == 0 && (r == NULL || PQresultStatus(r) != PGRES_COMMAND_OK))
        rc = pgsql_error(c, r, err, "");
    else if (rc == 0)
        *rows = strtoull(PQcmdTuples(r), NULL, 10);
    PQclear(r);
    return pgsql_drain(c, rc, err);
}
