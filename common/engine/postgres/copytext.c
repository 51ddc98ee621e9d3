#include "common/engine/postgres/copytext.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/engine/fields.h"
#include "common/engine/postgres/name.h"

#include "common/base/banned.h"

#define ERR_COPY "postgres-copy"

struct copytext {
    const struct pgsql_table *table;
    struct fields *fields; /* NULL: the rows are taken as they are */
    struct buf head;       /* of an INSERT */
    struct sink *out;
    uint64_t rows;
    unsigned seen; /* bytes of the line, up to 2 */
    bool slash;    /* it begins with a backslash */
};

static int csv_field(void *arg, size_t column, const char *value, size_t len, struct buf *out,
                     struct error *err)
{
    const struct copytext *t = arg;
    int rc = column != 0 ? buf_append(out, ",", 1, err) : 0;
    return rc == 0 && value != NULL ? fields_put_csv(out, value, len, t->table->columns.len == 1, err) : rc;
}

static int csv_row_end(void *arg, struct buf *out, struct error *err)
{
    (void)arg;
    return buf_append(out, "\n", 1, err);
}

static int insert_field(void *arg, size_t column, const char *value, size_t len, struct buf *out,
                        struct error *err)
{
    const struct copytext *t = arg;
    int rc = column != 0 ? buf_append(out, ", ", 2, err) : buf_append(out, t->head.data, t->head.len, err);
    if (rc < 0)
        return rc;
    return value == NULL ? buf_append(out, "NULL", 4, err) : fields_put_marked(out, value, len, '\'', err);
}

static int insert_row_end(void *arg, struct buf *out, struct error *err)
{
    const struct copytext *t = arg;
    if (t->table->columns.len != 0)
        return buf_append(out, ");\n", 3, err);
    int rc = buf_append(out, t->head.data, t->head.len, err);
    return rc == 0 ? buf_append(out, ";\n", 2, err) : rc;
}

static int write_header(struct copytext *t, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->table->columns.len; i++) {
        const char *name = *(char **)vec_at(&t->table->columns, i);
        rc = csv_field(t, i, name, strlen(name), fields_out(t->fields), err);
    }
    return rc == 0 ? csv_row_end(t, fields_out(t->fields), err) : rc;
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

/* ---- as they are ------------------------------------------------------------------------------------------- */

static int check_lines(struct copytext *t, const char *p, size_t len, struct error *err)
{
    const char *end = p + len;
    while (p < end) {
        if (t->seen < 2 && *p != '\n') {
            if (t->slash && *p == '.')
                return error_corrupt(
                    err, ERR_COPY,
                    "row %llu begins with \"\\.\", which no server writes: in a script it would "
                    "end the rows, and what follows would run",
                    (unsigned long long)t->rows + 1);
            t->slash = t->seen == 0 && *p == '\\';
            t->seen++;
            p++;
            continue;
        }
        const char *at = memchr(p, '\n', (size_t)(end - p));
        if (at == NULL)
            return 0;
        t->rows++;
        t->seen = 0;
        t->slash = false;
        p = at + 1;
    }
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------------------------------ */

struct copytext *copytext_new(enum copytext_kind kind, const struct pgsql_table *table, const char *into,
                              struct sink *out, struct error *err)
{
    static const char letters[] = "bfnrtv";
    struct copytext *t = mem_alloc(1, sizeof *t, err);
    bool csv = kind == COPYTEXT_CSV || kind == COPYTEXT_CSV_ROWS;
    bool header = kind == COPYTEXT_CSV;
    if (t == NULL)
        return NULL;
    t->table = table;
    t->out = out;
    if (kind == COPYTEXT_COPY)
        return t;
    const struct fields_options options = {
        .columns = table->columns.len,
        .letters = letters,
        .bytes = "\b\f\n\r\t\v",
        .nletters = sizeof letters - 1,
        .violation = ERR_COPY,
        .sink = out,
        .field = csv ? csv_field : insert_field,
        .row_end = csv ? csv_row_end : insert_row_end,
        .arg = t,
    };
    t->fields = fields_new(&options, err);
    int rc = t->fields == NULL ? E_NOMEM : header ? write_header(t, err) : csv ? 0 : make_head(t, into, err);
    if (rc == 0)
        return t;
    copytext_free(t);
    return NULL;
}

int copytext_feed(struct copytext *t, const void *data, size_t len, struct error *err)
{
    if (t->fields != NULL)
        return fields_feed(t->fields, data, len, err);
    int rc = check_lines(t, data, len, err);
    return rc == 0 ? sink_write(t->out, data, len, err) : rc;
}

int copytext_end(struct copytext *t, uint64_t *rows, struct error *err)
{
    if (t->fields != NULL)
        return fields_end(t->fields, rows, err);
    *rows = t->rows;
    return t->seen == 0 ? 0 : error_corrupt(err, ERR_COPY, "the last row has no end");
}

void copytext_free(struct copytext *t)
{
    if (t == NULL)
        return;
    fields_free(t->fields);
    buf_free(&t->head);
    free(t);
}
