/* Which definitions belong to the selected tables and schemas. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/postgres/name.h"
#include "common/engine/postgres/restore.h"
#include "common/engine/postgres/statement.h"
#include "common/engine/select.h"

#include "common/base/banned.h"

enum { DEPTH_MAX = 2000 };

enum state {
    UNKNOWN,
    VISITING,
    WANTED,
    PRESENT, /* the target has it */
    REFUSED, /* something that it needs is not there */
};

struct work {
    struct pgsql *c; /* NULL: the target is empty */
    const struct pgsql_toc *toc;
    const struct engine_selection *sel;
    struct pgsql_subset *out;
    bool *seed;
    uint8_t *state;
    size_t *needs; /* what a refused one lacks */
    bool *partition;
    unsigned depth;
};

static bool is_any(const struct toc_entry *e, const char *const *kinds)
{
    for (; *kinds != NULL; kinds++)
        if (toc_is(e, *kinds))
            return true;
    return false;
}

/* What holds rows, or shows those of others: never made unless it is selected. */
static bool is_relation(const struct toc_entry *e)
{
    static const char *const kinds[] = { "TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE", NULL };
    return is_any(e, kinds);
}

static bool is_remark(const struct toc_entry *e)
{
    static const char *const kinds[] = { "COMMENT", "ACL", "SECURITY LABEL", NULL };
    return is_any(e, kinds);
}

static bool is_part(const struct toc_entry *e)
{
    static const char *const kinds[] = { "DEFAULT",
                                         "CONSTRAINT",
                                         "CHECK CONSTRAINT",
                                         "INDEX",
                                         "STATISTICS",
                                         "RULE",
                                         "TRIGGER",
                                         "POLICY",
                                         "FK CONSTRAINT",
                                         "ROW SECURITY",
                                         "MATERIALIZED VIEW DATA",
                                         NULL };
    return is_any(e, kinds);
}

static bool is_joint(const struct toc_entry *e)
{
    return toc_is(e, "TABLE ATTACH") || toc_is(e, "INDEX ATTACH");
}

static size_t dep_at(const struct toc_entry *e, size_t i)
{
    return *(size_t *)vec_at(&e->deps, i);
}

/* ---- whose it is ------------------------------------------------------------------------------------------ */

/* ALTER TABLE [ONLY] SCHEMA.NAME ... */
static bool alters(const struct toc_entry *e, const struct toc_entry *table)
{
    struct statements all = statements_of(e->sql, strlen(e->sql));
    struct statement s;
    if (statement_next(&all, &s, NULL) <= 0)
        return false;
    size_t at = 2 + (size_t)statement_is(&s, 2, "only");
    const char *schema = statement_name(&s, at);
    const char *name = statement_name(&s, at + 2);
    bool is = statement_is(&s, 0, "alter") && statement_is(&s, 1, "table") && statement_is(&s, at + 1, ".") &&
              schema != NULL && name != NULL && strcmp(schema, table->schema) == 0 &&
              strcmp(name, table->tag) == 0;
    statement_free(&s);
    return is;
}

static bool names(const struct toc_entry *e, const struct toc_entry *table)
{
    size_t n = strlen(table->tag);
    return strcmp(e->schema, table->schema) == 0 && strncmp(e->tag, table->tag, n) == 0 && e->tag[n] == ' ';
}

/* The relation that a part belongs to; `none` when there is no telling. */
static size_t owner_of(const struct work *w, const struct toc_entry *e, size_t none)
{
    size_t found = none;
    bool several = false;
    for (size_t i = 0; i < e->deps.len; i++) {
        size_t d = dep_at(e, i);
        if (!is_relation(toc_at(w->toc, d)) || d == found)
            continue;
        several = several || found != none;
        found = d;
    }
    if (!several)
        return found;
    found = none;
    for (size_t i = 0; i < e->deps.len; i++) {
        size_t d = dep_at(e, i);
        const struct toc_entry *t = toc_at(w->toc, d);
        if (!is_relation(t) || !(toc_is(e, "FK CONSTRAINT") ? alters(e, t) : names(e, t)))
            continue;
        if (found == none || strlen(t->tag) > strlen(toc_at(w->toc, found)->tag))
            found = d;
    }
    return found;
}

static bool has_wanted(const struct work *w, const struct toc_entry *e, bool relations)
{
    for (size_t i = 0; i < e->deps.len; i++) {
        size_t d = dep_at(e, i);
        if (w->state[d] == WANTED && (!relations || is_relation(toc_at(w->toc, d))))
            return true;
    }
    return false;
}

