/* One table's rows as a stream that LOAD DATA takes. */
#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/mariadb/internal.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/name.h"

#include "common/base/banned.h"

enum { BATCH = 1 << 16 }; /* bytes of text that are made at once, and a row */

const char *const maria_kinds[] = { "plain", "bytes", "fixed", "float", "enum", "index", "auto" };

/* ---- statements -------------------------------------------------------------------------------------------- */

static int add_selected(struct buf *out, const struct maria_column *col, struct error *err)
{
    int rc = col->kind == KIND_FLOAT ? buf_printf(out, err, "CAST(") : 0;
    if (rc == 0)
        rc = maria_quote(out, col->name, err);
    if (rc == 0 && col->kind == KIND_INDEX)
        rc = buf_printf(out, err, " + 0");
    return rc == 0 && col->kind == KIND_FLOAT ? buf_printf(out, err, " AS DOUBLE)") : rc;
}

int maria_column_list(const struct maria_table *t, bool selected, struct buf *out, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->columns.len; i++) {
        const struct maria_column *col = vec_at(&t->columns, i);
        rc = i == 0 ? 0 : buf_append(out, ", ", 2, err);
        if (rc == 0)
            rc = selected ? add_selected(out, col, err) : maria_quote(out, col->name, err);
    }
    return rc;
}

static int add_table_name(struct buf *out, const char *database, const char *name, struct error *err)
{
    char *sql = maria_qualified(database, name, err);
    int rc = sql != NULL ? buf_append(out, sql, strlen(sql), err) : E_NOMEM;
    free(sql);
    return rc;
}

/* By no index or by the primary key: in the order of the rows themselves, which does not change with the optimizer's
 * mood. */
int maria_select_sql(const struct maria_table *t, const char *database, struct buf *out, struct error *err)
{
    int rc = buf_printf(out, err, "SELECT ");
    if (rc == 0)
        rc = maria_column_list(t, true, out, err);
    if (rc == 0 && t->columns.len == 0)
        rc = buf_printf(out, err, "NULL");
    if (rc == 0)
        rc = buf_printf(out, err, " FROM ");
    if (rc == 0)
        rc = add_table_name(out, database, t->name, err);
    if (rc == 0 && t->part != NULL)
        rc = buf_printf(out, err, " FORCE INDEX (PRIMARY) WHERE %s", t->part);
    else if (rc == 0)
        rc = buf_printf(out, err, "%s USE INDEX ()", t->versioned ? " FOR SYSTEM_TIME ALL" : "");
    return rc == 0 ? buf_append(out, "", 1, err) : rc;
}

/* Loaded into a variable, and from there into the column. The server forgets that a column it numbers itself was given a
 * 0 when the statement sets another column. */
static bool is_set(const struct maria_table *t, const struct maria_column *col)
{
    if (col->kind != KIND_AUTO)
        return col->kind == KIND_FIXED || col->kind == KIND_INDEX;
    for (size_t i = 0; i < t->columns.len; i++) {
        enum maria_kind kind = ((struct maria_column *)vec_at(&t->columns, i))->kind;
        if (kind == KIND_FIXED || kind == KIND_INDEX)
            return true;
    }
    return false;
}

static int add_set(enum maria_kind kind, size_t n, struct buf *out, struct error *err)
{
    if (kind == KIND_FIXED)
        return buf_printf(out, err, " = CONVERT(@c%zu USING latin1)", n);
    return buf_printf(out, err, " = @c%zu%s", n, kind == KIND_INDEX ? " + 0" : "");
}

static int add_loaded(const struct maria_table *t, struct buf *out, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->columns.len; i++) {
        const struct maria_column *col = vec_at(&t->columns, i);
        rc = i == 0 ? 0 : buf_append(out, ", ", 2, err);
        if (rc == 0)
            rc = is_set(t, col) ? buf_printf(out, err, "@c%zu", i + 1) : maria_quote(out, col->name, err);
    }
    return rc == 0 && t->columns.len == 0 ? buf_printf(out, err, "@c1") : rc;
}

