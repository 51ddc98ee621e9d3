#include "common/engine/postgres/copytext.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/engine/postgres/name.h"

#include "common/base/banned.h"

#define ERR_COPY "postgres-copy"
enum { FLUSH = 1 << 16 };

struct copytext {
    enum copytext_kind kind;
    const struct pgsql_table *table;
    struct sink *sink;
    struct buf out;
    struct buf head; /* of an INSERT */
    struct buf field;
    size_t column; /* of the row that is being read */
    uint64_t rows;
    bool begun;   /* something of this row was seen */
    bool escaped; /* a backslash came last */
    bool null;
};

static int put(struct copytext *t, const void *data, size_t len, struct error *err)
{
    return buf_append(&t->out, data, len, err);
}

/* ---- one value --------------------------------------------------------------------------------------------- */

static bool needs_quotes(const char *p, size_t len, bool alone)
{
    if (len == 0 || (alone && len == 2 && memcmp(p, "\\.", 2) == 0))
        return true;
    for (size_t i = 0; i < len; i++)
        if (p[i] == ',' || p[i] == '"' || p[i] == '\n' || p[i] == '\r')
            return true;
    return false;
}

/* In marks, which are doubled inside. */
static int put_marked(struct copytext *t, const char *p, size_t len, char mark, struct error *err)
{
    int rc = put(t, &mark, 1, err);
    while (rc == 0 && len > 0) {
        const char *at = memchr(p, mark, len);
        size_t n = at != NULL ? (size_t)(at + 1 - p) : len;
        rc = put(t, p, n, err);
        if (rc == 0 && at != NULL)
            rc = put(t, &mark, 1, err);
        p += n;
        len -= n;
    }
    return rc == 0 ? put(t, &mark, 1, err) : rc;
}

static int put_csv(struct copytext *t, const char *p, size_t len, struct error *err)
{
    return needs_quotes(p, len, t->table->columns.len == 1) ? put_marked(t, p, len, '"', err)
                                                            : put(t, p, len, err);
}

static int end_field(struct copytext *t, struct error *err)
{
    bool csv = t->kind == COPYTEXT_CSV;
    const char *p = (const char *)t->field.data;
    int rc = 0;
    if (t->column >= t->table->columns.len)
        return error_corrupt(err, ERR_COPY, "a row with more than %zu columns", t->table->columns.len);
    if (t->column != 0)
        rc = put(t, csv ? "," : ", ", csv ? 1 : 2, err);
    else if (!csv)
        rc = put(t, t->head.data, t->head.len, err);
    if (rc == 0 && t->null)
        rc = csv ? 0 : put(t, "NULL", 4, err);
    else if (rc == 0)
        rc = csv ? put_csv(t, p, t->field.len, err)
                 : put_marked(t, p != NULL ? p : "", t->field.len, '\'', err);
    buf_clear(&t->field);
    t->null = false;
    t->column++;
    return rc;
}

static int end_row(struct copytext *t, struct error *err)
{
    bool csv = t->kind == COPYTEXT_CSV;
    bool none = t->table->columns.len == 0;
    int rc = none ? 0 : end_field(t, err);
    if (rc == 0 && t->column != t->table->columns.len)
        rc = error_corrupt(err, ERR_COPY, "a row with %zu of %zu columns", t->column, t->table->columns.len);
    if (rc == 0 && none && !csv)
        rc = put(t, t->head.data, t->head.len, err);
    if (rc == 0)
        rc = csv ? put(t, "\n", 1, err) : put(t, none ? ";\n" : ");\n", none ? 2 : 3, err);
    t->column = 0;
    t->begun = false;
    t->rows++;
    if (rc == 0 && t->out.len >= FLUSH) {
        rc = sink_write(t->sink, t->out.data, t->out.len, err);
        buf_clear(&t->out);
    }
    return rc;
}

/* ---- reading ----------------------------------------------------------------------------------------------- */

static int unescape(struct copytext *t, char c, struct error *err)
{
    static const char from[] = "bfnrtv";
    static const char to[] = "\b\f\n\r\t\v";
    const char *at = c != '\0' ? strchr(from, c) : NULL;
    t->escaped = false;
    if (c == 'N' && t->field.len == 0 && !t->null) {
        t->null = true;
        return 0;
    }
    return buf_append(&t->field, at != NULL ? &to[at - from] : &c, 1, err);
}

int copytext_feed(struct copytext *t, const void *data, size_t len, struct error *err)
{
    const char *p = data;
    const char *end = p + len;
    int rc = 0;
    while (rc == 0 && p < end) {
        char c = *p;
        t->begun = true;
        if (t->escaped) {
            rc = unescape(t, c, err);
            p++;
        } else if (c == '\\') {
            t->escaped = true;
            p++;
        } else if (c == '\t' || c == '\n') {
            rc = c == '\t' ? end_field(t, err) : end_row(t, err);
            p++;
        } else {
            const char *from = p;
            while (p < end && *p != '\\' && *p != '\t' && *p != '\n')
                p++;
            rc = t->null ? error_corrupt(err, ERR_COPY, "something follows a NULL")
                         : buf_append(&t->field, from, (size_t)(p - from), err);
        }
    }
    return rc;
}

int copytext_end(struct copytext *t, uint64_t *rows, struct error *err)
{
    *rows = t->rows;
    if (t->begun)
        return error_corrupt(err, ERR_COPY, "the last row has no end");
    int rc = t->out.len != 0 ? sink_write(t->sink, t->out.data, t->out.len, err) : 0;
    buf_clear(&t->out);
    return rc;
}

static int write_header(struct copytext *t, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->table->columns.len; i++) {
        const char *name = *(char **)vec_at(&t->table->columns, i);
        rc = i != 0 ? put(t, ",", 1, err) : 0;
        if (rc == 0)
            rc = put_csv(t, name, strlen(name), err);
    }
    return rc == 0 ? put(t, "\n", 1, err) : rc;
}

static int make_head(struct copytext *t, const char *into, struct error *err)
{
    bool none = t->table->columns.len == 0;
    int rc = buf_printf(&t->head, err, "INSERT INTO %s", into);
    if (rc == 0)
        rc = buf_append(&t->head, none ? " DEFAULT VALUES" : " (", none ? 15 : 2, err);
    if (rc == 0)
        rc = pgsql_column_list(t->table, &t->head, err);
    return rc == 0 && !none ? buf_printf(&t->head, err, ") OVERRIDING SYSTEM VALUE VALUES (") : rc;
}

struct copytext *copytext_new(enum copytext_kind kind, const struct pgsql_table *table, const char *into,
                              struct sink *out, struct error *err)
{
    struct copytext *t = mem_alloc(1, sizeof *t, err);
    if (t == NULL)
        return NULL;
    t->kind = kind;
    t->table = table;
    t->sink = out;
    if ((kind == COPYTEXT_CSV ? write_header(t, err) : make_head(t, into, err)) == 0)
        return t;
    copytext_free(t);
    return NULL;
}

void copytext_free(struct copytext *t)
{
    if (t == NULL)
        return;
    buf_free(&t->out);
    buf_free(&t->head);
    buf_free(&t->field);
    free(t);
}
