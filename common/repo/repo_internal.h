/*
 * repo_internal.h - what repo.c and repo_*.c share. Nobody else includes it.
 *
 * repo_log.c    findings; one step along a log
 * repo_pick.c   what is in the directory of a log; which attempt of a seq is valid
 * repo_load.c   charters, retention log, writers' logs: their chains
 * repo_judge.c  the rules between the logs: heads, lists, expiry, VOID
 * repo_publish.c  publishing records, retention records and charters; directories
 * repo.c        opening, asking, marks
 *
 * Functions return 0 or a negative error code unless they say otherwise. A log that breaks a rule is no
 * error: it is a finding, and the log is `stopped`.
 */
#ifndef COMMON_REPO_REPO_INTERNAL_H
#define COMMON_REPO_REPO_INTERNAL_H

#include "common/repo/repo.h"

/* ---- repo_log.c ---------------------------------------------------------------------------- */

/* One log of the picture, so that both kinds share one walk. Cheap; made where it is needed. */
struct repo_log {
    struct repo *repo;
    enum name_kind kind;
    const uint8_t *writer; /* NULL: charters or retention log */
    bool *stopped;
    bool *forked;
    uint32_t *torn_next;
};
struct repo_log repo_log_retention(struct repo *repo);
struct repo_log repo_log_writer(struct repo *repo, struct repo_writer *w);

enum repo_weight { FINDING_NOTE, FINDING_ALARM };
/* attempt -1: there is no file to name. */
int repo_finding_add(const struct repo_log *l, enum repo_weight weight, uint32_t seq, int attempt,
                     const struct error *what, struct error *err);
/* Ends the log before this seq and says why. */
int repo_log_stop(const struct repo_log *l, uint32_t seq, int attempt, const struct error *why,
                  struct error *err);

/* ---- repo_pick.c ---------------------------------------------------------------------------------- */

/* What a log file must be by itself: syntax, identity, signature. */
struct repo_expect {
    enum name_kind kind;
    const uint8_t *repo_id; /* not for charters */
    const uint8_t *writer;  /* records */
    const uint8_t *pk;      /* NULL: charter 1, signed by the root it names */
    uint32_t seq;
};
/* 0; E_CORRUPT: it is not that; or an error that says nothing about the file. */
int repo_expect_check(const struct repo_expect *e, const void *data, size_t len, struct error *err);

/* The directory of a log. Once listed, a name that is not in the list costs no question; a shelf that was not
 * listed tries every name. Free with shelf_free. */
struct shelf {
    struct backend *b;
    struct name at; /* kind and writer */
    bool listed;
    struct map names; /* {seq, attempt} */
    uint32_t last;    /* largest seq listed */
    uint64_t junk;    /* names that do not parse */
};
struct shelf shelf_of(struct backend *b, enum name_kind kind, const uint8_t *writer);
int shelf_list(struct shelf *s, struct error *err);
/* The bytes of one attempt: 1; 0: it does not exist; E_CORRUPT or E_IO: unreadable; or another error. */
int shelf_read(struct shelf *s, uint32_t seq, uint8_t attempt, struct buf *out, struct error *err);
void shelf_free(struct shelf *s);

/* All attempts of one seq, in order, up to the first that does not exist. */
enum picked { PICK_NOTHING, PICK_INVALID, PICK_VALID, PICK_FORK };
struct pick {
    enum picked what;
    struct buf bytes;    /* of the valid one */
    uint8_t attempt;     /* of the valid one; PICK_FORK: of the one that differs */
    uint32_t bad;        /* attempts that are not valid */
    uint8_t bad_attempt; /* the first damaged one, else the first bad one */
    bool damaged;        /* a bad one is more than a cut upload */
    struct error why;    /* what is wrong with bad_attempt */
};
int pick_attempt(struct shelf *s, const struct repo_expect *e, struct pick *p, struct error *err);
void pick_free(struct pick *p); /* also after a failure */

/* ---- repo_log.c: one step ------------------------------------------------------------------------------ */

/* 1: p holds the valid file of seq; 0: the log ends before it, for good or bad. pk NULL: the charter names no
 * key. pick_free in any case. */
int repo_log_next(const struct repo_log *l, struct shelf *s, const uint8_t *pk, uint32_t seq, struct pick *p,
                  struct error *err);
/* After the file was taken with result rc (and why): 1 go on; 0 a rule was broken and the log is stopped; or
 * rc. */
int repo_log_taken(const struct repo_log *l, uint32_t seq, uint8_t attempt, int rc, const struct error *why,
                   struct error *err);

/* ---- repo_load.c ------------------------------------------------------------------------------------- */

int repo_load_charters(struct repo *repo, const uint8_t pin[SIGN_PK_LEN], struct error *err);
/* The first time: list and walk. */
int repo_load_retention(struct repo *repo, struct error *err);
int repo_load_writers(struct repo *repo, const uint8_t *only, struct error *err);
/* Later: what was added since, name by name. */
int repo_extend_retention(struct repo *repo, struct error *err);
int repo_extend_writer(struct repo *repo, struct repo_writer *w, struct error *err);

struct charter *repo_charter_at(const struct repo *repo, size_t i);
struct repo_retention *repo_retention_at(const struct repo *repo, size_t i);
struct repo_record *repo_record_item(const struct repo_writer *w, size_t i);
/* Cuts the retention log to its first k records. */
void repo_retention_cut(struct repo *repo, size_t k);

/* ---- repo_judge.c ------------------------------------------------------------------------------------ */

/* Key of repo->items. */
struct item_key {
    uint8_t writer[WRITER_ID_LEN];
    uint32_t session;
    uint32_t place; /* idx | attempt << 24 */
};

/* Judges and applies the retention records that are new since the last call; reads on in a writer's log when
 * retention has seen more of it. Then settles void and first_seen of all records. */
int repo_judge(struct repo *repo, struct error *err);

#endif
