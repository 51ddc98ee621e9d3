/* One table's rows as a stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/postgres/internal.h"
#include "common/engine/postgres/name.h"

#include "common/base/banned.h"

struct copy_source {
    struct source base;
    struct pgsql *c;
    struct pgsql_table *t;
    struct fingerprint *fp;
    struct pgsql_tuples tuples;
    char *block; /* of libpq: a part of the rows */
    size_t len;
    size_t at;
    uint64_t copied;
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

/* 1 with a block, 0 at the end after the verdict; `wait` false: also 2, nothing there yet. */
static int next_block(struct copy_source *s, bool wait, struct error *err)
{
    for (;;) {
        int n = PQgetCopyData(s->c->conn, &s->block, 1);
        if (n > 0) {
            s->len = (size_t)n;
            s->at = 0;
            s->copied += s->len;
            if (s->t->binary)
                return pgsql_tuples_add(&s->tuples, s->fp, s->block, s->len, err) < 0 ? pgsql_failed(err) : 1;
            fingerprint_lines(s->fp, s->block, s->len);
            return 1;
        }
        s->block = NULL;
        if (n == -1)
            return verdict(s, err);
        if (n == -2)
            return pgsql_error(s->c, NULL, err, s->t->sql);
        if (!wait)
            return 2;
        int rc = pgsql_wait(s->c, err);
        if (rc < 0)
            return rc;
    }
}

static int64_t copy_read(struct source *base, void *data, size_t cap, struct error *err)
{
    struct copy_source *s = (struct copy_source *)base;
    size_t done = 0;
    while (done < cap && !s->ended) {
        if (s->block == NULL) {
            int rc = next_block(s, done == 0, err);
            if (rc < 0)
                return rc;
            if (rc != 1 || s->block == NULL)
                break;
        }
        size_t n = s->len - s->at < cap - done ? s->len - s->at : cap - done;
        memcpy((char *)data + done, s->block + s->at, n);
        s->at += n;
        done += n;
        if (s->at == s->len) {
            PQfreemem(s->block);
            s->block = NULL;
        }
    }
    return (int64_t)done;
}

static void copy_free(struct source *base)
{
    struct copy_source *s = (struct copy_source *)base;
    PQfreemem(s->block);
    fingerprint_free(s->fp);
    free(s);
}

static int start(struct pgsql *c, const struct pgsql_table *t, struct error *err)
{
    struct buf sql = BUF_INIT;
    PGresult *r = NULL;
    int rc = pgsql_copy_sql(t, true, &sql, err);
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
    pgsql_tuples_init(&s->tuples);
    s->fp = fingerprint_new(seed, err);
    if (s->fp != NULL && start(c, t, err) == 0)
        return &s->base;
    copy_free(&s->base);
    return NULL;
}

/* ---- rows that are too long as text --------------------------------------------------------------------- */

enum {
    ROW_TEXT_MAX = 1000000000, /* a little less than what a server can build */
    TEXT_FACTOR = 2,           /* hexadecimal, or every character escaped */
    OTHER_FACTOR = 765,        /* best compression, times the longest text of a byte */
};

/* An upper bound for the text of a row, from sizes that are known without reading the values. */
static int bound_sql(struct pgsql *c, const struct pgsql_table *t, struct buf *out, struct error *err)
{
    PGresult *r = NULL;
    char sql[512];
    (void)snprintf(sql, sizeof sql,
                   "SELECT a.attname, a.atttypid IN ('pg_catalog.bytea'::pg_catalog.regtype, "
                   "'pg_catalog.text'::pg_catalog.regtype, 'pg_catalog.varchar'::pg_catalog.regtype) "
                   "FROM pg_catalog.pg_attribute a WHERE a.attrelid = %lu AND a.attnum > 0 "
                   "AND NOT a.attisdropped AND a.attgenerated = '' AND a.attlen = -1 ORDER BY a.attnum",
                   (unsigned long)t->oid);
    int rc = pgsql_query(c, sql, &r, err);
    for (int i = 0; rc == 0 && i < PQntuples(r); i++) {
        bool plain = PQgetvalue(r, i, 1)[0] == 't';
        rc = buf_printf(out, err, "%scoalesce(pg_catalog.%s(", i == 0 ? "" : " + ",
                        plain ? "octet_length" : "pg_column_size");
        if (rc == 0)
            rc = pgsql_quote(out, PQgetvalue(r, i, 0), err);
        if (rc == 0)
            rc = buf_printf(out, err, ")::pg_catalog.int8, 0) * %d", plain ? TEXT_FACTOR : OTHER_FACTOR);
    }
    if (rc == 0 && PQntuples(r) == 0)
        rc = buf_printf(out, err, "0");
    PQclear(r);
    return rc;
}

/* Copies the rows that could be too long, for nothing but the verdict. */
static int try_rows(struct pgsql *c, const struct pgsql_table *t, struct error *err)
{
    struct buf bound = BUF_INIT;
    struct buf where = BUF_INIT;
    struct pgsql_table some = *t;
    char block[8192];
    bool own = t->condition != NULL && t->condition[0] != '\0';
    int rc = bound_sql(c, t, &bound, err);
    if (rc == 0)
        rc = buf_append(&bound, "", 1, err);
    if (rc == 0)
        rc = buf_printf(&where, err, "%s%s%s > %d", own ? t->condition : "WHERE ", own ? " AND " : "",
                        (const char *)bound.data, ROW_TEXT_MAX);
    if (rc == 0)
        rc = buf_append(&where, "", 1, err);
    if (rc == 0) {
        some.condition = (char *)where.data;
        struct source *s = pgsql_copy_source(c, &some, 0, err);
        int64_t n = s != NULL ? 1 : pgsql_failed(err);
        while (n > 0)
            n = source_read(s, block, sizeof block, err);
        rc = (int)n;
        source_free(s);
    }
    buf_free(&bound);
    buf_free(&where);
    return rc;
}

int pgsql_needs_binary(struct pgsql *c, const struct pgsql_table *t, bool *out, struct error *err)
{
    struct error why = ERROR_INIT;
    *out = false;
    if (!t->toasted || t->columns.len == 0)
        return 0;
    int rc = pgsql_exec(c, "SAVEPOINT backupd_look", err);
    if (rc < 0)
        return rc;
    rc = try_rows(c, t, &why);
    /* "out of memory ... cannot enlarge", "invalid memory alloc request size": the server lives on */
    *out = rc < 0 && rc != E_RETRY && rc != E_CANCELLED && rc != E_NOMEM && rc != E_DENIED;
    if (rc < 0 && !*out)
        return error_copy(err, &why);
    return pgsql_exec(c, *out ? "ROLLBACK TO SAVEPOINT backupd_look" : "RELEASE SAVEPOINT backupd_look", err);
}
