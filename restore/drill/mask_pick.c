/* Masked drills: from the rules of the configuration to the columns of the database. */
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/base/glob.h"
#include "common/base/str.h"
#include "common/engine/name.h"
#include "restore/drill/mask.h"

#include "common/base/banned.h"

enum { SHOWN_MAX = 300 };

struct picking {
    struct drill *d;
    bool *used; /* for each rule: it fits a column */
    const struct conf_mask *rule;
    const struct mask_found *found;
};

static int refuse(struct error *err, const struct mask_found *f, const char *why)
{
    char shown[SHOWN_MAX];
    char type[64];
    return error_set(err, E_UNSUPPORTED, "mask: %s (%s): %s", str_printable(shown, sizeof shown, f->full),
                     str_printable(type, sizeof type, f->type), why);
}

/* ---- what a column can follow ------------------------------------------------------------------------------- */

static int judge(const struct mask_found *f, const struct conf_mask *rule, struct error *err)
{
    if (f->why != NULL)
        return refuse(err, f, f->why);
    if (rule->rule == CONF_MASK_NULL && f->not_null)
        return refuse(
            err, f,
            "it is NOT NULL or part of a primary key, so null cannot be put there: hash or a constant");
    if (rule->rule == CONF_MASK_HASH && !f->text)
        return refuse(err, f, "a hash is for columns of text: null or a constant");
    if (rule->rule == CONF_MASK_HASH && f->room != 0 && f->room < MASK_HASH_MIN)
        return refuse(err, f,
                      "it has no room for a hash, which is 12 characters or more: null or a constant");
    if (rule->rule == CONF_MASK_CONSTANT && !f->constant)
        return refuse(err, f, "a constant is not offered for this type: null");
    return 0;
}

/* ---- tables and columns -------------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static int new_text(char **slot, const char *text, struct error *err)
{
    *slot = text != NULL ? str_dup(text, err) : NULL;
    return text != NULL && *slot == NULL ? E_NOMEM : 0;
}

static struct mask_table *table_of(struct drill_mask *m, const struct mask_found *f, struct error *err)
{
    for (size_t i = 0; i < m->tables.len; i++) {
        struct mask_table *t = vec_at(&m->tables, i);
        if (same_text(t->schema, f->schema) && strcmp(t->name, f->table) == 0)
            return t;
    }
    struct mask_table *t = vec_push(&m->tables, err);
    if (t == NULL)
        return NULL;
    t->columns = (struct vec)VEC_OF(struct mask_column);
    bool good = new_text(&t->schema, f->schema, err) == 0 && new_text(&t->name, f->table, err) == 0 &&
                new_text(&t->sql, f->table_sql, err) == 0;
    return good ? t : NULL;
}

static struct mask_column *column_of(struct mask_table *t, const char *name)
{
    for (size_t i = 0; i < t->columns.len; i++) {
        struct mask_column *c = vec_at(&t->columns, i);
        if (strcmp(c->name, name) == 0)
            return c;
    }
    return NULL;
}

static int add(struct drill *d, const struct mask_found *f, const struct conf_mask *rule, struct error *err)
{
    static const enum mask_rule rules[] = {
        [CONF_MASK_NULL] = MASK_NULL, [CONF_MASK_CONSTANT] = MASK_CONSTANT, [CONF_MASK_HASH] = MASK_HASH
    };
    struct mask_table *t = table_of(d->mask, f, err);
    struct mask_column *c = t == NULL ? NULL : column_of(t, f->column);
    if (t == NULL)
        return E_NOMEM;
    size_t order = (size_t)(rule - d->o->masks);
    if (c != NULL && c->order <= order)
        return 0; /* by the name of a table above, which another rule fits first */
    int rc = judge(f, rule, err);
    if (rc == 0 && c == NULL && (c = vec_push(&t->columns, err)) == NULL)
        rc = E_NOMEM;
    if (rc < 0)
        return rc;
    free(c->name);
    free(c->sql);
    free(c->type);
    free(c->constant);
    *c = (struct mask_column){ .rule = rules[rule->rule], .blanks = f->blanks, .order = order };
    if (c->rule == MASK_HASH && f->room != 0)
        mask_hash_limit(d->mask->hash, f->room);
    c->width = c->rule == MASK_HASH && f->blanks ? f->room : 0;
    rc = new_text(&c->name, f->column, err);
    rc = rc < 0 ? rc : new_text(&c->sql, f->column_sql, err);
    rc = rc < 0 ? rc : new_text(&c->type, f->type, err);
    if (rc == 0 && c->rule == MASK_CONSTANT) {
        char shown[SHOWN_MAX];
        rc = drill_mask_constant(d, f, rule->constant, &c->constant, err);
        if (rc < 0)
            rc = error_wrap(err, "mask: %s", str_printable(shown, sizeof shown, f->full));
    }
    return rc;
}

