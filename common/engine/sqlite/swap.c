/* Two files exchange their places. swap.h says how, and what a kill leaves. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"
#include "common/engine/sqlite/swap.h"
#include "common/sys/dirs.h"
#include "common/sys/filelock.h"

#include "common/base/banned.h"

enum { WORD_MAX = 4096, TURN_MS = 10 * 1000 };

static int failed(const struct error *err)
{
    return err != NULL && err->code < 0 ? err->code : E_NOMEM;
}

/* ---- the exchange -------------------------------------------------------------------------------------------- */

static int sync_dir(const struct sqlite_swap *s, struct error *err)
{
    char *dir = path_dir(s->live, err);
    int rc = dir != NULL ? dir_sync(dir, err) : E_NOMEM;
    free(dir);
    return rc;
}

/* What was not checked by SQLite just now does not go live, unless it was live before. */
static int clear_fresh(struct sqlite_swap *s, struct error *err)
{
    bool sides = false;
    if (s->hold_fresh.fd < 0)
        return sqlite_move_sides(s->fresh, NULL, err);
    if (!s->want->undo)
        return error_set(err, E_CORRUPT, "%s is damaged, or no SQLite database; nothing was changed",
                         s->fresh);
    int rc = sqlite_has_sides(s->fresh, &sides, err);
    if (rc == 0 && sides)
        rc = error_set(
            err, E_UNSUPPORTED,
            "%s is damaged and has a log or journal, which cannot change places in one step: stop the "
            "application, and rename it with its -wal or -journal by hand; nothing was changed",
            s->fresh);
    return rc == 0 ? sqlite_move_sides(s->fresh, NULL, err) : rc;
}

