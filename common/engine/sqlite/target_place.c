#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/option.h"
#include "common/engine/sqlite/internal.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

void sqlite_place_free(struct place *p)
{
    free(p->path);
    free(p->dir);
    free(p->tmp);
}

int sqlite_place_of(const char *path, struct place *out, struct error *err)
{
    *out = (struct place){ .path = NULL };
    if (path == NULL || path[0] == '\0' || str_ends(path, "/") || str_ends(path, "/.") ||
        str_ends(path, "/..") || strcmp(path, ".") == 0 || strcmp(path, "..") == 0) {
        (void)error_set(err, E_USAGE, "\"%s\" cannot be the restored database: give the name of a new file",
                        path == NULL ? "" : path);
        return E_USAGE;
    }
    /* "./" keeps SQLite from reading a name like ":memory:" as something else. */
    out->path = str_printf(err, "%s%s", path[0] == '/' ? "" : "./", path);
    if (out->path == NULL)
        return E_NOMEM;
    const char *slash = strrchr(out->path, '/');
    out->base = slash + 1;
    out->dir =
        slash == out->path ? str_dup("/", err) : str_dup_len(out->path, (size_t)(slash - out->path), err);
    if (out->dir != NULL)
        out->tmp = str_printf(err, "%s/.%s.restoring-%ld", out->dir, out->base, (long)getpid());
    return out->tmp == NULL ? E_NOMEM : 0;
}

/* Same directory, whatever way its path was written, and same name. */
static bool same_place(const struct place *a, const struct place *b)
{
    struct stat sa;
    struct stat sb;
    return strcmp(a->base, b->base) == 0 && stat(a->dir, &sa) == 0 && stat(b->dir, &sb) == 0 &&
           sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static int refuse_one(const struct place *p, const char *path, struct error *err)
{
    struct place source;
    struct stat sa;
    struct stat sb;
    int rc = sqlite_place_of(path, &source, err);
    bool same =
        rc == 0 && (same_place(p, &source) || (stat(p->path, &sa) == 0 && stat(source.path, &sb) == 0 &&
                                               sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino));
    sqlite_place_free(&source);
    if (rc < 0)
        return rc;
    if (same)
        return error_set(
            err, E_EXISTS,
            "%s is the live database that is backed up: restore to another file, stop the application, "
            "move the old file with its -wal and -shm away and the restored one into its place",
            p->path);
    return 0;
}

/* What a pattern matches now; on another machine there may be nothing to match, which is no reason to refuse. */
static int refuse_matches(const struct place *p, const char *pattern, struct error *err)
{
    struct vec found = VEC_OF(char *);
    struct error why = ERROR_INIT;
    int rc = sqlite_match_files(pattern, &found, &why);
    rc = rc == E_NOMEM || rc == E_CANCELLED ? error_copy(err, &why) : 0;
    for (size_t i = 0; i < found.len; i++) {
        char *path = *(char **)vec_at(&found, i);
        if (rc == 0)
            rc = refuse_one(p, path, err);
        free(path);
    }
    vec_free(&found);
    return rc;
}

int sqlite_place_refuse_source(const struct place *p, const struct engine_job *job, struct error *err)
{
    size_t n = job == NULL ? 0 : option_count(job, "path");
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const char *path = option_at(job, "path", i);
        if (path[0] == '\0')
            continue;
        if (sqlite_match_is_pattern(path)) {
            rc = refuse_matches(p, path, err);
            continue;
        }
        char *plain = sqlite_match_unquote(path, err);
        rc = plain == NULL ? E_NOMEM : refuse_one(p, plain, err);
        free(plain);
    }
    return rc;
}

/* An empty directory may be the place of several databases. */
int sqlite_place_refuse_existing(const struct place *p, bool dir_is_fine, struct error *err)
{
    struct stat st;
    if (lstat(p->path, &st) == 0) {
        if (S_ISDIR(st.st_mode) && dir_is_fine)
            return 0;
        return error_set(err, E_EXISTS,
                         "%s exists and is not overwritten: restore to another path, or move it away",
                         p->path);
    }
    if (errno != ENOENT)
        return error_sys(err, "%s", p->path);
    if (stat(p->dir, &st) < 0)
        return error_sys(err, "directory %s", p->dir);
    return 0;
}

/* What lies next to the new name would be replayed into it. It may be all that is left of a lost database. */
static int move_aside(const char *path, const char *suffix, struct error *err)
{
    struct stat st;
    char *old = str_printf(err, "%s%s", path, suffix);
    char *new = old == NULL ? NULL : str_printf(err, "%s.stale-%ld", old, (long)getpid());
    int rc = new == NULL ? E_NOMEM : 0;
    if (rc < 0 || lstat(old, &st) < 0)
        goto out;
    bool empty = st.st_size == 0 || strcmp(suffix, "-shm") == 0;
    if (empty ? unlink(old) < 0 : renameat2(AT_FDCWD, old, AT_FDCWD, new, RENAME_NOREPLACE) < 0) {
        rc = error_sys(err, "move %s away", old);
        goto out;
    }
    if (!empty)
        log_event(LOG_WARN, "%s belonged to another database; it is now %s", old, new);
out:
    free(old);
    free(new);
    return rc;
}

static int give_name(const struct place *p, struct error *err)
{
    int rc = renameat2(AT_FDCWD, p->tmp, AT_FDCWD, p->path, RENAME_NOREPLACE);
    if (rc < 0 && (errno == EINVAL || errno == ENOSYS || errno == ENOTSUP)) { /* e.g. NFS */
        rc = link(p->tmp, p->path);
        if (rc == 0)
            (void)unlink(p->tmp);
    }
    return rc < 0 ? error_sys(err, "name the restored file %s", p->path) : 0;
}

int sqlite_place_publish(const struct place *p, struct error *err)
{
    static const char *const suffixes[] = { "-wal", "-shm", "-journal" };
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        int rc = move_aside(p->path, suffixes[i], err);
        if (rc < 0)
            return rc;
    }
    int rc = give_name(p, err);
    if (rc == 0 && (rc = dir_sync(p->dir, err)) < 0)
        (void)unlink(p->path);
    return rc;
}
