/*
 * scratch.h - a throwaway place: a directory, a server in it, and nothing left of either.
 *
 *     struct scratch s;
 *     rc = scratch_open(&s, base, err);            // first removes what drills that died have left in base
 *     rc = scratch_postgres_start(&s, ...);        // or mariadb; or nothing, for files
 *     ...
 *     scratch_close(&s);                           // always: ends the server, removes the directory
 *
 * BASE/backupd-drill-XXXXXX/
 *     lock     held by the drill: while it is, the directory is in use (filelock.h)
 *     run/     socket directory, data, temporary files
 *     kept, control, log    of one that stays after its drill (keep.h)
 *
 * When root drills, run/ is root's alone as long as no server runs, so that nobody else can put anything where root writes.
 * scratch_hand_over() gives it to the server's account, which makes its files there; scratch_serve() takes the directory back
 * once the server answers: what was restored may act as that account, and must not put another server's socket in the place of
 * the one that root connects to.
 *
 * A directory is made under another name, locked, and then gets its own, so none
 * that has the name is without a lock. scratch_sweep() removes those of this user
 * whose lock is free; others are left alone. The server dies with this process
 * (confine.h, child.h). Started by root it runs as the account backupd-drill, or
 * nobody where there is none.
 */
#ifndef RESTORE_DRILL_SCRATCH_H
#define RESTORE_DRILL_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/engine/engine.h"
#include "common/sys/child.h"
#include "common/sys/confine.h"
#include "common/sys/filelock.h"

#define KEPT_FILE "kept"
#define KEPT_CONTROL "control"
#define KEPT_LOG "log"

enum { SCRATCH_TO_MAX = 1024, SCRATCH_VERSION_MAX = 128 };

struct scratch {
    char *dir;
    char *run; /* DIR/run */
    struct filelock *lock;
    struct confine confine;
    struct child *server;
    const struct engine *engine;       /* that asks the server */
    char *asks;                        /* `to` of a database that is always there */
    char *to;                          /* of the database that is restored */
    char *connect;                     /* how people connect to it */
    char *bin_dir;                     /* of the server's programs; or NULL */
    char version[SCRATCH_VERSION_MAX]; /* "PostgreSQL 15.20" */
    unsigned long memory_mib;          /* that the machine has to spare; 0: unknown */
};

/* $TMPDIR, or /var/tmp: for databases a place on a disk. */
const char *scratch_base(void);
/* memory: bytes that the server may have; 0: what the machine has. E_NO_SPACE, E_DENIED, E_NOT_FOUND. */
int scratch_open(struct scratch *s, const char *base, uint64_t memory, struct error *err);
void scratch_close(struct scratch *s);
/* How many directories of dead drills went, with what their servers left (scratch_end). */
size_t scratch_sweep(const char *base);
/* scratch_account.c: chooses the account, sets confine.uid and gid; and whether it gets to run/, for those with a server. */
int scratch_account(struct scratch *s, struct error *err);
int scratch_reachable(const struct scratch *s, const char *base, struct error *err);
/* scratch_end.c: ends the processes that work below DIR/run, and frees the shared memory that PostgreSQL's lock file there
 * names: servers without namespaces leave both when they are killed. Only what the owner of the data made. */
void scratch_end(const char *dir);
/* Whether the directory `name` in the open directory is one of a drill of this user. */
bool scratch_is_ours(int base, const char *name);

/* `bytes`: of the database; `server`: with the files of one. E_NO_SPACE or E_NOMEM with the cure. */
int scratch_room(struct scratch *s, uint64_t bytes, bool server, struct error *err);
/* The disk is not full, and files can still be made. */
bool scratch_room_left(const struct scratch *s);

/* A file or directory below run/, for free(). */
char *scratch_path(const struct scratch *s, const char *name, struct error *err);
/* A directory below run/, of the server's account. */
int scratch_dir(const struct scratch *s, const char *name, struct error *err);
/* Everything below run/NAME belongs to the server's account from now on. Before scratch_hand_over(). */
int scratch_give(const struct scratch *s, const char *name, struct error *err);
/* run/ itself does: what comes next runs as that account. Root writes nothing there from now on. */
int scratch_hand_over(const struct scratch *s, struct error *err);
/* The server's files stay its own, the names in run/ are root's again. */
int scratch_seal(const struct scratch *s, struct error *err);

/* Runs a program as the server's account, confined; its last words are in the error. */
int scratch_run(const struct scratch *s, const char *const argv[], const char *const *env, struct error *err);
/* Starts the server and waits until it answers at s->asks. */
int scratch_serve(struct scratch *s, const char *const argv[], const char *const *env, struct error *err);
/* It has not ended. */
bool scratch_alive(const struct scratch *s);

/* Words for a report. */
int scratch_isolation(const struct scratch *s, struct buf *out, struct error *err);

/* ---- servers ------------------------------------------------------------------------------------------------ */

/* A database of the snapshot: what its facts say. */
struct scratch_database {
    const char *name;      /* as it was */
    const char *facts;     /* of the stream that describes it */
    const char *run_facts; /* of the snapshot */
    const char *bin_dir;   /* or NULL */
};

/* scratch_postgres.c: a server of the same major release, with the database's locale, and the empty database. */
int scratch_postgres_start(struct scratch *s, const struct scratch_database *db, struct error *err);
/* scratch_mariadb.c: of the same series or a newer one. */
int scratch_mariadb_start(struct scratch *s, const struct scratch_database *db, struct error *err);
/* The server on the directory run/data that mariabackup prepared, without accounts. */
int scratch_mariadb_start_on(struct scratch *s, const struct scratch_database *db, struct error *err);

#endif
