/*
 * swap.h - databases beside each other: what the files that make and exchange them share; not for others.
 *
 * Which database is which stands in its comment, so that a state is never
 * guessed from names alone:
 *
 *     NOT READY, do not use: restored beside database OID (NAME) from SNAPSHOT, begun TIME
 *     ready to take the place of database OID (NAME): restored from SNAPSHOT, TIME
 *     kept: its place was taken by database OID (NAME), TIME
 *
 * The comment that people gave belongs to the name: a swap hands it over.
 */
#ifndef COMMON_ENGINE_POSTGRES_SWAP_H
#define COMMON_ENGINE_POSTGRES_SWAP_H

#include "common/engine/postgres/internal.h"
#include "common/engine/postgres/sqlf.h"

enum pgsql_mark { MARK_NONE = 0, MARK_NOT_READY, MARK_READY, MARK_KEPT };

/* A database of the server, as another one sees it. */
struct pgsql_db {
    char *name;
    char *owner;
    char *tablespace;
    char *comment;        /* "" when there is none */
    unsigned oid;         /* 0: there is none of this name */
    unsigned marked_oid;  /* what the mark names */
    enum pgsql_mark mark; /* of the comment */
    bool owned;           /* this role may rename it, as far as ownership goes */
    bool is_template;
};

/* ---- swap_server.c */

/* A connection string like `to` with another database in it, NUL-terminated; *named gets the one it had, for free(). */
int pgsql_to_database(const char *to, const char *database, struct buf *out, char **named, struct error *err);
/* Connects to `via` (NULL: postgres) of the server that `to` names; *live gets the name of the database, for free(). */
int pgsql_via_open(const char *to, const char *via, struct pgsql *c, char **live, struct error *err);
/* `out` with oid 0 when there is none. */
int pgsql_db_find(struct pgsql *c, const char *name, struct pgsql_db *out, struct error *err);
/* Those with a mark, or a name that begins with that of `live` and "_restored_": struct pgsql_db. */
int pgsql_db_marked(struct pgsql *c, const char *live, struct vec *out, struct error *err);
void pgsql_db_free(struct pgsql_db *d);
void pgsql_dbs_free(struct vec *list);
/* LIVE_WHAT_20261128_153000, a name that is free; LIVE is cut where it would be longer than the server allows. */
int pgsql_db_name(struct pgsql *c, const char *live, const char *what, struct buf *out, struct error *err);
/* The comment for a mark. `of` is the database that it names. */
int pgsql_mark_text(enum pgsql_mark mark, unsigned oid, const char *of, const char *from, struct buf *out,
                    struct error *err);
/* E_DENIED with the cure unless this role may make and rename databases, and `a` and `b` (or NULL) are its own. */
int pgsql_may_rename(struct pgsql *c, const struct pgsql_db *a, const struct pgsql_db *b, struct error *err);

/* ---- properties.c: what belongs to a database itself */

/* Settings, rights, connection limit and whether it is a template, from one to the other; within a transaction. */
int pgsql_properties_copy(struct pgsql *c, const struct pgsql_db *from, const struct pgsql_db *to,
                          struct error *err);
/* Appends "rights, settings" where they differ; nothing when they do not. */
int pgsql_properties_differ(struct pgsql *c, const struct pgsql_db *a, const struct pgsql_db *b,
                            struct buf *out, struct error *err);

/* ---- swap_look.c: what a swap meets */

struct pgsql_swap {
    const struct engine_swap *want;
    engine_plan_fn *fn;
    void *arg;
    struct pgsql a; /* renames */
    struct pgsql b; /* looks and ends */
    struct pgsql_db live;
    struct pgsql_db fresh;
    struct buf kept; /* the new name of live, NUL-terminated; empty when there is no live one */
    size_t connections;
    size_t foreign; /* of those: that this role may not end */
    size_t prepared;
};

/* Tells one line. */
void pgsql_tell(const struct pgsql_swap *s, enum engine_plan_kind kind, const char *cure, const char *fmt,
                ...) __attribute__((format(printf, 4, 5)));
/* Chooses s->fresh. */
int pgsql_swap_choose(struct pgsql_swap *s, struct error *err);
/* Connections, prepared transactions, and who else notices it; counts them. */
int pgsql_swap_survey(struct pgsql_swap *s, struct error *err);
int pgsql_swap_connections(struct pgsql_swap *s, struct error *err);

/* ---- beside.c, swap.c */

int pgsql_beside_look(const struct engine_target *target, struct error *err);
int pgsql_beside(const struct engine_streams *streams, const struct engine_target *target, struct error *err);
int pgsql_swap(const struct engine_swap *swap, engine_plan_fn *fn, void *arg, struct error *err);

#endif
