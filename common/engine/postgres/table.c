/* One table of a snapshot for other programs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/engine/postgres/copytext.h"
#include "common/engine/postgres/name.h"
#include "common/engine/postgres/restore.h"
#include "common/engine/select.h"

#include "common/base/banned.h"

enum { BLOCK = 1 << 18, LIST_MAX = 600, SHOWN_MAX = 300 };

/* ---- finding it --------------------------------------------------------------------------------------------- */

/* A partitioned table has no rows of its own: where they are. */
static int has_partitions(struct pgsql_plan *p, const struct error *why, struct error *err)
{
    struct vec names = VEC_OF(char *);
    char list[LIST_MAX];
    char shown[SHOWN_MAX];
    int rc = pgsql_schema_fetch(p, NULL);
    if (rc == 0)
        rc = pgsql_schema_select(p, NULL, NULL);
    if (rc < 0 || p->loads.len == 0)
        return error_copy(err, why);
    for (size_t i = 0; rc == 0 && i < p->loads.len; i++) {
        const struct pgsql_load *l = vec_at(&p->loads, i);
        char **slot = vec_push(&names, err);
        rc = slot != NULL && (*slot = select_text(l->t.schema, l->t.name, err)) != NULL ? 0 : E_NOMEM;
    }
    if (rc == 0)
        rc = error_set(err, E_USAGE, "%s is partitioned, and its rows are in its partitions: %s",
                       str_printable(shown, sizeof shown, p->target->select->tables[0]),
                       pgsql_names_text(&names, list, sizeof list));
    pgsql_names_free(&names);
    return rc;
}

static int find(struct pgsql_plan *p, struct pgsql_load **out, struct error *err)
{
    struct vec items = VEC_OF(struct select_item);
    struct error why = ERROR_INIT;
    size_t at = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->loads.len; i++) {
        const struct pgsql_load *l = vec_at(&p->loads, i);
        struct select_item *item = vec_push(&items, err);
        rc = item != NULL ? 0 : E_NOMEM;
        if (item != NULL)
            *item = (struct select_item){ .schema = l->t.schema, .name = l->t.name };
    }
    struct select_known known = { items.data, items.len, NULL, 0 };
    if (rc == 0 && (rc = select_table(p->target->select, &known, &at, &why)) < 0)
        rc = rc == E_NOT_FOUND ? has_partitions(p, &why, err) : error_copy(err, &why);
    if (rc == 0)
        *out = vec_at(&p->loads, at);
    vec_free(&items);
    return rc;
}

/* ---- writing it --------------------------------------------------------------------------------------------- */

static int write_text(struct sink *out, const char *text, struct error *err)
{
    return sink_write(out, text, strlen(text), err);
}

static int each_block(const struct pgsql_plan *p, const struct pgsql_load *l, struct copytext *text,
                      struct sink *out, struct error *err)
{
    struct source *s = pgsql_plan_open(p, true, l->stream + strlen(p->prefix), err);
    uint8_t *block = s != NULL ? mem_alloc(1, BLOCK, err) : NULL;
    int64_t n = 0;
    int rc = block != NULL ? 0 : pgsql_failed(err);
    while (rc == 0 && (n = source_read(s, block, BLOCK, err)) > 0)
        rc = text != NULL ? copytext_feed(text, block, (size_t)n, err)
                          : sink_write(out, block, (size_t)n, err);
    free(block);
    source_free(s);
    return rc == 0 && n < 0 ? (int)n : rc;
}

static int converted(const struct pgsql_plan *p, const struct pgsql_load *l, enum copytext_kind kind,
                     const char *into, struct sink *out, struct error *err)
{
    uint64_t rows = 0;
    struct copytext *text = copytext_new(kind, &l->t, into, out, err);
    int rc = text != NULL ? each_block(p, l, text, out, err) : pgsql_failed(err);
    if (rc == 0)
        rc = copytext_end(text, &rows, err);
    if (rc == 0 && rows != l->t.rows)
        rc = error_corrupt(err, "facts-differ", "%s has %llu rows, backed up were %llu", l->stream,
                           (unsigned long long)rows, (unsigned long long)l->t.rows);
    copytext_free(text);
    return rc;
}

