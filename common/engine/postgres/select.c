/* What of a database a job wants: patterns for schemas, tables and rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/glob.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/option.h"
#include "common/engine/postgres/internal.h"
#include "common/engine/postgres/name.h"

#include "common/base/banned.h"

enum { PATTERN_MAX = 512, LIST_MAX = 400, ARGS_TEXT_MAX = 1000000, FACT_MAX = 20000 };

/* ---- patterns -------------------------------------------------------------------------------------------- */

static const char *dot_of(const char *pattern)
{
    for (const char *p = pattern; *p != '\0'; p++) {
        if (*p == '.')
            return p;
        p += *p == '\\' && p[1] != '\0';
    }
    return NULL;
}

/* SCHEMA.TABLE, or TABLE of any schema. */
static bool table_matches(const char *pattern, const char *schema, const char *name)
{
    char head[PATTERN_MAX];
    const char *dot = dot_of(pattern);
    if (dot == NULL)
        return glob_match(pattern, name);
    (void)snprintf(head, sizeof head, "%.*s", (int)(dot - pattern), pattern);
    return glob_match(head, schema) && glob_match(dot + 1, name);
}

static bool any_schema(const struct pgsql_settings *s, const char *key, const char *schema)
{
    for (size_t i = 0; i < option_count(s->from, key); i++)
        if (glob_match(option_at(s->from, key, i), schema))
            return true;
    return false;
}

static bool any_table(const struct pgsql_settings *s, const char *key, const char *schema, const char *name)
{
    for (size_t i = 0; i < option_count(s->from, key); i++)
        if (table_matches(option_at(s->from, key, i), schema, name))
            return true;
    return false;
}

bool pgsql_pattern_matches(bool of_schema, const char *pattern, const char *schema, const char *name)
{
    return of_schema ? glob_match(pattern, schema) : name != NULL && table_matches(pattern, schema, name);
}

int pgsql_select_check(const struct pgsql_settings *s, struct error *err)
{
    for (size_t i = 0; i < s->from->noptions; i++) {
        const struct engine_option *o = &s->from->options[i];
        bool is_pattern =
            strcmp(o->key, "schemas") == 0 || strcmp(o->key, "tables") == 0 || str_starts(o->key, "exclude_");
        if (is_pattern && (o->value[0] == '\0' || strlen(o->value) >= PATTERN_MAX))
            return error_set(err, E_USAGE, "job %s: %s: a pattern has 1 to %d bytes", s->job, o->key,
                             PATTERN_MAX - 1);
    }
    return 0;
}

bool pgsql_select_any(const struct pgsql_settings *s)
{
    static const char *const keys[] = { "schemas", "exclude_schemas", "tables", "exclude_tables",
                                        "exclude_table_data" };
    bool any = !s->unlogged_data;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        any = any || option_count(s->from, keys[i]) > 0;
    return any;
}

bool pgsql_wants_schema(const struct pgsql_settings *s, const char *schema)
{
    bool listed = option_count(s->from, "schemas") == 0 || any_schema(s, "schemas", schema);
    return listed && !any_schema(s, "exclude_schemas", schema);
}

bool pgsql_wants_table(const struct pgsql_settings *s, char kind, const char *schema, const char *name)
{
    bool holds_rows = kind == 'r' || kind == 'p' || kind == 'f'; /* views and sequences come along */
    bool listed = !holds_rows || option_count(s->from, "tables") == 0 || any_table(s, "tables", schema, name);
    return listed && pgsql_wants_schema(s, schema) && !any_table(s, "exclude_tables", schema, name);
}

static bool wants_rows(const struct pgsql_settings *s, const struct pgsql_relation *r)
{
    bool unlogged = r->persistence == 'u' && !s->unlogged_data;
    return r->kind != 'r' || (!unlogged && !any_table(s, "exclude_table_data", r->schema, r->name));
}

/* ---- what it means for this database --------------------------------------------------------------------- */

