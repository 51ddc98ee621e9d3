/* The rows of all tables, read by one connection or by several at once, and given in order. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/mariadb/share.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/name.h"
#include "common/engine/readahead.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum {
    UNIT_BYTES = READAHEAD_BUFFER, /* of a table on disk, in about one unit */
    UNITS_MAX = 1 << 18,           /* of one table */
};

/* What one connection reads in one go: a table, or its rows from one value of its range up to another. */
struct unit {
    size_t table;
    bool first;
    bool last;
    int64_t from; /* unless first */
    int64_t to;   /* unless last */
    uint64_t rows;
    char fingerprint[FINGERPRINT_TEXT_MAX];
    struct vec freshest; /* of the first */
};

struct maria_gather {
    struct maria_origin *o;
    struct vec units;
    struct maria_shares *shares;
    struct readahead *ahead; /* NULL: there is one reader, which needs no thread */
    size_t next;             /* unit */
    size_t table;            /* of the next source */
    /* of the current source */
    uint64_t rows;
    char fingerprint[FINGERPRINT_TEXT_MAX];
};

/* ---- units ------------------------------------------------------------------------------------------------- */

static struct unit *add_unit(struct maria_gather *g, size_t table, struct error *err)
{
    struct unit *u = vec_push(&g->units, err);
    if (u == NULL)
        return NULL;
    *u = (struct unit){ .table = table, .freshest = VEC_OF(char *) };
    maria_shares_add(g->shares, table);
    return u;
}

/* Equal steps from the smallest to the largest value. Whatever the values are, each row is in one unit. */
static int add_ranges(struct maria_gather *g, size_t table, int64_t least, int64_t most, struct error *err)
{
    const struct maria_table *t = vec_at(&g->o->tables, table);
    uint64_t n = t->bytes / UNIT_BYTES + 1;
    n = n < UNITS_MAX ? n : UNITS_MAX;
    uint64_t span = (uint64_t)most - (uint64_t)least;
    uint64_t step = span / n + 1;
    n = span / step + 1;
    for (uint64_t i = 0; i < n; i++) {
        struct unit *u = add_unit(g, table, err);
        if (u == NULL)
            return E_NOMEM;
        u->first = i == 0;
        u->last = i + 1 == n;
        u->from = (int64_t)((uint64_t)least + i * step);
        u->to = u->last ? 0 : (int64_t)((uint64_t)u->from + step);
    }
    return 0;
}

static int plan_table(struct maria_gather *g, size_t table, struct error *err)
{
    struct maria_origin *o = g->o;
    struct maria_table *t = vec_at(&o->tables, table);
    int64_t least = 0;
    int64_t most = 0;
    int rc = interrupt_check(err);
    if (rc == 0 && o->nreaders > 1 && t->transactional && !t->versioned && t->bytes > UNIT_BYTES)
        rc = maria_find_range(&o->main, &o->readers[0], t, &least, &most, err);
    if (rc < 0 || t->range != NULL)
        return rc < 0 ? rc : add_ranges(g, table, least, most, err);
    struct unit *u = add_unit(g, table, err);
    if (u != NULL)
        u->first = u->last = true;
    return u != NULL ? 0 : E_NOMEM;
}

/* "`id` >= 5 AND `id` < 9"; nothing for a whole table. */
static int condition_of(const struct unit *u, const struct maria_table *t, struct buf *out, struct error *err)
{
    if (u->first && u->last)
        return 0;
    char *column = maria_quoted_text(t->range, err);
    int rc = column != NULL ? 0 : E_NOMEM;
    if (rc == 0 && !u->first)
        rc = buf_printf(out, err, "%s >= %" PRId64 "%s", column, u->from, u->last ? "" : " AND ");
    if (rc == 0 && !u->last)
        rc = buf_printf(out, err, "%s < %" PRId64, column, u->to);
    free(column);
    return rc == 0 ? buf_append(out, "", 1, err) : rc;
}

/* ---- one unit ------------------------------------------------------------------------------------------------ */

/* In the same snapshot as the rows. */
static int read_freshest(struct maria *c, const struct maria_table *t, struct vec *out, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->fresh.len; i++) {
        char *table = maria_qualified(t->database, t->name, err);
        char *column = maria_quoted_text(*(char **)vec_at(&t->fresh, i), err);
        char *sql =
            table != NULL && column != NULL ? str_printf(err, "SELECT MAX(%s) FROM %s", column, table) : NULL;
        char *value = sql != NULL ? maria_text(c, sql, err) : NULL;
        rc = value != NULL ? names_add(out, value, err) : maria_failed(err);
        free(table);
        free(column);
        free(sql);
        free(value);
    }
    return rc;
}

/* On the connection of this lane; t is the unit's own. */
static struct source *begin_unit(struct maria_gather *g, unsigned lane, struct unit *u, struct maria_table *t,
                                 struct error *err)
{
    struct maria *c = &g->o->readers[lane];
    if (maria_shares_hold(g->shares, lane, u->table, err) < 0 ||
        (u->first && read_freshest(c, t, &u->freshest, err) < 0))
        return NULL;
    struct source *s = maria_rows_source(c, t, t->database, g->o->set->seed, err);
    if (s != NULL)
        maria_shares_begun(g->shares, u->table);
    return s;
}

