/* restore verify: what is proven, what is broken, what was not looked at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/progress.h"
#include "common/repo/check.h"
#include "common/sys/gentle.h"
#include "restore/chosen.h"
#include "restore/options.h"
#include "restore/rotate.h"
#include "restore/target/space.h"
#include "restore/verdict.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

static const char *const verify_levels[] = { "L0", "L1", "L2", "LK", "L3", NULL };

const struct cli_option verify_options[] = {
    JOB_OPTION,
    { .name = "read-data",
      .kind = CLI_FLAG,
      .help =
          "Read every pack: with the kit every blob, list of files and stream is opened and checked (L3), "
          "without it every byte is compared with what was signed (L1)." },
    { .name = "read-data-subset",
      .kind = CLI_PERCENT,
      .min = 1,
      .max = 10000,
      .help = "Like --read-data for this part of the packs, chosen at random each time." },
    { .name = "rotate",
      .kind = CLI_DURATION,
      .metavar = "TIME",
      .min = 3600,
      .max = (uint64_t)10 * 365 * 86400,
      .help =
          "Like --read-data for the next part of it, so that everything was read within this time (30d) when it is called "
          "regularly; the state directory remembers where it was. What was broken is read each time." },
    { .name = "keys", .kind = CLI_FLAG, .help = "Only check that this kit opens every session (LK): quick." },
    { .name = "level",
      .kind = CLI_CHOICE,
      .choices = verify_levels,
      .metavar = "LEVEL",
      .help = "The exact level instead of the options above." },
    { .name = "verdict",
      .kind = CLI_FLAG,
      .help =
          "Only one line, for programs that watch: OK, BROKEN or UNKNOWN, the level, and numbers. Findings go to "
          "stderr." },
    { .name = "gentle",
      .kind = CLI_FLAG,
      .help = "Leave processor and disks to others: for a check on the storage server itself." },
    CLI_OPTIONS_END
};

struct verify {
    struct cli_context *cli;
    struct chosen chosen;
    struct progress *progress;
    enum check_level level;
    uint64_t broken; /* findings that are alarms */
    uint64_t warnings;
    uint64_t notes;
    struct error lost; /* a finding that could not be printed */
    struct rotation rotation;
    bool rotates;
    struct verdict verdict;
};

/* ---- which level --------------------------------------------------------------------------------------- */

static enum station_kit kit_for(const struct cli_context *cli)
{
    if (cli_flag(cli, "keys"))
        return KIT_NEEDED;
    if (!cli_given(cli, "level"))
        return KIT_OPTIONAL;
    enum check_level level = (enum check_level)cli_choice(cli, "level");
    return level == CHECK_L0 || level == CHECK_L1 ? KIT_IF_GIVEN : KIT_NEEDED;
}

static int contradiction(const struct cli_context *cli, struct error *err)
{
    if (cli_flag(cli, "verdict") && cli->json)
        return error_set(err, E_USAGE, "--verdict is for people and simple programs: --json has a summary");
    bool rotate = cli_given(cli, "rotate");
    bool read = cli_flag(cli, "read-data") || cli_given(cli, "read-data-subset") || rotate;
    if (rotate && (cli_given(cli, "read-data-subset") || cli_flag(cli, "read-data") || cli->nargs != 0))
        return error_set(
            err, E_USAGE,
            "--rotate says what is read: leave SNAPSHOT, --read-data and --read-data-subset out");
    if (cli_given(cli, "level") && (cli_flag(cli, "keys") || cli_flag(cli, "read-data")))
        return error_set(err, E_USAGE, "--level says it all: leave --keys and --read-data out");
    if (cli_flag(cli, "keys") && read)
        return error_set(err, E_USAGE, "--keys reads headers only: leave --read-data out, or verify twice");
    if (cli_given(cli, "level") && (cli_given(cli, "read-data-subset") || rotate)) {
        enum check_level level = (enum check_level)cli_choice(cli, "level");
        if (level != CHECK_L1 && level != CHECK_L3)
            return error_set(
                err, E_USAGE,
                "--read-data-subset and --rotate go with L1 and L3: the other levels read no packs");
    }
    return 0;
}

static enum check_level level_for(const struct cli_context *cli, bool kit)
{
    if (cli_given(cli, "level"))
        return (enum check_level)cli_choice(cli, "level");
    if (cli_flag(cli, "keys"))
        return CHECK_LK;
    if (cli_flag(cli, "read-data") || cli_given(cli, "read-data-subset") || cli_given(cli, "rotate"))
        return kit ? CHECK_L3 : CHECK_L1;
    return kit ? CHECK_L2 : CHECK_L0;
}

