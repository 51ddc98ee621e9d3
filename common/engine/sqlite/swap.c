/* Two files exchange their places. swap.h says how, and what a kill leaves. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"
#include "common/engine/sqlite/swap.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

enum { WORD_MAX = 4096, LINE_MAX_BYTES = 9000 };

struct swap {
    const struct engine_swap *want;
    engine_plan_fn *fn;
    void *arg;
    char *live;
    char *fresh;
    char *kept; /* NULL: there is no live one */
    struct sqlite_hold hold_live;
    struct sqlite_hold hold_fresh;
};

static void tell(const struct swap *s, enum engine_plan_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(const struct swap *s, enum engine_plan_kind kind, const char *fmt, ...)
{
    char text[LINE_MAX_BYTES];
    char shown[LINE_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    s->fn(kind, str_printable(shown, sizeof shown, text), NULL, s->arg);
}

static int failed(const struct error *err)
{
    return err != NULL && err->code < 0 ? err->code : E_NOMEM;
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* ---- side files ------------------------------------------------------------------------------------------- */

/* Renames path-wal and so on to those of `to`, or removes them (to NULL). A -shm is never kept. */
static int move_sides(const char *path, const char *to, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && sqlite_sides[i] != NULL; i++) {
        bool remove = to == NULL || strcmp(sqlite_sides[i], "-shm") == 0;
        char *old = sqlite_side(path, sqlite_sides[i], err);
        char *new = to != NULL ? sqlite_side(to, sqlite_sides[i], err) : NULL;
        if (old == NULL || (to != NULL && new == NULL))
            rc = E_NOMEM;
        else if (is_there(old) &&
                 (remove ? unlink(old) < 0 : renameat2(AT_FDCWD, old, AT_FDCWD, new, RENAME_NOREPLACE) < 0))
            rc = error_sys(err, "move %s away", old);
        free(old);
        free(new);
    }
    return rc;
}

static int has_sides(const char *path, bool *out, struct error *err)
{
    *out = false;
    for (size_t i = 0; sqlite_sides[i] != NULL; i++) {
        struct stat st;
        char *side = sqlite_side(path, sqlite_sides[i], err);
        if (side == NULL)
            return E_NOMEM;
        *out = *out || (strcmp(sqlite_sides[i], "-shm") != 0 && lstat(side, &st) == 0 && st.st_size > 0);
        free(side);
    }
    return 0;
}

/* ---- which files ------------------------------------------------------------------------------------------- */

static bool is_live(const struct swap *s, const char *path)
{
    struct stat a;
    struct stat b;
    return lstat(path, &a) == 0 && lstat(s->live, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* What mend() removes. */
static void drop_names_of_live(const struct swap *s, struct vec *paths)
{
    size_t kept = 0;
    for (size_t i = 0; i < paths->len; i++) {
        char **at = vec_at(paths, i);
        if (is_live(s, *at))
            free(*at);
        else
            *(char **)vec_at(paths, kept++) = *at;
    }
    paths->len = kept;
}

static int find_fresh(struct swap *s, struct error *err)
{
    struct vec found;
    bool undo = s->want->undo;
    int rc = sqlite_beside_list(s->live, undo ? SQLITE_KEPT : SQLITE_BESIDE, &found, err);
    drop_names_of_live(s, &found);
    if (rc == 0 && found.len == 0)
        rc = error_set(
            err, E_NOT_FOUND,
            undo ? "nothing was kept beside %s; name the file with --from"
                 : "nothing lies ready beside %s (restore database SNAPSHOT --to FILE --beside makes it); or "
                   "name the file with --from",
            s->live);
    if (rc == 0 && found.len > 1)
        rc = error_set(err, E_USAGE, "%s and %s both could take the place of %s: choose with --from",
                       *(char **)vec_at(&found, found.len - 1), *(char **)vec_at(&found, found.len - 2),
                       s->live);
    if (rc == 0 && (s->fresh = str_dup(*(char **)vec_at(&found, 0), err)) == NULL)
        rc = E_NOMEM;
    sqlite_paths_free(&found);
    return rc;
}

static int named_fresh(struct swap *s, struct error *err)
{
    s->fresh = sqlite_real_path(s->want->fresh, err);
    if (s->fresh == NULL)
        return failed(err);
    if (!is_there(s->fresh))
        return error_sys(err, "%s", s->fresh);
    if (is_live(s, s->fresh))
        return error_set(err, E_USAGE, "%s is the live database itself", s->fresh);
    return 0;
}

/* A swap that was killed before its last step left two names for the live file. `remove` only while it is held: a
 * swap that is under way has them, too. */
static int mend(struct swap *s, const char *mark, bool remove, struct error *err)
{
    struct vec found;
    int rc = sqlite_beside_list(s->live, mark, &found, err);
    for (size_t i = 0; rc == 0 && i < found.len; i++) {
        const char *path = *(char **)vec_at(&found, i);
        if (!is_live(s, path))
            continue;
        if (!remove)
            tell(
                s, PLAN_HANDLED,
                "a swap was killed before its last step: %s is only another name of the live database; a swap removes it",
                path);
        else if ((rc = move_sides(path, s->live, err)) == 0 && unlink(path) < 0)
            rc = error_sys(err, "remove %s", path);
    }
    sqlite_paths_free(&found);
    return rc;
}

static int look(struct swap *s, struct error *err)
{
    s->live = sqlite_real_path(s->want->live, err);
    if (s->live == NULL)
        return failed(err);
    int rc = mend(s, SQLITE_KEPT, false, err);
    if (rc == 0)
        rc = mend(s, SQLITE_BESIDE, false, err);
    if (rc == 0)
        rc = s->want->fresh != NULL ? named_fresh(s, err) : find_fresh(s, err);
    if (rc == 0 && is_there(s->live) &&
        (s->kept = sqlite_beside_name(s->live, s->want->undo ? SQLITE_BESIDE : SQLITE_KEPT, err)) == NULL)
        rc = failed(err);
    return rc;
}

/* ---- who is in the way -------------------------------------------------------------------------------------- */

static int survey(struct swap *s, struct error *err)
{
    size_t found = 0;
    size_t unseen = 0;
    if (s->kept == NULL)
        tell(s, PLAN_NOTE, "there is no %s: a swap was killed, or somebody moved it away", s->live);
    else
        tell(s, PLAN_DROP, "%s becomes %s, and is kept", s->live, s->kept);
    tell(s, PLAN_CREATE, "%s becomes %s", s->fresh, s->live);
    int rc = s->kept != NULL ? sqlite_who(s->live, s->fn, s->arg, &found, &unseen, err) : 0;
    if (rc == 0)
        rc = sqlite_who(s->fresh, s->fn, s->arg, &found, &unseen, err);
    if (rc == 0 && unseen > 0)
        tell(
            s, PLAN_NOTE,
            "%zu processes of other users could not be looked at (root may); an application that has a database with a "
            "rollback journal open and is idle cannot be noticed otherwise",
            unseen);
    if (rc == 0)
        tell(
            s, PLAN_NOTE,
            "who uses the file from another machine, or from a container with processes of its own, is noticed only by "
            "its locks: stop the application, and start it again afterwards");
    if (rc == 0 && found > 0 && !s->want->look_only)
        rc = error_named(err, E_BUSY, ENGINE_IN_USE,
                         "processes have %s open (%zu): stop the application first; nothing was changed",
                         s->live, found);
    return rc;
}

/* ---- the exchange -------------------------------------------------------------------------------------------- */

static int sync_dir(const struct swap *s, struct error *err)
{
    char *dir = path_dir(s->live, err);
    int rc = dir != NULL ? dir_sync(dir, err) : E_NOMEM;
    free(dir);
    return rc;
}

/* What was not checked by SQLite just now does not go live, unless it was live before. */
static int clear_fresh(struct swap *s, struct error *err)
{
    bool sides = false;
    if (s->hold_fresh.fd < 0)
        return move_sides(s->fresh, NULL, err);
    if (!s->want->undo)
        return error_set(err, E_CORRUPT, "%s is damaged, or no SQLite database; nothing was changed",
                         s->fresh);
    int rc = has_sides(s->fresh, &sides, err);
    if (rc == 0 && sides)
        rc = error_set(
            err, E_UNSUPPORTED,
            "%s is damaged and has a log or journal, which cannot change places in one step: stop the "
            "application, and rename it with its -wal or -journal by hand; nothing was changed",
            s->fresh);
    return rc == 0 ? move_sides(s->fresh, NULL, err) : rc;
}

/* From here on LIVE has a second name, or (without hard links) only that. *one: both names are one file. */
static int keep(struct swap *s, bool *one, struct error *err)
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

static int put_back(struct swap *s, int rc, struct error *err)
{
    struct error why = ERROR_INIT;
    if (move_sides(s->kept, s->live, &why) < 0 || unlink(s->kept) < 0)
        return error_wrap(err, "%s is another name of %s, which the next call removes", s->kept, s->live);
    return rc;
}

static int go_live(struct swap *s, struct error *err)
{
    bool one = false;
    bool damaged = s->hold_live.fd >= 0;
    int rc = 0;
    if (s->kept != NULL)
        rc = damaged ? 0 : move_sides(s->live, NULL, err);
    if (rc == 0 && s->kept != NULL)
        rc = keep(s, &one, err);
    if (rc < 0)
        return rc;
    if (s->kept != NULL && damaged)
        rc = move_sides(s->live, s->kept, err);
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
static int clear_gone(struct swap *s, struct error *err)
{
    bool sides = false;
    int rc = has_sides(s->live, &sides, err);
    if (rc < 0)
        return rc;
    char *away = sides ? sqlite_beside_name(s->live, SQLITE_KEPT, err) : NULL;
    if (sides && away == NULL)
        return failed(err);
    if (sides)
        tell(s, PLAN_HANDLED, "the log or journal of the %s that is gone becomes that of %s", s->live, away);
    rc = move_sides(s->live, away, err);
    free(away);
    return rc;
}

static int exchange(struct swap *s, struct error *err)
{
    int rc = 0;
    if (s->kept != NULL && !s->want->undo)
        rc = sqlite_own_like(s->fresh, s->live, err); /* a restore that was killed after its last check */
    if (rc == 0 && s->kept != NULL)
        rc = sqlite_hold(s->live, &s->hold_live, err);
    if (rc == 0 && s->kept != NULL)
        rc = mend(s, SQLITE_KEPT, true, err);
    if (rc == 0 && s->kept != NULL)
        rc = mend(s, SQLITE_BESIDE, true, err);
    if (rc == 0)
        rc = sqlite_hold(s->fresh, &s->hold_fresh, err);
    if (rc == 0)
        rc = clear_fresh(s, err);
    if (rc == 0 && s->kept == NULL)
        rc = clear_gone(s, err);
    if (rc == 0 && s->hold_live.fd >= 0)
        tell(s, PLAN_HANDLED, "%s is damaged: it is kept as it is, with its log or journal", s->live);
    rc = rc == 0 ? go_live(s, err) : rc;
    sqlite_release(&s->hold_live);
    sqlite_release(&s->hold_fresh); /* last: nobody is in the new one while the old one is closed */
    return rc;
}

static int answer(const struct swap *s, struct error *err)
{
    char word[WORD_MAX];
    int rc = 0;
    if (s->kept != NULL && s->want->kept != NULL)
        rc = buf_append(s->want->kept, s->kept, strlen(s->kept) + 1, err);
    if (rc == 0 && s->kept != NULL && s->want->drop != NULL)
        rc = buf_printf(s->want->drop, err, "rm %s", str_shell_word(word, sizeof word, s->kept));
    return rc == 0 && s->kept != NULL && s->want->drop != NULL ? buf_append(s->want->drop, "", 1, err) : rc;
}

int sqlite_swap(const struct engine_swap *swap, engine_plan_fn *fn, void *arg, struct error *err)
{
    struct swap s = {
        .want = swap, .fn = fn, .arg = arg, .hold_live = SQLITE_HOLD_INIT, .hold_fresh = SQLITE_HOLD_INIT
    };
    int rc = swap->terminate
                 ? error_set(err, E_USAGE,
                             "--terminate is for servers: stop the application that has the file open "
                             "yourself")
                 : look(&s, err);
    if (rc == 0)
        rc = survey(&s, err);
    if (rc == 0 && !swap->look_only)
        rc = exchange(&s, err);
    if (rc == 0)
        rc = answer(&s, err);
    free(s.live);
    free(s.fresh);
    free(s.kept);
    return rc;
}
