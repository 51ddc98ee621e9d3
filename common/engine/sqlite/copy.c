#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"
#include "common/engine/sqlite/sink.h"

#include "common/base/banned.h"

enum { STEP_BYTES = 1 << 20, PROGRESS_STEPS = 100000 };

struct copy {
    const struct settings *set;
    const struct listed *file;
    struct origin origin;
    struct guard guard;
    struct page_sink *sink;
    sqlite3_backup *backup;
    struct spool spool;
    size_t at;   /* how much of what the sink holds was read */
    bool copied; /* every page is in the sink, and page 1 was checked */
    bool ended;  /* read() gave the last byte */
    enum verdict verdict;
    struct buf contents; /* facts */
};

void sqlite_copy_close(struct copy *c)
{
    if (c == NULL)
        return;
    if (c->backup != NULL)
        (void)sqlite3_backup_finish(c->backup);
    page_sink_free(c->sink);
    origin_close(&c->origin);
    sqlite_spool_close(&c->spool);
    buf_free(&c->contents);
    free(c);
}

/* SQLite's failure, or what made the guard stop it. */
static int step_error(struct copy *c, sqlite3 *db, int sq, struct error *err)
{
    const struct error *why = c->sink != NULL ? page_sink_why(c->sink) : NULL;
    if (why == NULL && c->guard.why.code != 0)
        return error_copy(err, &c->guard.why);
    if (why == NULL)
        return sqlite_error(err, db, sq, c->file->path);
    (void)error_copy(err, why);
    return error_wrap(err, "%s", c->file->path);
}

/* ---- what the copy holds ------------------------------------------------------------------------------- */

static int judge(struct copy *c, const char *said, struct error *err)
{
    const char *path = c->file->path;
    if (c->verdict == VERDICT_BAD)
        return error_set(err, E_CORRUPT,
                         "%s: the database is damaged (%s), and nothing of this run is published; repair it "
                         "(restore an older snapshot, or sqlite3 FILE .recover), or take it as it is with "
                         "`check: none`",
                         path, said);
    if (c->verdict == VERDICT_UNKNOWN && c->set->check != CHECK_NONE)
        log_event(LOG_WARN, "%s: could not be checked here (%s); it is stored all the same", path, said);
    return 0;
}

/* The copy's own content: through the transaction that it was read in, or from the spool. */
static int examine(struct copy *c, sqlite3 *db, struct guard *g, struct error *err)
{
    char said[CHECK_TEXT_MAX];
    struct error why = ERROR_INIT;
    sqlite3_progress_handler(db, PROGRESS_STEPS, sqlite_guard_stops, g);
    int rc = sqlite_check(db, c->set->check, c->file->path, &c->verdict, said, &why);
    if (rc == 0)
        rc = judge(c, said, &why);
    if (rc == 0)
        rc = sqlite_contents_facts(db, c->file->path, &c->contents, &why);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    if (rc < 0)
        rc = error_copy(err, g->why.code != 0 ? &g->why : &why);
    return rc;
}

static int examine_spool(struct copy *c, struct error *err)
{
    struct guard g = { .why = ERROR_INIT };
    sqlite3 *db = NULL;
    int rc = sqlite_spool_db(&c->spool, &db, c->file->path, err);
    if (rc < 0)
        return rc;
    rc = examine(c, db, &g, err);
    sqlite_spool_close_db(&c->spool, db);
    return rc;
}

/* ---- copying ------------------------------------------------------------------------------------------- */

static int end_copy(struct copy *c, struct error *err)
{
    const char *path = c->file->path;
    int sq = sqlite3_backup_finish(c->backup);
    c->backup = NULL;
    if (sq != SQLITE_OK)
        return step_error(c, page_sink_db(c->sink), sq, err);
    int rc = page_sink_end(c->sink, err);
    if (rc < 0)
        return error_wrap(err, "%s", path);
    if (c->spool.fd < 0)
        rc = examine(c, c->origin.db, &c->guard, err);
    if (rc == 0)
        rc = origin_same_file(&c->origin, path, err);
    if (rc == 0)
        rc = origin_end(&c->origin, path, err);
    sqlite_guard_end(&c->guard);
    c->copied = rc == 0;
    return rc;
}

static int more_pages(struct copy *c, struct error *err)
{
    int rc = sqlite_guard_check(&c->guard, err);
    if (rc < 0)
        return rc;
    int sq = sqlite3_backup_step(c->backup, STEP_BYTES / (int)c->origin.page_size);
    if (sq == SQLITE_DONE)
        return end_copy(c, err);
    return sq == SQLITE_OK ? 0 : step_error(c, page_sink_db(c->sink), sq, err);
}

