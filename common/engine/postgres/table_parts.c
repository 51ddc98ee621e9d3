/* Where the rows of a partitioned table are. */
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/postgres/name.h"
#include "common/engine/postgres/restore.h"
#include "common/engine/postgres/table_parts.h"
#include "common/engine/select.h"

#include "common/base/banned.h"

enum { SHOWN_MAX = 300 };

/* ---- the tree of partitions ------------------------------------------------------------------------------------ */

/* Child and parent of a TABLE ATTACH; false for any other entry. */
static bool joins(const struct toc_entry *e, size_t *child, size_t *parent)
{
    if (!toc_is(e, "TABLE ATTACH") || e->deps.len < 2)
        return false;
    *child = *(size_t *)vec_at(&e->deps, 0);
    *parent = *(size_t *)vec_at(&e->deps, 1);
    return true;
}

/* inside[i]: entry i is `root`, a partition of it, or one of that. */
static bool *mark_inside(const struct pgsql_toc *toc, size_t root, struct error *err)
{
    bool *inside = mem_alloc(toc->entries.len + 1, sizeof *inside, err);
    size_t child = 0;
    size_t parent = 0;
    if (inside == NULL)
        return NULL;
    inside[root] = true;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < toc->entries.len; i++)
            if (joins(toc_at(toc, i), &child, &parent) && inside[parent] && !inside[child])
                inside[child] = more = true;
    }
    return inside;
}

static bool is_parent(const struct pgsql_toc *toc, size_t at)
{
    size_t child = 0;
    size_t parent = 0;
    for (size_t i = 0; i < toc->entries.len; i++)
        if (joins(toc_at(toc, i), &child, &parent) && parent == at)
            return true;
    return false;
}

static struct pgsql_load *load_of(const struct pgsql_plan *p, const struct toc_entry *e)
{
    for (size_t i = 0; i < p->loads.len; i++) {
        struct pgsql_load *l = vec_at(&p->loads, i);
        if (strcmp(l->t.schema, e->schema) == 0 && strcmp(l->t.name, e->tag) == 0)
            return l;
    }
    return NULL;
}

/* ---- which one is meant ------------------------------------------------------------------------------------------ */

static int find_entry(const struct pgsql_plan *p, size_t *out, struct error *err)
{
    const struct pgsql_toc *toc = &p->schema.toc;
    struct vec items = VEC_OF(struct select_item);
    struct vec places = VEC_OF(size_t);
    size_t at = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < toc->entries.len; i++) {
        const struct toc_entry *e = toc_at(toc, i);
        if (!toc_is(e, "TABLE"))
            continue;
        struct select_item *item = vec_push(&items, err);
        size_t *place = item != NULL ? vec_push(&places, err) : NULL;
        rc = place != NULL ? 0 : E_NOMEM;
        if (place != NULL) {
            *item = (struct select_item){ .schema = e->schema, .name = e->tag };
            *place = i;
        }
    }
    struct select_known known = { items.data, items.len, NULL, 0 };
    if (rc == 0)
        rc = select_table(p->target->select, &known, &at, err);
    if (rc == 0)
        *out = *(size_t *)vec_at(&places, at);
    vec_free(&items);
    vec_free(&places);
    return rc;
}

/* ---- its rows ---------------------------------------------------------------------------------------------------- */

/* One that is partitioned in turn and has no partitions yet has no rows. Which one that is follows from its definition,
 * unless the job left rows out: then nobody knows. */
static bool has_no_rows(const struct pgsql_plan *p, const struct toc_entry *e)
{
    char left[2];
    return toc_is(e, "TABLE") && strstr(e->sql, "\nPARTITION BY ") != NULL &&
           !fact_get(p->schema_facts, "rows_left_out", left, sizeof left) &&
           !fact_get(p->schema_facts, "rows_left_out_omitted", left, sizeof left);
}

static int rows_elsewhere(const struct pgsql_plan *p, const struct toc_entry *e, struct error *err)
{
    char shown[SHOWN_MAX];
    char *name = select_text(e->schema, e->tag, err);
    if (name == NULL)
        return E_NOMEM;
    int rc = error_set(
        err, E_UNSUPPORTED,
        "the snapshot does not hold all rows of %s: its partition %s %s. Name the partitions that are "
        "wanted, one at a time",
        str_printable(shown, sizeof shown, p->target->select->tables[0]), name,
        toc_is(e, "TABLE") ? "was left without rows by the job's patterns"
                           : "is a foreign table, whose rows are on another server");
    free(name);
    return rc;
}

static int add_parts(const struct pgsql_plan *p, const bool *inside, size_t root, struct vec *parts,
                     struct error *err)
{
    const struct pgsql_toc *toc = &p->schema.toc;
    for (size_t i = 0; i < toc->entries.len; i++) {
        const struct toc_entry *e = toc_at(toc, i);
        if (!inside[i] || i == root || is_parent(toc, i))
            continue;
        struct pgsql_load *l = load_of(p, e);
        if (l == NULL && has_no_rows(p, e))
            continue;
        if (l == NULL)
            return rows_elsewhere(p, e, err);
        struct pgsql_load **slot = vec_push(parts, err);
        if (slot == NULL)
            return E_NOMEM;
        *slot = l;
    }
    return 0;
}

static void warn_of_patterns(const struct pgsql_plan *p, const char *name)
{
    uint64_t n = 0;
    if (fact_number(p->schema_facts, PGSQL_LEFT_OUT_FACT, &n) && n > 0)
        log_event(LOG_WARN,
                  "the job's patterns kept %llu objects out of this snapshot (`restore show`): rows of "
                  "partitions of %s among them are not here",
                  (unsigned long long)n, name);
}

int pgsql_table_parts(struct pgsql_plan *p, const struct error *why, struct vec *parts,
                      struct pgsql_table *whole, struct error *err)
{
    struct error trouble = ERROR_INIT;
    size_t root = 0;
    if (pgsql_schema_fetch(p, &trouble) < 0)
        return error_copy(err, trouble.code == E_UNSUPPORTED ? why : &trouble);
    if (find_entry(p, &root, &trouble) < 0)
        return error_copy(err, trouble.code == E_NOT_FOUND ? why : &trouble);
    const struct toc_entry *e = toc_at(&p->schema.toc, root);
    bool *inside = mark_inside(&p->schema.toc, root, err);
    char *shown = select_text(e->schema, e->tag, err);
    int rc = inside != NULL && shown != NULL ? add_parts(p, inside, root, parts, err) : E_NOMEM;
    if (rc == 0 && parts->len == 0)
        rc = error_set(err, E_NOT_FOUND,
                       "the snapshot has a definition of %s and no rows: it is partitioned and has no "
                       "partitions, or the job's patterns left its rows out",
                       shown);
    if (rc == 0) {
        warn_of_patterns(p, shown);
        whole->schema = str_dup(e->schema, err);
        whole->name = str_dup(e->tag, err);
        whole->sql = pgsql_qualified(e->schema, e->tag, err);
        rc = whole->schema != NULL && whole->name != NULL && whole->sql != NULL ? 0 : E_NOMEM;
    }
    free(shown);
    free(inside);
    return rc;
}
