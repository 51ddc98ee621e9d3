/*
 * result.h - what a drill found: the facts that reports, history and certificates are made of.
 *
 *     struct drill_result r;
 *     drill_result_init(&r);
 *     drill_check_add(&r, CHECK_TABLE, "rows and fingerprint", "public.orders", DRILL_PASS, &more, err);
 *     drill_result_to_json(&r, &text, err);              // one object in one line, without a line end
 *     drill_result_from_json(data, len, &again, err);    // E_CORRUPT "drill-result" says what is wrong with it
 *     drill_result_free(&r);                             // also after a failure of from_json
 *
 * The JSON is documented in docs/drills.md and has a version: a reader takes its
 * own and older ones, and passes over keys that it does not know. Times are
 * seconds since 1970, durations milliseconds unless the name says seconds.
 * Texts are owned by the result, UTF-8, NULL when there is nothing to say; the
 * setters copy.
 */
#ifndef RESTORE_DRILL_RESULT_H
#define RESTORE_DRILL_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/vec.h"
#include "common/crypto/hash.h"

enum {
    DRILL_RESULT_VERSION = 1,
    DRILL_CHECKS_MAX = 1000000, /* of one drill, when it is read */
    DRILL_ID_MAX = 40,          /* "20261128T231502Z-2f9c01ab" and NUL */
    DRILL_WRITER_MAX = 33,
};

/* Of the drill, and of each check. Exit codes 0, 9, 4. */
enum drill_verdict {
    DRILL_PASS = 0,
    DRILL_FAIL,          /* the backup is bad, or not what was promised */
    DRILL_COULD_NOT_RUN, /* nothing is known of the backup: something is missing here */
    DRILL_SKIPPED,       /* of a check: does not apply, or was not asked for */
};

struct drill_check {
    char *name; /* for people: "rows and fingerprint", "objects", "amcheck", "assertion" */
    char *
        kind; /* for programs: storage, table, objects, sequence, constraint, engine, fresh, assertion, ratio, mask */
    char *subject; /* what was looked at: a table, "triggers", the SQL; or NULL */
    enum drill_verdict verdict;
    char *expected; /* or NULL */
    char *found;    /* or NULL */
    char *text;     /* a sentence: why it failed, or could not run and the cure; or NULL */
    uint64_t ms;
};

struct drill_masked {
    char *table; /* SCHEMA.TABLE */
    char *column;
    char *rule;         /* "null", "constant" or "hash" */
    uint64_t rows;      /* that were changed */
    uint64_t remaining; /* original values that are still there: 0, or the check failed */
};

/* Phases in the order in which they happen; those that overlap are told apart by who waited for whom. */
struct drill_phases {
    uint64_t prepare_ms; /* the scratch server was made and started */
    uint64_t fetch_ms;   /* waiting for the storage */
    uint64_t decrypt_ms; /* opening and decompressing */
    uint64_t load_ms;    /* rows and definitions, without the two before */
    uint64_t index_ms;   /* indexes, keys, constraints */
    uint64_t check_ms;   /* all checks */
};

struct drill_result {
    char id[DRILL_ID_MAX];
    char *drill; /* its name in the configuration, or NULL: asked for by hand */
    char *host;

    /* the snapshot; record_hash is all zero when none was found */
    uint8_t record_hash[HASH_LEN];
    char *snapshot; /* "shop-pg/42" */
    char *job;
    char *engine;
    char *database;                /* that was restored; NULL: files, or all of several */
    char writer[DRILL_WRITER_MAX]; /* hex */
    uint64_t snapshot_time;        /* its record's, as its writer said */

    uint64_t started, finished;
    struct drill_phases phases;
    uint64_t rto_ms;             /* from the start until the data could be queried: all phases but check */
    uint64_t rto_target_seconds; /* 0: none was set */
    uint64_t rpo_seconds;        /* age of the newest row when the snapshot was made; see rpo_known */
    bool rpo_known;
    uint64_t age_seconds; /* of the snapshot when it was drilled */

    uint64_t bytes;         /* of streams that were loaded */
    uint64_t bytes_fetched; /* from the storage */

    struct vec checks; /* struct drill_check */
    enum drill_verdict verdict;
    char *reason; /* one sentence: the first failure, or why it could not run; NULL: passed */
    char *cure;   /* could_not_run: what to do */

    char *tool_version;   /* of restore */
    char *server_version; /* of the scratch server, "PostgreSQL 15.20"; NULL: none */
    char *isolation;      /* how what was restored was kept from acting, in words */
    char *connect;        /* --keep: how to connect; NULL: nothing was left */

    struct vec masked;     /* struct drill_masked */
    struct vec tables;     /* char *: a sample, or chosen; none: everything was drilled */
    uint64_t tables_total; /* of the snapshot, with a sample */
};

void drill_result_init(struct drill_result *r);
void drill_result_free(struct drill_result *r);

/* Replaces a text of the result by a copy; value may be NULL. */
int drill_text(char **slot, const char *value, struct error *err);

/* The last three may be NULL. */
struct drill_detail {
    const char *expected, *found, *text;
    uint64_t ms;
};
int drill_check_add(struct drill_result *r, const char *kind, const char *name, const char *subject,
                    enum drill_verdict verdict, const struct drill_detail *detail, struct error *err);
size_t drill_check_count(const struct drill_result *r, enum drill_verdict verdict);

/* From the checks: fail when one failed; the reason is the first. A check that could not run does not make the drill
 * fail, it is told. A verdict of could_not_run that was set before stays. */
int drill_result_settle(struct drill_result *r, struct error *err);

/* "pass", "fail", "could_not_run", "skipped" */
const char *drill_verdict_name(enum drill_verdict v);
bool drill_verdict_parse(const char *name, enum drill_verdict *out);

int drill_result_to_json(const struct drill_result *r, struct buf *out, struct error *err);
int drill_result_from_json(const void *text, size_t len, struct drill_result *out, struct error *err);

#endif
