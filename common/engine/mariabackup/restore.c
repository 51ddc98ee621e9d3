#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/engine/mariabackup/internal.h"
#include "common/engine/mariabackup/mbstream.h"
#include "common/engine/mariabackup/datadir.h"
#include "common/engine/redact.h"
#include "common/stream/stream.h"
#include "common/sys/child.h"
#include "common/sys/fdio.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum { BLOCK = 1024 * 1024 };

struct tools {
    struct mb_tool backup;
    char *mbstream;
};

static void tools_free(struct tools *t)
{
    free(t->backup.path);
    free(t->mbstream);
}

/* Of the series that made the snapshot: no other can prepare it. */
static int tools_find(const struct engine_target *target, struct tools *out, struct error *err)
{
    static const char *const names[] = { "mbstream", NULL };
    char version[MB_VERSION_MAX];
    char series[MB_SERIES_MAX];
    const char *bin_dir = target->source != NULL ? engine_option(target->source, "bin_dir") : NULL;
    *out = (struct tools){ .mbstream = NULL };
    if (!fact_get(target->facts, "tool_version", version, sizeof version) ||
        *mb_series(version, series) == '\0')
        return error_set(err, E_CORRUPT, "the snapshot does not say which version of mariabackup made it");
    int rc = mb_tool_mariabackup(bin_dir, series, &out->backup, err);
    if (rc == 0 && (out->mbstream = mb_tool_find(bin_dir, names, err)) == NULL)
        rc = err->code < 0 ? error_wrap(err, "the package mariadb-backup is needed") : E_NOMEM;
    if (rc < 0)
        tools_free(out);
    return rc;
}

int mb_look(const struct engine_target *target, struct error *err)
{
    struct error why = ERROR_INIT;
    struct tools tools;
    int rc = datadir_possible(target->to, &why);
    if (rc == 0 && (rc = tools_find(target, &tools, &why)) == 0)
        tools_free(&tools);
    return rc < 0 ? error_copy(err, &why) : 0;
}

static void phase(const struct engine_target *t, const char *what)
{
    if (t->phase != NULL)
        t->phase(what, t->progress_arg);
}

/* ---- extract -------------------------------------------------------------------------------------------- */

/* Names are looked at before mbstream sees them. *gone: it reads no more, its own words say why. */
static int copy(struct source *src, struct mbstream *m, int fd, const struct engine_target *t, uint8_t *block,
                bool *gone, struct error *err)
{
    uint64_t done = 0;
    for (;;) {
        int rc = interrupt_check(err);
        int64_t n = rc < 0 ? rc : source_read(src, block, BLOCK, err);
        if (n <= 0)
            return (int)n;
        rc = mbstream_feed(m, block, (size_t)n, err);
        if (rc == 0 && (rc = fd_write_full(fd, block, (size_t)n, "mbstream", err)) < 0)
            *gone = true;
        if (rc < 0)
            return rc;
        done += (uint64_t)n;
        if (t->progress != NULL)
            t->progress(done, t->progress_arg);
    }
}

static int child_verdict(struct child *c, const char *what, struct error *err)
{
    struct error why = ERROR_INIT;
    char text[ERROR_TEXT_MAX];
    int rc = child_finish(c, &why);
    return rc < 0 ? error_set(err, rc, "%s: %s", what, redact_text(text, sizeof text, why.text)) : 0;
}

/* The bytes through mbstream, and its verdict. */
static int feed(struct source *src, struct child *c, struct mbstream *m, const struct engine_target *t,
                uint8_t *block, struct error *err)
{
    struct error why = ERROR_INIT;
    bool gone = false;
    int rc = copy(src, m, child_stdin(c), t, block, &gone, &why);
    rc = rc < 0 ? rc : mbstream_end(m, &why);
    if (rc < 0 && !gone) {
        child_kill(c);
        return error_copy(err, &why);
    }
    int ended = child_verdict(c, "taking the stream apart", err);
    return ended < 0 || rc == 0 ? ended : error_copy(err, &why);
}

