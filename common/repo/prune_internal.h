/*
 * prune_internal.h - what the parts of the retention host share. Private to prune*.c.
 *
 *   prune.c         opening: the order of things; asking
 *   prune_clock.c   whether the clock is trusted; the policy clock of this run
 *   prune_store.c   what is on the storage
 *   prune_views.c   every snapshot and its view, with a cache
 *   prune_space.c   packs and who needs them; jobs; forecast
 *   prune_decide.c  R2: decisions
 *   prune_plan.c    R3 to R5: condemned, fences, deleted
 *   prune_publish.c R6: journal, publishing; settling what was on its way
 *   prune_remove.c  R7: files
 *   prune_run.c     a run
 */
#ifndef COMMON_REPO_PRUNE_INTERNAL_H
#define COMMON_REPO_PRUNE_INTERNAL_H

#include "common/base/map.h"
#include "common/repo/marks.h"
#include "common/repo/prune.h"
#include "common/sys/filelock.h"

enum {
    PRUNE_BEHIND_MAX = 3600,       /* the clock may be so far behind the policy clock */
    PRUNE_STORAGE_MAX = 86400,     /* and so far from the storage's */
    PRUNE_HEARTBEAT = 86400,       /* the policy clock gets a record at least so often */
    PRUNE_CATCH_UP_MAX = 2000,     /* records of 7 days each that confirm_clock may publish: 38 years */
    PRUNE_ITEMS_MAX = 1024 * 1024, /* of a list in one record; the next run goes on */
};

/* A file of a writer whose session is not above its head's. Sorted by (session, idx, attempt). */
struct prune_file {
    uint32_t session;
    uint32_t idx; /* IDX_SNAP: a snapshot object */
    uint8_t attempt;
    uint64_t size;
};

struct prune_writer {
    struct repo_writer *w; /* borrowed */
    struct secret *view_key;
    bool log_bad;     /* its log shows an alarm */
    bool cut_off;     /* asked for */
    uint32_t head;    /* h of the record to come */
    struct vec files; /* struct prune_file */
    size_t first;     /* its snapshots: [first, first + count) */
    size_t count;
};

struct prune {
    struct prune_options options;
    struct filelock *lock;
    struct repo *repo;
    struct marks marks;
    struct vec writers;   /* struct prune_writer, as repo->writers */
    struct vec snapshots; /* struct prune_snapshot */
    struct vec jobs;      /* struct prune_job */
    struct vec alarms;    /* struct prune_alarm */
    uint64_t time;        /* T of the record to come */
    uint64_t catch_up;    /* records to publish before, so that T gets there */
    bool clock_trusted;
    bool halted; /* charter, retention log or key: nothing is published */
    bool done;   /* prune_run was called */
};

/* A set of packs: struct pack_key -> struct pack_use. */
struct pack_use {
    uint32_t users;
};

char *prune_path(const struct prune *p, const char *name, struct error *err);
/* writer NULL: of the whole repository. name NULL: the code's. */
int prune_alarm(struct prune *p, const uint8_t *writer, const char *name, struct error *err, const char *fmt,
                ...) __attribute__((format(printf, 5, 6)));
struct prune_writer *prune_writer_at(const struct prune *p, size_t i);
struct prune_snapshot *prune_snapshot_at(const struct prune *p, size_t i);
/* After the decisions. */
bool prune_lives_after(const struct prune_snapshot *s);
bool prune_held_after(const struct prune_snapshot *s);
/* Some live snapshot (after the decisions) is not readable, or the log is bad. */
bool prune_writer_blocked(const struct prune *p, const struct prune_writer *pw);
/* Session of the head record; 0 without one. */
uint32_t prune_head_session(const struct prune_writer *pw);

/* prune_clock.c: sets time, catch_up, clock_trusted. */
int prune_clock_check(struct prune *p, struct error *err);

/* prune_store.c */
int prune_list_files(struct prune *p, struct prune_writer *pw, struct error *err);
/* NULL: it is not there. */
const struct prune_file *prune_file_find(const struct prune_writer *pw, uint32_t session, uint32_t idx,
                                         uint8_t attempt);

/* prune_views.c: fills p->snapshots and the ranges of the writers. */
int prune_load_views(struct prune *p, struct error *err);
void prune_snapshot_free(struct prune_snapshot *s);

/* prune_space.c */
/* Adds the packs of a view: one user more. */
int pack_uses_add(struct map *uses, const struct snap_view *view, struct error *err);
uint32_t pack_uses_of(const struct map *uses, uint32_t session, uint32_t idx);
/* By the record that introduces it; 0 when none does. */
uint64_t prune_pack_size(const struct repo_writer *w, uint32_t session, uint32_t idx);
int prune_account(struct prune *p, struct error *err);

/* prune_plan.c: the record to come; *plan is filled. r is initialised and empty before. */
int prune_build(struct prune *p, struct retention_record *r, struct prune_plan *plan, struct error *err);

/* R4: the line of every writer. still: nothing new counts as seen by this record (the clock is not trusted, or has to be
 * caught up), except what would become void otherwise. *moved is set when a line differs from the last record's. */
int prune_add_heads(const struct prune *p, bool still, struct retention_record *r, bool *moved,
                    struct error *err);

/* prune_publish.c */
int prune_settle(struct prune *p, struct error *err);
int prune_publish(struct prune *p, struct retention_record *r, const char *note, struct error *err);
int prune_save_marks(struct prune *p, struct error *err);

/* prune_remove.c: what is listed as deleted and still there. Without `really` it only counts. */
int prune_remove(struct prune *p, const struct retention_record *next, bool really, struct prune_plan *plan,
                 struct error *err);

#endif
