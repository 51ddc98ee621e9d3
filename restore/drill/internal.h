/*
 * internal.h - what the files of a drill share; not for others.
 */
#ifndef RESTORE_DRILL_INTERNAL_H
#define RESTORE_DRILL_INTERNAL_H

#include "restore/database.h"
#include "restore/drill/drill.h"
#include "restore/drill/scratch.h"

struct drill_mask;

struct drill {
    const struct drill_options *o;
    struct drill_result *r;
    struct database db; /* the snapshot, its members */
    bool opened;        /* db is to be closed */
    struct scratch s;
    bool placed; /* s is to be closed */
    struct scratch_database base;
    char *name; /* of the database; NULL: files */
    /* what is restored of the snapshot: as asked for, or what a sample chose */
    const char *database; /* NULL: its only one */
    const char *const *tables;
    size_t ntables;      /* 0: all */
    struct vec units;    /* drill_sample.c: what it holds */
    const char **chosen; /* owned: the array that `tables` may be */
    size_t recalled;
    char *prefix; /* of its members: "shop/" */
    struct progress *progress;
    /* accounting, microseconds */
    uint64_t began;
    uint64_t restoring;   /* when the restore began */
    uint64_t indexing;    /* when indexes began; 0: not told apart */
    uint64_t loaded;      /* when all was there; 0: not yet */
    uint64_t fetched_us;  /* waiting for the storage, until loaded */
    uint64_t opening_us;  /* opening what came */
    uint64_t checking_us; /* before the restore */
    uint64_t bytes;
    bool compared;           /* the restore came to its end */
    bool read_failed;        /* the storage, or what it gave, ended the restore */
    struct drill_mask *mask; /* or NULL: mask.h */
};

/* A check's result; texts may be NULL. */
int drill_note(struct drill *d, const char *kind, const char *name, const char *subject, enum drill_verdict v,
               const char *expected, const char *found, const char *text, struct error *err);

/* drill_streams.c: the members, with a clock. */
struct engine_streams drill_streams(struct drill *d);

/* drill_storage.c: logs, signatures and packs of the snapshot, before anything is restored. */
int drill_storage(struct drill *d, struct error *err);

/* drill_place.c: finds the database, makes the place, restores, compares; then the engine's own checks. */
int drill_restore(struct drill *d, struct error *err);
int drill_place(struct drill *d, struct error *err);
/* drill_files.c */
int drill_restore_files(struct drill *d, struct error *err);
/* drill_sample.c: which tables; after the members are loaded. Then what a part cannot tell, and what is remembered. */
int drill_sample(struct drill *d, struct error *err);
int drill_sample_left_out(struct drill *d, struct error *err);
void drill_sample_keep(struct drill *d);
void drill_units_free(struct drill *d);
/* drill_engine.c: PostgreSQL, MariaDB and SQLite look at themselves. */
int drill_engine_checks(struct drill *d, struct error *err);
/* drill_bytes.c: SQLite: the file once more, byte for byte. */
int drill_bytes_check(struct drill *d, struct error *err);
/* drill_assert.c */
int drill_asserts(struct drill *d, struct error *err);
/* Keeps what the next drill compares with. */
int drill_remember(const struct drill *d, struct error *err);
/* drill_cause.c: the code of a failure, or E_NO_SPACE and E_NOMEM where a server told of those in words. */
int drill_cause(const struct error *why);
/* The way out of E_UNSUPPORTED, where something was missing that the definitions need. */
const char *drill_cure_of_lack(const char *why);
/* What a report may hold of an error: of a masked drill, nothing that may be a value. */
enum { DRILL_REASON_MAX = 2 * ERROR_TEXT_MAX };
void drill_reason(const struct drill *d, const char *text, char out[DRILL_REASON_MAX]);
/* E_NO_SPACE where tables differ and the server lacked room: nobody can tell whose fault it is. What else failed stays failed. */
int drill_doubt_of_room(struct drill *d, struct error *err);
/* drill_time.c: RPO, from the facts of the backup. */
int drill_freshness(struct drill *d, struct error *err);
/* "2026-11-28 02:00:11.5+01", with T or Z, or seconds since 1970. Without a zone it is UTC. */
bool drill_time_parse(const char *text, uint64_t *out);

/* All rows of an answer: struct drill_row, each with its fields as texts (NULL for null). */
struct drill_row {
    char **fields;
    size_t n;
};
int drill_ask(const struct drill *d, const char *sql, struct vec *rows, struct error *err);
void drill_rows_free(struct vec *rows);

/* STATE/drill/NAME for this station, for free(); NULL without err->code: nothing is kept. */
char *drill_state_path(const struct drill *d, const char *name, struct error *err);

#endif
