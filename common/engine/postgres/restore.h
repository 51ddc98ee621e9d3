/*
 * restore.h - what the files that restore share; not for others.
 */
#ifndef COMMON_ENGINE_POSTGRES_RESTORE_H
#define COMMON_ENGINE_POSTGRES_RESTORE_H

#include "common/engine/postgres/internal.h"
#include "common/engine/postgres/toc.h"

/* subset.c: which definitions belong to a selection, and what it leaves out although something refers to it. */
struct pgsql_subset {
    bool *wanted;    /* for each entry of the list of contents; NULL: all of them */
    struct vec left; /* char *, for people */
};

/* schema.c: the definitions, in memory that pg_restore can read as a file. */
struct pgsql_schema {
    int fd; /* of schema.pgdump; -1 */
    struct pgsql_toc toc;
    bool known; /* toc was read; false when pg_dump was too new for that, and nothing is selected */
    struct pgsql_subset subset;
};

/* One table of a snapshot, from the name and the facts of its stream. */
struct pgsql_load {
    struct pgsql_table t; /* rows and fingerprint as they were backed up */
    char *stream;
    uint64_t len;
    uint64_t taken; /* rows that the target took so far */
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
    struct vec loads; /* struct pgsql_load: those that are wanted */
    struct pgsql_schema schema;
    bool partial;  /* not the whole database */
    uint64_t done; /* bytes so far */
    uint64_t seed; /* of the fingerprints */
};

/* plan.c */
int pgsql_plan_make(struct pgsql_plan *p, const struct engine_streams *streams,
                    const struct engine_target *target, struct error *err);
void pgsql_plan_free(struct pgsql_plan *p);
void pgsql_load_free(struct pgsql_load *l);
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

/* absent.c: what the job's patterns kept out of the snapshot, a text for each; nothing of a part of it. */
typedef void pgsql_absent_fn(const char *text, void *arg);
void pgsql_absent(const struct pgsql_plan *p, pgsql_absent_fn *fn, void *arg);

/* restore.c: into the database that `to` names. tell: that the settings of the database itself are not restored. */
int pgsql_restore_into(const struct engine_streams *streams, const struct engine_target *target, bool tell,
                       struct error *err);

/* target.c: connects to `to`, and refuses a password in it. */
int pgsql_target_connect(const char *to, struct pgsql *c, struct error *err);
/* Also refuses what must not be written to. */
int pgsql_target_open(const struct engine_target *target, struct pgsql *c, struct error *err);
/* Refuses a server of an older release than the snapshot's. */
int pgsql_target_older(const struct engine_target *t, struct pgsql *c, struct error *err);
/* Refuses what does not fit the database that the plan restores. */
int pgsql_target_fits(const struct pgsql_plan *p, const struct pgsql *c, struct error *err);

/* Another connection to the same place, with the same settings. */
int pgsql_target_again(const struct pgsql *first, struct pgsql *c, struct error *err);

/* schema.c: fetches schema.pgdump and reads what it holds; then what of it is wanted. */
int pgsql_schema_fetch(struct pgsql_plan *p, struct error *err);
/* Keeps the loads that are selected and chooses their definitions. c NULL: the target is empty. */
int pgsql_schema_select(struct pgsql_plan *p, struct pgsql *c, struct error *err);
/* Runs pg_restore for one section, in `jobs` sessions. */
int pgsql_schema_load(struct pgsql *c, const struct pgsql_plan *p, const struct pgsql_tool *tool,
                      const char *section, unsigned jobs, struct error *err);
void pgsql_schema_free(struct pgsql_schema *s);
/* subset.c: tables[i] says whether entry i of the list is a selected table. On failure the subset is to be freed, too. */
int pgsql_subset_make(struct pgsql *c, const struct pgsql_toc *toc, const struct engine_selection *sel,
                      const bool *tables, struct pgsql_subset *out, struct error *err);
void pgsql_subset_free(struct pgsql_subset *s);
/* False also when the target cannot be asked for this kind. */
int pgsql_toc_exists(struct pgsql *c, const struct toc_entry *e, bool *out, struct error *err);

/* Everything that pgsql_target_open refuses, as findings. `exists` false: c leads to another database of the server. */
int pgsql_target_findings(const struct engine_target *target, struct pgsql *c, bool exists,
                          engine_plan_fn *fn, void *arg, struct error *err);

/* fits.c: what restore() would do to this target and what it lacks; touches nothing. c may lead to another database of
 * the server when the target does not exist yet. */
int pgsql_fits(struct pgsql *c, const struct pgsql_plan *p, bool exists, engine_plan_fn *fn, void *arg,
               struct error *err);
/* E_UNSUPPORTED that lists what is missing. */
int pgsql_fits_or_fail(struct pgsql *c, const struct pgsql_plan *p, bool exists, struct error *err);
/* restore.c: pg_restore of the target's release, and new enough for what pg_dump wrote. */
int pgsql_restore_tool(const struct pgsql *c, const struct engine_target *t, struct pgsql_tool *out,
                       struct error *err);

/* roles.c: which roles the target lacks (char *); the ways out of that. */
int pgsql_roles_missing(struct pgsql *c, const struct pgsql_plan *p, struct vec *missing, struct error *err);
const char *pgsql_roles_ways(const struct pgsql_plan *p);
/* Every role the dump names exists afterwards, or an error that names those that do not. */
int pgsql_roles_settle(struct pgsql *c, const struct pgsql_plan *p, struct error *err);

/* load.c */
int pgsql_load_objects(struct pgsql *c, struct pgsql_plan *p, const struct pgsql_tool *tool,
                       struct error *err);
/* Whether sessions may do without triggers. */
int pgsql_may_be_replica(struct pgsql *c, bool *out, struct error *err);
/* rows.c: all tables, over `jobs` connections; c is where they lead to. */
int pgsql_load_tables(struct pgsql *c, struct pgsql_plan *p, unsigned jobs, struct error *err);
/* One of the statements of load.sql that pgsql_load_sequences runs. */
struct statement;
bool pgsql_is_setval(const struct statement *s);
int pgsql_load_sequences(struct pgsql *c, const struct pgsql_plan *p, struct error *err);

enum { PGSQL_JOBS = 2, PGSQL_JOBS_MAX = 16 };
/* How many connections load at once. */
unsigned pgsql_jobs(const struct engine_target *target);

/* ask.c */
int pgsql_ask(const char *to, const char *sql, bool script, engine_row_fn *fn, void *arg, struct error *err);

/* after.c: refuses a script that cannot be run as one transaction, before anything else was done; then runs it. */
int pgsql_after_check(const struct engine_target *target, struct error *err);
int pgsql_after(struct pgsql *c, const struct engine_target *target, struct error *err);

/* compare_facts.c: objects, rights and sequences, where they can be compared; what differs goes to `differ` (char *),
 * what was compared to `checked` (may be NULL). */
int pgsql_compare_facts(struct pgsql *c, const struct pgsql_plan *p, struct vec *differ, struct buf *checked,
                        struct error *err);

/* compare.c: one comparison, to the target's check() or, when it differs, to `differ`. Takes the text. */
int pgsql_differ(const struct pgsql_plan *p, const struct engine_check *check, struct vec *differ, char *text,
                 struct error *err);
/* E_CORRUPT "facts-differ" names the tables. */
int pgsql_compare(struct pgsql *c, const struct pgsql_plan *p, struct error *err);

#endif
