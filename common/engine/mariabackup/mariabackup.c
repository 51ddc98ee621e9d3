#include "common/engine/mariabackup/mariabackup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/mariabackup/internal.h"
#include "common/engine/mariabackup/mbstream.h"
#include "common/engine/producer.h"

#include "common/base/banned.h"

enum { ARGS_MAX = 16, MODE_BITS = 0600, VALUE_MAX = 512 };

struct engine_run {
    struct mb_settings set;
    struct mb_tool tool;
    struct producer *producer;
    struct mbstream *framing;
    const char *argv[ARGS_MAX];
    const char *const *stages[1];
    uint64_t bytes;
    bool untested;
    bool given; /* next() gave the stream */
    bool ended; /* read() met the end of the output */
};

static void mariabackup_close(struct engine_run *run)
{
    if (run == NULL)
        return;
    producer_free(run->producer);
    mbstream_free(run->framing);
    free(run->tool.path);
    free(run);
}

static int start(struct engine_run *run, struct error *err)
{
    static const char *const more[] = { "--backup", "--stream=mbstream", "--parallel=1" };
    size_t n = 0;
    run->argv[n++] = run->tool.path;
    for (size_t i = 0; i < run->set.nconnect; i++)
        run->argv[n++] = run->set.connect[i];
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        run->argv[n++] = more[i];
    run->argv[n] = NULL;
    run->stages[0] = run->argv;
    struct producer_options options = {
        .stages = run->stages,
        .nstages = 1,
        .timeout_ms = run->set.timeout_ms,
        .stall_ms = run->set.stall_ms,
    };
    run->producer = producer_start(&options, err);
    return run->producer != NULL ? 0 : err->code;
}

/* The server may have been upgraded since the probe. */
static int prepare(struct engine_run *run, const struct engine_job *job, struct error *err)
{
    struct mb_server server;
    int rc = mb_settings_read(job, &run->set, err);
    rc = rc < 0 ? rc : mb_server_ask(&run->set, &server, err);
    if (rc < 0)
        return rc;
    run->untested = strcmp(server.series, MB_SERIES) != 0;
    if (server.series[0] == '\0' || (run->untested && !run->set.allow_untested))
        rc = error_set(err, E_UNSUPPORTED,
                       "the server is of version %s; tested is MariaDB " MB_SERIES " only", server.version);
    rc = rc < 0 ? rc : mb_tool_mariabackup(run->set.bin_dir, server.series, &run->tool, err);
    mb_server_free(&server);
    return rc;
}

static struct engine_run *mariabackup_open(const struct engine_job *job, struct error *err)
{
    struct error why = ERROR_INIT;
    struct engine_run *run = mem_alloc(1, sizeof *run, err);
    if (run == NULL)
        return NULL;
    int rc = prepare(run, job, &why);
    if (rc == 0 && (run->framing = mbstream_new(&why)) == NULL)
        rc = E_NOMEM;
    if (rc == 0)
        rc = start(run, &why);
    if (rc < 0) {
        (void)error_copy(err, &why);
        mariabackup_close(run);
        return NULL;
    }
    return run;
}

static int mariabackup_next(struct engine_run *run, struct engine_stream *out, struct error *err)
{
    if (run->given && !run->ended)
        return error_set(err, E_INTERNAL, MB_STREAM ": the stream was not read to its end");
    if (run->given)
        return 0;
    run->given = true;
    *out = (struct engine_stream){ .name = MB_STREAM, .mode = CHUNK_CONTENT, .mode_bits = MODE_BITS };
    return 1;
}

/* What is wrong with the stream is a failure of the one that writes it; no damage of the repository. */
static int producer_fault(int rc, struct error *err)
{
    if (rc == E_CORRUPT)
        err->code = rc = E_IO;
    return rc;
}

static int64_t mariabackup_read(struct engine_run *run, void *data, size_t cap, struct error *err)
{
    struct error why = ERROR_INIT;
    if (!run->given || cap == 0)
        return error_set(err, E_INTERNAL, "mariabackup: read without a stream or without room");
    if (run->ended)
        return 0;
    int64_t n = producer_read(run->producer, data, cap, &why);
    int rc = n > 0 ? mbstream_feed(run->framing, data, (size_t)n, &why) : (int)n;
    if (rc < 0) {
        rc = producer_fault(rc, &why);
        (void)error_copy(err, &why);
        return rc;
    }
    run->bytes += (uint64_t)n;
    run->ended = n == 0;
    return n;
}

