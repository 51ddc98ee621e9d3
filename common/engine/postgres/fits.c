/* What a restore would do, and whether the target has what it needs. Nothing is touched. */
#include "common/engine/postgres/fits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/lacking.h"
#include "common/engine/postgres/name.h"
#include "common/engine/postgres/swap.h"
#include "common/engine/select.h"

#include "common/base/banned.h"

enum { SAY_MAX = 1024, LIST_MAX = 600, SHOWN_MAX = 300, TABLES_SHOWN = 30 };

void fits_say(const struct fits *f, enum engine_plan_kind kind, const char *cure, const char *fmt, ...)
{
    char text[SAY_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    f->fn(kind, text, cure, f->arg);
}

bool fits_wanted(const struct fits *f, size_t i)
{
    const struct pgsql_schema *s = &f->p->schema;
    return !f->p->target->data_only && (s->subset.wanted == NULL || s->subset.wanted[i]);
}

/* ---- what is made ----------------------------------------------------------------------------------------- */

static size_t count(const struct fits *f, const char *desc)
{
    size_t n = 0;
    for (size_t i = 0; i < f->p->schema.toc.entries.len; i++)
        n += fits_wanted(f, i) && toc_is(toc_at(&f->p->schema.toc, i), desc);
    return n;
}

/* "3 tables, 2 views, ..." */
static void tell_definitions(const struct fits *f)
{
    static const struct {
        const char *desc;
        const char *one;
        const char *many;
    } kinds[] = {
        { "SCHEMA", "schema", "schemas" },
        { "EXTENSION", "extension", "extensions" },
        { "TABLE", "table", "tables" },
        { "FOREIGN TABLE", "foreign table", "foreign tables" },
        { "SEQUENCE", "sequence", "sequences" },
        { "VIEW", "view", "views" },
        { "MATERIALIZED VIEW", "materialized view", "materialized views" },
        { "FUNCTION", "function", "functions" },
        { "TYPE", "type", "types" },
        { "DOMAIN", "domain", "domains" },
        { "INDEX", "index", "indexes" },
        { "CONSTRAINT", "constraint", "constraints" },
        { "FK CONSTRAINT", "foreign key", "foreign keys" },
        { "TRIGGER", "trigger", "triggers" },
        { "POLICY", "policy", "policies" },
    };
    char text[SAY_MAX] = "";
    size_t used = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t n = count(f, kinds[i].desc);
        if (n != 0 && used < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%zu %s", used != 0 ? ", " : "", n,
                                     plural(n, kinds[i].one, kinds[i].many));
    }
    if (used != 0)
        fits_say(f, PLAN_CREATE, NULL, "%s", text);
}

static void tell_rows(const struct fits *f)
{
    const struct vec *loads = &f->p->loads;
    char n[3][NUMBER_TEXT_MAX];
    uint64_t rows = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < loads->len; i++) {
        const struct pgsql_load *l = vec_at(loads, i);
        char *name = f->p->partial && i < TABLES_SHOWN ? select_text(l->t.schema, l->t.name, NULL) : NULL;
        rows += l->t.rows;
        bytes += l->len;
        if (name != NULL)
            fits_say(f, f->p->target->data_only ? PLAN_OVERWRITE : PLAN_CREATE, NULL, "table %s: %s rows, %s",
                     name, count_format(n[0], l->t.rows), size_format(n[1], l->len));
        free(name);
    }
    fits_say(f, f->p->target->data_only ? PLAN_OVERWRITE : PLAN_CREATE, NULL, "%s rows in %s %s, %s as text",
             count_format(n[0], rows), count_format(n[1], loads->len), plural(loads->len, "table", "tables"),
             size_format(n[2], bytes));
}

static void note_absent(const char *text, void *arg)
{
    const struct fits *const *f = arg;
    fits_say(*f, PLAN_NOTE, NULL, "%s", text);
}

static void tell_left_out(const struct fits *f)
{
    const struct vec *left = &f->p->schema.subset.left;
    uint64_t n = 0;
    if (!f->p->partial && fact_number(f->p->schema_facts, "database_settings", &n) && n > 0)
        fits_say(f, PLAN_NOTE, NULL,
                 "settings, rights and the comment of the database itself are not restored");
    pgsql_absent(f->p, note_absent, &f);
    if (!f->p->partial)
        return;
    for (size_t i = 0; !f->p->target->data_only && i < left->len; i++)
        fits_say(f, PLAN_NOTE, NULL, "left out: %s", *(char **)vec_at(left, i));
    if (f->p->objects)
        fits_say(f, PLAN_NOTE, NULL, "left out: large objects, which belong to no table");
}

/* ---- what is there already --------------------------------------------------------------------------------- */

