#include "common/engine/sqlite/sqlite.h"

#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"
#include "common/engine/sqlite/restore.h"
#include "common/engine/sqlite/swap.h"

#include "common/base/banned.h"

struct engine_run {
    struct settings set;
    struct vec files; /* struct listed */
    size_t next;
    struct copy *copy; /* of the file before next */
    bool given;        /* next() gave its stream */
    bool done;
    uint64_t databases;
    uint64_t skipped;
};

static void sqlite_close_run(struct engine_run *run)
{
    if (run == NULL)
        return;
    sqlite_copy_close(run->copy);
    sqlite_list_free(&run->files);
    settings_free(&run->set);
    free(run);
}

/* Begins with the next file that is a database; run->copy stays NULL at the end. */
static int begin_next(struct engine_run *run, struct error *err)
{
    sqlite_copy_close(run->copy);
    run->copy = NULL;
    run->given = false;
    while (run->next < run->files.len) {
        int rc = sqlite_copy_open(&run->set, vec_at(&run->files, run->next), &run->copy, err);
        run->next++;
        if (rc != 0)
            return rc < 0 ? rc : 0;
        run->skipped++;
    }
    return 0;
}

static struct engine_run *sqlite_open_run(const struct engine_job *job, struct error *err)
{
    struct engine_run *run = mem_alloc(1, sizeof *run, err);
    if (run == NULL)
        return NULL;
    if (settings_read(job, &run->set, err) < 0 ||
        sqlite_list_files(&run->set, job->name, &run->files, err) < 0 || begin_next(run, err) < 0) {
        sqlite_close_run(run);
        return NULL;
    }
    return run;
}

static int nothing_left(struct engine_run *run, struct error *err)
{
    run->done = true;
    if (run->databases > 0 || run->set.allow_empty)
        return 0;
    return error_set(
        err, E_NOT_FOUND,
        "job's `path`: none of the %llu files that match is an SQLite database; correct it, or accept "
        "it with `allow_empty: yes`",
        (unsigned long long)run->skipped);
}

static int sqlite_next(struct engine_run *run, struct engine_stream *out, struct error *err)
{
    if (run->given && !sqlite_copy_ended(run->copy))
        return error_set(err, E_INTERNAL, "sqlite: the stream was not read to its end");
    int rc = run->given ? begin_next(run, err) : 0;
    if (rc < 0)
        return rc;
    if (run->copy == NULL)
        return nothing_left(run, err);
    run->given = true;
    run->databases++;
    sqlite_copy_describe(run->copy, out);
    return 1;
}

static int64_t sqlite_read(struct engine_run *run, void *data, size_t cap, struct error *err)
{
    if (!run->given || cap == 0)
        return error_set(err, E_INTERNAL, "sqlite: read without a stream or without room");
    return sqlite_copy_read(run->copy, data, cap, err);
}

static int sqlite_stream_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    return run->copy == NULL ? error_set(err, E_INTERNAL, "sqlite: facts without a stream")
                             : sqlite_copy_facts(run->copy, out, err);
}

static int sqlite_finish(struct engine_run *run, struct error *err)
{
    bool complete = run->done || (run->given && run->next == run->files.len && sqlite_copy_ended(run->copy));
    return complete ? 0 : error_set(err, E_INTERNAL, "sqlite: the copy is not complete");
}

static int sqlite_run_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    char path[4096];
    int rc = buf_printf(out, err, "source=sqlite\nsqlite_version=%s\ndatabases=%llu\nskipped=%llu\n",
                        sqlite3_libversion(), (unsigned long long)run->databases,
                        (unsigned long long)run->skipped);
    if (rc == 0 && run->set.patterns.len == 1) /* of several, the streams say where they came from */
        rc = buf_printf(out, err, "source_path=%s\n",
                        str_printable(path, sizeof path, *(char **)vec_at(&run->set.patterns, 0)));
    return rc;
}

static const char *const required[] = { "path", NULL };
static const char *const allowed[] = { "path",  "name",  "busy_timeout", "max_block",   "on_block", "max_wal",
                                       "spool", "check", "skip_others",  "allow_empty", NULL };
static const char *const paths[] = { "path", NULL };

const struct engine engine_sqlite = {
    .name = "sqlite",
    .required_options = required,
    .allowed_options = allowed,
    .path_options = paths,
    .probe = sqlite_probe,
    .open = sqlite_open_run,
    .next = sqlite_next,
    .read = sqlite_read,
    .stream_facts = sqlite_stream_facts,
    .finish = sqlite_finish,
    .run_facts = sqlite_run_facts,
    .close = sqlite_close_run,
    .target_kind = TARGET_FILE,
    .look = sqlite_look_any,
    .restore = sqlite_restore_any,
    .plan = sqlite_plan,
    .abilities = ENGINE_AFTER | ENGINE_BESIDE,
    .swap = sqlite_swap,
    .export = sqlite_export,
    .ask = sqlite_ask,
    .mask = sqlite_mask,
};
