/* Is what stands in the target what was backed up? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/postgres/name.h"
#include "common/engine/postgres/restore.h"

#include "common/base/banned.h"

enum { BLOCK = 1 << 18, LIST_MAX = 600 };

static int read_rows(struct pgsql *c, struct pgsql_table *now, uint64_t seed, struct error *err)
{
    uint8_t *block = mem_alloc(1, BLOCK, err);
    struct source *s = block != NULL ? pgsql_copy_source(c, now, seed, err) : NULL;
    int64_t n = s != NULL ? 1 : pgsql_failed(err);
    while (n > 0)
        n = source_read(s, block, BLOCK, err);
    source_free(s);
    free(block);
    return (int)n;
}

/* In a transaction each: the locks of all tables together may be more than the server has room for. */
static int read_table(struct pgsql *c, struct pgsql_table *now, uint64_t seed, struct error *err)
{
    int rc = pgsql_exec(c, "BEGIN TRANSACTION READ ONLY", err);
    if (rc == 0)
        rc = read_rows(c, now, seed, err);
    return rc == 0 ? pgsql_exec(c, "COMMIT", err) : rc;
}

/* Tables whose rows went into one root are compared together: they may have found other partitions. */
struct group {
    const char *sql;
    uint64_t rows, rows_now;
    bool masked;
    char sum[FINGERPRINT_TEXT_MAX], sum_now[FINGERPRINT_TEXT_MAX];
    bool gone; /* cannot be read as what it was */
};

static struct group *group_of(struct vec *groups, const struct pgsql_table *t, struct error *err)
{
    for (size_t i = 0; t->into != NULL && i < groups->len; i++) {
        struct group *g = vec_at(groups, i);
        if (strcmp(g->sql, t->into) == 0)
            return g;
    }
    struct group *g = vec_push(groups, err);
    if (g != NULL)
        *g = (struct group){ .sql = t->into != NULL ? t->into : t->sql,
                             .sum = FINGERPRINT_NONE,
                             .sum_now = FINGERPRINT_NONE };
    return g;
}

/* Of an extension's table: which rows are the user's says the extension that is installed here. What the snapshot
 * says of it is a reason to ask, and never SQL. */
static int own_condition(struct pgsql *c, const struct pgsql_table *t, char **out, struct error *err)
{
    struct buf sql = BUF_INIT;
    PGresult *r = NULL;
    int rc = buf_printf(&sql, err,
                        "SELECT e.extcondition[pg_catalog.array_position(e.extconfig, c.oid)] "
                        "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                        "JOIN pg_catalog.pg_extension e ON c.oid = ANY (e.extconfig) WHERE n.nspname = ");
    if (rc == 0)
        rc = pgsql_literal(&sql, t->schema, err);
    if (rc == 0)
        rc = buf_printf(&sql, err, " AND c.relname = ");
    if (rc == 0)
        rc = pgsql_literal(&sql, t->name, err);
    if (rc == 0)
        rc = buf_append(&sql, "", 1, err);
    if (rc == 0)
        rc = pgsql_query(c, (const char *)sql.data, &r, err);
    if (rc == 0 && PQntuples(r) > 0 && (*out = str_dup(PQgetvalue(r, 0, 0), err)) == NULL)
        rc = E_NOMEM;
    PQclear(r);
    buf_free(&sql);
    return rc;
}

static int add_table(struct pgsql *c, const struct pgsql_plan *p, const struct pgsql_load *l,
                     struct vec *groups, struct error *err)
{
    struct pgsql_table now = l->t;
    const struct engine_target *t = p->target;
    const char *masked = t->masked != NULL ? t->masked(l->stream, t->drill_arg) : NULL;
    char shown[200];
    struct group *g = group_of(groups, &l->t, err);
    if (g == NULL)
        return E_NOMEM;
    now.condition = NULL;
    int rc = l->t.condition != NULL ? own_condition(c, &l->t, &now.condition, err) : 0;
    if (rc == 0)
        rc = read_table(c, &now, p->seed, err);
    free(now.condition);
    /* A drill tells everything that differs, and this is the most of all. */
    if ((rc == E_NOT_FOUND || strcmp(c->state, "42703") == 0) && rc < 0 && p->target->check != NULL) {
        g->gone = true;
        error_clear(err);
        rc = pgsql_exec(c, "ROLLBACK", err);
        (void)snprintf(now.fingerprint, sizeof now.fingerprint, "%s", FINGERPRINT_NONE);
        now.rows = 0;
    }
    if (rc == 0 && (!fingerprint_join(g->sum, masked != NULL ? masked : l->t.fingerprint) ||
                    !fingerprint_join(g->sum_now, now.fingerprint)))
        rc = error_set(err, E_UNSUPPORTED, "fingerprint \"%s\" is of a kind that this program does not know",
                       l->t.fingerprint);
    if (rc < 0)
        return error_wrap(err, "compare table %s", str_printable(shown, sizeof shown, l->t.sql));
    g->masked = g->masked || masked != NULL;
    g->rows += l->t.rows;
    g->rows_now += now.rows;
    return 0;
}

/* Takes the text, which may be NULL for lack of memory. */
int pgsql_differ(const struct pgsql_plan *p, const struct engine_check *check, struct vec *differ, char *text,
                 struct error *err)
{
    int rc = 0;
    if (p->target->check != NULL) {
        rc = p->target->check(check, p->target->drill_arg, err);
        free(text);
        return rc;
    }
    char **slot = check->differs && text != NULL ? vec_push(differ, err) : NULL;
    if (slot != NULL)
        *slot = text;
    else
        free(text);
    return check->differs && slot == NULL ? error_set(err, E_NOMEM, "no memory to tell what differs") : 0;
}

static int judge(const struct pgsql_plan *p, const struct vec *groups, struct vec *differ, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < groups->len; i++) {
        const struct group *g = vec_at(groups, i);
        char expected[FINGERPRINT_TEXT_MAX + 64];
        char found[FINGERPRINT_TEXT_MAX + 64];
        bool rows = g->rows_now == g->rows;
        struct engine_check check = { .kind = "table",
                                      .name = g->masked ? "rows and fingerprint, as masked"
                                                        : "rows and fingerprint",
                                      .subject = g->sql,
                                      .differs = g->gone || !rows || strcmp(g->sum_now, g->sum) != 0,
                                      .expected = expected,
                                      .found = found };
        (void)snprintf(expected, sizeof expected, "%llu rows, %s", (unsigned long long)g->rows, g->sum);
        (void)snprintf(found, sizeof found, "%llu rows, %s%s", (unsigned long long)g->rows_now, g->sum_now,
                       g->gone ? "; no table with these columns" : "");
        char *text = !check.differs ? NULL
                     : rows         ? str_printf(err, "%s (other contents)", g->sql)
                                    : str_printf(err, "%s (%llu rows, backed up were %llu)", g->sql,
                                                 (unsigned long long)g->rows_now, (unsigned long long)g->rows);
        rc = pgsql_differ(p, &check, differ, text, err);
    }
    return rc;
}

