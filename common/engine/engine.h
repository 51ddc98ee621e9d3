/*
 * engine.h - what a database (or a tree, or a program) must do to be backed up.
 *
 *     open -> { next -> read until 0 }* -> finish -> close
 *
 * open takes one consistent snapshot of the source. next names the following
 * stream; read gives its bytes; finish is the verdict: 0 says that every stream
 * was complete and belongs to one moment. Without it no snapshot is published.
 * close may come at any time and ends whatever is left without waiting longer
 * than it must.
 *
 * Names are UTF-8 paths with '/' between components, no leading '/', no "." or
 * ".." components, unique within a run. Facts are "key=value\n" lines (UTF-8, no
 * newline in either), free of clock times of the run.
 *
 * The way back: look() refuses a target that makes no sense before anything was
 * fetched; restore() takes the streams of one snapshot through the struct
 * engine_streams callbacks and builds the target, which must not exist (or be
 * empty), and finishes it durably. What `to` means is the engine's matter.
 * plan() tells what restore() would do and touches nothing; table() writes one
 * table in a form for other programs; swap() exchanges a restored database with
 * the live one. Each opens only the streams that it needs.
 */
#ifndef COMMON_ENGINE_ENGINE_H
#define COMMON_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/archive/catalog.h"
#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/stream/stream.h"

/* Where chunk boundaries make sense. */
enum chunk_mode { CHUNK_CONTENT = 0, CHUNK_PAGES = 1 };

/* chunk_avg of rows as text: a change is a row or two, and what is new of its chunk is stored again. */
enum { ENGINE_ROWS_CHUNK = 1024 };

struct engine_option { /* one `key: value` of the job's configuration; a list is several with one key */
    const char *key;
    const char *value; /* NULL: between two lists of a list of lists (nested_options) */
};

struct engine_job {
    const char *name; /* of the job, for messages */
    const struct engine_option *options;
    size_t noptions;
    uint64_t last_bytes; /* of the streams of this job's last published snapshot, when last_known */
    bool last_known;     /* false: there was none, or the state was lost */
    /* For fingerprints: secret, the same every night, told in the sealed facts of the snapshot. 0: none. */
    uint64_t fingerprint_seed;
    bool preflight; /* probe: somebody reads the findings now, also those that are only good to know */
};

struct engine_stream {
    const char *name; /* valid until the next call of next or close */
    enum chunk_mode mode;
    uint32_t page_size; /* CHUNK_PAGES: bytes per chunk, 512..65536 */
    uint32_t chunk_avg; /* CHUNK_CONTENT: bytes per chunk on average, 512..8192; 0: the default */
    uint64_t size_hint; /* for progress; 0 unknown */
    uint32_t mode_bits; /* permission bits to restore, e.g. 0640 */
    /* A member of a directory tree, or NULL: its path (any bytes, also not UTF-8) is the name. Valid as name. A
     * directory or a link has no bytes: read is not called for it. */
    const struct catalog_entry *entry;
};

/* What a run left out or could not get in one piece, although its snapshot is published. */
struct engine_flaws {
    uint64_t missing;  /* members that could not be read, or not to their end */
    uint64_t changed;  /* members that were written to while they were read */
    uint64_t metadata; /* members without all of their metadata */
};

struct engine_run;
struct mask_hash;
struct vec;

/* A finding of probe: what would fail (fatal) or be missed, and the cure. Texts are borrowed for the call. */
typedef void engine_finding_fn(bool fatal, const char *what, const char *cure, void *arg);

/* One stream of a snapshot: its name, its length in bytes, its facts as text. Borrowed for the call. */
typedef int engine_stream_fn(const char *name, uint64_t len, const char *facts, void *arg, struct error *err);

/* The streams of a snapshot, for restore(). The callbacks belong to the caller. */
struct engine_streams {
    /* Calls fn for each stream; a negative return stops and is returned. */
    int (*each)(void *arg, engine_stream_fn *fn, void *fn_arg, struct error *err);
    /* The bytes of one stream, whole and checked; for source_free. */
    struct source *(*open)(void *arg, const char *name, struct error *err);
    void *arg;
};

/* What of a snapshot is wanted; names as people write them, read by select.h. */
struct engine_selection {
    const char *database; /* of a snapshot with several; NULL: its only one */
    const char *const *schemas;
    size_t nschemas;
    const char *const *tables; /* TABLE or SCHEMA.TABLE, quoted as in SQL where needed */
    size_t ntables;
    bool with_needed; /* also the tables that these cannot be made without */
};

/* What the name of a restored database is. */
enum engine_target_kind {
    TARGET_FILE = 0,  /* a new file of this machine, which needs room for it */
    TARGET_SERVER,    /* a database of a server */
    TARGET_DIRECTORY, /* a new directory of this machine, which needs room for it */
};

/* One thing that was compared when all was loaded. Texts are borrowed for the call; expected and found may be NULL. */
struct engine_check {
    const char *kind;    /* for programs: "table", "objects", "rights", "sequence", "definitions" */
    const char *name;    /* for people: "rows and fingerprint" */
    const char *subject; /* a table, "triggers"; or NULL */
    bool differs;
    bool skipped; /* of a part: this was left out, and is not compared */
    const char *expected;
    const char *found;
};
typedef int engine_check_fn(const struct engine_check *check, void *arg, struct error *err);

