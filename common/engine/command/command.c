#include "common/engine/command/command.h"

#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/command/internal.h"
#include "common/engine/redact.h"

#include "common/base/banned.h"

enum { MODE_BITS = 0600 };

struct engine_run {
    struct command_settings set;
    struct producer *producer;
    struct command_ends ends;
    uint64_t bytes;
    bool given; /* next() gave the stream */
    bool ended; /* read() met the end of the output */
};

static void command_close(struct engine_run *run)
{
    if (run == NULL)
        return;
    producer_free(run->producer);
    command_settings_free(&run->set);
    free(run);
}

static struct engine_run *command_open(const struct engine_job *job, struct error *err)
{
    struct engine_run *run = mem_alloc(1, sizeof *run, err);
    if (run == NULL)
        return NULL;
    if (command_settings_read(job, &run->set, err) == 0) {
        struct producer_options options = {
            .stages = run->set.stages,
            .nstages = run->set.nstages,
            .env = (const char *const *)run->set.env,
            .dir = run->set.dir,
            .timeout_ms = run->set.timeout_ms,
            .stall_ms = run->set.stall_ms,
        };
        run->producer = producer_start(&options, err);
    }
    if (run->producer == NULL) {
        command_close(run);
        return NULL;
    }
    if (run->set.max_shrink < 100 && !run->set.last_known)
        log_event(
            LOG_WARN,
            "%s: how long the last snapshot's output was is not known here (this is the first one, or the state "
            "was lost): `max_shrink` is not checked this time",
            job->name);
    return run;
}

static int command_next(struct engine_run *run, struct engine_stream *out, struct error *err)
{
    if (run->given && !run->ended)
        return error_set(err, E_INTERNAL, "%s: the stream was not read to its end", run->set.name);
    if (run->given)
        return 0;
    run->given = true;
    /* Most are dumps of rows. */
    *out = (struct engine_stream){
        .name = run->set.name,
        .mode = CHUNK_CONTENT,
        .chunk_avg = ENGINE_ROWS_CHUNK,
        .mode_bits = MODE_BITS,
    };
    return 1;
}

static int64_t command_read(struct engine_run *run, void *data, size_t cap, struct error *err)
{
    if (!run->given || cap == 0)
        return error_set(err, E_INTERNAL, "command: read without a stream or without room");
    if (run->ended)
        return 0;
    int64_t n = producer_read(run->producer, data, cap, err);
    if (n > 0) {
        run->bytes += (uint64_t)n;
        command_ends_add(&run->ends, data, (size_t)n);
    }
    run->ended = n == 0;
    return n;
}

/* ---- the end ------------------------------------------------------------------------------------------- */

/* Whose output it is, for messages. */
static const char *last_program(const struct engine_run *run)
{
    return run->set.stages[run->set.nstages - 1][0];
}

static int check_floor(const struct engine_run *run, struct error *err)
{
    char floor[NUMBER_TEXT_MAX];
    char size[NUMBER_TEXT_MAX];
    if (run->bytes >= run->set.min_size)
        return 0;
    if (run->bytes == 0)
        return error_set(err, E_IO,
                         "%s ended well, but wrote nothing: an empty output is no backup (`min_size: 0` "
                         "accepts it)",
                         last_program(run));
    return error_set(err, E_IO,
                     "%s ended well, but wrote only %s; `min_size` is %s. Look at what it writes, or lower "
                     "that",
                     last_program(run), size_format(size, run->bytes), size_format(floor, run->set.min_size));
}

/* Percent of the last output that may be missing now. */
static int check_shrink(const struct engine_run *run, struct error *err)
{
    const struct command_settings *s = &run->set;
    char size[NUMBER_TEXT_MAX];
    char last[NUMBER_TEXT_MAX];
    uint64_t lost = run->bytes < s->last_bytes ? s->last_bytes - run->bytes : 0;
    if (!s->last_known || lost == 0 || lost * 100 <= s->last_bytes * s->max_shrink) /* both are below 2^50 */
        return 0;
    return error_set(
        err, E_IO,
        "%s ended well, but wrote %s, %u%% less than the %s of the last snapshot; `max_shrink` is %u%%. "
        "If so much was really deleted, set it to 100%% for one run",
        last_program(run), size_format(size, run->bytes), (unsigned)(lost * 100 / s->last_bytes),
        size_format(last, s->last_bytes), s->max_shrink);
}

static int command_finish(struct engine_run *run, struct error *err)
{
    if (!run->ended)
        return error_set(err, E_INTERNAL, "%s: the output was not read to its end", run->set.name);
    int rc = producer_finish(run->producer, err);
    rc = rc < 0 ? rc : check_floor(run, err);
    if (rc == 0 && run->bytes > 0)
        rc = command_ends_check(&run->ends, last_program(run), &run->set.begin, &run->set.end, err);
    return rc < 0 ? rc : check_shrink(run, err);
}

static int command_stream_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    return buf_printf(out, err, "bytes=%llu\n", (unsigned long long)run->bytes);
}

static int command_run_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    char name[4 * 256];
    int rc = buf_printf(out, err, "source=command\nstream=%s\nexit_status=0\ncommand=",
                        str_printable(name, sizeof name, run->set.name));
    for (size_t i = 0; rc == 0 && i < run->set.nstages; i++) {
        rc = i > 0 ? buf_append(out, " | ", 3, err) : 0;
        rc = rc < 0 ? rc : redact_argv(run->set.stages[i], out, err);
    }
    return rc < 0 ? rc : buf_append(out, "\n", 1, err);
}

static const char *const required[] = { "command", NULL };
static const char *const allowed[] = {
    "command", "name",       "min_size", "timeout",    "stall_timeout",         "env",
    "dir",     "begin_mark", "end_mark", "max_shrink", "allow_visible_secrets", NULL
};
static const char *const nested[] = { "command", NULL };
static const char *const paths[] = { "dir", NULL };

const struct engine engine_command = {
    .name = "command",
    .required_options = required,
    .allowed_options = allowed,
    .path_options = paths,
    .nested_options = nested,
    .probe = command_probe,
    .open = command_open,
    .next = command_next,
    .read = command_read,
    .stream_facts = command_stream_facts,
    .finish = command_finish,
    .run_facts = command_run_facts,
    .close = command_close,
    .restore = NULL, /* `restore cat` */
    .export = command_export,
};
