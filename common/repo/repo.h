/*
 * repo.h - the verified picture of a repository: charters, retention log, writers' logs.
 *
 *     struct repo_options o = { .marks = &marks, .now = clock_wall() };      // o.writer = id: only that log
 *     struct repo *repo = NULL;
 *     rc = repo_open(backend, pinned_root_pk, &o, &repo, err);
 *     for (i < repo->findings.len) report(vec_at(&repo->findings, i));
 *     struct repo_writer *w = repo_writer_find(repo, id);
 *     ...
 *     rc = repo_reload(repo, err);                  // W6: retention log (and loaded writers' logs) once more
 *     repo_close(repo);
 *
 * What stops repo_open: no valid chain of charters under the pinned root key, a charter below its mark, a
 * fork of the charter, I/O errors. Everything else is a *finding*: the log in question then ends before the
 * record that breaks a rule, and all other logs stay usable. A finding with `note` set is harmless (a cut
 * upload, junk names, files past a writer's retirement); any other one must be shown to people.
 *
 * The pin: some charter of the chain must be SIGNED by the pinned key: version 1 by its own root, or any
 * version whose predecessor names that root. (That a version merely names it proves nothing: a public key can
 * be copied.) So a newly named root may be pinned from the next charter on.
 *
 * Rules checked here beyond those of the modules: ack_hash names retention record `ack`; a pack is introduced
 * once in a log; charter <= newest; heads in retention records match; what is condemned is of a session <=
 * that of the head; what is deleted was condemned up to the fence of the record before; a snap of a live
 * record is never listed; expiry never hits a writer's newest snapshot, a held one, or (without a note) one
 * first seen less than min-keep (of the charter the record names) ago, and nothing when the clock jumped; the
 * VOID rule. `revive` is only half checked here: its packs need the view (prune and check do it).
 *
 * The struct is public to read, never to write. Pointers into vecs die with repo_reload and repo_close. Not
 * thread-safe.
 */
#ifndef COMMON_REPO_REPO_H
#define COMMON_REPO_REPO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/backend/backend.h"
#include "common/base/error.h"
#include "common/base/map.h"
#include "common/base/vec.h"
#include "common/repo/charter.h"
#include "common/repo/format.h"
#include "common/repo/marks.h"
#include "common/repo/names.h"
#include "common/repo/record.h"
#include "common/repo/retention_record.h"

enum { FINDING_TEXT_MAX = 320 };

struct repo_finding {
    int code;         /* enum error_code: mostly E_CORRUPT or E_CONFLICT */
    const char *name; /* ERR_*, or the name of the code; never NULL */
    bool note;        /* harmless */
    bool has_writer;  /* else: the charter or the retention log */
    uint8_t writer[WRITER_ID_LEN];
    uint32_t seq;
    char where[NAME_TEXT_MAX]; /* the file, or "" */
    char text[FINDING_TEXT_MAX];
};

struct repo_options {
    const uint8_t *writer; /* WRITER_ID_LEN bytes: load only this writer's log; NULL: all of the charter */
    const struct marks *marks; /* NULL: none. Borrowed during repo_open */
    uint64_t now;              /* seconds, for "log-late"; 0: not checked */
};

struct repo_record {
    struct record rec;
    uint8_t hash[HASH_LEN];
    uint8_t attempt; /* the file is name_record(writer, rec.seq, attempt) */
    bool is_void;    /* cut off by a fence: not a snapshot, yet part of the chain */
    bool expired;
    bool held;
    uint32_t first_seen; /* first retention record whose head covers it; 0: none yet */
};

/* What one retention record says about one writer. */
struct repo_seen {
    uint32_t head;
    uint32_t fence;
};

struct repo_writer {
    uint8_t id[WRITER_ID_LEN];
    struct vec records; /* struct repo_record; record n is item n-1; the head is the last one */
    struct vec seen;    /* struct repo_seen; retention record k is item k-1 */
    struct map packs;   /* struct intro_key -> struct repo_intro; use repo_pack_find */
    bool stopped;       /* a finding ended this log */
    bool forked;        /* two valid records of seq head + 1: this writer must stop */
    bool behind;        /* the retention log has seen more of this log than the storage shows */
    uint32_t torn_next; /* attempts of seq head + 1 that exist and are not valid */
};
struct intro_key {
    uint32_t session;
    uint32_t idx;
};
struct repo_intro {
    uint32_t seq; /* of the introducing record */
    uint32_t item;
};

