/*
 * swap.h - a database file beside the live one: what the files that make and exchange them share; not for others.
 *
 * Beside LIVE lie LIVE.restored-TIME (whole and checked: it gets this name last)
 * and LIVE.before-restore-TIME (what was live until then). A swap is, with both
 * files locked for everybody who uses SQLite:
 *
 *     1. what LIVE's log or journal holds goes into LIVE; -wal, -shm, -journal go
 *     2. link LIVE.before-restore-TIME to LIVE
 *     3. rename LIVE.restored-TIME to LIVE
 *
 * so that LIVE is one of the two at any moment. Killed after 2, both names are
 * one file, which the next call sees and undoes. Where there are no hard links,
 * LIVE is renamed instead: killed after that there is no LIVE, and the next call
 * goes on with 3. Swaps in one directory wait for each other.
 */
#ifndef COMMON_ENGINE_SQLITE_SWAP_H
#define COMMON_ENGINE_SQLITE_SWAP_H

#include <sqlite3.h>
#include <sys/stat.h>

#include "common/base/vec.h"
#include "common/engine/engine.h"

#define SQLITE_BESIDE ".restored-"
#define SQLITE_KEPT ".before-restore-"

/* ---- swap_files.c: names */

/* The file behind `to` as an absolute path without links, also when it is not there; for free(). */
char *sqlite_real_path(const char *to, struct error *err);
/* LIVE, mark, and the time; a name that is free; for free(). */
char *sqlite_beside_name(const char *live, const char *mark, struct error *err);
/* The paths of the files beside `live` with this mark, in the order of their names: char *. */
int sqlite_beside_list(const char *live, const char *mark, struct vec *out, struct error *err);
void sqlite_paths_free(struct vec *paths);
/* path + "-wal" and so on; for free(). */
extern const char *const sqlite_sides[]; /* ends with NULL */
char *sqlite_side(const char *path, const char *suffix, struct error *err);
/* Renames path-wal and so on to those of `to`, or removes them (to NULL). A -shm is never kept. */
int sqlite_move_sides(const char *path, const char *to, struct error *err);
/* Whether there is one that holds something. */
int sqlite_has_sides(const char *path, bool *out, struct error *err);
/* Owner, group, permissions and ACL of `like`, for a file that nobody has open. */
int sqlite_own_like(const char *path, const char *like, struct error *err);

/* ---- swap_hold.c: nobody else is in it */

struct sqlite_hold {
    sqlite3 *db;
    int fd;           /* of a damaged one, else -1 */
    struct stat file; /* that is held */
};

#define SQLITE_HOLD_INIT     \
    {                        \
        .db = NULL, .fd = -1 \
    }

/* Locks out everybody who uses SQLite, and leaves nothing in a log or journal. E_BUSY "in-use" when somebody reads, writes or
 * (with a write-ahead log) just has it open. A damaged file is held, too (h->fd), and left as it is. While it is held
 * the file must not be opened otherwise in this process. */
int sqlite_hold(const char *path, struct sqlite_hold *h, struct error *err);
void sqlite_release(struct sqlite_hold *h);

/* Processes of this machine that have the file or its log open: tells fn. *unseen counts those that this user may not
 * look at. */
int sqlite_who(const char *path, engine_plan_fn *fn, void *arg, size_t *found, size_t *unseen,
               struct error *err);

/* ---- swap_look.c: what a swap meets */

struct sqlite_swap {
    const struct engine_swap *want;
    engine_plan_fn *fn;
    void *arg;
    char *live;
    char *fresh;
    char *kept; /* NULL: there is no live one */
    struct sqlite_hold hold_live;
    struct sqlite_hold hold_fresh;
};

void sqlite_tell(const struct sqlite_swap *s, enum engine_plan_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Fills live, fresh and kept, and tells what a killed swap left. */
int sqlite_swap_look(struct sqlite_swap *s, struct error *err);
/* Tells which becomes which, and who is in the way. */
int sqlite_swap_survey(struct sqlite_swap *s, struct error *err);
/* A swap that was killed before its last step left two names for the live file. `remove` only while it is held: a swap
 * that is under way has them, too. */
int sqlite_mend(struct sqlite_swap *s, const char *mark, bool remove, struct error *err);

/* ---- beside.c, swap.c */

/* sqlite_look and sqlite_restore, also beside the live one. */
int sqlite_look_any(const struct engine_target *target, struct error *err);
int sqlite_restore_any(const struct engine_streams *streams, const struct engine_target *target,
                       struct error *err);
int sqlite_swap(const struct engine_swap *swap, engine_plan_fn *fn, void *arg, struct error *err);

#endif
