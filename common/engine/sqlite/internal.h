/*
 * internal.h - what the files of this engine share; not for others.
 */
#ifndef COMMON_ENGINE_SQLITE_INTERNAL_H
#define COMMON_ENGINE_SQLITE_INTERNAL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/base/buffer.h"
#include "common/base/vec.h"
#include "common/engine/engine.h"
#include "common/engine/sqlite/tap.h"
#include "common/engine/sqlite/vfs.h"

enum { PAGE_SIZE_MIN = 512, PAGE_SIZE_MAX = 65536, HEADER_SIZE = 100 };
enum { FILES_MAX = 100000, CHECK_TEXT_MAX = 512 };

/* settings.c: the options of a job, parsed. */
enum check_kind { CHECK_QUICK, CHECK_FULL, CHECK_NONE };

struct settings {
    struct vec
        patterns; /* char *; each starts with "/" or "./", so that SQLite takes none for something else */
    char *name;   /* of the only stream, or NULL: each file is named by its path */
    char *spool;  /* directory, or NULL */
    enum check_kind check;
    bool skip_others;
    bool allow_empty;
    bool block_fails;
    uint64_t busy_ms;
    uint64_t block_ms;
    uint64_t wal_max; /* bytes, 0: no limit */
};

int settings_read(const struct engine_job *job, struct settings *out, struct error *err);
void settings_free(struct settings *s);
bool settings_one_file(const struct settings *s); /* one path without a pattern in it */

/* match.c: the files that a pattern names, appended to `out` (char *, for free), in no order. What a directory on
 * the way hides is an error, what is not there is not. */
bool sqlite_match_is_pattern(const char *path);
/* A path that is no pattern, without the backslashes that say so; for free(). */
char *sqlite_match_unquote(const char *path, struct error *err);
int sqlite_match_files(const char *pattern, struct vec *out, struct error *err);

/* list.c: the databases of a run. */
struct listed {
    char *path;
    char *name;   /* of its stream */
    bool by_hand; /* its path stands in the configuration, without a pattern */
};

/* In the order of their names; each once. */
int sqlite_list_files(const struct settings *s, const char *job, struct vec *out, struct error *err);
void sqlite_list_free(struct vec *list);

/* query.c: SQLite's failure in this project's codes, with a way out where one is known: "PATH...; WAY OUT", parted by
 * the last "; " behind the path (probe.c). */
int sqlite_error(struct error *err, sqlite3 *db, int rc, const char *path);
/* First column of the first row of a query as a number, or as text (cut at cap). */
int sqlite_number(sqlite3 *db, const char *sql, int64_t *out);
int sqlite_text(sqlite3 *db, const char *sql, char *out, size_t cap);
/* Each row of a query; fn returns SQLITE_OK to go on. */
int sqlite_rows(sqlite3 *db, const char *sql, int (*fn)(sqlite3_stmt *stmt, void *arg), void *arg);

/* Whoever made the database also wrote its schema: what that calls gets no more rights than it needs. */
void sqlite_distrust(sqlite3 *db);

/* origin.c: the database that is copied, held in a read transaction. */
struct origin {
    sqlite3 *db;
    struct tap *tap;
    struct stat before; /* of the path, to notice that the file was replaced */
    bool other;         /* origin_open failed because the file is no SQLite database that can be read here */
    bool wal;
    uint8_t *page1; /* page_size bytes */
    uint32_t page_size;
    uint32_t pages;
    uint64_t bytes;    /* of the file, then */
    uint64_t since_ms; /* the transaction's begin */
    int64_t tables;
    int64_t freelist;
    int64_t user_version;
    int64_t application_id;
    char encoding[16];
};

/* Opens and begins; on failure everything is closed. origin_close accepts a zeroed origin. */
int origin_open(struct origin *o, const struct settings *s, const struct listed *file, struct error *err);
/* Fails when the path now names another file. */
int origin_same_file(const struct origin *o, const char *path, struct error *err);
/* Ends the transaction: writers go on. */
int origin_end(struct origin *o, const char *path, struct error *err);
void origin_close(struct origin *o);

