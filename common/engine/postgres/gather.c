/* The rows of all tables, read by several connections at once and given in order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/postgres/internal.h"
#include "common/engine/readahead.h"

#include "common/base/banned.h"

enum {
    UNIT_BYTES = READAHEAD_BUFFER, /* of a table on disk, in about one unit */
};

/* What one connection reads in one go: a table, or a range of its pages. */
struct unit {
    size_t table;
    uint64_t from;
    uint64_t to; /* the page behind; UINT64_MAX: to the end */
    uint64_t rows;
    uint64_t copied;
    char fingerprint[FINGERPRINT_TEXT_MAX];
};

struct pgsql_gather {
    struct pgsql_origin *o;
    struct vec units;
    struct readahead *ahead; /* NULL: there is one reader, which needs no thread */
    size_t next;             /* unit */
    size_t table;            /* of the next source */
    /* of the current source */
    uint64_t rows;
    uint64_t copied;
    char fingerprint[FINGERPRINT_TEXT_MAX];
};

/* ---- units ----------------------------------------------------------------------------------------------- */

static int add_unit(struct pgsql_gather *g, size_t table, uint64_t from, uint64_t to, struct error *err)
{
    struct unit *u = vec_push(&g->units, err);
    if (u == NULL)
        return E_NOMEM;
    *u = (struct unit){ .table = table, .from = from, .to = to };
    return 0;
}

/* As many pages as make a unit's bytes with the long values that belong to them. The bytes of the stream do not depend
 * on it. */
static uint64_t pages_of_unit(const struct pgsql_table *t)
{
    uint64_t units = t->bytes / UNIT_BYTES + 1;
    return t->pages / units + (t->pages % units != 0);
}

static bool has_ranges(const struct pgsql_gather *g, const struct pgsql_table *t)
{
    return g->o->nreaders > 1 && t->bytes > UNIT_BYTES && t->pages > 1 && !t->binary &&
           t->condition == NULL && t->columns.len > 0;
}

static int plan_table(struct pgsql_gather *g, size_t table, struct error *err)
{
    const struct pgsql_table *t = vec_at(&g->o->tables, table);
    if (!has_ranges(g, t))
        return add_unit(g, table, 0, UINT64_MAX, err);
    uint64_t step = pages_of_unit(t);
    int rc = 0;
    for (uint64_t at = 0; rc == 0 && at < t->pages; at += step)
        rc = add_unit(g, table, at, at + step < t->pages ? at + step : UINT64_MAX, err);
    return rc;
}

/* The table as COPY takes it, for this unit. */
static struct pgsql_table part_of(const struct pgsql_gather *g, const struct unit *u, char *condition,
                                  size_t cap)
{
    struct pgsql_table part = *(const struct pgsql_table *)vec_at(&g->o->tables, u->table);
    if (u->from == 0 && u->to == UINT64_MAX)
        return part;
    (void)snprintf(condition, cap, "WHERE ctid >= '(%llu,0)'", (unsigned long long)u->from);
    size_t used = strlen(condition);
    if (u->to != UINT64_MAX)
        (void)snprintf(condition + used, cap - used, " AND ctid < '(%llu,0)'", (unsigned long long)u->to);
    part.condition = condition;
    return part;
}

/* ---- in the thread of a reader --------------------------------------------------------------------------- */

static int fetch(void *arg, unsigned lane_number, size_t unit, struct readahead_lane *lane, struct error *err)
{
    struct pgsql_gather *g = arg;
    struct unit *u = vec_at(&g->units, unit);
    char condition[128];
    struct pgsql_table part = part_of(g, u, condition, sizeof condition);
    struct source *s = pgsql_copy_source(&g->o->readers[lane_number], &part, g->o->set->seed, err);
    int rc = s != NULL ? readahead_pass(lane, s, err) : pgsql_failed(err);
    source_free(s);
    u->rows = part.rows;
    u->copied = part.copied;
    memcpy(u->fingerprint, part.fingerprint, sizeof u->fingerprint);
    return rc;
}

/* The same for the look at a table: it gives no bytes. */
static int look(void *arg, unsigned lane_number, size_t unit, struct readahead_lane *lane, struct error *err)
{
    struct pgsql_origin *o = arg;
    struct pgsql_table *t = vec_at(&o->tables, unit);
    (void)lane;
    return pgsql_needs_binary(&o->readers[lane_number], t, &t->binary, err);
}

