/*
 * prune.h - the retention host: what expires, what is condemned, fenced and deleted (format.md 8 and 19).
 *
 *     prune_open(&options, &p, err);            // R1: logs, listings, views; settles a record that was on its way
 *     for (i < prune_snapshots(p)->len) ...     // what there is: struct prune_snapshot
 *     prune_decide(p, i, RETENTION_EXPIRE, false, err);   // R2, as often as wanted
 *     prune_plan(p, &plan, err);                // R3 to R5: what this run would do; nothing is written
 *     prune_run(p, note, &plan, err);           // the same, published (R6), and then files removed (R7)
 *     prune_close(p);
 *
 * It needs the root public key, V and the retention seed: no data key. One run at a time on a host (a lock in
 * state_dir), and one retention host for a repository.
 *
 * Interrupted anywhere, the next run finishes: a record is journalled before it is sent and sent again byte for
 * byte; a file that is listed as deleted and still there is removed by every run. state_dir holds only caches,
 * marks and that journal: when it is lost, everything follows from the logs, but a half-written record of the
 * retention log is then waited for (E_BUSY).
 *
 * Fail closed. A writer is *blocked* when its log shows an alarm, or when the snapshot object of one of its live
 * records cannot be read and verified: nothing of it is condemned, fenced or deleted. Nothing at all happens when
 * the charter or the retention log show an alarm, or when the clock is not trusted; plan.stopped then says why.
 * hold, release and revive are possible also with a clock that is not trusted.
 *
 * The clock. It is not trusted when it is behind the policy clock by more than an hour, ahead of it by more than 7
 * days, or further than a day from the storage's time of a file just written (not looked at in a dry run).
 * confirm_clock: a person says that it is right; the policy clock is then brought up to it.
 *
 * Times of the plan are those of the policy clock (T of format.md 8), so that no jump expires anything.
 * Not thread-safe. Pointers into the results live until prune_run or prune_close.
 */
#ifndef COMMON_REPO_PRUNE_H
#define COMMON_REPO_PRUNE_H

#include "common/repo/keys.h"
#include "common/repo/repo.h"
#include "common/repo/snap.h"

enum {
    PRUNE_DELETE_AFTER = 7 * 86400,  /* default of delete_after */
    PRUNE_SILENT_AFTER = 30 * 86400, /* a good value for silent_after */
    PRUNE_TEXT_MAX = 400,
    PRUNE_NOTE_MAX = 4096,
};

struct prune_options {
    struct backend *backend;           /* borrowed */
    const struct retention_keys *keys; /* borrowed; repo_id and root_pk in it are the pin */
    const char *state_dir;             /* of this repository; made 0700 when missing */
    uint64_t now;                      /* seconds since 1970 */
    uint64_t delete_after; /* seconds from the record that expires to the one that deletes; 0: none */
    /* A writer whose newest record was first seen so long ago is cut off, so that it does not hold up deletions:
     * a session of its that began before and ends later is void and has to be run again. 0: never. */
    uint64_t silent_after;
    bool confirm_clock;
    bool dry_run; /* nothing is written to the storage: prune_run is refused */
};

enum prune_state { PRUNE_LIVE, PRUNE_EXPIRED, PRUNE_VOID };

/* One snapshot record, also expired ones whose object is not deleted, and void ones. Sorted by (writer, seq). */
struct prune_snapshot {
    const struct repo_writer *writer;
    const struct repo_record *record; /* rec.session, rec.time (a claim) */
    uint32_t seq;
    enum prune_state state;
    bool held;
    bool newest;           /* of its writer, without void ones: never expires */
    bool readable;         /* the view below is known; else `why` */
    bool revivable;        /* expired, and the object and every pack are there and not deleted */
    uint64_t first_seen;   /* policy clock; of one that no retention record covers yet: that of this run */
    uint64_t expired_at;   /* policy clock of the record that expired it; 0 when not expired */
    struct snap_view view; /* label, started, finished, logical, added, packs; empty when not readable */
    uint64_t needs;        /* bytes of all packs it needs */
    uint64_t unique;       /* bytes of those that no other live snapshot needs */
    char *why;             /* why it is not readable, or NULL */
    bool decided;          /* a decision below is part of the next run */
    enum retention_op_kind decision;
    bool by_name;
};

