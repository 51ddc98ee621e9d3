#include <stdio.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"

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
static void tell_failure(const struct settings *s, struct error *why, engine_finding_fn *fn, void *arg)
{
    char *text = why->text + (str_starts(why->text, s->path) ? strlen(s->path) : 0);
    char *end = NULL;
    for (char *at = text; (at = strstr(at, "; ")) != NULL; at += 2)
        end = at;
    if (end != NULL)
        *end = '\0';
    fn(true, why->text, end != NULL ? end + 2 : cure_of(why->code), arg);
}

/* At night only what was not accepted with `max_block`; before it also what is better known. */
static void warn_block(const struct origin *o, const struct settings *s, bool preflight,
                       engine_finding_fn *fn, void *arg)
{
    uint64_t bytes = (uint64_t)o->pages * o->page_size;
    uint64_t ms = bytes / COPY_BYTES_PER_MS;
    char what[160];
    char size[NUMBER_TEXT_MAX];
    char time[NUMBER_TEXT_MAX];
    if (o->wal || (ms <= s->block_ms && !preflight))
        return;
    (void)snprintf(what, sizeof what,
                   "the database (%s) uses a rollback journal: writers wait during the copy, %s or longer",
                   size_format(size, bytes), duration_format(time, ms));
    fn(false, what,
       ms <= s->block_ms
           ? "none is needed if they can wait; with PRAGMA journal_mode=WAL (once; it stays) they go on"
           : "PRAGMA journal_mode=WAL (once; it stays), or raise `max_block` to accept it",
       arg);
}

int sqlite_probe(const struct engine_job *job, engine_finding_fn *fn, void *arg, struct error *err)
{
    struct settings s;
    struct origin o;
    int rc = settings_read(job, &s, err);
    if (rc < 0)
        return rc;
    struct error why = ERROR_INIT;
    rc = origin_open(&o, &s, &why);
    if (rc < 0)
        tell_failure(&s, &why, fn, arg);
    else
        warn_block(&o, &s, job->preflight, fn, arg);
    if (rc == 0)
        origin_close(&o);
    settings_free(&s);
    return rc == E_NOMEM || rc == E_CANCELLED ? error_copy(err, &why) : 0;
}
