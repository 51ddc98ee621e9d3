/*
 * census.h - what a database holds besides rows: counts and hashes of its objects, rights and owners, as facts.
 *
 * The hashes are sums of XXH3-128 over lines of text (engine/fingerprint.h, without a seed): they depend neither on
 * OIDs nor on the order in which the server finds things. docs/format.md names the facts. Not for other engines.
 */
#ifndef COMMON_ENGINE_POSTGRES_CENSUS_H
#define COMMON_ENGINE_POSTGRES_CENSUS_H

#include "common/engine/postgres/internal.h"

enum {
    CENSUS_VERSION = 1,     /* of the queries: hashes of other versions cannot be compared */
    CENSUS_MAJOR_MIN = 15,  /* the oldest release whose catalogs they know */
    CENSUS_NAME_MAX = 64,   /* bytes of a kind */
    CENSUS_KINDS_MAX = 128, /* all together */
    PGSQL_NEWEST_TEXT_MAX = 6000,
    PGSQL_COLLATIONS_TEXT_MAX = 3000,
    PGSQL_VALUES_TEXT_MAX = 48000, /* values of sequences: a fact */
};

/* census_sql.c: NULL-terminated; each gives rows "kind, structure, definition or NULL". */
extern const char *const pgsql_census_objects[];
extern const char *const pgsql_census_grants[];
extern const char *const pgsql_census_owners[];

/* Facts `census`, `schema_hash`, `objects_KIND`, `grants_KIND`, `owners`, `public_schema`, `collations`; a transaction
 * is open. */
int pgsql_census(struct pgsql *c, struct buf *out, struct error *err);
/* Calls fn for each of those lines, as its key and what has to be equal after a restore; a negative return ends it. */
typedef int pgsql_census_fn(const char *key, uint64_t count, const char *hash, void *arg, struct error *err);
int pgsql_census_each(const char *facts, pgsql_census_fn *fn, void *arg, struct error *err);

/* Facts of load.sql: how many sequences, a hash of their values, and the values. */
int pgsql_sequence_facts(const struct vec *sequences, struct buf *out, struct error *err);

/* freshness.c: facts `newest_SCHEMA.TABLE.COLUMN` of the columns that the job names; a transaction is open. */
int pgsql_newest_facts(struct pgsql *c, const struct pgsql_settings *s, struct buf *out, struct error *err);
/* Finds out what cannot be read; `found` counts, for each column, the databases that have it. */
int pgsql_newest_probe(struct pgsql *c, const struct pgsql_settings *s, unsigned *found,
                       engine_finding_fn *fn, void *arg, struct error *err);

#endif
