/* restore export: a snapshot in standard forms, for people who have nothing of ours. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fact.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/sys/interrupt.h"
#include "restore/export_run.h"
#include "restore/export_text.h"
#include "restore/target/space.h"

#include "common/base/banned.h"

static const char *const export_formats[] = { "tar.zst", "dir", NULL };

const struct cli_option export_options[] = {
    JOB_OPTION,
    ALARMS_OPTION,
    { .name = "to",
      .letter = 't',
      .kind = CLI_FILE,
      .metavar = "PATH",
      .required = true,
      .help = "A new file or directory; `-` is standard output. An existing one is never overwritten." },
    { .name = "format",
      .letter = 'F',
      .kind = CLI_CHOICE,
      .choices = export_formats,
      .metavar = "FORM",
      .help = "`tar.zst` (what PATH.tar.zst and `-` are without this option) or `dir`." },
    { .name = "unsafe-links",
      .kind = CLI_FLAG,
      .help = "dir: also make symbolic links that lead out of the directory. One of them ends the export "
              "otherwise." },
    CLI_OPTIONS_END
};

/* ---- the run ------------------------------------------------------------------------------------------- */

static void on_lost(const char *path, const char *what, const char *why, void *arg)
{
    struct export *x = arg;
    char shown[512];
    if (++x->told <= EXPORT_LOSSES_NAMED)
        log_event(LOG_WARN, "without %s%s%s: %s", what, why != NULL ? " " : "", why != NULL ? why : "",
                  str_printable(shown, sizeof shown, path));
}

static int choose_format(struct export *x, struct error *err)
{
    const char *to = cli_text(x->cli, "to");
    bool standard = strcmp(to, "-") == 0;
    if (cli_given(x->cli, "format"))
        x->tar = cli_choice(x->cli, "format") == 0;
    else if (standard || str_ends(to, ".tar.zst"))
        x->tar = true;
    else
        return error_set(err, E_USAGE, "say which form: --format tar.zst or --format dir");
    if (standard && !x->tar)
        return error_set(err, E_USAGE, "a directory does not fit into standard output: --format tar.zst");
    if (standard && isatty(STDOUT_FILENO) != 0)
        return error_set(err, E_USAGE, "this would write an archive to the terminal: redirect it");
    if (x->tar && cli_flag(x->cli, "unsafe-links"))
        return error_set(err, E_USAGE, "--unsafe-links is for directories; an archive has all links");
    return 0;
}

static int count_member(const struct member *m, void *arg, struct error *err)
{
    struct export *x = arg;
    x->members_count++;
    x->total += m->ref.len;
    int rc = check_total(&x->chosen, x->total, err);
    return rc < 0 ? rc : interrupt_check(err);
}

/* An archive may become smaller: there the disk has the last word. */
static int check_room(struct export *x, struct error *err)
{
    int rc = snapshot_members(x->chosen.snap->object, x->chosen.fetcher, count_member, x, err);
    if (rc < 0)
        return error_wrap(err, "%s", x->chosen.name);
    return x->tar ? 0 : space_check(cli_text(x->cli, "to"), x->total, x->members_count, err);
}

static int make(struct export *x, struct error *err)
{
    struct chosen *c = &x->chosen;
    char *top = export_top(c, err);
    struct export_options options = {
        .to = cli_text(x->cli, "to"),
        .tar = x->tar,
        .top = top,
        .parents = !x->tree,
        .mtime = c->snap->object->view.finished <= INT64_MAX ? (int64_t)c->snap->object->view.finished : 0,
        .policy = { .owner = x->tree && geteuid() == 0 ? TREE_OWNER_NUMBER : TREE_OWNER_NONE,
                    .xattrs = true,
                    .files = true,
                    .lost = on_lost,
                    .arg = x },
        .unsafe_links = cli_flag(x->cli, "unsafe-links"),
        .progress = progress_on_bytes,
    };
    x->progress = progress_start(x->cli, "exporting", NULL);
    progress_total(x->progress, x->total);
    options.progress_arg = x->progress;
    int rc = top != NULL ? export_out_open(&x->out, &options, err) : E_NOMEM;
    rc = rc < 0 ? rc : export_put_all(x, err);
    progress_stop(x->progress);
    free(top);
    if (rc < 0 && x->out.path == NULL && x->out.written != 0)
        return error_wrap(err, "what was written (%llu bytes) is not all of it and must not be used",
                          (unsigned long long)x->out.written);
    return rc < 0 ? error_wrap(err, "%s was not made", options.to) : 0;
}

