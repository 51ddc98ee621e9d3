#include <stdio.h>

#include "common/base/number.h"
#include "common/engine/sqlite/internal.h"

#include "common/base/banned.h"

/* Assumed speed of a copy, 200 MB/s, only to warn about long locks. */
enum { COPY_BYTES_PER_MS = 200 * 1000 };

/* The texts of origin_open end with their own way out; the cure here is for a list of findings. */
static const char *cure_of(int code)
{
    switch (code) {
    case E_NOT_FOUND:
        return "correct the job's `path`";
    case E_DENIED:
        return "run backupd as the owner of the database, or give its user read rights on the file, "
               "its -wal and its -shm";
    case E_BUSY:
        return "find the process that keeps it locked, raise `busy_timeout`, or switch the database to WAL";
    case E_CORRUPT:
        return "check that it is a plain SQLite database with PRAGMA integrity_check";
    default:
        return "see the message";
    }
}

static void warn_block(const struct origin *o, const struct settings *s, engine_finding_fn *fn, void *arg)
{
    uint64_t bytes = (uint64_t)o->pages * o->page_size;
    uint64_t ms = bytes / COPY_BYTES_PER_MS;
    if (!o->wal && ms > s->block_ms) {
        char what[160];
        char size[NUMBER_TEXT_MAX];
        char time[NUMBER_TEXT_MAX];
        (void)snprintf(
            what, sizeof what,
            "the database (%s) uses a rollback journal: writers wait during the copy, %s or longer",
            size_format(size, bytes), duration_format(time, ms));
        fn(false, what, "PRAGMA journal_mode=WAL (once; it stays), or raise `max_block` to accept it", arg);
    }
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
        fn(true, why.text, cure_of(rc), arg);
    else
        warn_block(&o, &s, fn, arg);
    if (rc == 0)
        origin_close(&o);
    settings_free(&s);
    return rc == E_NOMEM ? error_copy(err, &why) : 0;
}
