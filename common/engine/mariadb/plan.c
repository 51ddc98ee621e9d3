#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/engine/mariadb/restore.h"
#include "common/engine/name.h"
#include "common/engine/select.h"

#include "common/base/banned.h"

static int unknown(const char *name, struct error *err)
{
    char shown[256];
    return error_set(err, E_UNSUPPORTED,
                     "the snapshot holds \"%s\", which this program cannot load; `restore files` gives all "
                     "streams as files",
                     str_printable(shown, sizeof shown, name));
}

/* ---- facts of a table ---------------------------------------------------------------------------------------- */

static int kind_named(const char *text, size_t len, enum maria_kind *out, struct error *err)
{
    for (size_t i = 0; i < MARIA_KINDS; i++) {
        if (strlen(maria_kinds[i]) == len && strncmp(maria_kinds[i], text, len) == 0) {
            *out = (enum maria_kind)i;
            return 0;
        }
    }
    return error_set(err, E_UNSUPPORTED, "a column is of a kind that this program does not know");
}

/* charsets=utf8mb4,-: without the fact all of them stay "-". */
static int charsets_of(struct maria_table *t, const char *facts, const char *of, struct error *err)
{
    char *all = name_fact_text(facts, "charsets", of, ERR_MARIA_FACTS, NULL);
    const char *at = all;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->columns.len; i++) {
        struct maria_column *col = vec_at(&t->columns, i);
        size_t len = at != NULL ? strcspn(at, ",") : 1;
        if (len == 0 || len >= sizeof col->charset)
            rc = error_corrupt(err, ERR_MARIA_FACTS, "%s has other charsets than columns", of);
        else
            (void)snprintf(col->charset, sizeof col->charset, "%.*s", (int)len, at != NULL ? at : "-");
        at = at != NULL ? at + len + (at[len] == ',') : NULL;
    }
    free(all);
    return rc;
}

/* columns=a,b and kinds=plain,bytes: as many of the one as of the other. */
static int columns_of(struct maria_table *t, const char *facts, const char *of, struct error *err)
{
    struct vec names = VEC_OF(char *);
    char *kinds = name_fact_text(facts, "kinds", of, ERR_MARIA_FACTS, err);
    const char *at = kinds;
    int rc = kinds != NULL ? names_of_fact(facts, "columns", ERR_MARIA_NAME, &names, err) : maria_failed(err);
    for (size_t i = 0; rc == 0 && i < names.len; i++) {
        size_t len = strcspn(at, ",");
        struct maria_column *col = vec_push(&t->columns, err);
        if (col == NULL || (col->name = str_dup(*(char **)vec_at(&names, i), err)) == NULL)
            rc = E_NOMEM;
        else
            rc = kind_named(at, len, &col->kind, err);
        at += len + (at[len] == ',');
    }
    if (rc == 0 && *at != '\0')
        rc = error_corrupt(err, ERR_MARIA_FACTS, "%s has more kinds than columns", of);
    names_free(&names);
    free(kinds);
    return rc == 0 ? charsets_of(t, facts, of, err) : rc;
}

static int facts_of(struct maria_load *l, const char *facts, struct error *err)
{
    char yes[8];
    char *fingerprint = name_fact_text(facts, "fingerprint", l->stream, ERR_MARIA_FACTS, err);
    int rc = fingerprint != NULL ? columns_of(&l->t, facts, l->stream, err) : maria_failed(err);
    if (rc == 0)
        (void)snprintf(l->t.fingerprint, sizeof l->t.fingerprint, "%s", fingerprint);
    if (rc == 0 && !fact_number(facts, "rows", &l->t.rows))
        rc = error_corrupt(err, ERR_MARIA_FACTS, "%s has no fact \"rows\"", l->stream);
    l->t.versioned = fact_get(facts, "versioned", yes, sizeof yes) && strcmp(yes, "yes") == 0;
    free(fingerprint);
    return rc;
}

/* rest: "TABLE.tsv" */
static int take_table(struct maria_plan *p, const char *name, const char *rest, uint64_t len,
                      const char *facts, struct error *err)
{
    const char *dot = strchr(rest, '.');
    if (dot == NULL || strcmp(dot, ".tsv") != 0)
        return unknown(name, err);
    struct maria_load *l = vec_push(&p->loads, err);
    if (l == NULL)
        return E_NOMEM;
    l->len = len;
    l->t.columns = (struct vec)VEC_OF(struct maria_column);
    l->t.fresh = l->t.freshest = (struct vec)VEC_OF(char *);
    if ((l->stream = str_dup(name, err)) == NULL || (l->t.database = str_dup(p->database, err)) == NULL ||
        (l->t.name = name_decode(rest, (size_t)(dot - rest), ERR_MARIA_NAME, err)) == NULL)
        return maria_failed(err);
    return facts_of(l, facts, err);
}

/* ---- streams --------------------------------------------------------------------------------------------------- */

static int keep_facts(char **slot, const char *facts, struct error *err)
{
    free(*slot);
    *slot = str_dup(facts, err);
    return *slot != NULL ? 0 : E_NOMEM;
}

static int take_of_database(struct maria_plan *p, const char *name, const char *rest, uint64_t len,
                            const char *facts, struct error *err)
{
    if (str_starts(rest, "tables/"))
        return take_table(p, name, rest + strlen("tables/"), len, facts, err);
    if (strcmp(rest, "schema.sql") == 0)
        return keep_facts(&p->schema_facts, facts, err);
    if (strcmp(rest, "load.sql") == 0)
        return keep_facts(&p->script_facts, facts, err);
    if (strcmp(rest, "code.sql") == 0)
        return keep_facts(&p->code_facts, facts, err);
    return unknown(name, err);
}