static int take(const struct pgsql_settings *s, const PGresult *r, int row, struct pgsql_chosen *out,
                struct error *err)
{
    struct pgsql_relation now = {
        .oid = (uint32_t)strtoul(PQgetvalue(r, row, 0), NULL, 10),
        .kind = PQgetvalue(r, row, 3)[0],
        .persistence = PQgetvalue(r, row, 4)[0],
    };
    char *schema = PQgetvalue(r, row, 1);
    char *name = PQgetvalue(r, row, 2);
    now.schema = schema;
    now.name = name;
    now.left_out = !pgsql_wants_table(s, now.kind, schema, name);
    if (!now.left_out && wants_rows(s, &now))
        return 0;
    struct pgsql_relation *slot = vec_push(&out->relations, err);
    if (slot == NULL)
        return E_NOMEM;
    *slot = now;
    slot->schema = str_dup(schema, err);
    slot->name = str_dup(name, err);
    return slot->schema != NULL && slot->name != NULL ? 0 : E_NOMEM;
}

static int take_relations(const struct pgsql_settings *s, struct pgsql *c, struct pgsql_chosen *out,
                          struct error *err)
{
    PGresult *r = NULL;
    int rc = pgsql_query(
        c,
        "SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence FROM pg_catalog.pg_class c "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace" PGSQL_EXTENSION_OF
        "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND" PGSQL_USERS_OWN "AND" PGSQL_OWN_OR_CONFIG
        "ORDER BY n.nspname, c.relname",
        &r, err);
    for (int i = 0; rc == 0 && i < PQntuples(r); i++)
        rc = take(s, r, i, out, err);
    PQclear(r);
    return rc;
}

static int take_schemas(const struct pgsql_settings *s, struct pgsql *c, struct pgsql_chosen *out,
                        struct error *err)
{
    PGresult *r = NULL;
    int rc = pgsql_query(c,
                         "SELECT n.nspname, n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname !~ '^pg_' "
                         "AND n.nspname <> 'information_schema' ORDER BY 1",
                         &r, err);
    for (int i = 0; rc == 0 && i < PQntuples(r); i++) {
        if (pgsql_wants_schema(s, PQgetvalue(r, i, 0)))
            continue;
        struct pgsql_relation *slot = vec_push(&out->schemas, err);
        if (slot == NULL)
            rc = E_NOMEM;
        else if ((slot->schema = str_dup(PQgetvalue(r, i, 0), err)) == NULL)
            rc = E_NOMEM;
        else
            slot->oid = (uint32_t)strtoul(PQgetvalue(r, i, 1), NULL, 10);
    }
    PQclear(r);
    return rc;
}

int pgsql_choose(const struct pgsql_settings *s, struct pgsql *c, struct pgsql_chosen *out, struct error *err)
{
    *out = (struct pgsql_chosen){ .relations = VEC_OF(struct pgsql_relation),
                                  .schemas = VEC_OF(struct pgsql_relation),
                                  .args = VEC_OF(char *) };
    if (!pgsql_select_any(s))
        return 0;
    int rc = take_schemas(s, c, out, err);
    return rc == 0 ? take_relations(s, c, out, err) : rc;
}

void pgsql_chosen_free(struct pgsql_chosen *c)
{
    struct vec *const all[] = { &c->relations, &c->schemas };
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < all[k]->len; i++) {
            struct pgsql_relation *r = vec_at(all[k], i);
            free(r->schema);
            free(r->name);
        }
        vec_free(all[k]);
    }
    pgsql_names_free(&c->args);
}

const struct pgsql_relation *pgsql_chosen_find(const struct pgsql_chosen *c, uint32_t oid)
{
    for (size_t i = 0; i < c->relations.len; i++) {
        const struct pgsql_relation *r = vec_at(&c->relations, i);
        if (r->oid == oid)
            return r;
    }
    return NULL;
}

/* ---- for pg_dump ----------------------------------------------------------------------------------------- */

/* In quotes nothing of a pattern is special but the quote: the name itself. */
static int add_arg(struct pgsql_chosen *c, const char *option, const struct pgsql_relation *r, size_t *total,
                   struct error *err)
{
    struct buf text = BUF_INIT;
    int rc = buf_printf(&text, err, "%s=", option);
    if (rc == 0)
        rc = pgsql_quote(&text, r->schema, err);
    if (rc == 0 && r->name != NULL)
        rc = buf_append(&text, ".", 1, err);
    if (rc == 0 && r->name != NULL)
        rc = pgsql_quote(&text, r->name, err);
    if (rc == 0)
        rc = buf_append(&text, "", 1, err);
    *total += text.len;
    if (rc == 0 && *total > ARGS_TEXT_MAX)
        rc = error_set(
            err, E_UNSUPPORTED,
            "the patterns leave out more tables than pg_dump can be told (%d bytes of names): leave out "
            "whole schemas, or only rows (`exclude_table_data`)",
            ARGS_TEXT_MAX);
    char **slot = rc == 0 ? vec_push(&c->args, err) : NULL;
    if (slot != NULL)
        *slot = (char *)text.data;
    else
        buf_free(&text);
    return rc == 0 && slot == NULL ? E_NOMEM : rc;
}

