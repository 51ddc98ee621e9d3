/* One table of a snapshot for other programs. */
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/mariadb/restore.h"
#include "common/engine/mariadb/rowtext.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/name.h"
#include "common/engine/select.h"

#include "common/base/banned.h"

enum { BLOCK = 1 << 18, LIST_MAX = 600 };

/* ---- finding it --------------------------------------------------------------------------------------------- */

static int find(const struct maria_plan *p, const struct engine_selection *select,
                const struct maria_load **out, struct error *err)
{
    struct vec items = VEC_OF(struct select_item);
    size_t at = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->loads.len; i++) {
        const struct maria_load *l = vec_at(&p->loads, i);
        struct select_item *item = vec_push(&items, err);
        rc = item != NULL ? 0 : E_NOMEM;
        if (item != NULL)
            *item = (struct select_item){ .schema = p->database, .name = l->t.name };
    }
    const struct select_known known = { .items = items.data, .nitems = items.len };
    if (rc == 0)
        rc = select_table(select, &known, &at, err);
    if (rc == 0)
        *out = vec_at(&p->loads, at);
    vec_free(&items);
    return rc;
}

/* ---- writing it --------------------------------------------------------------------------------------------- */

static int each_block(const struct maria_plan *p, const struct maria_load *l, struct rowtext *text,
                      struct sink *out, struct error *err)
{
    struct source *s = p->streams->open(p->streams->arg, l->stream, err);
    uint8_t *block = s != NULL ? mem_alloc(1, BLOCK, err) : NULL;
    int64_t n = 0;
    int rc = block != NULL ? 0 : maria_failed(err);
    while (rc == 0 && (n = source_read(s, block, BLOCK, err)) > 0)
        rc =
            text != NULL ? rowtext_feed(text, block, (size_t)n, err) : sink_write(out, block, (size_t)n, err);
    free(block);
    source_free(s);
    return rc == 0 && n < 0 ? (int)n : rc;
}

static int converted(const struct maria_plan *p, const struct maria_load *l, enum rowtext_kind kind,
                     const char *into, struct sink *out, struct error *err)
{
    uint64_t rows = 0;
    struct rowtext *text = rowtext_new(kind, &l->t, into, out, err);
    int rc = text != NULL ? each_block(p, l, text, out, err) : maria_failed(err);
    if (rc == 0)
        rc = rowtext_end(text, &rows, err);
    if (rc == 0 && rows != l->t.rows)
        rc = error_corrupt(err, ERR_MARIA_DIFFER, "%s has %llu rows, backed up were %llu", l->stream,
                           (unsigned long long)rows, (unsigned long long)l->t.rows);
    rowtext_free(text);
    return rc;
}

/* The table itself, in whatever database the script runs, or the new one that --as names. */
static int target_of(const struct maria_load *l, const char *as, char **into, struct error *err)
{
    char *database = NULL;
    char *name = NULL;
    int rc = as != NULL ? select_new_name(as, &database, &name, err) : 0;
    if (rc == 0 && (*into = maria_qualified(database, as != NULL ? name : l->t.name, err)) == NULL)
        rc = E_NOMEM;
    free(database);
    free(name);
    return rc;
}

static int begin_sql(const struct maria_load *l, const struct engine_table *what, const char *into,
                     struct sink *out, struct error *err)
{
    struct buf head = BUF_INIT;
    char *like = maria_quoted_text(l->t.name, err);
    int rc = like != NULL
                 ? buf_printf(&head, err,
                              "-- For mariadb DB < FILE. One transaction: no row stays of a script that "
                              "was cut. Foreign keys are not checked;\n"
                              "-- triggers of the table fire.\n"
                              "SET NAMES utf8mb4;\n"
                              "SET SESSION sql_mode='%s', time_zone='+00:00';\n"
                              "SET SESSION foreign_key_checks=0, check_constraint_checks=0;\n%s",
                              ROWTEXT_STRICT,
                              l->t.versioned ? "SET SESSION system_versioning_insert_history=1;\n" : "")
                 : E_NOMEM;
    if (rc == 0 && what->as != NULL)
        rc = buf_printf(&head, err, "CREATE TABLE %s LIKE %s;\n", into, like);
    if (rc == 0)
        rc = buf_printf(&head, err, "START TRANSACTION;\n");
    if (rc == 0)
        rc = sink_write(out, head.data, head.len, err);
    buf_free(&head);
    free(like);
    return rc;
}

static int as_sql(const struct maria_plan *p, const struct maria_load *l, const struct engine_table *what,
                  struct sink *out, struct error *err)
{
    static const char commit[] = "COMMIT;\n";
    char *into = NULL;
    int rc = target_of(l, what->as, &into, err);
    if (rc == 0)
        rc = begin_sql(l, what, into, out, err);
    if (rc == 0)
        rc = converted(p, l, what->inserts ? ROWTEXT_INSERTS : ROWTEXT_BLOCKS, into, out, err);
    free(into);
    return rc == 0 ? sink_write(out, commit, sizeof commit - 1, err) : rc;
}

static int as_csv(const struct maria_plan *p, const struct maria_load *l, struct sink *out, struct error *err)
{
    struct vec names = VEC_OF(char *);
    char list[LIST_MAX];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < l->t.columns.len; i++) {
        const struct maria_column *col = vec_at(&l->t.columns, i);
        if (rowtext_hex(col))
            rc = names_add(&names, col->name, err);
    }
    if (rc == 0 && names.len > 0)
        log_event(LOG_WARN, "as hexadecimal digits of their bytes: %s",
                  names_text(&names, list, sizeof list));
    names_free(&names);
    return rc == 0 ? converted(p, l, ROWTEXT_CSV, NULL, out, err) : rc;
}

int maria_table(const struct engine_streams *streams, const struct engine_table *what, struct sink *out,
                struct error *err)
{
    /* The plan has every table, so that the name may be any of them. */
    const struct engine_selection whole = { .database =
                                                what->select != NULL ? what->select->database : NULL };
    const struct engine_target target = { .facts = what->facts, .select = &whole };
    struct maria_plan plan = { .streams = NULL };
    const struct maria_load *load = NULL;
    int rc = maria_plan_make(&plan, streams, &target, err);
    if (rc == 0)
        rc = find(&plan, what->select, &load, err);
    if (rc == 0 && what->format == FORMAT_SQL)
        rc = as_sql(&plan, load, what, out, err);
    else if (rc == 0)
        rc = what->format == FORMAT_CSV ? as_csv(&plan, load, out, err)
                                        : each_block(&plan, load, NULL, out, err);
    maria_plan_free(&plan);
    return rc;
}