static bool all_wanted(const struct work *w, const struct toc_entry *e)
{
    bool all = true;
    for (size_t i = 0; i < e->deps.len; i++)
        all = all && w->state[dep_at(e, i)] == WANTED;
    return all;
}

static bool belongs(const struct work *w, size_t i)
{
    const struct toc_entry *e = toc_at(w->toc, i);
    if (is_remark(e))
        return has_wanted(w, e, false);
    if (toc_is(e, "SEQUENCE")) /* of an identity, or owned by a column */
        return has_wanted(w, e, true);
    if (toc_is(e, "SEQUENCE OWNED BY"))
        return e->deps.len == 1 && w->state[dep_at(e, 0)] == WANTED &&
               has_wanted(w, toc_at(w->toc, dep_at(e, 0)), true);
    if (is_joint(e))
        return all_wanted(w, e);
    size_t owner = is_part(e) ? owner_of(w, e, SIZE_MAX) : SIZE_MAX;
    return owner != SIZE_MAX && w->state[owner] == WANTED;
}

/* ---- what it needs ---------------------------------------------------------------------------------------- */

/* A statement that is true when the target has it; nothing for what cannot be told. In the texts: % the qualified
 * name, # the name alone, & the schema. */
static int exists_sql(const struct toc_entry *e, struct buf *sql, struct error *err)
{
    char *qualified = pgsql_qualified(e->schema, e->tag, err);
    const char *by = NULL;
    if (qualified == NULL)
        return E_NOMEM;
    if (is_relation(e) || toc_is(e, "SEQUENCE"))
        by = "SELECT pg_catalog.to_regclass(%) IS NOT NULL";
    else if (toc_is(e, "TYPE") || toc_is(e, "DOMAIN") || toc_is(e, "SHELL TYPE"))
        by = "SELECT pg_catalog.to_regtype(%) IS NOT NULL";
    else if (toc_is(e, "SCHEMA"))
        by = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = #)";
    else if (toc_is(e, "EXTENSION"))
        by = "SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = #)";
    else if (toc_is(e, "COLLATION"))
        by = "SELECT pg_catalog.to_regcollation(%) IS NOT NULL";
    else if (toc_is(e, "FUNCTION") || toc_is(e, "PROCEDURE") || toc_is(e, "AGGREGATE"))
        by =
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
            "WHERE n.nspname = & AND p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')' = #)";
    int rc = 0;
    for (const char *p = by; rc == 0 && p != NULL && *p != '\0'; p++)
        rc = *p == '%'   ? pgsql_literal(sql, qualified, err)
             : *p == '#' ? pgsql_literal(sql, e->tag, err)
             : *p == '&' ? pgsql_literal(sql, e->schema, err)
                         : buf_append(sql, p, 1, err);
    free(qualified);
    return rc == 0 ? buf_append(sql, "", 1, err) : rc;
}

int pgsql_toc_exists(struct pgsql *c, const struct toc_entry *e, bool *out, struct error *err)
{
    struct buf sql = BUF_INIT;
    *out = false;
    int rc = exists_sql(e, &sql, err);
    char *said = rc == 0 && sql.len > 1 ? pgsql_text(c, (const char *)sql.data, err) : NULL;
    if (rc == 0 && sql.len > 1)
        rc = said != NULL ? 0 : pgsql_failed(err);
    *out = said != NULL && said[0] == 't';
    free(said);
    buf_free(&sql);
    return rc;
}

/* Dependencies that only order what pg_restore does. */
static bool is_soft(const struct work *w, size_t i, size_t d)
{
    const struct toc_entry *e = toc_at(w->toc, i);
    const struct toc_entry *on = toc_at(w->toc, d);
    if (toc_is(e, "TABLE") && toc_is(on, "TABLE"))
        return w->partition[i];
    if (toc_is(e, "SEQUENCE"))
        return is_relation(on) && !str_starts(e->sql, "ALTER TABLE");
    if (is_remark(e) || is_joint(e))
        return true;
    /* of a partition, on that of the whole: INDEX ATTACH joins them */
    return (toc_is(e, "CONSTRAINT") || toc_is(e, "INDEX")) &&
           (toc_is(on, "CONSTRAINT") || toc_is(on, "INDEX"));
}

static int want(struct work *w, size_t i, struct error *err);