static void stop_gather(void *arg)
{
    const struct pgsql_gather *g = arg;
    pgsql_watch_hang_up(g->o);
}

static void stop_look(void *arg)
{
    pgsql_watch_hang_up(arg);
}

static int tick_gather(void *arg, struct error *err)
{
    const struct pgsql_gather *g = arg;
    return pgsql_watch_tick(g->o, err);
}

/* ---- the look -------------------------------------------------------------------------------------------- */

int pgsql_gather_look(struct pgsql_origin *o, struct error *err)
{
    const struct readahead_options options = {
        .lanes = o->nreaders,
        .units = o->tables.len,
        .buffer = 1,
        .block = 1,
        .fetch = look,
        .tick = pgsql_watch_tick,
        .stop = stop_look,
        .arg = o,
    };
    const void *none = NULL;
    int64_t n = 0;
    for (size_t i = 0; n == 0 && o->nreaders == 1 && i < o->tables.len; i++)
        n = look(o, 0, i, NULL, err);
    if (o->nreaders == 1)
        return (int)n;
    struct readahead *r = readahead_start(&options, err);
    if (r == NULL)
        return pgsql_failed(err);
    for (size_t i = 0; n == 0 && i < o->tables.len; i++)
        n = readahead_lend(r, i, &none, err);
    readahead_free(r);
    return (int)n;
}

/* ---- start and end --------------------------------------------------------------------------------------- */

static int start_ahead(struct pgsql_gather *g, struct error *err)
{
    const struct readahead_options options = {
        .lanes = g->o->nreaders,
        .units = g->units.len,
        .buffer = READAHEAD_BUFFER,
        .block = READAHEAD_BLOCK,
        .fetch = fetch,
        .tick = tick_gather,
        .stop = stop_gather,
        .arg = g,
    };
    if (g->o->nreaders == 1)
        return 0;
    g->ahead = readahead_start(&options, err);
    return g->ahead != NULL ? 0 : pgsql_failed(err);
}

struct pgsql_gather *pgsql_gather_start(struct pgsql_origin *o, struct error *err)
{
    struct pgsql_gather *g = mem_alloc(1, sizeof *g, err);
    if (g == NULL)
        return NULL;
    g->o = o;
    g->units = (struct vec)VEC_OF(struct unit);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->tables.len; i++)
        rc = plan_table(g, i, err);
    if (rc == 0)
        rc = start_ahead(g, err);
    if (rc == 0)
        return g;
    pgsql_gather_free(g);
    return NULL;
}

void pgsql_gather_free(struct pgsql_gather *g)
{
    if (g == NULL)
        return;
    readahead_free(g->ahead);
    vec_free(&g->units);
    free(g);
}

/* ---- one table as a source ------------------------------------------------------------------------------- */

/* The table is written to at the end only: until then readers copy it. */
static int unit_done(void *arg, size_t unit, struct error *err)
{
    struct pgsql_gather *g = arg;
    const struct unit *u = vec_at(&g->units, unit);
    struct pgsql_table *t = vec_at(&g->o->tables, u->table);
    char shown[200];
    g->rows += u->rows;
    g->copied += u->copied;
    if (!fingerprint_join(g->fingerprint, u->fingerprint))
        return error_set(err, E_INTERNAL, "table %s: a part has no fingerprint",
                         str_printable(shown, sizeof shown, t->sql));
    if (u->to != UINT64_MAX)
        return 0;
    t->rows = g->rows;
    t->copied = g->copied;
    memcpy(t->fingerprint, g->fingerprint, sizeof t->fingerprint);
    return 0;
}

struct source *pgsql_gather_source(struct pgsql_gather *g, struct error *err)
{
    size_t table = g->table++;
    size_t from = g->next;
    if (g->ahead == NULL)
        return pgsql_copy_source(&g->o->readers[0], vec_at(&g->o->tables, table), g->o->set->seed, err);
    while (g->next < g->units.len && ((struct unit *)vec_at(&g->units, g->next))->table == table)
        g->next++;
    g->rows = g->copied = 0;
    memcpy(g->fingerprint, FINGERPRINT_NONE, sizeof FINGERPRINT_NONE);
    return readahead_source(g->ahead, from, g->next, unit_done, g, err);
}
