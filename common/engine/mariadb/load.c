/* Rows into tables: whole rows, about 16 MiB a statement, each of which commits by itself. */
#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/mariadb/restore.h"

#include "common/base/banned.h"

enum { STATEMENT = 16 << 20, BLOCK = 1 << 18 };
static const size_t row_max = (size_t)4 << 30; /* of text: more than any server sends */

struct load {
    struct maria_crew *crew;
    struct maria *c;
    const struct maria_load *l;
    struct source *source;
    struct buf rows;
    size_t whole; /* bytes of whole rows */
    uint64_t taken;
    bool ended;
};

/* The end of the last whole row. */
static size_t whole_rows(const struct buf *rows)
{
    const uint8_t *last = rows->len > 0 ? memrchr(rows->data, '\n', rows->len) : NULL;
    return last != NULL ? (size_t)(last + 1 - rows->data) : 0;
}

static int read_block(struct load *d, struct error *err)
{
    int rc = buf_reserve(&d->rows, BLOCK, err);
    int64_t n = rc == 0 ? source_read(d->source, d->rows.data + d->rows.len, BLOCK, err) : rc;
    if (n < 0)
        return (int)n;
    d->ended = n == 0;
    d->rows.len += (size_t)n;
    maria_plan_progress(d->crew->p, (uint64_t)n);
    return 0;
}

/* As many rows as one statement gets; a row of its own length is a statement of its own. */
static int fill(struct load *d, struct error *err)
{
    int rc = 0;
    maria_crew_lock(d->crew);
    while (rc == 0 && !d->ended && (d->rows.len < STATEMENT || whole_rows(&d->rows) == 0)) {
        rc = read_block(d, err);
        if (rc == 0 && d->rows.len > row_max)
            rc = error_corrupt(err, ERR_MARIA_FACTS, "a row is longer than %zu bytes", row_max);
    }
    maria_crew_unlock(d->crew);
    d->whole = whole_rows(&d->rows);
    if (rc == 0 && d->ended && d->whole != d->rows.len)
        rc = error_corrupt(err, ERR_MARIA_FACTS, "the last row has no end");
    return rc;
}

static bool is_enum(const struct maria_load *l, const char *message)
{
    static const char before[] = "Data truncated for column '";
    if (!str_starts(message, before))
        return false;
    const char *name = message + sizeof before - 1;
    for (size_t i = 0; i < l->t.columns.len; i++) {
        const struct maria_column *col = vec_at(&l->t.columns, i);
        size_t n = strlen(col->name);
        bool of_enum = col->kind == KIND_ENUM || col->kind == KIND_INDEX;
        if (of_enum && strncmp(name, col->name, n) == 0 && str_starts(name + n, "' at row "))
            return true;
    }
    return false;
}

/* A warning is a value that did not come in as it was. The invalid value of an ENUM gives one, too, and is right;
 * the comparison afterwards looks at it. */
static int judge_warnings(struct load *d, struct error *err)
{
    MYSQL_RES *r = NULL;
    MYSQL_ROW row;
    unsigned all = mysql_warning_count(d->c->conn);
    unsigned seen = 0;
    if (all == 0)
        return 0;
    int rc = maria_query(d->c, "SHOW WARNINGS", &r, err);
    while (rc == 0 && (row = mysql_fetch_row(r)) != NULL) {
        char shown[300];
        seen++;
        if (strtoul(row[1], NULL, 10) != WARN_DATA_TRUNCATED || !is_enum(d->l, row[2]))
            rc = error_set(err, E_CORRUPT, "the server changed a value: %s",
                           str_printable(shown, sizeof shown, row[2]));
    }
    mysql_free_result(r);
    if (rc == 0 && seen < all)
        rc = error_set(err, E_CORRUPT, "the server gave %u warnings, of which it shows %u", all, seen);
    return rc;
}

static int load_rows(struct load *d, const char *sql, struct error *err)
{
    int rc = fill(d, err);
    while (rc == 0 && d->whole > 0) {
        rc = maria_load(d->c, sql, d->rows.data, d->whole, err);
        if (rc == 0) {
            d->taken += mysql_affected_rows(d->c->conn);
            rc = judge_warnings(d, err);
        }
        buf_consume(&d->rows, d->whole);
        if (rc == 0)
            rc = fill(d, err);
    }
    if (rc == 0 && d->taken != d->l->t.rows)
        rc = error_corrupt(err, ERR_MARIA_DIFFER, "the server took %llu rows of %llu",
                           (unsigned long long)d->taken, (unsigned long long)d->l->t.rows);
    return rc;
}

static int load_table(struct maria_crew *crew, struct maria *c, struct maria_load *l, struct error *err)
{
    struct load d = { .crew = crew, .c = c, .l = l, .rows = BUF_INIT };
    struct buf sql = BUF_INIT;
    char shown[200];
    int rc = maria_load_sql(&l->t, NULL, "'memory'", &sql, err);
    if (rc == 0)
        rc = buf_append(&sql, "", 1, err);
    maria_crew_lock(crew);
    if (rc == 0 && (d.source = crew->p->streams->open(crew->p->streams->arg, l->stream, err)) == NULL)
        rc = maria_failed(err);
    maria_crew_unlock(crew);
    if (rc == 0)
        rc = load_rows(&d, (const char *)sql.data, err);
    maria_crew_lock(crew);
    source_free(d.source);
    maria_crew_unlock(crew);
    buf_free(&d.rows);
    buf_free(&sql);
    return rc < 0 ? error_wrap(err, "table %s", str_printable(shown, sizeof shown, l->t.name)) : 0;
}

int maria_load_tables(const struct maria_target *t, struct maria_plan *p, struct error *err)
{
    struct maria_crew crew = { .t = t, .p = p, .work = load_table };
    return maria_crew_run(&crew, err);
}
