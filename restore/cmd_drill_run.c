/* restore drill run: a snapshot into a throwaway place, looked at, and gone again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/access/access.h"
#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"
#include "restore/drill/drill.h"
#include "restore/drill/evidence.h"
#include "restore/drill/keep.h"
#include "restore/drill/scratch.h"
#include "restore/options.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

enum { INJECT_MAX = 16 * 1024 * 1024 };

const struct cli_option drill_run_options[] = {
    JOB_OPTION,
    ALARMS_OPTION,
    { .name = "drill",
      .kind = CLI_STRING,
      .metavar = "NAME",
      .help =
          "The drill of this name in the configuration (`drills`): which snapshot, what has to be true. Options "
          "here win." },
    { .name = "database",
      .kind = CLI_STRING,
      .metavar = "NAME",
      .help = "Which database of a snapshot that holds several." },
    { .name = "table",
      .kind = CLI_STRING,
      .metavar = "TABLE",
      .many = true,
      .help = "Only this table, as for `restore database`. May be repeated." },
    { .name = "sample",
      .kind = CLI_DURATION,
      .metavar = "TIME",
      .min = 3600,
      .max = (uint64_t)10 * 365 * 86400,
      .help =
          "Only a part of the tables, of one database, chosen at random: so that each was drilled within this time (30d) when "
          "this is called regularly. The state directory remembers which were." },
    { .name = "rto",
      .kind = CLI_DURATION,
      .help = "How long it may take until the data can be queried; a drill that takes longer fails." },
    { .name = "max-age",
      .kind = CLI_DURATION,
      .help = "How old the snapshot may be; a drill of an older one fails." },
    { .name = "timeout",
      .kind = CLI_DURATION,
      .help = "Stop after this time; the verdict is then could_not_run." },
    { .name = "scratch",
      .kind = CLI_FILE,
      .metavar = "DIR",
      .help =
          "Where the throwaway directory is made: a short path on a disk with room. Default: $TMPDIR, else "
          "/var/tmp." },
    { .name = "bin-dir",
      .kind = CLI_FILE,
      .metavar = "DIR",
      .help =
          "Where the programs of the database server are. Default: where Debian's packages put those of the "
          "snapshot's release." },
    { .name = "memory",
      .kind = CLI_SIZE,
      .min = (uint64_t)256 << 20,
      .max = (uint64_t)1 << 44,
      .help =
          "The server's buffers are made to fit into this, and no process of the drill gets more data (RLIMIT_DATA)." },
    { .name = "gentle", .kind = CLI_FLAG, .help = "Leave processor and disks to others." },
    { .name = "keep",
      .kind = CLI_FLAG,
      .help =
          "Leave what was restored, with its server, and print how to connect. `restore drill kept` lists what is kept, "
          "`restore drill end` ends it." },
    { .name = "keep-for",
      .kind = CLI_DURATION,
      .fallback = "8h",
      .min = 60,
      .max = KEPT_MAX_SECONDS,
      .help = "With --keep: how long at most; then it is removed." },
    { .name = "out",
      .letter = 'o',
      .kind = CLI_FILE,
      .help = "Write the result to this file, as one object of JSON." },
    { .name = "inject",
      .kind = CLI_FILE,
      .hidden = true,
      .help =
          "An exercise: SQL that damages what was loaded before it is checked, so that people see the drill fail." },
    CLI_OPTIONS_END
};

struct command {
    struct cli_context *cli;
    const struct conf_drill *conf;
    struct conf *loaded;
    char *selector;
    const char **tables;
    struct buf inject;
    struct drill_options o;
};

/* ---- what is wanted ---------------------------------------------------------------------------------------- */

static int find_drill(struct command *c, struct error *err)
{
    const char *name = cli_text(c->cli, "drill");
    if (name == NULL)
        return 0;
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct buf text = BUF_INIT;
    c->loaded = access_configuration(c->cli->config, false, &problems, err);
    if (c->loaded == NULL && problems.list.len != 0 && conf_problems_format(&problems, &text, NULL) == 0)
        (void)fwrite(text.data, 1, text.len, stderr);
    buf_free(&text);
    conf_problems_free(&problems);
    if (c->loaded == NULL)
        return err->code < 0 ? err->code : E_NOMEM;
    c->conf = conf_find_drill(c->loaded, name);
    return c->conf != NULL ? 0
                           : error_set(err, E_USAGE, "there is no drill '%s' in %s", name, c->loaded->file);
}