static int summary(const struct export *x, uint64_t ms, struct error *err)
{
    const struct cli_context *cli = x->cli;
    const char *to = cli_text(cli, "to");
    bool standard = strcmp(to, "-") == 0;
    struct out on = standard ? out_on(stderr, cli_flag(cli, "no-color")) : cli->out;
    char rate[RATE_TEXT_MAX];
    char n[NUMBER_TEXT_MAX];
    if (cli->json) {
        struct jsonout *o = jsonout_new("summary");
        jsonout_str(o, "snapshot", x->chosen.name);
        jsonout_str(o, "target", to);
        jsonout_str(o, "format", export_formats[x->tar ? 0 : 1]);
        jsonout_u64(o, "files", x->out.files);
        jsonout_u64(o, "bytes", x->out.bytes);
        jsonout_u64(o, "archive_bytes", x->out.written);
        jsonout_u64(o, "incomplete", x->incomplete);
        jsonout_u64(o, "changed", x->changed);
        jsonout_u64(o, "metadata_lost", export_out_lost(&x->out));
        jsonout_double(o, "seconds", (double)ms / 1000.0);
        return jsonout_emit(o, err);
    }
    if (cli->quiet)
        return 0;
    out_line(&on, OUT_GOOD, "Exported %s to %s: %s %s, %s.", x->chosen.name,
             standard ? "standard output" : to, count_format(n, x->out.files),
             plural(x->out.files, "file", "files"), rate_format(rate, x->out.bytes, ms));
    out_line(
        &on, OUT_PLAIN,
        "Checked: every blob authenticated, every stream against its check. README.txt says how to load it.");
    out_line(&on, OUT_WARN, "It is not encrypted.");
    return 0;
}

static int verdict(const struct export *x, struct error *err)
{
    uint64_t lost = export_out_lost(&x->out);
    const char *to = cli_text(x->cli, "to");
    if (x->incomplete == 0 && lost == 0)
        return 0;
    x->cli->exit_code = CLI_EXIT_PARTLY;
    if (x->incomplete != 0)
        return error_set(err, E_IO, "%llu %s in %s where the backup could not read on",
                         (unsigned long long)x->incomplete, plural(x->incomplete, "file ends", "files end"),
                         to);
    return error_set(err, E_DENIED,
                     "%llu %s an owner or an attribute could not be written to %s; everything else is there",
                     (unsigned long long)lost, plural(lost, "time", "times"), to);
}

int cmd_export(struct cli_context *cli, struct error *err)
{
    struct export x = { .cli = cli, .out = EXPORT_OUT_INIT };
    struct out quiet = out_on(stderr, cli_flag(cli, "no-color"));
    bool standard = strcmp(cli_text(cli, "to"), "-") == 0;
    if (standard)
        jsonout_to(stderr);
    int rc = choose_format(&x, err);
    rc = rc < 0 ? rc : chosen_open(cli, KIT_NEEDED, cli->args[0], &x.chosen, err);
    rc = rc < 0 ? rc : chosen_begin(&x.chosen, standard ? &quiet : &cli->out, err);
    uint64_t began = clock_mono_ms(); /* not the time a passphrase took to type */
    rc = rc < 0 ? rc : check_room(&x, err);
    rc = rc < 0 ? rc : export_ask_engine(&x, err);
    if (rc == 0) {
        x.data = fetcher_new(x.chosen.st.repo, x.chosen.snap->writer, &x.chosen.st.opener, 0, err);
        rc = x.data == NULL ? (err->code < 0 ? err->code : E_NOMEM) : make(&x, err);
    }
    rc = rc < 0 ? rc : summary(&x, clock_mono_ms() - began, err);
    rc = rc < 0 ? rc : verdict(&x, err);
    export_out_close(&x.out);
    export_forget(&x);
    chosen_close(&x.chosen, rc);
    return rc;
}
