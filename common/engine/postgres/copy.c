/* One table's rows as a stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/postgres/internal.h"
#include "common/engine/postgres/name.h"

#include "common/base/banned.h"

enum {
    ENDS = 256, /* rows that are hashed together */
    ENDS_BYTES =
        16 * 1024,   /* or a little more than these bytes, while they are in the processor's nearest cache */
    ROOM_MIN = 4096, /* a row is rather not cut for less room than this */
    PIECE_MAX = 1 << 30,
    WIDE = 200 * 1000,   /* bytes of a message that makes libpq's buffer as large as what a socket holds */
    NAP_NS = 200 * 1000, /* at first; at least NAP_MIN_NS, at most NAP_MAX_NS */
    NAP_MIN_NS = 50 * 1000,
    NAP_MAX_NS = 2000 * 1000,
    NAP_FEW = 48 * 1024, /* what a nap should bring: less than a local socket holds, about 130 KB */
    NAP_MANY = 96 * 1024,
};

struct copy_source {
    struct source base;
    struct pgsql *c;
    struct pgsql_table *t;
    struct fingerprint *fp;
    struct pgsql_tuples tuples;
    size_t from; /* of the block: where the rows begin that were not hashed yet */
    size_t ends[ENDS];
    size_t nends;
    uint64_t copied;
    uint64_t napped; /* copied at the last nap */
    long nap_ns;
    bool open; /* a row has begun and not ended */
    bool ended;
};

static int too_large(const struct copy_source *s, struct error *err)
{
    char shown[200];
    return error_set(
        err, E_UNSUPPORTED,
        "table %s: a row is longer than 1 GB as text, and the look before the copy did not find "
        "it; nothing was stored. Please report this; until then the command engine with `pg_dump "
        "--column-inserts`, or splitting the row, is the way out",
        str_printable(shown, sizeof shown, s->t->sql));
}

static int verdict(struct copy_source *s, struct error *err)
{
    char shown[200];
    PGresult *r = NULL;
    uint64_t rows = fingerprint_rows(s->fp);
    int rc = pgsql_result(s->c, &r, err);
    if (rc == 0 && r == NULL)
        rc = pgsql_error(s->c, NULL, err, s->t->sql);
    else if (rc == 0 && PQresultStatus(r) != PGRES_COMMAND_OK) {
        const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
        bool large = state != NULL && !s->t->binary && strcmp(state, "54000") == 0;
        rc = large ? too_large(s, err) : pgsql_error(s->c, r, err, s->t->sql);
    }
    /* Text: no more rows were counted than messages ended with a newline, and each of the server's rows has one newline:
     * when the counts agree every row was hashed by itself. */
    if (rc == 0 && (fingerprint_partial(s->fp) || strtoull(PQcmdTuples(r), NULL, 10) != rows ||
                    (s->t->binary && !pgsql_tuples_ended(&s->tuples))))
        rc = error_set(err, E_IO, "table %s: the server says it sent %s rows, %llu arrived",
                       str_printable(shown, sizeof shown, s->t->sql), PQcmdTuples(r),
                       (unsigned long long)rows);
    PQclear(r);
    rc = pgsql_drain(s->c, rc, err);
    if (rc == 0) {
        s->t->rows = rows;
        s->t->copied = s->copied;
        (void)fingerprint_text(s->fp, s->t->fingerprint);
        s->ended = true;
    }
    return rc;
}

/* ---- the rows ------------------------------------------------------------------------------------------- */

static void hash_rows(struct copy_source *s, const char *block)
{
    fingerprint_whole(s->fp, block + s->from, s->ends, s->nends);
    s->nends = 0;
}

/* A message of the server is a row, and comes whole unless the block has no room. */
static void add_text(struct copy_source *s, const char *block, size_t at, size_t len)
{
    bool ends = block[at + len - 1] == '\n';
    if (ends && !s->open) {
        s->from = s->nends == 0 ? at : s->from;
        s->ends[s->nends++] = at + len - s->from;
        if (s->nends == ENDS || s->ends[s->nends - 1] >= ENDS_BYTES)
            hash_rows(s, block);
        return;
    }
    hash_rows(s, block);
    fingerprint_piece(s->fp, block + at, len - ends);
    if (ends)
        fingerprint_row(s->fp);
    s->open = !ends;
}

/* What libpq has, as long as there is room: 1, or 0 when the rows are over. PQgetlineAsync copies from libpq's buffer to
 * ours, where PQgetCopyData would make a block for each row. It goes on with a message that had no room. */