/* ---- findings, as they come ---------------------------------------------------------------------------- */

static const char *weight(const struct check_finding *f)
{
    if (f->note)
        return "note";
    return strcmp(f->name, ERR_LOG_LATE) == 0 ? "warning" : "error";
}

static void finding_json(struct verify *v, const struct check_finding *f)
{
    struct jsonout *o = jsonout_new("finding");
    jsonout_str(o, "severity", weight(f));
    jsonout_str(o, "name", f->name);
    jsonout_str(o, "where", f->where);
    jsonout_str(o, "text", f->text);
    struct jsonout *hit = jsonout_array(o, "snapshots");
    for (size_t i = 0; i < f->nsnapshots; i++)
        jsonout_str(hit, NULL, f->snapshots[i]);
    (void)jsonout_emit(o, v->lost.code == 0 ? &v->lost : NULL);
}

static void finding_text(struct verify *v, const struct check_finding *f)
{
    const struct out *out = &v->cli->out;
    enum out_style style = f->note ? OUT_DIM : strcmp(f->name, ERR_LOG_LATE) == 0 ? OUT_WARN : OUT_BAD;
    progress_hide();
    out_line(out, style, "%s: %s%s%s%s", weight(f), f->name, f->where[0] != '\0' ? "  " : "", f->where,
             f->text[0] != '\0' ? ":" : "");
    out_line(out, OUT_PLAIN, "    %s", f->text);
    for (size_t i = 0; i < f->nsnapshots; i++)
        out_line(out, OUT_PLAIN, "    hits snapshot %s", f->snapshots[i]);
    (void)fflush(out->file);
    progress_show();
}

static void on_finding(void *arg, const struct check_finding *f)
{
    struct verify *v = arg;
    bool late = strcmp(f->name, ERR_LOG_LATE) == 0;
    v->notes += f->note;
    v->warnings += !f->note && late;
    v->broken += !f->note && !late;
    if (!f->note && !late)
        verdict_first(&v->verdict, f);
    if (v->cli->json)
        finding_json(v, f);
    else if (cli_flag(v->cli, "verdict") && !f->note)
        log_event(late ? LOG_WARN : LOG_ALARM, "%s: %s: %s", f->name, f->where, f->text);
    else if (cli_flag(v->cli, "verdict"))
        return;
    else if (!f->note || v->cli->verbose != 0)
        finding_text(v, f);
}

static void on_total(void *arg, uint64_t bytes)
{
    progress_add_total(((struct verify *)arg)->progress, bytes);
}

static void on_bytes(void *arg, uint64_t bytes)
{
    progress_add(((struct verify *)arg)->progress, bytes);
}

/* ---- the summary --------------------------------------------------------------------------------------- */

static const char *proven(enum check_level level)
{
    static const char *const texts[] = {
        [CHECK_L0] = "L0: the logs and their signatures; every pack and snapshot is there with its size",
        [CHECK_L1] = "L1: every byte that was read is what its writer signed",
        [CHECK_L2] = "L2: every pack that a snapshot needs is there; deletions followed the rules",
        [CHECK_LK] = "LK: this kit opens every session",
        [CHECK_L3] = "L3: every blob, list and stream that was read opens, decodes and has its check",
    };
    return texts[level];
}

static const char *not_looked_at(const struct verify *v)
{
    bool part = cli_given(v->cli, "read-data-subset") || v->rotates;
    switch (v->level) {
    case CHECK_L0:
        return "pack contents (--read-data), which snapshot needs what (--kit)";
    case CHECK_L1:
        return part ? "the other packs, what is inside packs (--kit)" : "what is inside packs (--kit)";
    case CHECK_L2:
        return "pack contents (--read-data), whether this kit opens them (--keys)";
    case CHECK_LK:
        return "pack contents (--read-data)";
    case CHECK_L3:
        return v->rotates ? "the other packs and streams (later runs), the database's own check (restore one)"
               : part     ? "the other packs, the database's own check (restore one)"
                          : "the database's own check (restore one)";
    }
    return "";
}

static const char *rollback(const struct station *st)
{
    if (st->alarms != 0)
        return "see the errors";
    if (st->marks_path == NULL)
        return "not checked: nothing is remembered here (--state DIR, --expect RECEIPT)";
    return st->first_time ? "not checked: first time here; a receipt from a log or mail can be (--expect)"
                          : "none since the last time";
}