/* That of `public` only gives it its owner: it is in every database. */
static bool makes_schema(const struct toc_entry *e)
{
    return toc_is(e, "SCHEMA") && str_starts(e->sql, "CREATE SCHEMA");
}

static int tell_existing(const struct fits *f, struct error *err)
{
    const struct pgsql_toc *toc = &f->p->schema.toc;
    int rc = 0;
    for (size_t i = 0; rc == 0 && f->exists && f->p->target->into_nonempty && i < toc->entries.len; i++) {
        const struct toc_entry *e = toc_at(toc, i);
        bool there = false;
        bool matters = toc_is(e, "TABLE") || toc_is(e, "VIEW") || toc_is(e, "MATERIALIZED VIEW") ||
                       toc_is(e, "SEQUENCE") || makes_schema(e) || toc_is(e, "TYPE") || toc_is(e, "DOMAIN");
        if (!matters || !fits_wanted(f, i))
            continue;
        rc = pgsql_toc_exists(f->c, e, &there, err);
        char *name = there ? select_text(e->schema[0] != '\0' ? e->schema : NULL, e->tag, err) : NULL;
        if (name != NULL)
            fits_say(
                f, PLAN_MISSING,
                "nothing is replaced: restore into an empty database and copy what is needed, rename or drop this "
                "one, or say --data-only for rows alone",
                "%s %s exists already in the target", e->desc, name);
        free(name);
    }
    return rc;
}

static int tell_target_table(const struct fits *f, const struct pgsql_load *l, struct error *err)
{
    struct toc_entry e = { .desc = NULL };
    char kind[] = "TABLE";
    bool there = false;
    struct buf sql = BUF_INIT;
    e.desc = kind;
    e.schema = l->t.schema;
    e.tag = l->t.name;
    char *name = select_text(l->t.schema, l->t.name, err);
    int rc = name != NULL ? pgsql_toc_exists(f->c, &e, &there, err) : E_NOMEM;
    if (rc == 0 && !there)
        fits_say(f, PLAN_MISSING, "restore it without --data-only", "table %s is not in the target", name);
    if (rc == 0 && there)
        rc = buf_printf(&sql, err, "SELECT EXISTS (SELECT FROM ONLY %s)", l->t.sql);
    if (rc == 0 && there)
        rc = buf_append(&sql, "", 1, err);
    char *any = rc == 0 && there ? pgsql_text(f->c, (const char *)sql.data, err) : NULL;
    if (rc == 0 && there && any == NULL)
        rc = pgsql_failed(err);
    if (any != NULL && any[0] == 't')
        fits_say(f, PLAN_MISSING, "rows are not mixed: restore it beside (another database), or TRUNCATE it",
                 "table %s is not empty", name);
    free(any);
    free(name);
    buf_free(&sql);
    return rc;
}

static int tell_target_tables(const struct fits *f, struct error *err)
{
    int rc = 0;
    if (!f->p->target->data_only || !f->exists)
        return 0;
    for (size_t i = 0; rc == 0 && i < f->p->loads.len; i++)
        rc = tell_target_table(f, vec_at(&f->p->loads, i), err);
    fits_say(f, PLAN_NOTE, NULL,
             "triggers do not fire and foreign keys are not checked while rows are loaded; sequences stay "
             "as they are");
    return rc;
}

/* ---- the whole --------------------------------------------------------------------------------------------- */

static int tell_connections(const struct fits *f, struct error *err)
{
    int64_t n = 0;
    int rc = f->exists
                 ? pgsql_number(f->c,
                                "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE datname = "
                                "pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid()",
                                &n, err)
                 : 0;
    if (rc == 0 && n > 0)
        fits_say(f, PLAN_NOTE, NULL, "%lld other %s open to this database", (long long)n,
                 plural((uint64_t)n, "connection is", "connections are"));
    return rc;
}

static void tell_rest(const struct fits *f)
{
    const struct engine_target *t = f->p->target;
    fits_say(f, PLAN_NOTE, NULL, "rows and indexes are loaded over %u %s (--jobs)", pgsql_jobs(t),
             plural(pgsql_jobs(t), "connection", "connections"));
    if (t->after_sql != NULL)
        fits_say(f, PLAN_NOTE, NULL, "%s runs at the end, in one transaction",
                 t->after_name != NULL ? t->after_name : "a script");
    if (t->no_verify)
        fits_say(f, PLAN_NOTE, NULL, "rows are not compared afterwards (--no-verify)");
    else
        fits_say(f, PLAN_NOTE, NULL,
                 "afterwards the rows of every table are read back and compared with what was backed up");
}