/* A row of an answer: its fields as text, NULL for null. */
typedef int engine_row_fn(const char *const *fields, size_t n, void *arg, struct error *err);

struct engine_target {
    const char *to;                              /* what the person named */
    const char *facts;                           /* of the snapshot's run */
    const char *snapshot;                        /* its name, for messages; or NULL */
    const struct engine_job *source;             /* the configured source to refuse, or NULL */
    void (*progress)(uint64_t bytes, void *arg); /* bytes written so far, all streams; or NULL */
    void (*phase)(const char *what, void *arg);  /* what is done now, with progress_arg; or NULL */
    void *progress_arg;
    struct buf
        *checked; /* gets what the engine compared, for a sentence "Checked: ..., ", or nothing; or NULL */
    struct buf *left; /* gets what is left for the person to do, lines that end with newlines; or NULL */
    const struct engine_selection *select; /* NULL: everything */
    unsigned jobs;                         /* connections that load at once; 0: the engine's default */
    /* Next to the live database `to`, which stays as it is, under a name of its own, which goes to `made`. */
    bool beside;
    const char
        *via; /* TARGET_SERVER: connect to this database to make the new one; NULL: the engine's own choice */
    struct buf *made; /* gets the name of what was made, NUL-terminated; or NULL */
    struct buf *drop; /* gets the command that removes it again, NUL-terminated; or NULL */
    /* SQL that runs when everything is loaded and compared, before the target is released; or NULL. */
    const char *after_sql;
    const char *after_name;     /* of its file, for messages */
    uint64_t *after_statements; /* gets how many statements ran; or NULL */
    /* TARGET_SERVER: what the person asked for beyond the default. */
    bool into_nonempty;  /* although it holds something */
    bool into_source;    /* although it is what was backed up */
    bool create_roles;   /* make the roles that are missing */
    bool no_owner;       /* without owners and rights */
    bool no_verify;      /* without comparing afterwards */
    bool no_tablespaces; /* everything into the database's own */
    bool data_only;      /* rows alone, into tables that exist and are empty */
    /* For drills that mask. defined: the tables are there, without rows; a failure ends the restore. masked: the fingerprint
     * that the rows of this stream have now, since they were changed on their way; NULL: they were not. Or NULL. */
    int (*defined)(void *drill_arg, struct error *err);
    const char *(*masked)(const char *stream, void *drill_arg);
    /* For drills. loaded: all is there and will be compared now; a failure ends the restore. check: gets every
     * comparison, and what differs is no error then. Both with drill_arg, on the calling thread; or NULL. */
    int (*loaded)(void *drill_arg, struct error *err);
    engine_check_fn *check;
    void *drill_arg;
};

/* One line of a plan, or of what a swap is about to do. */
enum engine_plan_kind {
    PLAN_CREATE = 0, /* will be made */
    PLAN_OVERWRITE,  /* exists, and gets other contents */
    PLAN_DROP,       /* exists, and will be gone or renamed */
    PLAN_FITS,       /* was compared and fits: versions, encodings, extensions, room */
    PLAN_HANDLED,    /* a known difference that the restore takes care of, and how */
    PLAN_NOTE,       /* good to know */
    PLAN_MISSING,    /* it would fail: what is missing or in the way, and the cure */
    PLAN_CONNECTION, /* somebody uses what a swap renames: who, since when; and the cure when it is in the way */
};

/* Texts are borrowed for the call. cure may be NULL. */
typedef void engine_plan_fn(enum engine_plan_kind kind, const char *what, const char *cure, void *arg);

enum engine_format {
    FORMAT_COPY = 0, /* as the database's bulk loader takes it, rows only */
    FORMAT_CSV,      /* with a header line */
    FORMAT_SQL,      /* a script for the database's own client: rows, and what they need around them */
};

/* What `table` writes. */
struct engine_table {
    const struct engine_selection *select; /* one table */
    const char *facts;                     /* of the snapshot's run */
    enum engine_format format;
    bool inserts;   /* FORMAT_SQL: an INSERT for each row */
    const char *as; /* FORMAT_SQL: into a new table of this name, as people write it; or NULL */
};

/* The name of a format violation: who uses the database keeps it from being renamed (E_BUSY). */
#define ENGINE_IN_USE "in-use"

/* Two databases exchange their names; the one that was live is kept. */
struct engine_swap {
    const char *live;  /* `to` of the restore: the database that applications use */
    const char *fresh; /* what takes its place; NULL: what restore --beside left, when there is just one */
    const char *via;   /* as in engine_target */
    bool undo;         /* the other way round: what was live before comes back */
    bool terminate;    /* end the connections that are in the way */
    bool look_only;    /* tell, and change nothing */
    struct buf *kept;  /* gets the name under which the one that was live is kept, NUL-terminated; or NULL */
    struct buf *drop;  /* gets the command that removes what is kept, NUL-terminated; or NULL */
};