static void add_count(struct table *t, const char *key, uint64_t n, const char *what)
{
    char text[NUMBER_TEXT_MAX];
    pairs_add(t, key, OUT_PLAIN, "%s%s", count_format(text, n), what);
}

static int summary_text(const struct verify *v, const struct check_result *r, uint64_t ms, struct error *err)
{
    char rate[RATE_TEXT_MAX];
    char size[NUMBER_TEXT_MAX];
    char n[NUMBER_TEXT_MAX];
    struct table *t = pairs_new(err);
    pairs_add(t, v->broken == 0 ? "proven" : "checked", OUT_PLAIN, "%s", proven(v->level));
    add_count(t, "writers", r->writers, "");
    add_count(t, "records", r->records, " in their logs");
    add_count(t, "snapshots", r->snapshots, "");
    add_count(t, "packs", r->packs, "");
    if (r->sessions_opened != 0)
        add_count(t, "opened", r->sessions_opened,
                  plural(r->sessions_opened, " pack header", " pack headers"));
    if (r->sessions_granted != 0)
        add_count(t, "by grants", r->sessions_granted, plural(r->sessions_granted, " session", " sessions"));
    if (r->packs_read != 0) {
        add_count(t, "packs read", r->packs_read, "");
        pairs_add(t, "bytes read", OUT_PLAIN, "%s", rate_format(rate, r->bytes_read, ms));
    }
    if (v->rotates)
        pairs_add(t, "this part", OUT_PLAIN, "%.1f %%; everything within %s",
                  100 * rotation_share(&v->rotation),
                  duration_format(n, cli_number(v->cli, "rotate") * 1000));
    if (v->level == CHECK_L3) {
        add_count(t, "blobs", r->blobs, " opened");
        pairs_add(t, "streams", OUT_PLAIN, "%s read whole, %s", count_format(n, r->streams),
                  size_format(size, r->stream_bytes));
    }
    pairs_add(t, "not checked", OUT_PLAIN, "%s", not_looked_at(v));
    pairs_add(t, "rollback", OUT_PLAIN, "%s", rollback(&v->chosen.st));
    if (v->warnings != 0)
        add_count(t, "warnings", v->warnings, "");
    if (v->broken != 0)
        pairs_add(t, "result", OUT_BAD, "%s %s", count_format(n, v->broken),
                  plural(v->broken, "error", "errors"));
    else
        pairs_add(t, "result", OUT_GOOD, "no errors");
    int rc = v->cli->quiet ? 0 : table_print(t, &v->cli->out, err);
    table_free(t);
    return rc;
}

static int summary_json(const struct verify *v, const struct check_result *r, uint64_t ms, struct error *err)
{
    struct jsonout *o = jsonout_new("summary");
    jsonout_str(o, "level", verify_levels[v->level]);
    jsonout_u64(o, "writers", r->writers);
    jsonout_u64(o, "records", r->records);
    jsonout_u64(o, "snapshots", r->snapshots);
    jsonout_u64(o, "packs", r->packs);
    jsonout_u64(o, "packs_read", r->packs_read);
    jsonout_u64(o, "bytes_read", r->bytes_read);
    jsonout_u64(o, "headers_opened", r->sessions_opened);
    jsonout_u64(o, "sessions_by_grant", r->sessions_granted);
    jsonout_u64(o, "blobs", r->blobs);
    jsonout_u64(o, "streams", r->streams);
    jsonout_u64(o, "stream_bytes", r->stream_bytes);
    if (v->rotates)
        jsonout_double(o, "share", rotation_share(&v->rotation));
    jsonout_str(o, "not_checked", not_looked_at(v));
    jsonout_bool(o, "rollback_checked", v->chosen.st.marks_path != NULL && !v->chosen.st.first_time);
    jsonout_u64(o, "errors", v->broken);
    jsonout_u64(o, "warnings", v->warnings);
    jsonout_u64(o, "notes", v->notes);
    jsonout_double(o, "seconds", (double)ms / 1000.0);
    return jsonout_emit(o, err);
}

/* ---- the verb ------------------------------------------------------------------------------------------ */

