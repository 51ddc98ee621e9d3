#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/base/vec.h"
#include "common/cli/out_text.h"
#include "common/cli/progress.h"

#include "common/base/banned.h"

enum { COLUMN_GAP = 2 };

struct column {
    char *title;
    bool right;
    size_t width;
};

struct cell {
    char *text;
    enum out_style style;
    size_t width;
};

struct table {
    struct vec columns; /* of struct column */
    struct vec cells;   /* of struct cell, row by row */
    bool pairs;         /* a key-value block: no titles */
    bool failed;
};

struct table *table_new(struct error *err)
{
    struct table *t = mem_alloc(1, sizeof *t, err);
    if (t == NULL)
        return NULL;
    t->columns = (struct vec)VEC_OF(struct column);
    t->cells = (struct vec)VEC_OF(struct cell);
    return t;
}

void table_column(struct table *t, const char *title, bool right)
{
    struct column *c = t != NULL ? vec_push(&t->columns, NULL) : NULL;
    if (c == NULL) {
        if (t != NULL)
            t->failed = true;
        return;
    }
    c->title = str_dup(title, NULL);
    c->right = right;
    c->width = out_columns(title);
    t->failed = t->failed || c->title == NULL;
}

/* Takes the raw text over. */
static void add_cell(struct table *t, enum out_style style, char *raw)
{
    char *text = raw != NULL ? out_safe(raw, false) : NULL;
    free(raw);
    if (t == NULL) {
        free(text);
        return;
    }
    struct cell *cell = text != NULL && t->columns.len != 0 ? vec_push(&t->cells, NULL) : NULL;
    if (cell == NULL) {
        free(text);
        t->failed = true;
        return;
    }
    *cell = (struct cell){ .text = text, .style = style, .width = out_columns(text) };
    struct column *column = vec_at(&t->columns, (t->cells.len - 1) % t->columns.len);
    if (cell->width > column->width)
        column->width = cell->width;
}

void table_cell(struct table *t, enum out_style style, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_cell(t, style, out_format(fmt, ap));
    va_end(ap);
}

size_t table_rows(const struct table *t)
{
    return t == NULL || t->columns.len == 0 ? 0 : t->cells.len / t->columns.len;
}

static void put_spaces(const struct out *out, size_t n)
{
    (void)fprintf(out->file, "%*s", (int)n, "");
}

/* The last column is not filled up, so that no line ends in spaces. */
static void put_cell(const struct out *out, const struct column *c, enum out_style style, const char *text,
                     size_t width, bool last)
{
    size_t fill = c->width - width;
    if (c->right)
        put_spaces(out, fill);
    out_styled(out, style, text);
    if (!last)
        put_spaces(out, (c->right ? 0 : fill) + COLUMN_GAP);
}

int table_print(const struct table *t, const struct out *out, struct error *err)
{
    if (t == NULL || t->failed)
        return error_set(err, E_NOMEM, "out of memory for a table");
    size_t n = t->columns.len;
    progress_hide();
    for (size_t i = 0; i < n && !t->pairs; i++) {
        const struct column *c = vec_at(&t->columns, i);
        put_cell(out, c, OUT_DIM, c->title, out_columns(c->title), i + 1 == n);
        if (i + 1 == n)
            (void)fputc('\n', out->file);
    }
    for (size_t i = 0; i < t->cells.len; i++) {
        const struct cell *cell = vec_at(&t->cells, i);
        bool last = i % n + 1 == n;
        put_cell(out, vec_at(&t->columns, i % n), cell->style, cell->text, cell->width, last);
        if (last || i + 1 == t->cells.len)
            (void)fputc('\n', out->file);
    }
    progress_show();
    return 0;
}

void table_free(struct table *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->columns.len; i++)
        free(((struct column *)vec_at(&t->columns, i))->title);
    for (size_t i = 0; i < t->cells.len; i++)
        free(((struct cell *)vec_at(&t->cells, i))->text);
    vec_free(&t->columns);
    vec_free(&t->cells);
    free(t);
}

struct table *pairs_new(struct error *err)
{
    struct table *t = table_new(err);
    if (t == NULL)
        return NULL;
    t->pairs = true;
    table_column(t, "", false);
    table_column(t, "", false);
    return t;
}

void pairs_add(struct table *t, const char *key, enum out_style style, const char *fmt, ...)
{
    va_list ap;
    table_cell(t, OUT_DIM, "%s:", key);
    va_start(ap, fmt);
    add_cell(t, style, out_format(fmt, ap));
    va_end(ap);
}
