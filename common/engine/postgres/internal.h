/*
 * internal.h - what the files of this engine share; not for others.
 */
#ifndef COMMON_ENGINE_POSTGRES_INTERNAL_H
#define COMMON_ENGINE_POSTGRES_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/vec.h"
#include "common/engine/engine.h"
#include "common/engine/fingerprint.h"
#include "common/engine/postgres/conn.h"
#include "common/stream/stream.h"
#include "common/sys/child.h"

enum {
    PGSQL_MAJOR = 15, /* what the tests run against */
    PGSQL_READERS_MAX = 16,
    PGSQL_MAJOR_MAX = 99,           /* where a search for newer tools ends */
    PGSQL_COLUMNS_TEXT_MAX = 60000, /* encoded names of one table's columns: a fact */
    PGSQL_FRESHNESS_MAX = 64,       /* columns whose newest value is a fact */
    PGSQL_ROLES_TEXT_MAX = 24000,   /* encoded names of roles: a fact */
};

/* ---- settings.c: the options of a job ------------------------------------------------------------------ */

struct pgsql_settings {
    const struct engine_job *from; /* borrowed, as all of these */
    const char *job;
    const char *host;
    const char *port;
    const char *user;
    const char *passfile;
    const char *sslmode;
    const char *sslrootcert;
    const char *bin_dir;
    uint64_t lock_ms;
    uint64_t max_blocked_ms; /* 0: no limit */
    unsigned connections;    /* that read rows */
    bool unlogged_data;
    bool all_databases;
    bool globals;
    bool allow_untested;
    uint64_t seed; /* of fingerprints */
};

/* Borrows from the job. */
int pgsql_settings_read(const struct engine_job *job, struct pgsql_settings *out, struct error *err);
int pgsql_settings_connect(const struct pgsql_settings *s, const char *database, struct pgsql *c,
                           struct error *err);

/* ---- databases.c: which ones a job means ---------------------------------------------------------------- */

/* Their names, in the order of their streams: char *, for pgsql_names_free. When the server has to be asked, c gets
 * the connection; pgsql_close. */
int pgsql_databases(const struct pgsql_settings *s, struct pgsql *c, struct vec *out, struct error *err);
/* plan.c */
void pgsql_names_free(struct vec *names);
/* "a, b, c and 4 more" of names, printable. */
const char *pgsql_names_text(const struct vec *names, char *out, size_t cap);

/* ---- select.c, depend.c: patterns ------------------------------------------------------------------------ */

struct pgsql_relation { /* of which patterns leave out something; or a schema, without a name */
    uint32_t oid;
    char kind;
    char persistence;
    char *schema;
    char *name;
    bool left_out; /* all of it; else only its rows */
};

struct pgsql_chosen {
    struct vec relations; /* struct pgsql_relation: left out, or without rows */
    struct vec schemas;   /* the same: left out */
    struct vec args;      /* char *: arguments for pg_dump */
};

int pgsql_select_check(const struct pgsql_settings *s, struct error *err);
/* Whether anything is left out by the settings at all. */
bool pgsql_select_any(const struct pgsql_settings *s);
bool pgsql_wants_schema(const struct pgsql_settings *s, const char *schema);
/* kind: of pg_class. */
bool pgsql_wants_table(const struct pgsql_settings *s, char kind, const char *schema, const char *name);
/* One pattern; name NULL: a schema without tables. */
bool pgsql_pattern_matches(bool of_schema, const char *pattern, const char *schema, const char *name);
/* What the patterns leave out of the database behind c. */
int pgsql_choose(const struct pgsql_settings *s, struct pgsql *c, struct pgsql_chosen *out,
                 struct error *err);
