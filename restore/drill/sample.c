#include "restore/drill/sample.h"

#include <stdlib.h>
#include <string.h>

#include "restore/rotate.h"

#include "common/base/banned.h"

#define CIRCLE ((uint64_t)1 << 32)

struct chooser {
    const struct sample_ask *ask;
    struct sample_table *tables; /* first of all, then of the database that was chosen */
    size_t n;
    uint64_t random;
    uint64_t since; /* seconds that this run stands for */
    uint64_t share; /* weight that this run takes */
    uint64_t taken;
};

static uint64_t draw(struct chooser *c)
{
    c->random = c->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return c->random >> 16;
}

static uint64_t weight_of(const struct sample_table *t)
{
    const uint64_t most = (uint64_t)1 << 42; /* sums of all members of a snapshot stay below 2^63 */
    return (t->bytes < most ? t->bytes : most) / 1024 + SAMPLE_TABLE_WEIGHT / 1024;
}

uint64_t sample_due(uint64_t first, uint64_t last, uint64_t within)
{
    uint64_t from = last != 0 ? last : first;
    return from < UINT64_MAX - within ? from + within : UINT64_MAX;
}

/* Where the tables of the same database end. */
static size_t end_of(const struct chooser *c, size_t at, uint64_t *weight)
{
    size_t end = at;
    *weight = 0;
    for (; end < c->n && strcmp(c->tables[end].database, c->tables[at].database) == 0; end++)
        *weight += weight_of(&c->tables[end]);
    return end;
}

/* ---- which database, and how much ---------------------------------------------------------------------- */

/* The oldest table's; among equals any. */
static size_t oldest(struct chooser *c)
{
    size_t best = 0;
    size_t equal = 0;
    for (size_t i = 0; i < c->n; i++) {
        uint64_t from = c->tables[i].from;
        bool older = i == 0 || from < c->tables[best].from;
        equal = older ? 1 : from == c->tables[best].from ? equal + 1 : equal;
        if (older || (from == c->tables[best].from && draw(c) % equal == 0))
            best = i;
    }
    return best;
}

/* Runs until every database came around, when each takes `share` or what is left of it. */
static uint64_t runs_with(const struct chooser *c, uint64_t share)
{
    uint64_t runs = 0;
    uint64_t weight = 0;
    for (size_t i = 0; i < c->n;) {
        i = end_of(c, i, &weight);
        runs += (weight + share - 1) / share;
    }
    return runs;
}

/* A small database takes a whole run: then the shares of the others have to be larger. */
static void choose_share(struct chooser *c, uint64_t whole)
{
    uint64_t every = c->ask->within / 4 * 3;
    uint64_t width = rotation_width(c->since, every > 0 ? every : 1);
    uint64_t all = 0;
    uint64_t weight = 0;
    for (size_t i = 0; i < c->n; all += weight)
        i = end_of(c, i, &weight);
    c->share = width >= CIRCLE ? whole : (uint64_t)((double)all * ((double)width / (double)CIRCLE)) + 1;
    while (c->share < whole && runs_with(c, c->share) > (CIRCLE + width - 1) / width)
        c->share += c->share / 8 + 1;
}

static void choose_database(struct chooser *c)
{
    uint64_t whole = 0;
    size_t at = oldest(c);
    while (at > 0 && strcmp(c->tables[at - 1].database, c->tables[at].database) == 0)
        at--;
    size_t end = end_of(c, at, &whole);
    choose_share(c, whole);
    c->tables += at;
    c->n = end - at;
}

/* ---- which tables -------------------------------------------------------------------------------------- */

static int at_random(const void *a, const void *b)
{
    const struct sample_table *x = a;
    const struct sample_table *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

static int by_age(const void *a, const void *b)
{
    const struct sample_table *x = a;
    const struct sample_table *y = b;
    return x->from != y->from ? (x->from < y->from ? -1 : 1) : at_random(a, b);
}

static void take(struct chooser *c, struct sample_table *t)
{
    c->taken += t->chosen ? 0 : weight_of(t);
    t->chosen = true;
}

/* It cannot wait for the next run but one. */
static bool is_late(const struct chooser *c, const struct sample_table *t)
{
    uint64_t due = sample_due(t->from, t->from, c->ask->within);
    uint64_t ahead = c->since < UINT64_MAX / 2 ? 2 * c->since : UINT64_MAX;
    return due <= c->ask->now || due - c->ask->now <= ahead;
}

static void take_due(struct chooser *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (is_late(c, &c->tables[i]))
            take(c, &c->tables[i]);
    qsort(c->tables, c->n, sizeof *c->tables, at_random);
    for (size_t i = 0; i < c->n && c->taken < c->share / 2; i++)
        if (c->tables[i].last == 0)
            take(c, &c->tables[i]);
    qsort(c->tables, c->n, sizeof *c->tables, by_age);
    for (size_t i = 0; i < c->n && c->taken < c->share; i++)
        take(c, &c->tables[i]);
}

/* A few whose turn it is not: no more than a quarter of the share. */
static void take_any(struct chooser *c)
{
    enum { TRIES = 8 };
    uint64_t most = c->share / 4;
    for (size_t i = 0; i < TRIES; i++) {
        struct sample_table *t = &c->tables[draw(c) % c->n];
        uint64_t weight = weight_of(t);
        if (t->chosen || weight > most)
            continue;
        t->chosen = true;
        most -= weight;
    }
}

void sample_choose(const struct sample_ask *ask, struct sample_table *tables, size_t n,
                   struct sample_choice *out)
{
    struct chooser c = { .ask = ask, .tables = tables, .n = n, .random = ask->seed };
    *out = (struct sample_choice){ .database = NULL };
    if (n == 0)
        return;
    /* A clock that was set back tells nothing. */
    c.since = ask->before != 0 && ask->before < ask->now ? ask->now - ask->before : ROTATION_FIRST;
    for (size_t i = 0; i < n; i++) {
        struct sample_table *t = &tables[i];
        t->chosen = false;
        t->from = t->last != 0 ? t->last : t->first != 0 ? t->first : ask->now;
        t->key = draw(&c);
    }
    choose_database(&c);
    take_due(&c);
    take_any(&c);
    out->database = c.tables[0].database;
    out->of = c.n;
    for (size_t i = 0; i < c.n; i++)
        out->chosen += c.tables[i].chosen;
}
