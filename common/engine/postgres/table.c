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
#include "common/engine/postgres/table_parts.h"
#include "common/engine/select.h"

#include "common/base/banned.h"

enum { BLOCK = 1 << 18 };

/* The table that is selected. Partitioned, it has the rows of several streams, and no columns of its own here. */
struct chosen {
    struct pgsql_table whole; /* schema, name and sql: owned */
    struct vec parts;         /* struct pgsql_load *, of the plan */
};

static const struct pgsql_load *part_at(const struct chosen *ch, size_t i)
{
    return *(struct pgsql_load *const *)vec_at(&ch->parts, i);
}

/* ---- finding it --------------------------------------------------------------------------------------------- */

static int choose(const struct pgsql_load *l, struct chosen *ch, struct error *err)
{
    const struct pgsql_load **slot = vec_push(&ch->parts, err);
    if (slot == NULL)
        return E_NOMEM;
    *slot = l;
    ch->whole.schema = str_dup(l->t.schema, err);
    ch->whole.name = str_dup(l->t.name, err);
    ch->whole.sql = str_dup(l->t.sql, err);
    return ch->whole.schema != NULL && ch->whole.name != NULL && ch->whole.sql != NULL ? 0 : E_NOMEM;
}

static int find(struct pgsql_plan *p, struct chosen *out, struct error *err)
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
    if (rc == 0 && (rc = select_table(p->target->select, &known, &at, &why)) == 0)
        rc = choose(vec_at(&p->loads, at), out, err);
    else if (why.code != 0)
        rc = why.code == E_NOT_FOUND ? pgsql_table_parts(p, &why, &out->parts, &out->whole, err)
                                     : error_copy(err, &why);
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
static int target_of(const struct pgsql_table *t, const char *as, char **into, struct error *err)
{
    char *schema = NULL;
    char *name = NULL;
    if (as == NULL) {
        *into = str_dup(t->sql, err);
        return *into != NULL ? 0 : E_NOMEM;
    }
    int rc = select_new_name(as, &schema, &name, err);
    if (rc == 0 && (*into = pgsql_qualified(schema != NULL ? schema : t->schema, name, err)) == NULL)
        rc = E_NOMEM;
    free(schema);
    free(name);
    return rc;
}

static int begin_sql(const struct pgsql_plan *p, const struct pgsql_table *t, const struct engine_table *what,
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
                        into, t->sql);
    if (rc == 0)
        rc = sink_write(out, head.data, head.len, err);
    buf_free(&head);
    return rc;
}

static int copy_sql(const struct pgsql_plan *p, const struct pgsql_load *l, const char *into,
                    struct sink *out, struct error *err)
{
    struct buf head = BUF_INIT;
    int rc = buf_printf(&head, err, "COPY %s%s", into, l->t.columns.len != 0 ? " (" : "");
    if (rc == 0)
        rc = pgsql_column_list(&l->t, &head, err);
    if (rc == 0)
        rc = buf_printf(&head, err, "%s FROM stdin;\n", l->t.columns.len != 0 ? ")" : "");
    if (rc == 0)
        rc = sink_write(out, head.data, head.len, err);
    if (rc == 0)
        rc = converted(p, l, COPYTEXT_COPY, into, out, err);
    buf_free(&head);
    return rc == 0 ? write_text(out, "\\.\n", err) : rc;
}

static int as_sql(const struct pgsql_plan *p, const struct chosen *ch, const struct engine_table *what,
                  struct sink *out, struct error *err)
{
    char *into = NULL;
    int rc = target_of(&ch->whole, what->as, &into, err);
    if (rc == 0)
        rc = begin_sql(p, &ch->whole, what, into, out, err);
    for (size_t i = 0; rc == 0 && i < ch->parts.len; i++)
        rc = what->inserts ? converted(p, part_at(ch, i), COPYTEXT_INSERTS, into, out, err)
                           : copy_sql(p, part_at(ch, i), into, out, err);
    free(into);
    return rc == 0 ? write_text(out, "COMMIT;\n", err) : rc;
}

/* ---- may it be written? ------------------------------------------------------------------------------------------ */

static bool same_columns(const struct pgsql_table *a, const struct pgsql_table *b)
{
    bool same = a->columns.len == b->columns.len;
    for (size_t i = 0; same && i < a->columns.len; i++)
        same = strcmp(*(char **)vec_at(&a->columns, i), *(char **)vec_at(&b->columns, i)) == 0;
    return same;
}

static int refuse_part(const struct pgsql_load *first, const struct pgsql_load *l, bool several,
                       const struct engine_table *what, struct error *err)
{
    if (l->t.binary && (several || what->format != FORMAT_COPY))
        return error_set(
            err, E_UNSUPPORTED,
            "table %s is stored in COPY's binary format, since a row of it is longer than 1 GB as text: "
            "--format copy gives it as it is, by itself (COPY ... FROM STDIN WITH (FORMAT binary))",
            l->t.sql);
    if (what->format != FORMAT_SQL && !same_columns(&first->t, &l->t))
        return error_set(
            err, E_UNSUPPORTED,
            "the partitions %s and %s have their columns in different orders: --format sql names the "
            "columns for each of them; or name one partition at a time",
            first->t.sql, l->t.sql);
    return 0;
}

static int write_table(const struct pgsql_plan *p, const struct chosen *ch, const struct engine_table *what,
                       struct sink *out, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ch->parts.len; i++)
        rc = refuse_part(part_at(ch, 0), part_at(ch, i), ch->parts.len > 1, what, err);
    if (rc == 0 && what->format == FORMAT_SQL)
        return as_sql(p, ch, what, out, err);
    for (size_t i = 0; rc == 0 && i < ch->parts.len; i++)
        rc = what->format == FORMAT_CSV
                 ? converted(p, part_at(ch, i), i == 0 ? COPYTEXT_CSV : COPYTEXT_CSV_ROWS, NULL, out, err)
                 : each_block(p, part_at(ch, i), NULL, out, err);
    return rc;
}

int pgsql_table(const struct engine_streams *streams, const struct engine_table *what, struct sink *out,
                struct error *err)
{
    const struct engine_target target = { .facts = what->facts, .select = what->select };
    struct pgsql_plan plan = { .streams = NULL };
    struct chosen ch = { .parts = VEC_OF(struct pgsql_load *) };
    int rc = pgsql_plan_make(&plan, streams, &target, err);
    if (rc == 0)
        rc = find(&plan, &ch, err);
    if (rc == 0)
        rc = write_table(&plan, &ch, what, out, err);
    free(ch.whole.schema);
    free(ch.whole.name);
    free(ch.whole.sql);
    vec_free(&ch.parts);
    pgsql_plan_free(&plan);
    return rc;
}