/* From here on LIVE has a second name, or (without hard links) only that. *one: both names are one file. */
static int keep(struct sqlite_swap *s, bool *one, struct error *err)
{
    struct stat st;
    *one = link(s->live, s->kept) == 0;
    if (!*one && errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
        return error_sys(err, "link %s to %s", s->kept, s->live);
    if (!*one)
        return 0;
    if (lstat(s->kept, &st) == 0 && st.st_ino == s->hold_live.file.st_ino &&
        st.st_dev == s->hold_live.file.st_dev)
        return 0;
    (void)unlink(s->kept);
    return error_set(err, E_CONFLICT, "%s was replaced by another file just now; nothing was changed",
                     s->live);
}

static int put_back(struct sqlite_swap *s, int rc, struct error *err)
{
    struct error why = ERROR_INIT;
    if (sqlite_move_sides(s->kept, s->live, &why) < 0 || unlink(s->kept) < 0)
        return error_wrap(err, "%s is another name of %s, which the next call removes", s->kept, s->live);
    return rc;
}

static int go_live(struct sqlite_swap *s, struct error *err)
{
    bool one = false;
    bool damaged = s->hold_live.fd >= 0;
    int rc = 0;
    if (s->kept != NULL)
        rc = damaged ? 0 : sqlite_move_sides(s->live, NULL, err);
    if (rc == 0 && s->kept != NULL)
        rc = keep(s, &one, err);
    if (rc < 0)
        return rc;
    if (s->kept != NULL && damaged)
        rc = sqlite_move_sides(s->live, s->kept, err);
    if (rc == 0 && s->kept != NULL && !one &&
        renameat2(AT_FDCWD, s->live, AT_FDCWD, s->kept, RENAME_NOREPLACE) < 0)
        rc = error_sys(err, "rename %s to %s", s->live, s->kept);
    if (rc == 0)
        rc = sync_dir(s, err);
    if (rc == 0 && rename(s->fresh, s->live) < 0)
        rc = error_sys(err, "rename %s to %s", s->fresh, s->live);
    else if (rc == 0)
        return sync_dir(s, err);
    return one ? put_back(s, rc, err) : rc;
}

/* What lies beside a name that is gone would be replayed into the next file of that name. */
static int clear_gone(struct sqlite_swap *s, struct error *err)
{
    bool sides = false;
    int rc = sqlite_has_sides(s->live, &sides, err);
    if (rc < 0)
        return rc;
    char *away = sides ? sqlite_beside_name(s->live, SQLITE_KEPT, err) : NULL;
    if (sides && away == NULL)
        return failed(err);
    if (sides)
        sqlite_tell(s, PLAN_HANDLED, "the log or journal of the %s that is gone becomes that of %s", s->live,
                    away);
    rc = sqlite_move_sides(s->live, away, err);
    free(away);
    return rc;
}

static int exchange(struct sqlite_swap *s, struct error *err)
{
    int rc = 0;
    if (s->kept != NULL && !s->want->undo)
        rc = sqlite_own_like(s->fresh, s->live, err); /* a restore that was killed after its last check */
    if (rc == 0 && s->kept != NULL)
        rc = sqlite_hold(s->live, &s->hold_live, err);
    if (rc == 0 && s->kept != NULL)
        rc = sqlite_mend(s, SQLITE_KEPT, true, err);
    if (rc == 0 && s->kept != NULL)
        rc = sqlite_mend(s, SQLITE_BESIDE, true, err);
    if (rc == 0)
        rc = sqlite_hold(s->fresh, &s->hold_fresh, err);
    if (rc == 0)
        rc = clear_fresh(s, err);
    if (rc == 0 && s->kept == NULL)
        rc = clear_gone(s, err);
    if (rc == 0 && s->hold_live.fd >= 0)
        sqlite_tell(s, PLAN_HANDLED, "%s is damaged: it is kept as it is, with its log or journal", s->live);
    rc = rc == 0 ? go_live(s, err) : rc;
    sqlite_release(&s->hold_live);
    sqlite_release(&s->hold_fresh); /* last: nobody is in the new one while the old one is closed */
    return rc;
}

static int answer(const struct sqlite_swap *s, struct error *err)
{
    char word[WORD_MAX];
    int rc = 0;
    if (s->kept != NULL && s->want->kept != NULL)
        rc = buf_append(s->want->kept, s->kept, strlen(s->kept) + 1, err);
    if (rc == 0 && s->kept != NULL && s->want->drop != NULL)
        rc = buf_printf(s->want->drop, err, "rm %s", str_shell_word(word, sizeof word, s->kept));
    return rc == 0 && s->kept != NULL && s->want->drop != NULL ? buf_append(s->want->drop, "", 1, err) : rc;
}

/* Two swaps at once would each see the other one in the file, or wait for each other's locks, and both give up. So the
 * later one waits, and then looks at what there is. Where directories have no locks, SQLite's have to do. */
static int take_turn(struct sqlite_swap *s, struct filelock **turn, struct error *err)
{
    struct error why = ERROR_INIT;
    char *live = sqlite_real_path(s->want->live, err);
    char *dir = live != NULL ? path_dir(live, err) : NULL;
    int rc = dir != NULL ? 0 : failed(err);
    if (rc == 0 && (*turn = filelock_dir(dir, TURN_MS, &why)) == NULL && why.code != E_UNSUPPORTED)
        rc = why.code == E_BUSY ? error_named(err, E_BUSY, ENGINE_IN_USE,
                                              "another swap is under way in %s; nothing was changed", dir)
                                : error_copy(err, &why);
    free(dir);
    free(live);
    return rc;
}

static int look_and_exchange(struct sqlite_swap *s, struct error *err)
{
    int rc = sqlite_swap_look(s, err);
    if (rc == 0)
        rc = sqlite_swap_survey(s, err);
    return rc == 0 && !s->want->look_only ? exchange(s, err) : rc;
}

int sqlite_swap(const struct engine_swap *swap, engine_plan_fn *fn, void *arg, struct error *err)
{
    struct sqlite_swap s = {
        .want = swap, .fn = fn, .arg = arg, .hold_live = SQLITE_HOLD_INIT, .hold_fresh = SQLITE_HOLD_INIT
    };
    struct filelock *turn = NULL;
    int rc = swap->terminate
                 ? error_set(err, E_USAGE,
                             "--terminate is for servers: stop the application that has the file open "
                             "yourself")
                 : 0;
    if (rc == 0 && !swap->look_only)
        rc = take_turn(&s, &turn, err);
    if (rc == 0)
        rc = look_and_exchange(&s, err);
    if (rc == 0)
        rc = answer(&s, err);
    filelock_free(turn);
    free(s.live);
    free(s.fresh);
    free(s.kept);
    return rc;
}
