/* What a swap of files meets: which one is meant, what a killed one left, and who is in the way. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/engine/sqlite/swap.h"

#include "common/base/banned.h"

enum { LINE_MAX_BYTES = 9000 };

void sqlite_tell(const struct sqlite_swap *s, enum engine_plan_kind kind, const char *fmt, ...)
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

/* ---- which files ------------------------------------------------------------------------------------------- */

static bool is_live(const struct sqlite_swap *s, const char *path)
{
    struct stat a;
    struct stat b;
    return lstat(path, &a) == 0 && lstat(s->live, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* What sqlite_mend() removes. */
static void drop_names_of_live(const struct sqlite_swap *s, struct vec *paths)
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

static int find_fresh(struct sqlite_swap *s, struct error *err)
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

static int named_fresh(struct sqlite_swap *s, struct error *err)
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
int sqlite_mend(struct sqlite_swap *s, const char *mark, bool remove, struct error *err)
{
    struct vec found;
    int rc = sqlite_beside_list(s->live, mark, &found, err);
    for (size_t i = 0; rc == 0 && i < found.len; i++) {
        const char *path = *(char **)vec_at(&found, i);
        if (!is_live(s, path))
            continue;
        if (!remove)
            sqlite_tell(
                s, PLAN_HANDLED,
                "a swap was killed before its last step: %s is only another name of the live database; a swap removes it",
                path);
        else if ((rc = sqlite_move_sides(path, s->live, err)) == 0 && unlink(path) < 0)
            rc = error_sys(err, "remove %s", path);
    }
    sqlite_paths_free(&found);
    return rc;
}

int sqlite_swap_look(struct sqlite_swap *s, struct error *err)
{
    s->live = sqlite_real_path(s->want->live, err);
    if (s->live == NULL)
        return failed(err);
    int rc = sqlite_mend(s, SQLITE_KEPT, false, err);
    if (rc == 0)
        rc = sqlite_mend(s, SQLITE_BESIDE, false, err);
    if (rc == 0)
        rc = s->want->fresh != NULL ? named_fresh(s, err) : find_fresh(s, err);
    if (rc == 0 && is_there(s->live) &&
        (s->kept = sqlite_beside_name(s->live, s->want->undo ? SQLITE_BESIDE : SQLITE_KEPT, err)) == NULL)
        rc = failed(err);
    return rc;
}

/* ---- who is in the way -------------------------------------------------------------------------------------- */

int sqlite_swap_survey(struct sqlite_swap *s, struct error *err)
{
    size_t found = 0;
    size_t unseen = 0;
    if (s->kept == NULL)
        sqlite_tell(s, PLAN_NOTE, "there is no %s: a swap was killed, or somebody moved it away", s->live);
    else
        sqlite_tell(s, PLAN_DROP, "%s becomes %s, and is kept", s->live, s->kept);
    sqlite_tell(s, PLAN_CREATE, "%s becomes %s", s->fresh, s->live);
    int rc = s->kept != NULL ? sqlite_who(s->live, s->fn, s->arg, &found, &unseen, err) : 0;
    if (rc == 0)
        rc = sqlite_who(s->fresh, s->fn, s->arg, &found, &unseen, err);
    if (rc == 0 && unseen > 0)
        sqlite_tell(
            s, PLAN_NOTE,
            "%zu processes of other users could not be looked at (root may); an application that has a database with a "
            "rollback journal open and is idle cannot be noticed otherwise",
            unseen);
    if (rc == 0)
        sqlite_tell(
            s, PLAN_NOTE,
            "who uses the file from another machine, or from a container with processes of its own, is noticed only by "
            "its locks: stop the application, and start it again afterwards");
    if (rc == 0 && found > 0 && !s->want->look_only)
        rc = error_named(err, E_BUSY, ENGINE_IN_USE,
                         "processes have %s open (%zu): stop the application first; nothing was changed",
                         s->live, found);
    return rc;
}
