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
#include "common/engine/engine.h"
#include "common/engine/sqlite/tap.h"

enum { PAGE_SIZE_MIN = 512, PAGE_SIZE_MAX = 65536, HEADER_SIZE = 100 };

/* settings.c: the options of a job, parsed. */
struct settings {
    char *path; /* never starts with "file:" or ":", which SQLite would take for something else */
    char *name;
    uint64_t busy_ms;
    uint64_t block_ms;
};

int settings_read(const struct engine_job *job, struct settings *out, struct error *err);
void settings_free(struct settings *s);

/* origin.c: the database that is copied, held in a read transaction. */
struct origin {
    sqlite3 *db;
    struct tap *tap;
    struct stat before; /* of the path, to notice that the file was replaced */
    bool wal;
    uint8_t *page1; /* page_size bytes */
    uint32_t page_size;
    uint32_t pages;
    uint64_t since_ms; /* the transaction's begin */
    int64_t tables;
    int64_t user_version;
    int64_t application_id;
    char encoding[16];
};

/* Opens and begins; on failure everything is closed. origin_close accepts a zeroed origin. */
int origin_open(struct origin *o, const struct settings *s, struct error *err);
/* Fails when the path now names another file. */
int origin_same_file(const struct origin *o, const char *path, struct error *err);
/* Ends the transaction: writers go on. */
int origin_end(struct origin *o, const char *path, struct error *err);
void origin_close(struct origin *o);

/* The texts of origin.c are "PATH...; WAY OUT": the last "; " behind the path parts them (probe.c). */
/* origin.c: SQLite's failure in this project's codes, with a way out where one is known. */
int sqlite_error(struct error *err, sqlite3 *db, int rc, const char *path);
/* First column of the first row of a query as a number, or as text (cut at cap). */
int sqlite_number(sqlite3 *db, const char *sql, int64_t *out);
int sqlite_text(sqlite3 *db, const char *sql, char *out, size_t cap);

int sqlite_probe(const struct engine_job *job, engine_finding_fn *fn, void *arg, struct error *err);
int sqlite_look(const struct engine_target *target, struct error *err);
int sqlite_restore(const struct engine_streams *streams, const struct engine_target *target,
                   struct error *err);

/* export.c */
int sqlite_export(const struct engine_streams *streams, const char *run_facts,
                  const struct engine_export *out, struct error *err);

#endif