/* 1 when it will be there, 0 when not. */
static int provide(struct work *w, size_t d, struct error *err)
{
    const struct toc_entry *e = toc_at(w->toc, d);
    bool there = false;
    if (w->state[d] != UNKNOWN)
        return w->state[d] != REFUSED;
    if (w->seed[d])
        return want(w, d, err);
    int rc = w->c != NULL ? pgsql_toc_exists(w->c, e, &there, err) : 0;
    if (rc < 0)
        return rc;
    if (there) {
        w->state[d] = PRESENT;
        return 1;
    }
    /* the key that a foreign key refers to comes with its table, or is there with it */
    if (toc_is(e, "CONSTRAINT") || toc_is(e, "INDEX")) {
        size_t owner = owner_of(w, e, SIZE_MAX);
        return owner != SIZE_MAX ? provide(w, owner, err) : 0;
    }
    return is_relation(e) ? 0 : want(w, d, err);
}

static int want(struct work *w, size_t i, struct error *err)
{
    const struct toc_entry *e = toc_at(w->toc, i);
    if (w->state[i] != UNKNOWN)
        return w->state[i] != REFUSED;
    if (++w->depth > DEPTH_MAX)
        return error_set(err, E_UNSUPPORTED, "the definitions depend on one another over more than %d steps",
                         DEPTH_MAX);
    w->state[i] = VISITING;
    int rc = 1;
    for (size_t j = 0; rc == 1 && j < e->deps.len; j++) {
        size_t d = dep_at(e, j);
        rc = is_soft(w, i, d) ? 1 : provide(w, d, err);
        if (rc == 0)
            w->needs[i] = d;
    }
    w->depth--;
    w->state[i] = rc == 1 ? WANTED : REFUSED;
    return rc;
}

/* ---- the whole -------------------------------------------------------------------------------------------- */

/* Partitions of what is selected are selected, too. */
static void spread(struct work *w)
{
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < w->toc->entries.len; i++) {
            const struct toc_entry *e = toc_at(w->toc, i);
            if (!toc_is(e, "TABLE ATTACH") || e->deps.len < 2)
                continue;
            size_t child = dep_at(e, 0);
            w->partition[child] = true;
            more = more || (w->seed[dep_at(e, 1)] && !w->seed[child]);
            w->seed[child] = w->seed[child] || w->seed[dep_at(e, 1)];
        }
    }
}

static void seed_schemas(struct work *w)
{
    for (size_t i = 0; i < w->toc->entries.len; i++) {
        const struct toc_entry *e = toc_at(w->toc, i);
        const char *schema = toc_is(e, "SCHEMA") ? e->tag : e->schema;
        if (schema[0] != '\0' && !is_part(e) && !is_joint(e) && !is_remark(e) &&
            !toc_is(e, "SEQUENCE OWNED BY") && select_has_schema(w->sel, schema))
            w->seed[i] = true;
    }
}

static char *name_of(const struct toc_entry *e, const char *tag, struct error *err)
{
    return select_text(e->schema[0] != '\0' ? e->schema : NULL, tag, err);
}

/* "foreign key orders_customer_fkey of shop.orders", "view shop.totals" */
static int say_what(const struct work *w, size_t i, struct buf *out, struct error *err)
{
    const struct toc_entry *e = toc_at(w->toc, i);
    size_t at = is_part(e) ? owner_of(w, e, SIZE_MAX) : SIZE_MAX;
    const struct toc_entry *owner = at != SIZE_MAX ? toc_at(w->toc, at) : NULL;
    const char *tag = owner != NULL && names(e, owner) ? e->tag + strlen(owner->tag) + 1 : e->tag;
    char word[64];
    (void)snprintf(word, sizeof word, "%s",
                   toc_is(e, "FK CONSTRAINT")  ? "foreign key"
                   : toc_is(e, "TABLE ATTACH") ? "being a partition, of"
                                               : e->desc);
    for (char *p = word; *p != '\0'; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + ('a' - 'A') : *p);
    char *name = owner != NULL ? select_text(NULL, tag, err) : name_of(e, tag, err);
    char *of = owner != NULL ? name_of(owner, owner->tag, err) : NULL;
    int rc = name != NULL && (owner == NULL || of != NULL) ? 0 : E_NOMEM;
    if (rc == 0)
        rc = buf_printf(out, err, "%s %s%s%s", word, name, of != NULL ? " of " : "", of != NULL ? of : "");
    free(name);
    free(of);
    return rc;
}

static int tell_left(struct work *w, size_t i, struct error *err)
{
    struct buf text = BUF_INIT;
    size_t lacks = w->state[i] == REFUSED ? w->needs[i] : SIZE_MAX;
    size_t owner = lacks != SIZE_MAX && is_part(toc_at(w->toc, lacks))
                       ? owner_of(w, toc_at(w->toc, lacks), lacks)
                       : lacks;
    int rc = say_what(w, i, &text, err);
    if (rc == 0 && owner != SIZE_MAX) {
        rc = buf_printf(&text, err, " (needs ");
        rc = rc == 0 ? say_what(w, owner, &text, err) : rc;
        rc = rc == 0 ? buf_printf(&text, err, ")") : rc;
    }
    if (rc == 0)
        rc = buf_append(&text, "", 1, err);
    char **slot = rc == 0 ? vec_push(&w->out->left, err) : NULL;
    if (slot != NULL)
        *slot = (char *)text.data;
    else
        buf_free(&text);
    return slot != NULL ? 0 : E_NOMEM;
}