int pgsql_fits(struct pgsql *c, const struct pgsql_plan *p, bool exists, engine_plan_fn *fn, void *arg,
               struct error *err)
{
    const struct fits f = { .c = c, .p = p, .exists = exists, .fn = fn, .arg = arg };
    tell_definitions(&f);
    tell_rows(&f);
    int rc = tell_existing(&f, err);
    if (rc == 0)
        rc = tell_target_tables(&f, err);
    if (rc == 0)
        rc = fits_server(&f, err);
    if (rc == 0)
        rc = tell_connections(&f, err);
    tell_left_out(&f);
    tell_rest(&f);
    return rc;
}

int pgsql_fits_or_fail(struct pgsql *c, const struct pgsql_plan *p, bool exists, struct error *err)
{
    struct lacking l = LACKING_INIT;
    int rc = pgsql_fits(c, p, exists, lacking_collect, &l, err);
    return lacking_end(&l, c->where, rc, err);
}

/* "createdb -T template0 -E UTF8 ... NAME": a database that is like the one that was backed up. */
static void tell_createdb(const struct pgsql_plan *p, const struct pgsql *c, engine_plan_fn *fn, void *arg)
{
    static const struct {
        const char *fact;
        const char *option;
    } all[] = { { "encoding", "-E" }, { "collate", "--lc-collate" }, { "ctype", "--lc-ctype" } };
    char cure[SAY_MAX] = "createdb -T template0";
    char word[SHOWN_MAX];
    char text[SHOWN_MAX];
    size_t used = strlen(cure);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (fact_get(p->schema_facts, all[i].fact, text, sizeof text))
            used += (size_t)snprintf(cure + used, sizeof cure - used, " %s %s", all[i].option,
                                     str_shell_word(word, sizeof word, text));
    (void)snprintf(cure + used, sizeof cure - used, " %s", str_shell_word(word, sizeof word, PQdb(c->conn)));
    (void)snprintf(text, sizeof text, "%s does not exist", c->where);
    fn(PLAN_MISSING, text, cure, arg);
}

static int plan_of(struct pgsql *c, struct pgsql_plan *p, bool exists, engine_plan_fn *fn, void *arg,
                   struct error *err)
{
    struct error why = ERROR_INIT;
    int rc = pgsql_schema_fetch(p, err);
    if (rc == 0)
        rc = pgsql_schema_select(p, exists && p->target->into_nonempty ? c : NULL, err);
    if (rc == 0)
        rc = pgsql_target_findings(p->target, c, exists, fn, arg, err);
    if (rc == 0 && exists && pgsql_target_fits(p, c, &why) < 0)
        fn(PLAN_MISSING, why.text, NULL, arg);
    return rc == 0 ? pgsql_fits(c, p, exists, fn, arg, err) : rc;
}

/* The target itself, or what is beside it, or what is not there yet: then *other leads to the server. */
static int reach(const struct pgsql_plan *p, struct pgsql *c, bool *exists, engine_plan_fn *fn, void *arg,
                 struct error *err)
{
    const struct engine_target *t = p->target;
    struct error why = ERROR_INIT;
    char *name = NULL;
    char text[SHOWN_MAX];
    char shown[SHOWN_MAX];
    *exists = false;
    int rc = t->beside ? 0 : pgsql_target_connect(t->to, c, &why);
    if (!t->beside && rc == 0) {
        *exists = true;
        return pgsql_session(c, 0, NULL, err);
    }
    if (rc < 0 && (rc != E_NOT_FOUND || c->conn == NULL))
        return error_copy(err, &why);
    if (rc < 0)
        tell_createdb(p, c, fn, arg);
    pgsql_close(c);
    rc = pgsql_via_open(t->to, t->via, c, &name, err);
    if (rc == 0 && t->beside) {
        (void)snprintf(text, sizeof text, "a new database next to %s, which stays as it is",
                       str_printable(shown, sizeof shown, name));
        fn(PLAN_CREATE, text, NULL, arg);
    }
    free(name);
    return rc == 0 ? pgsql_session(c, 0, NULL, err) : rc;
}

int pgsql_plan_tell(const struct engine_streams *streams, const struct engine_target *target,
                    engine_plan_fn *fn, void *arg, struct error *err)
{
    struct pgsql_plan plan = { .streams = NULL };
    struct pgsql c = { .conn = NULL };
    bool exists = false;
    int rc = pgsql_after_check(target, err);
    if (rc == 0)
        rc = pgsql_plan_make(&plan, streams, target, err);
    if (rc == 0)
        rc = reach(&plan, &c, &exists, fn, arg, err);
    if (rc == 0)
        rc = plan_of(&c, &plan, exists, fn, arg, err);
    pgsql_plan_free(&plan);
    pgsql_close(&c);
    return rc;
}