/* JOB/latest: so that a job need not be said twice. */
static int choose_snapshot(struct command *c, struct error *err)
{
    const char *job = cli_text(c->cli, "job");
    if (c->cli->nargs > 0)
        c->selector = str_dup(c->cli->args[0], err);
    else if (c->conf != NULL && job == NULL)
        c->selector = strchr(c->conf->snapshot, '/') != NULL
                          ? str_dup(c->conf->snapshot, err)
                          : str_printf(err, "%s/%s", c->conf->job, c->conf->snapshot);
    else
        c->selector = str_dup("latest", err);
    c->o.selector = c->selector;
    c->o.job = job != NULL ? job : c->conf != NULL ? c->conf->job : NULL;
    return c->selector != NULL ? 0 : E_NOMEM;
}

/* --gentle is all of it; else what the configuration says. */
static struct process_limits choose_limits(const struct command *c, const struct conf_drill *d)
{
    struct process_limits limits = access_limits(&d->limits);
    if (cli_flag(c->cli, "gentle") || d->gentle) {
        limits.nice = PROCESS_NICE_MAX;
        limits.ionice = IONICE_IDLE;
    }
    if (cli_given(c->cli, "memory"))
        limits.memory = cli_number(c->cli, "memory");
    return limits;
}

static int choose_tables(struct command *c, struct error *err)
{
    size_t n = cli_count(c->cli, "table");
    if (c->o.sample_seconds != 0 && (n != 0 || (c->conf != NULL && c->conf->ntables != 0)))
        return error_set(err, E_USAGE, "--sample chooses the tables: leave --table (drills.NAME.tables) out");
    c->o.tables = c->conf != NULL ? c->conf->tables : NULL;
    c->o.ntables = c->conf != NULL ? c->conf->ntables : 0;
    if (n == 0)
        return 0;
    c->tables = mem_alloc(n, sizeof *c->tables, err);
    for (size_t i = 0; c->tables != NULL && i < n; i++)
        c->tables[i] = cli_text_at(c->cli, "table", i);
    c->o.tables = c->tables;
    c->o.ntables = n;
    return c->tables != NULL ? 0 : E_NOMEM;
}

static uint64_t seconds(const struct command *c, const char *option, uint64_t configured_ms)
{
    return cli_given(c->cli, option) ? cli_number(c->cli, option) : configured_ms / 1000;
}

static int read_inject(struct command *c, struct error *err)
{
    const char *path = cli_text(c->cli, "inject");
    int rc = path != NULL ? file_read_small(path, INJECT_MAX, &c->inject, err) : 0;
    if (rc == 0 && path != NULL)
        rc = buf_append(&c->inject, "", 1, err);
    c->o.inject = rc == 0 && path != NULL ? (const char *)c->inject.data : NULL;
    return rc;
}

static int read_options(struct command *c, struct error *err)
{
    static const struct conf_drill none = { .foreign_keys = true, .sequences = true };
    int rc = find_drill(c, err);
    const struct conf_drill *d = c->conf != NULL ? c->conf : &none;
    const struct cli_context *cli = c->cli;
    c->o = (struct drill_options){ .cli = c->cli,
                                   .drill = d->name,
                                   .database =
                                       cli_given(cli, "database") ? cli_text(cli, "database") : d->database,
                                   .rto_seconds = seconds(c, "rto", d->rto_ms),
                                   .max_age_seconds = seconds(c, "max-age", d->max_age_ms),
                                   .timeout_seconds = seconds(c, "timeout", d->timeout_ms),
                                   .asserts = d->asserts,
                                   .nasserts = d->nasserts,
                                   .masks = d->masks,
                                   .nmasks = d->nmasks,
                                   .no_foreign_keys = !d->foreign_keys,
                                   .no_sequences = !d->sequences,
                                   .bin_dir = cli_text(cli, "bin-dir"),
                                   .dir = cli_given(cli, "scratch") ? cli_text(cli, "scratch") : d->scratch,
                                   .sample_seconds = seconds(c, "sample", d->sample_ms),
                                   .limits = choose_limits(c, d) };
    rc = rc < 0 ? rc : choose_snapshot(c, err);
    rc = rc < 0 ? rc : choose_tables(c, err);
    return rc < 0 ? rc : read_inject(c, err);
}

/* ---- what is told ------------------------------------------------------------------------------------------- */

static enum out_style style_of(enum drill_verdict v)
{
    static const enum out_style styles[] = { [DRILL_PASS] = OUT_GOOD,
                                             [DRILL_FAIL] = OUT_BAD,
                                             [DRILL_COULD_NOT_RUN] = OUT_WARN,
                                             [DRILL_SKIPPED] = OUT_DIM };
    return styles[v];
}

