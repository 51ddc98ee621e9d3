/*
 * sample.h - which tables a drill takes, so that every one comes around within a while.
 *
 *     const struct sample_ask ask = { .now = now, .within = 30 * 86400, .before = last_sample, .seed = random };
 *     sample_choose(&ask, tables, n, &choice);       // marks tables[i].chosen, all of one database; may reorder these
 *
 * The tables of one database have to stand together.
 *
 * A drill restores one database, so the database is chosen, too: the one with the table that is due first. Of it come, up to
 * the share of this run: what would be late before the next runs, whatever it weighs; then tables that were never drilled, up
 * to half of the share; then those whose drill is longest ago; and a few at random that would not have their turn yet. Who
 * changes a backup cannot tell what is looked at next.
 *
 * The share follows from the time since the sample before (rotation_width() of rotate.h), as part of three quarters of
 * `within`: the rest is for nights that fail or are left out. Where there are more databases than runs no share is enough,
 * and what is late is told by who looks at the ages (sample_due).
 */
#ifndef RESTORE_DRILL_SAMPLE_H
#define RESTORE_DRILL_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SAMPLE_TABLE_WEIGHT = 256 * 1024 }; /* bytes that making a table counts as */

struct sample_table {
    const char *database;
    const char *name;
    uint64_t bytes;
    uint64_t first; /* seconds: first seen; 0: now */
    uint64_t last;  /* last drilled well; 0: never */
    bool chosen;
    uint64_t from, key; /* private */
};

struct sample_ask {
    uint64_t now;
    uint64_t within; /* seconds, not 0 */
    uint64_t before; /* when the last sample came to its end; 0: there was none */
    uint64_t seed;
};

struct sample_choice {
    const char *database; /* of the tables that are chosen; NULL: there are no tables */
    size_t chosen;
    size_t of; /* tables of that database */
};

void sample_choose(const struct sample_ask *ask, struct sample_table *tables, size_t n,
                   struct sample_choice *out);

/* When a table has to be drilled at the latest. */
uint64_t sample_due(uint64_t first, uint64_t last, uint64_t within);

#endif