/* Every database has a stream DB/schema.sql. */
static int take_name(const char *name, uint64_t len, const char *facts, void *arg, struct error *err)
{
    const char *slash = strchr(name, '/');
    (void)len;
    (void)facts;
    if (slash == NULL || strcmp(slash, "/schema.sql") != 0)
        return 0;
    char **slot = vec_push(arg, err);
    if (slot == NULL)
        return E_NOMEM;
    *slot = name_decode(name, (size_t)(slash - name), ERR_MARIA_NAME, err);
    return *slot != NULL ? 0 : maria_failed(err);
}

static int choose_database(struct maria_plan *p, struct error *err)
{
    struct vec names = VEC_OF(char *);
    struct buf encoded = BUF_INIT;
    size_t at = 0;
    int rc = p->streams->each(p->streams->arg, take_name, &names, err);
    if (rc == 0 && names.len == 0)
        rc = error_set(err, E_UNSUPPORTED,
                       "the snapshot holds no schema.sql of a database: it is none of the engine mariadb");
    if (rc == 0)
        rc = select_database(p->target->select, names.data, names.len, &at, err);
    if (rc == 0 && (p->database = str_dup(*(char **)vec_at(&names, at), err)) == NULL)
        rc = E_NOMEM;
    if (rc == 0)
        rc = name_encode(&encoded, p->database, err);
    if (rc == 0)
        rc = buf_append(&encoded, "/", 2, err);
    if (rc == 0 && (p->prefix = str_dup((const char *)encoded.data, err)) == NULL)
        rc = E_NOMEM;
    buf_free(&encoded);
    names_free(&names);
    return rc;
}

static int take(const char *name, uint64_t len, const char *facts, void *arg, struct error *err)
{
    struct maria_plan *p = arg;
    if (strcmp(name, "users.sql") == 0) {
        p->users = true;
        return 0;
    }
    if (strchr(name, '/') == NULL)
        return unknown(name, err);
    if (!str_starts(name, p->prefix))
        return 0;
    return take_of_database(p, name, name + strlen(p->prefix), len, facts, err);
}

static int by_size(const void *a, const void *b)
{
    const struct maria_load *x = a;
    const struct maria_load *y = b;
    if (x->len != y->len)
        return x->len > y->len ? -1 : 1;
    return strcmp(x->stream, y->stream);
}

static void load_free(struct maria_load *l)
{
    for (size_t j = 0; j < l->t.columns.len; j++)
        free(((struct maria_column *)vec_at(&l->t.columns, j))->name);
    vec_free(&l->t.columns);
    free(l->t.database);
    free(l->t.name);
    free(l->stream);
}

static int keep_selected(struct maria_plan *p, struct error *err)
{
    size_t n = p->loads.len;
    struct select_item *items = mem_alloc(n + 1, sizeof *items, err);
    bool *wanted = mem_alloc(n + 1, sizeof *wanted, err);
    const struct select_known known = { .items = items, .nitems = n };
    size_t kept = 0;
    int rc = items != NULL && wanted != NULL ? 0 : E_NOMEM;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const struct maria_load *l = vec_at(&p->loads, i);
        items[i] = (struct select_item){ .schema = p->database, .name = l->t.name };
    }
    if (rc == 0)
        rc = select_tables(p->target->select, &known, wanted, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct maria_load *l = vec_at(&p->loads, i);
        if (wanted[i])
            *(struct maria_load *)vec_at(&p->loads, kept++) = *l;
        else
            load_free(l);
    }
    if (rc == 0)
        p->loads.len = kept;
    p->partial = true;
    free(items);
    free(wanted);
    return rc;
}

int maria_plan_make(struct maria_plan *p, const struct engine_streams *streams,
                    const struct engine_target *target, struct error *err)
{
    *p = (struct maria_plan){
        .streams = streams, .target = target, .loads = VEC_OF(struct maria_load), .draws = VEC_OF(char *)
    };
    uint64_t tables = 0;
    int rc = fingerprint_seed_read(target->facts, &p->seed, err);
    if (rc == 0)
        rc = choose_database(p, err);
    if (rc == 0)
        rc = streams->each(streams->arg, take, p, err);
    if (rc == 0 && (p->schema_facts == NULL || p->script_facts == NULL || p->code_facts == NULL))
        rc = error_set(
            err, E_UNSUPPORTED,
            "the snapshot holds no schema.sql, load.sql and code.sql of such a database of the engine mariadb");
    /* A snapshot says itself how many tables it has; one stream missing must not go unnoticed. */
    if (rc == 0 && (!fact_number(p->schema_facts, "tables", &tables) || tables != p->loads.len))
        rc = error_corrupt(err, ERR_MARIA_FACTS, "the snapshot says that it has %llu tables, and holds %zu",
                           (unsigned long long)tables, p->loads.len);
    if (rc == 0 && select_is_partial(target->select))
        rc = keep_selected(p, err);
    vec_sort(&p->loads, by_size);
    return rc;
}

void maria_plan_free(struct maria_plan *p)
{
    for (size_t i = 0; i < p->loads.len; i++)
        load_free(vec_at(&p->loads, i));
    vec_free(&p->loads);
    names_free(&p->draws);
    free(p->prefix);
    free(p->database);
    free(p->schema_facts);
    free(p->script_facts);
    free(p->code_facts);
}

/* ---- how far it is ------------------------------------------------------------------------------------------------ */

void maria_plan_progress(struct maria_plan *p, uint64_t bytes)
{
    p->done += bytes;
    if (p->target->progress != NULL)
        p->target->progress(p->done, p->target->progress_arg);
}

void maria_plan_phase(const struct maria_plan *p, const char *what)
{
    if (p->target->phase != NULL)
        p->target->phase(what, p->target->progress_arg);
}