/* guard.c: what the open transaction costs the application. */
struct guard {
    const struct settings *set;
    const struct origin *origin;
    const char *path;
    const char *wal_path; /* SQLite's own, while the database is open; NULL without a log */
    uint64_t wal_before;
    bool told;
    struct error why; /* why sqlite_guard_stops() said so */
};

void sqlite_guard_begin(struct guard *g, const struct settings *s, const struct origin *o, const char *path);
/* E_BUSY when a limit is passed, E_CANCELLED on request. */
int sqlite_guard_check(struct guard *g, struct error *err);
/* While SQLite works for long (a progress handler). */
int sqlite_guard_stops(void *guard);
/* After the transaction. */
void sqlite_guard_end(const struct guard *g);

/* check.c: SQLite's own check of a database. */
enum verdict { VERDICT_OK, VERDICT_BAD, VERDICT_UNKNOWN };
/* `text` says what is wrong, or why it could not be checked (a function or a module that only the application has). A
 * negative code when the check was stopped or the system failed. */
int sqlite_check(sqlite3 *db, enum check_kind kind, const char *path, enum verdict *out,
                 char text[CHECK_TEXT_MAX], struct error *err);

/* spool.c: a copy in a file without a name, or in memory when it is small. */
struct spool {
    int fd;
    uint64_t len;
    uint64_t at;
    sqlite3_vfs vfs; /* while the copy is open as a database */
    char vfs_name[VFS_NAME_MAX];
    bool registered;
};

#define SPOOL_INIT                  \
    {                               \
        .fd = -1, .len = 0, .at = 0 \
    }

/* 1, or 0 when there is no room or no directory for `bytes` (which was logged). */
int sqlite_spool_open(struct spool *s, const char *dir, uint64_t bytes, const char *path, struct error *err);
int sqlite_spool_write(struct spool *s, const void *data, size_t len, const char *path, struct error *err);
/* 1..cap bytes, 0 at the end. */
int64_t sqlite_spool_read(struct spool *s, void *data, size_t cap, const char *path, struct error *err);
/* spool_db.c: the copy as a database that can be asked, read-only. Nothing of it is kept in memory. */
int sqlite_spool_db(struct spool *s, sqlite3 **db, const char *path, struct error *err);
void sqlite_spool_close_db(struct spool *s, sqlite3 *db);
void sqlite_spool_close(struct spool *s);

/* contents.c: facts about what a database holds: schema, rows. */
int sqlite_contents_facts(sqlite3 *db, const char *path, struct buf *out, struct error *err);

/* copy.c: one database, from its first byte to its facts. */
struct copy;

/* 1 and a copy, 0 when the file is left out (skip_others). */
int sqlite_copy_open(const struct settings *s, const struct listed *file, struct copy **out,
                     struct error *err);
void sqlite_copy_describe(const struct copy *c, struct engine_stream *out);
int64_t sqlite_copy_read(struct copy *c, void *data, size_t cap, struct error *err);
bool sqlite_copy_ended(const struct copy *c);
int sqlite_copy_facts(const struct copy *c, struct buf *out, struct error *err);
void sqlite_copy_close(struct copy *c);

/* target_place.c: where a restored database goes. */
struct place {
    char *path;
    char *dir;
    const char *base; /* inside path */
    char *tmp;
};

int sqlite_place_of(const char *path, struct place *out, struct error *err);
void sqlite_place_free(struct place *p);
int sqlite_place_refuse_source(const struct place *p, const struct engine_job *job, struct error *err);
int sqlite_place_refuse_existing(const struct place *p, bool dir_is_fine, struct error *err);
/* Moves what would be replayed into the new file aside, then gives the file at p->tmp its name, durably. */
int sqlite_place_publish(const struct place *p, struct error *err);

int sqlite_probe(const struct engine_job *job, engine_finding_fn *fn, void *arg, struct error *err);
int sqlite_look(const struct engine_target *target, struct error *err);
int sqlite_restore(const struct engine_streams *streams, const struct engine_target *target,
                   struct error *err);
int sqlite_plan(const struct engine_streams *streams, const struct engine_target *target, engine_plan_fn *fn,
                void *arg, struct error *err);

/* export.c */
int sqlite_export(const struct engine_streams *streams, const char *run_facts,
                  const struct engine_export *out, struct error *err);

#endif
