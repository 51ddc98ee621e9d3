/*
 * restore.h - what the files that restore share; not for others.
 */
#ifndef COMMON_ENGINE_MARIADB_RESTORE_H
#define COMMON_ENGINE_MARIADB_RESTORE_H

#include "common/engine/mariadb/internal.h"
#include "common/engine/mariadb/statement.h"

/* One table of a snapshot, from the name and the facts of its stream. */
struct maria_load {
    struct maria_table t; /* rows and fingerprint as they were backed up */
    char *stream;
    uint64_t len;
    uint64_t rows_now; /* in the target, once it was compared */
    char fingerprint_now[FINGERPRINT_TEXT_MAX];
};

/* What a snapshot holds of the database that is restored. */
struct maria_plan {
    const struct engine_streams *streams;
    const struct engine_target *target;
    char *prefix;   /* "DB/" as it is spelled in the streams' names */
    char *database; /* its name when it was backed up */
    char *schema_facts;
    char *script_facts;
    char *code_facts;
    bool users;
    bool partial;     /* only some of the tables, and nothing else */
    struct vec loads; /* struct maria_load, largest first */
    struct vec draws; /* char *: of a part: sequences that its tables draw from and the target has not */
    uint64_t done;    /* bytes so far */
    uint64_t seed;    /* of the fingerprints */
};

enum { MARIA_SCRIPT_MAX = 512 * 1024 * 1024 };

/* plan.c */
int maria_plan_make(struct maria_plan *p, const struct engine_streams *streams,
                    const struct engine_target *target, struct error *err);
void maria_plan_free(struct maria_plan *p);
void maria_plan_progress(struct maria_plan *p, uint64_t bytes);
void maria_plan_phase(const struct maria_plan *p, const char *what);

/* plan_script.c: a stream of the database, by what follows "DB/" (of_database), or of the server, for maria_statement_next. Closed
 * in any case. */
enum { MARIA_USERS_MAX = 64 * 1024 * 1024 };
struct maria_plan_script {
    struct buf text;
    struct maria_statements statements;
};
int maria_plan_script_open(const struct maria_plan *p, bool of_database, const char *rest, size_t limit,
                           struct maria_plan_script *out, struct error *err);
void maria_plan_script_close(struct maria_plan_script *s);

/* goal.c: `to`, as an address. */
struct maria_goal {
    char *database;
    char *host;
    char *socket;
    char *user;
    char *password_file;
    char *ssl_ca;
    struct maria_address at; /* borrows from the above; without the database */
};
/* E_USAGE: it makes no sense, or holds a password; its text does not repeat `to`. */
int maria_goal_read(const char *to, struct maria_goal *out, struct error *err);
void maria_goal_free(struct maria_goal *g);

/* target.c */
struct maria_target {
    struct maria_goal goal;
    bool exists;
    char *comment;   /* of the database as it was, without the mark of an earlier attempt; or NULL */
    struct maria c;  /* scripts and questions; in the database once it is there */
    struct vec made; /* char *: views and placeholders of views that were made by this restore */
};
/* Connects and looks whether it is there. */
int maria_target_reach(const struct engine_target *target, struct maria_target *t, struct error *err);
/* Tells what must not be written to, as PLAN_MISSING. */
int maria_target_findings(const struct engine_target *target, struct maria_target *t, engine_plan_fn *fn,
                          void *arg, struct error *err);
/* A table, view or sequence of this name is in it. */
int maria_target_has(struct maria_target *t, const char *name, bool *out, struct error *err);
/* Connects and refuses what must not be written to; makes nothing. */
int maria_target_open(const struct engine_target *target, struct maria_target *t, struct error *err);
/* Makes the database when it is missing, marks it as not complete, and goes there. */
int maria_target_begin(struct maria_target *t, const struct maria_plan *p, struct error *err);
int maria_target_end(struct maria_target *t, const struct maria_plan *p, struct error *err);
void maria_target_close(struct maria_target *t);

/* fits.c: what restoring would do, and what the target lacks; the same for `plan` and before a restore. */
int maria_fits(struct maria_target *t, const struct maria_plan *p, engine_plan_fn *fn, void *arg,
               struct error *err);
int maria_fits_or_fail(struct maria_target *t, const struct maria_plan *p, struct error *err);

/* absent.c: what the snapshot has not, a text for each; nothing of a part of it. */
typedef void maria_absent_fn(const char *text, void *arg);
int maria_absent(const struct maria_plan *p, maria_absent_fn *fn, void *arg, struct error *err);

/* parts.c: fills p->draws; and whether a statement of a script belongs to the selected tables. */
int maria_parts_find(struct maria_target *t, struct maria_plan *p, struct error *err);
struct maria_statement;
bool maria_parts_want(const struct maria_plan *p, const struct maria_statement *s);

/* run.c: a script of the snapshot, statement by statement. */
int maria_run_script(struct maria_target *t, const struct maria_plan *p, const char *rest, struct error *err);
/* The person's own script, the last thing that happens to a target. */
int maria_run_after(struct maria_target *t, const struct maria_plan *p, struct error *err);
int maria_run_sequences(struct maria_target *t, const struct maria_plan *p, struct error *err);

/* load.c, compare.c: every table, several at once. */
int maria_load_tables(const struct maria_target *t, struct maria_plan *p, struct error *err);
int maria_compare(struct maria_target *t, struct maria_plan *p, struct error *err);

/* definitions.c: for a drill, with the target's check(): tables, the hash of all definitions, rights of accounts. */
int maria_compare_definitions(struct maria_target *t, const struct maria_plan *p, struct error *err);
/* ask.c */
int maria_ask(const char *to, const char *sql, bool script, engine_row_fn *fn, void *arg, struct error *err);

/* crew.c: connections that take one table after the other. */
struct maria_crew {
    const struct maria_target *t;
    struct maria_plan *p;
    /* Of one table, on a connection of its own; locks the crew around everything of the plan. */
    int (*work)(struct maria_crew *crew, struct maria *c, struct maria_load *l, struct error *err);
    struct crew_private *private;
};
int maria_crew_run(struct maria_crew *crew, struct error *err);
void maria_crew_lock(struct maria_crew *crew);
void maria_crew_unlock(struct maria_crew *crew);

/* users.c: the accounts that are missing, as the snapshot has them. */
int maria_make_users(struct maria_target *t, const struct maria_plan *p, struct error *err);
/* Accounts that the code runs as and the server has not; who may not read the accounts finds none. */
int maria_missing_definers(struct maria_target *t, const struct maria_plan *p, struct vec *missing,
                           struct error *err);
/* Says which accounts the code runs as and the server has not. */
int maria_tell_definers(struct maria_target *t, const struct maria_plan *p, struct error *err);

#endif
