#include "common/engine/sqlite/sqlite.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"
#include "common/engine/sqlite/sink.h"

#include "common/base/banned.h"

enum { STEP_BYTES = 1 << 20 };

struct engine_run {
    struct settings set;
    struct origin origin;
    struct page_sink *sink;
    sqlite3_backup *copy;
    size_t at;   /* how much of what the sink holds was read */
    bool given;  /* next() gave the stream */
    bool copied; /* every page is in the sink, and page 1 was checked */
    bool ended;  /* read() gave the last byte */
};

static void sqlite_close_run(struct engine_run *run)
{
    if (run == NULL)
        return;
    if (run->copy != NULL)
        (void)sqlite3_backup_finish(run->copy);
    page_sink_free(run->sink);
    origin_close(&run->origin);
    settings_free(&run->set);
    free(run);
}

static int start_copy(struct engine_run *run, struct error *err)
{
    const struct origin *o = &run->origin;
    run->sink = page_sink_new(o->page1, o->page_size, o->pages, err);
    if (run->sink == NULL)
        return E_NOMEM;
    run->copy = sqlite3_backup_init(page_sink_db(run->sink), "main", o->db, "main");
    if (run->copy == NULL)
        return sqlite_error(err, page_sink_db(run->sink), sqlite3_errcode(page_sink_db(run->sink)),
                            run->set.path);
    return 0;
}

static struct engine_run *sqlite_open_run(const struct engine_job *job, struct error *err)
{
    struct engine_run *run = mem_alloc(1, sizeof *run, err);
    if (run == NULL)
        return NULL;
    if (settings_read(job, &run->set, err) < 0 || origin_open(&run->origin, &run->set, err) < 0 ||
        start_copy(run, err) < 0) {
        sqlite_close_run(run);
        return NULL;
    }
    return run;
}

static int sqlite_next(struct engine_run *run, struct engine_stream *out, struct error *err)
{
    if (run->given && !run->ended)
        return error_set(err, E_INTERNAL, "%s: the stream was not read to its end", run->set.path);
    if (run->given)
        return 0;
    run->given = true;
    *out = (struct engine_stream){
        .name = run->set.name,
        .mode = CHUNK_PAGES,
        .page_size = run->origin.page_size,
        .size_hint = (uint64_t)run->origin.pages * run->origin.page_size,
        .mode_bits = run->origin.before.st_mode & 0777,
    };
    return 1;
}

/* Writers of a rollback-journal database were waiting all this time. */
static void tell_block(const struct engine_run *run)
{
    uint64_t held = clock_mono_ms() - run->origin.since_ms;
    char text[NUMBER_TEXT_MAX];
    if (!run->origin.wal && held > run->set.block_ms)
        log_event(LOG_WARN,
                  "%s: writers had to wait %s for the backup, because the database uses a rollback journal; "
                  "with `PRAGMA journal_mode=WAL` they would go on",
                  run->set.path, duration_format(text, held));
}

static int end_copy(struct engine_run *run, struct error *err)
{
    int sq = sqlite3_backup_finish(run->copy);
    run->copy = NULL;
    if (sq != SQLITE_OK)
        return sqlite_error(err, page_sink_db(run->sink), sq, run->set.path);
    int rc = page_sink_end(run->sink, err);
    if (rc < 0)
        return error_wrap(err, "%s", run->set.path);
    rc = origin_end(&run->origin, run->set.path, err);
    tell_block(run);
    run->copied = rc == 0;
    return rc;
}

static int more_pages(struct engine_run *run, struct error *err)
{
    int sq = sqlite3_backup_step(run->copy, STEP_BYTES / (int)run->origin.page_size);
    if (sq == SQLITE_DONE)
        return end_copy(run, err);
    if (sq == SQLITE_OK)
        return 0;
    const struct error *why = page_sink_why(run->sink);
    if (why != NULL) {
        (void)error_copy(err, why);
        return error_wrap(err, "%s", run->set.path);
    }
    return sqlite_error(err, page_sink_db(run->sink), sq, run->set.path);
}

static int64_t sqlite_read(struct engine_run *run, void *data, size_t cap, struct error *err)
{
    if (!run->given || cap == 0)
        return error_set(err, E_INTERNAL, "sqlite: read without a stream or without room");
    struct buf *out = page_sink_out(run->sink);
    while (run->at == out->len && !run->copied) {
        buf_clear(out);
        run->at = 0;
        int rc = more_pages(run, err);
        if (rc < 0)
            return rc;
    }
    size_t n = out->len - run->at;
    if (n == 0) {
        run->ended = true;
        return 0;
    }
    if (n > cap)
        n = cap;
    memcpy(data, out->data + run->at, n);
    run->at += n;
    return (int64_t)n;
}

static int sqlite_stream_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    const struct origin *o = &run->origin;
    return buf_printf(out, err,
                      "page_size=%lu\npages=%lu\nencoding=%s\nuser_version=%lld\napplication_id=%lld\n"
                      "journal_mode=%s\ntables=%lld\n",
                      (unsigned long)o->page_size, (unsigned long)o->pages, o->encoding,
                      (long long)o->user_version, (long long)o->application_id, o->wal ? "wal" : "rollback",
                      (long long)o->tables);
}

static int sqlite_finish(struct engine_run *run, struct error *err)
{
    if (!run->ended || !run->copied)
        return error_set(err, E_INTERNAL, "%s: the copy is not complete", run->set.path);
    return origin_same_file(&run->origin, run->set.path, err);
}

static int sqlite_run_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    char path[4096];
    return buf_printf(out, err, "source=sqlite\nsqlite_version=%s\nsource_path=%s\n", sqlite3_libversion(),
                      str_printable(path, sizeof path, run->set.path));
}

static const char *const required[] = { "path", NULL };
static const char *const allowed[] = { "path", "name", "busy_timeout", "max_block", NULL };
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
    .look = sqlite_look,
    .restore = sqlite_restore,
    .export = sqlite_export,
};