static int open_target(struct verify *v, struct error *err)
{
    struct cli_context *cli = v->cli;
    struct chosen *c = &v->chosen;
    struct selector sel;
    int rc = cli->nargs != 0 ? selector_parse(cli->args[0], cli_text(cli, "job"), &sel, err) : 0;
    if (rc == 0 && cli->nargs == 0 && cli_given(cli, "job"))
        rc = error_set(err, E_USAGE, "--job goes with a SNAPSHOT");
    rc = rc < 0 ? rc : station_open_quietly(cli, kit_for(cli), &c->st, err);
    if (rc == 0 && cli->nargs != 0) {
        rc = snaps_load(&c->st, &c->all, err);
        rc = rc < 0 ? rc : selector_find(&c->all, &sel, &c->snap, err);
    }
    return rc;
}

static bool wanted(void *arg, const char *name)
{
    return rotation_wants(&((struct verify *)arg)->rotation, name);
}

static void looked(void *arg, const char *name, bool sound)
{
    rotation_looked(&((struct verify *)arg)->rotation, name, sound);
}

/* What is read at one level says nothing about the other. */
static int begin_rotation(struct verify *v, struct error *err)
{
    struct station *st = &v->chosen.st;
    char *dir = station_state_dir(st, err);
    if (dir == NULL)
        return err->code < 0 ? err->code
                             : error_set(err, E_USAGE, "--rotate needs a place to remember: --state DIR");
    char *path = str_printf(err, "%s/verify-%s.json", dir, verify_levels[v->level]);
    int rc = path != NULL ? rotation_load(&v->rotation, path, st->repo->repo_id, cli_number(v->cli, "rotate"),
                                          clock_wall(), err)
                          : E_NOMEM;
    v->rotates = rc == 0;
    free(path);
    free(dir);
    return rc;
}

static int run(struct verify *v, struct check_result *result, struct error *err)
{
    struct station *st = &v->chosen.st;
    struct check_options options = { .level = v->level,
                                     .opener = st->opener,
                                     .finding = on_finding,
                                     .total = on_total,
                                     .progress = on_bytes,
                                     .arg = v };
    if (cli_given(v->cli, "read-data-subset"))
        options.subset = (uint32_t)cli_number(v->cli, "read-data-subset");
    if (cli_given(v->cli, "rotate")) {
        int rc = begin_rotation(v, err);
        if (rc < 0)
            return rc;
        options.wanted = wanted;
        options.looked = looked;
    }
    if (v->chosen.snap != NULL) {
        options.writer = v->chosen.snap->writer->id;
        options.session = v->chosen.snap->record->rec.session;
    }
    v->progress = progress_start(v->cli, "verifying", NULL);
    int rc = check_run(st->repo, &options, result, err);
    progress_stop(v->progress);
    if (rc == 0 && v->rotates)
        rc = rotation_save(&v->rotation, err);
    return rc < 0 ? rc : v->lost.code < 0 ? error_copy(err, &v->lost) : 0;
}

int cmd_verify(struct cli_context *cli, struct error *err)
{
    struct verify v = { .cli = cli, .lost = ERROR_INIT };
    v.verdict.level = cli_given(cli, "level") ? verify_levels[cli_choice(cli, "level")] : "-";
    struct check_result result = { .writers = 0 };
    uint64_t began = 0;
    int rc = contradiction(cli, err);
    if (rc == 0 && cli_flag(cli, "gentle"))
        process_gentle();
    rc = rc < 0 ? rc : open_target(&v, err);
    if (rc < 0)
        goto out;
    began = clock_mono_ms(); /* not the time a passphrase took to type */
    v.level = level_for(cli, v.chosen.st.has_kit);
    v.verdict.level = verify_levels[v.level];
    rc = run(&v, &result, err);
    v.verdict.errors = v.broken;
    v.verdict.warnings = v.warnings;
    if (rc == 0 && cli_flag(cli, "verdict"))
        verdict_print(&v.verdict, cli, v.chosen.st.repo, &result);
    else if (rc == 0)
        rc = cli->json ? summary_json(&v, &result, clock_mono_ms() - began, err)
                       : summary_text(&v, &result, clock_mono_ms() - began, err);
    if (v.broken != 0)
        cli->exit_code = CLI_EXIT_DIFFERS;
    else if (v.chosen.st.alarms !=
             0) /* only possible with a SNAPSHOT: what is not its writer's was left out */
        log_event(LOG_WARN,
                  "other writers' logs raise alarms: `restore verify` without a snapshot shows them");
out:
    if (rc < 0 && rc != E_USAGE && cli_flag(cli, "verdict"))
        verdict_unknown(&v.verdict, cli, err);
    rotation_free(&v.rotation);
    chosen_close(&v.chosen, rc);
    return rc;
}
