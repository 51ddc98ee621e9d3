#include "backupd/job/pump.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/fingerprint.h"
#include "common/sys/interrupt.h"

#if defined __has_include
#if __has_include("version.h")
#include "version.h"
#endif
#endif
#ifndef BACKUP_VERSION
#define BACKUP_VERSION "unknown"
#endif

#include "common/base/banned.h"

enum { BLOCK = 1024 * 1024, HOST_MAX = 256 };

static int copy(const struct pump *p, struct engine_run *source, struct stream_writer *w, uint8_t *block,
                struct error *err)
{
    for (const void *data = NULL;;) {
        int rc = interrupt_check(err);
        if (rc < 0)
            return rc;
        int64_t n = engine_lend(p->engine, source, block, BLOCK, &data, err);
        if (n <= 0)
            return (int)n;
        rc = stream_write(w, data, (size_t)n, err);
        if (rc < 0)
            return rc;
        progress_add(p->progress, (uint64_t)n);
    }
}

static int finish_stream(const struct pump *p, struct engine_run *source, struct stream_writer *w,
                         const struct engine_stream *stream, struct error *err)
{
    struct session_stream_numbers numbers;
    struct buf facts = BUF_INIT;
    int rc = p->engine->stream_facts(source, &facts, err);
    if (rc == 0)
        rc = buf_append(&facts, "", 1, err);
    if (rc == 0)
        rc = stream_finish(w, (const char *)facts.data, err);
    if (rc == 0 && stream->entry == NULL) {
        session_stream_numbers(p->session, &numbers);
        watch_stream(p->watch, stream->name, &numbers, (const char *)facts.data);
    }
    buf_free(&facts);
    return rc;
}

static int pump_one(const struct pump *p, struct engine_run *source, const struct engine_stream *stream,
                    uint8_t *block, struct error *err)
{
    struct session_stream_options options = {
        .name = stream->name,
        .page_size = stream->mode == CHUNK_PAGES ? stream->page_size : 0,
        .chunk_avg = stream->mode == CHUNK_CONTENT ? stream->chunk_avg : 0,
        .no_dedup = p->no_dedup,
        .mode_bits = stream->mode_bits,
        .entry = stream->entry,
    };
    struct stream_writer *w = NULL;
    progress_add_total(p->progress, stream->size_hint);
    progress_item(p->progress, stream->name);
    if (stream->entry != NULL && stream->entry->type != CATALOG_REGULAR) {
        int done = interrupt_check(err);
        return done < 0 ? done : session_member(p->session, stream->entry, err);
    }
    int rc = session_stream(p->session, &options, &w, err);
    if (rc == 0)
        rc = copy(p, source, w, block, err);
    return rc == 0 ? finish_stream(p, source, w, stream, err) : rc;
}

int pump_streams(const struct pump *p, struct engine_run *source, struct error *err)
{
    struct engine_stream stream;
    uint8_t *block = mem_alloc(1, BLOCK, err);
    if (block == NULL)
        return E_NOMEM;
    int rc;
    while ((rc = p->engine->next(source, &stream, err)) > 0)
        if ((rc = pump_one(p, source, &stream, block, err)) < 0)
            break;
    free(block);
    return rc;
}

int pump_facts(const struct pump *p, struct engine_run *source, const struct conf_job *job, struct buf *out,
               struct error *err)
{
    char host[HOST_MAX] = "";
    char safe[HOST_MAX * 4];
    if (gethostname(host, sizeof host - 1) < 0)
        host[0] = '\0';
    int rc = buf_printf(out, err, "engine=%s\njob=%s\nhost=%s\nbackupd=%s\n", p->engine->name, job->name,
                        str_printable(safe, sizeof safe, host), BACKUP_VERSION);
    if (rc == 0)
        rc = fingerprint_seed_fact(p->fingerprint_seed, out, err);
    if (rc == 0)
        rc = p->engine->run_facts(source, out, err);
    return rc == 0 ? buf_append(out, "", 1, err) : rc;
}
