/* restore database: let the engine that made a snapshot build it anew. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/fact.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/progress.h"
#include "restore/streams.h"
#include "restore/swap.h"
#include "restore/target/space.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

enum { ENGINE_NAME_MAX = 64, STREAM_NAME_MAX = 1024 };

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

/* What a restore beside the live one made: its name, and the command that removes it. Empty: it was none. */
struct beside {
    struct buf name;
    struct buf drop;
};

/* ---- the target ---------------------------------------------------------------------------------------- */

static const char *const server_flags[] = { "into-nonempty", "into-source", "create-roles",
                                            "no-owner",      "no-verify",   "terminate" };

static int refuse_flags(const struct cli_context *cli, const struct engine *engine, struct error *err)
{
    if (cli_flag(cli, "swap") && !cli_flag(cli, "beside"))
        return error_set(err, E_USAGE, "--swap is for a restore --beside the live database");
    if (cli_flag(cli, "beside") && swap_possible(engine, err) < 0)
        return E_UNSUPPORTED;
    for (size_t i = 0;
         engine->target_kind != TARGET_SERVER && i < sizeof server_flags / sizeof server_flags[0]; i++)
        if (cli_flag(cli, server_flags[i]))
            return error_set(err, E_USAGE, "--%s is for databases of a server; a snapshot of %s becomes a %s",
                             server_flags[i], engine->name,
                             engine->target_kind == TARGET_DIRECTORY ? "directory" : "file");
    return 0;
}

static struct engine_target target_of(const struct chosen *c)
{
    const struct cli_context *cli = c->st.cli;
    return (struct engine_target){
        .to = cli_text(cli, "to"),
        .facts = c->snap->object->priv.facts,
        .snapshot = c->name,
        .beside = cli_flag(cli, "beside"),
        .via = cli_text(cli, "via"),
        .into_nonempty = cli_flag(cli, "into-nonempty"),
        .into_source = cli_flag(cli, "into-source"),
        .create_roles = cli_flag(cli, "create-roles"),
        .no_owner = cli_flag(cli, "no-owner"),
        .no_verify = cli_flag(cli, "no-verify"),
    };
}

static void on_progress(uint64_t bytes, void *arg)
{
    progress_set(arg, bytes);
}

static void on_phase(const char *what, void *arg)
{
    progress_item(arg, what);
}

static int restore_it(struct chosen *c, struct members *m, const struct engine *engine,
                      struct engine_target *target, struct error *err)
{
    struct engine_streams streams = members_streams(m);
    struct progress *p = progress_start(c->st.cli, "restoring", NULL);
    progress_total(p, m->bytes);
    target->progress = on_progress;
    target->phase = on_phase;
    target->progress_arg = p;
    int rc = engine->restore(&streams, target, err);
    progress_stop(p);
    return rc;
}

/* An engine of a server says itself what its target holds now. */
static int not_made(const struct engine *engine, const struct engine_target *target, int rc,
                    struct error *err)
{
    static const char others[] = "`restore verify --read-data` tells which snapshots are hit, `restore list` "
                                 "which others there are";
    if (engine->target_kind == TARGET_SERVER)
        return rc;
    return rc == E_CORRUPT ? error_wrap(err, "%s was not made (%s)", target->to, others)
                           : error_wrap(err, "%s was not made", target->to);
}

/* What a person hears at the end. Texts end with NUL once the restore is over. */
struct outcome {
    struct buf checked; /* what the engine compared */
    struct buf left;    /* what a person has to do now */
    struct beside made; /* --beside: what was made */
};

static void outcome_free(struct outcome *o)
{
    buf_free(&o->checked);
    buf_free(&o->left);
    buf_free(&o->made.name);
    buf_free(&o->made.drop);
}

/* Nothing is fetched before the target was looked at. */
static int build(struct chosen *c, struct members *m, const struct engine *engine, struct outcome *out,
                 struct error *err)
{
    struct engine_job job = { .name = NULL };
    struct engine_target target = target_of(c);
    bool known = false;
    int rc = refuse_flags(c->st.cli, engine, err);
    if (rc == 0)
        rc = source_job(c, &job, &known, err);
    if (rc < 0)
        return rc;
    target.source = known ? &job : NULL;
    target.checked = &out->checked;
    target.left = &out->left;
    target.made = &out->made.name;
    target.drop = &out->made.drop;
    rc = engine->look(&target, err);
    if (rc == 0)
        rc = members_load(c, m, err);
    if (rc == 0 && engine->target_kind != TARGET_SERVER)
        rc = space_check(target.to, m->bytes, 1, err);
    if (rc == 0 && (rc = restore_it(c, m, engine, &target, err)) < 0)
        rc = not_made(engine, &target, rc, err);
    access_job_free(&job);
    return rc;
}

