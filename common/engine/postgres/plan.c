#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/engine/name.h"
#include "common/engine/postgres/name.h"
#include "common/engine/postgres/restore.h"
#include "common/engine/select.h"

#include "common/base/banned.h"

#define ERR_FACTS "postgres-facts"
enum { BLOCK = 1 << 16 };

/* ---- facts ---------------------------------------------------------------------------------------------- */

char *pgsql_fact(const char *facts, const char *key, const char *of, struct error *err)
{
    return name_fact_text(facts, key, of, ERR_FACTS, err);
}

int pgsql_fact_names(const char *facts, const char *key, struct vec *out, struct error *err)
{
    return names_of_fact(facts, key, "postgres-name", out, err);
}

void pgsql_names_free(struct vec *names)
{
    names_free(names);
}

const char *pgsql_names_text(const struct vec *names, char *out, size_t cap)
{
    return names_text(names, out, cap);
}

/* ---- what the snapshot holds ----------------------------------------------------------------------------- */

static int unknown(const char *name, struct error *err)
{
    char shown[256];
    return error_set(err, E_UNSUPPORTED,
                     "the snapshot holds \"%s\", which this program cannot load; `restore files` gives all "
                     "streams as files",
                     str_printable(shown, sizeof shown, name));
}

static int into_of(struct pgsql_table *t, const char *facts, struct error *err)
{
    struct vec names = VEC_OF(char *);
    int rc = pgsql_fact_names(facts, "load_into", &names, err);
    if (rc == 0 && names.len != 0 && names.len != 2)
        rc = error_corrupt(err, ERR_FACTS, "\"load_into\" of a table names no table");
    if (rc == 0 && names.len == 2) {
        t->into = pgsql_qualified(*(char **)vec_at(&names, 0), *(char **)vec_at(&names, 1), err);
        rc = t->into != NULL ? 0 : E_NOMEM;
    }
    pgsql_names_free(&names);
    return rc;
}

static int facts_of(struct pgsql_load *l, const char *facts, struct error *err)
{
    struct pgsql_table *t = &l->t;
    char *fingerprint = pgsql_fact(facts, "fingerprint", l->stream, err);
    char *condition = pgsql_fact(facts, "condition", l->stream, NULL);
    int rc = fingerprint != NULL ? pgsql_fact_names(facts, "columns", &t->columns, err) : pgsql_failed(err);
    if (rc == 0)
        (void)snprintf(t->fingerprint, sizeof t->fingerprint, "%s", fingerprint);
    if (rc == 0 && !fact_number(facts, "rows", &t->rows))
        rc = error_corrupt(err, ERR_FACTS, "%s has no fact \"rows\"", l->stream);
    if (rc == 0 && condition != NULL && condition[0] != '\0') {
        t->condition = pgsql_decode(condition, strlen(condition), err);
        rc = t->condition != NULL ? 0 : pgsql_failed(err);
    }
    free(fingerprint);
    free(condition);
    return rc;
}

/* rest: "SCHEMA/TABLE.copy" or "SCHEMA/TABLE.copybin" */
static int take_table(struct pgsql_plan *p, const char *name, const char *rest, uint64_t len,
                      const char *facts, struct error *err)
{
    const char *slash = strchr(rest, '/');
    const char *dot = slash != NULL ? strchr(slash, '.') : NULL;
    if (dot == NULL || (strcmp(dot, ".copy") != 0 && strcmp(dot, ".copybin") != 0))
        return unknown(name, err);
    struct pgsql_load *l = vec_push(&p->loads, err);
    if (l == NULL)
        return E_NOMEM;
    l->len = len;
    l->t.columns = (struct vec)VEC_OF(char *);
    l->t.binary = strcmp(dot, ".copybin") == 0;
    if ((l->stream = str_dup(name, err)) == NULL ||
        (l->t.schema = pgsql_decode(rest, (size_t)(slash - rest), err)) == NULL ||
        (l->t.name = pgsql_decode(slash + 1, (size_t)(dot - slash - 1), err)) == NULL)
        return pgsql_failed(err);
    if ((l->t.sql = pgsql_qualified(l->t.schema, l->t.name, err)) == NULL)
        return E_NOMEM;
    int rc = into_of(&l->t, facts, err);
    return rc == 0 ? facts_of(l, facts, err) : rc;
}

static int keep_facts(char **slot, const char *facts, struct error *err)
{
    free(*slot);
    *slot = str_dup(facts, err);
    return *slot != NULL ? 0 : E_NOMEM;
}

static int take(const char *name, uint64_t len, const char *facts, void *arg, struct error *err)
{
    struct pgsql_plan *p = arg;
    if (strcmp(name, "globals.sql") == 0) {
        p->globals = true;
        return 0;
    }
    const char *slash = strchr(name, '/');
    if (slash == NULL)
        return unknown(name, err);
    size_t prefix = (size_t)(slash + 1 - name);
    if (strlen(p->prefix) != prefix || strncmp(name, p->prefix, prefix) != 0)
        return 0; /* of another database */
    const char *rest = slash + 1;
    if (str_starts(rest, "tables/"))
        return take_table(p, name, rest + strlen("tables/"), len, facts, err);
    if (strcmp(rest, "schema.pgdump") == 0)
        return keep_facts(&p->schema_facts, facts, err);
    if (strcmp(rest, "load.sql") == 0)
        return keep_facts(&p->script_facts, facts, err);
    if (strcmp(rest, "largeobjects.pgdump") != 0)
        return unknown(name, err);
    p->objects = true;
    return 0;
}