/* "into" as SQL: the table itself, or the new one that --as names. */
static int target_of(const struct pgsql_load *l, const char *as, char **into, struct error *err)
{
    char *schema = NULL;
    char *name = NULL;
    if (as == NULL) {
        *into = str_dup(l->t.sql, err);
        return *into != NULL ? 0 : E_NOMEM;
    }
    int rc = select_new_name(as, &schema, &name, err);
    if (rc == 0 && (*into = pgsql_qualified(schema != NULL ? schema : l->t.schema, name, err)) == NULL)
        rc = E_NOMEM;
    free(schema);
    free(name);
    return rc;
}

static int begin_sql(const struct pgsql_plan *p, const struct pgsql_load *l, const struct engine_table *what,
                     const char *into, struct sink *out, struct error *err)
{
    struct buf head = BUF_INIT;
    char encoding[64] = "UTF8";
    (void)fact_get(p->schema_facts, "encoding", encoding, sizeof encoding);
    int rc = buf_printf(
        &head, err,
        "-- For psql -X -v ON_ERROR_STOP=1. One transaction: nothing stays of a script that was cut.\n"
        "SET client_encoding = '%s';\n%sBEGIN;\n",
        encoding, pgsql_script_settings());
    if (rc == 0 && what->as != NULL)
        rc = buf_printf(&head, err, "CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING GENERATED);\n",
                        into, l->t.sql);
    if (rc == 0 && !what->inserts) {
        rc = buf_printf(&head, err, "COPY %s%s", into, l->t.columns.len != 0 ? " (" : "");
        if (rc == 0)
            rc = pgsql_column_list(&l->t, &head, err);
        if (rc == 0)
            rc = buf_printf(&head, err, "%s FROM stdin;\n", l->t.columns.len != 0 ? ")" : "");
    }
    if (rc == 0)
        rc = sink_write(out, head.data, head.len, err);
    buf_free(&head);
    return rc;
}

static int as_sql(const struct pgsql_plan *p, const struct pgsql_load *l, const struct engine_table *what,
                  struct sink *out, struct error *err)
{
    char *into = NULL;
    int rc = target_of(l, what->as, &into, err);
    if (rc == 0)
        rc = begin_sql(p, l, what, into, out, err);
    if (rc == 0)
        rc = converted(p, l, what->inserts ? COPYTEXT_INSERTS : COPYTEXT_COPY, into, out, err);
    if (rc == 0 && !what->inserts)
        rc = write_text(out, "\\.\n", err);
    free(into);
    return rc == 0 ? write_text(out, "COMMIT;\n", err) : rc;
}

static int write_table(const struct pgsql_plan *p, const struct pgsql_load *l,
                       const struct engine_table *what, struct sink *out, struct error *err)
{
    if (l->t.binary && what->format != FORMAT_COPY)
        return error_set(
            err, E_UNSUPPORTED,
            "table %s is stored in COPY's binary format, since a row of it is longer than 1 GB as text: "
            "--format copy gives it as it is (COPY ... FROM STDIN WITH (FORMAT binary))",
            l->t.sql);
    switch (what->format) {
    case FORMAT_CSV:
        return converted(p, l, COPYTEXT_CSV, NULL, out, err);
    case FORMAT_SQL:
        return as_sql(p, l, what, out, err);
    default:
        return each_block(p, l, NULL, out, err);
    }
}

int pgsql_table(const struct engine_streams *streams, const struct engine_table *what, struct sink *out,
                struct error *err)
{
    const struct engine_target target = { .facts = what->facts, .select = what->select };
    struct pgsql_plan plan = { .streams = NULL };
    struct pgsql_load *load = NULL;
    int rc = pgsql_plan_make(&plan, streams, &target, err);
    if (rc == 0)
        rc = find(&plan, &load, err);
    if (rc == 0)
        rc = write_table(&plan, load, what, out, err);
    pgsql_plan_free(&plan);
    return rc;
}
