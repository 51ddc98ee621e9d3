/* restore database: let the engine that made a snapshot build it anew. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/progress.h"
#include "restore/streams.h"
#include "restore/target/space.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

enum { ENGINE_NAME_MAX = 64, STREAM_NAME_MAX = 1024 };

/* Cheap, and before anything is fetched; the engine looks again. */
static int refuse_existing(const char *path, struct error *err)
{
    struct stat st;
    if (lstat(path, &st) == 0)
        return error_set(err, E_EXISTS,
                         "%s exists and is not overwritten: restore to another path, or move it away", path);
    return errno == ENOENT ? 0 : error_sys(err, "%s", path);
}

/* The job this snapshot came from, when the configuration still has it. *found says whether `out` is filled. */
static int source_job(const struct chosen *c, struct engine_job *out, bool *found, struct error *err)
{
    const struct conf *conf = c->st.conf;
    *found = false;
    for (size_t i = 0; conf != NULL && i < conf->njobs; i++) {
        if (strcmp(conf->jobs[i].name, c->snap->object->view.label) != 0)
            continue;
        int rc = access_job(conf, &conf->jobs[i], out, err);
        *found = rc == 0;
        return rc;
    }
    return 0;
}

/* Its streams are for another program: say how they come out. */
static int no_way_back(const struct chosen *c, const char *engine, struct error *err)
{
    char stream[STREAM_NAME_MAX];
    char word[4 * STREAM_NAME_MAX];
    if (fact_get(c->snap->object->priv.facts, "stream", stream, sizeof stream))
        return error_set(err, E_UNSUPPORTED,
                         "%s is the output of a program (engine %s); no database can be built from it here. "
                         "Give it to the program that reads it: restore cat %s %s > FILE",
                         c->name, engine, c->name, str_shell_word(word, sizeof word, stream));
    return error_set(err, E_UNSUPPORTED, "%s holds files (engine %s), no database: restore files %s --to DIR",
                     c->name, engine, c->name);
}

/* The engine that made the snapshot, or NULL. */
static const struct engine *find_engine(const struct chosen *c, struct error *err)
{
    char name[ENGINE_NAME_MAX];
    if (!fact_get(c->snap->object->priv.facts, "source", name, sizeof name)) {
        (void)error_set(
            err, E_UNSUPPORTED,
            "%s does not say what kind of source it came from; `restore files %s --to DIR` gives its "
            "streams as files",
            c->name, c->name);
        return NULL;
    }
    const struct engine *engine = engine_find(name, err);
    if (engine == NULL) {
        (void)error_wrap(err, "%s", c->name);
    } else if (engine->restore == NULL) {
        (void)no_way_back(c, name, err);
        return NULL;
    }
    return engine;
}

static void on_progress(uint64_t bytes, void *arg)
{
    progress_set(arg, bytes);
}

static int build(struct chosen *c, struct members *m, const struct engine *engine, struct error *err)
{
    const struct cli_context *cli = c->st.cli;
    struct engine_job job = { .name = NULL };
    struct engine_target target = { .path = cli_text(cli, "to"), .progress = on_progress };
    struct engine_streams streams = members_streams(m);
    bool known = false;
    int rc = source_job(c, &job, &known, err);
    if (rc < 0)
        return rc;
    target.source = known ? &job : NULL;
    rc = space_check(target.path, m->bytes, 1, err);
    if (rc == 0) {
        struct progress *p = progress_start(cli, "restoring", NULL);
        progress_total(p, m->bytes);
        target.progress_arg = p;
        rc = engine->restore(&streams, &target, err);
        progress_stop(p);
    }
    access_job_free(&job);
    if (rc == E_CORRUPT)
        return error_wrap(
            err,
            "%s was not made (`restore verify --read-data` tells which snapshots are hit, `restore "
            "list` which others there are)",
            target.path);
    return rc < 0 ? error_wrap(err, "%s was not made", target.path) : 0;
}

static int summary(const struct chosen *c, const struct members *m, const struct engine *engine, uint64_t ms,
                   struct error *err)
{
    const struct cli_context *cli = c->st.cli;
    const char *to = cli_text(cli, "to");
    char rate[RATE_TEXT_MAX];
    if (cli->json) {
        struct jsonout *o = jsonout_new("summary");
        jsonout_str(o, "snapshot", c->name);
        jsonout_str(o, "engine", engine->name);
        jsonout_str(o, "target", to);
        jsonout_u64(o, "streams", m->list.len);
        jsonout_u64(o, "bytes", m->bytes);
        jsonout_double(o, "seconds", (double)ms / 1000.0);
        return jsonout_emit(o, err);
    }
    if (cli->quiet)
        return 0;
    out_line(&cli->out, OUT_GOOD, "Restored %s to %s: %s.", c->name, to, rate_format(rate, m->bytes, ms));
    out_line(&cli->out, OUT_PLAIN, "Checked: every blob authenticated, stream check equal%s.",
             strcmp(engine->name, "sqlite") == 0 ? ", quick_check ok" : ", the database's own check ok");
    return 0;
}

int cmd_database(struct cli_context *cli, struct error *err)
{
    struct chosen c = { .snap = NULL };
    struct members m = { .bytes = 0 };
    int rc = refuse_existing(cli_text(cli, "to"), err);
    rc = rc < 0 ? rc : chosen_open(cli, KIT_NEEDED, cli->args[0], &c, err);
    rc = rc < 0 ? rc : chosen_begin(&c, &cli->out, err);
    uint64_t began = clock_mono_ms(); /* not the time a passphrase took to type */
    const struct engine *engine = rc < 0 ? NULL : find_engine(&c, err);
    if (engine == NULL) {
        rc = rc < 0 ? rc : err->code;
    } else {
        rc = members_load(&c, &m, err);
        rc = rc < 0 ? rc : build(&c, &m, engine, err);
        rc = rc < 0 ? rc : summary(&c, &m, engine, clock_mono_ms() - began, err);
    }
    members_free(&m);
    chosen_close(&c, rc);
    return rc;
}