static int add_settings(const struct maria_table *t, struct buf *out, struct error *err)
{
    const char *before = " SET ";
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->columns.len; i++) {
        const struct maria_column *col = vec_at(&t->columns, i);
        if (!is_set(t, col))
            continue;
        rc = buf_printf(out, err, "%s", before);
        if (rc == 0)
            rc = maria_quote(out, col->name, err);
        if (rc == 0)
            rc = add_set(col->kind, i + 1, out, err);
        before = ", ";
    }
    return rc;
}

int maria_load_sql(const struct maria_table *t, const char *database, const char *file, struct buf *out,
                   struct error *err)
{
    int rc = buf_printf(out, err, "LOAD DATA LOCAL INFILE %s INTO TABLE ", file);
    if (rc == 0)
        rc = add_table_name(out, database, t->name, err);
    if (rc == 0)
        rc = buf_printf(out, err,
                        " CHARACTER SET binary FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' "
                        "LINES TERMINATED BY '\\n' (");
    if (rc == 0)
        rc = add_loaded(t, out, err);
    if (rc == 0)
        rc = buf_append(out, ")", 1, err);
    return rc == 0 ? add_settings(t, out, err) : rc;
}

int maria_table_path(const char *name, struct buf *out, struct error *err)
{
    int rc = buf_printf(out, err, "tables/");
    if (rc == 0)
        rc = name_encode(out, name, err);
    return rc == 0 ? buf_printf(out, err, ".tsv") : rc;
}

/* ---- fields ------------------------------------------------------------------------------------------------- */

/* What stands behind a backslash for these bytes; 0: the byte itself is fine. */
static const char escapes[256] = { ['\0'] = '0', ['\t'] = 't', ['\n'] = 'n', ['\\'] = '\\' };

/* Behind what was written: at most 2 * len + 2 bytes. */
static uint8_t *put_field(uint8_t *to, const char *value, size_t len, bool escape)
{
    const uint8_t *p = (const uint8_t *)value;
    if (value == NULL) {
        *to++ = '\\';
        *to++ = 'N';
        return to;
    }
    if (!escape) {
        memcpy(to, p, len);
        return to + len;
    }
    for (size_t i = 0; i < len; i++) {
        char e = escapes[p[i]];
        if (e != '\0')
            *to++ = '\\';
        *to++ = e != '\0' ? (uint8_t)e : p[i];
    }
    return to;
}

int maria_put_field(struct buf *out, const char *value, size_t len, bool escape, struct error *err)
{
    int rc = buf_reserve(out, 2 * len + 2, err);
    if (rc == 0)
        out->len = (size_t)(put_field(out->data + out->len, value, len, escape) - out->data);
    return rc;
}

/* ---- the source --------------------------------------------------------------------------------------------- */

struct rows_source {
    struct source base;
    struct maria *c;
    struct maria_table *t;
    MYSQL_RES *result;
    struct fingerprint *fp;
    struct buf text; /* whole rows that were not given out yet */
    size_t at;
    unsigned columns;
    bool *plain; /* columns without anything to escape */
    bool ended;
};

/* A table that is gone or was changed under the snapshot: another run sees it as it is then. */
int maria_table_failed(const struct maria *c, const struct maria_table *t, int rc, struct error *err)
{
    char shown[200];
    if (rc == E_NOT_FOUND || c->number == ER_NO_SUCH_TABLE_IN_ENGINE || c->number == ER_BAD_FIELD_ERROR) {
        error_clear(err);
        return error_set(err, E_RETRY, "table %s.%s was changed, renamed or dropped during the backup",
                         t->database, str_printable(shown, sizeof shown, t->name));
    }
    return error_wrap(err, "table %s.%s", t->database, str_printable(shown, sizeof shown, t->name));
}

