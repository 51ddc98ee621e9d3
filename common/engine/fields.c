#include "common/engine/fields.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"

#include "common/base/banned.h"

enum { FLUSH = 1 << 16 };

struct fields {
    struct fields_options opt;
    struct buf out;
    struct buf field;
    size_t column; /* of the row that is being read */
    uint64_t rows;
    bool begun;   /* something of this row was seen */
    bool escaped; /* a backslash came last */
    bool null;
};

/* ---- writing ------------------------------------------------------------------------------------------------ */

int fields_put_marked(struct buf *out, const char *p, size_t len, char mark, struct error *err)
{
    int rc = buf_append(out, &mark, 1, err);
    while (rc == 0 && len > 0) {
        const char *at = memchr(p, mark, len);
        size_t n = at != NULL ? (size_t)(at + 1 - p) : len;
        rc = buf_append(out, p, n, err);
        if (rc == 0 && at != NULL)
            rc = buf_append(out, &mark, 1, err);
        p += n;
        len -= n;
    }
    return rc == 0 ? buf_append(out, &mark, 1, err) : rc;
}

static bool needs_quotes(const char *p, size_t len, bool alone)
{
    if (len == 0 || (alone && len == 2 && memcmp(p, "\\.", 2) == 0))
        return true;
    for (size_t i = 0; i < len; i++)
        if (p[i] == ',' || p[i] == '"' || p[i] == '\n' || p[i] == '\r')
            return true;
    return false;
}

int fields_put_csv(struct buf *out, const char *p, size_t len, bool alone, struct error *err)
{
    return needs_quotes(p, len, alone) ? fields_put_marked(out, p, len, '"', err)
                                       : buf_append(out, p, len, err);
}

/* ---- reading ------------------------------------------------------------------------------------------------ */

static int end_field(struct fields *f, struct error *err)
{
    const char *p = f->field.data != NULL ? (const char *)f->field.data : "";
    if (f->column >= f->opt.columns)
        return error_corrupt(err, f->opt.violation, "a row with more than %zu columns", f->opt.columns);
    int rc = f->opt.field(f->opt.arg, f->column, f->null ? NULL : p, f->field.len, &f->out, err);
    buf_clear(&f->field);
    f->null = false;
    f->column++;
    return rc;
}

static int end_row(struct fields *f, struct error *err)
{
    int rc = f->opt.columns == 0 ? 0 : end_field(f, err);
    if (rc == 0 && f->column != f->opt.columns)
        rc = error_corrupt(err, f->opt.violation, "a row with %zu of %zu columns", f->column, f->opt.columns);
    if (rc == 0)
        rc = f->opt.row_end(f->opt.arg, &f->out, err);
    buf_clear(&f->field);
    f->null = false;
    f->column = 0;
    f->begun = false;
    f->rows++;
    if (rc == 0 && f->out.len >= FLUSH) {
        rc = sink_write(f->opt.sink, f->out.data, f->out.len, err);
        buf_clear(&f->out);
    }
    return rc;
}

static int unescape(struct fields *f, char c, struct error *err)
{
    const char *at = memchr(f->opt.letters, c, f->opt.nletters);
    f->escaped = false;
    if (c == 'N' && f->field.len == 0 && !f->null) {
        f->null = true;
        return 0;
    }
    if (f->null)
        return error_corrupt(err, f->opt.violation, "something follows a NULL");
    return buf_append(&f->field, at != NULL ? &f->opt.bytes[at - f->opt.letters] : &c, 1, err);
}

int fields_feed(struct fields *f, const void *data, size_t len, struct error *err)
{
    const char *p = data;
    const char *end = p + len;
    int rc = 0;
    while (rc == 0 && p < end) {
        char c = *p;
        f->begun = true;
        if (f->escaped) {
            rc = unescape(f, c, err);
            p++;
        } else if (c == '\\') {
            f->escaped = true;
            p++;
        } else if (c == '\t' || c == '\n') {
            rc = c == '\t' ? end_field(f, err) : end_row(f, err);
            p++;
        } else {
            const char *from = p;
            while (p < end && *p != '\\' && *p != '\t' && *p != '\n')
                p++;
            rc = f->null ? error_corrupt(err, f->opt.violation, "something follows a NULL")
                         : buf_append(&f->field, from, (size_t)(p - from), err);
        }
    }
    return rc;
}

int fields_end(struct fields *f, uint64_t *rows, struct error *err)
{
    *rows = f->rows;
    if (f->begun)
        return error_corrupt(err, f->opt.violation, "the last row has no end");
    int rc = f->out.len != 0 ? sink_write(f->opt.sink, f->out.data, f->out.len, err) : 0;
    buf_clear(&f->out);
    return rc;
}

struct fields *fields_new(const struct fields_options *options, struct error *err)
{
    struct fields *f = mem_alloc(1, sizeof *f, err);
    if (f != NULL)
        f->opt = *options;
    return f;
}

struct buf *fields_out(struct fields *f)
{
    return &f->out;
}

void fields_free(struct fields *f)
{
    if (f == NULL)
        return;
    buf_free(&f->out);
    buf_free(&f->field);
    free(f);
}
