/* One stream, one file. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/engine/sqlite/restore.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { COPY_BLOCK = 1 << 18, PROGRESS_STEPS = 100000 };

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
        sqlite_distrust(db);
    if (sq == SQLITE_OK)
        sqlite3_progress_handler(db, PROGRESS_STEPS, sqlite_guard_stops, &g);
    int rc = sq == SQLITE_OK ? sqlite_check(db, CHECK_QUICK, shown, &verdict, text, err)
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

int sqlite_restore_one(struct work *w, const struct wanted *o, const struct place *p, struct error *err)
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
    if (rc == 0 && w->target->after_sql != NULL)
        rc = sqlite_after(p->tmp, p->path, w->target, err);
    if (rc == 0)
        rc = sqlite_place_publish(p, err);
out:
    source_free(src);
    fd_drop(&fd);
    if (rc < 0)
        (void)unlink(p->tmp);
    return rc;
}
