/* Answers as texts that stay. */
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "restore/drill/internal.h"

#include "common/base/banned.h"

enum { ROWS_MAX = 1000000 };

static int keep_row(const char *const *fields, size_t n, void *arg, struct error *err)
{
    struct vec *rows = arg;
    if (rows->len >= ROWS_MAX)
        return error_set(err, E_UNSUPPORTED, "the answer has more than %d rows", ROWS_MAX);
    struct drill_row *row = vec_push(rows, err);
    if (row == NULL || (row->fields = mem_alloc(n + 1, sizeof *row->fields, err)) == NULL)
        return E_NOMEM;
    row->n = n;
    for (size_t i = 0; i < n; i++)
        if (fields[i] != NULL && (row->fields[i] = str_dup(fields[i], err)) == NULL)
            return E_NOMEM;
    return 0;
}

int drill_ask(const struct drill *d, const char *sql, struct vec *rows, struct error *err)
{
    *rows = (struct vec)VEC_OF(struct drill_row);
    return d->s.engine->ask(d->s.to, sql, false, keep_row, rows, err);
}

void drill_rows_free(struct vec *rows)
{
    for (size_t i = 0; i < rows->len; i++) {
        struct drill_row *row = vec_at(rows, i);
        for (size_t k = 0; k < row->n; k++)
            free(row->fields[k]);
        free(row->fields);
    }
    vec_free(rows);
}