static int on_found(const struct mask_found *f, void *arg, struct error *err)
{
    struct picking *p = arg;
    const struct conf_mask *first = NULL;
    for (size_t i = 0; i < p->d->o->nmasks; i++) {
        const struct conf_mask *rule = &p->d->o->masks[i];
        if (!glob_match(rule->column, f->full))
            continue;
        p->used[i] = true;
        first = first != NULL ? first : rule;
    }
    return first != NULL ? add(p->d, f, first, err) : 0;
}

/* ---- the streams of their rows -------------------------------------------------------------------------------- */

/* "shop/tables/public/orders" */
static int stem(const struct drill *d, const struct mask_table *t, struct buf *out, struct error *err)
{
    int rc = buf_printf(out, err, "%s/tables/", d->prefix);
    if (rc == 0 && t->schema != NULL) {
        rc = name_encode(out, t->schema, err);
        rc = rc == 0 ? buf_append(out, "/", 1, err) : rc;
    }
    return rc == 0 ? name_encode(out, t->name, err) : rc;
}

static const struct member_item *member(const struct drill *d, const struct buf *stem, const char *suffix,
                                        struct error *err)
{
    char *path = str_printf(err, "%.*s%s", (int)stem->len, (const char *)stem->data, suffix);
    const struct member_item *m = path != NULL ? members_find(&d->db.m, path) : NULL;
    free(path);
    return m;
}

static int place(struct mask_table *t, const char *facts, struct error *err)
{
    struct vec names = VEC_OF(char *);
    int rc = names_of_fact(facts, "columns", "mask-facts", &names, err);
    t->fields = names.len;
    for (size_t i = 0; rc == 0 && i < t->columns.len; i++) {
        struct mask_column *c = vec_at(&t->columns, i);
        c->at = 0;
        while (c->at < names.len && strcmp(*(char **)vec_at(&names, c->at), c->name) != 0)
            c->at++;
        if (c->at == names.len)
            rc = error_set(err, E_UNSUPPORTED,
                           "mask: %s.%s: the rows that were backed up have no such column", t->name, c->name);
    }
    names_free(&names);
    return rc;
}

/* A table without a stream has no rows: a parent of partitions, or one whose rows are not backed up. */
static int find_stream(const struct drill *d, struct mask_table *t, struct error *err)
{
    struct buf path = BUF_INIT;
    bool postgres = t->schema != NULL;
    int rc = stem(d, t, &path, err);
    const struct member_item *m = rc == 0 ? member(d, &path, postgres ? ".copy" : ".tsv", err) : NULL;
    t->escapes = postgres ? &mask_escapes_postgres : &mask_escapes_mariadb;
    if (rc == 0 && m != NULL) {
        rc = new_text(&t->stream, m->path, err);
        rc = rc == 0 ? place(t, m->facts, err) : rc;
    } else if (rc == 0 && postgres && member(d, &path, ".copybin", err) != NULL) {
        rc = error_set(
            err, E_UNSUPPORTED,
            "mask: the rows of %s.%s are stored in COPY's binary format (one is longer than 1 GB as "
            "text), which is not masked",
            t->schema, t->name);
    }
    buf_free(&path);
    return rc;
}

/* ---- rules that fit nothing ----------------------------------------------------------------------------------- */