/* Bytes of a job: a label of one writer. */
struct prune_job {
    const struct repo_writer *writer;
    char label[LABEL_MAX + 1]; /* "" : what cannot be read */
    uint64_t snapshots;        /* live */
    uint64_t needs;            /* bytes of all packs its live snapshots need, each pack once */
    uint64_t unique;           /* of those, bytes that no other job's live snapshot needs */
};

struct prune_alarm {
    const char *name; /* ERR_* or the name of a code */
    bool has_writer;
    uint8_t writer[WRITER_ID_LEN];
    char text[PRUNE_TEXT_MAX];
};

struct prune_plan {
    bool stopped;              /* nothing can be expired, condemned, fenced or deleted now: see the alarms */
    bool clock_untrusted;      /* that is (one reason) why: confirm_clock goes on */
    bool publishes;            /* there is something to publish */
    uint32_t seq;              /* of the record; 0 when nothing is published */
    uint64_t time;             /* policy clock of this run */
    uint64_t expires, revives; /* decisions of this run */
    uint64_t condemned;        /* packs and snapshot objects */
    uint64_t condemned_bytes;
    uint64_t deleted; /* listed as deleted by this run */
    uint64_t deleted_bytes;
    uint64_t removes; /* files: those, and what earlier runs left behind */
    uint64_t removes_bytes;
    uint64_t waiting; /* condemned, and waiting for delete_after, a fence or the next record */
    uint64_t waiting_bytes;
    uint64_t live_bytes;   /* packs that live snapshots need, each once, after this run's decisions */
    uint64_t stored_bytes; /* all packs and snapshot objects that are there */
    uint64_t removed, removed_bytes; /* prune_run: what was removed in fact */
};

struct prune;

/* E_BUSY: another run has the lock, or a half-written record is waited for. */
int prune_open(const struct prune_options *options, struct prune **out, struct error *err);
void prune_close(struct prune *p); /* NULL is fine */

const struct repo *prune_repo(const struct prune *p);
const struct vec *prune_snapshots(const struct prune *p); /* struct prune_snapshot */
const struct vec *prune_jobs(const struct prune *p);      /* struct prune_job, by (writer, label) */
const struct vec *prune_alarms(const struct prune *p);    /* struct prune_alarm: people must see them */
bool prune_blocked(const struct prune *p, const uint8_t writer[WRITER_ID_LEN]);
/* The policy clock as this run's record will have it; the age of a snapshot is this minus first_seen. */
uint64_t prune_time(const struct prune *p);
bool prune_clock_trusted(const struct prune *p);

/* R2. Adds one decision about snapshot i; a later one about the same snapshot replaces it. by_name: a person named
 * it; expiring by name is possible within min-keep, and for one that is not readable, and prune_run then needs a note.
 * E_USAGE says why it is not possible (held, the newest, too young, not revivable). hold protects an expired snapshot
 * from being deleted, too. */
int prune_decide(struct prune *p, size_t i, enum retention_op_kind op, bool by_name, struct error *err);
void prune_forget_decisions(struct prune *p);
/* Cuts off this writer now, whatever silent_after says: the fence goes up to the last record. */
int prune_cut_off(struct prune *p, const uint8_t writer[WRITER_ID_LEN], struct error *err);

/* Bytes that would come free, in the end, if these snapshots (indices) expired as well as what is decided. */
int prune_forecast(const struct prune *p, const size_t *which, size_t n, uint64_t *bytes, struct error *err);

int prune_plan(struct prune *p, struct prune_plan *plan, struct error *err);
/* note: UTF-8, who and why, at most PRUNE_NOTE_MAX bytes; or NULL. A record with a note may expire within min-keep: give
 * one only for what people decided. After it, success or not, only prune_alarms and prune_close are left. */
int prune_run(struct prune *p, const char *note, struct prune_plan *plan, struct error *err);

#endif