/* What of a target's wishes restore() knows; the others are refused before it is called. */
enum engine_ability {
    ENGINE_PARTS = 1,  /* select->schemas and select->tables */
    ENGINE_AFTER = 2,  /* after_sql */
    ENGINE_BESIDE = 4, /* beside */
};

/* What an engine adds to an export, which serves people who have nothing but stock tools. */
struct engine_export {
    /* Gets the part of README.txt that says how to load the files: plain text, commands on lines that begin with four
     * blanks. They run one after the other in the directory `data`, which holds every stream under its name. */
    struct buf *steps;
    /* Takes one more file for `data`; reads bytes to their end and does not free them. */
    int (*file)(void *arg, const char *name, struct source *bytes, struct error *err);
    void *arg;
};

struct engine {
    const char *name;                    /* "sqlite" */
    const char *const *required_options; /* NULL-terminated */
    const char *const *allowed_options;  /* NULL-terminated, including the required ones */
    const char *const *path_options;     /* NULL-terminated: relative to the configuration file's directory */
    const char *const *nested_options;   /* NULL-terminated: may be a list of lists; or NULL */
    /* 0 when it could look, whatever it found; a negative code is for a job that makes no sense. */
    int (*probe)(const struct engine_job *job, engine_finding_fn *fn, void *arg, struct error *err);
    struct engine_run *(*open)(const struct engine_job *job, struct error *err);
    /* 1 and a stream, 0 at the end. The stream before must have been read to its end. */
    int (*next)(struct engine_run *run, struct engine_stream *out, struct error *err);
    /* 1..cap bytes of the stream, 0 at its end, or a negative code, after which only close is legal. */
    int64_t (*read)(struct engine_run *run, void *data, size_t cap, struct error *err);
    /* The same without a copy where that can be: *data is memory of the run, good until the next call, or `block` with
     * what was read. May be NULL: for engine_lend(). */
    int64_t (*lend)(struct engine_run *run, void *block, size_t cap, const void **data, struct error *err);
    /* Facts of the stream just read to its end, then of the whole run after finish: appended to out. */
    int (*stream_facts)(struct engine_run *run, struct buf *out, struct error *err);
    int (*finish)(struct engine_run *run, struct error *err);
    int (*run_facts)(struct engine_run *run, struct buf *out, struct error *err);
    /* After finish. May be NULL: such an engine fails rather than leave anything out. */
    void (*flaws)(const struct engine_run *run, struct engine_flaws *out);
    void (*close)(struct engine_run *run);
    enum engine_target_kind target_kind;
    unsigned abilities; /* enum engine_ability */
    /* Refuses `to` when that can be said without the streams. NULL when restore is. */
    int (*look)(const struct engine_target *target, struct error *err);
    /* NULL: only the streams themselves come back. */
    int (*restore)(const struct engine_streams *streams, const struct engine_target *target,
                   struct error *err);
    /* What restore() would do with this target. 0 when it could look, whatever it found. May be NULL. */
    int (*plan)(const struct engine_streams *streams, const struct engine_target *target, engine_plan_fn *fn,
                void *arg, struct error *err);
    /* The rows of the one selected table to out, whole or with a negative code; out is not finished. May be NULL. */
    int (*table)(const struct engine_streams *streams, const struct engine_table *what, struct sink *out,
                 struct error *err);
    /* How the streams of a snapshot are loaded with stock tools. The same snapshot gives the same. May be NULL: then only
     * the streams themselves are exported. */
    int (*export)(const struct engine_streams *streams, const char *run_facts,
                  const struct engine_export *out, struct error *err);
    /* In one step; what a killed swap left is named by the next one and mended. Tells fn which becomes which, who is
     * in the way (then E_BUSY "in-use", and nothing was changed), and what else notices it. Where databases cannot be
     * renamed it tells the steps that people take, and E_UNSUPPORTED. May be NULL. */
    int (*swap)(const struct engine_swap *swap, engine_plan_fn *fn, void *arg, struct error *err);
    /* Asks a restored database: SQL to `to` as restore() takes it, the rows of the answer to fn (NULL: dropped). `script`:
     * several statements, and no rows. For scratch servers, whose whole content is the caller's. May be NULL. */
    int (*ask)(const char *to, const char *sql, bool script, engine_row_fn *fn, void *arg, struct error *err);
    /* Masks tables of a restored database that nobody else uses, so that no original value stays in its file, also not in
     * what is free. For engines whose rows do not pass as text. May be NULL. */
    int (*mask)(const char *to, struct vec *tables, struct mask_hash *hash,
                struct error *err); /* struct mask_table */
};

/* By name, or NULL with E_USAGE that lists the known ones. */
const struct engine *engine_find(const char *name, struct error *err);
/* lend() of an engine, or its read() into the block. */
int64_t engine_lend(const struct engine *engine, struct engine_run *run, void *block, size_t cap,
                    const void **data, struct error *err);
const char *engine_option(const struct engine_job *job, const char *key); /* or NULL */

#endif