/* ---- which database -------------------------------------------------------------------------------------- */

/* The databases of the snapshot: each has one schema.pgdump. */
static int take_database(const char *name, uint64_t len, const char *facts, void *arg, struct error *err)
{
    struct vec *names = arg;
    const char *slash = strchr(name, '/');
    (void)len;
    (void)facts;
    if (slash == NULL || strcmp(slash, "/schema.pgdump") != 0)
        return 0;
    char **slot = vec_push(names, err);
    if (slot == NULL)
        return E_NOMEM;
    *slot = pgsql_decode(name, (size_t)(slash - name), err);
    return *slot != NULL ? 0 : pgsql_failed(err);
}

static int choose_database(struct pgsql_plan *p, struct error *err)
{
    const struct engine_selection *select = p->target->select;
    struct vec names = VEC_OF(char *);
    struct buf prefix = BUF_INIT;
    size_t at = 0;
    int rc = p->streams->each(p->streams->arg, take_database, &names, err);
    if (rc == 0)
        rc = select_database(select, names.data, names.len, &at, err);
    if (rc == 0)
        rc = pgsql_encode(&prefix, *(char **)vec_at(&names, at), err);
    if (rc == 0)
        rc = buf_append(&prefix, "/", 2, err);
    if (rc == 0)
        p->prefix = (char *)prefix.data;
    else
        buf_free(&prefix);
    pgsql_names_free(&names);
    return rc;
}

int pgsql_plan_make(struct pgsql_plan *p, const struct engine_streams *streams,
                    const struct engine_target *target, struct error *err)
{
    *p = (struct pgsql_plan){ .streams = streams, .target = target, .loads = VEC_OF(struct pgsql_load) };
    p->schema.fd = -1;
    p->partial = select_is_partial(target->select);
    uint64_t tables = 0;
    int rc = fingerprint_seed_read(target->facts, &p->seed, err);
    if (rc == 0)
        rc = choose_database(p, err);
    if (rc == 0)
        rc = streams->each(streams->arg, take, p, err);
    if (rc == 0 && (p->schema_facts == NULL || p->script_facts == NULL))
        rc = error_set(err, E_UNSUPPORTED,
                       "the snapshot holds no load.sql: it is none of the engine postgres");
    /* A database says itself how many tables it has; one stream missing must not go unnoticed. */
    if (rc == 0 && (!fact_number(p->schema_facts, "tables", &tables) || tables != p->loads.len))
        rc = error_corrupt(err, ERR_FACTS,
                           "the snapshot says that the database has %llu tables, and holds %zu",
                           (unsigned long long)tables, p->loads.len);
    return rc;
}

void pgsql_load_free(struct pgsql_load *l)
{
    pgsql_names_free(&l->t.columns);
    free(l->t.schema);
    free(l->t.name);
    free(l->t.sql);
    free(l->t.into);
    free(l->t.condition);
    free(l->stream);
}

void pgsql_plan_free(struct pgsql_plan *p)
{
    for (size_t i = 0; i < p->loads.len; i++)
        pgsql_load_free(vec_at(&p->loads, i));
    vec_free(&p->loads);
    pgsql_schema_free(&p->schema);
    free(p->prefix);
    free(p->schema_facts);
    free(p->script_facts);
}

/* ---- bytes ------------------------------------------------------------------------------------------------ */

struct source *pgsql_plan_open(const struct pgsql_plan *p, bool of_database, const char *rest,
                               struct error *err)
{
    char *name = str_printf(err, "%s%s", of_database ? p->prefix : "", rest);
    struct source *s = name != NULL ? p->streams->open(p->streams->arg, name, err) : NULL;
    free(name);
    return s;
}

int pgsql_plan_read(const struct pgsql_plan *p, bool of_database, const char *rest, size_t limit,
                    struct buf *out, struct error *err)
{
    struct source *s = pgsql_plan_open(p, of_database, rest, err);
    int64_t n = s != NULL ? 1 : pgsql_failed(err);
    int rc = n < 0 ? (int)n : 0;
    while (rc == 0 && n > 0) {
        rc = buf_reserve(out, BLOCK, err);
        n = rc == 0 ? source_read(s, out->data + out->len, BLOCK, err) : rc;
        rc = n < 0 ? (int)n : 0;
        out->len += n > 0 ? (size_t)n : 0;
        if (rc == 0 && out->len > limit)
            rc = error_corrupt(err, "too-large", "%s is longer than %zu bytes", rest, limit);
    }
    source_free(s);
    return rc == 0 ? buf_append(out, "", 1, err) : rc;
}

void pgsql_plan_progress(struct pgsql_plan *p, uint64_t bytes)
{
    p->done += bytes;
    if (p->target->progress != NULL)
        p->target->progress(p->done, p->target->progress_arg);
}

void pgsql_plan_phase(const struct pgsql_plan *p, const char *what)
{
    if (p->target->phase != NULL)
        p->target->phase(what, p->target->progress_arg);
}