static int compare_objects(struct pgsql *c, const struct pgsql_plan *p, struct vec *differ, struct error *err)
{
    uint64_t expected = 0;
    int64_t now = 0;
    if (p->target->into_nonempty || p->target->data_only || p->partial ||
        !fact_number(p->schema_facts, "large_objects", &expected))
        return 0;
    int rc = pgsql_number(c, "SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata", &now, err);
    if (rc < 0)
        return rc;
    char texts[2][32];
    bool same = (uint64_t)now == expected;
    struct engine_check check = { .kind = "objects",
                                  .name = "objects",
                                  .subject = "large objects",
                                  .differs = !same,
                                  .expected = texts[0],
                                  .found = texts[1] };
    (void)snprintf(texts[0], sizeof texts[0], "%llu", (unsigned long long)expected);
    (void)snprintf(texts[1], sizeof texts[1], "%lld", (long long)now);
    return pgsql_differ(
        p, &check, differ,
        same ? NULL : str_printf(err, "large objects (%s, backed up were %s)", texts[1], texts[0]), err);
}

static int told(const struct pgsql_plan *p, uint64_t rows, const struct buf *more, struct error *err)
{
    char n[2][NUMBER_TEXT_MAX];
    if (p->target->checked == NULL)
        return 0;
    return buf_printf(p->target->checked, err, "rows and fingerprints of %s %s equal (%s %s)%.*s",
                      count_format(n[0], p->loads.len), plural(p->loads.len, "table", "tables"),
                      count_format(n[1], rows), plural(rows, "row", "rows"), (int)more->len,
                      more->len != 0 ? (const char *)more->data : "");
}

int pgsql_compare(struct pgsql *c, const struct pgsql_plan *p, struct error *err)
{
    struct vec differ = VEC_OF(char *);
    struct vec groups = VEC_OF(struct group);
    struct buf more = BUF_INIT;
    char list[LIST_MAX];
    uint64_t rows = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->loads.len; i++) {
        const struct pgsql_load *l = vec_at(&p->loads, i);
        pgsql_plan_phase(p, l->stream);
        rc = add_table(c, p, l, &groups, err);
        rows += l->t.rows;
    }
    if (rc == 0)
        rc = judge(p, &groups, &differ, err);
    if (rc == 0)
        rc = compare_objects(c, p, &differ, err);
    if (rc == 0)
        rc = pgsql_compare_facts(c, p, &differ, &more, err);
    if (rc == 0 && differ.len > 0)
        rc = error_corrupt(err, "facts-differ", "%s: what was loaded is not what was backed up: %s", c->where,
                           pgsql_names_text(&differ, list, sizeof list));
    pgsql_names_free(&differ);
    vec_free(&groups);
    if (rc == 0)
        rc = told(p, rows, &more, err);
    buf_free(&more);
    return rc;
}
