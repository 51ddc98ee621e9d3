/*
 * night.h - what one run sees of its source: the numbers that are compared with those of other runs.
 *
 *     night_stream(&n, name, &numbers, facts, err);     // after each stream of a database
 *     night_sort(&n);                                   // then n.subjects are in order
 *     night_free(&n);
 *
 * A subject is a stream of a database, or a table that a stream tells of (sqlite). The name of a table's own stream is
 * without its ending, which follows from the rows. Facts are those of docs/format.md: rows, table_rows, schema,
 * schema_hash, columns.
 */
#ifndef BACKUPD_ANOMALY_NIGHT_H
#define BACKUPD_ANOMALY_NIGHT_H

#include "common/base/vec.h"
#include "common/repo/session.h"
#include "common/state/baseline.h"

struct night {
    struct baseline_run run;
    struct vec subjects; /* struct baseline_subject; the names are owned */
};

#define NIGHT_INIT                                  \
    {                                               \
        .subjects = VEC_OF(struct baseline_subject) \
    }

int night_stream(struct night *n, const char *name, const struct session_stream_numbers *numbers,
                 const char *facts, struct error *err);
void night_sort(struct night *n);
const struct baseline_subject *night_find(const struct night *n, const char *name); /* sorted */
/* Another attempt begins. */
void night_clear(struct night *n);
void night_free(struct night *n);

/* In thousandths; -1 when that is too little to say anything. */
int64_t night_ratio(uint64_t sampled, uint64_t packed);

/* "table public.orders of shop", "stream globals.sql": printable. Returns out. */
const char *night_name(char *out, size_t cap, const char *name);

#endif