/* Checks that passed are counted by their kind; the others are shown. */
static int print_checks(const struct command *c, const struct drill_result *r, struct error *err)
{
    bool all = c->cli->verbose > 0;
    struct table *t = table_new(err);
    table_column(t, "check", false);
    table_column(t, "what", false);
    table_column(t, "verdict", false);
    table_column(t, "found", false);
    table_column(t, "expected", false);
    for (size_t i = 0; i < r->checks.len; i++) {
        const struct drill_check *k = vec_at(&r->checks, i);
        if (!all && k->verdict == DRILL_PASS)
            continue;
        table_cell(t, OUT_PLAIN, "%s", k->name);
        table_cell(t, OUT_PLAIN, "%s", k->subject != NULL ? k->subject : "");
        table_cell(t, style_of(k->verdict), "%s", drill_verdict_name(k->verdict));
        table_cell(t, OUT_PLAIN, "%s", k->text != NULL ? k->text : k->found != NULL ? k->found : "");
        table_cell(t, OUT_PLAIN, "%s", k->expected != NULL ? k->expected : "");
    }
    int rc = table_rows(t) > 0 ? table_print(t, &c->cli->out, err) : 0;
    table_free(t);
    return rc;
}

static void tell_masked(struct table *t, const struct drill_result *r)
{
    char n[2][NUMBER_TEXT_MAX];
    uint64_t remaining = 0;
    size_t unknown = 0; /* places that may hold copies */
    for (size_t i = 0; i < r->masked.len; i++)
        remaining += ((const struct drill_masked *)vec_at(&r->masked, i))->remaining;
    for (size_t i = 0; i < r->checks.len; i++) {
        const struct drill_check *c = vec_at(&r->checks, i);
        unknown += strcmp(c->kind, "mask") == 0 && c->verdict != DRILL_PASS && c->verdict != DRILL_FAIL;
    }
    pairs_add(t, "masked",
              remaining != 0 ? OUT_BAD
              : unknown != 0 ? OUT_WARN
                             : OUT_GOOD,
              "%s %s, %s of the original values are left in %s%s", count_format(n[0], r->masked.len),
              plural(r->masked.len, "column", "columns"),
              remaining == 0 ? "none" : count_format(n[1], remaining), r->masked.len == 1 ? "it" : "them",
              unknown != 0 ? "; what else may hold copies was not masked: see the checks" : "");
}

static int print_pairs(const struct command *c, const struct drill_result *r, struct error *err)
{
    char n[7][NUMBER_TEXT_MAX];
    const struct drill_phases *p = &r->phases;
    struct table *t = pairs_new(err);
    pairs_add(t, "drill", OUT_PLAIN, "%s", r->id);
    if (r->server_version != NULL)
        pairs_add(t, "server", OUT_PLAIN, "%s; %s", r->server_version, r->isolation);
    pairs_add(t, "time", OUT_PLAIN, "prepare %s, fetch %s, decrypt %s, load %s, index %s, check %s",
              duration_format(n[0], p->prepare_ms), duration_format(n[1], p->fetch_ms),
              duration_format(n[2], p->decrypt_ms), duration_format(n[3], p->load_ms),
              duration_format(n[4], p->index_ms), duration_format(n[5], p->check_ms));
    if (r->rto_ms != 0)
        pairs_add(t, "recovery", OUT_BOLD, "%s until the data could be queried",
                  duration_format(n[6], r->rto_ms));
    if (r->rpo_known)
        pairs_add(t, "newest row", OUT_PLAIN, "%s before the backup",
                  duration_format(n[0], r->rpo_seconds * 1000));
    if (r->tables_total != 0)
        pairs_add(t, "part", OUT_PLAIN, "%zu of %s tables%s%s", r->tables.len,
                  count_format(n[0], r->tables_total), r->database != NULL ? ", of " : "",
                  r->database != NULL ? r->database : "");
    if (r->masked.len > 0)
        tell_masked(t, r);
    pairs_add(t, "checks", OUT_PLAIN, "%zu passed, %zu failed, %zu could not run",
              drill_check_count(r, DRILL_PASS), drill_check_count(r, DRILL_FAIL),
              drill_check_count(r, DRILL_COULD_NOT_RUN));
    pairs_add(t, "verdict", style_of(r->verdict), "%s", drill_verdict_name(r->verdict));
    if (r->reason != NULL)
        pairs_add(t, "because", OUT_PLAIN, "%s", r->reason);
    if (r->cure != NULL)
        pairs_add(t, "way out", OUT_PLAIN, "%s", r->cure);
    int rc = table_print(t, &c->cli->out, err);
    table_free(t);
    return rc;
}