void pgsql_chosen_free(struct pgsql_chosen *c); /* a zeroed one is fine */
/* The relation when something of it is left out, or NULL. */
const struct pgsql_relation *pgsql_chosen_find(const struct pgsql_chosen *c, uint32_t oid);
/* Fills args. */
int pgsql_chosen_args(const struct pgsql_settings *s, struct pgsql_chosen *c, struct error *err);
/* How many schemas, tables, views and sequences are not in the snapshot at all. */
#define PGSQL_LEFT_OUT_FACT "left_out"
int pgsql_chosen_facts(const struct pgsql_chosen *c, struct buf *out, struct error *err);
/* What is left out, as findings that are good to know. */
void pgsql_chosen_tell(const struct pgsql_chosen *c, engine_finding_fn *fn, void *arg);
/* What could not be restored without it, as fatal findings. */
int pgsql_chosen_check(const struct pgsql_chosen *ch, struct pgsql *c, engine_finding_fn *fn, void *arg,
                       struct error *err);
/* How many patterns the job has; `matched` has a place for each. */
size_t pgsql_select_patterns(const struct pgsql_settings *s);
/* Marks those that match something in the database of `c`. */
int pgsql_select_match(const struct pgsql_settings *s, struct pgsql *c, bool *matched, struct error *err);
/* Those that matched in no database, as findings that are good to know. */
void pgsql_select_idle(const struct pgsql_settings *s, const bool *matched, engine_finding_fn *fn, void *arg);

/* ---- catalog.c: what there is to copy ------------------------------------------------------------------ */

struct pgsql_table {
    char *schema;
    char *name;
    char *sql; /* "schema"."name" */
    /* Where its rows go in a restore: the root of hashed partitions, because hashes differ between servers; or
     * NULL. `into` is SQL. */
    char *into;
    char *into_schema;
    char *into_name;
    /* Of an extension's table: which rows are the user's ("WHERE ..."; "" all of them). NULL: no such table. */
    char *condition;
    char kind; /* 'r', or 'p' in a list for locks */
    uint32_t oid;
    uint64_t bytes;     /* on disk, with long values */
    uint64_t pages;     /* of the heap; 0: not to be read in ranges of pages */
    bool toasted;       /* has long values beside it */
    struct vec columns; /* char *: those that are copied */
    /* after it was copied */
    bool binary;
    uint64_t rows;
    uint64_t copied; /* bytes of the stream */
    char fingerprint[FINGERPRINT_TEXT_MAX];
};

struct pgsql_sequence {
    char *schema;
    char *name;
    char *sql;
    char *value; /* SQL text of setval's arguments behind the name; NULL until it was read */
};

void pgsql_tables_free(struct vec *tables);       /* of struct pgsql_table */
void pgsql_sequences_free(struct vec *sequences); /* of struct pgsql_sequence */
/* Names only, of tables and partitioned tables: what has to be locked. */
int pgsql_list_locks(struct pgsql *c, const struct pgsql_settings *s, struct vec *out, struct error *err);
/* What has to be copied, largest first, with columns. */
int pgsql_list_tables(struct pgsql *c, const struct pgsql_chosen *chosen, struct vec *out, struct error *err);
/* "schema"."name", for free(). */
char *pgsql_qualified(const char *schema, const char *name, struct error *err);
int pgsql_list_sequences(struct pgsql *c, const struct pgsql_chosen *chosen, struct vec *out,
                         struct error *err);
/* "name", "name" for SQL; "" without columns. */
int pgsql_column_list(const struct pgsql_table *t, struct buf *out, struct error *err);
/* The COPY statement of a table, to or from. */
int pgsql_copy_sql(const struct pgsql_table *t, bool to, struct buf *out, struct error *err);
/* The name of its stream below the database's: "tables/SCHEMA/TABLE.copy". */
int pgsql_table_path(const struct pgsql_table *t, struct buf *out, struct error *err);

/* The condition that leaves out what is no table of a user's; `c` is pg_class, `n` its namespace. */
#define PGSQL_USERS_OWN \
    " n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't' "
/* Joins pg_extension as `e` when the relation `c` belongs to one. */
#define PGSQL_EXTENSION_OF                                                                        \
    " LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass" \
    " AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'"                                 \
    " AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass"                          \
    " LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid "
#define PGSQL_OWN_OR_CONFIG " (e.oid IS NULL OR c.oid = ANY (e.extconfig)) "

/* ---- tools.c: pg_dump and the like --------------------------------------------------------------------- */

enum { PGSQL_VERSION_MAX = 64 };

