/*
 * internal.h - what the files of this engine share; not for others.
 */
#ifndef COMMON_ENGINE_MARIADB_INTERNAL_H
#define COMMON_ENGINE_MARIADB_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/vec.h"
#include "common/engine/engine.h"
#include "common/engine/fingerprint.h"
#include "common/engine/mariadb/conn.h"
#include "common/stream/stream.h"
#include "common/sys/child.h"

#define ERR_MARIA_NAME "mariadb-name"
#define ERR_MARIA_FACTS "mariadb-facts"
#define ERR_MARIA_SCRIPT "mariadb-script"
#define ERR_MARIA_DIFFER "facts-differ"

enum {
    MARIA_MAJOR = 10, /* what the tests run against */
    MARIA_MINOR = 11,
    MARIA_READERS_MAX = 8,
    MARIA_COLUMNS_TEXT_MAX = 60000, /* encoded names of one table's columns: a fact */
    MARIA_LIST_TEXT_MAX = 30000,    /* encoded names in other facts */
};

/* ---- settings.c: the options of a job ------------------------------------------------------------------- */

enum maria_other { OTHER_REFUSE = 0, OTHER_LOCK }; /* what to do about tables without transactions */

struct maria_settings {
    const struct engine_job *job; /* borrowed, as all of these */
    struct maria_address at;
    const char *bin_dir;
    uint64_t lock_ms;
    uint64_t readers; /* connections with a snapshot */
    uint64_t seed;    /* of fingerprints */
    enum maria_other other;
    bool all_databases;
    bool users;
    bool allow_untested;
};

/* Borrows from the job. */
int maria_settings_read(const struct engine_job *job, struct maria_settings *out, struct error *err);
bool maria_is_excluded_database(const struct maria_settings *s, const char *database);
/* "DB.NAME" fits a pattern of this option. */
bool maria_is_excluded(const struct maria_settings *s, const char *option, const char *database,
                       const char *name);

/* ---- catalog.c: what there is --------------------------------------------------------------------------- */

enum maria_kind {                 /* how a column is read and loaded */
                  KIND_PLAIN = 0, /* digits, dates and the like: nothing to escape */
                  KIND_BYTES,     /* text and blobs as they are stored */
                  KIND_FIXED, /* uuid, inet4, inet6: text, which LOAD DATA takes only with a character set */
                  KIND_FLOAT, /* read as a double: as a float the server shows six digits of it */
                  KIND_ENUM,  /* bytes; an invalid value is the empty text */
                  KIND_INDEX, /* an ENUM where the empty text is a value: its number, 0 the invalid one */
                  KIND_AUTO,  /* plain, and the server numbers it: 0 must stay 0 */
};
extern const char *const maria_kinds[]; /* their names in facts */
enum { MARIA_KINDS = 7, MARIA_CHARSET_MAX = 40 };

struct maria_column {
    char *name;
    enum maria_kind kind;
    char charset[MARIA_CHARSET_MAX]; /* "-": bytes, or unknown */
};

struct maria_table {
    char *database;
    char *name;
    uint64_t bytes;      /* on disk, about */
    bool versioned;      /* with its history */
    bool transactional;  /* in the snapshot */
    bool locked;         /* no snapshot has it, and LOCK TABLES holds it */
    struct vec columns;  /* struct maria_column: those that are copied */
    char *range;         /* the column that parts of it go by, or NULL; see ranges.c */
    const char *part;    /* borrowed SQL: only rows of this range; NULL: all of them */
    struct vec fresh;    /* char *: columns whose largest value is a fact */
    struct vec freshest; /* char *, one for each: the value, or NULL */
    /* after it was copied */
    uint64_t rows;
    char fingerprint[FINGERPRINT_TEXT_MAX];
};

struct maria_sequence {
    char *name;
    char *value; /* SQL text of setval's arguments behind the name; NULL until it was read */
};

/* What of a database is counted: facts of its code. */
enum maria_count {
    COUNT_VIEWS = 0,
    COUNT_TRIGGERS,
    COUNT_PROCEDURES,
    COUNT_FUNCTIONS,
    COUNT_PACKAGES,
    COUNT_EVENTS,
    MARIA_COUNTS
};
extern const char *const maria_counts[];

struct maria_database {
    char *name;
    char *charset;
    char *collation;
    char *comment;
    struct vec views;     /* char *: of the script of code, in the order in which they can be made */
    struct vec relations; /* char *: tables and sequences in the script of definitions */
    struct vec excluded;  /* char *: left out of everything */
    struct vec empty; /* char *: tables without their rows, as configured or because these are elsewhere */
    struct vec sequences; /* struct maria_sequence */
    struct vec definers;  /* char *: accounts that its code runs as, "user@host" */
    uint64_t counts[MARIA_COUNTS];
    char schema[FINGERPRINT_TEXT_MAX]; /* of the definitions */
};