static int tell(const struct command *c, const struct drill_result *r, struct error *err)
{
    struct buf json = BUF_INIT;
    const char *path = cli_text(c->cli, "out");
    int rc = drill_result_to_json(r, &json, err);
    rc = rc < 0 ? rc : buf_append(&json, "\n", 1, err);
    if (rc == 0 && path != NULL)
        rc = file_write_atomic(path, json.data, json.len, 0600, FILE_REPLACE, err);
    if (rc == 0 && c->cli->json) {
        if (fwrite(json.data, 1, json.len, stdout) != json.len || fflush(stdout) != 0)
            rc = error_sys(err, "the output could not be written");
    } else if (rc == 0 && !c->cli->quiet) {
        rc = print_checks(c, r, err);
        rc = rc < 0 ? rc : print_pairs(c, r, err);
    }
    buf_free(&json);
    return rc;
}

/* ---- what is kept ------------------------------------------------------------------------------------------- */

/* How people get there, and how it ends. */
static void tell_kept(const struct cli_context *cli, const struct scratch *s, const struct keep_what *what)
{
    char word[SCRATCH_TO_MAX];
    char until[NUMBER_TEXT_MAX];
    struct table *t = pairs_new(NULL);
    char *base = path_dir(s->dir, NULL);
    pairs_add(t, "kept until", OUT_PLAIN, "%s", time_format(until, what->until));
    pairs_add(t, "connect with", OUT_BOLD, "%s", s->connect != NULL ? s->connect : s->to);
    pairs_add(t, "end it with", OUT_BOLD, "restore drill end %s --scratch %s", what->id,
              base != NULL ? str_shell_word(word, sizeof word, base) : ".");
    if (!cli->json && !cli->quiet)
        (void)table_print(t, &cli->out, NULL);
    table_free(t);
    free(base);
}

static int keep(struct cli_context *cli, struct scratch *s, const struct drill_result *r,
                const struct keep_front *front, struct error *err)
{
    struct out out = { .file = stdout };
    const struct keep_what what = { .id = r->id,
                                    .snapshot = r->snapshot,
                                    .verdict = drill_verdict_name(r->verdict),
                                    .until = clock_wall() + cli_number(cli, "keep-for"),
                                    .exit_code = cli->exit_code };
    tell_kept(cli, s, &what);
    int rc = out_flush(&out, err);
    return rc < 0 ? rc : keep_go(s, &what, front, err);
}

/* front: of --keep, or NULL. */
static int drill_and_tell(struct cli_context *cli, const struct keep_front *front, struct error *err)
{
    static const int codes[] = { [DRILL_PASS] = CLI_EXIT_OK,
                                 [DRILL_FAIL] = CLI_EXIT_DIFFERS,
                                 [DRILL_COULD_NOT_RUN] = CLI_EXIT_CANNOT_RUN };
    struct command c = { .cli = cli, .inject = BUF_INIT };
    struct evidence_origin origin = EVIDENCE_ORIGIN_INIT;
    struct evidence_kept kept;
    struct scratch left = { .dir = NULL };
    struct drill_result r;
    drill_result_init(&r);
    int rc = read_options(&c, err);
    c.o.origin = &origin;
    c.o.keep = front != NULL ? &left : NULL;
    rc = rc < 0 ? rc : drill_run(&c.o, &r, err);
    if (rc == 0) {
        cli->exit_code = codes[r.verdict];
        origin.exercise = c.o.inject != NULL;
        evidence_finish(cli, &origin, &r, &kept);
        rc = tell(&c, &r, err);
        evidence_tell(cli, &kept);
    }
    evidence_origin_free(&origin);
    if (rc == 0 && left.dir != NULL)
        rc = keep(cli, &left, &r, front, err);
    scratch_close(&left);
    drill_result_free(&r);
    buf_free(&c.inject);
    free(c.selector);
    free(c.tables);
    conf_free(c.loaded);
    return rc;
}

int cmd_drill_run(struct cli_context *cli, struct error *err)
{
    struct keep_front front;
    int code = 0;
    if (!cli_flag(cli, "keep"))
        return drill_and_tell(cli, NULL, err);
    int rc = keep_fork(&front, err);
    if (rc == 0 && front.child == 0)
        return drill_and_tell(cli, &front, err);
    rc = rc < 0 ? rc : keep_wait(&front, &code, err);
    cli->exit_code = code;
    return rc;
}