static int take(struct copy_source *s, char *block, size_t cap, size_t *done, struct error *err)
{
    int n = 1;
    int rc = 0;
    size_t at = 0;
    while (rc == 0 && (at == 0 || cap - at >= ROOM_MIN)) {
        n = PQgetlineAsync(s->c->conn, block + at, (int)(cap - at));
        if (n <= 0)
            break;
        if (s->t->binary)
            rc = pgsql_tuples_add(&s->tuples, s->fp, block + at, (size_t)n, err);
        else
            add_text(s, block, at, (size_t)n);
        at += (size_t)n;
    }
    hash_rows(s, block);
    s->copied += at;
    *done = at;
    return rc < 0 ? rc : n >= 0;
}

/* The server sends a few rows at a time. To wake up for each of them costs more than to read them, so whoever finds
 * nothing lets some more come, as long as it takes for a good deal at the server's speed. A server that is quicker than
 * we are never finds us asleep. */
static void nap(struct copy_source *s)
{
    uint64_t brought = s->copied - s->napped;
    if (s->napped > 0 && brought < NAP_FEW && s->nap_ns <= NAP_MAX_NS / 2)
        s->nap_ns *= 2;
    else if (brought > NAP_MANY && s->nap_ns >= 2 * NAP_MIN_NS)
        s->nap_ns /= 2;
    s->napped = s->copied;
    const struct timespec t = { .tv_nsec = s->nap_ns };
    (void)nanosleep(&t, NULL);
}

/* To look is cheaper than to ask whether a look is worth it. `dry` counts the looks in vain. */
static int more_rows(struct copy_source *s, unsigned dry, struct error *err)
{
    if (dry == 1)
        nap(s);
    return dry < 2 ? pgsql_arrived(s->c, err) : pgsql_wait(s->c, err);
}

static int64_t copy_read(struct source *base, void *data, size_t cap, struct error *err)
{
    struct copy_source *s = (struct copy_source *)base;
    size_t done = 0;
    unsigned dry = 0;
    int rc = 1;
    while (rc > 0 && done == 0 && !s->ended) {
        rc = take(s, data, cap < PIECE_MAX ? cap : PIECE_MAX, &done, err);
        if (rc == 0)
            rc = verdict(s, err);
        else if (rc > 0 && done == 0 && (rc = more_rows(s, dry++, err)) == 0)
            rc = 1;
    }
    return rc < 0 ? rc : (int64_t)done;
}

static void copy_free(struct source *base)
{
    struct copy_source *s = (struct copy_source *)base;
    fingerprint_free(s->fp);
    free(s);
}

/* libpq's buffer begins with 16 KB, which is one read of it, grows with a message that does not fit, and stays so. */
static int widen(struct pgsql *c, struct error *err)
{
    PGresult *r = NULL;
    char sql[64];
    (void)snprintf(sql, sizeof sql, "SELECT pg_catalog.repeat(' ', %d)", WIDE);
    int rc = c->wide ? 0 : pgsql_query(c, sql, &r, err);
    PQclear(r);
    c->wide = rc == 0;
    return rc;
}

static int start(struct pgsql *c, const struct pgsql_table *t, struct error *err)
{
    struct buf sql = BUF_INIT;
    PGresult *r = NULL;
    int rc = widen(c, err);
    if (rc == 0)
        rc = pgsql_copy_sql(t, true, &sql, err);
    if (rc == 0)
        rc = pgsql_query(c, (const char *)sql.data, &r, err);
    if (rc == 0 && PQresultStatus(r) != PGRES_COPY_OUT)
        rc = error_set(err, E_INTERNAL, "%s: COPY gave no rows", c->where);
    PQclear(r);
    buf_free(&sql);
    return rc;
}

struct source *pgsql_copy_source(struct pgsql *c, struct pgsql_table *t, uint64_t seed, struct error *err)
{
    struct copy_source *s = mem_alloc(1, sizeof *s, err);
    if (s == NULL)
        return NULL;
    s->base = (struct source){ .read = copy_read, .free = copy_free };
    s->c = c;
    s->t = t;
    s->nap_ns = NAP_NS;
    pgsql_tuples_init(&s->tuples);
    s->fp = fingerprint_new(seed, err);
    if (s->fp != NULL && start(c, t, err) == 0)
        return &s->base;
    copy_free(&s->base);
    return NULL;
}