void maria_databases_free(struct vec *databases); /* of struct maria_database */
void maria_tables_free(struct vec *tables);       /* of struct maria_table */
/* The configured databases, or all but the server's own. E_NOT_FOUND names one that is not there. */
int maria_list_databases(struct maria *c, const struct maria_settings *s, struct vec *out, struct error *err);
/* What is in one of them: fills db, adds to tables those whose rows are copied, with columns. */
int maria_list_contents(struct maria *c, const struct maria_settings *s, struct maria_database *db,
                        struct vec *tables, struct error *err);
/* columns.c: columns of the tables from `from` on, which are of one database; `literal` is its name as SQL text. */
int maria_list_columns(struct maria *c, const struct maria_settings *s, const char *literal,
                       struct vec *tables, size_t from, struct error *err);
/* A field of a result, "" for NULL. */
const char *maria_field(MYSQL_ROW row, unsigned i);
/* The fingerprint of all definitions of a database, into `out`. */
int maria_schema_hash(struct maria *c, const char *database, uint64_t seed, char out[FINGERPRINT_TEXT_MAX],
                      struct error *err);
/* views.c: db->views in the order in which they can be made. `literal` is the database's name as SQL text. */
int maria_order_views(struct maria *c, const char *literal, struct maria_database *db, struct error *err);
/* Calls fn for each view that cannot be opened: by anybody, or by this account. */
int maria_check_views(struct maria *c, const struct maria_database *db, engine_finding_fn *fn, void *arg,
                      struct error *err);
int maria_count_code(struct maria *c, const char *database, uint64_t counts[MARIA_COUNTS], struct error *err);
/* Values of sequences, which no snapshot has: after the tables. */
int maria_read_sequences(struct maria *c, struct maria_database *db, struct error *err);

/* ---- rows.c: tables as text ----------------------------------------------------------------------------- */

/* SELECT and LOAD DATA of a table in `database` (NULL: the session's). `file` is SQL text. */
int maria_select_sql(const struct maria_table *t, const char *database, struct buf *out, struct error *err);
int maria_load_sql(const struct maria_table *t, const char *database, const char *file, struct buf *out,
                   struct error *err);
/* The rows of t in `database`; at the end t->rows and t->fingerprint are set, after the server's verdict. */
struct source *maria_rows_source(struct maria *c, struct maria_table *t, const char *database, uint64_t seed,
                                 struct error *err);
/* The error of a statement about t, in terms of a backup: E_RETRY when it was changed, renamed or dropped. */
int maria_table_failed(const struct maria *c, const struct maria_table *t, int rc, struct error *err);
/* "`a`, `b`": every column, as it is selected (FLOAT and the like) or by its name alone. */
int maria_column_list(const struct maria_table *t, bool selected, struct buf *out, struct error *err);
/* Appends a field: escaped, or NULL. */
int maria_put_field(struct buf *out, const char *value, size_t len, bool escape, struct error *err);
/* The name of its stream below the database's: "tables/TABLE.tsv". */
int maria_table_path(const char *name, struct buf *out, struct error *err);

/* ---- rights.c: what the account may do ------------------------------------------------------------------- */

/* Calls fn for each right that is missing for these databases, with the GRANT that cures it. */
int maria_rights(struct maria *c, const struct maria_settings *s, const struct vec *databases, bool locks,
                 engine_finding_fn *fn, void *arg, struct error *err);
struct grants;
/* What SHOW GRANTS says of this account, for grants_free. */
int maria_grants(struct maria *c, struct grants *g, struct error *err);
/* The account of this connection, `user`@`host`, for free(). */
char *maria_account(struct maria *c, struct error *err);
/* The account has RELOAD. */
int maria_may_reload(struct maria *c, bool *out, struct error *err);

/* ---- origin.c: one moment of the source ------------------------------------------------------------------ */

struct maria_origin {
    const struct maria_settings *set;
    struct maria main;                       /* asks, outside of every snapshot */
    struct maria lock;                       /* holds tables without transactions */
    struct maria readers[MARIA_READERS_MAX]; /* with snapshots of one moment */
    size_t nreaders;
    struct vec databases;
    struct vec tables;
    size_t nlocked;      /* of them at the beginning */
    uint64_t checked_ms; /* when the idle connections were last heard of */
    char *binlog_file;   /* "" without one */
    char *binlog_position;
    struct buf about; /* facts of the server */
};