struct pgsql_tool {
    char *path;
    char version[PGSQL_VERSION_MAX]; /* "15.18 (Debian 15.18-0+deb12u1)" */
    unsigned major;
};

/* `name` of this major release, else the next newer one: in bin_dir alone when it is given, else where Debian
 * puts it, else in PATH. E_NOT_FOUND names the package. */
int pgsql_tool_find(const char *name, unsigned major, const char *bin_dir, struct pgsql_tool *out,
                    struct error *err);
void pgsql_tool_free(struct pgsql_tool *t);
/* The best of `n` major releases for this one: itself, else the smallest larger; 0: none. */
unsigned pgsql_tool_choose(const unsigned *majors, size_t n, unsigned wanted);
/* The major release and the version text of what `NAME --version` prints; 0 when it is something else. */
unsigned pgsql_tool_version(const char *printed, char version[PGSQL_VERSION_MAX]);
/* child_finish for these tools: after a failure (E_IO; E_RETRY when a connection or a lock was lost) the text has what
 * they call an error, with DETAIL and HINT;
 * what one wrote to stderr although it succeeded goes to the log. */
int pgsql_tool_finish(struct child *c, const char *name, struct error *err);
/* That part of what it wrote to stderr, printable on one line; "" when there is none. Returns out. */
const char *pgsql_tool_reason(const char *said, char *out, size_t cap);

/* Runs a tool with the connection `c` for its own; more arguments end with NULL. `database_option` is the option
 * that takes a connection string ("-d"). For pgsql_tool_finish and child_free. */
struct child *pgsql_tool_start(const struct pgsql_tool *t, const struct pgsql *c, const char *database_option,
                               const char *const *more, bool to_stdin, struct error *err);
/* The same for one that reads the descriptors of `keep` (child.h) and writes nothing to us. */
struct child *pgsql_tool_start_with(const struct pgsql_tool *t, const struct pgsql *c,
                                    const char *database_option, const char *const *more, bool to_stdin,
                                    const int *keep, struct error *err);

/* ---- origin.c: one moment of the source ---------------------------------------------------------------- */

struct pgsql_origin {
    struct pgsql main;                       /* holds the snapshot and the locks */
    struct pgsql readers[PGSQL_READERS_MAX]; /* read the tables in its snapshot */
    unsigned nreaders;
    char *snapshot;
    const struct pgsql_settings *set;
    struct pgsql_chosen chosen;
    struct vec tables;
    struct vec sequences;
    uint64_t max_blocked_ms;
    struct pgsql_watch *watch; /* has the connection main */
    /* for facts */
    int64_t version_num;
    int64_t large_objects;
    bool may_read_passwords;
    char *identity;   /* of the server, or NULL when it does not tell */
    char *oid;        /* of the database */
    struct buf about; /* facts of the server */
    struct buf facts; /* facts of the database */
};

int pgsql_origin_open(struct pgsql_origin *o, const struct pgsql_settings *s, const char *database,
                      struct error *err);
void pgsql_origin_close(struct pgsql_origin *o); /* a zeroed one is fine */
/* lock.c: ACCESS SHARE on all of them. `helper` finds out who is in the way. */
int pgsql_lock_all(struct pgsql *c, const struct vec *locks, unsigned sessions, struct pgsql *helper,
                   struct error *err);

/* ---- watch.c: the snapshot is held, and nobody waits for it too long ------------------------------------- */

/* A thread that asks the server through main every few seconds, also while nothing is read: it keeps the snapshot's
 * session busy, warns about sessions that wait for this run, and after max_blocked ends all sessions of the run,
 * also that of pg_dump. */