static int add_row(struct rows_source *s, MYSQL_ROW row, struct error *err)
{
    const unsigned long *len = mysql_fetch_lengths(s->result);
    size_t room = 1;
    for (unsigned i = 0; i < s->columns; i++)
        room += 2 * (size_t)len[i] + 3;
    int rc = buf_reserve(&s->text, room, err);
    if (rc < 0)
        return rc;
    uint8_t *to = s->text.data + s->text.len;
    for (unsigned i = 0; i < s->columns; i++) {
        if (i > 0)
            *to++ = '\t';
        to = put_field(to, row[i], len[i], !s->plain[i]);
    }
    *to++ = '\n';
    s->text.len = (size_t)(to - s->text.data);
    return 0;
}

static int fill(struct rows_source *s, struct error *err)
{
    MYSQL_ROW row = NULL;
    int rc = 0;
    buf_clear(&s->text);
    s->at = 0;
    while (rc == 0 && s->text.len < BATCH) {
        if ((rc = maria_row(s->c, s->result, &row, err)) < 0)
            return maria_table_failed(s->c, s->t, rc, err);
        if (row == NULL)
            break;
        rc = add_row(s, row, err);
    }
    if (rc < 0)
        return rc;
    fingerprint_lines(s->fp, s->text.data, s->text.len);
    if (row != NULL)
        return 0;
    s->ended = true;
    s->t->rows = fingerprint_rows(s->fp);
    (void)fingerprint_text(s->fp, s->t->fingerprint);
    return 0;
}

static int64_t rows_read(struct source *base, void *data, size_t cap, struct error *err)
{
    struct rows_source *s = (struct rows_source *)base;
    size_t done = 0;
    while (done < cap) {
        if (s->at == s->text.len) {
            int rc = s->ended || done > cap / 2 ? 1 : fill(s, err);
            if (rc != 0)
                return rc < 0 ? rc : (int64_t)done;
            continue;
        }
        size_t n = s->text.len - s->at < cap - done ? s->text.len - s->at : cap - done;
        memcpy((uint8_t *)data + done, s->text.data + s->at, n);
        s->at += n;
        done += n;
    }
    return (int64_t)done;
}

static void rows_free(struct source *base)
{
    struct rows_source *s = (struct rows_source *)base;
    if (s->ended)
        mysql_free_result(s->result);
    else
        maria_abandon(s->c, s->result);
    fingerprint_free(s->fp);
    buf_free(&s->text);
    free(s->plain);
    free(s);
}

static int start(struct rows_source *s, const char *database, struct error *err)
{
    struct buf sql = BUF_INIT;
    int rc = maria_select_sql(s->t, database, &sql, err);
    if (rc == 0 && (rc = maria_start(s->c, (const char *)sql.data, &s->result, err)) < 0)
        rc = maria_table_failed(s->c, s->t, rc, err);
    buf_free(&sql);
    if (rc < 0)
        return rc;
    s->columns = mysql_num_fields(s->result);
    if (s->columns != (s->t->columns.len != 0 ? s->t->columns.len : 1))
        return error_set(err, E_INTERNAL, "%s: the server gave other columns than asked for", s->c->where);
    s->plain = mem_alloc(s->columns, sizeof *s->plain, err);
    for (unsigned i = 0; s->plain != NULL && i < s->t->columns.len; i++) {
        enum maria_kind kind = ((struct maria_column *)vec_at(&s->t->columns, i))->kind;
        s->plain[i] = kind == KIND_PLAIN || kind == KIND_FLOAT || kind == KIND_INDEX || kind == KIND_AUTO;
    }
    return s->plain != NULL ? 0 : E_NOMEM;
}

struct source *maria_rows_source(struct maria *c, struct maria_table *t, const char *database, uint64_t seed,
                                 struct error *err)
{
    struct rows_source *s = mem_alloc(1, sizeof *s, err);
    if (s == NULL)
        return NULL;
    s->base = (struct source){ .read = rows_read, .free = rows_free };
    s->c = c;
    s->t = t;
    s->fp = fingerprint_new(seed, err);
    if (s->fp != NULL && start(s, database, err) == 0)
        return &s->base;
    rows_free(&s->base);
    return NULL;
}
