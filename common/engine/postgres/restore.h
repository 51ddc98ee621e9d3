/*
 * restore.h - what the files that restore share; not for others.
 */
#ifndef COMMON_ENGINE_POSTGRES_RESTORE_H
#define COMMON_ENGINE_POSTGRES_RESTORE_H

#include "common/engine/postgres/internal.h"

/* One table of a snapshot, from the name and the facts of its stream. */
struct pgsql_load {
    struct pgsql_table t; /* rows and fingerprint as they were backed up */
    char *stream;
    uint64_t len;
};

/* What a snapshot holds. */
struct pgsql_plan {
    const struct engine_streams *streams;
    const struct engine_target *target;
    char *prefix;       /* "DB/" as it is spelled in the streams' names: of the one that is wanted */
    char *schema_facts; /* also what is known of the database itself */
    char *script_facts;
    bool globals;
    bool objects;
    struct vec loads; /* struct pgsql_load */
    uint64_t done;    /* bytes so far */
};

/* plan.c */
int pgsql_plan_make(struct pgsql_plan *p, const struct engine_streams *streams,
                    const struct engine_target *target, struct error *err);
void pgsql_plan_free(struct pgsql_plan *p);
/* A stream of the database by what follows "DB/" (of_database), or of the server; for source_free. */
struct source *pgsql_plan_open(const struct pgsql_plan *p, bool of_database, const char *rest,
                               struct error *err);
/* The same, whole, with a NUL behind it. */
int pgsql_plan_read(const struct pgsql_plan *p, bool of_database, const char *rest, size_t limit,
                    struct buf *out, struct error *err);
void pgsql_plan_progress(struct pgsql_plan *p, uint64_t bytes);
void pgsql_plan_phase(const struct pgsql_plan *p, const char *what);
/* A text fact for free(); NULL with E_CORRUPT "postgres-facts" when there is none. */
char *pgsql_fact(const char *facts, const char *key, const char *of, struct error *err);
/* An encoded, comma-separated fact as names: calls vec_push on out (char *). Missing is empty. */
int pgsql_fact_names(const char *facts, const char *key, struct vec *out, struct error *err);

/* target.c: connects to `to`, refuses what must not be written to. */
int pgsql_target_open(const struct engine_target *target, struct pgsql *c, struct error *err);
/* Refuses what does not fit the database that the plan restores. */
int pgsql_target_fits(const struct pgsql_plan *p, const struct pgsql *c, struct error *err);

/* roles.c: every role the dump names exists afterwards, or an error that names those that do not. */
int pgsql_roles_settle(struct pgsql *c, const struct pgsql_plan *p, struct error *err);

/* load.c */
int pgsql_load_dump(struct pgsql *c, struct pgsql_plan *p, const struct pgsql_tool *tool, const char *rest,
                    const char *section, struct error *err);
int pgsql_load_tables(struct pgsql *c, struct pgsql_plan *p, struct error *err);
/* One of the statements of load.sql that pgsql_load_sequences runs. */
struct statement;
bool pgsql_is_setval(const struct statement *s);
int pgsql_load_sequences(struct pgsql *c, const struct pgsql_plan *p, struct error *err);

/* compare.c: E_CORRUPT "facts-differ" names the tables. */
int pgsql_compare(struct pgsql *c, const struct pgsql_plan *p, struct error *err);

#endif