int pgsql_watch_start(struct pgsql_origin *o, struct error *err);
/* Its verdict so far; as a tick. */
int pgsql_watch_tick(void *origin, struct error *err);
/* pg_dump or the like works for this run from now on; NULL: it does not any more, before child_free. */
void pgsql_watch_child(struct pgsql_origin *o, struct child *child);
/* Ends all sessions of the run at once: whoever waits for the server sees an error. */
void pgsql_watch_hang_up(struct pgsql_origin *o);
/* Ends it; main is the caller's again. At once also when the server does not answer: main is lost then. */
void pgsql_watch_stop(struct pgsql_origin *o, bool at_once);
/* Stops it and asks a last time: the snapshot was held until now. */
int pgsql_watch_end(struct pgsql_origin *o, struct error *err);
/* facts.c: fills o->about, o->facts and what else is known of the source. */
int pgsql_origin_facts(struct pgsql_origin *o, struct error *err);
/* Facts of a table's stream, once it was read. */
int pgsql_table_facts(const struct pgsql_table *t, struct buf *out, struct error *err);
/* Facts of the schema's stream: the roles that objects of this database name. */
int pgsql_role_facts(struct pgsql *c, struct buf *out, struct error *err);
/* The identity of the database behind c: "SYSTEM-IDENTIFIER/OID", for free(). */
char *pgsql_identity(struct pgsql *c, struct error *err);

/* ---- longrow.c: rows that are too long for text ---------------------------------------------------------- */

/* Whether a row of this table is too large for text; E_UNSUPPORTED when it is so for any COPY. In a transaction. */
int pgsql_needs_binary(struct pgsql *c, const struct pgsql_table *t, bool *out, struct error *err);

/* ---- gather.c: several connections read the rows --------------------------------------------------------- */

struct pgsql_gather;

/* Decides about `binary` of all tables of the origin. */
int pgsql_gather_look(struct pgsql_origin *o, struct error *err);
/* Reads all of them, in order, with all readers. */
struct pgsql_gather *pgsql_gather_start(struct pgsql_origin *o, struct error *err);
/* The rows of the next table; at the end t->rows and t->fingerprint are set, after the server's verdicts. */
struct source *pgsql_gather_source(struct pgsql_gather *g, struct error *err);
void pgsql_gather_free(struct pgsql_gather *g); /* before the origin; after its sources; NULL is fine */

/* ---- copy.c, feed.c: streams as sources ------------------------------------------------------------------ */

/* The rows of t; fingerprint with this seed. At the end t->rows and t->fingerprint are set, after the server's verdict. */
struct source *pgsql_copy_source(struct pgsql *c, struct pgsql_table *t, uint64_t seed, struct error *err);
/* What the child writes, which has to begin with `begins`; its verdict is that of the last read. Takes the child. */
struct source *pgsql_child_source(struct child *child, const char *name, const char *begins,
                                  struct pgsql_origin *o, struct error *err);

/* tuple.c: rows of COPY's binary format for a fingerprint. */
struct pgsql_tuples {
    uint8_t head[32]; /* of what is being read */
    size_t have;
    size_t need;
    uint64_t skip; /* bytes of a field, or of the header's extension */
    unsigned fields;
    int state;
};
void pgsql_tuples_init(struct pgsql_tuples *t);
int pgsql_tuples_add(struct pgsql_tuples *t, struct fingerprint *fp, const void *data, size_t len,
                     struct error *err);
/* True when the trailer was read. */
bool pgsql_tuples_ended(const struct pgsql_tuples *t);

/* ---- script.c: load.sql -------------------------------------------------------------------------------- */

int pgsql_read_sequences(struct pgsql *c, struct vec *sequences, struct error *err);
/* What a script of psql sets before rows come. */
const char *pgsql_script_settings(void);
int pgsql_load_script(const struct pgsql_origin *o, struct buf *out, struct error *err);

/* ---- probe.c, restore.c -------------------------------------------------------------------------------- */

int pgsql_probe(const struct engine_job *job, engine_finding_fn *fn, void *arg, struct error *err);
int pgsql_look(const struct engine_target *target, struct error *err);
int pgsql_plan_tell(const struct engine_streams *streams, const struct engine_target *target,
                    engine_plan_fn *fn, void *arg, struct error *err);
/* export.c */
int pgsql_table(const struct engine_streams *streams, const struct engine_table *what, struct sink *out,
                struct error *err);
int pgsql_restore(const struct engine_streams *streams, const struct engine_target *target,
                  struct error *err);

/* export.c */
int pgsql_export(const struct engine_streams *streams, const char *run_facts, const struct engine_export *out,
                 struct error *err);

#endif