static int extract(struct source *src, const struct tools *tools, const struct datadir *place,
                   struct mbstream *m, const struct engine_target *t, struct error *err)
{
    const char *const argv[] = { tools->mbstream, "-x", "-C", place->work, NULL };
    struct child_options opt = { .want_stdin = true };
    uint8_t *block = mem_alloc(1, BLOCK, err);
    struct child *c = block != NULL ? child_start(argv, &opt, err) : NULL;
    int rc = E_NOMEM;
    if (c != NULL)
        rc = feed(src, c, m, t, block, err);
    else if (block != NULL)
        rc = err->code;
    child_free(c);
    free(block);
    return rc < 0 ? rc : datadir_compare(place, m, err);
}

/* ---- prepare -------------------------------------------------------------------------------------------- */

/* Only the options of the backup itself: those of this host's server are none of its business. */
static int prepare(const struct tools *tools, const struct datadir *place, struct error *err)
{
    char *defaults = str_printf(err, "--defaults-file=%s/backup-my.cnf", place->work);
    char *target = str_printf(err, "--target-dir=%s", place->work);
    int rc = defaults != NULL && target != NULL ? 0 : E_NOMEM;
    if (rc == 0) {
        const char *const argv[] = { tools->backup.path, defaults, "--prepare", target, NULL };
        struct child *c = child_start(argv, NULL, err);
        rc = c != NULL ? child_verdict(c, "mariabackup --prepare", err) : err->code;
        rc = rc < 0 ? rc : mb_tool_verdict(c, 0, "mariabackup --prepare", err);
        child_free(c);
    }
    free(defaults);
    free(target);
    return rc;
}

/* ---- the whole ------------------------------------------------------------------------------------------ */

static int build(const struct engine_streams *streams, const struct engine_target *t,
                 const struct tools *tools, struct datadir *place, struct mbstream *m, struct error *err)
{
    phase(t, MB_STREAM);
    struct source *src = streams->open(streams->arg, MB_STREAM, err);
    if (src == NULL)
        return err->code < 0 ? err->code : E_IO;
    int rc = extract(src, tools, place, m, t, err);
    source_free(src);
    if (rc < 0)
        return rc;
    phase(t, "mariabackup --prepare");
    rc = prepare(tools, place, err);
    phase(t, "flushing");
    return rc < 0 ? rc : datadir_release(place, err);
}

/* What is left to the person. */
static int steps(const struct engine_target *t, struct error *err)
{
    char word[4096];
    char file[256];
    char position[64];
    char gtid[256];
    if (t->left == NULL)
        return 0;
    (void)str_shell_word(word, sizeof word, t->to);
    int rc = buf_printf(
        t->left, err,
        "chown -R mysql:mysql %s\n"
        "stop the server, put %s in place of its data directory (or set datadir to it), start it\n",
        word, word);
    if (rc == 0 && fact_get(t->facts, "binlog_file", file, sizeof file) &&
        fact_get(t->facts, "binlog_position", position, sizeof position)) {
        bool has = fact_get(t->facts, "gtid", gtid, sizeof gtid);
        rc = buf_printf(t->left, err,
                        "changes after the backup are in the binary log from %s, position %s%s%s\n", file,
                        position, has ? ", GTID " : "", has ? gtid : "");
    }
    return rc;
}

int mb_restore(const struct engine_streams *streams, const struct engine_target *target, struct error *err)
{
    struct error why = ERROR_INIT;
    struct tools tools = { .mbstream = NULL };
    struct datadir place = { .dir = NULL };
    struct mbstream *m = NULL;
    int rc = tools_find(target, &tools, &why);
    if (rc < 0)
        return error_copy(err, &why);
    rc = datadir_make(target->to, &place, &why);
    if (rc < 0)
        goto out;
    m = mbstream_new(&why);
    rc = m != NULL ? build(streams, target, &tools, &place, m, &why) : E_NOMEM;
    if (rc < 0 && datadir_abandon(&place)) {
        char text[ERROR_TEXT_MAX];
        (void)str_printable(text, sizeof text, why.text);
        rc = error_set(&why, rc, "%.700s. What was restored so far is in %.200s, and of no use: remove it",
                       text, place.work);
    }
    if (rc == 0 && target->checked != NULL)
        rc = buf_printf(target->checked, &why, "%zu files of their length, prepared (\"completed OK!\")",
                        mbstream_files(m));
    rc = rc < 0 ? rc : steps(target, &why);
out:
    mbstream_free(m);
    datadir_free(&place);
    tools_free(&tools);
    return rc < 0 ? error_copy(err, &why) : 0;
}
