#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"
#include "common/sys/dirs.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { COPY_BLOCK = 1 << 18, PROGRESS_STEPS = 100000 };

/* ---- one stream, one file ------------------------------------------------------------------------------- */

struct wanted {
    char *name;
    uint64_t len;
};

struct work {
    const struct engine_streams *streams;
    const struct engine_target *target;
    struct vec wanted; /* struct wanted */
    struct vec made;   /* char *: files and directories, in the order they were made */
    uint64_t done;
    uint64_t unchecked; /* databases that SQLite alone cannot check */
};

static int write_all(struct work *w, struct source *src, int fd, const struct wanted *o,
                     const struct place *p, struct error *err)
{
    uint64_t done = 0;
    int64_t n = 0;
    uint8_t *block = mem_alloc(1, COPY_BLOCK, err);
    int rc = block == NULL ? E_NOMEM : 0;
    while (rc == 0 && (n = source_read(src, block, COPY_BLOCK, err)) > 0) {
        rc = fd_write_full(fd, block, (size_t)n, p->tmp, err);
        done += (uint64_t)n;
        w->done += (uint64_t)n;
        if (rc == 0 && w->target->progress != NULL)
            w->target->progress(w->done, w->target->progress_arg);
    }
    if (rc == 0 && n < 0)
        rc = (int)n;
    if (rc == 0 && done != o->len)
        rc = error_set(err, E_CORRUPT, "stream %s has %llu bytes, the snapshot says %llu", o->name,
                       (unsigned long long)done, (unsigned long long)o->len);
    free(block);
    return rc;
}

/* "file:" URI with everything escaped that could mean something. */
static char *immutable_uri(const char *path, struct error *err)
{
    static const char options[] = "?immutable=1&mode=ro";
    size_t len = strlen(path);
    char *uri = mem_alloc(len * 3 + 5 + sizeof options, 1, err);
    if (uri == NULL)
        return NULL;
    memcpy(uri, "file:", 5);
    for (size_t i = 0; i < len; i++)
        (void)snprintf(uri + 5 + 3 * i, 4, "%%%02X", (unsigned)(unsigned char)path[i]);
    memcpy(uri + 5 + 3 * len, options, sizeof options);
    return uri;
}

/* Immutable: SQLite makes no -wal and -shm for a file nobody else knows yet. */
static int check_file(struct work *w, const char *file, const char *shown, struct error *err)
{
    char text[CHECK_TEXT_MAX];
    struct guard g = { .why = ERROR_INIT };
    enum verdict verdict = VERDICT_UNKNOWN;
    sqlite3 *db = NULL;
    char *uri = immutable_uri(file, err);
    if (uri == NULL)
        return E_NOMEM;
    int sq = sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    if (sq == SQLITE_OK)
        sqlite3_progress_handler(db, PROGRESS_STEPS, guard_stops, &g);
    int rc = sq == SQLITE_OK ? check_database(db, CHECK_QUICK, shown, &verdict, text, err)
                             : sqlite_error(err, db, sq, shown);
    if (rc == 0 && verdict == VERDICT_BAD)
        rc = error_set(
            err, E_CORRUPT,
            "%s: the restored database fails SQLite's quick_check (%s). Its bytes are those that were "
            "backed up, so it was damaged before; try an older snapshot, or restore the stream as a "
            "plain file to rescue what is readable",
            shown, text);
    w->unchecked += rc == 0 && verdict == VERDICT_UNKNOWN;
    if (rc == 0 && verdict == VERDICT_UNKNOWN)
        log_event(LOG_WARN, "%s: could not be checked here (%s); its bytes are those that were backed up",
                  shown, text);
    (void)sqlite3_close(db);
    free(uri);
    return rc;
}