/* First what the program says of itself: a broken stream is a consequence. */
static int mariabackup_finish(struct engine_run *run, struct error *err)
{
    struct error why = ERROR_INIT;
    if (!run->ended)
        return error_set(err, E_INTERNAL, MB_STREAM ": the output was not read to its end");
    int rc = producer_finish(run->producer, &why);
    rc = mb_tool_verdict(producer_stage(run->producer, 0), rc, run->tool.path, &why);
    if (rc == 0 && (rc = mbstream_end(run->framing, &why)) < 0)
        rc = producer_fault(rc, &why);
    if (rc < 0)
        (void)error_copy(err, &why);
    return rc;
}

/* ---- facts ---------------------------------------------------------------------------------------------- */

static int mariabackup_stream_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    return buf_printf(out, err, "bytes=%llu\nfiles=%zu\n", (unsigned long long)run->bytes,
                      mbstream_files(run->framing));
}

/* The value of a line "key = VALUE" of xtrabackup_info and xtrabackup_checkpoints. */
static bool line_value(const char *text, const char *key, char out[VALUE_MAX])
{
    size_t len = strlen(key);
    char line[VALUE_MAX];
    for (; *text != '\0'; text += strcspn(text, "\n"), text += *text == '\n') {
        if (strncmp(text, key, len) != 0 || !str_starts(text + len, " = "))
            continue;
        (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(text + len + 3, "\n"), text + len + 3);
        (void)str_printable(out, VALUE_MAX, line);
        return true;
    }
    return false;
}

static int line_fact(struct buf *out, const char *text, const char *key, const char *fact, struct error *err)
{
    char value[VALUE_MAX];
    return line_value(text, key, value) ? buf_printf(out, err, "%s=%s\n", fact, value) : 0;
}

/* "bin.000001\t27111642\t0-1-7\n"; not there when the server writes no binary log. */
static int binlog_facts(struct buf *out, const char *text, struct error *err)
{
    static const char *const keys[] = { "binlog_file", "binlog_position", "gtid" };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < 3 && *text != '\0'; i++) {
        char value[VALUE_MAX];
        char shown[VALUE_MAX];
        size_t len = strcspn(text, "\t\n");
        (void)snprintf(value, sizeof value, "%.*s", (int)len, text);
        if (len > 0)
            rc = buf_printf(out, err, "%s=%s\n", keys[i], str_printable(shown, sizeof shown, value));
        text += len;
        if (*text == '\n')
            break;
        text += *text == '\t';
    }
    return rc;
}

static int mariabackup_run_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    const char *info = mbstream_small(run->framing, "info");
    const char *checkpoints = mbstream_small(run->framing, "checkpoints");
    int rc = buf_printf(out, err, "source=mariabackup\nstream=" MB_STREAM "\ntool_version=%s\n",
                        run->tool.version);
    rc = rc < 0 ? rc : line_fact(out, info, "server_version", "server_version", err);
    rc = rc < 0 ? rc : line_fact(out, checkpoints, "to_lsn", "checkpoint_lsn", err);
    rc = rc < 0 ? rc : line_fact(out, checkpoints, "last_lsn", "last_lsn", err);
    rc = rc < 0 ? rc : binlog_facts(out, mbstream_small(run->framing, "binlog_info"), err);
    if (rc == 0 && run->untested)
        rc = buf_printf(out, err, "untested=yes\n");
    return rc;
}

static const char *const required[] = { NULL };
static const char *const allowed[] = { "socket",         "host",    "port",    "user",
                                       "defaults_file",  "bin_dir", "timeout", "stall_timeout",
                                       "allow_untested", NULL };
static const char *const paths[] = { "defaults_file", "bin_dir", NULL };

const struct engine engine_mariabackup = {
    .name = "mariabackup",
    .required_options = required,
    .allowed_options = allowed,
    .path_options = paths,
    .probe = mb_probe,
    .open = mariabackup_open,
    .next = mariabackup_next,
    .read = mariabackup_read,
    .stream_facts = mariabackup_stream_facts,
    .finish = mariabackup_finish,
    .run_facts = mariabackup_run_facts,
    .close = mariabackup_close,
    .target_kind = TARGET_DIRECTORY,
    .look = mb_look,
    .restore = mb_restore,
    .export = mariabackup_export,
};