int maria_origin_open(struct maria_origin *o, const struct maria_settings *s, struct error *err);
/* The tables without transactions were read. */
int maria_origin_unlock(struct maria_origin *o, struct error *err);
/* Everything is still as it was at the beginning: E_RETRY when definitions changed. */
int maria_origin_unchanged(struct maria_origin *o, struct error *err);
/* main and lock are there; asks the server at most every half minute unless `now`. */
int maria_origin_alive(struct maria_origin *o, bool now, struct error *err);
int maria_origin_tick(void *origin, bool now, struct error *err);
void maria_origin_close(struct maria_origin *o); /* a zeroed one is fine */
/* E_UNSUPPORTED: another release than the tested one, by its number. */
int maria_check_release(const struct maria *c, bool allow_untested, struct error *err);
bool maria_is_tested(const struct maria *c);

/* ---- moment.c: snapshots of one moment ------------------------------------------------------------------- */

/* The readers, and where their moment is in the binary log. Several need a block of all commits for milliseconds, and
 * the right for it: else one reads, which is told. */
int maria_moment_open(struct maria_origin *o, struct error *err);
/* Every snapshot was held until now. */
int maria_moment_holds(struct maria_origin *o, struct error *err);

/* ---- ranges.c: a large table in parts ---------------------------------------------------------------------- */

/* t->range, when the rows between two values of the first column of its primary key can be read in the order of the
 * whole; and the smallest and the largest of them, by the snapshot of c. */
int maria_find_range(struct maria *asks, struct maria *c, struct maria_table *t, int64_t *least,
                     int64_t *most, struct error *err);

/* ---- gather.c: rows by one reader or by several ------------------------------------------------------------ */

struct maria_gather;

/* Reads the tables of o, which is borrowed, in their order. With several readers it begins at once, in threads. */
struct maria_gather *maria_gather_start(struct maria_origin *o, struct error *err);
/* The rows of the next table; at the end its rows, fingerprint and freshest are set. */
struct source *maria_gather_source(struct maria_gather *g, struct error *err);
/* That table was read: nobody who changes it must wait for the others. */
int maria_gather_done(struct maria_gather *g, struct error *err);
/* Stops and waits. NULL is fine. */
void maria_gather_free(struct maria_gather *g);

/* ---- facts.c ---------------------------------------------------------------------------------------------- */

/* Fills o->about. */
int maria_origin_facts(struct maria_origin *o, struct error *err);
int maria_table_facts(const struct maria_table *t, struct buf *out, struct error *err);
int maria_schema_facts(const struct maria_database *db, const struct vec *tables, struct buf *out,
                       struct error *err);
int maria_code_facts(const struct maria_database *db, struct buf *out, struct error *err);
/* "key=a,b,c\n" of encoded names; too many of them: "key_omitted=yes\n". */
int maria_list_fact(struct buf *out, const char *key, const struct vec *names, struct error *err);
/* What tells two servers apart, for free(). */
char *maria_identity(struct maria *c, struct error *err);

/* ---- tools.c: mariadb-dump -------------------------------------------------------------------------------- */

enum { MARIA_VERSION_MAX = 64 };

struct maria_tool {
    char *path;
    char version[MARIA_VERSION_MAX]; /* "10.11.19-MariaDB" */
};

int maria_tool_find(const char *bin_dir, struct maria_tool *out, struct error *err);
void maria_tool_free(struct maria_tool *t);
/* The version in what `mariadb-dump --version` prints; false when it is something else. */
bool maria_tool_version(const char *printed, char version[MARIA_VERSION_MAX]);

enum maria_script { SCRIPT_SCHEMA = 0, SCRIPT_CODE, SCRIPT_USERS };
/* What mariadb-dump writes, as a stream that ends with its verdict. db NULL: of the server. */
struct source *maria_dump_source(const struct maria_tool *t, struct maria_origin *o,
                                 const struct maria_database *db, enum maria_script script,
                                 struct error *err);

/* ---- script.c: load.sql ----------------------------------------------------------------------------------- */

int maria_load_script(const struct maria_origin *o, const struct maria_database *db, struct buf *out,
                      struct error *err);

/* ---- probe.c, restore.c ------------------------------------------------------------------------------------ */

int maria_probe(const struct engine_job *job, engine_finding_fn *fn, void *arg, struct error *err);
int maria_look(const struct engine_target *target, struct error *err);
int maria_restore(const struct engine_streams *streams, const struct engine_target *target,
                  struct error *err);

/* fits.c */
int maria_plan_tell(const struct engine_streams *streams, const struct engine_target *target,
                    engine_plan_fn *fn, void *arg, struct error *err);

/* table.c */
int maria_table(const struct engine_streams *streams, const struct engine_table *what, struct sink *out,
                struct error *err);

/* export.c */
int maria_export(const struct engine_streams *streams, const char *run_facts, const struct engine_export *out,
                 struct error *err);

#endif