/* What shows or refers to what is restored, and is not. */
static bool is_missed(const struct work *w, size_t i)
{
    const struct toc_entry *e = toc_at(w->toc, i);
    if (w->state[i] == REFUSED)
        return true;
    if (w->state[i] != UNKNOWN)
        return false;
    return (toc_is(e, "VIEW") || toc_is(e, "MATERIALIZED VIEW") || toc_is(e, "FK CONSTRAINT") ||
            toc_is(e, "TABLE ATTACH") || toc_is(e, "PUBLICATION TABLE")) &&
           has_wanted(w, e, true);
}

/* What a refused table lacks in the end becomes selected: a table that it inherits from, or one that a function in its
 * definition returns. */
static bool add_needed(struct work *w, size_t i)
{
    size_t at = i;
    while (w->state[at] == REFUSED)
        at = w->needs[at];
    bool more = w->sel->with_needed && is_relation(toc_at(w->toc, at)) && !w->seed[at];
    w->seed[at] = w->seed[at] || more;
    return more;
}

static int gather_seeds(struct work *w, struct error *err)
{
    int rc = 1;
    for (size_t i = 0; rc >= 0 && i < w->toc->entries.len; i++)
        if (w->seed[i] && (rc = want(w, i, err)) == 0 && toc_is(toc_at(w->toc, i), "TABLE")) {
            if (add_needed(w, i)) {
                memset(w->state, UNKNOWN, w->toc->entries.len);
                i = SIZE_MAX; /* once more, from the first */
                continue;
            }
            struct buf lacks = BUF_INIT;
            rc = say_what(w, w->needs[i], &lacks, err);
            if (rc == 0)
                rc = buf_append(&lacks, "", 1, err);
            if (rc == 0)
                rc = error_set(
                    err, E_USAGE,
                    "table %s.%s needs %s, which is not selected and not in the target: select it, too",
                    toc_at(w->toc, i)->schema, toc_at(w->toc, i)->tag, (const char *)lacks.data);
            buf_free(&lacks);
            return rc;
        }
    return rc;
}

static int gather(struct work *w, struct error *err)
{
    int rc = gather_seeds(w, err);
    for (bool more = true; rc >= 0 && more;) {
        more = false;
        for (size_t i = 0; rc >= 0 && i < w->toc->entries.len; i++)
            if (w->state[i] == UNKNOWN && belongs(w, i))
                more = (rc = want(w, i, err)) == 1 || more;
    }
    for (size_t i = 0; rc >= 0 && i < w->toc->entries.len; i++)
        if (is_missed(w, i))
            rc = tell_left(w, i, err);
    return rc < 0 ? rc : 0;
}

void pgsql_subset_free(struct pgsql_subset *s)
{
    free(s->wanted);
    pgsql_names_free(&s->left);
}

int pgsql_subset_make(struct pgsql *c, const struct pgsql_toc *toc, const struct engine_selection *sel,
                      const bool *tables, struct pgsql_subset *out, struct error *err)
{
    size_t n = toc->entries.len;
    struct work w = { .c = c, .toc = toc, .sel = sel, .out = out };
    *out = (struct pgsql_subset){ .left = VEC_OF(char *) };
    w.seed = mem_alloc(n + 1, sizeof *w.seed, err);
    w.state = mem_alloc(n + 1, sizeof *w.state, err);
    w.needs = mem_alloc(n + 1, sizeof *w.needs, err);
    w.partition = mem_alloc(n + 1, sizeof *w.partition, err);
    out->wanted = mem_alloc(n + 1, sizeof *out->wanted, err);
    int rc =
        w.seed != NULL && w.state != NULL && w.needs != NULL && w.partition != NULL && out->wanted != NULL
            ? 0
            : E_NOMEM;
    for (size_t i = 0; rc == 0 && i < n; i++)
        w.seed[i] = tables[i];
    if (rc == 0) {
        seed_schemas(&w);
        spread(&w);
        rc = gather(&w, err);
    }
    for (size_t i = 0; rc == 0 && i < n; i++)
        out->wanted[i] = w.state[i] == WANTED;
    free(w.seed);
    free(w.state);
    free(w.needs);
    free(w.partition);
    return rc;
}
