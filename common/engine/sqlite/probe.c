#include <stdio.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

/* Assumed speed of a copy, 200 MB/s, only to warn about long locks. */
enum { COPY_BYTES_PER_MS = 200 * 1000 };

/* For texts without a way out of their own. */
static const char *cure_of(int code)
{
    if (code == E_DENIED)
        return "run backupd as the owner of the database, or give its user read rights on the file, its -wal and "
               "its -shm, and search rights on the directories above";
    return "look at the file and at what the system logged";
}

/* Parts "PATH...; WAY OUT"; a path may hold a "; " too. */
static void tell_failure(const char *path, struct error *why, engine_finding_fn *fn, void *arg)
{
    char *text = why->text + (str_starts(why->text, path) ? strlen(path) : 0);
    char *end = NULL;
    for (char *at = text; (at = strstr(at, "; ")) != NULL; at += 2)
        end = at;
    if (end != NULL)
        *end = '\0';
    fn(true, why->text, end != NULL ? end + 2 : cure_of(why->code), arg);
}

/* At night only what was not accepted with `max_block`; before it also what is better known. */
static void warn_block(const struct origin *o, const struct settings *s, const char *path, bool preflight,
                       engine_finding_fn *fn, void *arg)
{
    uint64_t bytes = (uint64_t)o->pages * o->page_size;
    uint64_t ms = bytes / COPY_BYTES_PER_MS;
    char what[ERROR_TEXT_MAX];
    char size[NUMBER_TEXT_MAX];
    char time[NUMBER_TEXT_MAX];
    if (o->wal || (ms <= s->block_ms && !preflight))
        return;
    (void)snprintf(what, sizeof what,
                   "%s (%s) uses a rollback journal: writers wait during the copy, %s or longer", path,
                   size_format(size, bytes), duration_format(time, ms));
    fn(false, what,
       ms <= s->block_ms
           ? "none is needed if they can wait; with PRAGMA journal_mode=WAL (once; it stays) they go on"
           : "PRAGMA journal_mode=WAL (once; it stays), or raise `max_block` to accept it",
       arg);
}

static int probe_file(const struct settings *s, const struct listed *file, bool preflight,
                      engine_finding_fn *fn, void *arg, struct error *err)
{
    struct origin o;
    struct error why = ERROR_INIT;
    int rc = origin_open(&o, s, file, &why);
    bool passes = rc == E_BUSY && !preflight; /* no fault of this machine: later it may be well */
    bool skip = rc < 0 && o.other && s->skip_others && !file->by_hand;
    if (rc == 0) {
        warn_block(&o, s, file->path, preflight, fn, arg);
        origin_close(&o);
    } else if (!skip && !passes) {
        tell_failure(file->path, &why, fn, arg);
    }
    return rc == E_NOMEM || rc == E_CANCELLED || passes ? error_copy(err, &why) : interrupt_check(err);
}

static int probe_files(const struct settings *s, const struct engine_job *job, engine_finding_fn *fn,
                       void *arg, struct error *err)
{
    struct vec files;
    struct error why = ERROR_INIT;
    int rc = sqlite_list_files(s, job->name, &files, &why);
    if (rc == E_NOT_FOUND || rc == E_DENIED || rc == E_IO) {
        tell_failure("", &why, fn, arg);
        return 0;
    }
    if (rc < 0)
        return error_copy(err, &why);
    for (size_t i = 0; rc == 0 && i < files.len; i++)
        rc = probe_file(s, vec_at(&files, i), job->preflight, fn, arg, err);
    sqlite_list_free(&files);
    return rc;
}

int sqlite_probe(const struct engine_job *job, engine_finding_fn *fn, void *arg, struct error *err)
{
    struct settings s;
    int rc = settings_read(job, &s, err);
    if (rc < 0)
        return rc;
    rc = probe_files(&s, job, fn, arg, err);
    settings_free(&s);
    return rc;
}