/* "shop/tables/public/orders.copy" as "public.orders", for free(); NULL without err->code: no table. */
static char *table_name(const struct drill *d, const char *path, struct error *err)
{
    size_t prefix = strlen(d->prefix);
    if (strncmp(path, d->prefix, prefix) != 0 || !str_starts(path + prefix, "/tables/"))
        return NULL;
    const char *first = path + prefix + strlen("/tables/");
    size_t len = strcspn(first, ".");
    const char *slash = memchr(first, '/', len);
    char *schema = slash != NULL ? name_decode(first, (size_t)(slash - first), "mask-facts", err) : NULL;
    const char *at = slash != NULL ? slash + 1 : first;
    char *name = slash == NULL || schema != NULL
                     ? name_decode(at, len - (size_t)(at - first), "mask-facts", err)
                     : NULL;
    char *full = name == NULL     ? NULL
                 : schema != NULL ? str_printf(err, "%s.%s", schema, name)
                                  : str_dup(name, err);
    free(schema);
    free(name);
    return full;
}

/* Of tables that this drill does not restore (--table). */
static int fits_elsewhere(const struct drill *d, const char *pattern, bool *out, struct error *err)
{
    int rc = 0;
    *out = false;
    for (size_t i = 0; rc == 0 && !*out && d->prefix != NULL && i < d->db.m.list.len; i++) {
        const struct member_item *m = vec_at(&d->db.m.list, i);
        struct error why = ERROR_INIT;
        struct vec columns = VEC_OF(char *);
        char *table = table_name(d, m->path, &why);
        rc = table == NULL && why.code != 0 ? error_copy(err, &why) : 0;
        if (table != NULL)
            rc = names_of_fact(m->facts, "columns", "mask-facts", &columns, err);
        for (size_t k = 0; rc == 0 && !*out && k < columns.len; k++) {
            char *full = str_printf(err, "%s.%s", table, *(char **)vec_at(&columns, k));
            rc = full != NULL ? 0 : E_NOMEM;
            *out = full != NULL && glob_match(pattern, full);
            free(full);
        }
        names_free(&columns);
        free(table);
    }
    return rc;
}

static int check_used(const struct picking *p, struct error *err)
{
    const struct drill_options *o = p->d->o;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->nmasks; i++) {
        char shown[SHOWN_MAX];
        bool fits = p->used[i];
        if (!fits && p->d->ntables != 0)
            rc = fits_elsewhere(p->d, o->masks[i].column, &fits, err);
        if (rc == 0 && !fits)
            rc = error_set(
                err, E_NOT_FOUND,
                "mask: no table of this snapshot has a column %s (%s), so what is meant would not be "
                "masked%s",
                str_printable(shown, sizeof shown, o->masks[i].column),
                strcmp(p->d->db.engine->name, "postgres") == 0 ? "SCHEMA.TABLE.COLUMN" : "TABLE.COLUMN",
                p->d->ntables != 0 ? "; when only some tables are drilled, partitions are found by their own "
                                     "names (orders*)"
                                   : "");
    }
    return rc;
}

/* Names are compared as UTF-8, and streams have those of the database's own encoding. */
static int check_encoding(const struct drill *d, struct error *err)
{
    char encoding[64] = "UTF8";
    (void)fact_get(d->base.facts, "encoding", encoding, sizeof encoding);
    if (strcmp(encoding, "UTF8") == 0 || strcmp(encoding, "SQL_ASCII") == 0)
        return 0;
    for (size_t i = 0; i < d->mask->tables.len; i++) {
        const struct mask_table *t = vec_at(&d->mask->tables, i);
        bool ascii = true;
        for (const char *p = t->name; ascii && *p != '\0'; p++)
            ascii = (unsigned char)*p < 0x80;
        for (const char *p = t->schema; ascii && p != NULL && *p != '\0'; p++)
            ascii = (unsigned char)*p < 0x80;
        if (!ascii)
            return error_set(
                err, E_UNSUPPORTED,
                "mask: %s: names beyond ASCII cannot be masked in a database whose encoding is %s", t->name,
                encoding);
    }
    return 0;
}

int drill_mask_pick(struct drill *d, struct error *err)
{
    struct picking p = { .d = d };
    bool server = d->db.engine->target_kind == TARGET_SERVER;
    p.used = mem_alloc(d->o->nmasks + 1, sizeof *p.used, err);
    int rc = p.used != NULL ? drill_mask_columns(d, on_found, &p, err) : E_NOMEM;
    rc = rc < 0 ? rc : check_used(&p, err);
    rc = rc == 0 && server ? check_encoding(d, err) : rc;
    for (size_t i = 0; rc == 0 && server && i < d->mask->tables.len; i++)
        rc = find_stream(d, vec_at(&d->mask->tables, i), err);
    free(p.used);
    return rc;
}