static int fetch(void *arg, unsigned lane_number, size_t unit, struct readahead_lane *lane, struct error *err)
{
    struct maria_gather *g = arg;
    struct unit *u = vec_at(&g->units, unit);
    struct maria_table part = *(const struct maria_table *)vec_at(&g->o->tables, u->table);
    struct buf condition = BUF_INIT;
    int rc = condition_of(u, &part, &condition, err);
    part.part = condition.len > 0 ? (const char *)condition.data : NULL;
    struct source *s = rc == 0 ? begin_unit(g, lane_number, u, &part, err) : NULL;
    rc = s != NULL ? readahead_pass(lane, s, err) : maria_failed(err);
    source_free(s);
    buf_free(&condition);
    u->rows = part.rows;
    memcpy(u->fingerprint, part.fingerprint, sizeof u->fingerprint);
    return rc == 0 ? maria_shares_leave(g->shares, lane_number, u->table, err) : rc;
}

static void stop(void *arg)
{
    const struct maria_gather *g = arg;
    maria_shares_end(g->shares);
}

static int tick_reader(void *arg, struct error *err)
{
    const struct maria_gather *g = arg;
    return maria_origin_tick(g->o, false, err);
}

/* A lane that waits for its server ends, too. */
static int tick_lane(void *arg, struct error *err)
{
    const struct maria_gather *g = arg;
    return maria_shares_ended(g->shares) ? error_set(err, E_CANCELLED, "the other readers have ended") : 0;
}

/* ---- start and end ------------------------------------------------------------------------------------------- */

static int start_ahead(struct maria_gather *g, struct error *err)
{
    const struct readahead_options options = {
        .lanes = (unsigned)g->o->nreaders,
        .units = g->units.len,
        .buffer = READAHEAD_BUFFER,
        .block = READAHEAD_BLOCK,
        .fetch = fetch,
        .tick = tick_reader,
        .stop = stop,
        .arg = g,
    };
    if (g->o->nreaders == 1)
        return 0;
    for (size_t i = 0; i < g->o->nreaders; i++) {
        g->o->readers[i].tick = tick_lane;
        g->o->readers[i].tick_arg = g;
    }
    g->ahead = readahead_start(&options, err);
    return g->ahead != NULL ? 0 : maria_failed(err);
}

struct maria_gather *maria_gather_start(struct maria_origin *o, struct error *err)
{
    struct maria_gather *g = mem_alloc(1, sizeof *g, err);
    if (g == NULL)
        return NULL;
    g->o = o;
    g->units = (struct vec)VEC_OF(struct unit);
    g->shares = maria_shares_new(o->readers, o->tables.len, err);
    int rc = g->shares != NULL ? 0 : E_NOMEM;
    for (size_t i = 0; rc == 0 && i < o->tables.len; i++)
        rc = plan_table(g, i, err);
    if (rc == 0)
        rc = start_ahead(g, err);
    if (rc == 0)
        return g;
    maria_gather_free(g);
    return NULL;
}

void maria_gather_free(struct maria_gather *g)
{
    if (g == NULL)
        return;
    readahead_free(g->ahead);
    for (size_t i = 0; i < g->o->nreaders; i++)
        g->o->readers[i].tick = NULL;
    for (size_t i = 0; i < g->units.len; i++)
        names_free(&((struct unit *)vec_at(&g->units, i))->freshest);
    maria_shares_free(g->shares);
    vec_free(&g->units);
    free(g);
}

/* ---- one table as a source ----------------------------------------------------------------------------------- */

static void take_freshest(struct maria_table *t, struct unit *u)
{
    t->freshest = u->freshest;
    u->freshest = (struct vec)VEC_OF(char *);
}

/* The table is written to at the end only: until then lanes copy it. */
static int unit_done(void *arg, size_t unit, struct error *err)
{
    struct maria_gather *g = arg;
    struct unit *u = vec_at(&g->units, unit);
    struct maria_table *t = vec_at(&g->o->tables, u->table);
    char shown[200];
    g->rows += u->rows;
    if (!fingerprint_join(g->fingerprint, u->fingerprint))
        return error_set(err, E_INTERNAL, "table %s.%s: a part has no fingerprint", t->database,
                         str_printable(shown, sizeof shown, t->name));
    if (!u->last)
        return 0;
    t->rows = g->rows;
    memcpy(t->fingerprint, g->fingerprint, sizeof t->fingerprint);
    take_freshest(t, vec_at(&g->units, g->next - maria_shares_parts(g->shares, u->table)));
    return 0;
}

struct source *maria_gather_source(struct maria_gather *g, struct error *err)
{
    size_t table = g->table++;
    struct maria_table *t = vec_at(&g->o->tables, table);
    size_t from = g->next;
    g->next += maria_shares_parts(g->shares, table);
    g->rows = 0;
    memcpy(g->fingerprint, FINGERPRINT_NONE, sizeof FINGERPRINT_NONE);
    if (g->ahead != NULL)
        return readahead_source(g->ahead, from, g->next, unit_done, g, err);
    struct unit *u = vec_at(&g->units, from);
    struct source *s = begin_unit(g, 0, u, t, err);
    take_freshest(t, u);
    return s;
}

int maria_gather_done(struct maria_gather *g, struct error *err)
{
    return g->ahead == NULL ? maria_shares_leave(g->shares, 0, g->table - 1, err) : 0;
}