static void print_left(const struct cli_context *cli, const char *left)
{
    if (*left != '\0')
        out_line(&cli->out, OUT_PLAIN, "What is left to do:");
    for (size_t len; *left != '\0'; left += len + (left[len] == '\n')) {
        len = strcspn(left, "\n");
        out_line(&cli->out, OUT_PLAIN, "  %.*s", (int)len, left);
    }
}

/* The live one is as it was; what comes next is up to the person. */
static int tell_next(const struct cli_context *cli, const struct engine *engine, const struct beside *made,
                     struct error *err)
{
    char *next = swap_command(cli, engine, (const char *)made->name.data, false, err);
    if (next == NULL)
        return E_NOMEM;
    out_line(&cli->out, OUT_PLAIN, "It is not live yet.");
    out_line(&cli->out, OUT_PLAIN, "To make it live:       %s", next);
    if (made->drop.len > 0)
        out_line(&cli->out, OUT_PLAIN, "To remove it again:    %s", (const char *)made->drop.data);
    free(next);
    return 0;
}

static int summary(const struct chosen *c, const struct members *m, const struct engine *engine,
                   const struct outcome *out, uint64_t ms, struct error *err)
{
    const struct cli_context *cli = c->st.cli;
    const struct beside *made = &out->made;
    const char *checked = (const char *)out->checked.data;
    const char *left = (const char *)out->left.data;
    bool beside = made->name.len > 0;
    const char *to = beside ? (const char *)made->name.data : cli_text(cli, "to");
    char rate[RATE_TEXT_MAX];
    if (cli->json) {
        struct jsonout *o = jsonout_new("summary");
        jsonout_str(o, "snapshot", c->name);
        jsonout_str(o, "engine", engine->name);
        jsonout_str(o, "target", to);
        jsonout_str(o, "beside", beside ? cli_text(cli, "to") : NULL);
        jsonout_str(o, "checked", checked);
        if (*left != '\0')
            jsonout_str(o, "left", left);
        jsonout_u64(o, "streams", m->list.len);
        jsonout_u64(o, "bytes", m->bytes);
        jsonout_double(o, "seconds", (double)ms / 1000.0);
        return jsonout_emit(o, err);
    }
    if (cli->quiet)
        return 0;
    out_line(&cli->out, OUT_GOOD, "Restored %s to %s: %s.", c->name, to, rate_format(rate, m->bytes, ms));
    out_line(&cli->out, OUT_PLAIN, "Checked: every blob authenticated, stream check equal%s%s.",
             checked[0] != '\0' ? ", " : "", checked);
    if (cli_flag(cli, "no-verify"))
        out_line(&cli->out, OUT_WARN, "Not compared with what was backed up, as --no-verify asked for.");
    print_left(cli, left);
    return beside && !cli_flag(cli, "swap") ? tell_next(cli, engine, made, err) : 0;
}

int cmd_database(struct cli_context *cli, struct error *err)
{
    struct chosen c = { .snap = NULL };
    struct members m = { .bytes = 0 };
    struct outcome out = { .checked = BUF_INIT, .left = BUF_INIT, .made = { BUF_INIT, BUF_INIT } };
    int rc = chosen_open(cli, KIT_NEEDED, cli->args[0], &c, err);
    rc = rc < 0 ? rc : chosen_begin(&c, &cli->out, err);
    uint64_t began = clock_mono_ms(); /* not the time a passphrase took to type */
    const struct engine *engine = rc < 0 ? NULL : find_engine(&c, err);
    if (engine == NULL) {
        rc = rc < 0 ? rc : err->code;
    } else {
        rc = build(&c, &m, engine, &out, err);
        rc = rc < 0 ? rc : buf_append(&out.checked, "", 1, err);
        rc = rc < 0 ? rc : buf_append(&out.left, "", 1, err);
        rc = rc < 0 ? rc : summary(&c, &m, engine, &out, clock_mono_ms() - began, err);
        if (rc == 0 && cli_flag(cli, "swap"))
            rc = swap_run(cli, engine, (const char *)out.made.name.data, false, false, err);
    }
    outcome_free(&out);
    members_free(&m);
    chosen_close(&c, rc);
    return rc;
}