struct repo_retention {
    struct retention_record rec;
    uint8_t hash[HASH_LEN];
    uint8_t attempt;
    uint64_t clock; /* T_k */
};
/* A pack or snap in condemned or deleted lists: the first record that lists it, or 0. */
struct repo_item {
    uint32_t condemned;
    uint32_t deleted;
};

struct repo {
    struct backend *backend; /* borrowed */
    uint8_t repo_id[REPO_ID_LEN];
    struct vec charters;  /* struct charter; version n is item n-1 */
    struct vec retention; /* struct repo_retention; record k is item k-1 */
    struct vec writers;   /* struct repo_writer, sorted by id */
    struct vec findings;  /* struct repo_finding */
    struct map items;     /* use repo_item_find */
    uint64_t junk;        /* names that did not parse */
    size_t judged;        /* retention records whose lists have been applied */
    bool retention_stopped;
    bool retention_forked;
    bool retention_behind; /* a writer has seen more of the retention log than the storage shows */
    uint32_t retention_torn_next;
};

/* The backend is borrowed until repo_close. */
int repo_open(struct backend *b, const uint8_t root_pk[SIGN_PK_LEN], const struct repo_options *options,
              struct repo **out, struct error *err);
/* Reads what was added to the retention log and to the loaded writers' logs since; keeps the charters. New
 * findings are appended. */
int repo_reload(struct repo *repo, struct error *err);
void repo_close(struct repo *repo); /* NULL is fine */

/* The newest charter. */
const struct charter *repo_charter(const struct repo *repo);
/* NULL: not loaded, or not in the charter. */
struct repo_writer *repo_writer_find(const struct repo *repo, const uint8_t id[WRITER_ID_LEN]);
/* Record n (1..), or NULL. */
struct repo_record *repo_record_at(const struct repo_writer *w, uint32_t seq);
struct repo_record *repo_head(const struct repo_writer *w); /* NULL: no record yet */
struct repo_retention *repo_retention_head(const struct repo *repo);
/* The pack (session, idx) as this writer introduced it, also in a void record; *seq (may be NULL) gets the
 * record. */
const struct record_pack *repo_pack_find(const struct repo_writer *w, uint32_t session, uint32_t idx,
                                         uint32_t *seq);
/* What the retention log says about a pack or snap (idx IDX_SNAP); zeros when nothing. */
struct repo_item repo_item_find(const struct repo *repo, const uint8_t writer[WRITER_ID_LEN],
                                uint32_t session, uint32_t idx, uint8_t attempt);
/* A snapshot record that is neither void nor expired. */
bool repo_record_live(const struct repo_record *r);
/* W6: the fence of the newest retention record for this writer; a record with ack below it is unconfirmed. */
uint32_t repo_fence(const struct repo_writer *w);
/* The largest session this writer's logs know: own head, condemned and deleted lists (part of M, format.md
 * 10). */
uint32_t repo_session_max(const struct repo *repo, const uint8_t writer[WRITER_ID_LEN]);
/* What `prev` of the next record of a log must be: the head's hash, or that of charter 1. */
const uint8_t *repo_prev_hash(const struct repo *repo,
                              const struct repo_writer *w); /* w NULL: retention log */
/* Findings that are not notes; of one writer, or of all logs when id is NULL. */
size_t repo_alarms(const struct repo *repo, const uint8_t *id);

/* Raises the marks to what this picture holds; a mark never falls, and those of a log that was cut stay. */
int repo_marks_raise(const struct repo *repo, struct marks *m, struct error *err);

/* Publishing (names.h: publish_object with the right judge). The bytes are those of charter_build,
 * record_encode or retention_encode; they are checked against the picture first (E_INTERNAL when they do not
 * fit it: key, seq, prev). *attempt (may be NULL) gets the attempt that holds them. The picture itself
 * changes with repo_reload. */
int repo_publish_record(const struct repo *repo, const void *data, size_t len, uint8_t *attempt,
                        struct error *err);
int repo_publish_retention(const struct repo *repo, const void *data, size_t len, uint8_t *attempt,
                           struct error *err);
/* Whether readers would accept r (with the policy clock that follows) as the next retention record: the rules of
 * format.md 8, check 5. E_CORRUPT says which one it breaks. The picture is the same afterwards. */
int repo_retention_check(struct repo *repo, const struct retention_record *r, struct error *err);
/* prev: the newest charter, or NULL for version 1. */
int repo_publish_charter(struct backend *b, const struct charter *prev, const void *data, size_t len,
                         uint8_t *attempt, struct error *err);

/* charter, ret, grant, w, and w/ID/{log,snap,pack} for every writer of the charter, mode 0750; what is there
 * already is fine. */
int repo_create_dirs(struct backend *b, const struct charter *c, struct error *err);

#endif