int pgsql_chosen_args(const struct pgsql_settings *s, struct pgsql_chosen *c, struct error *err)
{
    size_t total = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->schemas.len; i++)
        rc = add_arg(c, "--exclude-schema", vec_at(&c->schemas, i), &total, err);
    for (size_t i = 0; rc == 0 && i < c->relations.len; i++) {
        const struct pgsql_relation *r = vec_at(&c->relations, i);
        if (r->left_out && pgsql_wants_schema(s, r->schema))
            rc = add_arg(c, "--exclude-table", r, &total, err);
    }
    return rc;
}

/* ---- telling --------------------------------------------------------------------------------------------- */

static int list_fact(const struct pgsql_chosen *c, bool left_out, const char *key, struct buf *out,
                     struct error *err)
{
    struct buf list = BUF_INIT;
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->relations.len; i++) {
        const struct pgsql_relation *r = vec_at(&c->relations, i);
        if (r->left_out != left_out || r->kind == 'S')
            continue;
        rc = buf_printf(&list, err, "%s", n++ == 0 ? "" : ",");
        if (rc == 0)
            rc = pgsql_encode(&list, r->schema, err);
        if (rc == 0)
            rc = buf_append(&list, "/", 1, err);
        if (rc == 0)
            rc = pgsql_encode(&list, r->name, err);
    }
    if (rc == 0 && n > 0)
        rc = list.len > FACT_MAX
                 ? buf_printf(out, err, "%s_omitted=%zu\n", key, n)
                 : buf_printf(out, err, "%s=%.*s\n", key, (int)list.len, (const char *)list.data);
    buf_free(&list);
    return rc;
}

int pgsql_chosen_facts(const struct pgsql_chosen *c, struct buf *out, struct error *err)
{
    size_t n = c->schemas.len;
    for (size_t i = 0; i < c->relations.len; i++)
        n += ((const struct pgsql_relation *)vec_at(&c->relations, i))->left_out ? 1 : 0;
    int rc = n > 0 ? buf_printf(out, err, PGSQL_LEFT_OUT_FACT "=%zu\n", n) : 0;
    if (rc == 0)
        rc = list_fact(c, true, "tables_left_out", out, err);
    return rc == 0 ? list_fact(c, false, "rows_left_out", out, err) : rc;
}

/* "3 tables (a, b, c)"; false when there are none. */
static bool describe(const struct pgsql_chosen *c, bool left_out, char *out, size_t cap)
{
    struct vec names = VEC_OF(char *);
    char list[LIST_MAX];
    for (size_t i = 0; i < c->relations.len; i++) {
        const struct pgsql_relation *r = vec_at(&c->relations, i);
        char **slot = r->left_out == left_out && r->kind != 'S' ? vec_push(&names, NULL) : NULL;
        if (slot != NULL && (*slot = str_printf(NULL, "%s.%s", r->schema, r->name)) == NULL)
            names.len--;
    }
    bool any = names.len > 0;
    (void)snprintf(out, cap, "%zu of the tables and views (%s)", names.len,
                   pgsql_names_text(&names, list, sizeof list));
    pgsql_names_free(&names);
    return any;
}

void pgsql_chosen_tell(const struct pgsql_chosen *c, engine_finding_fn *fn, void *arg)
{
    char text[LIST_MAX + 100];
    char what[LIST_MAX + 160];
    for (int left_out = 1; left_out >= 0; left_out--) {
        if (!describe(c, left_out != 0, text, sizeof text))
            continue;
        (void)snprintf(what, sizeof what,
                       left_out != 0 ? "the patterns leave out %s" : "the patterns leave out the rows of %s",
                       text);
        fn(false, what, "as configured", arg);
    }
}