static int build(struct work *w, const struct wanted *o, const struct place *p, struct error *err)
{
    int fd = open(p->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_sys(err, "create %s", p->tmp);
    int rc = E_NOMEM;
    struct source *src = w->streams->open(w->streams->arg, o->name, err);
    if (src == NULL) {
        rc = err != NULL && err->code != 0 ? err->code : E_IO;
        goto out;
    }
    rc = write_all(w, src, fd, o, p, err);
    if (rc == 0)
        rc = fd_sync(fd, p->tmp, err);
    if (rc == 0)
        rc = fd_close(&fd, p->tmp, err);
    if (rc == 0)
        rc = check_file(w, p->tmp, p->path, err);
    if (rc == 0)
        rc = place_publish(p, err);
out:
    source_free(src);
    fd_drop(&fd);
    if (rc < 0)
        (void)unlink(p->tmp);
    return rc;
}

/* ---- several, below a directory ------------------------------------------------------------------------- */

static int note_made(struct work *w, const char *path, struct error *err)
{
    char **slot = vec_push(&w->made, err);
    if (slot == NULL)
        return E_NOMEM;
    *slot = str_dup(path, err);
    return *slot == NULL ? E_NOMEM : 0;
}

/* Leaves the directory as it was found. */
static void undo(struct work *w)
{
    for (size_t i = w->made.len; i > 0; i--) {
        const char *path = *(char **)vec_at(&w->made, i - 1);
        if (unlink(path) < 0)
            (void)rmdir(path);
    }
}

static int make_dir(struct work *w, const char *path, struct error *err)
{
    if (mkdir(path, 0700) == 0)
        return note_made(w, path, err);
    return errno == EEXIST ? 0 : error_sys(err, "make the directory %s", path);
}

/* The directories above `path`, as far as they lie below the target. */
static int make_parents(struct work *w, const char *path, size_t from, struct error *err)
{
    int rc = 0;
    for (const char *at = strchr(path + from, '/'); rc == 0 && at != NULL; at = strchr(at + 1, '/')) {
        char *dir = str_dup_len(path, (size_t)(at - path), err);
        rc = dir == NULL ? E_NOMEM : make_dir(w, dir, err);
        free(dir);
    }
    return rc;
}

static int build_below(struct work *w, const struct wanted *o, const char *root, struct error *err)
{
    struct place p = { .path = NULL };
    char *path = str_printf(err, "%s/%s", root, o->name);
    int rc = path == NULL ? E_NOMEM : make_parents(w, path, strlen(root) + 1, err);
    if (rc == 0)
        rc = place_of(path, &p, err);
    if (rc == 0)
        rc = build(w, o, &p, err);
    if (rc == 0)
        rc = note_made(w, path, err);
    place_free(&p);
    free(path);
    return rc;
}

static bool is_empty_dir(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *e = NULL;
    bool empty = d != NULL;
    while (empty && (e = readdir(d)) != NULL)
        empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    if (d != NULL)
        (void)closedir(d);
    return empty;
}

static int sync_made(struct work *w, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < w->made.len; i++) {
        struct stat st;
        const char *path = *(char **)vec_at(&w->made, i);
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            rc = dir_sync(path, err);
    }
    return rc;
}

static int build_all(struct work *w, const struct place *p, struct error *err)
{
    struct stat st;
    if (lstat(p->path, &st) == 0 && !is_empty_dir(p->path))
        return error_set(err, E_EXISTS,
                         "%s is not empty: the snapshot holds %zu databases, which need a directory of "
                         "their own",
                         p->path, w->wanted.len);
    int rc = make_dir(w, p->path, err);
    for (size_t i = 0; rc == 0 && i < w->wanted.len; i++)
        rc = build_below(w, vec_at(&w->wanted, i), p->path, err);
    if (rc == 0)
        rc = sync_made(w, err);
    if (rc == 0)
        rc = dir_sync(p->dir, err);
    if (rc < 0)
        undo(w);
    return rc;
}

/* ---- the way back ---------------------------------------------------------------------------------------- */

static int take_stream(const char *name, uint64_t len, const char *facts, void *arg, struct error *err)
{
    struct work *w = arg;
    (void)facts;
    struct wanted *o = vec_push(&w->wanted, err);
    if (o == NULL)
        return E_NOMEM;
    *o = (struct wanted){ .name = str_dup(name, err), .len = len };
    return o->name == NULL ? E_NOMEM : 0;
}

static int build_wanted(struct work *w, const struct place *p, struct error *err)
{
    if (w->wanted.len == 0)
        return error_set(err, E_UNSUPPORTED, "the snapshot holds no stream to restore");
    if (w->wanted.len > 1)
        return build_all(w, p, err);
    int rc = place_refuse_existing(p, false, err);
    return rc < 0 ? rc : build(w, vec_at(&w->wanted, 0), p, err);
}

static void work_free(struct work *w)
{
    for (size_t i = 0; i < w->wanted.len; i++)
        free(((struct wanted *)vec_at(&w->wanted, i))->name);
    for (size_t i = 0; i < w->made.len; i++)
        free(*(char **)vec_at(&w->made, i));
    vec_free(&w->wanted);
    vec_free(&w->made);
}

static int look(const struct engine_target *target, struct place *p, struct error *err)
{
    int rc = place_of(target->to, p, err);
    if (rc == 0)
        rc = place_refuse_source(p, target->source, err);
    return rc < 0 ? rc : place_refuse_existing(p, true, err);
}

int sqlite_look(const struct engine_target *target, struct error *err)
{
    struct place p;
    int rc = look(target, &p, err);
    place_free(&p);
    return rc;
}

int sqlite_restore(const struct engine_streams *streams, const struct engine_target *target,
                   struct error *err)
{
    struct work w = {
        .streams = streams, .target = target, .wanted = VEC_OF(struct wanted), .made = VEC_OF(char *)
    };
    struct place p;
    int rc = look(target, &p, err);
    if (rc == 0)
        rc = streams->each(streams->arg, take_stream, &w, err);
    if (rc == 0)
        rc = build_wanted(&w, &p, err);
    if (rc == 0 && target->checked != NULL && w.unchecked == 0)
        rc = buf_printf(target->checked, err, "quick_check ok");
    work_free(&w);
    place_free(&p);
    return rc;
}