/* Everything at once, so that writers wait for this machine's disk and for nothing else. */
static int fill_spool(struct copy *c, struct error *err)
{
    struct buf *out = page_sink_out(c->sink);
    int rc = 0;
    while (rc == 0 && !c->copied) {
        rc = more_pages(c, err);
        if (rc == 0)
            rc = sqlite_spool_write(&c->spool, out->data, out->len, c->file->path, err);
        buf_clear(out);
    }
    return rc < 0 ? rc : examine_spool(c, err);
}

static int start(struct copy *c, struct error *err)
{
    const struct origin *o = &c->origin;
    sqlite_guard_begin(&c->guard, c->set, o, c->file->path);
    int rc = o->wal ? 0
                    : sqlite_spool_open(&c->spool, c->set->spool, (uint64_t)o->pages * o->page_size,
                                        c->file->path, err);
    if (rc < 0)
        return rc;
    c->sink = page_sink_new(o->page1, o->page_size, o->pages, err);
    if (c->sink == NULL)
        return E_NOMEM;
    c->backup = sqlite3_backup_init(page_sink_db(c->sink), "main", o->db, "main");
    if (c->backup == NULL)
        return step_error(c, page_sink_db(c->sink), sqlite3_errcode(page_sink_db(c->sink)), err);
    return c->spool.fd >= 0 ? fill_spool(c, err) : 0;
}

int sqlite_copy_open(const struct settings *s, const struct listed *file, struct copy **out,
                     struct error *err)
{
    struct error why = ERROR_INIT;
    struct copy *c = mem_alloc(1, sizeof *c, err);
    *out = NULL;
    if (c == NULL)
        return E_NOMEM;
    c->set = s;
    c->file = file;
    c->spool = (struct spool)SPOOL_INIT;
    buf_init(&c->contents);
    int rc = origin_open(&c->origin, s, file, &why);
    bool skip = rc < 0 && c->origin.other && s->skip_others && !file->by_hand;
    if (rc == 0)
        rc = start(c, &why);
    if (rc == 0) {
        *out = c;
        return 1;
    }
    sqlite_copy_close(c);
    if (!skip)
        return error_copy(err, &why);
    log_event(LOG_WARN, "left out, as `skip_others` says: %s", why.text);
    return 0;
}

void sqlite_copy_describe(const struct copy *c, struct engine_stream *out)
{
    *out = (struct engine_stream){
        .name = c->file->name,
        .mode = CHUNK_PAGES,
        .page_size = c->origin.page_size,
        .size_hint = (uint64_t)c->origin.pages * c->origin.page_size,
        .mode_bits = c->origin.before.st_mode & 0777,
    };
}

static int64_t read_sink(struct copy *c, void *data, size_t cap, struct error *err)
{
    struct buf *out = page_sink_out(c->sink);
    while (c->at == out->len && !c->copied) {
        buf_clear(out);
        c->at = 0;
        int rc = more_pages(c, err);
        if (rc < 0)
            return rc;
    }
    size_t n = out->len - c->at < cap ? out->len - c->at : cap;
    if (n > 0)
        memcpy(data, out->data + c->at, n);
    c->at += n;
    return (int64_t)n;
}

int64_t sqlite_copy_read(struct copy *c, void *data, size_t cap, struct error *err)
{
    int64_t n = c->spool.fd >= 0 ? sqlite_spool_read(&c->spool, data, cap, c->file->path, err)
                                 : read_sink(c, data, cap, err);
    c->ended |= n == 0;
    return n;
}

bool sqlite_copy_ended(const struct copy *c)
{
    return c->ended && c->copied;
}

int sqlite_copy_facts(const struct copy *c, struct buf *out, struct error *err)
{
    static const char *const names[] = { "quick_check", "integrity_check", "quick_check" };
    static const char *const words[] = { "ok", "damaged", "unknown" };
    const struct origin *o = &c->origin;
    char path[4096];
    int rc = buf_printf(out, err,
                        "page_size=%lu\npages=%lu\nencoding=%s\nuser_version=%lld\napplication_id=%lld\n"
                        "journal_mode=%s\ntables=%lld\nfreelist=%lld\nsource_path=%s\n%s=%s\n",
                        (unsigned long)o->page_size, (unsigned long)o->pages, o->encoding,
                        (long long)o->user_version, (long long)o->application_id, o->wal ? "wal" : "rollback",
                        (long long)o->tables, (long long)o->freelist,
                        str_printable(path, sizeof path, c->file->path), names[c->set->check],
                        c->set->check == CHECK_NONE ? "none" : words[c->verdict]);
    return rc < 0 ? rc : buf_append(out, c->contents.data, c->contents.len, err);
}
